//! Who may do what: accounts, roles and API tokens.

mod rights;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use rights::{Access, Area, Right, Rights, Role, role_title, role_titles};

use super::FieldError;

/// A role that an administrator made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRole {
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What it says of each area that it names.
    pub rights: BTreeMap<Area, Access>,
}

/// Section `security`. It carries hashes, never a password or a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// Who may sign in.
    pub accounts: Vec<LocalAccount>,
    /// The roles beside those that are always there.
    #[serde(default)]
    pub roles: Vec<OwnRole>,
    /// Which API tokens are valid.
    pub tokens: Vec<StoredToken>,
    /// Minutes after which a sign-in ends without activity.
    pub session_minutes: u32,
}

impl Default for Security {
    fn default() -> Self {
        Self { accounts: Vec::new(), roles: Vec::new(), tokens: Vec::new(), session_minutes: 60 }
    }
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalAccount {
    /// The name, case-folded.
    pub name: String,
    /// argon2id, in PHC form.
    pub password_hash: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// Whether it may not sign in for now.
    pub disabled: bool,
}

/// An API token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// What it is for.
    pub name: String,
    /// The BLAKE3 hash of the token, in hex.
    pub hash: String,
    /// The name of its role.
    pub role: String,
    /// When it was made, in ms since 1970 UTC.
    pub at: i64,
    /// When it ends, in ms since 1970 UTC; never when absent.
    #[serde(default)]
    pub expires: Option<i64>,
}

/// The most accounts, roles and tokens.
const MAX_LIST: usize = 1000;
/// The most roles of an account.
const MAX_ROLES: usize = 32;
/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

impl Security {
    /// What these roles give together: a right that one of them gives and none denies. One that is not there gives nothing.
    #[must_use]
    pub fn rights_of<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> Rights {
        let (mut given, mut denied) = (Rights::default(), Vec::new());
        for name in roles {
            if let Some(role) = Role::named(name) {
                given = given.and(role.rights());
                continue;
            }
            let own = self.roles.iter().find(|role| role.name == name);
            for (area, access) in own.into_iter().flat_map(|role| &role.rights) {
                match access {
                    Access::Read => given = given.and(Rights::reading(*area)),
                    Access::Write => given = given.and(Rights::writing(*area)),
                    Access::Deny => denied.push(*area),
                }
            }
        }
        denied.into_iter().fold(given, Rights::without)
    }

    /// What an account may do, if it may sign in.
    #[must_use]
    pub fn rights_of_account(&self, account: &LocalAccount) -> Rights {
        self.rights_of(account.roles.iter().map(String::as_str))
    }

    /// Whether an account may do everything.
    #[must_use]
    pub fn is_administrator(&self, name: &str) -> bool {
        let account = self.accounts.iter().find(|account| account.name == name && !account.disabled);
        account.is_some_and(|account| self.rights_of_account(account) == Rights::ALL)
    }

    /// Whether there is a role of this name.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        Role::named(name).is_some() || self.roles.iter().any(|role| role.name == name)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        let bounded = |field: &str, length: usize, most: usize| match length {
            n if n <= most => Ok(()),
            n => Err(FieldError::new(field, format!("must have at most {most} entries, not {n}"))),
        };
        bounded("security.accounts", self.accounts.len(), MAX_LIST)?;
        bounded("security.roles", self.roles.len(), MAX_LIST)?;
        bounded("security.tokens", self.tokens.len(), MAX_LIST)?;
        if !(1..=10_080).contains(&self.session_minutes) {
            let message = format!("must be from 1 to 10080, not {}", self.session_minutes);
            return Err(FieldError::new("security.session_minutes", message));
        }
        let own_names: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        unique("security.roles", &own_names)?;
        for name in own_names {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
                let message = "a role's name must have 1 to 64 lower-case letters, digits, - or _";
                return Err(FieldError::new("security.roles", message));
            }
            if Role::named(name).is_some() {
                return Err(FieldError::new("security.roles", format!("{name} is always there and cannot be changed")));
            }
        }
        unique("security.accounts", &self.accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>())?;
        for account in &self.accounts {
            named("security.accounts", &account.name)?;
            bounded("security.accounts", account.roles.len(), MAX_ROLES)?;
            self.knows("security.accounts", "account", &account.name, account.roles.iter())?;
        }
        unique("security.tokens", &self.tokens.iter().map(|t| t.name.as_str()).collect::<Vec<_>>())?;
        for token in &self.tokens {
            named("security.tokens", &token.name)?;
            self.knows("security.tokens", "token", &token.name, [&token.role])?;
        }
        // Who has been set up with accounts must not lose the last one who can change this.
        if !self.accounts.is_empty() && !self.accounts.iter().any(|account| self.is_administrator(&account.name)) {
            let message = "at least one account that is not disabled must be an administrator";
            return Err(FieldError::new("security.accounts", message));
        }
        Ok(())
    }

    /// Whether each role of an account or a token is there.
    fn knows<'a>(
        &self,
        field: &str,
        kind: &str,
        name: &str,
        roles: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), FieldError> {
        match roles.into_iter().find(|role| !self.has_role(role)) {
            Some(unknown) => {
                let message =
                    format!("the {kind} {name} has the role {unknown}, which is not there: give it another first");
                Err(FieldError::new(field, message))
            }
            None => Ok(()),
        }
    }
}

fn unique(field: &str, names: &[&str]) -> Result<(), FieldError> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(**name)) {
        Some(twice) => Err(FieldError::new(field, format!("{twice} is there twice"))),
        None => Ok(()),
    }
}

fn named(field: &str, name: &str) -> Result<(), FieldError> {
    let wrong = |c: char| c.is_control() || c == '/';
    if name.trim() != name || name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(wrong) {
        let message =
            "a name must have 1 to 64 characters, none of them / or a control character, and no space at its ends";
        return Err(FieldError::new(field, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str, rights: &[(Area, Access)]) -> OwnRole {
        OwnRole { name: name.into(), rights: rights.iter().copied().collect() }
    }

    fn account(name: &str, roles: &[&str]) -> LocalAccount {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        LocalAccount { name: name.into(), password_hash: "x".into(), roles, disabled: false }
    }

    #[test]
    fn write_implies_read_and_deny_wins() {
        let security = Security {
            roles: vec![
                own("desk", &[(Area::Sessions, Access::Write)]),
                own("no-rules", &[(Area::ProtectedAccounts, Access::Deny)]),
            ],
            ..Security::default()
        };
        let desk = security.rights_of(["desk"]);
        assert!(desk.include(Right::Read(Area::Sessions)) && desk.include(Right::Write(Area::Sessions)));
        assert!(!desk.include(Right::Read(Area::Log)) && desk.include(Right::SignedIn));
        for order in [["administrator", "no-rules"], ["no-rules", "administrator"]] {
            let rights = security.rights_of(order);
            assert!(!rights.include(Right::Read(Area::ProtectedAccounts)), "deny wins");
            assert!(rights.include(Right::Write(Area::Settings)));
        }
        assert_eq!(security.rights_of(["nobody"]), Rights::default());
        let both = security.rights_of(["desk", "read_only"]);
        assert!(both.include(Right::Write(Area::Sessions)) && both.include(Right::Read(Area::Security)));
        assert!(!both.include(Right::Write(Area::Security)));
    }

    #[test]
    fn the_last_administrator_stays() {
        let mut security = Security { accounts: vec![account("a", &["administrator"])], ..Security::default() };
        assert_eq!(security.check(), Ok(()));
        security.accounts.push(account("b", &["operator"]));
        security.accounts[0].disabled = true;
        assert_eq!(security.check().unwrap_err().field, "security.accounts");
        security.accounts[0].disabled = false;
        security.accounts[0].roles.push("none-of-it".into());
        assert!(security.check().unwrap_err().message.contains("the account a has the role none-of-it"));
        security.roles.push(own("none-of-it", &[(Area::Security, Access::Deny)]));
        assert!(security.check().unwrap_err().message.contains("administrator"));
    }

    #[test]
    fn names_are_checked() {
        let refused = |security: Security| security.check().unwrap_err().field;
        let of = |roles| Security { roles, ..Security::default() };
        for name in ["", "Desk", "operator", "a b"] {
            assert_eq!(refused(of(vec![own(name, &[])])), "security.roles", "{name}");
        }
        assert_eq!(refused(of(vec![own("x", &[]), own("x", &[])])), "security.roles");
        let token = |name: &str, role: &str| StoredToken {
            name: name.into(),
            hash: String::new(),
            role: role.into(),
            at: 0,
            expires: None,
        };
        let tokens = |tokens| Security { tokens, ..Security::default() };
        assert_eq!(refused(tokens(vec![token("a", "none")])), "security.tokens");
        assert_eq!(refused(tokens(vec![token("a", "operator"), token("a", "operator")])), "security.tokens");
        assert_eq!(tokens(vec![token("a", "operator")]).check(), Ok(()));
    }
}
