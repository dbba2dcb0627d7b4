//! Section `email`: by which mail server this server sends.

use serde::{Deserialize, Serialize};

use super::{FieldError, MAX_SECRET_BYTES, Secret, host, line};

/// The longest name of an account elsewhere, in bytes.
const MAX_USER_BYTES: usize = 256;
/// The longest address of a sender, with its name, in bytes.
const MAX_MAILBOX_BYTES: usize = 320;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MailTls {
    /// Not at all. The password, if one is set, goes over the network as it is.
    None,
    /// It begins in clear and must become TLS before anything is said.
    #[default]
    #[serde(rename = "starttls")]
    StartTls,
    /// It is TLS from its first byte.
    Tls,
}

/// Section `email`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Email {
    /// The mail server's name or address; empty: not set, and nothing is sent.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The sender: `name@example.com` or `Name <name@example.com>`.
    pub from: String,
    /// The account at the mail server; empty: it asks for none.
    pub user: String,
    /// The account's password.
    pub password: Secret,
}

impl Default for Email {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 587,
            tls: MailTls::default(),
            from: String::new(),
            user: String::new(),
            password: Secret::default(),
        }
    }
}

impl Email {
    /// Whether a mail server is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.server.is_empty()
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        if self.is_set() {
            host("server", &self.server)?;
        }
        if self.port == 0 {
            return Err(FieldError::new("port", "must be from 1 to 65535"));
        }
        line("from", &self.from, MAX_MAILBOX_BYTES)?;
        if self.from.is_empty() && self.is_set() {
            return Err(FieldError::new("from", "must be the sender's address, such as userlock@example.com"));
        }
        if !self.from.is_empty() && !self.from.contains('@') {
            return Err(FieldError::new("from", "must be an address such as userlock@example.com"));
        }
        line("user", &self.user, MAX_USER_BYTES)?;
        line("password", self.password.expose(), MAX_SECRET_BYTES)?;
        if self.password.is_set() && self.user.is_empty() {
            return Err(FieldError::new("user", "must be the account that the password is for"));
        }
        if self.is_set() && !self.user.is_empty() && !self.password.is_set() {
            return Err(FieldError::new("password", "must be the account's password: none is set"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_cannot_be_so_is_named() {
        let good = Email {
            server: "mail.example.com".into(),
            from: "UserLock <userlock@example.com>".into(),
            user: "userlock".into(),
            password: Secret::new("hunter2"),
            ..Email::default()
        };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(Email::default().check(), Ok(()), "not set");
        let refused = |change: &dyn Fn(&mut Email)| {
            let mut email = good.clone();
            change(&mut email);
            email.check().unwrap_err().field
        };
        assert_eq!(refused(&|e| e.server = "mail example".into()), "server");
        assert_eq!(refused(&|e| e.server = "mail.example.com:25".into()), "server");
        assert_eq!(refused(&|e| e.server = "smtp://mail.example.com".into()), "server");
        assert_eq!(refused(&|e| e.server = "m".repeat(254)), "server");
        assert_eq!(refused(&|e| e.port = 0), "port");
        assert_eq!(refused(&|e| e.from = String::new()), "from");
        assert_eq!(refused(&|e| e.from = "userlock".into()), "from");
        assert_eq!(refused(&|e| e.from = "a@b\r\nBcc: c@d".into()), "from");
        assert_eq!(refused(&|e| e.user = String::new()), "user");
        assert_eq!(refused(&|e| e.user = "u\n".into()), "user");
        assert_eq!(refused(&|e| e.password = Secret::default()), "password");
        assert_eq!(refused(&|e| e.password = Secret::new("x".repeat(1025))), "password");
        assert_eq!(refused(&|e| e.password = Secret::new("a\0b")), "password");
    }

    #[test]
    fn what_was_kept_by_a_version_before_has_the_defaults() {
        let email: Email = serde_json::from_str("{}").unwrap();
        assert_eq!(email, Email::default());
        assert_eq!(serde_json::to_value(MailTls::StartTls).unwrap(), "starttls");
    }
}
