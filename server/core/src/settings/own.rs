//! The settings of one server alone. No synchronization ever touches them.

use serde::{Deserialize, Serialize};

use super::{Database, Email, FieldError};
use crate::api::ServerRole;

/// Everything that belongs to this server. It has passwords in clear: it is kept in this server's private store, and
/// leaves it only as the sections that are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct OwnSettings {
    /// From 1; grows by one at each change.
    pub revision: u64,
    /// Section `synchronization`; present on a Backup.
    pub synchronization: Option<Synchronization>,
    /// Section `email`.
    #[serde(default)]
    pub email: Email,
    /// Section `database`; absent until somebody changes it: then it is that of the role, see [`Self::database_of`].
    #[serde(default)]
    pub database: Option<Database>,
}

impl OwnSettings {
    /// The section `database` of a server of this role.
    #[must_use]
    pub fn database_of(&self, role: ServerRole) -> Database {
        self.database.clone().unwrap_or_else(|| Database::of(role))
    }

    /// The text for `ETag` and `If-Match`, with its quotation marks.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"own-{}\"", self.revision)
    }
}

/// Where the Primary is, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryAddress {
    /// `https://NAME:PORT`; `http://` on a loopback address only.
    pub url: String,
    /// The SHA-256 fingerprint of its certificate in hex; empty for plain HTTP.
    pub fingerprint: String,
}

/// Section `synchronization` of a Backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synchronization {
    /// The Primary.
    pub primary: PrimaryAddress,
    /// Whether Events synchronization runs by schedule.
    pub enabled: bool,
    /// Seconds between two scheduled runs: 1 to 86,400.
    pub interval_seconds: u32,
    /// Whether this Backup also tails the Primary between two runs.
    pub continuous: bool,
    /// The account that this Backup joined with.
    pub service_account: String,
}

impl Synchronization {
    /// The defaults for a Backup of this Primary.
    #[must_use]
    pub fn of(primary: PrimaryAddress, service_account: String) -> Self {
        Self { primary, enabled: true, interval_seconds: 60, continuous: true, service_account }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        if !(1..=86_400).contains(&self.interval_seconds) {
            return Err(FieldError::new("interval_seconds", "must be from 1 to 86400 (24 hours)"));
        }
        let url = &self.primary.url;
        let host = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        let name =
            host.map(|h| h.rsplit_once(':').map_or(h, |(name, port)| if port.ends_with(']') { h } else { name }));
        if name.is_some_and(|n| n != "localhost" && !n.starts_with("127.") && n != "[::1]") {
            let message = "plain HTTP goes to a loopback address only: use https://";
            return Err(FieldError::new("primary_url", message));
        }
        if url.len() > 512 || !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(FieldError::new("primary_url", "must be an address such as https://server.example:8443"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DatabaseKind;

    #[test]
    fn what_was_kept_by_a_version_before_has_the_defaults_of_the_role() {
        let own: OwnSettings = serde_json::from_str(r#"{"revision":3,"synchronization":null}"#).unwrap();
        assert_eq!(own, OwnSettings { revision: 3, ..OwnSettings::default() });
        assert_eq!(own.database_of(ServerRole::Primary).kind, DatabaseKind::Sqlite);
        assert_eq!(own.database_of(ServerRole::Backup).kind, DatabaseKind::Off);
        assert_eq!(own.etag(), "\"own-3\"");
    }
}
