//! The sections of the zone's settings, each as it is read and written back.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use userlock_core::{
    account::fold_case,
    api::{AgentsSection, SecretField, Section, SectionBody, SecuritySection, ZoneSection},
    settings::{
        FieldError, LocalAccount, Messages, Notifications, Retention, Rights, Security, StoredToken, ZoneSettings,
    },
};

use crate::{
    auth::{check_password, hash_now},
    http::{
        body::{check_etag, parse_json},
        problem::{self, Answer},
        state::App,
    },
    log::catalogue,
};

/// The most passwords that one change sets: each takes tens of milliseconds.
const MAX_NEW_PASSWORDS: usize = 20;

impl App {
    /// A section of Properties, the zone's or this server's own.
    ///
    /// # Errors
    /// 404 for a name that is none here.
    pub fn section(&self, slug: &str) -> Answer<SectionBody> {
        match slug {
            "general" => body(self.general_section()),
            "synchronization" => body(self.synchronization_section()?),
            "email" => body(self.email_section()),
            "database" => body(self.database_section()),
            _ => self.zone_section(slug),
        }
    }

    /// Refuses what stands against a change of a section, whatever it says.
    ///
    /// # Errors
    /// 404 for a name that is none here, 409, 428 without an `ETag`, 412.
    pub async fn check_base(&self, slug: &str, etag: Option<&str>) -> Answer<()> {
        match slug {
            "synchronization" => check_etag(etag, &self.synchronization_section()?.etag),
            "email" | "database" => check_etag(etag, &self.own_etag()),
            _ => {
                self.must_be_primary()?;
                self.rebased(slug, etag.ok_or_else(problem::precondition_required)?).await.map(|_| ())
            }
        }
    }

    /// Changes a section of Properties. `fields` is the section as it is written.
    ///
    /// # Errors
    /// 403, 404, 409, 412, 422.
    pub async fn change_section(
        &self,
        by: (&str, Rights),
        slug: &str,
        etag: &str,
        fields: &Map<String, Value>,
        reason: Option<String>,
    ) -> Answer<SectionBody> {
        match slug {
            "general" => {
                self.must_be_primary()?;
                body(self.change_general(by.0, etag, typed(fields)?, reason).await?)
            }
            "synchronization" => body(self.change_synchronization_section(by, etag, typed(fields)?, reason).await?),
            "email" => body(self.change_email(by.0, etag, typed(fields)?, reason).await?),
            "database" => body(self.change_database(by.0, etag, typed(fields)?, reason).await?),
            _ => self.change_zone_section(by, slug, etag, fields, reason).await,
        }
    }

    /// A section of the zone's settings.
    ///
    /// # Errors
    /// 404 for a name that is none.
    fn zone_section(&self, slug: &str) -> Answer<SectionBody> {
        let document = self.zone.read(|server| server.settings.clone());
        let value = value_of(slug, &document.settings)?;
        Ok(SectionBody { value, etag: document.revision.etag(), read_only: self.read_only_here() })
    }

    /// The present `ETag`, when the one that was read is it, or when the section is by now what it was then: who changes
    /// another section at the same time is in nobody's way.
    ///
    /// # Errors
    /// 412.
    pub(super) async fn rebased(&self, slug: &str, etag: &str) -> Answer<String> {
        let present = self.zone.read(|server| server.settings.clone());
        let current = present.revision.etag();
        let Err(stale) = check_etag(Some(etag), &current) else { return Ok(current) };
        let Some(read) = self.document_of(etag).await else { return Err(stale) };
        let same = match slug {
            // All of them are one section only where they are brought back.
            "protected-accounts" => read.settings.protected_accounts == present.settings.protected_accounts,
            _ => value_of(slug, &read.settings)? == value_of(slug, &present.settings)?,
        };
        // A secret that was replaced meanwhile reads as it did before.
        let same_secrets = slug != "security" || read.settings.security == present.settings.security;
        if same && same_secrets { Ok(current) } else { Err(stale) }
    }

    /// Changes a section of the zone's settings. `fields` is the section as it is written.
    ///
    /// # Errors
    /// 404, 409, 412, 422.
    async fn change_zone_section(
        &self,
        (by, rights): (&str, Rights),
        slug: &str,
        etag: &str,
        fields: &Map<String, Value>,
        reason: Option<String>,
    ) -> Answer<SectionBody> {
        self.must_be_primary()?;
        let etag = &self.rebased(slug, etag).await?;
        match slug {
            AgentsSection::SLUG => self.put_section::<AgentsSection>(by, etag, fields, reason).await?,
            Messages::SLUG => self.put_section::<Messages>(by, etag, fields, reason).await?,
            Notifications::SLUG => {
                check_events(&typed::<Notifications>(fields)?.events)?;
                self.put_section::<Notifications>(by, etag, fields, reason).await?;
            }
            Retention::SLUG => self.put_section::<Retention>(by, etag, fields, reason).await?,
            "security" => self.put_security((by, rights), etag, fields, reason).await?,
            _ => return Err(problem::not_found("section")),
        }
        self.zone_section(slug)
    }

    async fn put_section<S: ZoneSection + Clone + DeserializeOwned>(
        &self,
        by: &str,
        etag: &str,
        fields: &Map<String, Value>,
        reason: Option<String>,
    ) -> Answer<()> {
        let known = self.zone_section(S::SLUG)?.value;
        if let Some(unknown) = fields.keys().find(|name| known.get(name).is_none()) {
            return Err(problem::unknown_field(unknown, "is no field of this section"));
        }
        let section: S = typed(fields)?;
        self.change_zone(by, S::SLUG, Some(etag), reason, |settings| Ok(section.clone().put(settings)?)).await
    }

    /// The section `security` as it would be put by these fields, and the passwords that it sets.
    ///
    /// # Errors
    /// 403, 422.
    pub fn try_security(
        &self,
        rights: Rights,
        fields: &Map<String, Value>,
    ) -> Answer<(SecuritySection, BTreeMap<String, String>)> {
        let section: SecuritySection = typed(fields)?;
        let before = self.zone.read(|server| server.settings.settings.security.clone());
        let passwords = new_passwords(&section)?;
        let trial: BTreeMap<String, String> = passwords.keys().map(|name| (name.clone(), String::new())).collect();
        within(rights, &before, &checked(section.clone(), &trial, before.clone())?)?;
        Ok((section, passwords))
    }

    async fn put_security(
        &self,
        (by, rights): (&str, Rights),
        etag: &str,
        fields: &Map<String, Value>,
        reason: Option<String>,
    ) -> Answer<()> {
        // Passwords are hashed when nothing else is wrong: it takes its time.
        let (section, passwords) = self.try_security(rights, fields)?;
        let hashes = tokio::task::spawn_blocking(move || {
            passwords.into_iter().map(|(name, password)| Ok((name, hash_now(&password)?))).collect()
        });
        let hashes: Result<BTreeMap<String, String>, crate::auth::PasswordError> =
            hashes.await.map_err(|_| problem::internal())?;
        let hashes = hashes.map_err(|_| problem::internal())?;
        self.change_zone(by, "security", Some(etag), reason, |settings| {
            let after = checked(section.clone(), &hashes, settings.security.clone())?;
            within(rights, &settings.security, &after)?;
            settings.security = after;
            Ok(())
        })
        .await
    }
}

/// A section of the zone's settings as JSON.
pub(super) fn value_of(slug: &str, settings: &ZoneSettings) -> Answer<Value> {
    match slug {
        "general" => json(&settings.general),
        AgentsSection::SLUG => json(&AgentsSection::of(settings)),
        Messages::SLUG => json(&Messages::of(settings)),
        Notifications::SLUG => json(&Notifications::of(settings)),
        Retention::SLUG => json(&Retention::of(settings)),
        "security" => json(&SecuritySection::of(&settings.security)),
        _ => Err(problem::not_found("section")),
    }
}

/// The section put over what there was, checked.
fn checked(
    section: SecuritySection,
    hashes: &BTreeMap<String, String>,
    mut security: Security,
) -> Result<Security, FieldError> {
    let had_accounts = !security.accounts.is_empty();
    section.put(hashes, &mut security)?;
    if had_accounts && security.accounts.is_empty() {
        let message = "at least one account that is not disabled must be an administrator";
        return Err(FieldError::new("accounts", message));
    }
    security.check().map_err(|error| {
        let field = error.field.strip_prefix("security.").unwrap_or(&error.field).to_owned();
        FieldError::new(field, error.message)
    })?;
    Ok(security)
}

/// Nobody gives, takes or resets more than they have: else who may only tend accounts could become an administrator.
///
/// # Errors
/// 403.
fn within(rights: Rights, before: &Security, after: &Security) -> Answer<()> {
    let (before, after) = (holders(before), holders(after));
    for name in before.keys().chain(after.keys()) {
        let (was, is) = (before.get(name), after.get(name));
        let beyond = [was, is].into_iter().flatten().any(|(has, _)| !rights.cover(*has));
        if was != is && beyond {
            return Err(problem::beyond_own_rights(&name.1));
        }
    }
    Ok(())
}

/// Who has which rights, and by what else they are what they are: accounts (`true`) and tokens by their names.
fn holders(security: &Security) -> BTreeMap<(bool, String), (Rights, String)> {
    let account = |account: &LocalAccount| {
        let rest = format!("{:?} {} {}", account.roles, account.disabled, account.password_hash);
        ((true, account.name.clone()), (security.rights_of_account(account), rest))
    };
    let token = |token: &StoredToken| {
        let rest = format!("{} {:?} {}", token.role, token.expires, token.hash);
        ((false, token.name.clone()), (security.rights_of([token.role.as_str()]), rest))
    };
    security.accounts.iter().map(account).chain(security.tokens.iter().map(token)).collect()
}

/// The passwords that a section sets, by the account's name, case-folded.
fn new_passwords(section: &SecuritySection) -> Answer<BTreeMap<String, String>> {
    let mut passwords = BTreeMap::new();
    for account in &section.accounts {
        let SecretField::New(password) = &account.password else { continue };
        if account.name.trim().is_empty() {
            return Err(problem::invalid_field("accounts", "an account needs a name"));
        }
        check_password(password)
            .map_err(|must| problem::invalid_field("accounts", &format!("the password of {} {must}", account.name)))?;
        passwords.insert(fold_case(&account.name), password.clone());
    }
    if passwords.len() > MAX_NEW_PASSWORDS {
        let message = format!("at most {MAX_NEW_PASSWORDS} passwords are set at a time");
        return Err(problem::invalid_field("accounts", &message));
    }
    Ok(passwords)
}

fn check_events(events: &[u32]) -> Answer<()> {
    match events.iter().find(|id| catalogue::find(**id).is_none()) {
        Some(unknown) => Err(problem::invalid_field("events", &format!("there is no event {unknown}"))),
        None => Ok(()),
    }
}

/// A section with its fields as JSON.
fn body<T: Serialize>(section: Section<T>) -> Answer<SectionBody> {
    let Section { value, etag, read_only } = section;
    Ok(SectionBody { value: json(&value)?, etag, read_only })
}

fn json(section: &impl Serialize) -> Answer<Value> {
    serde_json::to_value(section).map_err(|_| problem::internal())
}

/// The fields as what they should be.
///
/// # Errors
/// 422 with the field.
pub fn typed<T: DeserializeOwned>(fields: &Map<String, Value>) -> Answer<T> {
    parse_json(&serde_json::to_vec(fields).map_err(|_| problem::internal())?)
}
