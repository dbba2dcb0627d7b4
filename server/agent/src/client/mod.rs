//! How a program reaches a server: HTTPS to exactly the certificate that it was told, plain HTTP on loopback only.

mod api;
mod tls;

use std::{sync::Arc, time::Duration};

use userlock_core::{address::is_loopback, agent_api::ServerAddress};

pub use api::{CallError, Server, read_limited};
pub use tls::{NoCertificate, fetch_fingerprint, fingerprint_of, parse_fingerprint};

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next request; longer than any usual heartbeat.
const KEEP_IDLE: Duration = Duration::from_secs(90);

/// Why no client can be made for an address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is not an `http` or `https` address with a host.
    #[error("{0:?} is not the address of a server: expected https://NAME:PORT")]
    NotAnAddress(String),
    /// It is plain HTTP to another machine.
    #[error("{0} is plain HTTP to another machine: use https (plain HTTP is for loopback addresses only)")]
    PlainToOtherMachine(String),
    /// It is HTTPS without the fingerprint of a certificate.
    #[error("{0} comes without the fingerprint of its certificate")]
    NoFingerprint(String),
    /// The fingerprint is not one.
    #[error("{0:?} is not a SHA-256 fingerprint: expected 64 hexadecimal digits, with or without colons")]
    BadFingerprint(String),
    /// The client could not be made.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

/// A client that trusts exactly the certificates with these SHA-256 fingerprints (64 hexadecimal digits, colons allowed),
/// whatever their names and dates are. Without one it makes no TLS connection at all.
///
/// It keeps connections alive, follows no redirects and asks no proxy. Timeouts are per request; only
/// connecting has one of its own.
///
/// # Errors
/// [`AddressError::BadFingerprint`], or [`AddressError::Setup`].
pub fn http_client<'a>(fingerprints: impl IntoIterator<Item = &'a str>) -> Result<reqwest::Client, AddressError> {
    let pins: Result<Vec<_>, _> = fingerprints.into_iter().map(parse_fingerprint).collect();
    let tls = tls::pinned(pins?)?;
    reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(15))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(KEEP_IDLE)
        .user_agent(concat!("userlock/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| AddressError::Setup(api::in_full(&error)))
}

/// A client for this server and no other, after a check of its address: its certificate is the known one, or the one that
/// was announced to take its place.
///
/// # Errors
/// [`AddressError`].
pub fn client_for(address: &ServerAddress) -> Result<reqwest::Client, AddressError> {
    let pins = address.pins().filter(|_| !address.fingerprint.is_empty());
    client_trusting(&address.url, pins)
}

/// The same for the server at this address, whose certificate is any of those with these fingerprints.
///
/// # Errors
/// [`AddressError`].
pub fn client_trusting<'a>(url: &str, pins: impl Iterator<Item = &'a str>) -> Result<reqwest::Client, AddressError> {
    let mut pins = pins.peekable();
    match parse(url)?.scheme() {
        "http" => http_client([]),
        _ if pins.peek().is_none() => Err(AddressError::NoFingerprint(url.to_owned())),
        _ => http_client(pins),
    }
}

/// Reads an address: `https` to anywhere, `http` to a loopback address.
fn parse(text: &str) -> Result<reqwest::Url, AddressError> {
    let wrong = || AddressError::NotAnAddress(text.to_owned());
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(AddressError::PlainToOtherMachine(text.to_owned())),
        _ => Err(wrong()),
    }
}

/// Clients by address, shared by many agents of one process so that they share connections too.
#[derive(Clone, Default)]
pub struct Clients(Arc<std::sync::Mutex<Vec<(ServerAddress, reqwest::Client)>>>);

/// The most addresses whose clients are kept.
const MAX_CLIENTS: usize = 64;

impl Clients {
    /// The client for this server.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn server(&self, address: &ServerAddress) -> Result<Server, AddressError> {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, http)) = known.iter().find(|(a, _)| a == address) {
            return Ok(Server::new(address.clone(), http.clone()));
        }
        let http = client_for(address)?;
        if known.len() >= MAX_CLIENTS {
            known.remove(0);
        }
        known.push((address.clone(), http.clone()));
        Ok(Server::new(address.clone(), http))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_nowhere_but_to_this_machine() {
        let address = |url: &str, fingerprint: &str| ServerAddress::new(url, fingerprint);
        let good = "ab".repeat(32);
        for ok in ["http://127.0.0.1:8443", "http://[::1]:8443", "http://localhost:1"] {
            assert!(client_for(&address(ok, "")).is_ok(), "{ok}");
        }
        assert!(client_for(&address("https://primary.example:8443", &good)).is_ok());
        let refused = |url, fingerprint| client_for(&address(url, fingerprint)).unwrap_err();
        assert!(matches!(refused("http://10.0.0.1:8443", ""), AddressError::PlainToOtherMachine(_)));
        assert!(matches!(refused("http://localhost.example", ""), AddressError::PlainToOtherMachine(_)));
        assert!(matches!(refused("https://10.0.0.1", ""), AddressError::NoFingerprint(_)));
        assert!(matches!(refused("https://10.0.0.1", "ab"), AddressError::BadFingerprint(_)));
        for bad in ["", "primary:8443", "ftp://127.0.0.1", "file:///etc/passwd"] {
            assert!(matches!(refused(bad, ""), AddressError::NotAnAddress(_)), "{bad}");
        }
    }
}
