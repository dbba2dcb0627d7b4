//! What the Overview page shows.

use serde::{Deserialize, Serialize};

use super::{ServerView, SynchronizationView};
use crate::{
    id::Digest,
    settings::{Area, Right, Rights},
};

/// The picture of the pair and the figures below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// This server, and in it the other one.
    pub server: ServerView,
    /// The zone's name.
    pub zone: String,
    /// Who the agents use.
    pub agents: AgentsSummary,
    /// Whether both servers' lists are equal.
    pub certificate: Certificate,
    /// Of sessions.
    pub figures: Figures,
    /// One point a minute, the oldest first, 60 of them.
    pub activity: Vec<Activity>,
    /// The state of both synchronizations; on a Backup.
    pub synchronization: Option<SynchronizationView>,
    /// "If the Primary died now", line by line.
    pub readiness: Vec<Readiness>,
    /// What an administrator must know before anything else.
    pub banners: Vec<Banner>,
    /// Warnings and errors in the application log of the last 24 h.
    pub log_alerts: u64,
}

impl Overview {
    /// As much of it as somebody with these rights may see: what every page shows needs no right.
    #[must_use]
    pub fn seen_by(mut self, rights: Rights) -> Self {
        if !rights.include(Right::Read(Area::Synchronization)) {
            self.synchronization = None;
        }
        if !rights.include(Right::Read(Area::Sessions)) {
            self.figures = Figures::default();
            self.activity = Vec::new();
        }
        if !rights.include(Right::Read(Area::Log)) {
            self.log_alerts = 0;
        }
        self
    }
}

/// Who the agents use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsSummary {
    /// Enrolled and not revoked.
    pub total: u64,
    /// Heard of within the time that confirms sessions, at either server.
    pub in_touch: u64,
    /// Whose last contact, as far as this server knows, was with the Primary.
    pub on_primary: u64,
    /// And with the Backup.
    pub on_backup: u64,
    /// Agents that have records in their spools which not both servers hold.
    pub spooling: u64,
    /// How many records those are.
    pub waiting: u64,
    /// How many of them could reach the Backup when they last tried.
    pub reach_backup: u64,
}

/// The convergence certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whether the lists are equal; absent when they cannot be compared.
    pub equal: Option<bool>,
    /// Set when equal records made unequal lists, which must not be.
    pub alarm: bool,
    /// This server's digest.
    pub digest: Digest,
    /// The other's.
    pub peer_digest: Option<Digest>,
    /// When they were last compared, in ms since 1970 UTC.
    pub compared_at: Option<i64>,
    /// When they were last equal, in ms since 1970 UTC.
    pub equal_at: Option<i64>,
    /// Records here that the other lacks, as far as known.
    pub ahead: u64,
}

/// The tiles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Sessions that are not closed.
    pub open_sessions: u64,
    /// Users who have them.
    pub users: u64,
    /// Logons a minute over the last 5.
    pub logons_per_minute: f64,
    /// Refusals in the last hour.
    pub denied_last_hour: u64,
    /// Sessions on machines that have been silent.
    pub unconfirmed: u64,
    /// The median time of a decision in the last minute, in ms, with its commit.
    pub decision_ms: Option<f64>,
    /// Rules.
    pub protected_accounts: u64,
}

/// One minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Logons.
    pub logons: u32,
    /// Refusals.
    pub denied: u32,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Ok,
    /// To be looked at.
    Attention,
    /// Broken.
    Down,
    /// For information.
    Neutral,
}

/// One line of "If the Primary died now".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// How it stands.
    pub tone: Tone,
    /// In words.
    pub text: String,
}

/// A message above the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// How it stands.
    pub tone: Tone,
    /// What happened and what to do. `{time}` stands for `at`, which the page shows in the browser's time zone.
    pub text: String,
    /// When, in ms since 1970 UTC.
    pub at: Option<i64>,
}
