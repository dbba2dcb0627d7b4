//! What a server may tell of itself: it is kept, shown, and told to agents.

use super::{Hello, JoinRequest, MAX_SILENT};
use crate::{address::is_fingerprint, agent_api::ServerAddress, record::MAX_MACHINE_BYTES, settings::FieldError};

/// The longest name of a server, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The longest version of a program, in bytes.
const MAX_VERSION_BYTES: usize = 64;
/// The longest text that says why a server is in its phase, in bytes.
const MAX_WORDS_BYTES: usize = 512;
/// The longest address, in bytes.
const MAX_URL_BYTES: usize = 512;

impl JoinRequest {
    /// Whoever asks to join is not known yet: nothing of what they say is kept or told beyond these lengths.
    ///
    /// # Errors
    /// The first field that is too long, or has what it must not have.
    pub fn check(&self) -> Result<(), FieldError> {
        bounded("account", &self.account, 256)?;
        bounded("password", &self.password, 1024)?;
        bounded("server_name", &self.server_name, MAX_NAME_BYTES)?;
        bounded("version", &self.version, MAX_VERSION_BYTES)?;
        check_address("address", &self.address)
    }
}

impl Hello {
    /// What a server tells each second is kept and told on as what a Backup told when it joined, by the same bounds.
    ///
    /// # Errors
    /// The first field that is too long, or has what it must not have.
    pub fn check(&self) -> Result<(), FieldError> {
        bounded("name", &self.name, MAX_NAME_BYTES)?;
        bounded("version", &self.version, MAX_VERSION_BYTES)?;
        bounded("phase.reason", &self.phase.reason, MAX_WORDS_BYTES)?;
        bounded("phase.waits_for", &self.phase.waits_for, MAX_WORDS_BYTES)?;
        check_address("address", &self.address)?;
        if let Some(knows) = &self.knows {
            check_address("knows", knows)?;
        }
        if self.silent.len() > MAX_SILENT {
            return Err(FieldError::new("silent", format!("must name at most {MAX_SILENT} machines")));
        }
        if self.silent.iter().any(|(machine, _)| machine.len() > MAX_MACHINE_BYTES) {
            return Err(FieldError::new("silent", format!("must have names of at most {MAX_MACHINE_BYTES} bytes")));
        }
        Ok(())
    }
}

fn check_address(field: &str, address: &ServerAddress) -> Result<(), FieldError> {
    let named = |part: &str| format!("{field}.{part}");
    bounded(&named("url"), &address.url, MAX_URL_BYTES)?;
    if !address.fingerprint.is_empty() && !is_fingerprint(&address.fingerprint) {
        let must = "must be empty or 64 lower-case hexadecimal digits";
        return Err(FieldError::new(named("fingerprint"), must));
    }
    // An empty one would be taken for a certificate by whoever is told of it.
    if address.next.as_deref().is_some_and(|next| !is_fingerprint(next)) {
        return Err(FieldError::new(named("next"), "must be absent or 64 lower-case hexadecimal digits"));
    }
    Ok(())
}

fn bounded(field: &str, text: &str, most: usize) -> Result<(), FieldError> {
    if text.len() <= most && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must have at most {most} bytes, and no control characters")))
}
