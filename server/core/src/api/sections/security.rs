//! The section `security`: accounts, roles and tokens; and who is signed in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    api::SecretField,
    id::Digest,
    settings::{Access, Area, FieldError, LocalAccount, OwnRole, Rights, Security, StoredToken},
};

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
    #[serde(default)]
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
    /// When it was made, in ms since 1970 UTC. It is written back as it is.
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

    /// Whether an account may sign in and do everything, by the section as it stands here.
    #[must_use]
    pub fn is_administrator(&self, name: &str) -> bool {
        self.security().is_administrator(name)
    }

    /// What an account may do, by the section as it stands here: nothing where it is disabled, or not there.
    #[must_use]
    pub fn rights_of(&self, name: &str) -> Rights {
        let security = self.security();
        let account = security.accounts.iter().find(|account| account.name == name && !account.disabled);
        account.map(|account| security.rights_of_account(account)).unwrap_or_default()
    }

    /// Accounts and roles as they stand here, without passwords.
    fn security(&self) -> Security {
        let account = |account: &AccountField| LocalAccount {
            name: crate::account::fold_case(&account.name),
            password_hash: String::new(),
            roles: account.roles.clone(),
            disabled: account.disabled,
        };
        let role = |role: &RoleField| OwnRole { name: role.name.clone(), rights: role.rights.clone() };
        Security {
            accounts: self.accounts.iter().map(account).collect(),
            roles: self.roles.iter().map(role).collect(),
            ..Security::default()
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
            if token.at != known.at {
                let message = format!("when the token {} was made cannot be changed", token.name);
                return Err(FieldError::new("tokens", message));
            }
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
