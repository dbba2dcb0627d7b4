//! The revisions of the zone's settings: which there were, what differs between two, and going back to one.

use std::collections::BTreeMap;

use serde_json::Value;
use userlock_core::{
    api::{FieldChange, Page, RevisionDifference, RevisionView},
    settings::{Area, Right, Rights, ZoneDocument, ZoneSettings},
};

use super::{SOMEBODY, may_read};
use crate::{
    auth,
    http::{
        body::{check_etag, number_cursor, page_limit},
        problem::{self, Answer},
        state::App,
    },
    store::state::StateError,
};

/// The longest value that a difference shows, in characters.
const MAX_SHOWN: usize = 500;
/// The most differences that are told.
const MAX_CHANGES: usize = 1000;

fn unreadable(error: StateError) -> problem::Refusal {
    tracing::error!(%error, "the settings' revisions cannot be read");
    problem::unavailable("storage", "The revisions cannot be read now.")
}

/// A revision as somebody with these rights may see it.
fn view_for(rights: Rights, document: &ZoneDocument) -> RevisionView {
    let view = RevisionView {
        n: document.revision.n,
        epoch: document.revision.epoch.number,
        at: document.at,
        by: document.by.clone(),
        section: document.section.clone(),
        reason: document.reason.clone(),
    };
    seen_by(rights, view)
}

/// Who changed an area, and why, is for who may read the area.
fn seen_by(rights: Rights, view: RevisionView) -> RevisionView {
    match may_read(rights, &view.section) {
        true => view,
        false => RevisionView { by: SOMEBODY.to_owned(), reason: None, ..view },
    }
}

impl App {
    /// One page of revisions, the newest first; of one section, if it is named.
    ///
    /// # Errors
    /// 422, 503.
    pub async fn revisions(
        &self,
        rights: Rights,
        section: Option<&str>,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Answer<Page<RevisionView>> {
        let limit = page_limit(limit)?;
        let before = number_cursor(cursor.filter(|cursor| !cursor.is_empty()))?;
        let found = self.zone.store().revisions(section, before, limit + 1).await.map_err(unreadable)?;
        let mut items: Vec<(u64, RevisionView)> = found;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(|(number, _)| number.to_string());
        Ok(Page { total: None, items: items.into_iter().map(|(_, view)| seen_by(rights, view)).collect(), next })
    }

    /// What differs between a revision and another, the one before it unless it is named, in words: from the earlier one of
    /// the two to the later one, whichever of them is named first.
    ///
    /// # Errors
    /// 404, 503.
    pub async fn revision(&self, rights: Rights, n: u64, compared_with: Option<u64>) -> Answer<RevisionDifference> {
        let (revision, before, differing) = self.compare_revisions(rights, n, compared_with).await?;
        Ok(RevisionDifference { revision, before, changes: differing.into_iter().map(in_words).collect() })
    }

    /// The same, as values: the later one, the earlier one, and what differs.
    ///
    /// # Errors
    /// 404, 503.
    pub async fn compare_revisions(
        &self,
        rights: Rights,
        n: u64,
        compared_with: Option<u64>,
    ) -> Answer<(RevisionView, Option<RevisionView>, Vec<Differing>)> {
        let find = async |n: u64| {
            let found = self.zone.store().revision(n).await.map_err(unreadable)?;
            found.ok_or_else(|| problem::not_found("revision"))
        };
        let named = find(n).await?;
        let other = match compared_with.or_else(|| n.checked_sub(1).filter(|n| *n > 0)) {
            Some(other) => match find(other).await {
                Ok(document) => Some(document),
                // A Backup has the revisions that it has worked by: the one before may not be among them.
                Err(_) if compared_with.is_none() => None,
                Err(refusal) => return Err(refusal),
            },
            None => None,
        };
        let (document, before) = match other {
            Some(later) if later.revision.n > named.revision.n => (later, Some(named)),
            earlier => (named, earlier),
        };
        let differing = differing(rights, before.as_ref().map(|d| &d.settings), &document.settings);
        let view = |document| view_for(rights, document);
        Ok((view(&document), before.as_ref().map(view), differing))
    }

    /// Refuses what stands against bringing a revision back, whatever is asked with it. The section that it changed, and the
    /// settings as they were then.
    ///
    /// # Errors
    /// 403, 404, 409, 503.
    async fn restorable(&self, rights: Rights, n: u64) -> Answer<(String, ZoneSettings)> {
        let document = self.zone.store().revision(n).await.map_err(unreadable)?;
        let of_rules = document.as_ref().is_some_and(|document| document.section == "protected-accounts");
        if of_rules && !rights.include(Right::Write(Area::ProtectedAccounts)) {
            return Err(problem::forbidden(auth::Right::Of(Right::Write(Area::ProtectedAccounts))));
        }
        self.must_be_primary()?;
        let document = document.ok_or_else(|| problem::not_found("revision"))?;
        if document.section == "security" {
            let detail = "Accounts, roles and tokens are not brought back by a revision: passwords and tokens that were taken away would be valid again. Nothing was changed.";
            return Err(problem::conflict("not_restorable", "This cannot be brought back", detail));
        }
        Ok((document.section.clone(), document.settings.clone()))
    }

    /// The same, and what stands against the `ETag` that it is asked with.
    ///
    /// # Errors
    /// 403, 404, 409, 428 without an `ETag`, 412, 503.
    pub async fn check_restore(&self, rights: Rights, n: u64, etag: Option<&str>) -> Answer<()> {
        let (section, _) = self.restorable(rights, n).await?;
        match etag {
            Some(etag) => self.rebased(&section, etag).await.map(|_| ()),
            None => check_etag(None, &self.settings_etag()),
        }
    }

    /// Makes the section that a revision changed what it was in that revision, as a new revision.
    ///
    /// # Errors
    /// 403, 404, 409, 412, 422.
    pub async fn go_back(
        &self,
        (by, rights): (&str, Rights),
        n: u64,
        etag: &str,
        reason: Option<String>,
    ) -> Answer<String> {
        let (section, then) = self.restorable(rights, n).await?;
        let etag = &self.rebased(&section, etag).await?;
        let reason = reason.unwrap_or_else(|| format!("back to revision {n}"));
        self.change_zone(by, &section, Some(etag), Some(reason), |settings| {
            put_back(settings, &then, &section);
            Ok(())
        })
        .await?;
        Ok(self.zone.read(|server| server.settings.revision.etag()))
    }
}

/// Puts one section back. What a secret is never comes back with it.
fn put_back(settings: &mut ZoneSettings, then: &ZoneSettings, section: &str) {
    match section {
        "general" => settings.general = then.general.clone(),
        "agents" => {
            let key = std::mem::take(&mut settings.agents.zone_key_hash);
            settings.agents = then.agents.clone();
            settings.agents.zone_key_hash = key;
        }
        "messages" => settings.messages = then.messages.clone(),
        "notifications" => settings.notifications = then.notifications.clone(),
        "retention" => settings.retention = then.retention.clone(),
        "protected-accounts" => settings.protected_accounts.clone_from(&then.protected_accounts),
        _ => {}
    }
}

/// A value that differs: where it is, what it was and what it is. Secrets are masked.
pub type Differing = (Vec<String>, Option<Value>, Option<Value>);

/// Each value that differs, as far as somebody with these rights may see it.
fn differing(rights: Rights, before: Option<&ZoneSettings>, after: &ZoneSettings) -> Vec<Differing> {
    let (before, after) = (before.map(leaves).unwrap_or_default(), leaves(after));
    let paths: std::collections::BTreeSet<&Vec<String>> = before.keys().chain(after.keys()).collect();
    let differing = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    // What somebody may not see takes no place of what they may.
    let seen = |path: &&Vec<String>| may_read(rights, path.first().map(String::as_str).unwrap_or_default());
    let told = |leaves: &BTreeMap<Vec<String>, Value>, path: &Vec<String>| {
        let value = leaves.get(path)?;
        let secret = matches!(last(path), "zone_key_hash" | "password_hash" | "hash");
        Some(if secret { Value::from("(secret)") } else { value.clone() })
    };
    let change = |path: &Vec<String>| (path.clone(), told(&before, path), told(&after, path));
    differing.filter(seen).take(MAX_CHANGES).map(change).collect()
}

fn last(path: &[String]) -> &str {
    path.last().map(String::as_str).unwrap_or_default()
}

fn in_words((path, from, to): Differing) -> FieldChange {
    let words = |value: Option<Value>| value.map(|value| shown(last(&path), &value));
    FieldChange { from: words(from), to: words(to), field: path.join(".") }
}

/// A value for people.
fn shown(name: &str, value: &Value) -> String {
    if matches!(name, "at" | "expires")
        && let Some(time) = value.as_i64().and_then(chrono::DateTime::from_timestamp_millis)
    {
        return time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= MAX_SHOWN { text } else { text.chars().take(MAX_SHOWN).chain(['…']).collect() }
}

/// The values by their paths. Entries of a list are named by what names them, so that one that moved is the same.
fn leaves(settings: &ZoneSettings) -> BTreeMap<Vec<String>, Value> {
    let mut found = BTreeMap::new();
    walk(Vec::new(), serde_json::to_value(settings).unwrap_or_default(), &mut found);
    found
}

fn walk(path: Vec<String>, value: Value, found: &mut BTreeMap<Vec<String>, Value>) {
    let below = |name: String| path.iter().cloned().chain([name]).collect();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.into_iter().for_each(|(name, value)| walk(below(name), value, found));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.into_iter().enumerate() {
                walk(below(name_of(&item).unwrap_or_else(|| index.to_string())), item, found);
            }
        }
        // What is not configured is not there.
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        value => _ = found.insert(path, value),
    }
}

/// What an entry of a list is called: by its subject, or its name.
fn name_of(item: &Value) -> Option<String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match item.get("subject") {
        Some(subject) => {
            let (kind, name) = (text(subject.get("kind"))?, text(subject.get("name"))?);
            Some(if name.is_empty() { kind } else { format!("{kind} {name}") })
        }
        None => text(item.get("name")),
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::settings::{LocalAccount, Role, Security};

    use super::*;

    #[test]
    fn what_differs_is_named_and_secrets_are_not_shown() {
        let account = |hash: &str| LocalAccount {
            name: "admin".into(),
            password_hash: hash.into(),
            roles: vec!["administrator".into()],
            disabled: false,
        };
        let with = |hash: &str| ZoneSettings {
            security: Security { accounts: vec![account(hash)], ..Security::default() },
            ..ZoneSettings::default()
        };
        let (before, mut after) = (with("hash-1"), with("hash-2"));
        after.agents.heartbeat_seconds = 9;
        let changes = |rights, before: Option<&ZoneSettings>, after: &ZoneSettings| -> Vec<FieldChange> {
            differing(rights, before, after).into_iter().map(in_words).collect()
        };
        let told = changes(Rights::ALL, Some(&before), &after);
        let change = |field: &str, from: &str, to: &str| FieldChange {
            field: field.into(),
            from: Some(from.into()),
            to: Some(to.into()),
        };
        let expected = [
            change("agents.heartbeat_seconds", "20", "9"),
            change("security.accounts.admin.password_hash", "(secret)", "(secret)"),
        ];
        assert_eq!(told, expected);
        assert!(changes(Rights::ALL, Some(&after), &after).is_empty());
        let first = changes(Rights::ALL, None, &before);
        let few = changes(Role::ReadOnly.rights().without(Area::Security), Some(&before), &after);
        assert_eq!(few.len(), 1, "{few:?}");
        assert!(first.iter().all(|c| c.from.is_none()) && !format!("{first:?}").contains("hash-1"), "{first:?}");
    }

    #[test]
    fn a_section_comes_back_without_its_secret() {
        let mut then = ZoneSettings::default();
        then.agents.heartbeat_seconds = 7;
        then.agents.zone_key_hash = "old".into();
        let mut now = ZoneSettings::default();
        now.agents.zone_key_hash = "new".into();
        put_back(&mut now, &then, "agents");
        assert_eq!((now.agents.heartbeat_seconds, now.agents.zone_key_hash.as_str()), (7, "new"));
    }
}
