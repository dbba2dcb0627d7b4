//! Trust in one certificate, known by its fingerprint.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use userlock_core::address::read_fingerprint;

use super::{AddressError, api};

/// The SHA-256 fingerprint of a certificate in DER, as 64 lower-case hexadecimal digits.
#[must_use]
pub fn fingerprint_of(der: &[u8]) -> String {
    ::ring::digest::digest(&::ring::digest::SHA256, der).as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a fingerprint as people and programs write it; gives its 64 lower-case digits.
///
/// # Errors
/// [`AddressError::BadFingerprint`].
pub fn parse_fingerprint(text: &str) -> Result<String, AddressError> {
    read_fingerprint(text).ok_or_else(|| AddressError::BadFingerprint(text.chars().take(200).collect()))
}

/// A TLS configuration that trusts these fingerprints alone; without any, nothing.
pub(super) fn pinned(fingerprints: Vec<String>) -> Result<ClientConfig, AddressError> {
    config(|provider| Arc::new(Pinned { fingerprints, provider }))
}

fn config(
    verifier: impl FnOnce(Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, AddressError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| AddressError::Setup(error.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier(provider)).with_no_client_auth())
}

/// Accepts the one certificate, or the one that was announced to take its place. Names, dates and issuers are not
/// looked at: whoever copied the fingerprint has already said which it is. That the server has its key is checked as
/// always.
#[derive(Debug)]
struct Pinned {
    fingerprints: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.fingerprints.contains(&fingerprint_of(end_entity)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Notes the certificate that it is shown, and accepts none.
#[derive(Debug)]
struct Noting {
    seen: Arc<Mutex<Option<String>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(fingerprint_of(end_entity));
        Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("this connection only asks for the certificate".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify_tls12_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why no certificate was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificate {
    /// Whatever takes connections there says nothing: a server that hangs does so.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The address is not one, or no TLS server answered there.
    #[error("{0}")]
    Other(String),
}

/// The fingerprint of the certificate that the server at this `https` address shows, for a person to
/// confirm. Nothing is sent to it.
///
/// # Errors
/// [`NoCertificate`].
pub async fn fetch_fingerprint(url: &str, timeout: Duration) -> Result<String, NoCertificate> {
    let other = NoCertificate::Other;
    let url = super::parse(url).map_err(|error| other(error.to_string()))?;
    if url.scheme() != "https" {
        return Err(other(format!("{url} is plain HTTP, which has no certificate")));
    }
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let tls =
        config(|provider| Arc::new(Noting { seen: noted, provider })).map_err(|error| other(error.to_string()))?;
    let client = reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .no_proxy()
        .timeout(timeout)
        .build()
        .map_err(|error| other(api::in_full(&error)))?;
    let outcome = client.get(url).send().await;
    let found = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    match (found, outcome) {
        (Some(fingerprint), _) => Ok(fingerprint),
        (None, Err(error)) if error.is_timeout() => Err(NoCertificate::TimedOut(timeout)),
        (None, Err(error)) => Err(other(api::in_full(&error.without_url()))),
        (None, Ok(_)) => Err(other("the server showed no certificate".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha256_of_the_certificate() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(fingerprint_of(b""), of_nothing);
        assert_eq!(parse_fingerprint(&format!("sha256:{}", of_nothing.to_uppercase())).unwrap(), of_nothing);
        assert!(matches!(parse_fingerprint(&of_nothing[1..]), Err(AddressError::BadFingerprint(_))));
    }

    /// A TLS server that answers each request with 200; its address and fingerprint.
    fn server() -> (String, String) {
        use std::io::{Read, Write};
        let made = rcgen::generate_simple_self_signed(vec!["another-name".into()]).unwrap();
        let der = made.cert.der().clone();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                // Who does not trust us goes away here.
                if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        (url, fingerprint_of(&der))
    }

    #[tokio::test]
    async fn only_the_server_with_the_pinned_certificate_is_spoken_to() {
        let (url, fingerprint) = server();
        let timeout = Duration::from_secs(5);
        assert_eq!(fetch_fingerprint(&url, timeout).await.unwrap(), fingerprint);
        assert!(fetch_fingerprint("http://127.0.0.1:1", timeout).await.is_err());
        let get = async |pins: &[&str]| {
            let http = super::super::http_client(pins.iter().copied()).unwrap();
            http.get(&url).timeout(timeout).send().await.map(|r| r.status().as_u16())
        };
        let other = "ab".repeat(32);
        assert_eq!(get(&[&fingerprint]).await.unwrap(), 200, "whatever name it has");
        assert_eq!(get(&[&fingerprint.to_uppercase()]).await.unwrap(), 200);
        assert_eq!(get(&[&other, &fingerprint]).await.unwrap(), 200, "it was announced");
        assert!(get(&[&other]).await.is_err());
        assert!(get(&[]).await.is_err(), "without a pin there is no TLS");
    }
}
