//! `GET /api/v1/server`.

use serde::{Deserialize, Serialize};

use crate::{
    id::{Digest, Epoch, LogId, ServerId},
    settings::Revision,
};

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ServerRole {
    /// It holds the settings; agents prefer it.
    Primary,
    /// It synchronizes from the Primary and stands in for it.
    Backup,
}

impl ServerRole {
    /// The name for people: `Primary`, `Backup`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Primary => "Primary",
            Self::Backup => "Backup",
        }
    }
}

/// The state that a server is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Phase {
    /// A Backup that has not had its first Sessions synchronization.
    Joining,
    /// A Backup whose Primary serves.
    Standby,
    /// A Backup whose Primary does not answer: it watches and decides.
    Takeover,
    /// A Backup that does not pull, by an administrator's wish.
    Paused,
    /// A Primary that has just started and waits for what the Backup recorded.
    Returning,
    /// A Primary at work.
    Serving,
    /// A server whose place another one has taken.
    Superseded,
}

impl Phase {
    /// The word for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Standby => "standby",
            Self::Takeover => "has taken over",
            Self::Paused => "paused",
            Self::Returning => "returning",
            Self::Serving => "serving",
            Self::Superseded => "superseded",
        }
    }
}

/// Since when a server is in its phase, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhaseView {
    /// The phase.
    pub phase: Phase,
    /// Since when, in ms since 1970 UTC.
    pub since: i64,
    /// Why, in words.
    pub reason: String,
    /// What it waits for, in words; empty when for nothing.
    pub waits_for: String,
}

/// Whether the other server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PeerState {
    /// There was no contact since this server's start, and it is too early to say.
    Unknown,
    /// It answers.
    Up,
    /// Both run, and the Primary does not let the Backup take part: it was removed, or its service account lost its right.
    Refused,
    /// No contact for 5 s.
    Down,
}

/// The other server, as this one knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerView {
    /// Its role.
    pub role: ServerRole,
    /// Its name, once known.
    pub name: String,
    /// Its address, where known; its dashboard is there.
    pub address: Option<String>,
    /// Whether it answers.
    pub state: PeerState,
    /// Since when it is in that state, in ms since 1970 UTC.
    pub since: i64,
    /// Its phase when it last told.
    pub phase: Option<PhaseView>,
    /// When it was last heard of, in ms since 1970 UTC.
    pub last_contact: Option<i64>,
    /// What went wrong last, where something did.
    pub last_error: Option<String>,
    /// The id of the event in the application log that says what that means and what to do.
    #[serde(default)]
    pub last_error_id: Option<u32>,
    /// How many open sessions it had when it last told.
    pub open_sessions: Option<u64>,
    /// Its position when it last told.
    pub position: Option<u64>,
    /// Its digest of `held` when it last told.
    pub held_digest: Option<Digest>,
    /// Its digest of the sessions when it last told.
    pub state_digest: Option<Digest>,
    /// Its settings' revision when it last told.
    pub settings_revision: Option<Revision>,
    /// How many records the Backup lacks of the Primary's log.
    pub lag_events: Option<u64>,
    /// For how many seconds the Backup has lacked some; 0 when it lacks none.
    pub lag_seconds: Option<f64>,
    /// The other server's clock less this one's.
    pub clock_skew_ms: Option<i64>,
}

/// This server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerView {
    /// Its id, for its life.
    pub server_id: ServerId,
    /// Its role.
    pub role: ServerRole,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// The phase with its reason.
    pub phase_detail: PhaseView,
    /// The epoch.
    pub epoch: Epoch,
    /// Its log since its start.
    pub log_id: LogId,
    /// The last position of that log.
    pub position: u64,
    /// The settings that it works by.
    pub settings_revision: Revision,
    /// Over which records it has.
    pub held_digest: Digest,
    /// Over its sessions that are not closed.
    pub state_digest: Digest,
    /// How many sessions are not closed.
    pub open_sessions: u64,
    /// The other server; absent on a Primary that never had a Backup.
    pub peer: Option<PeerView>,
    /// Grows with each change of the list of sessions. Starts anew with the server.
    pub sessions_version: u64,
    /// Its clock, in ms since 1970 UTC.
    pub now: i64,
    /// The program's version.
    pub version: String,
}
