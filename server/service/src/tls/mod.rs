//! Certificates: made at set-up or given, and known by their fingerprint rather than by who signed them.

mod facts;
mod keeper;

use std::{
    fs::File,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use userlock_agent::client::fingerprint_of;

use crate::files;

pub use facts::Facts;
pub use keeper::{Certificates, KeeperError, Known, TakenUp};

/// The certificate in use with its key, in the data directory: one file, so that both are replaced at once.
pub const FILE: &str = "server.pem";
/// The one that will take its place.
pub const NEXT_FILE: &str = "next.pem";

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

impl TlsError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The most bytes of a file with a certificate or a key.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    certs: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a certificate for these names and addresses, signed by itself. It is nowhere yet.
    ///
    /// # Errors
    /// [`TlsError::Generate`], [`TlsError::Unusable`].
    pub fn make(hosts: &[&str], ip: IpAddr) -> Result<Self, TlsError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(hosts.iter().map(|host| (*host).to_owned()));
        if !ip.is_unspecified() {
            names.push(ip.to_string());
        }
        names.sort_unstable();
        names.dedup();
        let mut params = rcgen::CertificateParams::new(names)?;
        params.distinguished_name.push(
            rcgen::DnType::CommonName,
            format!("UserLock on {}", hosts.first().copied().unwrap_or("this machine")),
        );
        let key = rcgen::KeyPair::generate()?;
        let cert = params.self_signed(&key)?;
        let unreadable = |e| TlsError::Unusable(rustls::Error::General(str::to_owned(e)));
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(unreadable)?;
        Ok(Self { certs: vec![cert.der().clone()], key })
    }

    /// Makes a certificate as [`Self::make`] does, and puts it into the data directory, where there must be none.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn generate(dir: &Path, hosts: &[&str], ip: IpAddr) -> Result<Self, TlsError> {
        let made = Self::make(hosts, ip)?;
        made.write_new(&dir.join(FILE))?;
        Ok(made)
    }

    /// Whether there is one in this data directory.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Reads the one in use from a data directory.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load_from_dir(dir: &Path) -> Result<Self, TlsError> {
        Self::load(&dir.join(FILE), &dir.join(FILE))
    }

    /// Reads a certificate, with those that signed it behind, and its key; both PEM, perhaps in one file.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let mut bytes = Vec::new();
            let file = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes));
            file.map(|_| bytes).map_err(TlsError::file(path))
        };
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

    /// Writes it to a file that must not be there yet, which only its owner reads from the first moment. It is whole on
    /// the disk when this returns, else it is not there.
    ///
    /// # Errors
    /// [`TlsError::File`].
    pub fn write_new(&self, path: &Path) -> Result<(), TlsError> {
        if path.exists() {
            return Err(TlsError::file(path)(std::io::ErrorKind::AlreadyExists.into()));
        }
        self.write(path)
    }

    /// Writes it to a file, in place of the one that is there, if one is: whole or not at all.
    ///
    /// # Errors
    /// [`TlsError::File`].
    pub fn write(&self, path: &Path) -> Result<(), TlsError> {
        let kind = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        let certs = self.certs.iter().map(|cert| pem::Pem::new("CERTIFICATE", cert.as_ref()));
        let key = pem::Pem::new(kind, self.key.secret_der());
        let text: String = certs.chain([key]).map(|part| pem::encode(&part)).collect();
        files::replace(path, text.as_bytes()).map_err(TlsError::file(path))
    }

    /// The certificate, and those that signed it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certs
    }

    /// How the certificate is known: its SHA-256 in hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.certs.first().map(|cert| fingerprint_of(cert)).unwrap_or_default()
    }

    /// What the certificate says of itself.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.certs.first().map(|cert| Facts::of(cert)).unwrap_or_default()
    }

    /// What the server's side of TLS needs.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_single_cert(self.certs.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The cryptography that TLS works with.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_certificate_that_was_made_is_read_back_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let made = Identity::generate(dir.path(), &["host.example"], "127.0.0.1".parse().unwrap()).unwrap();
        let read = Identity::load_from_dir(dir.path()).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(read.server_config().is_ok());
        assert!(Identity::generate(dir.path(), &["h"], "::1".parse().unwrap()).is_err(), "nothing is overwritten");
    }
}
