//! How servers are addressed, and how their certificates are known.

use std::net::IpAddr;

/// Whether a text is a SHA-256 fingerprint as it is kept: 64 lower-case hexadecimal digits.
#[must_use]
pub fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// A SHA-256 fingerprint as people and programs write it, `sha256:AA:BB…` included, as it is kept and compared. `None`: it
/// is none.
#[must_use]
pub fn read_fingerprint(written: &str) -> Option<String> {
    let written = written.trim().to_ascii_lowercase();
    let digits = written.strip_prefix("sha256:").unwrap_or(&written);
    let digits: String = digits.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    is_fingerprint(&digits).then_some(digits)
}

/// Whether a host, an IPv6 address with its brackets or without, is this machine by a loopback address. A name that begins
/// as such an address does is none.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let ip = bracketed(host).unwrap_or(host).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// What stands in the brackets of an IPv6 address.
pub(crate) fn bracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_write_it() {
        let hex = "ab".repeat(32);
        let spelled = vec!["AB"; 32].join(":");
        for written in [hex.clone(), format!("sha256:{}", hex.to_uppercase()), format!(" SHA256:{spelled} "), spelled] {
            assert_eq!(read_fingerprint(&written).as_deref(), Some(hex.as_str()), "{written}");
        }
        for none in ["", "ab", &hex[1..], &"zz".repeat(32), &format!("sha256:sha256:{hex}")] {
            assert_eq!(read_fingerprint(none), None, "{none}");
        }
        assert!(is_fingerprint(&hex) && !is_fingerprint(&hex.to_uppercase()));
    }

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "127.evil.example", "localhost.example", "10.0.0.1", "[::1", "::2", "LOCALHOST"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
