//! The section `email` of a server: as it is read and written back, and tested.

use serde::{Deserialize, Serialize};

use super::SecretField;
use crate::settings::{Email, FieldError, MailTls};

/// The section `email`. What is read can be written back as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailSection {
    /// The mail server's name or address; empty: not set.
    pub server: String,
    /// Its port: 1 to 65,535.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The sender: `name@example.com` or `Name <name@example.com>`.
    pub from: String,
    /// The account at the mail server; empty: none.
    pub user: String,
    /// Its password.
    #[serde(default)]
    pub password: SecretField,
}

impl From<&Email> for EmailSection {
    fn from(email: &Email) -> Self {
        let Email { server, port, tls, from, user, password } = email.clone();
        Self { server, port, tls, from, user, password: SecretField::of(&password) }
    }
}

impl EmailSection {
    /// What is kept after this was written. Without an account the password goes too.
    ///
    /// # Errors
    /// [`FieldError`]: a password that is kept is sent to the server that it was given for, as the account that it was given for,
    /// and no less protected; else it must be given again.
    pub fn applied_to(self, present: &Email) -> Result<Email, FieldError> {
        let kept = self.password.is_kept() && present.password.is_set() && !self.user.is_empty();
        if kept && !self.takes_password_of(&Self::from(present)) {
            return Err(SecretField::must_be_given_again());
        }
        let Self { server, port, tls, from, user, password } = self;
        let password = password.applied_to(&present.password, &user);
        Ok(Email { server, port, tls, from, user, password })
    }

    /// Whether a password that is kept for what is present may go along: to the same server and account, no less protected.
    #[must_use]
    pub fn takes_password_of(&self, present: &Self) -> bool {
        let same = (&self.server, self.port, &self.user) == (&present.server, present.port, &present.user);
        same && (self.tls == present.tls || self.tls == MailTls::Tls)
    }
}

/// `POST /api/v1/settings/email/test`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailTest {
    /// Who gets the message.
    pub to: String,
    /// The settings to test; absent: those that are kept. They are not kept by this.
    #[serde(default)]
    pub settings: Option<EmailSection>,
}
