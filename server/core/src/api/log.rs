//! The application log, settings and protected accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    account::Realms,
    settings::{General, OfflinePolicy, Policy, PrimaryAddress, ProtectedAccount, Synchronization},
};

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

/// The section `general` as it is read. The first three belong to each server: they may be written back as they are,
/// and cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GeneralSection {
    /// This server's role.
    #[serde(default)]
    pub role: Option<super::ServerRole>,
    /// This server's name.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The program's version.
    #[serde(default)]
    pub version: Option<String>,
    /// The name of the protected zone.
    pub zone_name: String,
    /// Which of two rules of equal rank wins.
    pub policy: Policy,
    /// What agents answer when no server does.
    pub offline_policy: OfflinePolicy,
    /// Whether sessions that a changed rule no longer allows are logged off.
    pub log_off_disallowed: bool,
    /// The zone's time zone, by its IANA name.
    pub time_zone: String,
    /// Sets of realms that are one.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<String>>))]
    pub realms: Realms,
}

impl GeneralSection {
    /// The section with what belongs to the server that shows it.
    #[must_use]
    pub fn of(general: General, role: super::ServerRole, server_name: String, version: String) -> Self {
        let General { zone_name, policy, offline_policy, log_off_disallowed, time_zone, realms } = general;
        Self {
            role: Some(role),
            server_name: Some(server_name),
            version: Some(version),
            zone_name,
            policy,
            offline_policy,
            log_off_disallowed,
            time_zone,
            realms,
        }
    }

    /// The zone's part of it.
    #[must_use]
    pub fn general(self) -> General {
        let Self { zone_name, policy, offline_policy, log_off_disallowed, time_zone, realms, .. } = self;
        General { zone_name, policy, offline_policy, log_off_disallowed, time_zone, realms }
    }
}

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

impl From<Synchronization> for SynchronizationSection {
    fn from(own: Synchronization) -> Self {
        let Synchronization { primary, enabled, interval_seconds, continuous, service_account } = own;
        let PrimaryAddress { url: primary_url, fingerprint: primary_fingerprint } = primary;
        Self { primary_url, primary_fingerprint, enabled, interval_seconds, continuous, service_account }
    }
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

/// A rule, with what a change of it has to name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtectedAccountView {
    /// The rule.
    #[serde(flatten)]
    pub account: ProtectedAccount,
    /// The rule's own `ETag`, to give back with a change: it is another one when this rule is.
    pub etag: String,
}
