//! What a Backup and its Primary exchange.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use userlock_core::{
    agent_api::DecisionResponse,
    fold::FOLD_VERSION,
    pair::DOWN_MS,
    server::{Cursor, Input, Output, ReadRun, Refusal as CoreRefusal},
    settings::ZoneDocument,
    sync::{
        Frames, HeldRequest, HeldResponse, Hello, MAX_WAIT_SECONDS, PAGE_BYTES, PullHeader, PullRequest, PushHeader,
        PushResponse, differing_buckets, push_frame, snapshot_frames,
    },
};

use super::{MAX_BODY_BYTES, bytes_response, frame, framed, storage, submit_refusal};
use crate::{
    clock,
    http::{
        agents::{PairState, decide_here},
        body::read_body,
        problem::{self, Answer},
    },
    log::{catalogue, details},
    store::state::read_runs,
    sync::ForwardRequest,
    zone::{StoredPeer, SubmitError, monotonic_ms},
};

/// The most ranges in one question.
const MAX_RANGES: usize = 100_000;
/// The most records that are sent for one question of ranges.
const MAX_RECORDS: u64 = 50_000;

pub(super) async fn hello(
    State(state): State<PairState>,
    Extension(known): Extension<Arc<StoredPeer>>,
    request: Request,
) -> Answer<Response> {
    let theirs: Hello = frame(request).await?;
    theirs.check()?;
    let zone = &state.zone;
    let (zone_id, log_id) = zone.read(|s| (s.identity.zone_id, s.log_id));
    if theirs.zone_id != zone_id {
        return Err(problem::conflict(
            "other_zone",
            "Another protected zone",
            "This Primary belongs to another protected zone.",
        ));
    }
    if theirs.server_id != known.server_id {
        return Err(problem::not_authenticated());
    }
    let (now, wall) = (monotonic_ms(), clock::now_ms());
    refuse_clone(&state, &theirs, now)?;
    if theirs.name != known.name || theirs.address != known.address {
        let peer = StoredPeer { name: theirs.name.clone(), address: theirs.address.clone(), ..(*known).clone() };
        // One that was removed or replaced meanwhile is not made known again.
        if !zone.renew_peer(peer).await.map_err(submit_refusal)? {
            return Err(problem::not_authenticated());
        }
    }
    {
        let mut facts = zone.primary_facts();
        facts.backup_pushed = theirs.pushed_to == log_id;
    }
    let (position, held, sessions) = zone.read(|s| (s.position, s.held().digest(), s.state.digest()));
    let known = zone.read(|s| s.peer_held().is_some_and(|peer| peer.digest() == held));
    zone.note_peer(|server| {
        if theirs.cursor.log_id == log_id {
            server.peer_has(theirs.cursor.position);
        }
        if !known && theirs.held_digest == server.held().digest() {
            server.peer_equal_but(&[]);
        }
    });
    {
        let mut peer = zone.peer();
        let equal = theirs.held_digest == held;
        let same_log = theirs.cursor.log_id == log_id;
        let reached = if equal {
            position
        } else if same_log {
            theirs.cursor.position
        } else {
            0
        };
        peer.lags(position, reached, now);
        peer.skew_ms = Some(theirs.clock.saturating_sub(wall));
        peer.compared_at = Some(wall);
        if equal && theirs.state_digest == sessions && theirs.fold_version == FOLD_VERSION {
            peer.equal_at = Some(wall);
        }
        peer.heard(theirs, now, wall);
    }
    framed(&crate::sync::own_hello(zone, userlock_core::id::LogId::NIL))
}

/// A server that is known, with a log that does not follow the one that is known: restored if the known one has been
/// silent, else a clone.
fn refuse_clone(state: &PairState, theirs: &Hello, now: u64) -> Answer<()> {
    let (known, last) = {
        let peer = state.zone.peer();
        let hello = peer.hello().filter(|h| h.server_id == theirs.server_id);
        (hello.map(|h| (h.log_id, h.position)), peer.last_contact())
    };
    let Some((log_id, position)) = known else { return Ok(()) };
    let continues = theirs.log_id == log_id || theirs.log_id_before == log_id;
    if continues && theirs.position >= position {
        return Ok(());
    }
    let more = details([("server", &theirs.name), ("log", &theirs.log_id), ("known_log", &log_id)]);
    if last.is_some_and(|at| now.saturating_sub(at) >= 2 * DOWN_MS) {
        state.journal.record(
            catalogue::PEER_RESTORED,
            format!(
                "The Backup {} has come back from an older image of itself; what it lacks is sent again.",
                theirs.name
            ),
            more,
        );
        return Ok(());
    }
    let message =
        format!("Two servers answer to the name and token of the Backup {}. The second one is refused.", theirs.name);
    // It asks each second.
    state.lasting.tell(&state.journal, catalogue::PEER_CLONED, &theirs.log_id.to_string(), message.clone(), more);
    Err(problem::conflict("cloned_server", "Two servers with one identity", message))
}

pub(super) async fn held(State(state): State<PairState>, request: Request) -> Answer<Response> {
    let question: HeldRequest = frame(request).await?;
    if question.buckets.len() != userlock_core::held::BUCKETS || question.ranges.len() > MAX_RANGES {
        return Err(problem::bad_request("A comparison has 256 buckets and at most 100,000 origins."));
    }
    if !question.told.is_empty() {
        state.zone.note_peer(|server| server.peer_told(&question.told, &question.ranges));
    }
    state.zone.primary_facts().backup_progress = Some(monotonic_ms());
    let mut answer = None;
    state.zone.note_peer(|server| {
        let differing = differing_buckets(&server.held().buckets(), &question.buckets);
        server.peer_equal_but(&differing);
        let ranges = differing.iter().flat_map(|b| server.held().ranges_in(usize::from(*b))).collect();
        answer =
            Some(HeldResponse { differing, ranges, at: Cursor { log_id: server.log_id, position: server.position } });
    });
    framed(&answer.ok_or_else(problem::internal)?)
}

pub(super) async fn pull(State(state): State<PairState>, request: Request) -> Answer<Response> {
    match frame(request).await? {
        PullRequest::After { cursor, asker, wait_seconds } => pull_after(&state, cursor, asker, wait_seconds).await,
        PullRequest::Ranges(ranges) => pull_ranges(&state, ranges).await,
    }
}

async fn pull_after(
    state: &PairState,
    cursor: Cursor,
    asker: userlock_core::id::LogId,
    wait_seconds: u32,
) -> Answer<Response> {
    let zone = &state.zone;
    let log_id = zone.read(|s| s.log_id);
    if cursor.log_id != log_id {
        let detail = "The place is in another log: what both hold is compared first.";
        return Err(problem::conflict("other_log", "Another log", detail));
    }
    // Whoever asks for what comes after a position has everything up to it.
    zone.note_peer(|server| server.peer_has(cursor.position));
    let mut position = zone.watch_position();
    let wait = Duration::from_secs(wait_seconds.min(MAX_WAIT_SECONDS).into());
    // When nothing comes in time, or the server stops, an empty page is the answer.
    tokio::select! {
        _ = tokio::time::timeout(wait, position.wait_for(|at| *at > cursor.position)) => {}
        () = state.stop.cancelled() => {}
    }
    let segments = zone.store().segments_after(cursor.position, PAGE_BYTES).await.map_err(|e| storage(state, &e))?;
    let at = zone.read(|s| s.position);
    let next = segments.last().map_or(cursor.position, |s| s.last_position().max(cursor.position));
    let head = PullHeader { next: Cursor { log_id, position: next }, position: at.max(next), truncated: false };
    let mut body = Vec::new();
    push_frame(&mut body, &postcard::to_allocvec(&head).map_err(|_| problem::internal())?);
    segments.iter().filter(|s| s.source != asker).for_each(|s| push_frame(&mut body, &s.runs));
    Ok(bytes_response(Body::from(body)))
}

async fn pull_ranges(state: &PairState, ranges: Vec<(userlock_core::id::OriginId, u64, u64)>) -> Answer<Response> {
    if ranges.len() > MAX_RANGES {
        return Err(problem::bad_request("At most 100,000 ranges are asked for at a time."));
    }
    let zone = &state.zone;
    let (log_id, position) = zone.read(|s| (s.log_id, s.position));
    let mut runs = Vec::new();
    let (mut wanted, mut found, mut bytes) = (0u64, 0u64, 0usize);
    for (origin, first, last) in ranges {
        let room = MAX_RECORDS.saturating_sub(wanted);
        if room == 0 || first > last {
            continue;
        }
        let last = last.min(first.saturating_add(room - 1));
        let most = PAGE_BYTES.saturating_sub(bytes);
        let (records, all) =
            zone.store().records_within(&origin.0, first, last, most).await.map_err(|e| storage(state, &e))?;
        let reached = records.last().and_then(userlock_core::record::Run::span).map_or(last, |(_, to)| to);
        wanted += if all { last } else { reached } - first + 1;
        found += records.iter().map(|r| r.entries.len() as u64).sum::<u64>();
        bytes += records.iter().flat_map(|r| &r.entries).map(|e| e.record.payload.len() + 128).sum::<usize>();
        runs.extend(records);
        // The Backup asks again for what is still lacking.
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    let head = PullHeader { next: Cursor { log_id, position }, position, truncated: found < wanted };
    let mut body = Vec::new();
    push_frame(&mut body, &postcard::to_allocvec(&head).map_err(|_| problem::internal())?);
    push_frame(&mut body, &postcard::to_allocvec(&runs).map_err(|_| problem::internal())?);
    Ok(bytes_response(Body::from(body)))
}

pub(super) async fn push(State(state): State<PairState>, request: Request) -> Answer<Response> {
    let body = read_body(request, MAX_BODY_BYTES).await?;
    let unreadable = || problem::bad_request("The body is not a stream of frames of this protocol.");
    let mut frames = Frames::default();
    frames.feed(&body);
    let head = frames.next_frame().ok().flatten().ok_or_else(unreadable)?;
    let head: PushHeader = postcard::from_bytes(head).map_err(|_| unreadable())?;
    let mut runs = Vec::new();
    while let Some(frame) = frames.next_frame().map_err(|_| unreadable())? {
        runs.extend(read_runs(frame).map_err(|_| unreadable())?);
    }
    frames.finish().map_err(|_| unreadable())?;
    state.zone.primary_facts().backup_progress = Some(monotonic_ms());
    let runs = ReadRun::all(runs)
        .map_err(|error| problem::conflict("chain_mismatch", "The chain is broken", error.to_string()))?;
    let input = Input::Peer { source: head.log_id, runs, cursor: None };
    let answer = match state.zone.submit(input).await {
        Ok(Output::Peer { applied }) => PushResponse::Taken { new: applied.values().sum() },
        Ok(_) => PushResponse::Taken { new: 0 },
        Err(SubmitError::Refused(CoreRefusal::Fork(fork))) => PushResponse::Fork(fork),
        Err(error) => return Err(submit_refusal(error)),
    };
    framed(&answer)
}

pub(super) async fn settings(State(state): State<PairState>) -> Json<Arc<ZoneDocument>> {
    Json(state.zone.read(|s| Arc::clone(&s.settings)))
}

pub(super) async fn snapshot(State(state): State<PairState>) -> Response {
    let frozen = state.zone.read(userlock_core::server::Server::freeze);
    let mut frames = snapshot_frames(frozen);
    let framed = std::iter::from_fn(move || {
        let frame = frames.next()?;
        let mut bytes = Vec::with_capacity(frame.len() + 4);
        push_frame(&mut bytes, &frame);
        Some(Ok::<Bytes, std::convert::Infallible>(Bytes::from(bytes)))
    });
    bytes_response(Body::from_stream(stream::iter(framed)))
}

pub(super) async fn forward(State(state): State<PairState>, request: Request) -> Answer<Json<DecisionResponse>> {
    let body = read_body(request, userlock_core::agent_api::MAX_BODY_BYTES).await?;
    let forward: ForwardRequest = serde_json::from_slice(&body)
        .map_err(|_| problem::bad_request("The body is not a decision that was passed on."))?;
    decide_here(&state, forward.machine, forward.request, false).await.map(Json)
}
