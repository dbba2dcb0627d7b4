//! The numbers of the kinds of records. Below 32 agents write them, from 32 on servers do.

/// A machine has started.
pub const BOOT: u16 = 1;
/// All sessions alive at the moment that the record was numbered.
pub const INVENTORY: u16 = 2;
/// A session was opened.
pub const LOGON: u16 = 3;
/// A session has ended.
pub const LOGOFF: u16 = 4;
/// A session was locked.
pub const LOCK: u16 = 5;
/// A session was unlocked.
pub const UNLOCK: u16 = 6;
/// The user's client has left the session, which goes on.
pub const DISCONNECT: u16 = 7;
/// The user's client is back.
pub const RECONNECT: u16 = 8;
/// The machine refused a logon.
pub const DENIED: u16 = 9;
/// No server answered; the agent's offline policy decided.
pub const OFFLINE_DECISION: u16 = 10;
/// What became of a command.
pub const COMMAND_RESULT: u16 = 11;
/// The first kind that only servers write.
pub const FIRST_OF_SERVERS: u16 = 32;
/// A server allowed or refused a logon.
pub const DECISION: u16 = 32;
/// An administrator has a session forgotten whose machine is dead.
pub const SESSION_RESET: u16 = 33;
/// An agent got a token.
pub const AGENT_ENROLLED: u16 = 34;
/// An agent's token is worth nothing any more. Final.
pub const AGENT_REVOKED: u16 = 35;
/// The name of an agent's machine may be enrolled again.
pub const AGENT_RELEASED: u16 = 36;
/// A command to an agent.
pub const COMMAND: u16 = 37;
/// Somebody was told of an event.
pub const NOTIFIED: u16 = 38;
/// A server has another role.
pub const ROLE_CHANGED: u16 = 39;
/// The settings have a new revision.
pub const SETTINGS_CHANGED: u16 = 40;
/// A limit was found exceeded.
pub const LIMIT_EXCEEDED: u16 = 41;
/// Records that no server will ever have.
pub const LOST: u16 = 42;

/// The stable name of a kind; `unknown` for one that this version does not know.
#[must_use]
pub fn kind_name(number: u16) -> &'static str {
    match number {
        BOOT => "boot",
        INVENTORY => "inventory",
        LOGON => "logon",
        LOGOFF => "logoff",
        LOCK => "lock",
        UNLOCK => "unlock",
        DISCONNECT => "disconnect",
        RECONNECT => "reconnect",
        DENIED => "denied",
        OFFLINE_DECISION => "offline_decision",
        COMMAND_RESULT => "command_result",
        DECISION => "decision",
        SESSION_RESET => "session_reset",
        AGENT_ENROLLED => "agent_enrolled",
        AGENT_REVOKED => "agent_revoked",
        AGENT_RELEASED => "agent_released",
        COMMAND => "command",
        NOTIFIED => "notified",
        ROLE_CHANGED => "role_changed",
        SETTINGS_CHANGED => "settings_changed",
        LIMIT_EXCEEDED => "limit_exceeded",
        LOST => "lost",
        _ => "unknown",
    }
}
