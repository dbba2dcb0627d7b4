//! Settings: those of the zone, which the Primary holds and the Backup shows, and each server's own.
//!
//! A document is immutable. A change makes the next revision, which names the one before it.

mod database;
mod email;
mod own;
mod protected;
mod secret;
mod zone;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use database::{DEFAULT_ARCHIVE, Database, DatabaseKind, DatabaseTls, MAX_RETENTION_DAYS};
pub use email::{Email, MailTls};
pub use own::{OwnSettings, PrimaryAddress, Synchronization};
pub use protected::{Limits, ProtectedAccount, ProtectedAccountInput, Subject, SubjectKind};
pub use secret::{MAX_SECRET_BYTES, Secret};
pub use zone::{
    Agents, General, LocalAccount, OfflinePolicy, Policy, Retention, Role, Security, StoredToken, ZoneSettings,
};

use crate::id::{Epoch, SettingsHash, hash128};

/// A field that cannot be as it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The field, as a path: `general.time_zone`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl FieldError {
    /// Says what is wrong with a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Refuses what is longer than so many bytes, or has control characters.
fn line(field: &str, value: &str, max: usize) -> Result<(), FieldError> {
    if value.chars().any(char::is_control) {
        return Err(FieldError::new(field, "must not have control characters"));
    }
    if value.len() > max {
        return Err(FieldError::new(field, format!("must have at most {max} characters")));
    }
    Ok(())
}

/// Refuses what is neither the name nor the address of a host.
fn host(field: &str, value: &str) -> Result<(), FieldError> {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let is_right = (1..=253).contains(&value.len()) && (is_name(value) || value.parse::<std::net::IpAddr>().is_ok());
    if is_right {
        return Ok(());
    }
    Err(FieldError::new(field, "must be the name or address of a host, without a port"))
}

/// Which settings document it is: the epoch that wrote it, its number, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revision {
    /// The epoch in which it was written.
    pub epoch: Epoch,
    /// From 1, one after another.
    pub n: u64,
    /// Over the document and the revision before.
    pub hash: SettingsHash,
}

/// `EPOCH.N`, as people see it, and as `ETag` and `If-Match` carry it with the hash behind.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.number, self.n)
    }
}

impl Revision {
    /// The text for `ETag` and `If-Match`, with its quotation marks.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{self}-{}\"", self.hash)
    }
}

/// One revision of the zone's settings, with who made it and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneDocument {
    /// Its name.
    pub revision: Revision,
    /// The one that it came from.
    pub before: Option<Revision>,
    /// When it was made, in ms since 1970 UTC.
    pub at: i64,
    /// Who made it.
    pub by: String,
    /// What was changed: a section's slug.
    pub section: String,
    /// Why, if told.
    pub reason: Option<String>,
    /// The settings.
    pub settings: ZoneSettings,
}

/// Who changes what, and why.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The epoch of the server that writes.
    pub epoch: Epoch,
    /// The clock, in ms since 1970 UTC.
    pub at: i64,
    /// Who.
    pub by: &'a str,
    /// A section's slug.
    pub section: &'a str,
    /// Why, if told.
    pub reason: Option<&'a str>,
}

impl ZoneDocument {
    /// The document after `before`, or the first.
    ///
    /// # Errors
    /// [`FieldError`] when a setting cannot be so.
    pub fn next(before: Option<&Self>, settings: ZoneSettings, change: Change<'_>) -> Result<Self, FieldError> {
        settings.check()?;
        let previous = before.map(|d| d.revision);
        let n = previous.map_or(1, |r| r.n + 1);
        let hash = hash_of(&settings, previous.as_ref());
        Ok(Self {
            revision: Revision { epoch: change.epoch, n, hash },
            before: previous,
            at: change.at,
            by: change.by.to_owned(),
            section: change.section.to_owned(),
            reason: change.reason.map(str::to_owned),
            settings,
        })
    }

    /// Whether its hash is that of its contents.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        self.revision.hash == hash_of(&self.settings, self.before.as_ref())
    }
}

/// The hash over a document and the revision before. A document that cannot be encoded (there is none) hashes as empty.
fn hash_of(settings: &ZoneSettings, before: Option<&Revision>) -> SettingsHash {
    let body = postcard::to_allocvec(settings).unwrap_or_default();
    let before = before.map(|r| r.hash.0).unwrap_or_default();
    SettingsHash(hash128("userlock settings 1", &[&before, &body]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(section: &str) -> Change<'_> {
        Change { epoch: Epoch { number: 1, ..Epoch::default() }, at: 1, by: "admin", section, reason: None }
    }

    #[test]
    fn revisions_name_the_one_before() {
        let first = ZoneDocument::next(None, ZoneSettings::default(), change("general")).unwrap();
        let mut settings = first.settings.clone();
        settings.general.zone_name = "north".into();
        let second = ZoneDocument::next(Some(&first), settings.clone(), change("general")).unwrap();
        assert_eq!((second.revision.n, second.before), (2, Some(first.revision)));
        assert!(first.is_genuine() && second.is_genuine());
        let forged = ZoneDocument { settings: ZoneSettings::default(), ..second.clone() };
        assert!(!forged.is_genuine());
        let elsewhere = ZoneDocument::next(None, settings, change("general")).unwrap();
        assert_ne!(elsewhere.revision.hash, second.revision.hash, "the past is part of the hash");
    }
}
