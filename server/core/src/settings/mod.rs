//! Settings: those of the zone, which the Primary holds and the Backup shows, and each server's own.
//!
//! A document is immutable. A change makes the next revision, which names the one before it.

mod database;
mod email;
mod messages;
mod notifications;
mod own;
mod protected;
mod secret;
mod security;
mod zone;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use database::{DEFAULT_ARCHIVE, Database, DatabaseKind, DatabaseTls, MAX_RETENTION_DAYS};
pub use email::{Email, MailTls};
pub use messages::{Messages, expand};
pub use notifications::Notifications;
pub use own::{OwnSettings, PrimaryAddress, Synchronization};
pub use protected::{Limits, ProtectedAccount, ProtectedAccountInput, Subject, SubjectKind};
pub use secret::{MAX_SECRET_BYTES, Secret};
pub use security::{
    Access, Area, LocalAccount, OwnRole, Right, Rights, Role, Security, StoredToken, role_title, role_titles,
};
pub use zone::{Agents, ContactOrder, General, OfflinePolicy, Policy, Retention, ZoneSettings};

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
///
/// What it says is kept as the text that its writer made: a server of another version passes on, and hashes, what it does
/// not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredDocument", into = "StoredDocument")]
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
    /// The settings as they were written.
    body: Arc<str>,
}

/// A document as it is kept and sent.
#[derive(Clone, Serialize, Deserialize)]
struct StoredDocument {
    revision: Revision,
    before: Option<Revision>,
    at: i64,
    by: String,
    section: String,
    reason: Option<String>,
    body: Arc<str>,
}

impl From<ZoneDocument> for StoredDocument {
    fn from(document: ZoneDocument) -> Self {
        let ZoneDocument { revision, before, at, by, section, reason, settings: _, body } = document;
        Self { revision, before, at, by, section, reason, body }
    }
}

impl TryFrom<StoredDocument> for ZoneDocument {
    type Error = serde_json::Error;

    fn try_from(stored: StoredDocument) -> Result<Self, Self::Error> {
        let settings = serde_json::from_str(&stored.body)?;
        let StoredDocument { revision, before, at, by, section, reason, body } = stored;
        Ok(Self { revision, before, at, by, section, reason, settings, body })
    }
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
        // Every setting can be written as JSON: all keys are texts.
        let body: Arc<str> = serde_json::to_string(&settings).unwrap_or_default().into();
        let hash = hash_of(&body, previous.as_ref());
        Ok(Self {
            revision: Revision { epoch: change.epoch, n, hash },
            before: previous,
            at: change.at,
            by: change.by.to_owned(),
            section: change.section.to_owned(),
            reason: change.reason.map(str::to_owned),
            settings,
            body,
        })
    }

    /// Whether its hash is that of its contents.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        self.revision.hash == hash_of(&self.body, self.before.as_ref())
    }
}

/// The hash over a document's text and the revision before.
fn hash_of(body: &str, before: Option<&Revision>) -> SettingsHash {
    let before = before.map(|r| r.hash.0).unwrap_or_default();
    SettingsHash(hash128("userlock settings 2", &[&before, body.as_bytes()]))
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
        let forged = ZoneDocument { body: first.body.clone(), ..second.clone() };
        assert!(!forged.is_genuine());
        let sent = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<ZoneDocument>(&sent).unwrap(), second);
        let later = sent.replace("{\\\"general\\\":{", "{\\\"later\\\":1,\\\"general\\\":{");
        assert_ne!(later, sent);
        let read: ZoneDocument = serde_json::from_str(&later).unwrap();
        assert_eq!(read.settings, second.settings, "what a later version added is passed over");
        assert_eq!(serde_json::to_string(&read).unwrap(), later, "and passed on");
        let elsewhere = ZoneDocument::next(None, settings, change("general")).unwrap();
        assert_ne!(elsewhere.revision.hash, second.revision.hash, "the past is part of the hash");
    }
}
