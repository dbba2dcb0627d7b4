//! What records say: one payload type a kind. Agents' payloads may carry fields that this version does not know.

mod key;
pub mod kind;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use key::{BootId, InvalidKey, LogonId, SessionKey};
pub use kind::kind_name;

use crate::{
    agent_api::OpenElsewhere,
    id::{AgentId, Chain, CommandId, DecisionId, Epoch, OriginId},
    record::{Entry, Order, Record, RejectCode},
    settings::Revision,
};

/// The largest payload of any record but an inventory, in bytes.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;
/// The longest name (user, client, group), in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// The longest free text (a reason), in bytes.
pub const MAX_TEXT_BYTES: usize = 2048;
/// The most groups that come with a user.
pub const MAX_GROUPS: usize = 1024;
/// How long a command may be obeyed, in milliseconds from when its server wrote it.
pub const COMMAND_VALID_MS: i64 = 60_000;

/// The type of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SessionType {
    /// At the machine itself.
    Workstation,
    /// From another machine: ssh, remote desktop.
    Terminal,
    /// Through a VPN concentrator.
    Vpn,
    /// Through a wireless access point.
    Wifi,
    /// In a web application.
    Web,
}

impl SessionType {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Workstation, Self::Terminal, Self::Vpn, Self::Wifi, Self::Web];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workstation => "workstation",
            Self::Terminal => "terminal",
            Self::Vpn => "vpn",
            Self::Wifi => "wifi",
            Self::Web => "web",
        }
    }
}

/// What a live session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SubState {
    /// In use.
    #[default]
    Open,
    /// The screen is locked.
    Locked,
    /// The user's client has left.
    Disconnected,
}

/// Who is in a session and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Who {
    /// The user's name as it was typed.
    pub user: String,
    /// The name for people, where the machine knows one.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The type of session.
    #[serde(rename = "type")]
    pub session_type: SessionType,
    /// The name of the machine that the user sits at, where it is another one.
    #[serde(default)]
    pub client_name: Option<String>,
    /// Its address.
    #[serde(default)]
    pub client_address: Option<String>,
}

/// A machine has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The boot that began.
    pub boot: BootId,
}

/// All sessions alive now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The present boot, to which all of them belong.
    pub boot: BootId,
    /// The sessions.
    pub sessions: Vec<InventorySession>,
}

/// One session of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventorySession {
    /// Its name within the boot.
    pub logon: LogonId,
    /// What it is doing.
    #[serde(default)]
    pub state: SubState,
    /// When it was opened, by the machine's clock, in ms since 1970 UTC.
    pub since: i64,
    /// Who is in it.
    #[serde(flatten)]
    pub who: Who,
}

/// A session was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logon {
    /// The boot.
    pub boot: BootId,
    /// Its name within the boot.
    pub logon: LogonId,
    /// The decision that allowed it; its grant ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<DecisionId>,
    /// Who is in it.
    #[serde(flatten)]
    pub who: Who,
}

/// A session has ended, or is in another sub-state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionChange {
    /// The boot.
    pub boot: BootId,
    /// Its name within the boot.
    pub logon: LogonId,
    /// Why, where the agent knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A machine refused a logon, by a server's decision or its own offline policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<DecisionId>,
    /// Who wanted to log on.
    #[serde(flatten)]
    pub who: Who,
    /// What the user was told.
    pub reason: String,
}

/// No server answered in time, so the agent's offline policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineDecision {
    /// The decision that was asked for.
    pub decision_id: DecisionId,
    /// Who wanted to log on.
    #[serde(flatten)]
    pub who: Who,
    /// The answer.
    pub allow: bool,
    /// The policy that gave it.
    pub policy: String,
    /// Why no server did.
    pub reason: String,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandOutcome {
    /// It was done.
    Done,
    /// It could not be done; the detail says why.
    Failed,
    /// It came too late.
    Expired,
    /// It came from a server of an epoch that is over.
    StaleEpoch,
    /// The session had ended before.
    NoSuchSession,
    /// This agent cannot do such a thing.
    Unsupported,
}

/// The agent's answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The command.
    pub command_id: CommandId,
    /// What became of it.
    pub outcome: CommandOutcome,
    /// More, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A server's answer to "may this user open this session?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The request.
    pub decision_id: DecisionId,
    /// Who wanted to log on.
    #[serde(flatten)]
    pub who: Who,
    /// The answer.
    pub allow: bool,
    /// The protected account whose rule decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The reason, for people.
    pub reason: String,
    /// The sessions that count, for a denial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenElsewhere>,
    /// Whether the server could not know all that its peer knows.
    #[serde(default)]
    pub degraded: bool,
}

/// An administrator has a session forgotten. It ends nothing on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReset {
    /// The session.
    pub session: SessionKey,
    /// The evidence that the administrator saw: later evidence brings the session back.
    pub evidence: Order,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An agent got a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEnrolled {
    /// The enrolment.
    pub agent: AgentId,
    /// The SHA-256-sized BLAKE3 hash of its token, in hex.
    pub token_hash: String,
}

/// An agent's token ends, or the name of its machine may be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEnded {
    /// The enrolment.
    pub agent: AgentId,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What an agent is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandAction {
    /// End the session.
    Logoff,
    /// Lock its screen.
    Lock,
    /// Show the user a text.
    Message,
}

/// A command to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Obeyed once.
    pub command_id: CommandId,
    /// The session that it is about.
    pub session: SessionKey,
    /// What to do.
    pub action: CommandAction,
    /// The message, for [`CommandAction::Message`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The epoch of the server that wrote it.
    pub epoch: Epoch,
}

/// The settings have a new revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChanged {
    /// The new one.
    pub revision: Revision,
    /// What was changed.
    pub section: String,
    /// Who did it.
    pub by: String,
    /// Why, if told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A server has another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChanged {
    /// The server's name.
    pub server: String,
    /// The new role.
    pub role: String,
    /// From this epoch on.
    pub epoch: Epoch,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Records that their writer had to drop before any server had them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Whose.
    pub origin: OriginId,
    /// The rank of that origin.
    pub rank: u64,
    /// The first number.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The chain at the last one, as the writer tells it.
    pub chain: Chain,
}

/// A record's payload, read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the type of its own name, documented there")]
pub enum Event {
    Boot(Boot),
    Inventory(Inventory),
    Logon(Logon),
    Logoff(SessionChange),
    State(SessionChange, SubState),
    Denied(Denied),
    OfflineDecision(OfflineDecision),
    CommandResult(CommandResult),
    Decision(Decision),
    SessionReset(SessionReset),
    AgentEnrolled(AgentEnrolled),
    AgentRevoked(AgentEnded),
    AgentReleased(AgentEnded),
    Command(Command),
    SettingsChanged(SettingsChanged),
    RoleChanged(RoleChanged),
    Lost(Lost),
    /// A kind that this version does not fold.
    Other,
}

impl Event {
    /// Reads a record's payload.
    ///
    /// # Errors
    /// [`RejectCode::TooLarge`] or [`RejectCode::Malformed`]. Whether the writer may write such a kind is not checked here.
    pub fn read(record: &Record) -> Result<Self, RejectCode> {
        let limit = if record.kind == kind::INVENTORY { crate::record::MAX_PAYLOAD_BYTES } else { MAX_EVENT_BYTES };
        if record.payload.len() > limit {
            return Err(RejectCode::TooLarge);
        }
        let event = Self::parse(record.kind, &record.payload).map_err(|_| RejectCode::Malformed)?;
        if event.within_bounds() { Ok(event) } else { Err(RejectCode::Malformed) }
    }

    fn parse(number: u16, payload: &[u8]) -> Result<Self, serde_json::Error> {
        let state = |s| serde_json::from_slice(payload).map(|change| Self::State(change, s));
        Ok(match number {
            kind::BOOT => Self::Boot(serde_json::from_slice(payload)?),
            kind::INVENTORY => Self::Inventory(serde_json::from_slice(payload)?),
            kind::LOGON => Self::Logon(serde_json::from_slice(payload)?),
            kind::LOGOFF => Self::Logoff(serde_json::from_slice(payload)?),
            kind::LOCK => state(SubState::Locked)?,
            kind::UNLOCK | kind::RECONNECT => state(SubState::Open)?,
            kind::DISCONNECT => state(SubState::Disconnected)?,
            kind::DENIED => Self::Denied(serde_json::from_slice(payload)?),
            kind::OFFLINE_DECISION => Self::OfflineDecision(serde_json::from_slice(payload)?),
            kind::COMMAND_RESULT => Self::CommandResult(serde_json::from_slice(payload)?),
            kind::DECISION => Self::Decision(serde_json::from_slice(payload)?),
            kind::SESSION_RESET => Self::SessionReset(serde_json::from_slice(payload)?),
            kind::AGENT_ENROLLED => Self::AgentEnrolled(serde_json::from_slice(payload)?),
            kind::AGENT_REVOKED => Self::AgentRevoked(serde_json::from_slice(payload)?),
            kind::AGENT_RELEASED => Self::AgentReleased(serde_json::from_slice(payload)?),
            kind::COMMAND => Self::Command(serde_json::from_slice(payload)?),
            kind::SETTINGS_CHANGED => Self::SettingsChanged(serde_json::from_slice(payload)?),
            kind::ROLE_CHANGED => Self::RoleChanged(serde_json::from_slice(payload)?),
            kind::LOST => Self::Lost(serde_json::from_slice(payload)?),
            _ => {
                serde_json::from_slice::<serde::de::IgnoredAny>(payload)?;
                Self::Other
            }
        })
    }

    /// Whether every text in it is short enough and every name is there.
    fn within_bounds(&self) -> bool {
        let text = |t: &str| t.len() <= MAX_TEXT_BYTES;
        let optional = |t: &Option<String>| t.as_deref().is_none_or(text);
        match self {
            Self::Inventory(e) => e.sessions.iter().all(|s| s.who.within_bounds()),
            Self::Logon(e) => e.who.within_bounds(),
            Self::Logoff(e) | Self::State(e, _) => optional(&e.reason),
            Self::Denied(e) => e.who.within_bounds() && text(&e.reason),
            Self::OfflineDecision(e) => e.who.within_bounds() && text(&e.reason) && text(&e.policy),
            Self::CommandResult(e) => optional(&e.detail),
            Self::Lost(e) => e.first >= 1 && e.first <= e.last && e.last <= crate::record::MAX_SAFE_INTEGER,
            // Servers write the rest, from inputs whose bounds were checked where they came in.
            _ => true,
        }
    }
}

impl Who {
    /// Whether every name in it is short enough and the user's is not empty.
    #[must_use]
    pub fn within_bounds(&self) -> bool {
        let name = |t: &str| t.len() <= MAX_NAME_BYTES && !t.chars().any(char::is_control);
        let optional = |t: &Option<String>| t.as_deref().is_none_or(name);
        !self.user.trim().is_empty()
            && name(&self.user)
            && optional(&self.display_name)
            && optional(&self.client_name)
            && optional(&self.client_address)
    }
}

impl Entry {
    /// An entry for a record that an agent sent, judged: an unacceptable one is rejected and keeps no payload.
    #[must_use]
    pub fn from_agent(record: Record, by: AgentId, machine: &str) -> Self {
        let rejected = if record.kind >= kind::FIRST_OF_SERVERS && record.kind <= kind::LOST {
            Some(RejectCode::KindNotAllowed)
        } else if &*record.machine != machine {
            Some(RejectCode::WrongMachine)
        } else {
            Event::read(&record).err()
        };
        let record = if rejected.is_some() { Record { payload: Arc::from([]), ..record } } else { record };
        Self { record, by, rejected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Digest;

    #[test]
    fn a_session_key_is_read_back() {
        let key =
            SessionKey { machine: "pc-1@x".into(), boot: Digest([7; 16]), logon: LogonId::new("4242.99").unwrap() };
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "a@b", "07-1@", "nonsense-1@pc", &format!("{}-a b@pc", Digest::NIL)] {
            assert!(bad.parse::<SessionKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_agent_cannot_write_for_another_machine_nor_as_a_server() {
        let record = |kind, machine: &str, payload: &str| Record {
            origin: OriginId([1; 16]),
            rank: 1,
            seq: 1,
            machine: machine.into(),
            kind,
            at: 0,
            chain: Chain::NIL,
            payload: payload.as_bytes().into(),
        };
        let boot = format!(r#"{{"boot":"{}","future":1}}"#, Digest::NIL);
        let judge = |r| Entry::from_agent(r, AgentId([2; 16]), "pc").rejected;
        assert_eq!(judge(record(kind::BOOT, "pc", &boot)), None);
        assert_eq!(judge(record(kind::BOOT, "other", &boot)), Some(RejectCode::WrongMachine));
        assert_eq!(judge(record(kind::DECISION, "pc", "{}")), Some(RejectCode::KindNotAllowed));
        assert_eq!(judge(record(kind::BOOT, "pc", "{}")), Some(RejectCode::Malformed));
        assert_eq!(judge(record(999, "pc", "{}")), None, "a kind of a later version is kept");
        assert_eq!(judge(record(999, "pc", "{")), Some(RejectCode::Malformed));
        let long = format!("\"{}\"", "x".repeat(MAX_EVENT_BYTES));
        assert_eq!(judge(record(kind::LOGOFF, "pc", &long)), Some(RejectCode::TooLarge));
    }
}
