//! Protected accounts: a rule on everybody, a user, a group or an organizational unit.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FieldError;
use crate::{
    event::SessionType,
    id::{DecisionId, Digest, hash128},
};

/// The largest limit of simultaneous sessions.
const MAX_LIMIT: u32 = 100_000;

/// Whom a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SubjectKind {
    /// One account.
    User,
    /// The members of a group.
    Group,
    /// The accounts of an organizational unit. It needs a directory.
    Ou,
    /// Every account, each for itself.
    Everybody,
}

/// Whom a rule is about, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Subject {
    /// What the name is the name of.
    pub kind: SubjectKind,
    /// The name; empty for everybody.
    #[serde(default)]
    pub name: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SubjectKind::Everybody => f.write_str("everybody"),
            SubjectKind::User => write!(f, "user {}", self.name),
            SubjectKind::Group => write!(f, "group {}", self.name),
            SubjectKind::Ou => write!(f, "organizational unit {}", self.name),
        }
    }
}

/// The most sessions that a user may have at a time. Absent: not configured. 0: none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "each field is the limit for the type of session of its name")]
pub struct Limits {
    /// Of all types together.
    pub total: Option<u32>,
    pub workstation: Option<u32>,
    pub terminal: Option<u32>,
    pub vpn: Option<u32>,
    pub wifi: Option<u32>,
    pub web: Option<u32>,
}

impl Limits {
    /// The limit for one type.
    #[must_use]
    pub fn of(&self, session_type: SessionType) -> Option<u32> {
        match session_type {
            SessionType::Workstation => self.workstation,
            SessionType::Terminal => self.terminal,
            SessionType::Vpn => self.vpn,
            SessionType::Wifi => self.wifi,
            SessionType::Web => self.web,
        }
    }

    /// Each limit with its field's name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, Option<u32>)> {
        [("total", self.total)].into_iter().chain(SessionType::ALL.into_iter().map(|t| (t.as_str(), self.of(t))))
    }
}

/// What an administrator gives for a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtectedAccountInput {
    /// Whom it is about.
    pub subject: Subject,
    /// How many sessions.
    #[serde(default)]
    pub limits: Limits,
    /// Why this rule was made or changed; kept with the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The name of a rule, for its address.
pub type ProtectedAccountId = DecisionId;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtectedAccount {
    /// Its name.
    pub id: ProtectedAccountId,
    /// Whom it is about.
    pub subject: Subject,
    /// How many sessions.
    pub limits: Limits,
}

impl ProtectedAccount {
    /// The text for `ETag` and `If-Match`, with its quotation marks: another one when anything of this rule is another, and
    /// only then.
    #[must_use]
    pub fn etag(&self) -> String {
        // All that a rule has can be written as JSON.
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("\"rule-{}\"", Digest(hash128("userlock rule 1", &[&text])))
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        let name = self.subject.name.trim();
        match self.subject.kind {
            SubjectKind::Everybody if !name.is_empty() => {
                return Err(FieldError::new("subject.name", "must be empty for everybody"));
            }
            SubjectKind::Ou => {
                let message = "a rule on an organizational unit needs a directory, and none is configured";
                return Err(FieldError::new("subject.kind", message));
            }
            SubjectKind::User | SubjectKind::Group if name.is_empty() => {
                return Err(FieldError::new("subject.name", "must not be empty"));
            }
            _ => {}
        }
        if self.subject.name.len() > crate::event::MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(FieldError::new(
                "subject.name",
                "must have at most 256 characters, none of them a control character",
            ));
        }
        for (field, limit) in self.limits.each() {
            if limit.is_some_and(|n| n > MAX_LIMIT) {
                return Err(FieldError::new(format!("limits.{field}"), format!("must be from 0 to {MAX_LIMIT}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_another_has_another_etag() {
        let rule = ProtectedAccount {
            id: DecisionId([1; 16]),
            subject: Subject { kind: SubjectKind::User, name: "alice".into() },
            limits: Limits { total: Some(2), ..Limits::default() },
        };
        let mut seen = std::collections::BTreeSet::from([rule.etag()]);
        assert!(!seen.insert(rule.clone().etag()), "the same rule");
        let group = Subject { kind: SubjectKind::Group, name: "alice".into() };
        let limits = |total, vpn| Limits { total, vpn, ..Limits::default() };
        for other in [
            ProtectedAccount { id: DecisionId([2; 16]), ..rule.clone() },
            ProtectedAccount { subject: group, ..rule.clone() },
            ProtectedAccount { limits: limits(None, None), ..rule.clone() },
            ProtectedAccount { limits: limits(Some(0), None), ..rule.clone() },
            ProtectedAccount { limits: limits(Some(2), Some(0)), ..rule.clone() },
        ] {
            assert!(seen.insert(other.etag()), "{other:?}");
        }
    }
}
