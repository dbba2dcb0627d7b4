//! The token by which the program on this machine speaks with its own server: whoever can read the data directory is
//! an administrator of it anyway.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use subtle::ConstantTimeEq as _;

use crate::random;

/// The file in the data directory.
const FILE: &str = "local-token";

/// Why there is no such token.
#[derive(Debug, thiserror::Error)]
pub enum LocalTokenError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
}

/// The token of this start, by its hash.
#[derive(Debug)]
pub struct LocalToken {
    hash: String,
}

impl LocalToken {
    /// Draws a token and writes it where only the server's own user can read it. The one before is worth nothing then.
    ///
    /// # Errors
    /// [`LocalTokenError`].
    pub fn create(dir: &Path) -> Result<Self, LocalTokenError> {
        let token = random::secret("ull_")?;
        let path = dir.join(FILE);
        let fresh = dir.join("local-token.new");
        let failed = |source| LocalTokenError::File { path: path.clone(), source };
        // A left-over of a start that was cut short.
        let _ = std::fs::remove_file(&fresh);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
        file.write_all(token.as_bytes()).map_err(failed)?;
        std::fs::rename(&fresh, &path).map_err(failed)?;
        Ok(Self { hash: random::hash_secret(&token) })
    }

    /// Whether this is the token.
    #[must_use]
    pub fn is(&self, presented_hash: &str) -> bool {
        self.hash.as_bytes().ct_eq(presented_hash.as_bytes()).into()
    }
}

/// Reads the token of the running server.
///
/// # Errors
/// [`LocalTokenError::File`].
pub fn read_local_token(dir: &Path) -> Result<String, LocalTokenError> {
    let path = dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(LocalTokenError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_start_has_its_own_and_only_its_user_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = LocalToken::create(dir.path()).unwrap();
        let first_text = read_local_token(dir.path()).unwrap();
        let second = LocalToken::create(dir.path()).unwrap();
        let hash = random::hash_secret(&first_text);
        assert!(first.is(&hash) && !second.is(&hash) && !first.is(""));
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
