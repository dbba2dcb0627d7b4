//! The hello of each second, and what follows from its answer.

use std::{sync::atomic::Ordering, time::Duration};

use userlock_core::{
    api::{PeerState, Phase, PhaseView, ServerRole},
    fold::{FOLD_VERSION, live_machines},
    id::LogId,
    settings::PrimaryAddress,
    sync::{Hello, MAX_SILENT},
};

use super::{
    SyncError, Synchronizer,
    follow::{NotShown, follow},
    lock, reconcile,
};
use crate::{
    clock,
    log::{Kind, catalogue, details},
    zone::{PEER_SKEW_MS, Zone, monotonic_ms},
};

/// From one hello to the next.
const EVERY: Duration = Duration::from_secs(1);
/// Equal records that make unequal lists are an alarm when so many hellos in a row showed it.
const ALARM_AFTER: u32 = 3;

/// Records that differ although both are caught up are compared when so many hellos in a row showed it: what is under
/// way in either direction makes them differ for a moment.
const APART_AFTER: u32 = 3;

/// What the Primary answers to a Backup that it does not let take part: it is not lost, and nothing is to be taken over.
const REFUSALS: [Kind; 3] =
    [catalogue::SYNC_AUTHENTICATION, catalogue::SYNC_NOT_ADMINISTRATOR, catalogue::SYNC_VERSION];

/// How many hellos in a row have shown something.
#[derive(Debug, Default)]
struct Seen {
    /// Equal records that make unequal lists.
    alarms: u32,
    /// Unequal records although both are caught up.
    apart: u32,
    /// A certificate that the Primary tells of and does not show.
    not_shown: NotShown,
}

/// What this server tells of itself.
pub fn own_hello(zone: &Zone, pushed_to: LogId) -> Hello {
    let phase = zone.phase();
    let now = monotonic_ms();
    let within = zone.read(|s| s.settings.settings.agents.unconfirmed_after_seconds);
    // First: agents are counted by no less than what is told to be known.
    let knows = zone.stored_peer().map(|peer| peer.address);
    let agents = zone.agent_counts(u64::from(within) * 1000, now);
    let able = zone.is_able();
    let silent = if zone.role() == ServerRole::Primary {
        let buckets = zone.listing().buckets;
        let machines: Vec<_> = live_machines(&buckets).collect();
        zone.contacts().silent(machines.into_iter(), u64::from(within) * 1000, now, clock::now_ms(), MAX_SILENT)
    } else {
        Vec::new()
    };
    zone.read(|server| Hello {
        server_id: server.identity.server_id,
        zone_id: server.identity.zone_id,
        name: server.identity.name.clone(),
        address: server.identity.address.clone(),
        knows,
        phase,
        epoch: server.epoch,
        log_id: server.log_id,
        log_id_before: server.log_id_before,
        position: server.position,
        cursor: server.cursor,
        held_digest: server.held().digest(),
        state_digest: server.state.digest(),
        open_sessions: server.state.live(),
        settings: server.settings.revision,
        fold_version: FOLD_VERSION,
        clock: clock::now_ms(),
        able,
        pushed_to,
        agents,
        silent,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

pub(super) async fn run(sync: Synchronizer) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    loop {
        ticks.tick().await;
        beat(&sync, &mut seen).await;
        let before = sync.inner.zone.phase().phase;
        if let Some(phase) = sync.inner.zone.step() {
            note_phase(&sync, before, &phase);
        }
    }
}

fn note_phase(sync: &Synchronizer, before: Phase, phase: &PhaseView) {
    let kind = match (before, phase.phase) {
        (_, Phase::Takeover) => catalogue::TAKEOVER_STARTED,
        (Phase::Takeover, _) => catalogue::TAKEOVER_ENDED,
        _ => catalogue::PHASE_CHANGED,
    };
    let more = details([("phase", &phase.phase.title()), ("waits_for", &phase.waits_for)]);
    let what = if phase.phase == Phase::Takeover { "" } else { "is " };
    sync.inner.journal.record(kind, format!("This Backup {what}{}: {}.", phase.phase.title(), phase.reason), more);
}

/// One hello.
async fn beat(sync: &Synchronizer, seen: &mut Seen) {
    let zone = &sync.inner.zone;
    // As long as something waits to be handed over, not everything was.
    let waits = zone.read(|s| s.unsent().0) > 0;
    let pushed_to = if waits { LogId::NIL } else { *lock(&sync.inner.pushed_to) };
    let sent = monotonic_ms();
    let answer = match sync.client() {
        Ok(client) => client.hello(&own_hello(zone, pushed_to)).await.map(|hello| (hello, client)),
        Err(error) => Err(error),
    };
    match answer {
        Ok((hello, client)) => heard(sync, hello, client.known(), sent, seen).await,
        Err(error) => failed(sync, &error),
    }
}

fn failed(sync: &Synchronizer, error: &SyncError) {
    let zone = &sync.inner.zone;
    let now = monotonic_ms();
    zone.peer().failed(error.kind.id, error.message.clone(), clock::now_ms());
    if REFUSALS.contains(&error.kind) {
        zone.peer().refused(now, clock::now_ms());
        zone.backup_facts().refused = Some(now);
    }
    if zone.peer().state(now) == PeerState::Down {
        zone.contacts().primary_lost(now);
    }
    let position = zone.read(|s| s.cursor.position);
    let address = zone.own().synchronization.map(|s| s.primary.url).unwrap_or_default();
    let (own, other) = (zone.read(|s| s.identity.name.clone()), zone.stored_peer().map(|peer| peer.name));
    let mut more = details([
        ("server", &own),
        ("other_server", &other.unwrap_or_default()),
        ("operation", &"heartbeat"),
        ("stage", &"hello"),
        ("address", &address),
        ("position", &position),
        ("retry", &"each second"),
        ("error", &error.message),
    ]);
    more.extend(error.status.map(|status| ("status".to_owned(), status.to_string())));
    let what = error.message.trim_end_matches('.');
    let message = if REFUSALS.contains(&error.kind) {
        format!("The Primary answers, and does not let this Backup take part: {what}. Agents are served as before.")
    } else {
        format!("The Primary does not answer as it should: {what}. This Backup goes on by itself.")
    };
    lock(&sync.inner.episode).fail(&sync.inner.journal, error.kind, &error.kind.id.to_string(), message, more);
}

/// `known` is how the Primary is known that has said so.
async fn heard(sync: &Synchronizer, hello: Hello, known: &PrimaryAddress, sent: u64, seen: &mut Seen) {
    let zone = &sync.inner.zone;
    let (now, wall) = (monotonic_ms(), clock::now_ms());
    {
        let mut facts = zone.backup_facts();
        if hello.able {
            facts.primary_contact = Some(now);
        }
        zone.contacts().primary_told(&hello.silent);
        facts.primary_serves = hello.able && hello.phase.phase == Phase::Serving;
    }
    let half = i64::try_from(now.saturating_sub(sent) / 2).unwrap_or(0);
    let skew = hello.clock.saturating_add(half).saturating_sub(wall);
    let (cursor, own) = zone.read(|s| (s.cursor, (s.held().digest(), s.state.digest())));
    let same_log = cursor.log_id == hello.log_id;
    let held_equal = hello.held_digest == own.0;
    let state_equal = hello.state_digest == own.1;
    {
        let mut peer = zone.peer();
        let was_apart = peer.skew_ms.is_some_and(|ms| ms.abs() >= PEER_SKEW_MS);
        if skew.abs() >= PEER_SKEW_MS && !was_apart {
            let message = format!(
                "The clocks of the two servers are {skew} ms apart. Nothing is decided by them; set them right."
            );
            sync.inner.journal.record(catalogue::PEER_CLOCK_SKEW, message, details([("skew_ms", &skew)]));
        }
        peer.skew_ms = Some(skew);
        peer.compared_at = Some(wall);
        if held_equal && state_equal {
            peer.equal_at = Some(wall);
        }
        let reached = if held_equal {
            hello.position
        } else if same_log {
            cursor.position
        } else {
            0
        };
        peer.lags(hello.position, reached, now);
        peer.heard(hello.clone(), now, wall);
    }
    follow(sync, &hello, known, &mut seen.not_shown).await;
    let back = format!("The Primary {} answers.", hello.name);
    lock(&sync.inner.episode).heal(
        &sync.inner.journal,
        catalogue::PEER_UP,
        back,
        details([("address", &hello.address.url)]),
    );

    let comparable = held_equal && hello.fold_version == FOLD_VERSION;
    seen.alarms = if comparable && !state_equal { seen.alarms + 1 } else { 0 };
    if seen.alarms == ALARM_AFTER {
        let message = "Both servers hold the same records, and their lists of sessions differ. Run Synchronize sessions, and report this.";
        let more = details([("here", &own.1), ("primary", &hello.state_digest), ("held", &own.0)]);
        sync.inner.journal.record(catalogue::SYNC_DIGEST_ALARM, message, more);
    }
    let caught_up = same_log && cursor.position == hello.position && zone.read(|s| s.unsent().0) == 0;
    seen.apart = if caught_up && !held_equal { seen.apart + 1 } else { 0 };
    if seen.apart >= APART_AFTER {
        seen.apart = 0;
        sync.inner.apart.store(true, Ordering::Relaxed);
        *lock(&sync.inner.pushed_to) = LogId::NIL;
    }
    let known = zone.read(|s| s.peer_held().is_some_and(|peer| peer.digest() == own.0));
    if held_equal && !known {
        zone.note_peer(|server| {
            if server.held().digest() == own.0 {
                server.peer_equal_but(&[]);
            }
        });
    }
    if *lock(&sync.inner.pushed_to) != hello.log_id && sync.inner.pushing.try_lock().is_ok() {
        // Aside, so that the heartbeat goes on while much is handed over.
        sync.inner.tasks.spawn(sync.clone().until_stop(hand_over(sync.clone(), hello.log_id)));
    }
}

/// Hands over what the Primary's present log lacks.
async fn hand_over(sync: Synchronizer, to: LogId) {
    match reconcile::push_all(&sync, None).await {
        Ok(_) => *lock(&sync.inner.pushed_to) = to,
        Err(error) => tracing::warn!(%error, "what this Backup recorded is handed over after the next hello"),
    }
}
