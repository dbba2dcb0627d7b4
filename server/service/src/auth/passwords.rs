//! Passwords: argon2id, a few at a time.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{self, SaltString},
};
use tokio::sync::Semaphore;

use crate::random;

/// The shortest password that is taken, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// The longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// The most that are checked at once: each takes 19 MiB and tens of milliseconds.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Why a password was neither found right nor wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PasswordError {
    /// Too many are being checked.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// There is no randomness for a salt.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
    /// The hash could not be computed.
    #[error("the password cannot be hashed: {0}")]
    Hash(password_hash::Error),
}

/// Checks passwords in constant time for accounts that are there and that are not.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of no account's password.
    dummy: Arc<str>,
}

impl Passwords {
    /// # Errors
    /// [`PasswordError`].
    pub fn new() -> Result<Self, PasswordError> {
        let dummy = hash_now(&random::secret("")?)?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), dummy: dummy.into() })
    }

    /// Whether this is the password with that hash. Without a hash it takes as long and is `false`.
    ///
    /// # Errors
    /// [`PasswordError::Busy`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.ok().and_then(Result::ok).ok_or(PasswordError::Busy)?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.to_string());
        let check = move || {
            let matches = PasswordHash::new(&hash)
                .and_then(|hash| Argon2::default().verify_password(password.as_bytes(), &hash))
                .is_ok();
            drop(turn);
            matches
        };
        let matches = tokio::task::spawn_blocking(check).await.map_err(|_| PasswordError::Busy)?;
        Ok(matches && known)
    }
}

/// Whether a password can be one, in words if not.
///
/// # Errors
/// What it must be.
pub fn check_password(password: &str) -> Result<(), String> {
    let fits = password.chars().count() >= MIN_PASSWORD_CHARS && password.len() <= MAX_PASSWORD_BYTES;
    if fits && !password.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_BYTES} characters, none of them a control character"))
}

/// Hashes a password, taking tens of milliseconds of this thread.
///
/// # Errors
/// [`PasswordError`].
pub fn hash_now(password: &str) -> Result<String, PasswordError> {
    let salt = SaltString::encode_b64(&random::bytes::<16>()?).map_err(PasswordError::Hash)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(PasswordError::Hash)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::new().unwrap();
        let hash = hash_now("right").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(passwords.verify("right".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("right".into(), None).await.unwrap());
        assert!(!passwords.verify("right".into(), Some("nonsense".into())).await.unwrap());
        assert!(!passwords.verify("x".repeat(MAX_PASSWORD_BYTES + 1), Some(hash)).await.unwrap());
    }
}
