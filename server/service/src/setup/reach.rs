//! Whether the Primary's address is that of a Primary, step by step: its name, its port, its certificate, itself.

use std::time::Duration;

use reqwest::Url;
use userlock_agent::client::fetch_fingerprint;
use userlock_core::{agent_api::ServerAddress, api::ServerRole, sync::About};

use super::{Failure, Field, Step, Tell, fields::is_loopback, typed_address};
use crate::{
    clock,
    sync::{Client, SyncError},
    zone::PEER_SKEW_MS,
};

/// A step of the checks that takes longer has failed.
const STEP: Duration = Duration::from_secs(5);

/// A Primary that can be joined.
#[derive(Debug, Clone)]
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

/// Checks the Primary's address. `confirmed` is the fingerprint that somebody has compared.
///
/// # Errors
/// [`Failure`] of the first check that fails. Of a certificate that nobody has confirmed it has the fingerprint.
pub async fn reach(typed: &str, confirmed: Option<&str>, tell: Tell<'_>) -> Result<Reached, Failure> {
    let url = typed_address(typed)?;
    resolve(&url, tell).await?;
    let fingerprint = certificate(&url, confirmed).await?;
    let address = ServerAddress::new(url, fingerprint);
    let asked = clock::now_ms();
    let failed = |error: SyncError| Failure::of_primary(&error, &address.url, "");
    let about = Client::new(&address, String::new()).map_err(failed)?.about().await.map_err(failed)?;
    if !address.fingerprint.is_empty() {
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

/// Whether the name resolves and something listens there.
async fn resolve(url: &str, tell: Tell<'_>) -> Result<(), Failure> {
    let parsed = Url::parse(url).map_err(|error| {
        Failure::of_field("address_invalid", Step::ServerType, Field::Primary, format!("{url}: {error}"))
    })?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = parsed.port_or_known_default().unwrap_or(8443);
    let unresolved =
        |what: String| Failure::of_check("name_not_found", "resolve", what, "Check the name, or give an address.");
    let found = tokio::time::timeout(STEP, tokio::net::lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| unresolved(format!("no name server answered for {host} within 5 s")))?;
    let found = found.map_err(|error| unresolved(format!("{host} does not resolve: {error}")))?;
    let addresses: Vec<_> = found.collect();
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
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()));
    if host.is_some_and(|host| is_loopback(&host)) {
        return Ok(String::new());
    }
    let what = format!("{url} is plain HTTP to another machine: the password would travel in clear");
    Err(Failure::of_check("plain_http", "tls", what, "Use https. Plain HTTP is for a loopback address only."))
}

/// Whether the certificate is the one that was confirmed. Empty for plain HTTP.
async fn certificate(url: &str, confirmed: Option<&str>) -> Result<String, Failure> {
    if url.starts_with("http://") {
        return plain(url);
    }
    let shown = fetch_fingerprint(url, STEP).await.map_err(|error| {
        let what = format!("{url} does not speak TLS: {error}");
        Failure::of_check("no_tls", "tls", what, "Check the address and the port.")
    })?;
    let failure = |code, what: String, advice: &str| {
        let failure = Failure::of_check(code, "tls", what, advice);
        Err(Failure { field: Some(Field::Fingerprint), fingerprint: Some(shown.clone()), ..failure })
    };
    match confirmed {
        Some(confirmed) if confirmed == shown => Ok(shown),
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
