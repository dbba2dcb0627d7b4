//! `GET /api/v1/synchronization` and its runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SessionState;
use crate::{
    event::SessionKey,
    id::{Digest, RunId},
    settings::Revision,
};

/// The two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SyncKind {
    /// Brings the settings and every event that the other server has audited.
    Events,
    /// Makes the Backup's list of sessions the same as the Primary's.
    Sessions,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RunState {
    /// It is at work.
    Running,
    /// It did what it should.
    Succeeded,
    /// It did not; what it had done by then stays.
    Failed,
    /// Somebody cancelled it; what it had done by then stays.
    Cancelled,
}

/// One run of a synchronization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunView {
    /// Its name.
    pub run: RunId,
    /// Which synchronization.
    pub kind: SyncKind,
    /// Whether only the difference is computed.
    pub preview: bool,
    /// `schedule`, `set-up`, `repair`, or the account that started it.
    pub by: String,
    /// Its state.
    pub state: RunState,
    /// When it began, in ms since 1970 UTC.
    pub started_at: i64,
    /// When it ended, in ms since 1970 UTC.
    pub ended_at: Option<i64>,
    /// What it is doing, in words.
    pub stage: String,
    /// How much of it is done, and of how much where that is known.
    pub progress: Progress,
    /// What it did, for events.
    pub events: Option<EventsResult>,
    /// What it did, for sessions.
    pub sessions: Option<SessionsResult>,
    /// What went wrong.
    pub error: Option<RunError>,
}

/// How much of a run is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// So many.
    pub done: u64,
    /// Of so many.
    pub of: Option<u64>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunError {
    /// The id of the event in the application log.
    pub log_id: u32,
    /// The stage at which it failed.
    pub stage: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// What an Events synchronization did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsResult {
    /// Events of the Primary that were new here.
    pub applied: u64,
    /// The same, by kind.
    pub applied_by_kind: BTreeMap<String, u64>,
    /// Events from here that were new to the Primary.
    pub pushed: u64,
    /// The settings' revision afterwards.
    pub settings_revision: Revision,
    /// Whether the settings changed.
    pub settings_changed: bool,
    /// How long it took.
    pub duration_ms: u64,
}

/// What a Sessions synchronization did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionsResult {
    /// Sessions that were not in the list.
    pub added: u64,
    /// Sessions that were in it differently.
    pub changed: u64,
    /// Sessions that had ended.
    pub closed: u64,
    /// Sessions that were in it as they should.
    pub unchanged: u64,
    /// The Primary's position at which the lists were compared.
    pub position: u64,
    /// The digest of the list afterwards.
    pub digest: Digest,
    /// How long it took.
    pub duration_ms: u64,
    /// The difference, session by session; at most the first 1,000.
    pub items: Vec<SessionDifference>,
}

/// How a session differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Difference {
    /// The Primary has it.
    Add,
    /// Both have it, not alike.
    Change,
    /// The Primary knows that it has ended, or does not know it.
    Close,
}

/// One session that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionDifference {
    /// How.
    pub difference: Difference,
    /// Which.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: SessionKey,
    /// Whose.
    pub user: String,
    /// Where.
    pub machine: String,
    /// As it is here.
    pub here: Option<SessionSide>,
    /// As it is on the Primary.
    pub there: Option<SessionSide>,
}

/// A session, as one server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionSide {
    /// Its state.
    pub state: SessionState,
    /// Since when, in ms since 1970 UTC.
    pub since: Option<i64>,
}

/// The state of both synchronizations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SynchronizationView {
    /// Whether Events synchronization runs by schedule.
    pub enabled: bool,
    /// Seconds between two scheduled runs.
    pub interval_seconds: u32,
    /// Whether the Primary is tailed between two runs.
    pub continuous: bool,
    /// The last run of Events synchronization that succeeded.
    pub last_events: Option<RunView>,
    /// The last run of Sessions synchronization that succeeded.
    pub last_sessions: Option<RunView>,
    /// When the next scheduled run begins, in ms since 1970 UTC.
    pub next_run_at: Option<i64>,
    /// The position of the Primary up to which this server has its records.
    pub cursor: u64,
    /// The runs at work.
    pub running: Vec<RunView>,
    /// The last runs, the newest first, at most 50.
    pub history: Vec<RunView>,
}

/// `POST /api/v1/synchronization/sessions`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionsSyncRequest {
    /// Whether only the difference is wanted.
    pub preview: bool,
}

/// A run that was started or joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunStarted {
    /// The run.
    pub run: RunId,
    /// Whether it was at work already.
    pub joined: bool,
}

/// The checks of a test of a connection, in order; those behind one that failed were not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestReport {
    /// Whether all passed.
    pub ok: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Check {
    /// Of the Primary: `resolve`, `connect`, `tls`, `authenticate`, `is_primary`, `same_zone`, `is_administrator`,
    /// `version`, `clock_skew`. Of a mail server: `resolve`, `connect`, `tls`, `authenticate`, `accepted`. Of a database:
    /// `reach`, `tls`, `authenticate`, `own`, `tables`.
    pub name: String,
    /// Whether it passed; absent when it was not made.
    pub ok: Option<bool>,
    /// What was found, and what to do.
    pub detail: String,
}
