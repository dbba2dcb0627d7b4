//! Protected accounts.

use std::cmp::Ordering;

use userlock_core::{
    account::{Account, fold_case},
    api::{Page, ProtectedAccountView, Section},
    id::{DecisionId, DecisionId as RuleId},
    settings::{ProtectedAccount, ProtectedAccountInput, Subject, SubjectKind, ZoneSettings},
};

use crate::{
    http::{
        body::check_etag,
        problem::{self, Answer},
        state::App,
    },
    random,
};

/// The section's name in the settings' history.
pub(super) const SECTION: &str = "protected-accounts";
/// The most rules.
const MAX_RULES: usize = 10_000;

impl App {
    /// One page of the rules, by the kind and the name of their subjects.
    ///
    /// # Errors
    /// 422 for a cursor that is none.
    pub fn protected_accounts(&self, limit: u32, cursor: Option<&str>) -> Answer<Section<Page<ProtectedAccountView>>> {
        let document = self.zone.read(|server| server.settings.clone());
        let mut rules: Vec<&ProtectedAccount> = document.settings.protected_accounts.iter().collect();
        rules.sort_by(|a, b| compare(a, b));
        let total = rules.len();
        let after = match cursor {
            None | Some("") => 0,
            Some(text) => {
                let after = read_cursor(text)
                    .ok_or_else(|| problem::invalid_field("cursor", "must be `next` of the page before"))?;
                rules.partition_point(|rule| compare(rule, &after) != Ordering::Greater)
            }
        };
        let page: Vec<&ProtectedAccount> = rules.into_iter().skip(after).take(limit as usize).collect();
        let more = after + page.len() < total;
        let next = page.last().filter(|_| more).map(|last| write_cursor(last));
        let items =
            page.into_iter().map(|rule| ProtectedAccountView { account: rule.clone(), etag: rule.etag() }).collect();
        let page = Page { total: u64::try_from(total).ok(), items, next };
        Ok(Section { value: page, etag: document.revision.etag(), read_only: self.read_only_here() })
    }

    /// One rule.
    ///
    /// # Errors
    /// 404.
    pub fn protected_account(&self, id: RuleId) -> Answer<Section<ProtectedAccountView>> {
        let account = self.zone.read(|server| find(&server.settings.settings, id).cloned())?;
        let etag = account.etag();
        Ok(Section {
            value: ProtectedAccountView { account, etag: etag.clone() },
            etag,
            read_only: self.read_only_here(),
        })
    }

    /// Refuses what stands against a change of a rule, whatever it says.
    ///
    /// # Errors
    /// 409, 404, 428 without an `ETag`, 412.
    pub fn check_rule_base(&self, id: RuleId, etag: Option<&str>) -> Answer<()> {
        self.must_be_primary()?;
        check_etag(etag, &self.protected_account(id)?.etag)
    }

    /// Makes a rule.
    ///
    /// # Errors
    /// 409, 422.
    pub async fn create_protected_account(
        &self,
        by: &str,
        input: ProtectedAccountInput,
    ) -> Answer<ProtectedAccountView> {
        self.must_be_primary()?;
        let id = DecisionId(random::bytes().map_err(|_| problem::internal())?);
        let rule = rule_of(id, &input)?;
        self.change_zone(by, SECTION, None, input.reason.clone(), |settings| {
            if settings.protected_accounts.len() >= MAX_RULES {
                return Err(problem::invalid_field(
                    "subject",
                    &format!("there are {MAX_RULES} rules, which is the most"),
                ));
            }
            must_be_the_only_one(settings, &rule)?;
            settings.protected_accounts.push(rule.clone());
            Ok(())
        })
        .await?;
        self.protected_account(id).map(|section| section.value)
    }

    /// Changes a rule. `etag` is the rule's own: who changes anything else at the same time is in nobody's way.
    ///
    /// # Errors
    /// 404, 409, 412, 422.
    pub async fn change_protected_account(
        &self,
        by: &str,
        id: RuleId,
        etag: &str,
        input: ProtectedAccountInput,
    ) -> Answer<ProtectedAccountView> {
        self.change_zone(by, SECTION, None, input.reason.clone(), |settings| {
            check_etag(Some(etag), &find(settings, id)?.etag())?;
            let changed = rule_of(id, &input)?;
            must_be_the_only_one(settings, &changed)?;
            for rule in settings.protected_accounts.iter_mut().filter(|rule| rule.id == id) {
                rule.clone_from(&changed);
            }
            Ok(())
        })
        .await?;
        self.protected_account(id).map(|section| section.value)
    }

    /// Deletes a rule, if it is still the one that was read.
    ///
    /// # Errors
    /// 404, 409, 412.
    pub async fn delete_protected_account(
        &self,
        by: &str,
        id: RuleId,
        etag: &str,
        reason: Option<String>,
    ) -> Answer<()> {
        self.change_zone(by, SECTION, None, reason, |settings| {
            check_etag(Some(etag), &find(settings, id)?.etag())?;
            settings.protected_accounts.retain(|rule| rule.id != id);
            Ok(())
        })
        .await
    }
}

/// The rule of this name.
///
/// # Errors
/// 404.
fn find(settings: &ZoneSettings, id: RuleId) -> Answer<&ProtectedAccount> {
    let rule = settings.protected_accounts.iter().find(|rule| rule.id == id);
    rule.ok_or_else(|| problem::not_found("protected account"))
}

fn rule_of(id: RuleId, input: &ProtectedAccountInput) -> Answer<ProtectedAccount> {
    let subject = Subject { kind: input.subject.kind, name: input.subject.name.trim().to_owned() };
    let rule = ProtectedAccount { id, subject, limits: input.limits.clone() };
    rule.check()?;
    Ok(rule)
}

/// Two rules on one subject would leave open which one counts.
fn must_be_the_only_one(settings: &ZoneSettings, rule: &ProtectedAccount) -> Answer<()> {
    let realms = &settings.general.realms;
    let name = |subject: &Subject| match subject.kind {
        SubjectKind::User => realms.canonical(&Account::parse(&subject.name)).to_string(),
        _ => fold_case(&subject.name),
    };
    let same = |other: &&ProtectedAccount| {
        other.id != rule.id && other.subject.kind == rule.subject.kind && name(&other.subject) == name(&rule.subject)
    };
    match settings.protected_accounts.iter().find(same) {
        Some(other) => Err(problem::invalid_field("subject", &format!("there is a rule on {} already", other.subject))),
        None => Ok(()),
    }
}

fn compare(a: &ProtectedAccount, b: &ProtectedAccount) -> Ordering {
    (b.subject.kind.cmp(&a.subject.kind))
        .then_with(|| fold_case(&a.subject.name).cmp(&fold_case(&b.subject.name)))
        .then_with(|| a.id.cmp(&b.id))
}

fn write_cursor(rule: &ProtectedAccount) -> String {
    let name: String = rule.subject.name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{}.{}.{name}", rule.id, rule.subject.kind as u8)
}

fn read_cursor(text: &str) -> Option<ProtectedAccount> {
    let mut parts = text.splitn(3, '.');
    let id = parts.next()?.parse().ok()?;
    let kinds = [SubjectKind::User, SubjectKind::Group, SubjectKind::Ou, SubjectKind::Everybody];
    let number: u8 = parts.next()?.parse().ok()?;
    let kind = kinds.into_iter().find(|kind| *kind as u8 == number)?;
    let hex = parts.next()?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let name: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    let name = String::from_utf8(name?).ok()?;
    Some(ProtectedAccount { id, subject: Subject { kind, name }, limits: Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: SubjectKind, name: &str) -> ProtectedAccount {
        let id = DecisionId(userlock_core::id::hash128("t", &[name.as_bytes()]));
        ProtectedAccount { id, subject: Subject { kind, name: name.into() }, limits: Default::default() }
    }

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is() {
        let rule = rule(SubjectKind::Group, "Ünits & co");
        let read = read_cursor(&write_cursor(&rule)).unwrap();
        assert_eq!((read.id, read.subject), (rule.id, rule.subject));
        for bad in ["", "x", "1.2.3", &format!("{}.9.61", rule.id), &format!("{}.1.zz", rule.id)] {
            assert!(read_cursor(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn everybody_comes_first_then_names() {
        let mut rules = [rule(SubjectKind::User, "b"), rule(SubjectKind::User, "A"), rule(SubjectKind::Everybody, "")];
        rules.sort_by(compare);
        let names: Vec<_> = rules.iter().map(|r| r.subject.name.as_str()).collect();
        assert_eq!(names, ["", "A", "b"]);
    }

    #[test]
    fn one_subject_has_one_rule() {
        let mut settings = ZoneSettings::default();
        settings.protected_accounts.push(rule(SubjectKind::User, r"CORP\alice"));
        assert!(must_be_the_only_one(&settings, &rule(SubjectKind::User, "Alice@corp")).is_err());
        assert!(must_be_the_only_one(&settings, &rule(SubjectKind::Group, r"CORP\alice")).is_ok());
        assert!(must_be_the_only_one(&settings, &rule(SubjectKind::User, r"CORP\alice")).is_ok(), "itself");
    }
}
