//! `/api/v1/certificate`: the certificate of this server, and the one that will take its place.

use serde::{Deserialize, Serialize};

/// A certificate of this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateView {
    /// Its SHA-256 in lower-case hex: how agents and the other server know it.
    pub fingerprint: String,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Whether it signed itself.
    pub self_signed: bool,
    /// From when it is good, in ms since 1970 UTC.
    pub not_before: Option<i64>,
    /// Until when, in ms since 1970 UTC.
    pub not_after: Option<i64>,
    /// Since when this server has it, in ms since 1970 UTC.
    pub since: Option<i64>,
    /// Whether it is the one in the files that the configuration names.
    pub from_files: bool,
}

/// `GET /api/v1/certificate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificatesView {
    /// The one in use.
    pub present: CertificateView,
    /// The one that is announced to take its place.
    pub next: Option<CertificateView>,
    /// Whether the configuration names files: what is put there is announced, and used when everybody knows it.
    pub has_files: bool,
    /// Agents that were heard of lately, by this server or the other.
    pub agents_in_touch: u64,
    /// Of those, how many do not know the newest certificate yet.
    pub agents_lacking: u64,
    /// Whether the zone has another server, from which an agent that is silent now learns the new certificate.
    pub has_peer: bool,
    /// Agents that neither server has heard of lately.
    pub agents_silent: u64,
    /// Who does not know the next certificate yet, in words. Empty: it can be used.
    pub waits_for: Vec<String>,
}

/// `POST /api/v1/certificate/use`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UseCertificate {
    /// Why; it is kept.
    pub reason: String,
    /// Whether it is used although not everybody knows it.
    #[serde(default)]
    pub at_once: bool,
}
