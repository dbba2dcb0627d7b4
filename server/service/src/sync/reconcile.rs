//! The one repair path: both tell what they hold, and each sends the records that the other lacks.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use userlock_core::{
    agent_api::Range,
    api::SyncKind,
    id::{LogId, OriginId},
    record::Run,
    server::{Cursor, Input, Output, ReadRun},
    sync::{HeldRequest, HeldResponse, PullRequest, PushHeader, Wanted, first_difference, forked, lacking, surplus},
};

use super::{SyncError, Synchronizer, lock};
use crate::{
    log::{catalogue, details},
    zone::{SubmitError, Zone},
};

/// Records that are asked for or sent at a time.
const AT_A_TIME: u64 = 20_000;
/// Bytes of records that are sent at a time.
const PUSH_BYTES: usize = 4 * 1024 * 1024;

/// New records by the number of their kind.
pub(super) type Applied = BTreeMap<u16, u64>;

/// Compares what both hold, and tells the Primary this server's part of what differs.
async fn compare(sync: &Synchronizer) -> Result<HeldResponse, SyncError> {
    let client = sync.client()?;
    let zone = &sync.inner.zone;
    let buckets = zone.read(|s| s.held().buckets());
    let question = HeldRequest { buckets, ranges: BTreeMap::new(), told: Vec::new() };
    let answer = client.held(&question).await?;
    if zone.read(|s| s.held().buckets() == question.buckets) {
        zone.note_peer(|server| server.peer_equal_but(&answer.differing));
    }
    if answer.differing.is_empty() {
        return Ok(answer);
    }
    zone.note_peer(|server| server.peer_told(&answer.differing, &answer.ranges));
    let ranges: BTreeMap<OriginId, Vec<Range>> =
        zone.read(|s| answer.differing.iter().flat_map(|b| s.held().ranges_in(usize::from(*b))).collect());
    let mut answer = client.held(&HeldRequest { ranges, told: answer.differing.clone(), ..question }).await?;
    let aside = lock(&sync.inner.aside);
    answer.ranges.retain(|origin, _| !aside.contains(origin));
    drop(aside);
    Ok(answer)
}

/// Without what was set aside.
fn without_aside(sync: &Synchronizer, mut wanted: Wanted) -> Wanted {
    let aside = lock(&sync.inner.aside);
    wanted.retain(|(origin, ..)| !aside.contains(origin));
    wanted
}

/// Hands over every record that the Primary lacks. Returns how many were new to it.
///
/// # Errors
/// [`SyncError`]; what was handed over by then stays.
pub(super) async fn push_all(sync: &Synchronizer, progress: Option<&super::runs::Running>) -> Result<u64, SyncError> {
    let _turn = sync.inner.pushing.lock().await;
    push_locked(sync, progress).await
}

async fn push_locked(sync: &Synchronizer, progress: Option<&super::runs::Running>) -> Result<u64, SyncError> {
    let mut result = push_once(sync, progress).await;
    // Each round files one branch; machines that were cloned at the same time are few.
    for _ in 0..16 {
        let Some(fork) = result.as_ref().err().and_then(|error| error.fork) else { break };
        file_branch(sync, fork.origin).await?;
        result = push_once(sync, progress).await;
    }
    result
}

async fn push_once(sync: &Synchronizer, progress: Option<&super::runs::Running>) -> Result<u64, SyncError> {
    let zone = &sync.inner.zone;
    let position = zone.read(|s| s.position);
    let answer = compare(sync).await?;
    if let Some(fork) = zone.read(|s| forked(s.held(), &answer.ranges)) {
        return Err(fork.into());
    }
    let wanted = without_aside(sync, zone.read(|s| surplus(s.held(), &answer.ranges, &answer.differing)));
    let head = PushHeader { log_id: zone.read(|s| s.log_id) };
    let (mut pushed, mut found) = (0, 0);
    for part in in_parts(&wanted) {
        for runs in by_bytes(from_log(zone, &part).await?) {
            found += runs.iter().map(|run| run.entries.len() as u64).sum::<u64>();
            let bytes = postcard::to_allocvec(&runs).map_err(|_| SyncError::malformed("a record"))?;
            pushed += sync.client()?.push(&head, &[bytes]).await?;
            zone.note_peer(|server| server.peer_has_runs(&runs));
            if let Some(running) = progress {
                running.progress(pushed, None);
            }
        }
    }
    let lacking: u64 = wanted.iter().map(|(_, first, last)| last - first + 1).sum();
    if found < lacking {
        let missing = lacking - found;
        let message = format!(
            "The Primary lacks {missing} records that this Backup knows only by what they made of the list: they cannot be handed over one by one."
        );
        let more = details([("operation", &"push"), ("records", &missing)]);
        sync.inner.journal.record(catalogue::SYNC_FULL_NEEDED, message, more);
    }
    zone.note_peer(|server| server.peer_has(position));
    Ok(pushed)
}

/// Splits runs into parts of a bounded size.
fn by_bytes(runs: Vec<Run>) -> Vec<Vec<Run>> {
    let mut parts: Vec<Vec<Run>> = Vec::new();
    let mut size = usize::MAX;
    for run in runs {
        if size >= PUSH_BYTES {
            parts.push(Vec::new());
            size = 0;
        }
        size += run.entries.iter().map(|e| e.record.payload.len() + 128).sum::<usize>();
        if let Some(part) = parts.last_mut() {
            part.push(run);
        }
    }
    parts
}

/// Hands over what came here first and is in the log after `after`; cheaper than [`push_all`], which decides.
///
/// # Errors
/// [`SyncError`].
pub(super) async fn push_tail(sync: &Synchronizer, after: u64) -> Result<u64, SyncError> {
    let _turn = sync.inner.pushing.lock().await;
    let zone = &sync.inner.zone;
    let segments = zone.store().segments_after(after, PUSH_BYTES).await?;
    let Some(last) = segments.last().map(crate::store::state::RawSegment::last_position) else { return Ok(after) };
    let frames: Vec<Vec<u8>> = segments.into_iter().filter(|s| s.source.is_nil()).map(|s| s.runs).collect();
    if !frames.is_empty() {
        let head = PushHeader { log_id: zone.read(|s| s.log_id) };
        match sync.client()?.push(&head, &frames).await {
            Ok(_) => {}
            // The log still has what was filed elsewhere: what both hold decides what is sent.
            Err(error) if error.fork.is_some() => return push_locked(sync, None).await.map(|_| last),
            Err(error) => return Err(error),
        }
    }
    zone.note_peer(|server| server.peer_has(last));
    Ok(last)
}

/// Fetches every record of the Primary that is lacking here, and puts this server's place in its log right.
///
/// # Errors
/// [`SyncError`]; what was fetched by then stays.
pub(super) async fn pull_all(
    sync: &Synchronizer,
    progress: Option<&super::runs::Running>,
) -> Result<Applied, SyncError> {
    let zone = &sync.inner.zone;
    let answer = compare(sync).await?;
    let mut wanted = without_aside(sync, zone.read(|s| lacking(s.held(), &answer.ranges)));
    let of = wanted.iter().map(|(_, first, last)| last - first + 1).sum();
    let mut applied = Applied::new();
    while let Some(part) = in_parts(&wanted).into_iter().next() {
        let (header, runs) = sync.client()?.pull(&PullRequest::Ranges(part)).await?;
        let new = take(sync, answer.at.log_id, runs, None).await?;
        if new.is_empty() {
            // What an agent or the tail has brought meanwhile is not lacking any more, and says nothing of the log.
            let still = without_aside(sync, zone.read(|s| lacking(s.held(), &answer.ranges)));
            if still == wanted {
                let not_sent = || SyncError::malformed("an answer without the records that were asked for");
                return Err(if header.truncated { full_needed(sync) } else { not_sent() });
            }
            wanted = still;
            continue;
        }
        new.into_iter().for_each(|(kind, n)| *applied.entry(kind).or_default() += n);
        if let Some(running) = progress {
            running.progress(applied.values().sum(), Some(of));
        }
        wanted = without_aside(sync, zone.read(|s| lacking(s.held(), &answer.ranges)));
    }
    take(sync, answer.at.log_id, Vec::new(), Some(answer.at)).await?;
    Ok(applied)
}

/// The Primary's log no longer has what is lacking here: the one case in which Sessions synchronization starts by itself.
fn full_needed(sync: &Synchronizer) -> SyncError {
    sync.inner.records_gone.store(true, Ordering::Relaxed);
    _ = sync.begin(SyncKind::Sessions, false, "repair");
    let message = "the Primary's log no longer has records that are lacking here: a Sessions synchronization was started, which brings what they said";
    SyncError::new(catalogue::SYNC_FULL_NEEDED, message)
}

/// Takes records over, with this server's new place in the Primary's log, in one commit.
pub(super) async fn take(
    sync: &Synchronizer,
    source: LogId,
    mut runs: Vec<Run>,
    cursor: Option<Cursor>,
) -> Result<Applied, SyncError> {
    let aside = lock(&sync.inner.aside).clone();
    runs.retain(|run| run.entries.first().is_none_or(|e| !aside.contains(&e.record.origin)));
    let runs = ReadRun::all(runs).map_err(|error| SyncError::new(catalogue::SYNC_PROTOCOL, error.to_string()))?;
    match sync.inner.zone.submit(Input::Peer { source, runs, cursor }).await {
        Ok(Output::Peer { applied }) => Ok(applied),
        Ok(_) => Ok(Applied::new()),
        Err(error) => {
            let error = SyncError::from(error);
            if let Some(fork) = error.fork {
                file_branch(sync, fork.origin).await?;
            }
            Err(error)
        }
    }
}

/// Splits what is wanted into parts of a bounded size.
fn in_parts(wanted: &Wanted) -> Vec<Wanted> {
    let mut parts: Vec<Wanted> = Vec::new();
    let mut room = 0;
    for (origin, mut first, last) in wanted.iter().copied() {
        while first <= last {
            if room == 0 {
                parts.push(Wanted::new());
                room = AT_A_TIME;
            }
            let end = last.min(first + room - 1);
            if let Some(part) = parts.last_mut() {
                part.push((origin, first, end));
            }
            room -= end - first + 1;
            first = end + 1;
        }
    }
    parts
}

/// The records of the log with these numbers.
///
/// # Errors
/// [`SyncError`].
pub async fn from_log(zone: &Zone, wanted: &Wanted) -> Result<Vec<Run>, SyncError> {
    let mut runs = Vec::new();
    for (origin, first, last) in wanted {
        runs.extend(zone.store().records(&origin.0, *first, *last).await?);
    }
    Ok(runs)
}

/// Two writers used one name: this Backup files its branch under a name of its own, so that both are kept. What cannot be
/// filed is set aside, so that one origin never keeps back all others.
async fn file_branch(sync: &Synchronizer, origin: OriginId) -> Result<(), SyncError> {
    let Some(first) = first_that_differs(sync, origin).await? else {
        // The two ways of exchanging records may find one fork at a time: the first of them has filed it then.
        if !lock(&sync.inner.doubted).insert(origin) {
            set_aside(sync, origin, "no record is in both logs from which on they differ");
        }
        return Ok(());
    };
    let zone = &sync.inner.zone;
    let common = from_log(zone, &vec![(origin, first, first)]).await?;
    let machine =
        common.first().and_then(|run| run.entries.first()).map(|e| e.record.machine.clone()).unwrap_or_default();
    if let Err(error) = zone.cut_branch(origin, first).await {
        let SubmitError::Refused(refusal) = &error else { return Err(error.into()) };
        set_aside(sync, origin, &refusal.to_string());
        return Ok(());
    }
    lock(&sync.inner.doubted).remove(&origin);
    let message = format!(
        "Two programs have written as the agent of {machine}: both accounts are kept. Enrol the machine that is the copy again."
    );
    let more = details([("machine", &machine), ("origin", &origin), ("record", &first)]);
    sync.inner.journal.record(catalogue::MACHINE_CLONED, message, more);
    // What the branch made of the sessions here is put right by the Primary's list, which has both.
    _ = sync.begin(SyncKind::Sessions, false, "repair");
    Ok(())
}

/// The number of the first record of an origin that is another one in the Primary's log, of those that both logs have.
async fn first_that_differs(sync: &Synchronizer, origin: OriginId) -> Result<Option<u64>, SyncError> {
    let zone = &sync.inner.zone;
    let head = zone.read(|s| s.held().origin(origin).map_or(0, userlock_core::held::HeldOrigin::head));
    for part in in_parts(&vec![(origin, 1, head)]) {
        let ours = from_log(zone, &part).await?;
        let mut wanted = part;
        // An answer is bounded in bytes: the rest of a part is asked for again.
        while let Some((_, from, to)) = wanted.first().copied() {
            let (header, theirs) = sync.client()?.pull(&PullRequest::Ranges(vec![(origin, from, to)])).await?;
            if let Some(first) = first_difference(&ours, &theirs) {
                return Ok(Some(first));
            }
            let told = theirs.iter().filter_map(Run::span).map(|(_, last)| last).max();
            wanted = match told {
                Some(last) if last < to && !header.truncated => vec![(origin, last + 1, to)],
                _ => Wanted::new(),
            };
        }
    }
    Ok(None)
}

/// From now on, until this server starts anew, nothing of an origin is exchanged.
fn set_aside(sync: &Synchronizer, origin: OriginId, why: &str) {
    if lock(&sync.inner.aside).insert(origin) {
        let message = format!(
            "The two servers hold different records under the name {origin}, and they cannot be filed as two: {why}. Each server keeps its own; all other records are exchanged."
        );
        sync.inner.journal.record(catalogue::SYNC_FORK, message, details([("origin", &origin)]));
    }
}
