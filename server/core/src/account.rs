//! Whose session it is: an account in a realm, however it was typed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a user, in bytes, with its realm.
pub const MAX_USER_BYTES: usize = 256;

/// An account and its realm, both case-folded. `CORP\alice` is `alice` in `corp`, `alice@corp` is the same,
/// and `alice` alone is in no realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// The account's name, case-folded.
    pub name: String,
    /// The realm, case-folded; empty when none was given.
    pub realm: String,
}

impl Account {
    /// Reads a user's name as it was typed.
    #[must_use]
    pub fn parse(typed: &str) -> Self {
        let typed = typed.trim();
        let (name, realm) = if let Some((realm, name)) = typed.split_once('\\') {
            (name, realm)
        } else if let Some((name, realm)) = typed.rsplit_once('@') {
            (name, realm)
        } else {
            (typed, "")
        };
        Self { name: fold_case(name), realm: fold_case(realm) }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.realm.is_empty() { f.write_str(&self.name) } else { write!(f, "{}@{}", self.name, self.realm) }
    }
}

/// Lower case, and what comes before and after the letters removed.
#[must_use]
pub fn fold_case(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Which realms are one: every realm of a set stands for the first of that set. A realm's short name and its DNS
/// name are the usual case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realms(pub Vec<Vec<String>>);

impl Realms {
    /// The account that counts for this one: its realm replaced by the first of its set.
    #[must_use]
    pub fn canonical(&self, account: &Account) -> Account {
        let same = |realm: &&Vec<String>| realm.iter().any(|r| fold_case(r) == account.realm);
        match self.0.iter().find(same).and_then(|set| set.first()) {
            Some(first) => Account { name: account.name.clone(), realm: fold_case(first) },
            None => account.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_type_a_realm_are_one_account() {
        assert_eq!(Account::parse(r"CORP\Alice"), Account::parse("alice@corp"));
        assert_eq!(Account::parse(" Alice "), Account { name: "alice".into(), realm: String::new() });
        assert_eq!(Account::parse("a@b@corp").name, "a@b");
    }

    #[test]
    fn realms_that_are_one_make_one_account() {
        let realms = Realms(vec![vec!["CORP".into(), "corp.example".into(), String::new()]]);
        let canonical = |typed| realms.canonical(&Account::parse(typed));
        assert_eq!(canonical(r"CORP\alice"), canonical("alice@corp.example"));
        assert_eq!(canonical("alice"), canonical("alice@corp"));
        assert_ne!(canonical("alice@elsewhere"), canonical("alice@corp"));
    }
}
