//! The application log, settings and protected accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::settings::{General, ProtectedAccount};

/// How much an event of the product matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Level {
    /// For information.
    Information,
    /// To be looked at.
    Warning,
    /// Broken.
    Error,
}

/// One event of the product itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEvent {
    /// Its number in this server's log.
    pub number: u64,
    /// What it is: stable and documented.
    pub id: u32,
    /// `UserLock`.
    pub source: String,
    /// How much it matters.
    pub level: Level,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// What happened, what was kept, what to do.
    pub message: String,
    /// The rest: both servers, operation, stage, address, status or error, retry time, position.
    pub details: BTreeMap<String, String>,
}

/// Which events of the product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogQuery {
    /// Of this level and above.
    pub level: Option<Level>,
    /// With this id.
    pub id: Option<u32>,
    /// Not before, in ms since 1970 UTC.
    pub from: Option<i64>,
    /// Before, in ms since 1970 UTC.
    pub to: Option<i64>,
    /// 1 to 500; 50 when absent.
    pub limit: Option<u32>,
    /// From `next` of the page before.
    pub cursor: Option<String>,
}

/// The section `general` as it is read: the zone's part can be written back, the rest is each server's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GeneralSection {
    /// This server's role. Not written.
    pub role: super::ServerRole,
    /// This server's name. Not written.
    pub server_name: String,
    /// The program's version. Not written.
    pub version: String,
    /// The zone's settings.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub general: GeneralFields,
}

/// The zone's part of the section `general`.
pub type GeneralFields = General;

/// The section `synchronization` of a Backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SynchronizationSection {
    /// The Primary's address.
    pub primary_url: String,
    /// The fingerprint of its certificate.
    pub primary_fingerprint: String,
    /// Whether Events synchronization runs by schedule.
    pub enabled: bool,
    /// Seconds between two scheduled runs: 1 to 86,400.
    pub interval_seconds: u32,
    /// Whether the Primary is tailed between two runs.
    pub continuous: bool,
    /// The account that this Backup joined with. Not written: joining again changes it.
    pub service_account: String,
}

/// A section with its revision, for the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section<T> {
    /// Its contents.
    pub value: T,
    /// The `ETag` to give back with a change.
    pub etag: String,
    /// Why it cannot be changed here, where it cannot.
    pub read_only: Option<ReadOnly>,
}

/// Why settings cannot be changed on this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOnly {
    /// In words.
    pub reason: String,
    /// The Primary's address, where they can.
    pub primary_url: Option<String>,
    /// Its name, where known.
    pub primary_name: Option<String>,
}

/// A rule with its revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtectedAccountView {
    /// The rule.
    #[serde(flatten)]
    pub account: ProtectedAccount,
    /// The `ETag` to give back with a change.
    pub etag: String,
}
