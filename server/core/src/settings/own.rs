//! The settings of one server alone. No synchronization ever touches them.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::{Database, Email, FieldError};
use crate::{
    address::{bracketed, is_fingerprint, is_loopback},
    api::ServerRole,
};

/// Everything that belongs to this server. It has passwords in clear: it is kept in this server's private store, and
/// leaves it only as the sections that are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct OwnSettings {
    /// From 1; grows by one at each change.
    pub revision: u64,
    /// Section `synchronization`; present on a Backup.
    pub synchronization: Option<Synchronization>,
    /// Section `email`.
    #[serde(default)]
    pub email: Email,
    /// Section `database`; absent until somebody changes it: then it is that of the role, see [`Self::database_of`].
    #[serde(default)]
    pub database: Option<Database>,
}

impl OwnSettings {
    /// The section `database` of a server of this role.
    #[must_use]
    pub fn database_of(&self, role: ServerRole) -> Database {
        self.database.clone().unwrap_or_else(|| Database::of(role))
    }

    /// The text for `ETag` and `If-Match`, with its quotation marks.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"own-{}\"", self.revision)
    }
}

/// Where the Primary is, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryAddress {
    /// `https://NAME:PORT`; `http://` on a loopback address only.
    pub url: String,
    /// The SHA-256 fingerprint of its certificate in hex; nothing is known by it over plain HTTP.
    pub fingerprint: String,
}

impl PrimaryAddress {
    /// Whether it is plain HTTP: whoever listens there gets this Backup's token in clear.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.url.starts_with("https://")
    }

    /// Checks both fields. The address is `SCHEME://HOST` or `SCHEME://HOST:PORT` and nothing else, so that whoever reads
    /// it takes the same part of it for the host.
    ///
    /// # Errors
    /// The first [`FieldError`], named as the section names it.
    pub fn check(&self) -> Result<(), FieldError> {
        let wrong = |message: &str| FieldError::new("primary_url", message);
        let shape = "must be an address such as https://server.example:8443, without a path";
        let (scheme, rest) = self.url.split_once("://").ok_or_else(|| wrong(shape))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = host_and_port(authority).ok_or_else(|| wrong(shape))?;
        let fits = self.url.len() <= 512 && is_host(host) && port.is_none_or(is_port);
        match scheme {
            "https" | "http" if !fits => Err(wrong(shape)),
            "https" if !is_fingerprint(&self.fingerprint) => Err(FieldError::new(
                "primary_fingerprint",
                "must be the SHA-256 fingerprint of the Primary's certificate for an https address",
            )),
            "https" => Ok(()),
            "http" if is_loopback(host) => Ok(()),
            "http" => Err(wrong("plain HTTP goes to a loopback address only: use https://")),
            _ => Err(wrong(shape)),
        }
    }
}

/// `[::1]:8443` and `server.example:8443`, each with or without the port.
fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')?.checked_add(1)?;
        let (host, rest) = authority.split_at_checked(end)?;
        return if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) };
    }
    Some(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn is_host(host: &str) -> bool {
    if let Some(bare) = bracketed(host) {
        return bare.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Section `synchronization` of a Backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synchronization {
    /// The Primary.
    pub primary: PrimaryAddress,
    /// Whether Events synchronization runs by schedule.
    pub enabled: bool,
    /// Seconds between two scheduled runs: 1 to 86,400.
    pub interval_seconds: u32,
    /// Whether this Backup also tails the Primary between two runs.
    pub continuous: bool,
    /// The account that this Backup joined with.
    pub service_account: String,
}

impl Synchronization {
    /// The defaults for a Backup of this Primary.
    #[must_use]
    pub fn of(primary: PrimaryAddress, service_account: String) -> Self {
        Self { primary, enabled: true, interval_seconds: 60, continuous: true, service_account }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        if !(1..=86_400).contains(&self.interval_seconds) {
            return Err(FieldError::new("interval_seconds", "must be from 1 to 86400 (24 hours)"));
        }
        self.primary.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DatabaseKind;

    #[test]
    fn what_was_kept_by_a_version_before_has_the_defaults_of_the_role() {
        let own: OwnSettings = serde_json::from_str(r#"{"revision":3,"synchronization":null}"#).unwrap();
        assert_eq!(own, OwnSettings { revision: 3, ..OwnSettings::default() });
        assert_eq!(own.database_of(ServerRole::Primary).kind, DatabaseKind::Sqlite);
        assert_eq!(own.database_of(ServerRole::Backup).kind, DatabaseKind::Off);
        assert_eq!(own.etag(), "\"own-3\"");
    }

    #[test]
    fn an_address_is_read_whole_or_refused() {
        let checked = |url: &str, fingerprint: &str| {
            let primary = PrimaryAddress { url: url.to_owned(), fingerprint: fingerprint.to_owned() };
            Synchronization::of(primary, "admin".to_owned()).check().map_err(|error| error.field)
        };
        let good = "ab".repeat(32);
        for url in
            ["https://primary.example:8443", "https://my_primary/", "https://10.0.0.1:1", "https://[2001:db8::1]:8443"]
        {
            assert_eq!(checked(url, &good), Ok(()), "{url}");
            for none in ["", "ab", &"zz".repeat(32), &good.to_uppercase()] {
                assert_eq!(checked(url, none), Err("primary_fingerprint".to_owned()), "{url} {none}");
            }
        }
        for url in ["http://127.0.0.1:8443", "http://127.8.8.8", "http://localhost:1/", "http://[::1]:8443"] {
            assert_eq!(checked(url, ""), Ok(()), "{url}");
        }
        for url in [
            "",
            "primary:8443",
            "ftp://127.0.0.1",
            "http://127.evil.example",
            "http://localhost:x@evil.example/",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1\\@evil.example",
            "http://127.0.0.1#.evil.example",
            "http://localhost.evil.example",
            "http://[::1].evil.example",
            "http://[::1",
            "http://10.0.0.1:1",
            "http://127.0.0.1:",
            "http://127.0.0.1:0",
            "http://127.0.0.1:+1",
            "http://127.0.0.1:65536",
            "http:///127.0.0.1",
            "https://",
            "https://:8443",
            "https://a b",
            "https://u:p@primary.example",
            "https://primary.example/path",
            "https://primary.example?x",
            "https://primary.example\n",
            &format!("https://{}", "a".repeat(520)),
        ] {
            assert_eq!(checked(url, &good), Err("primary_url".to_owned()), "{url}");
        }
    }
}
