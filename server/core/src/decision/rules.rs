//! Which rules apply to a user, and which of them wins.

use crate::{
    account::{Account, Realms, fold_case},
    event::SessionType,
    settings::{Policy, ProtectedAccount, SubjectKind, ZoneSettings},
};

/// A limit that applies to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedLimit {
    /// Of which type of session; of all together if absent.
    pub of: Option<SessionType>,
    /// How many there may be.
    pub limit: u32,
    /// The rule that set it, for people.
    pub rule: String,
}

/// The limits that apply to a user who wants a session of a type: of that type, then in total.
///
/// Each limit comes from the most specific rule that configures it: user, then group, then everybody. Where several
/// rules are equally specific (a user is in several groups), the zone's policy chooses the lower or the higher.
#[must_use]
pub fn limits_for(
    settings: &ZoneSettings,
    realms: &Realms,
    account: &Account,
    groups: &[String],
    asked: SessionType,
) -> Vec<AppliedLimit> {
    let rules = applicable(settings, realms, account, groups);
    let pick = |of: Option<SessionType>| -> Option<AppliedLimit> {
        let configured = |r: &&ProtectedAccount| of.map_or(r.limits.total, |t| r.limits.of(t));
        let most_specific = rules.iter().filter(|r| configured(r).is_some()).map(|r| r.subject.kind).min()?;
        let candidates = rules.iter().filter(|r| r.subject.kind == most_specific);
        let candidates = candidates.filter_map(|r| Some((configured(r)?, r.subject.to_string())));
        let (limit, rule) = match settings.general.policy {
            Policy::MostRestrictive => candidates.min(),
            Policy::LeastRestrictive => candidates.max(),
        }?;
        let what = of.map_or_else(|| "sessions in total".to_owned(), |t| format!("{} sessions", t.as_str()));
        Some(AppliedLimit { of, limit, rule: format!("{rule}: at most {limit} {what}") })
    };
    [pick(Some(asked)), pick(None)].into_iter().flatten().collect()
}

/// The rules that are about this user.
fn applicable<'a>(
    settings: &'a ZoneSettings,
    realms: &Realms,
    account: &Account,
    groups: &[String],
) -> Vec<&'a ProtectedAccount> {
    let account = realms.canonical(account);
    let groups: Vec<String> = groups.iter().map(|g| fold_case(g)).collect();
    let about = |rule: &&ProtectedAccount| match rule.subject.kind {
        SubjectKind::Everybody => true,
        SubjectKind::User => realms.canonical(&Account::parse(&rule.subject.name)) == account,
        SubjectKind::Group => groups.contains(&fold_case(&rule.subject.name)),
        SubjectKind::Ou => false,
    };
    settings.protected_accounts.iter().filter(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::DecisionId,
        settings::{Limits, Subject},
    };

    fn rule(kind: SubjectKind, name: &str, limits: Limits) -> ProtectedAccount {
        ProtectedAccount { id: DecisionId::NIL, subject: Subject { kind, name: name.into() }, limits }
    }

    fn terminal(n: u32) -> Limits {
        Limits { terminal: Some(n), ..Limits::default() }
    }

    fn limit(settings: &ZoneSettings, user: &str, groups: &[&str]) -> Option<u32> {
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let limits = limits_for(settings, &Realms::default(), &Account::parse(user), &groups, SessionType::Terminal);
        limits.iter().find(|l| l.of.is_some()).map(|l| l.limit)
    }

    #[test]
    fn the_most_specific_rule_that_configures_a_limit_wins() {
        let mut settings = ZoneSettings::default();
        assert_eq!(limit(&settings, "alice", &[]), None);
        settings.protected_accounts = vec![
            rule(SubjectKind::Everybody, "", terminal(1)),
            rule(SubjectKind::Group, "Staff", terminal(2)),
            rule(SubjectKind::Group, "night", terminal(5)),
            rule(SubjectKind::User, r"CORP\Alice", terminal(9)),
            rule(SubjectKind::User, "bob", Limits { total: Some(1), ..Limits::default() }),
        ];
        assert_eq!(limit(&settings, "alice@corp", &["staff"]), Some(9));
        assert_eq!(limit(&settings, "carol", &["STAFF", "night"]), Some(2));
        assert_eq!(limit(&settings, "dave", &[]), Some(1));
        assert_eq!(limit(&settings, "bob", &["staff"]), Some(2), "bob's own rule does not configure this limit");
        settings.general.policy = Policy::LeastRestrictive;
        assert_eq!(limit(&settings, "carol", &["staff", "night"]), Some(5));
    }
}
