//! What belongs to this server alone: one way to change it, and what it was.

use userlock_core::{
    api::{DatabaseSection, EmailSection, OwnDocument, OwnRevision, ServerRole, SynchronizationSection},
    settings::{OwnSettings, PrimaryAddress, Rights, Secret},
};

use super::{check_reason, refusal_of};
use crate::{
    clock,
    http::{
        body::check_etag,
        problem::{self, Answer},
        state::App,
    },
    log::{catalogue, details},
    zone::{SubmitError, Zone},
};

/// A change that was checked, and is not yet kept.
#[derive(Debug)]
pub(super) struct Draft {
    /// As it is.
    pub before: OwnSettings,
    /// As it is to be.
    pub after: OwnSettings,
}

impl App {
    /// The `ETag` of this server's own settings.
    #[must_use]
    pub fn own_etag(&self) -> String {
        self.zone.own().etag()
    }

    /// Changes this server's own settings: one change at a time, so that what was compared is what is replaced. Whether
    /// anything is different.
    ///
    /// # Errors
    /// 412 when the `ETag` is not the present one, what `change` refuses, 422 for the reason, 503.
    pub(super) async fn change_own(
        &self,
        by: &str,
        section: &str,
        etag: &str,
        reason: Option<String>,
        change: impl FnOnce(&mut OwnSettings) -> Answer<()>,
    ) -> Answer<bool> {
        let _turn = self.zone.own_turn().lock().await;
        let draft = self.draft_own(etag, reason.as_deref(), change)?;
        self.keep_own(by, section, reason, draft).await
    }

    /// Checks a change. The turn must be held, and be held on to until it is kept.
    pub(super) fn draft_own(
        &self,
        etag: &str,
        reason: Option<&str>,
        change: impl FnOnce(&mut OwnSettings) -> Answer<()>,
    ) -> Answer<Draft> {
        if self.leaving.is_cancelled() {
            // What is set now is what is looked at to leave the database.
            return Err(problem::unavailable("leaving", "This server has left its zone. Nothing was changed."));
        }
        let before = self.zone.own();
        check_etag(Some(etag), &before.etag())?;
        let mut after = before.clone();
        change(&mut after)?;
        check_reason(reason)?;
        Ok(Draft { before, after })
    }

    /// Keeps a change and the revision that tells of it, in one transaction. Whether anything is different.
    pub(super) async fn keep_own(
        &self,
        by: &str,
        section: &str,
        reason: Option<String>,
        Draft { before, mut after }: Draft,
    ) -> Answer<bool> {
        if after == before {
            return Ok(false);
        }
        after.revision = before.revision.saturating_add(1);
        let revision = revision_of(self.role(), by, section, reason.clone(), &before, &after)?;
        let fields = revision.changed.join(", ");
        self.zone.change_own(after, revision).await.map_err(|error| refusal_of(self, error))?;
        self.journal.record(
            catalogue::OWN_SETTINGS_CHANGED,
            format!("{by} changed this server's own settings: {section}"),
            details([
                ("by", &by),
                ("section", &section),
                ("fields", &fields),
                ("reason", &reason.as_deref().unwrap_or("")),
            ]),
        );
        Ok(true)
    }

    /// The changes of this server's own settings, the newest first: at most so many, and only those before a number
    /// where one is given. No secret is among them.
    ///
    /// # Errors
    /// 503 when they cannot be read.
    pub async fn own_revisions(&self, limit: u32, before: Option<u64>) -> Answer<Vec<OwnRevision>> {
        let found = self.zone.store().own_revisions(limit, before).await;
        found.map_err(|error| problem::unavailable("not_readable", error.to_string()))
    }

    /// Makes the section that a change was of what it became by it, as a new change. A password is the one that is given, or
    /// none where there was none; else it stays as it is now, as long as it goes where it was given for.
    ///
    /// # Errors
    /// 404, 412, 422, 503.
    pub async fn go_back_own(
        &self,
        by: (&str, Rights),
        n: u64,
        etag: &str,
        reason: Option<String>,
        password: Option<Secret>,
    ) -> Answer<String> {
        let revision = self.own_revision(n).await?;
        let section = revision.after.get(&revision.section).and_then(serde_json::Value::as_object).cloned();
        let mut fields = section.ok_or_else(|| problem::not_found("revision"))?;
        // How the Primary is known is not a matter of taste: it stays.
        if let Some(own) = self.zone.own().synchronization.filter(|_| revision.section == "synchronization") {
            fields.insert("primary_fingerprint".into(), own.primary.fingerprint.into());
            fields.insert("service_account".into(), own.service_account.into());
        }
        match (fields.get_mut("password"), password) {
            (Some(field), Some(password)) => *field = password.expose().into(),
            (Some(field), None) if field.get("set") == Some(&false.into()) => *field = "".into(),
            (None, Some(_)) => return Err(problem::invalid_field("password", "is of no use: this section has none")),
            _ => {}
        }
        let reason = reason.unwrap_or_else(|| format!("back to change {n}"));
        self.change_section(by, &revision.section, etag, &fields, Some(reason)).await?;
        Ok(self.zone.own().etag())
    }

    /// One change of this server's own settings, without secrets.
    ///
    /// # Errors
    /// 404, and 503 when it cannot be read.
    pub async fn own_revision(&self, revision: u64) -> Answer<OwnRevision> {
        let found = self.zone.store().own_revision(revision).await;
        let found = found.map_err(|error| problem::unavailable("not_readable", error.to_string()))?;
        found.ok_or_else(|| problem::not_found("revision"))
    }
}

/// The revision that tells of a change.
fn revision_of(
    role: ServerRole,
    by: &str,
    section: &str,
    reason: Option<String>,
    before: &OwnSettings,
    after: &OwnSettings,
) -> Answer<OwnRevision> {
    let document = |own| serde_json::to_value(document(own, role)).map_err(|_| problem::internal());
    let (old, new) = (document(before)?, document(after)?);
    let fields = |document: &serde_json::Value| {
        document.get(section).and_then(serde_json::Value::as_object).cloned().unwrap_or_default()
    };
    let (old_fields, new_fields) = (fields(&old), fields(&new));
    let secret = match section {
        "email" => before.email.password != after.email.password,
        "database" => before.database_of(role).password != after.database_of(role).password,
        _ => false,
    };
    let differs = |name: &str| old_fields.get(name) != new_fields.get(name) || (name == "password" && secret);
    let changed = new_fields.keys().filter(|name| differs(name)).cloned().collect();
    Ok(OwnRevision {
        revision: after.revision,
        at: clock::now_ms(),
        by: by.to_owned(),
        section: section.to_owned(),
        reason,
        changed,
        before: old,
        after: new,
    })
}

/// Writes down that the Primary is known by another certificate from now on, which it has told itself to whoever knew it
/// as `known`. False, and nothing is done, when it is not known so any more, or while somebody changes these settings,
/// which may take a minute: that is not waited for.
///
/// # Errors
/// It could not be written; the one before is still known.
pub async fn follow_certificate(zone: &Zone, known: &PrimaryAddress, fingerprint: String) -> Result<bool, SubmitError> {
    let Ok(_turn) = zone.own_turn().try_lock() else { return Ok(false) };
    let before = zone.own();
    let mut after = before.clone();
    let Some(synchronization) = after.synchronization.as_mut().filter(|own| own.primary == *known) else {
        return Ok(false);
    };
    synchronization.primary.fingerprint = fingerprint;
    after.revision = before.revision.saturating_add(1);
    let reason = Some("the Primary has replaced its certificate, as it told before".to_owned());
    let revision = revision_of(zone.role(), "UserLock", "synchronization", reason, &before, &after)
        .map_err(|_| SubmitError::Unavailable("the change cannot be written down".to_owned()))?;
    zone.change_own(after, revision).await.map(|()| true)
}

/// What may be seen of a server's own settings.
fn document(own: &OwnSettings, role: ServerRole) -> OwnDocument {
    OwnDocument {
        synchronization: own.synchronization.clone().map(SynchronizationSection::from),
        email: EmailSection::from(&own.email),
        database: DatabaseSection::from(&own.database_of(role)),
    }
}
