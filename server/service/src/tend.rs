//! What a server does each second, whatever it is asked: its state, what is too old, what the application log is to know.

mod backup;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use userlock_core::{
    api::{Phase, PhaseView, ServerRole},
    pair::STOOD_STILL_MS,
    server::Note,
};

use crate::{
    clock,
    log::{Episode, Journal, catalogue, details},
    zone::{Zone, monotonic_ms},
};
use backup::Backup;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);
/// In so many of the 256 parts of the list are closed sessions that are old enough forgotten each second: in all of them
/// within a minute and a half.
const FORGET_PARTS: u8 = 3;

/// Runs until the server stops.
pub async fn run(zone: Zone, journal: Journal, notes: mpsc::Receiver<Note>, stop: CancellationToken) {
    tokio::select! {
        () = seconds(&zone, &journal) => {}
        () = tell_notes(&zone, &journal, notes) => {}
        () = stop.cancelled() => {}
    }
}

async fn seconds(zone: &Zone, journal: &Journal) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = monotonic_ms();
    let mut part: u8 = 0;
    let (mut backup, mut disk) = (Backup::default(), Episode::default());
    // When all records of both were last equal, by this server's clock: what closed before then is known to both.
    let mut equal_at = None;
    loop {
        ticks.tick().await;
        let now = monotonic_ms();
        if now.saturating_sub(last) >= STOOD_STILL_MS
            && let Some(phase) = zone.stood_still()
        {
            tell_phase(journal, zone.role(), &phase);
        }
        last = now;
        if zone.role() == ServerRole::Primary {
            if let Some(phase) = zone.step() {
                tell_phase(journal, ServerRole::Primary, &phase);
            }
            backup.watch(zone, journal, now);
        }
        watch_disk(zone, journal, &mut disk);
        journal.missed(zone.take_missed_notes());
        zone.note_peer(|server| server.state.decisions.forget_old(clock::now_ms()));
        let both_hold = zone.read(|s| s.peer_held().is_none_or(|peer| peer.digest() == s.held().digest()));
        if both_hold {
            equal_at = Some(clock::now_ms());
        }
        for _ in 0..FORGET_PARTS {
            forget_closed(zone, part, equal_at);
            part = part.wrapping_add(1);
        }
    }
}

fn forget_closed(zone: &Zone, part: u8, equal_at: Option<i64>) {
    let Some(equal_at) = equal_at else { return };
    let hours = zone.read(|s| s.settings.settings.retention.closed_sessions_hours);
    let before = clock::now_ms().saturating_sub(i64::from(hours) * 3_600_000).min(equal_at);
    let mut forgotten = 0;
    zone.note_peer(|server| forgotten = server.state.forget_closed(part, before));
    if forgotten > 0 {
        tracing::debug!(forgotten, "closed sessions older than the retention were forgotten");
    }
}

fn tell_phase(journal: &Journal, role: ServerRole, phase: &PhaseView) {
    let degraded = phase.phase == Phase::Serving && phase.reason.contains("degraded");
    let kind = if degraded { catalogue::SERVED_DEGRADED } else { catalogue::PHASE_CHANGED };
    let more = details([("phase", &phase.phase.title()), ("waits_for", &phase.waits_for)]);
    journal.record(kind, format!("This {} is {}: {}.", role.title(), phase.phase.title(), phase.reason), more);
}

fn watch_disk(zone: &Zone, journal: &Journal, disk: &mut Episode) {
    let role = zone.role().title();
    if zone.is_able() {
        let message = format!("This {role} writes to its disk again.");
        disk.heal(journal, catalogue::STORAGE_RECOVERED, message, details([]));
    } else {
        let message = format!(
            "This {role} cannot write to its disk: it takes nothing and is not ready. Nothing acknowledged is lost."
        );
        disk.fail(journal, catalogue::STORAGE_FAILED, "commit", message, details([("operation", &"commit")]));
    }
}

async fn tell_notes(zone: &Zone, journal: &Journal, mut notes: mpsc::Receiver<Note>) {
    while let Some(note) = notes.recv().await {
        tell_note(zone, journal, note);
    }
}

fn tell_note(zone: &Zone, journal: &Journal, note: Note) {
    match note {
        Note::Rejected { machine, origin, seq, code } => {
            let more =
                details([("machine", &machine), ("origin", &origin), ("record", &seq), ("code", &code.as_str())]);
            let message = format!(
                "A record of {machine} was not acceptable ({}). It is kept as rejected; what follows it is taken.",
                code.as_str()
            );
            journal.record(catalogue::RECORD_REJECTED, message, more);
        }
        Note::Hole { machine, origin, first, last } => {
            let more = details([("machine", &machine), ("origin", &origin), ("first", &first), ("last", &last)]);
            let message = format!("Records {first} to {last} of {machine} have not come, and later ones have.");
            journal.record(catalogue::RECORD_HOLE, message, more);
        }
        Note::Enrolled { machine } => {
            let message = format!("{machine} is enrolled.");
            journal.record(catalogue::AGENT_ENROLLED, message, details([("machine", &machine)]));
        }
        Note::AgentEnded { machine, released } => {
            let (kind, what) = if released {
                (catalogue::AGENT_RELEASED, "may be enrolled again")
            } else {
                (catalogue::AGENT_REVOKED, "has had its token revoked")
            };
            journal.record(kind, format!("{machine} {what}."), details([("machine", &machine)]));
        }
        Note::Lost { machine, count } => {
            let message = format!("{machine} had to drop {count} records before any server had them: they are lost.");
            journal.record(catalogue::RECORDS_LOST, message, details([("machine", &machine), ("records", &count)]));
        }
        Note::OfflineDecision { machine, user, allow, policy, at } => {
            let what = if allow { "let in" } else { "refused" };
            let more = details([("machine", &machine), ("user", &user), ("policy", &policy), ("decided_at", &at)]);
            let message = format!("{machine} reached no server and {what} {user} by its offline policy ({policy}).");
            journal.record(catalogue::AGENT_OFFLINE_DECISION, message, more);
        }
        Note::Settings => {
            let document = zone.read(|s| std::sync::Arc::clone(&s.settings));
            let more = details([
                ("revision", &document.revision),
                ("section", &document.section),
                ("by", &document.by),
                ("reason", &document.reason.as_deref().unwrap_or_default()),
            ]);
            let message = format!(
                "The zone's settings are at revision {}: {} changed {}.",
                document.revision, document.by, document.section
            );
            journal.record(catalogue::SETTINGS_CHANGED, message, more);
            journal.keep_days(document.settings.retention.application_log_days);
        }
        Note::Activity { .. } | Note::Command => {}
    }
}
