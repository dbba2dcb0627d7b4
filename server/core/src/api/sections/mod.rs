//! The sections of Properties that the zone shares, as they are read and written back.

mod revisions;
mod security;

use serde::{Deserialize, Serialize};

pub use revisions::{FieldChange, RevisionDifference, RevisionView};
pub use security::{AccountField, RoleField, SecuritySection, SignInView, TokenField};

use super::SecretField;
use crate::settings::{Agents, ContactOrder, FieldError, Messages, Notifications, Retention, ZoneSettings};

/// A section, of whatever kind.
#[derive(Debug, Clone, PartialEq)]
pub struct SectionBody {
    /// Its fields.
    pub value: serde_json::Value,
    /// The `ETag` to give back with a change.
    pub etag: String,
    /// Why it cannot be changed here, where it cannot.
    pub read_only: Option<super::ReadOnly>,
}

/// A section of the zone's settings: how it is read, and how it is written back.
pub trait ZoneSection: Sized {
    /// Its name in addresses.
    const SLUG: &'static str;

    /// The section as it is.
    fn of(settings: &ZoneSettings) -> Self;

    /// Takes over what was written. The settings are checked as a whole afterwards.
    ///
    /// # Errors
    /// [`FieldError`], the field as the section has it.
    fn put(self, settings: &mut ZoneSettings) -> Result<(), FieldError>;
}

/// The section `agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentsSection {
    /// What machines are enrolled with. A new one is made by `POST /api/v1/enrolment-key`, not written.
    #[serde(default)]
    pub enrolment_key: SecretField,
    /// Seconds between two signs of life of an agent that has nothing to say: 1 to 3,600.
    pub heartbeat_seconds: u32,
    /// Seconds of silence after which a machine's sessions are unconfirmed: 2 to 86,400.
    pub unconfirmed_after_seconds: u32,
    /// Which server agents prefer.
    pub contact_order: ContactOrder,
    /// Milliseconds without an answer of the preferred server after which the other one is asked too: 10 to 10,000.
    pub ask_backup_after_ms: u32,
    /// Milliseconds after which an agent decides by the offline policy: 100 to 30,000.
    pub give_up_after_ms: u32,
    /// The most records that an agent keeps on its disk: 100 to 10,000,000.
    pub spool_cap: u32,
}

impl ZoneSection for AgentsSection {
    const SLUG: &'static str = "agents";

    fn of(settings: &ZoneSettings) -> Self {
        let agents = settings.agents.clone();
        Self {
            enrolment_key: SecretField::told(!agents.zone_key_hash.is_empty()),
            heartbeat_seconds: agents.heartbeat_seconds,
            unconfirmed_after_seconds: agents.unconfirmed_after_seconds,
            contact_order: agents.contact_order,
            ask_backup_after_ms: agents.ask_backup_after_ms,
            give_up_after_ms: agents.give_up_after_ms,
            spool_cap: agents.spool_cap,
        }
    }

    fn put(self, settings: &mut ZoneSettings) -> Result<(), FieldError> {
        if !self.enrolment_key.is_kept() {
            let message = "is made by POST /api/v1/enrolment-key, which tells it once";
            return Err(FieldError::new("enrolment_key", message));
        }
        settings.agents = Agents {
            zone_key_hash: std::mem::take(&mut settings.agents.zone_key_hash),
            heartbeat_seconds: self.heartbeat_seconds,
            unconfirmed_after_seconds: self.unconfirmed_after_seconds,
            contact_order: self.contact_order,
            ask_backup_after_ms: self.ask_backup_after_ms,
            give_up_after_ms: self.give_up_after_ms,
            spool_cap: self.spool_cap,
        };
        Ok(())
    }
}

impl ZoneSection for Messages {
    const SLUG: &'static str = "messages";

    fn of(settings: &ZoneSettings) -> Self {
        settings.messages.clone()
    }

    fn put(self, settings: &mut ZoneSettings) -> Result<(), FieldError> {
        settings.messages = self;
        Ok(())
    }
}

impl ZoneSection for Notifications {
    const SLUG: &'static str = "notifications";

    fn of(settings: &ZoneSettings) -> Self {
        settings.notifications.clone()
    }

    fn put(self, settings: &mut ZoneSettings) -> Result<(), FieldError> {
        settings.notifications = self;
        Ok(())
    }
}

impl ZoneSection for Retention {
    const SLUG: &'static str = "retention";

    fn of(settings: &ZoneSettings) -> Self {
        settings.retention.clone()
    }

    fn put(self, settings: &mut ZoneSettings) -> Result<(), FieldError> {
        settings.retention = self;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::{LocalAccount, Security, StoredToken};

    #[test]
    fn a_section_that_is_written_back_changes_nothing() {
        let account = LocalAccount {
            name: "admin".into(),
            password_hash: "h".into(),
            roles: vec!["administrator".into()],
            disabled: false,
        };
        let token = StoredToken { name: "t".into(), hash: "x".into(), role: "operator".into(), at: 1, expires: None };
        let mut settings = ZoneSettings {
            security: Security { accounts: vec![account], tokens: vec![token], ..Security::default() },
            ..ZoneSettings::default()
        };
        let before = settings.clone();
        AgentsSection::of(&before).put(&mut settings).unwrap();
        Messages::of(&before).put(&mut settings).unwrap();
        Notifications::of(&before).put(&mut settings).unwrap();
        Retention::of(&before).put(&mut settings).unwrap();
        let section = SecuritySection::of(&before.security);
        let json = serde_json::to_string(&section).unwrap();
        assert!(!json.contains("\"h\"") && !json.contains("\"x\""), "{json}");
        section.clone().put(&BTreeMap::new(), &mut settings.security).unwrap();
        assert_eq!(settings, before);

        let mut more = section.clone();
        more.accounts.push(AccountField { name: "Bob".into(), ..section.accounts[0].clone() });
        assert_eq!(more.clone().put(&BTreeMap::new(), &mut settings.security).unwrap_err().field, "accounts");
        more.accounts[1].password = SecretField::New("secret".into());
        let hashes = BTreeMap::from([("bob".to_owned(), "hb".to_owned())]);
        more.put(&hashes, &mut settings.security).unwrap();
        assert_eq!(settings.security.accounts[1].password_hash, "hb");
        let mut fewer = section.clone();
        fewer.tokens[0].name = "other".into();
        assert_eq!(fewer.put(&hashes, &mut settings.security).unwrap_err().field, "tokens");
        let mut older = section.clone();
        older.tokens[0].at = 0;
        assert_eq!(older.put(&hashes, &mut settings.security).unwrap_err().field, "tokens", "it was made when it was");
        let key = AgentsSection { enrolment_key: SecretField::New("x".into()), ..AgentsSection::of(&before) };
        assert_eq!(key.put(&mut settings).unwrap_err().field, "enrolment_key");
    }
}
