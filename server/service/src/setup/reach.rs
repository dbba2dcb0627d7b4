//! Whether the Primary's address is that of a Primary, step by step: its name, its port, its certificate, itself.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use userlock_agent::client::{NoCertificate, fetch_fingerprint};
use userlock_core::{address::is_loopback, agent_api::ServerAddress, api::ServerRole, sync::About};

use super::{Failure, Field, Step, Tell, typed_address};
use crate::{
    clock,
    config::host_of,
    sync::{Client, SyncError, Told},
    zone::PEER_SKEW_MS,
};

/// A step of the checks that takes longer has failed.
const STEP: Duration = Duration::from_secs(5);

/// A Primary that can be joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Its address, with the certificate that was confirmed.
    pub address: ServerAddress,
    /// What it tells of itself.
    pub about: About,
    /// Its clock less this one's, in ms.
    pub skew_ms: i64,
}

impl Reached {
    /// Whether the clocks are so far apart that times are hard to compare.
    #[must_use]
    pub fn clocks_apart(&self) -> bool {
        self.skew_ms.abs() >= PEER_SKEW_MS
    }
}

/// The server that is being set up, which is not the Primary that it asks for.
#[derive(Debug, Clone)]
pub struct Own {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it will be reached.
    pub address: ServerAddress,
}

impl Own {
    /// Refuses this server's own address, by whatever name.
    fn must_not_be(&self, url: &str, addresses: &[SocketAddr]) -> Result<(), Failure> {
        let listens = |address: &SocketAddr| {
            let here = self.listen.ip().is_unspecified() && is_of_this_machine(address.ip());
            address.port() == self.listen.port() && (here || address.ip() == self.listen.ip())
        };
        let named = typed_address(&self.address.url).is_ok_and(|own| own == url);
        if named || addresses.iter().any(listens) { Err(own_address(url)) } else { Ok(()) }
    }
}

fn own_address(url: &str) -> Failure {
    let what = format!("{url} is this server itself, which is not set up yet");
    Failure::of_check("own_address", "another server", what, "Give the address of the other server, the Primary.")
}

/// Whether an address is one of this machine's: only those can be listened on.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || std::net::UdpSocket::bind((ip, 0)).is_ok()
}

/// Checks the Primary's address. `confirmed` is the fingerprint that somebody has compared.
///
/// # Errors
/// [`Failure`] of the first check that fails. Of a certificate that nobody has confirmed it has the fingerprint, if it is
/// that of a server of ours.
pub async fn reach(typed: &str, confirmed: Option<&str>, own: &Own, tell: Tell<'_>) -> Result<Reached, Failure> {
    let url = typed_address(typed)?;
    resolve(&url, own, tell).await?;
    let fingerprint = certificate(&url).await?;
    let address = ServerAddress::new(url, fingerprint);
    let asked = clock::now_ms();
    // Nothing secret is said, and it is said to the server that has shown the certificate alone.
    let about = about(&address, own).await?;
    if !address.fingerprint.is_empty() {
        must_be_confirmed(&address, confirmed)?;
        tell("tls: the certificate is the one that was confirmed");
    }
    if about.role != ServerRole::Primary {
        let what = format!("{} is the Backup of the zone {}", about.server_name, about.zone_name);
        let advice = "Give the address of its Primary.";
        return Err(Failure::of_check("not_a_primary", "is a Primary", what, advice));
    }
    tell(&format!("is a Primary: {}, version {}", about.server_name, about.version));
    let skew_ms = about.clock.saturating_sub(i64::midpoint(asked, clock::now_ms()));
    let reached = Reached { address, about, skew_ms };
    let advice = if reached.clocks_apart() { ". Nothing is decided by clocks; set both by NTP" } else { "" };
    tell(&format!("clock skew: {skew_ms} ms{advice}"));
    Ok(reached)
}

/// What the server tells of itself, if it is one of ours.
async fn about(address: &ServerAddress, own: &Own) -> Result<About, Failure> {
    let failed = |error: SyncError| Failure::of_about(&error, &address.url);
    let answer = Client::new(address, String::new()).map_err(failed)?.about().await;
    answer.map_err(|error| {
        // Another server may have the same certificate, but not be this one, which is not set up.
        let same = !address.fingerprint.is_empty() && address.fingerprint == own.address.fingerprint;
        if same && error.problem == Told::NotSetUp { own_address(&address.url) } else { failed(error) }
    })
}

/// Whether the name resolves and something listens there that is not this server.
async fn resolve(url: &str, own: &Own, tell: Tell<'_>) -> Result<(), Failure> {
    let parsed = Url::parse(url).map_err(|error| {
        Failure::of_field("address_invalid", Step::ServerType, Field::Primary, format!("{url}: {error}"))
    })?;
    let host = host_of(url).unwrap_or_default();
    let port = parsed.port_or_known_default().unwrap_or(8443);
    // A name that does not resolve here is this server's all the same.
    own.must_not_be(url, &[])?;
    let unresolved =
        |what: String| Failure::of_check("name_not_found", "resolve", what, "Check the name, or give an address.");
    let found = tokio::time::timeout(STEP, tokio::net::lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| unresolved(format!("no name server answered for {host} within 5 s")))?;
    let found = found.map_err(|error| unresolved(format!("{host} does not resolve: {error}")))?;
    let addresses: Vec<_> = found.collect();
    own.must_not_be(url, &addresses)?;
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    tell(&format!("resolve: {host} is {}", shown.join(", ")));
    let connected = tokio::time::timeout(STEP, tokio::net::TcpStream::connect(addresses.as_slice())).await;
    let connected = connected.map_err(|_| {
        let what = format!("{host}:{port} did not answer within 5 s");
        Failure::of_check("no_answer", "connect", what, "Check the firewalls between the two servers.")
    })?;
    connected.map_err(|error| {
        let what = format!("{host}:{port}: {error}");
        Failure::of_check("refused", "connect", what, "Check that the Primary runs and listens there.")
    })?;
    tell(&format!("connect: {host}:{port} accepts connections"));
    Ok(())
}

/// Plain HTTP is for this machine only.
fn plain(url: &str) -> Result<String, Failure> {
    if host_of(url).is_some_and(|host| is_loopback(&host)) {
        return Ok(String::new());
    }
    let what = format!("{url} is plain HTTP to another machine: the password would travel in clear");
    Err(Failure::of_check("plain_http", "tls", what, "Use https. Plain HTTP is for a loopback address only."))
}

/// The certificate that is shown there. Empty for plain HTTP.
async fn certificate(url: &str) -> Result<String, Failure> {
    if url.starts_with("http://") {
        return plain(url);
    }
    fetch_fingerprint(url, STEP).await.map_err(|error| {
        if let NoCertificate::TimedOut(_) = error {
            let what = format!("{url} takes connections, and says nothing within {} s", STEP.as_secs());
            return Failure::of_check("no_answer", "tls", what, "Check that the Primary is not hung or overloaded.");
        }
        let what = format!("{url} does not speak TLS: {error}");
        Failure::of_check("no_tls", "tls", what, "Check the address and the port.")
    })
}

/// Whether the certificate is the one that was confirmed.
fn must_be_confirmed(address: &ServerAddress, confirmed: Option<&str>) -> Result<(), Failure> {
    let ServerAddress { url, fingerprint: shown, .. } = address;
    let failure = |code, what: String, advice: &str| {
        let failure = Failure::of_check(code, "tls", what, advice);
        Err(Failure { field: Some(Field::Fingerprint), fingerprint: Some(shown.clone()), ..failure })
    };
    match confirmed {
        Some(confirmed) if confirmed == shown => Ok(()),
        Some(_) => failure(
            "certificate_changed",
            format!("The server at {url} has another certificate than the one that was confirmed: sha256 {shown}"),
            "Compare the fingerprint with what the Primary's set-up told. If it is another one, find out who answers.",
        ),
        None => failure(
            "certificate_unknown",
            format!("Nobody has confirmed the certificate of {url} yet: sha256 {shown}"),
            "Compare the fingerprint with what the Primary's set-up told, and confirm it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, http::StatusCode, routing::post};
    use axum_server::{Handle, tls_rustls::RustlsConfig};
    use userlock_core::{api::Problem, id::ZoneId};

    use super::*;
    use crate::{run, tls::Identity};

    /// A server with a certificate of its own: its address, and the handle that ends it.
    async fn serve(router: Router) -> (ServerAddress, Handle<SocketAddr>) {
        _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        let identity = Identity::generate(dir.path(), &["localhost"], at.ip()).unwrap();
        let address = ServerAddress::new(format!("https://{at}"), identity.fingerprint());
        let handle = Handle::new();
        tokio::spawn(run::listen(
            router,
            Some(RustlsConfig::from_config(identity.server_config().unwrap())),
            listener,
            handle.clone(),
        ));
        (address, handle)
    }

    fn own(listen: &str, fingerprint: &str) -> Own {
        let address = ServerAddress::new("https://own.example:8443", fingerprint);
        Own { listen: listen.parse().unwrap(), address }
    }

    async fn code(url: &str, confirmed: Option<&str>, own: &Own) -> (&'static str, Option<String>) {
        let failure = reach(url, confirmed, own, &|_: &str| {}).await.unwrap_err();
        (failure.code, failure.fingerprint)
    }

    #[tokio::test]
    async fn only_the_certificate_of_a_server_of_ours_is_offered() {
        let own = own("127.0.0.1:1", "");
        for router in [
            Router::new().fallback(|| async { "hello" }),
            Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<h1>Not found</h1>") }),
            Router::new().fallback(|| async { StatusCode::UNAUTHORIZED }),
            Router::new().fallback(|| async { (StatusCode::BAD_GATEWAY, "gone") }),
        ] {
            let (other, _handle) = serve(router).await;
            for confirmed in [None, Some("00"), Some(other.fingerprint.as_str())] {
                assert_eq!(code(&other.url, confirmed, &own).await, ("not_a_server", None));
            }
        }
        let about = About {
            role: ServerRole::Primary,
            server_name: "primary".into(),
            zone_id: ZoneId([1; 16]),
            zone_name: "north".into(),
            version: "1".into(),
            clock: clock::now_ms(),
        };
        let (primary, _handle) = serve(Router::new().route("/replication/v1/about", post(async || Json(about)))).await;
        let shown = Some(primary.fingerprint.clone());
        assert_eq!(code(&primary.url, None, &own).await, ("certificate_unknown", shown.clone()));
        assert_eq!(code(&primary.url, Some("00"), &own).await, ("certificate_changed", shown));
        let confirmed = Some(primary.fingerprint.as_str());
        assert_eq!(reach(&primary.url, confirmed, &own, &|_: &str| {}).await.unwrap().address, primary);
        // Two servers may have one certificate.
        let shared = self::own("127.0.0.1:1", &primary.fingerprint);
        assert_eq!(reach(&primary.url, confirmed, &shared, &|_: &str| {}).await.unwrap().address, primary);
    }

    #[tokio::test]
    async fn this_servers_own_address_is_refused_by_whatever_name() {
        let problem = || async {
            let problem = Problem {
                status: 503,
                code: "not_set_up".into(),
                title: "Not set up".into(),
                detail: "Not set up.".into(),
                field: None,
            };
            (StatusCode::SERVICE_UNAVAILABLE, Json(problem))
        };
        let (unset, handle) = serve(Router::new().fallback(problem)).await;
        let port = unset.url.rsplit(':').next().unwrap();
        // It is behind a name and a port that this machine does not know for its own.
        let elsewhere = own("192.0.2.1:1", &unset.fingerprint);
        assert_eq!(code(&unset.url, None, &elsewhere).await, ("own_address", None));
        assert_eq!(code(&unset.url, None, &own("192.0.2.1:1", "00")).await, ("primary_not_set_up", None));
        // By address it is found before anybody is asked.
        handle.shutdown();
        let listens = own(&format!("127.0.0.1:{port}"), "");
        for name in ["https://127.0.0.1", "https://localhost"] {
            assert_eq!(code(&format!("{name}:{port}"), None, &listens).await.0, "own_address", "{name}");
            let everywhere = own(&format!("0.0.0.0:{port}"), "");
            assert_eq!(code(&format!("{name}:{port}"), None, &everywhere).await.0, "own_address", "{name}");
        }
        assert_eq!(code("OWN.example", None, &own("0.0.0.0:8443", "")).await.0, "own_address");
        assert_ne!(code("https://127.0.0.1:9", None, &own("0.0.0.0:8443", "")).await.0, "own_address");
    }
}
