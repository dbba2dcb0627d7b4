//! Section `notifications`: who is told of which events of the product.

use serde::{Deserialize, Serialize};

use super::FieldError;

/// The most recipients.
const MAX_RECIPIENTS: usize = 100;
/// The most events.
const MAX_EVENTS: usize = 1000;
/// The longest address, in bytes (RFC 5321, 4.5.3.1.3).
const MAX_ADDRESS_BYTES: usize = 254;

/// Who is told of which events of the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notifications {
    /// The addresses.
    pub recipients: Vec<String>,
    /// The ids of the events.
    pub events: Vec<u32>,
}

impl Notifications {
    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        if self.recipients.len() > MAX_RECIPIENTS {
            return Err(FieldError::new("notifications.recipients", format!("must be at most {MAX_RECIPIENTS}")));
        }
        if let Some(wrong) = self.recipients.iter().find(|address| !is_address(address)) {
            let message = format!("\u{201c}{wrong}\u{201d} is no address such as name@host.example");
            return Err(FieldError::new("notifications.recipients", message));
        }
        if self.events.len() > MAX_EVENTS {
            return Err(FieldError::new("notifications.events", format!("must be at most {MAX_EVENTS}")));
        }
        Ok(())
    }
}

/// Whether mail can be sent to it, as far as its form goes.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;\"".contains(c))
    };
    text.len() <= MAX_ADDRESS_BYTES
        && text.rsplit_once('@').is_some_and(|(name, host)| plain(name) && plain(host) && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert!(is_address("ops@corp.example") && is_address("a.b+c@localhost"));
        for wrong in ["", "ops", "@x", "a@", "a b@x", "a@x\r\nBcc: y@z", "<a@x>"] {
            assert!(!is_address(wrong), "{wrong:?}");
        }
    }
}
