//! A password that a server needs in clear to sign in elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest one, in bytes.
pub const MAX_SECRET_BYTES: usize = 1024;

/// A password that is kept as it is, because another program asks for it. `Debug` shows nothing of it.
///
/// `Serialize` is for the server's own private store alone (`state.sqlite`, mode 0600). No type that leaves the server
/// has one: what is read says only whether it is set.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password in clear, for the one who signs in with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Secret(set)" } else { "Secret(not set)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(set)");
        assert_eq!(format!("{:#?}", Secret::default()), "Secret(not set)");
    }
}
