//! The picture of the pair, as words, shapes and states: what the Overview draws.
//!
//! Every figure of the other server carries its age, because it may be old.

use userlock_core::api::{Overview, PeerState, PeerView, Phase, ServerRole, ServerView, Tone};

use super::{
    number::{counted, grouped, measure},
    time::{self, Zone},
};

/// The server tells of a comparison at least so often, in ms, and the way takes its time.
const COMPARED_WITHIN_MS: i64 = 10_000;

/// A lag that lasts for longer is to be looked at.
const LAGS_AFTER_SECONDS: f64 = 5.0;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stroke {
    /// Most agents are here.
    Thick,
    /// Some may be.
    #[default]
    Thin,
    /// How many there are is not told.
    Unknown,
    /// There is a server, and no way to it.
    Broken,
    /// There is no server.
    Absent,
}

/// A line between the agents and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentLine {
    /// How it is drawn.
    pub stroke: Stroke,
    /// How many agents use it.
    pub agents: u64,
}

/// A server's box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBox {
    /// Its role.
    pub role: ServerRole,
    /// How it is.
    pub tone: Tone,
    /// The state in words: `serving`, `down`.
    pub state: String,
    /// Its name.
    pub name: String,
    /// Whether it is the server of this dashboard.
    pub here: bool,
    /// The address of its own dashboard, when it is the other one.
    pub dashboard: Option<String>,
    /// What is known of it.
    pub lines: Vec<String>,
    /// How old that is, of the other server.
    pub age: Option<String>,
}

/// A state with a heading and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How it is.
    pub tone: Tone,
    /// In a few words.
    pub title: String,
    /// More.
    pub lines: Vec<String>,
}

impl Default for Note {
    /// Nothing is known yet.
    fn default() -> Self {
        Self { tone: Tone::Neutral, title: String::new(), lines: Vec::new() }
    }
}

/// One of the three questions that a glance answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub question: &'static str,
    /// How it is.
    pub tone: Tone,
    /// The answer.
    pub answer: String,
    /// What is behind it.
    pub detail: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Is the zone watched, by which server, are the lists equal?
    pub answers: [Answer; 3],
    /// The agents: how many, and how they are.
    pub agents: Note,
    /// To the Primary.
    pub to_primary: AgentLine,
    /// To the Backup.
    pub to_backup: AgentLine,
    /// The Primary.
    pub primary: ServerBox,
    /// The Backup; absent when the zone has none.
    pub backup: Option<ServerBox>,
    /// Between the two.
    pub link: Note,
    /// How the line between the two is drawn.
    pub link_stroke: Stroke,
    /// The certificate.
    pub certificate: Note,
}

/// Draws the pair as it is `now`, with times in `zone`.
#[must_use]
pub fn picture(overview: &Overview, zone: &Zone, now: i64) -> Picture {
    let server = &overview.server;
    let peer = server.peer.as_ref();
    let here = own_box(overview);
    let there = peer.map(|peer| peer_box(peer, zone, now));
    let (primary, backup) = match (server.role, there) {
        (ServerRole::Primary, there) => (here, there),
        (ServerRole::Backup, Some(there)) => (there, Some(here)),
        (ServerRole::Backup, None) => (unknown_primary(), Some(here)),
    };
    let (to_primary, to_backup) = agent_lines(overview, &primary, backup.as_ref());
    let certificate = certificate(overview, zone, now);
    Picture {
        answers: answers(overview, &certificate),
        agents: agents(overview),
        to_primary,
        to_backup,
        link: link(overview, zone, now),
        link_stroke: match peer.map(|p| p.state) {
            Some(PeerState::Up) if server.phase != Phase::Paused => Stroke::Thick,
            Some(PeerState::Up | PeerState::Unknown) => Stroke::Thin,
            Some(PeerState::Down | PeerState::Refused) => Stroke::Broken,
            None => Stroke::Absent,
        },
        primary,
        backup,
        certificate,
    }
}

fn phase_tone(phase: Phase) -> Tone {
    match phase {
        Phase::Serving | Phase::Standby => Tone::Ok,
        Phase::Joining | Phase::Takeover | Phase::Paused | Phase::Returning | Phase::Superseded => Tone::Attention,
    }
}

/// Whether this server stands in for its Primary.
fn stands_in(server: &ServerView) -> bool {
    let primary_down = server.peer.as_ref().is_some_and(|p| p.state == PeerState::Down);
    server.role == ServerRole::Backup && (primary_down || server.phase == Phase::Takeover)
}

/// Whether a machine has come to this Backup, or it has taken over without.
fn is_come_to(overview: &Overview) -> bool {
    let agents = &overview.agents;
    overview.server.phase == Phase::Takeover || agents.on_backup > 0 || agents.total == 0
}

/// Whether the Primary does not let the Backup take part.
fn is_refused(peer: Option<&PeerView>) -> bool {
    peer.is_some_and(|peer| peer.state == PeerState::Refused)
}

/// The state of this server in a word or two, and its tone.
#[must_use]
pub fn own_state(server: &ServerView) -> (Tone, &'static str) {
    if stands_in(server) && server.phase == Phase::Standby {
        return (Tone::Attention, "stands in");
    }
    if server.role == ServerRole::Backup && is_refused(server.peer.as_ref()) {
        return (Tone::Attention, "refused");
    }
    (phase_tone(server.phase), server.phase.title())
}

fn own_box(overview: &Overview) -> ServerBox {
    let server = &overview.server;
    let (tone, state) = own_state(server);
    let mut first = counted(overview.figures.open_sessions, "session", "sessions");
    if let Some(ms) = overview.figures.decision_ms {
        first.push_str(&format!(" · decides in {} ms", measure(ms)));
    }
    let mut lines = vec![
        first,
        format!("settings revision {} · epoch {}", server.settings_revision, server.epoch.number),
        format!("position {}", grouped(server.position)),
    ];
    if !server.phase_detail.waits_for.is_empty() {
        lines.push(format!("waits for {}", server.phase_detail.waits_for));
    }
    ServerBox {
        role: server.role,
        tone,
        state: state.into(),
        name: server.name.clone(),
        here: true,
        dashboard: None,
        lines,
        age: None,
    }
}

fn peer_box(peer: &PeerView, zone: &Zone, now: i64) -> ServerBox {
    let (tone, state) = match (peer.state, &peer.phase) {
        (PeerState::Down, _) => (Tone::Down, "down"),
        (PeerState::Unknown, _) => (Tone::Neutral, "not heard of yet"),
        (PeerState::Refused, _) if peer.role == ServerRole::Primary => (Tone::Attention, "refuses this Backup"),
        (PeerState::Refused, _) => (Tone::Attention, "is refused"),
        (PeerState::Up, Some(phase)) => (phase_tone(phase.phase), phase.phase.title()),
        (PeerState::Up, None) => (Tone::Neutral, "answers"),
    };
    let mut lines = Vec::new();
    match peer.state {
        PeerState::Up => {
            let mut first = Vec::new();
            first.extend(peer.open_sessions.map(|n| counted(n, "session", "sessions")));
            first.extend(peer.settings_revision.map(|r| format!("settings revision {r}")));
            lines.push(first.join(" · "));
            let mut second = Vec::new();
            second.extend(peer.position.map(|n| format!("position {}", grouped(n))));
            second.extend(peer.clock_skew_ms.map(skew));
            lines.push(second.join(" · "));
        }
        PeerState::Refused => {
            lines.push(format!("since {}", zone.exact(peer.since, now)));
            lines.extend(peer.last_error.clone());
            lines.extend(peer.position.map(|n| format!("last seen at position {}", grouped(n))));
        }
        PeerState::Down => {
            let since = peer.last_contact.unwrap_or(peer.since);
            let silent = time::coarse(now.saturating_sub(since));
            lines.push(format!("silent for {silent} (since {})", zone.exact(since, now)));
            lines.extend(peer.last_error.clone());
            lines.extend(peer.position.map(|n| format!("last seen at position {}", grouped(n))));
        }
        PeerState::Unknown => lines.extend(peer.last_error.clone()),
    }
    lines.retain(|line| !line.is_empty());
    ServerBox {
        role: peer.role,
        tone,
        state: state.into(),
        name: if peer.name.is_empty() { "name not known yet".into() } else { peer.name.clone() },
        here: false,
        dashboard: peer.address.as_deref().and_then(|a| super::query::elsewhere(a, "/")),
        lines,
        age: match (peer.state, peer.last_contact) {
            (PeerState::Up, Some(at)) => Some(format!("as it told {}", time::ago(at, now))),
            _ => None,
        },
    }
}

fn skew(ms: i64) -> String {
    let size = ms.unsigned_abs();
    match size {
        0..50 => "clocks agree".into(),
        _ => format!("clock {} {}", time::took(size), if ms > 0 { "ahead" } else { "behind" }),
    }
}

fn unknown_primary() -> ServerBox {
    ServerBox {
        role: ServerRole::Primary,
        tone: Tone::Neutral,
        state: "not heard of yet".into(),
        name: "name not known yet".into(),
        here: false,
        dashboard: None,
        lines: Vec::new(),
        age: None,
    }
}

fn agent_lines(overview: &Overview, primary: &ServerBox, backup: Option<&ServerBox>) -> (AgentLine, AgentLine) {
    let agents = &overview.agents;
    if overview.server.role == ServerRole::Backup && is_refused(overview.server.peer.as_ref()) && agents.on_backup == 0
    {
        let unknown = AgentLine { agents: 0, stroke: Stroke::Unknown };
        return (unknown, AgentLine { agents: 0, stroke: Stroke::Thin });
    }
    let line = |count: u64, other: u64, tone: Option<Tone>| AgentLine {
        agents: count,
        stroke: match tone {
            None => Stroke::Absent,
            Some(Tone::Down) => Stroke::Broken,
            Some(_) if count > 0 && count >= other => Stroke::Thick,
            Some(_) => Stroke::Thin,
        },
    };
    (
        line(agents.on_primary, agents.on_backup, Some(primary.tone)),
        line(agents.on_backup, agents.on_primary, backup.map(|b| b.tone)),
    )
}

fn agents(overview: &Overview) -> Note {
    let a = &overview.agents;
    let server = &overview.server;
    if server.role == ServerRole::Backup && is_refused(server.peer.as_ref()) && a.on_backup == 0 && a.total > 0 {
        let unknown = "the Primary does not tell how they are".to_owned();
        return Note { tone: Tone::Neutral, title: counted(a.total, "agent", "agents"), lines: vec![unknown] };
    }
    let mut tone = if a.total == 0 { Tone::Neutral } else { Tone::Ok };
    let touch = match (a.total, a.in_touch) {
        (0, _) => "none enrolled yet".into(),
        (total, touch) if touch >= total => "all in touch".into(),
        (total, touch) => {
            tone = Tone::Attention;
            format!("{} silent", grouped(total - touch))
        }
    };
    let waiting = match (a.spooling, a.waiting) {
        (0, _) => "0 waiting".into(),
        (agents, events) => format!("{} with {} to send", grouped(agents), counted(events, "event", "events")),
    };
    let lines = if a.total == 0 { vec![touch] } else { vec![touch, waiting] };
    Note { tone, title: counted(a.total, "agent", "agents"), lines }
}

fn link(overview: &Overview, zone: &Zone, now: i64) -> Note {
    let server = &overview.server;
    let Some(peer) = &server.peer else {
        return Note { tone: Tone::Neutral, title: "nothing to synchronize with".into(), lines: Vec::new() };
    };
    let synchronization = overview.synchronization.as_ref();
    let schedule = synchronization.map(|s| match (s.enabled, s.continuous) {
        (true, true) => format!("continuous, and {}", time::each(s.interval_seconds)),
        (true, false) => time::each(s.interval_seconds),
        (false, true) => "continuous; the schedule is off".into(),
        (false, false) => "the schedule is off".into(),
    });
    let last_success = synchronization.and_then(|s| s.last_events.as_ref()).map(|run| {
        let at = run.ended_at.unwrap_or(run.started_at);
        format!("last run {}", time::ago(at, now))
    });
    let seen = |at: Option<i64>| at.map(|at| format!("last contact {}", zone.exact(at, now)));
    match peer.state {
        PeerState::Down | PeerState::Refused => Note {
            tone: Tone::Down,
            title: "not synchronizing".into(),
            lines: last_success.into_iter().chain(seen(peer.last_contact)).collect(),
        },
        PeerState::Unknown => {
            Note { tone: Tone::Neutral, title: "waiting for the first contact".into(), lines: Vec::new() }
        }
        PeerState::Up => {
            let behind = peer.lag_events.map(|n| format!("{} behind", counted(n, "event", "events")));
            let seconds = peer.lag_seconds.map(|s| format!("{} s", measure(s)));
            let title: Vec<_> = behind.into_iter().chain(seconds).collect();
            // What is younger is on its way between two hellos.
            let lags = peer.lag_seconds.is_some_and(|seconds| seconds > LAGS_AFTER_SECONDS);
            let tone = if lags || server.phase == Phase::Paused { Tone::Attention } else { Tone::Ok };
            let lines = match synchronization {
                Some(_) => schedule.into_iter().chain(last_success).collect(),
                None => peer
                    .last_contact
                    .map(|at| format!("as the Backup told {}", time::ago(at, now)))
                    .into_iter()
                    .collect(),
            };
            Note { tone, title: if title.is_empty() { "in contact".into() } else { title.join(" · ") }, lines }
        }
    }
}

fn certificate(overview: &Overview, zone: &Zone, now: i64) -> Note {
    let c = &overview.certificate;
    let Some(peer) = &overview.server.peer else {
        return Note {
            tone: Tone::Neutral,
            title: "One list only".into(),
            lines: vec!["A Backup would hold the same.".into()],
        };
    };
    let equal_at = c.equal_at.map(|at| format!("equal at {}", zone.exact(at, now)));
    let was_equal = c.equal_at.map(|at| format!("equal {}", time::ago(at, now)));
    let compared = c.compared_at.map(|at| format!("compared {}", time::ago(at, now)));
    // A page that is not told anything any more does not go on to say so.
    let fresh = c.compared_at.is_some_and(|at| now.saturating_sub(at) <= COMPARED_WITHIN_MS);
    let other = if peer.name.is_empty() { peer.role.title() } else { peer.name.split('.').next().unwrap_or_default() };
    match (c.alarm, peer.state, c.equal) {
        (true, ..) => Note {
            tone: Tone::Down,
            title: "Equal records, unequal lists".into(),
            lines: ["This must not be: see the application log.".into()].into_iter().chain(compared).collect(),
        },
        (_, PeerState::Up, Some(true)) if fresh => Note {
            tone: Tone::Ok,
            title: "Lists are equal".into(),
            lines: match c.peer_digest {
                Some(digest) => [format!("digest {} on both", short(&digest.to_string()))],
                None => ["as they were a moment ago: events are on their way".into()],
            }
            .into_iter()
            .chain(if c.peer_digest.is_some() { compared } else { was_equal })
            .collect(),
        },
        (_, PeerState::Up, Some(false)) if fresh => {
            let theirs = c.peer_digest.map(|d| format!("{} there", short(&d.to_string())));
            let mine = format!("{} here", short(&c.digest.to_string()));
            let digests = [mine].into_iter().chain(theirs).collect::<Vec<_>>().join(", ");
            Note {
                tone: Tone::Attention,
                title: "Lists differ".into(),
                lines: [digests].into_iter().chain(compared).chain(equal_at).collect(),
            }
        }
        (_, PeerState::Unknown, _) => {
            Note { tone: Tone::Neutral, title: "Not compared yet".into(), lines: equal_at.into_iter().collect() }
        }
        (_, PeerState::Up, _) => Note {
            tone: Tone::Neutral,
            title: was_equal.map_or_else(|| "Not compared yet".into(), |was| format!("Lists were {was}")),
            lines: compared.into_iter().collect(),
        },
        _ => {
            let ahead = (c.ahead > 0).then(|| format!("{} ahead of {other}", counted(c.ahead, "event", "events")));
            Note {
                tone: Tone::Attention,
                title: "Lists may differ".into(),
                lines: ahead.into_iter().chain(equal_at).collect(),
            }
        }
    }
}

/// `7c1e…09af`.
fn short(digest: &str) -> String {
    let head = digest.get(..4).unwrap_or(digest);
    let tail = digest.len().checked_sub(4).and_then(|at| digest.get(at..)).unwrap_or_default();
    format!("{head}…{tail}")
}

fn answers(overview: &Overview, certificate: &Note) -> [Answer; 3] {
    let server = &overview.server;
    let peer = server.peer.as_ref();
    let peer_name = peer.map(|p| p.name.clone()).unwrap_or_default();
    let own = server.name.clone();
    let (tone, watched, by, name) = match (server.role, peer.map(|p| p.state)) {
        _ if server.phase == Phase::Superseded => {
            (Tone::Attention, "Elsewhere", "The server that took over", peer_name)
        }
        (ServerRole::Primary, _) if server.phase == Phase::Returning => {
            (Tone::Attention, "Yes, decisions shortly", "The Primary", own)
        }
        (ServerRole::Primary, _) => (Tone::Ok, "Yes", "The Primary", own),
        // It may be this server that cannot reach it.
        (ServerRole::Backup, _) if stands_in(server) && !is_come_to(overview) => {
            let nobody = "the Primary does not answer, and no machine has come here".to_owned();
            (Tone::Attention, "Not known", "Not known", nobody)
        }
        (ServerRole::Backup, _) if stands_in(server) => {
            (Tone::Attention, "Yes, without its Primary", "This Backup", own)
        }
        (ServerRole::Backup, Some(PeerState::Up)) => (Tone::Ok, "Yes", "The Primary", peer_name),
        (ServerRole::Backup, Some(PeerState::Refused)) => {
            (Tone::Attention, "Yes", "The Primary", format!("{peer_name}, which refuses this Backup"))
        }
        (ServerRole::Backup, _) => {
            (Tone::Neutral, "Not known yet", "Not known yet", "the Primary has not been heard of".to_owned())
        }
    };
    // One server alone does its work, but there is none to follow it.
    let (spare, name) = match (server.role, peer.map(|p| p.state)) {
        (ServerRole::Primary, None) => (Tone::Attention, format!("{name}, with no Backup")),
        (ServerRole::Primary, Some(PeerState::Down)) => (Tone::Attention, format!("{name}, with its Backup down")),
        (ServerRole::Primary, Some(PeerState::Refused)) => (Tone::Attention, format!("{name}, and refuses its Backup")),
        (_, Some(PeerState::Down)) => (Tone::Attention, name),
        _ => (tone, name),
    };
    let agents = agents(overview);
    let touch = agents.lines.first().cloned().unwrap_or_default();
    [
        Answer {
            question: "Is the zone watched?",
            tone,
            answer: watched.into(),
            detail: format!("{}, {touch}", agents.title),
        },
        Answer { question: "By which server?", tone: spare, answer: by.into(), detail: name },
        Answer {
            question: "Are the two lists equal?",
            tone: certificate.tone,
            answer: lists(&certificate.title),
            detail: certificate.lines.last().cloned().unwrap_or_default(),
        },
    ]
}

fn lists(title: &str) -> String {
    match title {
        "Lists are equal" => "Yes".into(),
        "Lists differ" => "No".into(),
        "Lists may differ" => "They may differ".into(),
        other => other.strip_prefix("Lists were e").map_or_else(|| other.into(), |ago| format!("E{ago}")),
    }
}

#[cfg(test)]
mod tests;
