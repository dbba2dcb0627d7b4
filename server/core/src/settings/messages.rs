//! Section `messages`: the texts that users see.

use serde::{Deserialize, Serialize};

use super::FieldError;

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 1000;

/// The texts that users see. Each may have variables in braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Messages {
    /// To somebody who is refused by a rule: `{reason}`, `{user}`, `{machine}`, `{zone}`.
    pub logon_denied: String,
    /// To somebody who is refused because no server answers: `{user}`, `{machine}`, `{zone}`.
    pub offline_denied: String,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            logon_denied: "{reason}".into(),
            offline_denied: "No server of the zone {zone} answers, and its policy then is to refuse. Try again later, or ask your administrator.".into(),
        }
    }
}

impl Messages {
    /// Each text with its name, its value and its variables.
    #[must_use]
    pub fn each(&self) -> [(&'static str, &str, &'static [&'static str]); 2] {
        [
            ("logon_denied", &self.logon_denied, &["reason", "user", "machine", "zone"]),
            ("offline_denied", &self.offline_denied, &["user", "machine", "zone"]),
        ]
    }

    /// Checks every text.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        for (name, text, variables) in self.each() {
            let refuse = |message: String| Err(FieldError::new(format!("messages.{name}"), message));
            if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES {
                return refuse(format!("must have 1 to {MAX_TEXT_BYTES} characters"));
            }
            if text.chars().any(|c| c.is_control() && c != '\n') {
                return refuse("must not have control characters, line breaks excepted".into());
            }
            if let Some(unknown) = variables_of(text).find(|variable| !variables.contains(variable)) {
                return refuse(format!("{{{unknown}}} is no variable of it: there are {{{}}}", variables.join("}, {")));
            }
        }
        Ok(())
    }
}

/// The names in braces.
fn variables_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The longest text that a user is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 2048;

/// The text with its variables replaced, cut to 2,048 bytes. What stands for a variable is never looked through for others.
#[must_use]
pub fn expand(text: &str, variables: &[(&str, &str)]) -> String {
    let mut expanded = replaced(text, variables);
    if expanded.len() > MAX_SHOWN_BYTES {
        let end = (0..=MAX_SHOWN_BYTES).rev().find(|at| expanded.is_char_boundary(*at)).unwrap_or(0);
        expanded.truncate(end);
    }
    expanded
}

fn replaced(text: &str, variables: &[(&str, &str)]) -> String {
    let mut parts = text.split('{');
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = part.split_once('}').and_then(|(name, rest)| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value, rest))
        });
        match found {
            Some((value, rest)) => {
                expanded.push_str(value);
                expanded.push_str(rest);
            }
            None => {
                expanded.push('{');
                expanded.push_str(part);
            }
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_once() {
        let variables = [("reason", "2 of 2 {user}"), ("user", "alice")];
        assert_eq!(expand("{user}: {reason}.", &variables), "alice: 2 of 2 {user}.");
        assert_eq!(expand("{other} {", &variables), "{other} {");
        assert_eq!(expand("", &variables), "");
        let long = "\u{e9}".repeat(500);
        assert_eq!(expand(&"{x}".repeat(9), &[("x", &long)]).len(), 2048, "cut");
    }

    #[test]
    fn a_text_with_an_unknown_variable_is_refused() {
        assert_eq!(Messages::default().check(), Ok(()));
        let wrong = |text: &str| Messages { offline_denied: text.into(), ..Messages::default() }.check().is_err();
        assert!(wrong("") && wrong("{reason}") && wrong("a\u{7}") && wrong(&"x".repeat(1001)));
        assert!(!wrong("two\nlines of {zone}"));
    }
}
