//! Whether a request that a cookie authorizes comes from this server's own pages.

use axum::http::{HeaderMap, HeaderName, Uri, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The request was made by a page of another server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request comes from {origin}, not from this server's own pages")]
pub struct OriginRefused {
    /// The page's origin, as the browser tells it.
    pub origin: String,
}

/// Checks the origin of a request that changes something.
///
/// The browser's word is needed: `Sec-Fetch-Site` must say that it is the same origin, and `Origin` must be this
/// server's own host, by the name under which it was asked or by `public_url`. One of the two must be there.
///
/// # Errors
/// [`OriginRefused`].
pub fn check_origin(headers: &HeaderMap, uri: &Uri, public_url: &str) -> Result<(), OriginRefused> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN);
    let site = text(SEC_FETCH_SITE);
    let refused = || OriginRefused { origin: origin.unwrap_or("an unknown page").chars().take(256).collect() };
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(refused());
    }
    match origin {
        Some(origin) => {
            let host = uri.authority().map(|a| a.as_str()).or_else(|| text(header::HOST));
            let own = host.is_some_and(|host| origin_host(origin).is_some_and(|o| o.eq_ignore_ascii_case(host)));
            if own || origin.eq_ignore_ascii_case(public_url) { Ok(()) } else { Err(refused()) }
        }
        None if site.is_some() => Ok(()),
        None => Err(refused()),
    }
}

/// Host and port of an origin.
fn origin_host(origin: &str) -> Option<&str> {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect();
        check_origin(&headers, &"/x".parse().unwrap(), "https://public.example").is_ok()
    }

    #[test]
    fn only_this_servers_pages_pass() {
        assert!(check(&[("host", "a:1"), ("origin", "https://a:1"), ("sec-fetch-site", "same-origin")]));
        assert!(check(&[("host", "a:1"), ("origin", "https://A:1")]));
        assert!(check(&[("host", "a:1"), ("origin", "https://public.example")]));
        assert!(check(&[("host", "a:1"), ("sec-fetch-site", "same-origin")]));
        assert!(!check(&[("host", "a:1")]), "a browser says where it comes from");
        assert!(!check(&[("host", "a:1"), ("origin", "https://evil.example")]));
        assert!(!check(&[("host", "a:1"), ("origin", "https://a:2")]));
        assert!(!check(&[("host", "a:1"), ("origin", "null")]));
        assert!(!check(&[("host", "a:1"), ("origin", "https://a:1"), ("sec-fetch-site", "same-site")]));
        assert!(!check(&[("host", "a:1"), ("origin", "https://a:1"), ("sec-fetch-site", "cross-site")]));
    }
}
