//! Values that are read from a text and checked.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Serialize};

/// A value that is read from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl<T: Display> Serialize for Parsed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);

        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// 1 to 64 signs without control characters.
    ServerName,
    |text| {
        let fits = !text.trim().is_empty() && text.len() <= 64 && !text.chars().any(char::is_control);
        if fits { Ok(()) } else { Err("must have 1 to 64 characters, none of them a control character") }
    }
);
checked_text!(
    /// `https://NAME:PORT` or `http://NAME:PORT`.
    PublicUrl,
    |text| {
        let wrong = "must be an address such as https://server.example:8443, without a path";
        let uri: axum::http::Uri = text.parse().map_err(|_| wrong)?;
        let known = matches!(uri.scheme_str(), Some("https" | "http"));
        let bare = uri.path() == "/" && !text.ends_with('/') && uri.query().is_none();
        if known && bare && text.len() <= 512 { Ok(()) } else { Err(wrong) }
    }
);
/// Whether a public address is one of a server that speaks TLS, or does not: what it must be.
pub(crate) fn scheme_fits(url: &str, plain_http: bool) -> Result<(), &'static str> {
    let is_https = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    match (is_https, plain_http) {
        (true, true) => Err("must begin with http://, since this server speaks plain HTTP"),
        (false, false) => Err("must begin with https://, since this server speaks TLS"),
        _ => Ok(()),
    }
}

checked_text!(
    /// What `tracing-subscriber` reads.
    Filter,
    |text| match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(()),
        Err(_) => Err("must be a filter such as `info` or `info,userlock_service::sync=debug`"),
    }
);
