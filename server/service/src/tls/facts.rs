//! What a certificate says of itself.

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What a certificate says of itself. Only people and browsers look at it: agents and servers go by the fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Who signed it; itself when it is self-signed.
    pub issuer: String,
    /// Whether it signed itself.
    pub self_signed: bool,
    /// From when it is good, in ms since 1970 UTC.
    pub not_before: Option<i64>,
    /// Until when, in ms since 1970 UTC.
    pub not_after: Option<i64>,
}

/// The most names that are shown.
const MOST_NAMES: usize = 50;

impl Facts {
    /// Those of a certificate in DER; none where it cannot be read.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let Ok((_, cert)) = X509Certificate::from_der(der) else { return Self::default() };
        let named = cert.subject_alternative_name().ok().flatten();
        let names = named.map(|names| names.value.general_names.iter().filter_map(name).take(MOST_NAMES).collect());
        let ms = |seconds: i64| Some(seconds.saturating_mul(1000));
        Self {
            names: names.unwrap_or_default(),
            issuer: cert.issuer().to_string(),
            self_signed: cert.issuer() == cert.subject(),
            not_before: ms(cert.validity().not_before.timestamp()),
            not_after: ms(cert.validity().not_after.timestamp()),
        }
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Identity;

    #[test]
    fn a_certificate_tells_names_and_dates() {
        let facts = Identity::make(&["host.example"], "10.0.0.7".parse().unwrap()).unwrap().facts();
        assert_eq!(facts.names, ["10.0.0.7", "127.0.0.1", "::1", "host.example", "localhost"]);
        assert!(facts.self_signed && facts.issuer.contains("UserLock on host.example"), "{facts:?}");
        assert!(facts.not_before < facts.not_after);
        assert_eq!(Facts::of(b"no certificate"), Facts::default());
    }
}
