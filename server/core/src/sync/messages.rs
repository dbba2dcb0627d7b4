//! The messages between servers. The Backup asks, the Primary answers.
//!
//! Each is one `postcard` frame, records follow as frames of their own. The protocol's version stands in the header
//! [`VERSION_HEADER`]; a server that does not speak it refuses by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    agent_api::{Range, ServerAddress},
    api::{PhaseView, ServerRole},
    id::{Digest, Epoch, LogId, OriginId, ServerId, ZoneId},
    record::{Machine, Run},
    server::Cursor,
    settings::Revision,
};

/// The version of this protocol.
pub const PROTOCOL_VERSION: u32 = 1;
/// The header that carries it, in every exchange and its answer.
pub const VERSION_HEADER: &str = "userlock-replication-version";
/// The media type of a stream of frames.
pub const MEDIA_TYPE: &str = "application/vnd.userlock.frames";
/// A page of records ends with the segment with which it reaches this size, in bytes.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The most seconds that a pull waits for a record.
pub const MAX_WAIT_SECONDS: u32 = 25;

/// The answer to `POST /replication/v1/about` (JSON): what a server tells whoever asks, before anybody has signed in. It
/// is enough to see that the address is the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its role.
    pub role: ServerRole,
    /// Its name.
    pub server_name: String,
    /// Its zone.
    pub zone_id: ZoneId,
    /// The zone's name.
    pub zone_name: String,
    /// Its program's version.
    pub version: String,
    /// Its clock, in ms since 1970 UTC.
    pub clock: i64,
}

/// `POST /replication/v1/join` (JSON): a Backup signs in with its service account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The service account.
    pub account: String,
    /// Its password, used once and not kept.
    pub password: String,
    /// The Backup.
    pub server_id: ServerId,
    /// Its name.
    pub server_name: String,
    /// Where it can be reached.
    pub address: ServerAddress,
    /// The protocol that it speaks.
    pub protocol_version: u32,
    /// Its program's version.
    pub version: String,
    /// Its clock, in ms since 1970 UTC.
    pub clock: i64,
    /// Whether only the checks are wanted.
    pub check_only: bool,
    /// Whether it may take the place of another Backup of this zone.
    #[serde(default)]
    pub replace: bool,
}

/// The answer to [`JoinRequest`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinResponse {
    /// The token for this server and this account; empty when only the checks were wanted.
    pub token: String,
    /// The zone.
    pub zone_id: ZoneId,
    /// Its name.
    pub zone_name: String,
    /// The Primary.
    pub server_id: ServerId,
    /// Its name.
    pub server_name: String,
    /// The epoch.
    pub epoch: Epoch,
    /// Its program's version.
    pub version: String,
    /// Its clock, in ms since 1970 UTC.
    pub clock: i64,
}

/// What a server tells of itself in each hello, as question and as answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The server.
    pub server_id: ServerId,
    /// Its zone.
    pub zone_id: ZoneId,
    /// Its name.
    pub name: String,
    /// Where it can be reached.
    pub address: ServerAddress,
    /// How it knows the server that it speaks with: by which certificates.
    pub knows: Option<ServerAddress>,
    /// Its phase.
    pub phase: PhaseView,
    /// The epoch that it knows.
    pub epoch: Epoch,
    /// Its log.
    pub log_id: LogId,
    /// Its log before this start.
    pub log_id_before: LogId,
    /// The last position of its log.
    pub position: u64,
    /// Where it is in the other's log.
    pub cursor: Cursor,
    /// Over what it holds.
    pub held_digest: Digest,
    /// Over its sessions that are not closed.
    pub state_digest: Digest,
    /// How many those are.
    pub open_sessions: u64,
    /// The settings that it works by.
    pub settings: Revision,
    /// The version of its fold.
    pub fold_version: u32,
    /// Its clock, in ms since 1970 UTC.
    pub clock: i64,
    /// Whether it can commit.
    pub able: bool,
    /// The other's log of which it has pushed everything that the other lacked; nil when it has not yet.
    pub pushed_to: LogId,
    /// The agents that it has heard of lately.
    pub agents: AgentCounts,
    /// The machines that have been silent for too long, and since when (ms since 1970 UTC); the first of them. A Backup,
    /// to which agents do not speak while the Primary answers, shows these.
    pub silent: Vec<(Machine, i64)>,
    /// Its program's version.
    pub version: String,
}

/// What a server knows of its agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCounts {
    /// Heard of within the time that confirms sessions.
    pub in_touch: u64,
    /// Of those, how many have records in their spools.
    pub spooling: u64,
    /// How many records those are.
    pub waiting: u64,
    /// Of those in touch, how many could reach the Backup.
    pub reach_backup: u64,
    /// Of those in touch, how many do not know the Primary's newest certificate, announced or in use, yet.
    pub lack_primary: u64,
    /// The same of the Backup's.
    pub lack_backup: u64,
    /// How many of all that are enrolled have not said hello within that time.
    pub unheard: u64,
    /// Whether the server has been up for less than that time, so that some may not have said hello yet.
    pub just_started: bool,
}

/// `held`: what the Backup holds, by buckets; and the ranges of those known to differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRequest {
    /// The digest of each bucket.
    pub buckets: Vec<Digest>,
    /// The ranges of the buckets that the answer before this one named.
    pub ranges: BTreeMap<OriginId, Vec<Range>>,
    /// Those buckets.
    pub told: Vec<u16>,
}

/// The answer to [`HeldRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldResponse {
    /// The buckets that differ.
    pub differing: Vec<u16>,
    /// The Primary's ranges in them.
    pub ranges: BTreeMap<OriginId, Vec<Range>>,
    /// The Primary's log and its position at that moment.
    pub at: Cursor,
}

/// `pull`: records of the Primary's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullRequest {
    /// Those after a position, in pages.
    After {
        /// Where the Backup is.
        cursor: Cursor,
        /// Its own log: what came from there is left out.
        asker: LogId,
        /// Seconds to wait for a record, at most [`MAX_WAIT_SECONDS`].
        wait_seconds: u32,
    },
    /// Certain ones, by their numbers.
    Ranges(Vec<(OriginId, u64, u64)>),
}

/// The most silent machines that a hello names.
pub const MAX_SILENT: usize = 1000;

/// The first frame of the answer to [`PullRequest`]; the others are [`Vec<Run>`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullHeader {
    /// Where this page leaves the Backup. A page of no records still moves it.
    pub next: Cursor,
    /// The last position of the Primary's log.
    pub position: u64,
    /// Whether records that were asked for are not in the log any more: only a snapshot brings what they said.
    pub truncated: bool,
}

/// The first frame of `push`; the others are [`Vec<Run>`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushHeader {
    /// The Backup's log.
    pub log_id: LogId,
}

/// The answer to `push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushResponse {
    /// They are on the disk.
    Taken {
        /// How many were new.
        new: u64,
    },
    /// Two writers use one name; nothing was taken.
    Fork(crate::held::Fork),
}

/// Records of the log, as a frame.
pub type RunsFrame = Vec<Run>;
