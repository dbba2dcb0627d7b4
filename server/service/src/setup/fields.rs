//! What is typed, checked and brought into its form.

use std::str::FromStr as _;

use reqwest::Url;
use userlock_core::{
    account::fold_case,
    address::{is_loopback, read_fingerprint},
};

use super::{Failure, Field, Step};
use crate::{
    auth::{check_password, hash_now},
    config::{PublicUrl, ServerName, host_of, scheme_fits},
};

/// The port where none is typed.
const PORT: u16 = 8443;

/// The first administrator. The password is kept as its hash only.
#[derive(Clone)]
pub struct Administrator {
    /// The account, case-folded.
    pub name: String,
    /// The hash of its password.
    pub password_hash: String,
}

/// The Primary's address as it is typed: `primary.example` is `https://primary.example:8443`.
///
/// # Errors
/// [`Failure`] with what an address looks like.
pub fn typed_address(typed: &str) -> Result<String, Failure> {
    let typed = typed.trim();
    let wrong = |what: String| {
        Failure::of_field("address_invalid", Step::ServerType, Field::Primary, what)
            .advise("Give it as https://primary.example:8443.")
    };
    if typed.is_empty() {
        return Err(wrong("The Primary's address is missing".to_owned()));
    }
    let text = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
    let mut url = Url::parse(&text).map_err(|error| wrong(format!("{typed} is not an address: {error}")))?;
    let host = host_of(url.as_str()).unwrap_or_default();
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if host.is_empty() || !bare || !matches!(url.scheme(), "https" | "http") || typed.len() > 512 {
        return Err(wrong(format!("{typed} is not the address of a server")));
    }
    if url.port().is_none() && !typed.contains("://") && url.set_port(Some(PORT)).is_err() {
        return Err(wrong(format!("{typed} is not the address of a server")));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A fingerprint as it is typed.
///
/// # Errors
/// [`Failure`].
pub fn typed_fingerprint(typed: &str) -> Result<String, Failure> {
    let what = "The fingerprint must have the 64 digits that the Primary's set-up told";
    read_fingerprint(typed)
        .ok_or_else(|| Failure::of_field("fingerprint_invalid", Step::ServerType, Field::Fingerprint, what))
}

/// The zone's name.
///
/// # Errors
/// [`Failure`].
pub fn zone_name(typed: &str) -> Result<String, Failure> {
    let what = "The zone's name must have 1 to 64 characters, none of them a control character";
    plain(typed, 64).ok_or_else(|| Failure::of_field("zone_invalid", Step::Zone, Field::Zone, what))
}

/// The server's name.
///
/// # Errors
/// [`Failure`].
pub fn server_name(typed: &str) -> Result<String, Failure> {
    let invalid =
        |wrong| Failure::of_field("name_invalid", Step::Zone, Field::Name, format!("The server's name {wrong}"));
    ServerName::from_str(typed.trim()).map(|name| name.0).map_err(invalid)
}

/// The address that agents, browsers and the other server use, of a server that speaks TLS or does not.
///
/// # Errors
/// [`Failure`].
pub fn public_url(typed: &str, plain_http: bool) -> Result<String, Failure> {
    let invalid = |what: String| Failure::of_field("public_url_invalid", Step::Zone, Field::PublicUrl, what);
    let url = PublicUrl::from_str(typed.trim()).map_err(|wrong| invalid(format!("The public address {wrong}")))?.0;
    let Some(host) = host_of(&url) else {
        return Err(invalid("The public address must have a name or an IP address".to_owned()));
    };
    if let Err(must) = scheme_fits(&url, plain_http) {
        let scheme = if plain_http { "http" } else { "https" };
        return Err(invalid(format!("The public address {must}")).advise(format!("Give an address with {scheme}://.")));
    }
    if plain_http && !is_loopback(&host) {
        let what = "The public address is plain HTTP to another machine, which agents refuse";
        return Err(invalid(what.to_owned()).advise("Give a loopback address, or let this server speak TLS."));
    }
    Ok(url)
}

/// The first administrator's name, case-folded.
///
/// # Errors
/// [`Failure`].
pub fn administrator_name(typed: &str) -> Result<String, Failure> {
    let name = fold_case(typed);
    if plain(&name, 64).is_some() && !name.contains(char::is_whitespace) {
        return Ok(name);
    }
    let what = "The administrator's name must have 1 to 64 characters and no spaces";
    Err(Failure::of_field("admin_invalid", Step::Zone, Field::Admin, what))
}

/// The first administrator. It takes a moment: the password is hashed.
///
/// # Errors
/// [`Failure`].
pub fn administrator(name: &str, password: &str) -> Result<Administrator, Failure> {
    let name = administrator_name(name)?;
    if let Err(must) = check_password(password) {
        let what = format!("the administrator's password {must}");
        return Err(Failure::of_field("password_invalid", Step::Zone, Field::Password, what));
    }
    Ok(Administrator { name, password_hash: hash_now(password)? })
}

/// The service account's name.
///
/// # Errors
/// [`Failure`].
pub fn account_name(typed: &str) -> Result<String, Failure> {
    let what = "The service account must have 1 to 256 characters";
    plain(typed, 256).ok_or_else(|| Failure::of_field("account_invalid", Step::Account, Field::Account, what))
}

fn plain(typed: &str, most: usize) -> Option<String> {
    let typed = typed.trim();
    let fits = !typed.is_empty() && typed.len() <= most && !typed.chars().any(char::is_control);
    fits.then(|| typed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_type_it() {
        let typed = |text| typed_address(text).unwrap();
        assert_eq!(typed(" primary.example "), "https://primary.example:8443");
        assert_eq!(typed("primary.example:9000"), "https://primary.example:9000");
        assert_eq!(typed("https://primary.example:8443/"), "https://primary.example:8443");
        assert_eq!(typed("http://127.0.0.1:1"), "http://127.0.0.1:1");
        assert_eq!(typed("[2001:db8::1]"), "https://[2001:db8::1]:8443");
        for bad in ["", "a b", "ftp://x", "https://x/path", "https://u@x", "https://"] {
            let failure = typed_address(bad).unwrap_err();
            assert_eq!((failure.code, failure.field), ("address_invalid", Some(Field::Primary)), "{bad}");
        }
    }

    #[test]
    fn each_field_says_what_is_wrong_with_it() {
        assert_eq!(zone_name(" north ").unwrap(), "north");
        assert_eq!(zone_name(" ").unwrap_err().field, Some(Field::Zone));
        assert_eq!(server_name("\u{7}").unwrap_err().field, Some(Field::Name));
        let url = |url, plain_http| public_url(url, plain_http).map_err(|failure| (failure.code, failure.field));
        assert_eq!(url("https://a.example:1", false).unwrap(), "https://a.example:1");
        assert_eq!(url("http://127.0.0.1:1", true).unwrap(), "http://127.0.0.1:1");
        let bad = Err(("public_url_invalid", Some(Field::PublicUrl)));
        for (text, plain_http) in [
            ("https://a.example:1/x", false),
            ("http://a.example:1", false),
            ("http://127.0.0.1:1", false),
            ("https://127.0.0.1:1", true),
            ("https://a.example:1", true),
            ("http://a.example:1", true),
        ] {
            assert_eq!(url(text, plain_http), bad, "{text}");
        }
        assert_eq!(administrator("a b", "long enough").err().unwrap().field, Some(Field::Admin));
        assert_eq!(administrator("admin", "short").err().unwrap().field, Some(Field::Password));
        assert_eq!(administrator("Admin", "long enough").unwrap().name, "admin");
        assert_eq!(account_name("").unwrap_err().field, Some(Field::Account));
        assert!(typed_fingerprint("ab").is_err());
    }
}
