use userlock_core::{
    api::{AgentsSummary, Certificate, Figures, PhaseView},
    id::{Digest, Epoch, LogId, ServerId},
    settings::Revision,
};

use super::*;

/// 2026-11-22 08:43:12 UTC.
const NOW: i64 = 1_795_336_992_000;

fn phase(phase: Phase) -> PhaseView {
    PhaseView { phase, since: NOW, reason: String::new(), waits_for: String::new() }
}

fn peer(role: ServerRole, state: PeerState, its: Phase) -> PeerView {
    PeerView {
        role,
        name: "srv-x.example".into(),
        address: Some("https://srv-x.example:8443".into()),
        state,
        since: NOW - 125_000,
        phase: Some(phase(its)),
        last_contact: Some(if state == PeerState::Up { NOW - 1_000 } else { NOW - 125_000 }),
        last_error_id: None,
        last_error: (state == PeerState::Down).then(|| "connection refused".into()),
        open_sessions: Some(7),
        position: Some(1_902_114),
        held_digest: None,
        state_digest: None,
        settings_revision: Some(Revision::default()),
        lag_events: Some(0),
        lag_seconds: Some(0.0),
        clock_skew_ms: Some(-1_500),
    }
}

fn overview(role: ServerRole, its: Phase, peer: Option<PeerView>) -> Overview {
    let equal = peer.as_ref().is_some_and(|p| p.state == PeerState::Up).then_some(true);
    Overview {
        server: ServerView {
            server_id: ServerId::NIL,
            role,
            name: "srv-h.example".into(),
            phase: its,
            phase_detail: phase(its),
            epoch: Epoch { number: 3, ..Epoch::default() },
            log_id: LogId::NIL,
            position: 12,
            settings_revision: Revision::default(),
            held_digest: Digest::NIL,
            state_digest: Digest::NIL,
            open_sessions: 7,
            peer,
            sessions_version: 1,
            now: NOW,
            version: "0".into(),
        },
        zone: "zone".into(),
        agents: AgentsSummary { total: 214, in_touch: 214, on_primary: 212, on_backup: 2, ..AgentsSummary::default() },
        certificate: Certificate {
            equal,
            alarm: false,
            digest: Digest([0x7c; 16]),
            peer_digest: Some(Digest([0x7c; 16])),
            compared_at: Some(NOW - 1_000),
            equal_at: Some(NOW - 126_000),
            ahead: if equal.is_some() { 0 } else { 31 },
        },
        figures: Figures { open_sessions: 7, ..Figures::default() },
        activity: Vec::new(),
        synchronization: None,
        readiness: Vec::new(),
        banners: Vec::new(),
        log_alerts: 0,
    }
}

fn draw(overview: &Overview) -> Picture {
    picture(overview, &Zone::default(), NOW)
}

#[test]
fn primary_up_and_backup_up_from_either_side() {
    let at_backup = draw(&overview(
        ServerRole::Backup,
        Phase::Standby,
        Some(peer(ServerRole::Primary, PeerState::Up, Phase::Serving)),
    ));
    assert_eq!((at_backup.primary.tone, at_backup.primary.state.as_str()), (Tone::Ok, "serving"));
    assert_eq!(at_backup.backup.as_ref().map(|b| (b.tone, b.here)), Some((Tone::Ok, true)));
    assert_eq!(at_backup.primary.age.as_deref(), Some("as it told 1 s ago"));
    assert!(at_backup.primary.lines.iter().any(|l| l.contains("clock 1.5 s behind")));
    assert_eq!((at_backup.to_primary.stroke, at_backup.to_backup.stroke), (Stroke::Thick, Stroke::Thin));
    assert_eq!(at_backup.link_stroke, Stroke::Thick);
    assert_eq!(at_backup.certificate.lines, ["digest 7c7c…7c7c on both", "compared 1 s ago"]);
    assert_eq!(at_backup.answers.clone().map(|a| a.tone), [Tone::Ok; 3]);

    let at_primary = draw(&overview(
        ServerRole::Primary,
        Phase::Serving,
        Some(peer(ServerRole::Backup, PeerState::Up, Phase::Standby)),
    ));
    assert!(at_primary.primary.here);
    assert_eq!(at_primary.backup.and_then(|b| b.dashboard).as_deref(), Some("https://srv-x.example:8443/"));
    assert_eq!(at_primary.answers[1].answer, "The Primary");
    assert_eq!(at_primary.answers[1].detail, "srv-h.example");
}

#[test]
fn primary_down_and_backup_up() {
    let mut o =
        overview(ServerRole::Backup, Phase::Standby, Some(peer(ServerRole::Primary, PeerState::Down, Phase::Serving)));
    o.agents.on_backup = 208;
    o.agents.on_primary = 0;
    let drawn = draw(&o);
    assert_eq!((drawn.primary.tone, drawn.primary.state.as_str()), (Tone::Down, "down"));
    assert_eq!(drawn.primary.lines[0], "silent for 2 min (since 08:41:07)");
    assert_eq!(drawn.backup.map(|b| (b.tone, b.state)), Some((Tone::Attention, "stands in".into())));
    assert_eq!((drawn.to_primary.stroke, drawn.to_backup.stroke), (Stroke::Broken, Stroke::Thick));
    assert_eq!(drawn.link_stroke, Stroke::Broken);
    assert_eq!(drawn.certificate.title, "Lists may differ");
    assert_eq!(drawn.certificate.lines, ["31 events ahead of srv-x", "equal at 08:41:06"]);
    assert_eq!(drawn.answers[0].answer, "Yes, without its Primary");
    assert_eq!((drawn.answers[1].answer.as_str(), drawn.answers[1].detail.as_str()), ("This Backup", "srv-h.example"));
    o.agents.on_backup = 0;
    assert_eq!(draw(&o).answers[1].answer, "Not known", "nobody has come, and the Primary may live");
    o.server.phase = Phase::Takeover;
    assert_eq!(draw(&o).answers[1].answer, "This Backup");
    assert_eq!(draw(&o).backup.map(|b| b.state), Some("has taken over".into()));
}

#[test]
fn primary_up_and_backup_down() {
    let drawn = draw(&overview(
        ServerRole::Primary,
        Phase::Serving,
        Some(peer(ServerRole::Backup, PeerState::Down, Phase::Standby)),
    ));
    assert_eq!(drawn.primary.tone, Tone::Ok);
    assert_eq!(drawn.backup.map(|b| b.tone), Some(Tone::Down));
    assert_eq!((drawn.to_primary.stroke, drawn.to_backup.stroke), (Stroke::Thick, Stroke::Broken));
    assert_eq!(drawn.answers.map(|a| a.tone), [Tone::Ok, Tone::Attention, Tone::Attention]);
}

#[test]
fn a_backup_that_is_refused_is_neither_down_nor_standing_in() {
    let mut o = overview(
        ServerRole::Backup,
        Phase::Standby,
        Some(peer(ServerRole::Primary, PeerState::Refused, Phase::Serving)),
    );
    (o.agents.on_backup, o.agents.on_primary) = (0, 0);
    let drawn = draw(&o);
    assert_eq!((drawn.primary.tone, drawn.primary.state.as_str()), (Tone::Attention, "refuses this Backup"));
    assert_eq!(drawn.backup.map(|b| (b.tone, b.state)), Some((Tone::Attention, "refused".into())));
    assert_eq!((drawn.link.tone, drawn.link_stroke), (Tone::Down, Stroke::Broken));
    assert_eq!((drawn.answers[0].answer.as_str(), drawn.answers[1].answer.as_str()), ("Yes", "The Primary"));
    assert_eq!(drawn.agents.lines, ["the Primary does not tell how they are"]);
    assert_eq!(drawn.to_primary.stroke, Stroke::Unknown);
    let at_primary = draw(&overview(
        ServerRole::Primary,
        Phase::Serving,
        Some(peer(ServerRole::Backup, PeerState::Refused, Phase::Standby)),
    ));
    assert_eq!(at_primary.backup.map(|b| b.state), Some("is refused".into()));
    assert_eq!(at_primary.answers.map(|a| a.tone), [Tone::Ok, Tone::Attention, Tone::Attention]);
}

#[test]
fn no_backup_yet() {
    let drawn = draw(&overview(ServerRole::Primary, Phase::Serving, None));
    assert_eq!(drawn.backup, None);
    assert_eq!((drawn.to_backup.stroke, drawn.link_stroke), (Stroke::Absent, Stroke::Absent));
    assert_eq!(drawn.certificate.title, "One list only");
    assert_eq!(drawn.answers[1].tone, Tone::Attention);
}

#[test]
fn returning_joining_and_unknown() {
    let mut o = overview(
        ServerRole::Primary,
        Phase::Returning,
        Some(peer(ServerRole::Backup, PeerState::Unknown, Phase::Standby)),
    );
    o.server.phase_detail.waits_for = "the Backup's records".into();
    let drawn = draw(&o);
    assert_eq!((drawn.primary.tone, drawn.primary.state.as_str()), (Tone::Attention, "returning"));
    assert!(drawn.primary.lines.iter().any(|l| l == "waits for the Backup's records"));
    assert_eq!(drawn.backup.map(|b| b.tone), Some(Tone::Neutral));
    assert_eq!(drawn.certificate.title, "Not compared yet");

    let joining = draw(&overview(
        ServerRole::Backup,
        Phase::Joining,
        Some(peer(ServerRole::Primary, PeerState::Up, Phase::Serving)),
    ));
    assert_eq!(joining.backup.map(|b| (b.tone, b.state)), Some((Tone::Attention, "joining".into())));

    let unknown = draw(&overview(
        ServerRole::Backup,
        Phase::Standby,
        Some(peer(ServerRole::Primary, PeerState::Unknown, Phase::Serving)),
    ));
    assert_eq!(unknown.answers[0].answer, "Not known yet");
    assert_eq!(unknown.primary.state, "not heard of yet");
}

#[test]
fn equal_records_with_unequal_lists_are_an_alarm_whatever_else_is() {
    let mut o =
        overview(ServerRole::Backup, Phase::Standby, Some(peer(ServerRole::Primary, PeerState::Up, Phase::Serving)));
    o.certificate.alarm = true;
    o.certificate.equal = Some(false);
    assert_eq!(draw(&o).certificate.tone, Tone::Down);
}

#[test]
fn lists_that_were_not_compared_lately_are_not_called_equal() {
    let mut o =
        overview(ServerRole::Primary, Phase::Serving, Some(peer(ServerRole::Backup, PeerState::Up, Phase::Standby)));
    // What this server holds now is not what was compared.
    o.certificate.digest = Digest([0x11; 16]);
    assert_eq!(draw(&o).certificate.lines, ["digest 7c7c…7c7c on both", "compared 1 s ago"]);
    o.certificate.equal_at = Some(NOW - 2_000);
    o.certificate.peer_digest = None;
    let drawn = draw(&o);
    assert_eq!((drawn.certificate.tone, drawn.answers[2].detail.as_str()), (Tone::Ok, "equal 2 s ago"));
    o.certificate.equal_at = Some(NOW - 4_000);
    o.certificate.equal = None;
    let drawn = draw(&o);
    assert_eq!((drawn.certificate.tone, drawn.answers[2].answer.as_str()), (Tone::Neutral, "Equal 4 s ago"));
    o.certificate.equal = Some(true);
    o.certificate.compared_at = Some(NOW - 20_000);
    assert_eq!(draw(&o).certificate.tone, Tone::Neutral);
}

#[test]
fn a_lag_is_to_be_looked_at_when_it_lasts() {
    let mut backup = peer(ServerRole::Backup, PeerState::Up, Phase::Standby);
    (backup.lag_events, backup.lag_seconds) = (Some(3), Some(0.8));
    let link = draw(&overview(ServerRole::Primary, Phase::Serving, Some(backup.clone()))).link;
    assert_eq!((link.tone, link.title.as_str()), (Tone::Ok, "3 events behind · 0.8 s"));
    backup.lag_seconds = Some(6.0);
    assert_eq!(draw(&overview(ServerRole::Primary, Phase::Serving, Some(backup))).link.tone, Tone::Attention);
}

#[test]
fn silent_agents_and_full_spools_are_told() {
    let mut o = overview(ServerRole::Primary, Phase::Serving, None);
    o.agents.in_touch = 210;
    o.agents.spooling = 6;
    o.agents.waiting = 31;
    let drawn = draw(&o);
    assert_eq!(drawn.agents.tone, Tone::Attention);
    assert_eq!(drawn.agents.lines, ["4 silent", "6 with 31 events to send"]);
    o.agents = AgentsSummary::default();
    assert_eq!(draw(&o).agents.lines, ["none enrolled yet"]);
}
