//! The picture of the pair.

use userlock_core::{
    api::{
        AgentsSummary, Banner, Certificate, Figures, Overview, PeerState, PeerView, Phase, Readiness, ServerRole,
        ServerView, Tone,
    },
    sync::AgentCounts,
};

use crate::{
    clock,
    http::{
        problem::{self, Answer},
        state::App,
    },
    log::{Kind, catalogue},
    zone::{PEER_SKEW_MS, monotonic_ms},
};

/// A comparison that is older says nothing of now, in ms.
const FRESH_MS: i64 = 3_000;
/// A hello may come so much later than it is due, in ms.
const HELLO_TAKES_MS: u64 = 2_000;
/// What differs for longer is not under way any more, in ms.
const DIFFERENT_AFTER_MS: i64 = 5_000;

impl App {
    /// The picture of the pair and all that is shown on every page.
    ///
    /// # Errors
    /// 503 when the disk cannot be read.
    pub async fn overview(&self) -> Answer<Overview> {
        let now = clock::now_ms();
        let log_alerts = self.product.count_alerts(now - 24 * 3600 * 1000).await.map_err(|error| {
            tracing::error!(%error, "the application log cannot be read");
            problem::unavailable("storage", "The application log cannot be read now.")
        })?;
        let server = self.server_view();
        let activity = self.zone.activity().hour(now);
        let certificate = self.certificate(&server);
        let figures = self.figures_view(&server, &activity);
        let zone = self.zone.read(|server| server.settings.settings.general.zone_name.clone());
        let agents = self.agents_summary(&server);
        Ok(Overview {
            zone,
            readiness: readiness(&server, &agents, &certificate),
            banners: banners(&server, &certificate, self.zone.is_able()),
            agents,
            certificate,
            figures,
            activity,
            synchronization: self.synchronization_view().await,
            log_alerts,
            server,
        })
    }

    /// For how long a machine may be silent, in ms.
    pub(super) fn confirmed_for_ms(&self) -> u64 {
        self.zone.read(|server| u64::from(server.settings.settings.agents.unconfirmed_after_seconds)) * 1000
    }

    fn agents_summary(&self, server: &ServerView) -> AgentsSummary {
        let (total, every) = self.zone.read(|server| {
            let heartbeat = server.settings.settings.agents.heartbeat_seconds;
            (server.state.agents.active() as u64, u64::from(heartbeat) * 1000)
        });
        let confirmed = self.confirmed_for_ms();
        let now = monotonic_ms();
        let counts =
            |within| self.zone.of_agents(|contacts, active| contacts.counts(active, within, now, Default::default()));
        let (lately, just_now) = (counts(2 * every + HELLO_TAKES_MS), counts(every + HELLO_TAKES_MS));
        let within = counts(confirmed);
        let peer_up = server.peer.as_ref().is_some_and(|peer| peer.state == PeerState::Up);
        let told = self.zone.peer().hello().filter(|_| peer_up).map(|hello| hello.agents).unwrap_or_default();
        let (here, there) = share(&lately, &just_now, &told, total);
        let (primary, on_primary, on_backup) = match server.role {
            ServerRole::Primary => (lately, here, there),
            ServerRole::Backup => (told, there, here),
        };
        AgentsSummary {
            total,
            in_touch: (within.in_touch.max(here) + there).min(total),
            on_primary,
            on_backup,
            spooling: lately.spooling.max(told.spooling.min(there)).min(total),
            waiting: if there == 0 { lately.waiting } else { lately.waiting.max(told.waiting) },
            reach_backup: (primary.reach_backup.min(on_primary) + on_backup).min(total),
        }
    }

    /// Whether both servers' lists are equal, as far as a fresh comparison says so.
    pub(crate) fn certificate(&self, server: &ServerView) -> Certificate {
        let peer = self.zone.peer();
        let up = server.peer.as_ref().filter(|peer| peer.state == PeerState::Up);
        let compared = up.and_then(|p| Some((p.held_digest?, p.state_digest?)));
        let same_records = compared.map(|(held, _)| held == server.held_digest);
        let same_lists = compared.map(|(_, state)| state == server.state_digest);
        let same_fold = peer.hello().is_some_and(|hello| hello.fold_version == userlock_core::fold::FOLD_VERSION);
        let (unsent, _) = self.zone.read(|server| server.unsent());
        let now = clock::now_ms();
        let age = |at: Option<i64>| at.map(|at| now.saturating_sub(at));
        let comparison = Comparison {
            age: age(peer.compared_at).filter(|_| up.is_some()),
            equal: same_lists == Some(true) || (peer.equal_at.is_some() && peer.equal_at == peer.compared_at),
            equal_age: age(peer.equal_at),
            lag_seconds: up.and_then(|p| p.lag_seconds),
        };
        // What both had when they were found equal is what the other one told then.
        let told = peer.hello().map(|hello| hello.state_digest);
        let verdict = comparison.verdict();
        let digest = told.filter(|_| comparison.equal && verdict == Some(true));
        Certificate {
            equal: verdict,
            alarm: same_fold && same_records == Some(true) && same_lists == Some(false),
            digest: digest.unwrap_or(server.state_digest),
            peer_digest: if verdict == Some(true) { digest } else { told },
            compared_at: peer.compared_at,
            equal_at: peer.equal_at,
            ahead: unsent as u64,
        }
    }

    fn figures_view(&self, server: &ServerView, activity: &[userlock_core::api::Activity]) -> Figures {
        let last_five: u32 = activity.iter().rev().take(5).map(|minute| minute.logons).sum();
        let denied: u64 = activity.iter().map(|minute| u64::from(minute.denied)).sum();
        Figures {
            open_sessions: server.open_sessions,
            users: self.zone.read(|server| server.state.accounts()) as u64,
            logons_per_minute: f64::from(last_five) / 5.0,
            denied_last_hour: denied,
            unconfirmed: self.unconfirmed(),
            decision_ms: self.zone.activity().median_ms(),
            protected_accounts: self.zone.read(|server| server.settings.settings.protected_accounts.len()) as u64,
        }
    }

    /// How many open sessions are on machines that have been silent for too long.
    fn unconfirmed(&self) -> u64 {
        let (after, now, wall) = (self.confirmed_for_ms(), monotonic_ms(), clock::now_ms());
        let listing = self.zone.listing();
        let contacts = self.zone.contacts();
        let machines = listing.buckets.iter().flat_map(|bucket| &bucket.machines);
        let silent = machines.filter(|(name, _)| contacts.silent_since(name, after, now, wall).is_some());
        let open = silent.map(|(_, machine)| {
            machine.sessions.iter().filter(|((boot, _), session)| machine.ending(*boot, session).is_none()).count()
        });
        open.sum::<usize>() as u64
    }
}

/// How many agents are at this server, and how many at the other. Who goes from one to the other counts at both for a
/// while, and longer at the other, which tells of all that it heard of within the time that confirms sessions. Of those
/// that are too many, who spoke here just now is here, and the rest is there.
fn share(lately: &AgentCounts, just_now: &AgentCounts, told: &AgentCounts, total: u64) -> (u64, u64) {
    let not_there = total.saturating_sub(told.in_touch);
    let here = lately.in_touch.min(not_there.max(just_now.in_touch)).min(total);
    (here, told.in_touch.min(total - here))
}

/// The last comparison of the two lists.
struct Comparison {
    /// How long ago it was, in ms; absent when there was none, or the other server does not answer.
    age: Option<i64>,
    /// Whether it found them equal.
    equal: bool,
    /// How long ago they were last found equal, in ms.
    equal_age: Option<i64>,
    /// For how long the Backup has lacked records.
    lag_seconds: Option<f64>,
}

impl Comparison {
    /// Whether the lists are equal, as far as a comparison says so: on a busy day records are on their way at any
    /// moment, and those two lists are as equal as they were a moment ago. Absent when nothing can be said of now.
    fn verdict(&self) -> Option<bool> {
        if self.age.is_none_or(|age| age > FRESH_MS) {
            return None;
        }
        if self.equal || self.equal_age.is_some_and(|age| age <= FRESH_MS) {
            return Some(true);
        }
        let lag = self.lag_seconds.map_or(0.0, |seconds| seconds * 1000.0);
        let on_their_way = lag > 0.0 && lag <= DIFFERENT_AFTER_MS as f64;
        let lasts = self.equal_age.is_none_or(|age| age > DIFFERENT_AFTER_MS);
        (lasts && !on_their_way).then_some(false)
    }
}

/// "If the Primary died now", line by line. Nothing in a zone without a Backup can be said but that.
fn readiness(server: &ServerView, agents: &AgentsSummary, certificate: &Certificate) -> Vec<Readiness> {
    let line = |tone, text: String| Readiness { tone, text };
    let Some(peer) = &server.peer else {
        return vec![line(
            Tone::Attention,
            "the zone has no Backup: machines would follow their offline policy".into(),
        )];
    };
    match (server.role, peer.state) {
        (ServerRole::Backup, PeerState::Down) => return without_primary(server, peer, agents, certificate),
        (ServerRole::Primary, PeerState::Up) | (ServerRole::Backup, _) => {}
        (ServerRole::Primary, PeerState::Refused) => {
            let text =
                "the Backup is refused: it would decide by what it knew at the last contact, and agents tell it theirs";
            return vec![line(Tone::Down, text.into())];
        }
        (ServerRole::Primary, _) => {
            let text = "the Backup does not answer: machines would follow their offline policy";
            return vec![line(Tone::Down, text.into())];
        }
    }
    let mut lines = Vec::new();
    if peer.state == PeerState::Refused {
        let text = "the Primary refuses this Backup: it would decide by what it knew at the last contact";
        return vec![line(Tone::Down, text.into())];
    }
    if server.phase == Phase::Joining {
        lines.push(line(Tone::Attention, "this Backup has no list of sessions yet".into()));
    }
    match peer.lag_events {
        Some(0) => lines.push(line(Tone::Ok, "0 events would be missing on the Backup".into())),
        // What has been recorded since the last hello is on its way, or there already.
        Some(lag) if peer.lag_seconds.is_none_or(|seconds| seconds * 1000.0 <= DIFFERENT_AFTER_MS as f64) => {
            let text =
                format!("{} on the way to the Backup; agents keep theirs until both servers hold them", are(lag));
            lines.push(line(Tone::Ok, text));
        }
        Some(lag) => {
            let text = format!("{} not on the Backup yet; agents keep theirs until both servers hold them", are(lag));
            lines.push(line(Tone::Attention, text));
        }
        None => lines.push(line(Tone::Attention, "how many events the Backup lacks is not known".into())),
    }
    let reach = format!("{} of {} agents reach the Backup", agents.reach_backup, agents.total);
    let all = agents.reach_backup >= agents.total;
    lines.push(line(if all { Tone::Ok } else { Tone::Attention }, reach));
    lines.push(match peer.settings_revision {
        Some(revision) if revision == server.settings_revision => {
            line(Tone::Ok, format!("the rules of revision {revision} are on both"))
        }
        Some(revision) => line(
            Tone::Attention,
            format!("this server works by revision {}, the other by {revision}", server.settings_revision),
        ),
        None => line(Tone::Attention, "the other server's rules are not known".into()),
    });
    if certificate.alarm {
        lines.push(line(Tone::Down, "the two lists differ although both hold the same events".into()));
    }
    lines
}

/// What it means that the Primary is down: what may be missing, who has come, by which rules is decided.
fn without_primary(
    server: &ServerView,
    peer: &PeerView,
    agents: &AgentsSummary,
    certificate: &Certificate,
) -> Vec<Readiness> {
    let line = |tone, text: String| Readiness { tone, text };
    let mut lines = Vec::new();
    if server.phase == Phase::Joining {
        lines.push(line(Tone::Down, "this Backup has no list of sessions yet".into()));
    }
    lines.push(match peer.lag_events {
        Some(0) => line(
            Tone::Neutral,
            "nothing was missing here at the last contact; agents keep what they told since and tell it here".into(),
        ),
        Some(lag) => {
            line(Tone::Attention, format!("{} missing here since the last contact; agents tell theirs again", are(lag)))
        }
        None => line(Tone::Attention, "how many events are missing here is not known".into()),
    });
    let come = format!("{} of {} agents have come to this Backup", agents.on_backup, agents.total);
    lines.push(line(if agents.on_backup >= agents.total { Tone::Ok } else { Tone::Attention }, come));
    let rules = format!("decisions are by the rules of revision {}, the last that came", server.settings_revision);
    lines.push(line(Tone::Neutral, rules));
    if certificate.ahead > 0 {
        lines.push(line(Tone::Neutral, format!("{} kept here for the Primary", are(certificate.ahead))));
    }
    lines
}

/// `1 event is`, `2 events are`.
fn are(events: u64) -> String {
    if events == 1 { "1 event is".to_owned() } else { format!("{events} events are") }
}

/// What an administrator must know before anything else.
fn banners(server: &ServerView, certificate: &Certificate, able: bool) -> Vec<Banner> {
    let banner = |tone, text: &str, at| Banner { tone, text: text.to_owned(), at };
    let mut banners = Vec::new();
    if !able {
        let text = "This server cannot write to its disk. Nothing is acknowledged to agents until it can: make room, or repair the disk.";
        banners.push(banner(Tone::Down, text, None));
    }
    if certificate.alarm {
        let text = "Both servers hold the same events and their lists of sessions differ. Preview a Sessions synchronization to see how.";
        banners.push(banner(Tone::Down, text, None));
    }
    banners.extend(server.peer.as_ref().and_then(|peer| peer_banner(server, peer)));
    if let Some(skew) = server.peer.as_ref().and_then(|peer| peer.clock_skew_ms).filter(|ms| ms.abs() >= PEER_SKEW_MS) {
        let text = format!(
            "The two servers' clocks differ by {:.1} s. Nothing is decided by that; set both by NTP.",
            skew.unsigned_abs() as f64 / 1000.0
        );
        banners.push(banner(Tone::Attention, &text, None));
    }
    banners
}

/// A cause other than that the Primary cannot be reached, or does not answer: it is there, and something else is to be mended.
fn cause_of_failure(id: u32) -> Option<&'static Kind> {
    let unreachable =
        [catalogue::SYNC_NAME, catalogue::SYNC_REFUSED, catalogue::SYNC_TIMEOUT, catalogue::SYNC_LOST_CONNECTION];
    catalogue::find(id).filter(|kind| unreachable.iter().all(|known| known.id != kind.id))
}

fn peer_banner(server: &ServerView, peer: &PeerView) -> Option<Banner> {
    let at = Some(peer.last_contact.unwrap_or(peer.since));
    if let Some(cause) = peer.last_error_id.and_then(cause_of_failure) {
        // The banner says itself that it fails.
        let meaning = cause.meaning.strip_prefix("Synchronization failed: ").unwrap_or(cause.meaning);
        let text = match (server.role, peer.state) {
            (ServerRole::Primary, _) => {
                format!("Since {{time}}: {} {} (event {})", cause.meaning, cause.advice, cause.id)
            }
            (ServerRole::Backup, PeerState::Refused) => format!(
                "Synchronization fails since {{time}}: {meaning} {} The Primary answers agents meanwhile (event {}).",
                cause.advice, cause.id
            ),
            (ServerRole::Backup, _) => format!(
                "Synchronization fails since {{time}}: {meaning} {} Until then this Backup goes on by itself (event {}).",
                cause.advice, cause.id
            ),
        };
        return Some(Banner { tone: Tone::Down, text, at });
    }
    if peer.state != PeerState::Down {
        return None;
    }
    let text = match (server.role, server.phase) {
        (ServerRole::Backup, Phase::Takeover) => {
            "The Primary does not answer since {time}. This Backup watches and decides for the zone. Nothing to do: agents and events go back by themselves."
        }
        (ServerRole::Backup, Phase::Joining) => {
            "The Primary does not answer since {time}, and this Backup has no list of sessions yet. Start the Primary."
        }
        (ServerRole::Backup, _) => {
            "The Primary does not answer since {time}. This Backup answers agents that come to it. Start the Primary, or look why it cannot be reached."
        }
        (ServerRole::Primary, _) => {
            "The Backup does not answer since {time}: there is no spare. Start it, or look why it cannot be reached."
        }
    };
    Some(Banner { tone: Tone::Attention, text: text.to_owned(), at })
}

#[cfg(test)]
mod tests {
    use userlock_core::{
        api::PhaseView,
        id::{Digest, Epoch, LogId, ServerId},
        settings::Revision,
    };

    use super::*;

    #[test]
    fn a_primary_that_is_down_is_not_called_in_order() {
        let peer = PeerView {
            role: ServerRole::Primary,
            name: "a".into(),
            address: None,
            state: PeerState::Down,
            since: 0,
            phase: None,
            last_contact: Some(0),
            last_error: None,
            last_error_id: None,
            open_sessions: None,
            position: None,
            held_digest: None,
            state_digest: None,
            settings_revision: Some(Revision::default()),
            lag_events: Some(0),
            lag_seconds: Some(0.0),
            clock_skew_ms: None,
        };
        let server = ServerView {
            server_id: ServerId::NIL,
            role: ServerRole::Backup,
            name: "b".into(),
            phase: Phase::Takeover,
            phase_detail: PhaseView {
                phase: Phase::Takeover,
                since: 0,
                reason: String::new(),
                waits_for: String::new(),
            },
            epoch: Epoch::default(),
            log_id: LogId::NIL,
            position: 0,
            settings_revision: Revision::default(),
            held_digest: Digest::NIL,
            state_digest: Digest::NIL,
            open_sessions: 0,
            peer: Some(peer),
            sessions_version: 0,
            now: 0,
            version: String::new(),
        };
        let agents = AgentsSummary { total: 40, on_backup: 38, reach_backup: 40, ..AgentsSummary::default() };
        let certificate = Certificate {
            equal: None,
            alarm: false,
            digest: Digest::NIL,
            peer_digest: None,
            compared_at: None,
            equal_at: None,
            ahead: 1,
        };
        let lines = readiness(&server, &agents, &certificate);
        assert!(lines.iter().all(|line| line.tone != Tone::Ok), "{lines:?}");
        assert!(lines.iter().any(|line| line.text == "38 of 40 agents have come to this Backup"), "{lines:?}");
        assert!(lines.iter().any(|line| line.text == "1 event is kept here for the Primary"), "{lines:?}");
    }

    #[test]
    fn an_agent_is_at_the_server_that_it_spoke_with_last() {
        let of = |in_touch| AgentCounts { in_touch, ..AgentCounts::default() };
        let at = |lately, just_now, told| share(&of(lately), &of(just_now), &of(told), 40);
        assert_eq!(at(40, 40, 0), (40, 0));
        assert_eq!(at(30, 29, 10), (30, 10));
        // All have come here, and the other one still tells of them.
        assert_eq!(at(40, 40, 40), (40, 0));
        // All have gone there; the last of them spoke here a moment ago.
        assert_eq!(at(40, 3, 40), (3, 37));
        assert_eq!(at(0, 0, 40), (0, 40));
        // One machine is dead.
        assert_eq!(at(39, 39, 0), (39, 0));
        assert_eq!(at(50, 50, 50), (40, 0), "never more than there are");
    }

    fn comparison(age: i64, equal: bool, equal_age: i64) -> Comparison {
        Comparison { age: Some(age), equal, equal_age: Some(equal_age), lag_seconds: Some(0.0) }
    }

    #[test]
    fn lists_are_equal_by_a_fresh_comparison_only() {
        assert_eq!(comparison(900, true, 900).verdict(), Some(true));
        assert_eq!(comparison(3_500, true, 3_500).verdict(), None, "the other one is silent");
        assert_eq!(Comparison { age: None, ..comparison(0, true, 0) }.verdict(), None, "the other one is down");
    }

    #[test]
    fn lists_differ_when_that_lasts() {
        assert_eq!(comparison(900, false, 1_900).verdict(), Some(true));
        assert_eq!(comparison(900, false, 4_000).verdict(), None);
        assert_eq!(comparison(900, false, 6_000).verdict(), Some(false));
        let busy = |seconds| Comparison { lag_seconds: Some(seconds), ..comparison(900, false, 60_000) };
        assert_eq!(busy(0.4).verdict(), None, "records are on their way");
        assert_eq!(busy(7.0).verdict(), Some(false));
    }
}
