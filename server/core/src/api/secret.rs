//! A secret of a section, as it is read and written: what is read says only whether one is set.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::{FieldError, Secret};

/// What is read of a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretState {
    /// Whether one is set.
    pub set: bool,
}

/// A secret in a section. It is never read: neither `Serialize` nor `Debug` shows one. Left out, or written back as it was
/// read, it stays.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "must be a text, or the object that was read, which keeps it")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SecretField {
    /// Whether there is one. Written, it stays as it is, whatever this says.
    Kept(SecretState),
    /// A new one; where there may be none, an empty text removes it. Never read.
    New(String),
}

impl Default for SecretField {
    fn default() -> Self {
        Self::Kept(SecretState::default())
    }
}

/// Only whether it is set.
impl Serialize for SecretField {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SecretState { set: self.is_set() }.serialize(serializer)
    }
}

impl fmt::Debug for SecretField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_kept() { "Kept" } else { "New" })
    }
}

impl SecretField {
    /// How a secret reads.
    #[must_use]
    pub fn told(set: bool) -> Self {
        Self::Kept(SecretState { set })
    }

    /// How this secret reads.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        Self::told(secret.is_set())
    }

    /// Whether it says that there is one.
    #[must_use]
    pub fn is_set(&self) -> bool {
        match self {
            Self::Kept(state) => state.set,
            Self::New(text) => !text.is_empty(),
        }
    }

    /// Whether it stays.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// The password of an account elsewhere after this was written. Without an account none is kept.
    pub(super) fn applied_to(self, present: &Secret, account: &str) -> Secret {
        match self {
            Self::Kept(_) if account.is_empty() => Secret::default(),
            Self::Kept(_) => present.clone(),
            Self::New(text) => Secret::new(text),
        }
    }

    /// Why a password that is kept does not go along.
    pub(super) fn must_be_given_again() -> FieldError {
        let message = "must be given again, since the server, the port, the account or the protection is another: what is kept goes nowhere else";
        FieldError::new("password", message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_stays_unless_a_text_replaces_it() {
        let present = Secret::new("old");
        let after = |given: serde_json::Value| {
            serde_json::from_value::<SecretField>(given).map(|field| field.applied_to(&present, "me"))
        };
        for kept in [json!({ "set": true }), json!({ "set": false })] {
            assert_eq!(after(kept).unwrap(), present);
        }
        assert_eq!(after(json!("new")).unwrap(), Secret::new("new"));
        assert!(!after(json!("")).unwrap().is_set());
        assert!(!SecretField::default().applied_to(&present, "").is_set(), "without an account there is no password");
        for wrong in [json!(null), json!(7), json!({ "set": "yes" }), json!({ "set": true, "value": "x" }), json!([])] {
            let said = after(wrong.clone()).unwrap_err().to_string();
            assert!(said.contains("must be a text"), "{wrong}: {said}");
        }
    }

    #[test]
    fn it_is_never_shown() {
        let new = SecretField::New("hunter2".into());
        assert_eq!(serde_json::to_value(&new).unwrap(), json!({ "set": true }));
        assert_eq!(format!("{new:?} {:?}", SecretField::of(&Secret::new("x"))), "New Kept");
        assert_eq!(serde_json::to_value(SecretField::of(&Secret::new("x"))).unwrap(), json!({ "set": true }));
    }
}
