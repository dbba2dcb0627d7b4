//! Secrets, as they are read and written: what is read says only whether one is set.

use serde::{Deserialize, Serialize};

use crate::settings::Secret;

/// What is read of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretState {
    /// Whether one is set.
    pub set: bool,
}

impl SecretState {
    /// Whether this one is set.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        Self { set: secret.is_set() }
    }
}

/// What is written of a secret. It cannot be serialized: it only ever comes in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "SecretGiven")]
pub enum SecretChange {
    /// It stays as it is: nothing was given, or what is read of it.
    #[default]
    Keep,
    /// It becomes this one; an empty one removes it.
    Replace(Secret),
}

impl SecretChange {
    /// The secret after the change.
    #[must_use]
    pub fn applied_to(self, present: &Secret) -> Secret {
        match self {
            Self::Keep => present.clone(),
            Self::Replace(secret) => secret,
        }
    }
}

/// A secret as JSON has it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a text, or the object that was read, which keeps it")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) enum SecretGiven {
    /// The secret itself; an empty text removes it.
    Text(Box<str>),
    /// It stays.
    State(#[expect(dead_code, reason = "it only has to be of that form")] SecretState),
}

impl From<SecretGiven> for SecretChange {
    fn from(given: SecretGiven) -> Self {
        match given {
            SecretGiven::Text(text) => Self::Replace(Secret::new(text)),
            SecretGiven::State(_) => Self::Keep,
        }
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
            serde_json::from_value::<SecretChange>(given).map(|change| change.applied_to(&present))
        };
        for kept in [json!({ "set": true }), json!({ "set": false })] {
            assert_eq!(after(kept).unwrap(), present);
        }
        assert_eq!(after(json!("new")).unwrap(), Secret::new("new"));
        assert!(!after(json!("")).unwrap().is_set());
        for wrong in [json!(null), json!(7), json!({ "set": "yes" }), json!({ "set": true, "value": "x" }), json!([])] {
            assert!(after(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
