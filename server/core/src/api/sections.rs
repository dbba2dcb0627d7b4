//! The sections of Properties, as they are read and written back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SecretState;
use crate::{
    id::Digest,
    settings::{
        Access, Agents, Area, ContactOrder, FieldError, LocalAccount, Messages, Notifications, OwnRole, Retention,
        Security, StoredToken, ZoneSettings,
    },
};

/// A secret in a section: it is never read. Written back as it was read it stays; a text takes its place.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SecretField {
    /// Whether there is one.
    Kept(SecretState),
    /// A new one. Never read.
    New(String),
}

/// Only whether it is set.
impl Serialize for SecretField {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let set = match self {
            Self::Kept(state) => state.set,
            Self::New(_) => true,
        };
        SecretState { set }.serialize(serializer)
    }
}

impl std::fmt::Debug for SecretField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Kept(_)) { "Kept" } else { "New" })
    }
}

impl SecretField {
    /// How a secret reads.
    #[must_use]
    pub fn told(set: bool) -> Self {
        Self::Kept(SecretState { set })
    }
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
        if matches!(self.enrolment_key, SecretField::New(_)) {
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

/// The section `security`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecuritySection {
    /// Minutes after which a sign-in ends without activity: 1 to 10,080.
    pub session_minutes: u32,
    /// Who may sign in.
    pub accounts: Vec<AccountField>,
    /// The zone's own roles. `administrator`, `operator` and `read_only` are always there.
    pub roles: Vec<RoleField>,
    /// The API tokens. They are made by `POST /api/v1/tokens`; one that is left out here is revoked.
    pub tokens: Vec<TokenField>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountField {
    /// Its name; case does not count.
    pub name: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// Whether it may not sign in for now.
    #[serde(default)]
    pub disabled: bool,
    /// Its password; a text sets it anew and ends the account's sign-ins.
    pub password: SecretField,
}

/// A role of the zone's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleField {
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What it gives or denies, by area. To write implies to read; what one role denies no other gives.
    pub rights: BTreeMap<Area, Access>,
}

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenField {
    /// What it is for.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// When it was made, in ms since 1970 UTC. Not written.
    pub at: i64,
    /// When it ends, in ms since 1970 UTC; never when absent.
    #[serde(default)]
    pub expires: Option<i64>,
}

impl SecuritySection {
    /// The section as it is.
    #[must_use]
    pub fn of(security: &Security) -> Self {
        let account = |account: &LocalAccount| AccountField {
            name: account.name.clone(),
            roles: account.roles.clone(),
            disabled: account.disabled,
            password: SecretField::told(true),
        };
        let token = |token: &StoredToken| TokenField {
            name: token.name.clone(),
            role: token.role.clone(),
            at: token.at,
            expires: token.expires,
        };
        Self {
            session_minutes: security.session_minutes,
            accounts: security.accounts.iter().map(account).collect(),
            roles: security.roles.iter().cloned().map(|OwnRole { name, rights }| RoleField { name, rights }).collect(),
            tokens: security.tokens.iter().map(token).collect(),
        }
    }

    /// Takes over what was written. `hashes` has the hash of each password that was given, by the account's name,
    /// case-folded.
    ///
    /// # Errors
    /// [`FieldError`], the field as the section has it.
    pub fn put(self, hashes: &BTreeMap<String, String>, security: &mut Security) -> Result<(), FieldError> {
        let mut accounts = Vec::with_capacity(self.accounts.len());
        for account in self.accounts {
            let name = crate::account::fold_case(&account.name);
            let known = security.accounts.iter().find(|known| known.name == name);
            let hash = match &account.password {
                SecretField::New(_) => hashes.get(&name).cloned(),
                SecretField::Kept(_) => known.map(|known| known.password_hash.clone()),
            };
            let password_hash =
                hash.ok_or_else(|| FieldError::new("accounts", format!("the new account {name} needs a password")))?;
            accounts.push(LocalAccount { name, password_hash, roles: account.roles, disabled: account.disabled });
        }
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for token in self.tokens {
            let known = security.tokens.iter().find(|known| known.name == token.name);
            let known = known.ok_or_else(|| {
                let message =
                    format!("there is no token {}: POST /api/v1/tokens makes one, and tells it once", token.name);
                FieldError::new("tokens", message)
            })?;
            tokens.push(StoredToken { role: token.role, expires: token.expires, ..known.clone() });
        }
        let roles = self.roles.into_iter().map(|RoleField { name, rights }| OwnRole { name, rights }).collect();
        *security = Security { accounts, roles, tokens, session_minutes: self.session_minutes };
        Ok(())
    }
}

/// Somebody who is signed in on this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInView {
    /// Its name, to end it by.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: Digest,
    /// The account.
    pub account: String,
    /// The address that it came from; of IPv6 the network.
    pub address: String,
    /// Since when, in ms since 1970 UTC.
    pub since: i64,
    /// When it was used last, in ms since 1970 UTC.
    pub last_seen: i64,
    /// Whether it is that of who asks.
    pub own: bool,
}

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

/// One change of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionView {
    /// Its number, from 1.
    pub n: u64,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// By whom.
    pub by: String,
    /// What was changed: a section.
    pub section: String,
    /// Why, if told.
    pub reason: Option<String>,
}

/// What differs between two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionDifference {
    /// The later one.
    pub revision: RevisionView,
    /// The earlier one; absent when the later one is the first.
    pub before: Option<RevisionView>,
    /// Each field that differs.
    pub changes: Vec<FieldChange>,
}

/// A field that differs. Secrets are told as changed, never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// Its path: `agents.heartbeat_seconds`.
    pub field: String,
    /// What it was; absent when it was not there.
    pub from: Option<String>,
    /// What it is; absent when it is not there.
    pub to: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let key = AgentsSection { enrolment_key: SecretField::New("x".into()), ..AgentsSection::of(&before) };
        assert_eq!(key.put(&mut settings).unwrap_err().field, "enrolment_key");
    }
}
