//! What agents and servers say to each other: JSON, in which fields that are not known are passed over.
//!
//! Every call but [`EnrolRequest`] carries `Authorization: Bearer TOKEN`. A refusal is a [`crate::api::Problem`].

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    event::{BootId, Command, SessionType, Who},
    id::{AgentId, Chain, CommandId, DecisionId, Epoch, OriginId},
    settings::OfflinePolicy,
};

/// The most records in one batch.
pub const MAX_BATCH_RECORDS: usize = 1000;
/// The largest body of any agent call, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// The most ranges that an agent tells in its hello.
pub const MAX_RANGES: usize = 10_000;

/// A server's address and how its certificate is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerAddress {
    /// `https://NAME:PORT`, or `http://` on a loopback address.
    pub url: String,
    /// The SHA-256 fingerprint of its certificate in lower-case hex; empty for plain HTTP.
    pub fingerprint: String,
    /// That of the certificate which will take its place, told before it does: whoever knows it trusts both.
    #[serde(default)]
    pub next: Option<String>,
}

impl ServerAddress {
    /// A server with one certificate, and no other announced.
    pub fn new(url: impl Into<String>, fingerprint: impl Into<String>) -> Self {
        Self { url: url.into(), fingerprint: fingerprint.into(), next: None }
    }

    /// The fingerprints by which the server is known; none for plain HTTP.
    pub fn pins(&self) -> impl Iterator<Item = &str> {
        let present = Some(self.fingerprint.as_str()).filter(|digits| !digits.is_empty());
        present.into_iter().chain(self.next.as_deref())
    }

    /// The certificate that the server will have shown last: the announced one, if there is one.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.next.as_deref().unwrap_or(&self.fingerprint)
    }

    /// Whether whoever knows the server so trusts its newest certificate.
    #[must_use]
    pub fn trusts_newest_of(&self, server: &Self) -> bool {
        server.newest().is_empty() || self.pins().any(|pin| pin == server.newest())
    }
}

/// What an administrator gives to a machine, as one string: `userlock1.` and this as hex of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The Primary first, then the Backup if there is one.
    pub servers: Vec<ServerAddress>,
    /// The zone key.
    pub key: String,
}

/// Why a text is not an enrolment string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment string: it starts with `userlock1.` and is copied whole from the server")]
pub struct InvalidEnrolment;

impl Enrolment {
    /// The string for people to copy.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let hex: String = json.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("userlock1.{hex}")
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// [`InvalidEnrolment`].
    pub fn from_text(text: &str) -> Result<Self, InvalidEnrolment> {
        let hex = text.trim().strip_prefix("userlock1.").ok_or(InvalidEnrolment)?;
        if hex.len() > 16 * 1024 || !hex.is_ascii() || !hex.len().is_multiple_of(2) {
            return Err(InvalidEnrolment);
        }
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        };
        let json: Option<Vec<u8>> = hex.as_bytes().chunks_exact(2).map(byte).collect();
        serde_json::from_slice(&json.ok_or(InvalidEnrolment)?).map_err(|_| InvalidEnrolment)
    }
}

/// `POST /agent/v1/enrol`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolRequest {
    /// The zone key.
    pub key: String,
    /// The machine's name.
    pub machine: String,
    /// The program and its version.
    pub version: String,
}

/// The answer to [`EnrolRequest`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolResponse {
    /// The enrolment's public name.
    pub agent: AgentId,
    /// The token for this machine alone. It is told once.
    pub token: String,
    /// The machine's name as the zone knows it: case-folded.
    pub machine: String,
}

/// A range of records of one origin, both ends included, with the chain at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Range {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// The chain at the last one.
    pub chain: Chain,
}

/// `POST /agent/v1/hello`: each heartbeat, and first of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HelloRequest {
    /// The agent's incarnation.
    pub origin: OriginId,
    /// Its rank; 0 when none is fixed yet: the answer tells the highest of this machine.
    pub rank: u64,
    /// What the spool has: from the first record kept to the last one written. Empty when nothing was ever written.
    pub ranges: Vec<Range>,
    /// The present boot.
    pub boot: BootId,
    /// Milliseconds on a clock that only goes forward.
    pub monotonic_ms: u64,
    /// The machine's clock, in ms since 1970 UTC.
    pub wall_ms: i64,
    /// Why it is here: `preferred`, or the failure that it met at the other server.
    pub why: String,
    /// The highest epoch that it has seen.
    #[serde(default)]
    pub epoch: Epoch,
    /// How many records wait in the spool.
    pub spool: u64,
    /// Whether it could reach each server when it last tried, by address.
    #[serde(default)]
    pub reaches: Vec<Reach>,
    /// The fingerprints of the servers' certificates that it trusts and has written down, those announced included.
    #[serde(default)]
    pub pins: Vec<String>,
    /// The program and its version.
    pub version: String,
}

/// Whether an agent can reach a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reach {
    /// The server's address.
    pub url: String,
    /// Whether it answered.
    pub ok: bool,
}

/// The answer to [`HelloRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HelloResponse {
    /// `ok`, or `rewound`: what the agent told does not match what the servers hold, and it must take a new origin and
    /// write its spool again under it, from after the last record proved held.
    pub verdict: HelloVerdict,
    /// The last number, up to which the agent's chain is what the servers hold (for `rewound`; 0: none).
    pub proved: u64,
    /// The server's epoch.
    pub epoch: Epoch,
    /// What this server holds of the origin.
    pub held: Vec<Range>,
    /// What the other server holds of it, as far as this one knows. Absent: the zone has no other server.
    pub peer_held: Option<Vec<Range>>,
    /// The highest rank of this machine that this server knows.
    pub highest_rank: u64,
    /// The settings that an agent needs.
    pub settings: AgentSettings,
    /// Both servers, the Primary first.
    pub servers: Vec<ServerAddress>,
    /// The server's clock less the agent's, in ms.
    pub skew_ms: i64,
}

/// Whether the servers recognize an agent's numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HelloVerdict {
    /// Go on.
    Ok,
    /// Take a new origin.
    Rewound,
}

/// The zone's settings that an agent needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentSettings {
    /// What to answer when no server does.
    pub offline_policy: OfflinePolicy,
    /// Seconds between two hellos.
    pub heartbeat_seconds: u32,
    /// Milliseconds after which the Backup is asked too.
    pub ask_backup_after_ms: u32,
    /// Milliseconds after which the offline policy decides.
    pub give_up_after_ms: u32,
    /// The most records to keep.
    pub spool_cap: u32,
    /// What to tell somebody whom the offline policy refuses; empty for a text of the agent's own.
    #[serde(default)]
    pub offline_message: String,
    /// Whether the first of the servers is the Backup.
    #[serde(default)]
    pub backup_first: bool,
}

/// `POST /agent/v1/events`: records of one origin whose numbers follow one another.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsRequest {
    /// The agent's incarnation.
    pub origin: OriginId,
    /// Its rank.
    pub rank: u64,
    /// The chain before the first record; nil (all zeros) before number 1.
    pub before: Chain,
    /// The records.
    pub records: Vec<WireRecord>,
}

/// One record of a batch. Its payload is hashed and kept to the byte as it stands in the body.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WireRecord {
    /// Its number.
    pub seq: u64,
    /// The machine, where it is not the token's (then the record is rejected and kept as such).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Its kind's number.
    pub kind: u16,
    /// The writer's clock, in ms since 1970 UTC.
    pub at: i64,
    /// Its chain.
    pub chain: Chain,
    /// What it says.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Box<RawValue>,
}

/// The answer to [`EventsRequest`], given when the batch is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsResponse {
    /// What this server holds of the origin.
    pub held: Vec<Range>,
    /// What the other server holds of it, as far as this one knows. Absent: the zone has no other server.
    pub peer_held: Option<Vec<Range>>,
    /// The records of this batch that were rejected, with their codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// A record that was not acceptable. It counts as held: send the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rejected {
    /// Its number.
    pub seq: u64,
    /// Why.
    pub code: crate::record::RejectCode,
}

/// `POST /agent/v1/decisions`: may this user open this session?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionRequest {
    /// The request: the same at both servers, and when it is sent again.
    pub decision_id: DecisionId,
    /// Who asks, from where, for which type of session.
    #[serde(flatten)]
    pub who: Who,
    /// The groups of the user on that machine.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Set when the other server failed: then every server answers.
    #[serde(default)]
    pub last_resort: bool,
}

/// The answer to [`DecisionRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionResponse {
    /// The request.
    pub decision_id: DecisionId,
    /// Whether the session may be opened.
    pub allow: bool,
    /// Why.
    pub reason: String,
    /// What to tell a user who is refused, in the zone's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The rule that decided, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The sessions that count, for a denial.
    #[serde(default)]
    pub open: Vec<OpenElsewhere>,
    /// The server's epoch.
    pub epoch: Epoch,
    /// Whether the server could not know all that its peer knows.
    pub degraded: bool,
}

/// A session that counts against a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenElsewhere {
    /// The machine.
    pub machine: String,
    /// The type.
    #[serde(rename = "type")]
    pub session_type: SessionType,
    /// When it was opened, in ms since 1970 UTC; absent for a grant that no logon has used yet.
    pub since: Option<i64>,
}

/// `POST /agent/v1/commands`: a long poll. It also acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandsRequest {
    /// Seconds to wait for a command (at most 25).
    pub wait_seconds: u32,
    /// The commands that were taken; they are not told again.
    #[serde(default)]
    pub taken: Vec<CommandId>,
}

/// The answer to [`CommandsRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandsResponse {
    /// What to do, oldest first, each still valid for so long.
    pub commands: Vec<TimedCommand>,
}

/// A command with the time for which it may be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimedCommand {
    /// Milliseconds from the moment that the answer was written.
    pub valid_ms: u64,
    /// The command.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub command: Command,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_certificate_and_by_the_announced_one() {
        let server = ServerAddress { next: Some("new".into()), ..ServerAddress::new("https://a", "old") };
        assert_eq!(server.pins().collect::<Vec<_>>(), ["old", "new"]);
        assert!(server.trusts_newest_of(&server));
        assert!(ServerAddress::new("https://a", "new").trusts_newest_of(&server), "after it was replaced");
        assert!(!ServerAddress::new("https://a", "old").trusts_newest_of(&server));
        let plain = ServerAddress::new("http://127.0.0.1:1", "");
        assert!(plain.trusts_newest_of(&plain) && plain.pins().next().is_none());
        let before: ServerAddress = serde_json::from_str(r#"{"url":"https://a","fingerprint":"old"}"#).unwrap();
        assert_eq!(before, ServerAddress::new("https://a", "old"));
    }

    #[test]
    fn an_enrolment_string_is_read_back_and_nothing_else_is() {
        let server = ServerAddress { next: Some("cd".into()), ..ServerAddress::new("https://a:8443", "ab") };
        let enrolment = Enrolment { servers: vec![server], key: "k".into() };
        let text = enrolment.to_text();
        assert_eq!(Enrolment::from_text(&format!(" {text}\n")), Ok(enrolment));
        for bad in ["", "userlock1.", "userlock1.0", "userlock1.zz", "userlock2.00", &text[..text.len() - 2]] {
            assert_eq!(Enrolment::from_text(bad), Err(InvalidEnrolment), "{bad}");
        }
    }
}
