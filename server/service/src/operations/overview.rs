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
    zone::{PEER_SKEW_MS, monotonic_ms},
};

/// Lists that were equal within this time are not called different, in ms.
const DIFFERENT_AFTER_MS: i64 = 15_000;

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
        let counts = self.agent_counts();
        let activity = self.zone.activity().hour(now);
        let certificate = self.certificate(&server);
        let figures = self.figures_view(&server, &activity);
        let zone = self.zone.read(|server| server.settings.settings.general.zone_name.clone());
        let agents = self.agents_summary(&server, counts);
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

    fn agent_counts(&self) -> AgentCounts {
        let within = self.confirmed_for_ms();
        self.zone.contacts().counts(within, monotonic_ms())
    }

    fn agents_summary(&self, server: &ServerView, here: AgentCounts) -> AgentsSummary {
        let total = self.zone.read(|server| server.state.agents.active()) as u64;
        let peer_up = server.peer.as_ref().is_some_and(|peer| peer.state == PeerState::Up);
        let there = self.zone.peer().hello().filter(|_| peer_up).map(|hello| hello.agents).unwrap_or_default();
        let (primary, backup) = match server.role {
            ServerRole::Primary => (here, there),
            ServerRole::Backup => (there, here),
        };
        // An agent that goes from one server to the other is heard of by both for a while.
        AgentsSummary {
            total,
            in_touch: (here.in_touch + there.in_touch).min(total),
            on_primary: primary.in_touch.min(total),
            on_backup: backup.in_touch.min(total),
            spooling: here.spooling.max(there.spooling),
            waiting: here.waiting.max(there.waiting),
            reach_backup: (primary.reach_backup + backup.in_touch).min(total),
        }
    }

    fn certificate(&self, server: &ServerView) -> Certificate {
        let peer = self.zone.peer();
        let up = server.peer.as_ref().filter(|peer| peer.state == PeerState::Up);
        let compared = up.and_then(|p| Some((p.held_digest?, p.state_digest?)));
        let same_records = compared.map(|(held, _)| held == server.held_digest);
        let same_lists = compared.map(|(_, state)| state == server.state_digest);
        let same_fold = peer.hello().is_some_and(|hello| hello.fold_version == userlock_core::fold::FOLD_VERSION);
        let (unsent, _) = self.zone.read(|server| server.unsent());
        let lately = peer.equal_at.is_some_and(|at| clock::now_ms() - at < DIFFERENT_AFTER_MS);
        Certificate {
            equal: match (same_records, same_lists) {
                (_, Some(true)) => Some(true),
                // Events on their way make the two differ at any moment of a busy day: they are equal as of then.
                (Some(false), Some(false)) if lately => Some(true),
                (_, lists) => lists,
            },
            alarm: same_fold && same_records == Some(true) && same_lists == Some(false),
            digest: server.state_digest,
            peer_digest: server.peer.as_ref().and_then(|p| p.state_digest),
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

/// "If the Primary died now", line by line. Nothing in a zone without a Backup can be said but that.
fn readiness(server: &ServerView, agents: &AgentsSummary, certificate: &Certificate) -> Vec<Readiness> {
    let line = |tone, text: String| Readiness { tone, text };
    let Some(peer) = &server.peer else {
        return vec![line(
            Tone::Attention,
            "the zone has no Backup: machines would follow their offline policy".into(),
        )];
    };
    let mut lines = Vec::new();
    if server.role == ServerRole::Primary && peer.state != PeerState::Up {
        lines.push(line(Tone::Down, "the Backup does not answer: machines would follow their offline policy".into()));
    }
    if server.phase == Phase::Joining {
        lines.push(line(Tone::Attention, "this Backup has no list of sessions yet".into()));
    }
    match peer.lag_events {
        Some(0) => lines.push(line(Tone::Ok, "0 events would be missing on the Backup".into())),
        Some(lag) => {
            let text =
                format!("{lag} events are not on the Backup yet; agents keep theirs until both servers hold them");
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

fn peer_banner(server: &ServerView, peer: &PeerView) -> Option<Banner> {
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
    Some(Banner { tone: Tone::Attention, text: text.to_owned(), at: Some(peer.last_contact.unwrap_or(peer.since)) })
}
