//! `GET /api/v1/sessions`, their actions, and `GET /api/v1/events`.

use serde::{Deserialize, Serialize};

use crate::{
    event::{SessionKey, SessionType},
    record::Order,
};

/// The most items on one page.
pub const MAX_PAGE: u32 = 500;
/// The items on a page when nothing is said.
pub const DEFAULT_PAGE: u32 = 50;

/// The state of a session, as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "the words of the field")]
pub enum SessionState {
    Open,
    Locked,
    Disconnected,
    Closed,
}

impl SessionState {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Locked => "locked",
            Self::Disconnected => "disconnected",
            Self::Closed => "closed",
        }
    }
}

/// By which column the list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "the columns by their names")]
pub enum SessionColumn {
    #[default]
    User,
    Type,
    State,
    Machine,
    ClientName,
    ClientAddress,
    /// When it was opened; its duration is the reverse.
    Since,
    LastActivity,
}

/// Which sessions, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionQuery {
    /// Of this user.
    pub user: Option<String>,
    /// On this machine.
    pub machine: Option<String>,
    /// Of this type.
    #[serde(rename = "type")]
    pub session_type: Option<SessionType>,
    /// In this state; `any` for all, closed ones included; absent: all that are not closed.
    pub state: Option<StateFilter>,
    /// In whose user, machine or client this text occurs.
    pub q: Option<String>,
    /// `user` (the default), `type`, `state`, `machine`, `client_name`, `client_address`, `since` or `last_activity`,
    /// with `-` before it to reverse.
    pub sort: Option<String>,
    /// 1 to 500; 50 when absent.
    pub limit: Option<u32>,
    /// From `next` of the page before, of the same filters and the same order.
    pub cursor: Option<String>,
}

/// A state, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "the words of the field")]
pub enum StateFilter {
    Open,
    Locked,
    Disconnected,
    Closed,
    /// Closed ones too.
    Any,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionView {
    /// Its name, for its address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: SessionKey,
    /// The user as typed; empty when only its end or a change was ever reported.
    pub user: String,
    /// The name for people.
    pub display_name: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub session_type: Option<SessionType>,
    /// The state.
    pub state: SessionState,
    /// The machine.
    pub machine: String,
    /// The machine that the user sits at.
    pub client_name: Option<String>,
    /// Its address.
    pub client_address: Option<String>,
    /// When it was opened, by the machine's clock, in ms since 1970 UTC.
    pub since: Option<i64>,
    /// When something was last reported of it, in ms since 1970 UTC.
    pub last_activity: Option<i64>,
    /// When it was closed, in ms since 1970 UTC. For one that ended without a logoff: not before.
    pub closed_at: Option<i64>,
    /// How it ended: `logoff`, `inventory`, `boot`, `reset`.
    pub closed_by: Option<String>,
    /// Whether its machine has been silent for too long.
    pub unconfirmed: bool,
    /// Since when its machine has been silent, in ms since 1970 UTC, where it is unconfirmed.
    pub silent_since: Option<i64>,
    /// The last evidence, which a reset names.
    pub evidence: Order,
}

/// What to do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SessionAction {
    /// End it, by its agent.
    Logoff,
    /// Forget it; ends nothing on the machine.
    Reset,
    /// Lock its screen, by its agent.
    Lock,
    /// Show its user a text, by its agent.
    Message,
}

/// `POST /api/v1/sessions/{key}/actions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionRequest {
    /// What to do.
    pub action: SessionAction,
    /// The message.
    #[serde(default)]
    pub text: Option<String>,
    /// Why; kept with it.
    pub reason: String,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionResponse {
    /// The command that waits for its agent; absent for a reset, which is done.
    pub command_id: Option<crate::id::CommandId>,
    /// In words.
    pub message: String,
}

/// One audited event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventView {
    /// Its position in this server's log.
    pub position: u64,
    /// Who wrote it, and as which.
    pub id: crate::record::EventId,
    /// The kind, by name: `logon`, `decision`, …
    pub kind: String,
    /// The kind's number.
    pub kind_number: u16,
    /// The machine.
    pub machine: String,
    /// When, by its writer's clock, in ms since 1970 UTC.
    pub at: i64,
    /// The user, where there is one.
    pub user: Option<String>,
    /// In words.
    pub summary: String,
    /// Why it was rejected, if it was.
    pub rejected: Option<crate::record::RejectCode>,
    /// What it says; absent of a rejected one.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Option<serde_json::Value>,
}
