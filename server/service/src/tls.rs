//! Certificates: made at set-up or given, and known by their fingerprint rather than by who signed them.

use std::{
    io::Write as _,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// The certificate's file in the data directory.
const CERT_FILE: &str = "server.pem";
/// Its key's.
const KEY_FILE: &str = "server.key";

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not have what it should.
    #[error("{}: {reason}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The certificate and the key do not go together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate with its key.
pub struct Identity {
    certs: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a certificate for these names and addresses, signed by itself, and puts it into the data directory.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn generate(dir: &Path, host: &str, ip: IpAddr) -> Result<Self, TlsError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.push(host.to_owned());
        if !ip.is_unspecified() {
            names.push(ip.to_string());
        }
        names.sort_unstable();
        names.dedup();
        let mut params = rcgen::CertificateParams::new(names)?;
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("UserLock on {host}"));
        let key = rcgen::KeyPair::generate()?;
        let cert = params.self_signed(&key)?;
        write(&dir.join(CERT_FILE), cert.pem().as_bytes(), 0o644)?;
        write(&dir.join(KEY_FILE), key.serialize_pem().as_bytes(), 0o600)?;
        Self::load_from_dir(dir)
    }

    /// Whether [`Self::generate`] has made one in this data directory.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(CERT_FILE).exists() && dir.join(KEY_FILE).exists()
    }

    /// Reads the certificate that [`Self::generate`] made.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load_from_dir(dir: &Path) -> Result<Self, TlsError> {
        Self::load(&dir.join(CERT_FILE), &dir.join(KEY_FILE))
    }

    /// Reads a certificate, with those that signed it behind, and its key; both PEM.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source });
        let wrong = |path: &Path, reason: String| TlsError::Contents { path: path.to_owned(), reason };
        let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
        let certs = certs.map_err(|e| wrong(cert, format!("not a PEM file: {e:?}")))?;
        if certs.is_empty() {
            return Err(wrong(cert, "has no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|e| wrong(key, format!("has no private key that can be read: {e:?}")))?;
        Ok(Self { certs, key })
    }

    /// How the certificate is known: its SHA-256 in hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.certs.first().map(|cert| fingerprint(cert)).unwrap_or_default()
    }

    /// What the server's side of TLS needs.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn server_config(self) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_single_cert(self.certs, self.key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The cryptography that TLS works with.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The SHA-256 of a certificate, in lower-case hex.
#[must_use]
pub fn fingerprint(cert: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, cert).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A fingerprint as people type it, `sha256:AA:BB…` included, as it is compared. `None`: it is none.
#[must_use]
pub fn normalize_fingerprint(typed: &str) -> Option<String> {
    let typed = typed.trim().to_ascii_lowercase();
    let digits: String = typed.trim_start_matches("sha256:").chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let fits = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then_some(digits)
}

/// Writes a file that must not be there yet, with these permissions from the first moment.
fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), TlsError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()
    })
    .map_err(|source| TlsError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_certificate_that_was_made_is_read_back_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let made = Identity::generate(dir.path(), "host.example", "127.0.0.1".parse().unwrap()).unwrap();
        let read = Identity::load_from_dir(dir.path()).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(read.server_config().is_ok());
        assert!(Identity::generate(dir.path(), "h", "::1".parse().unwrap()).is_err(), "nothing is overwritten");
    }

    #[test]
    fn a_fingerprint_is_read_as_people_type_it() {
        let hex = "ab".repeat(32);
        for typed in [hex.clone(), format!("sha256:{}", hex.to_uppercase()), format!(" {} ", vec!["AB"; 32].join(":"))]
        {
            assert_eq!(normalize_fingerprint(&typed).as_deref(), Some(hex.as_str()), "{typed}");
        }
        assert_eq!(normalize_fingerprint("ab"), None);
        assert_eq!(normalize_fingerprint(&"zz".repeat(32)), None);
    }
}
