//! Who asks: local accounts with a cookie, API tokens, and the program itself on this machine.

mod attempts;
mod local;
mod origin;
mod passwords;
mod sign_in;
mod tokens;

use std::{fmt, net::IpAddr};

use userlock_core::{
    id::Digest,
    settings::{self, Rights},
};

pub use attempts::{Attempts, TooMany};
pub use local::{LocalToken, LocalTokenError, read_local_token};
pub use origin::{OriginRefused, check_origin};
pub use passwords::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PasswordError, Passwords, check_password, hash_now};
pub use sign_in::{NotExpected, SignInId, SignIns, cookie_name, public_name};
pub use tokens::{find_token, is_valid};

/// What a route needs of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Nothing.
    Public,
    /// The token of an agent.
    Agent,
    /// The token of the other server.
    Peer,
    /// To be signed in, with or without more.
    Of(settings::Right),
}

impl Right {
    /// Whether somebody with these rights is let in.
    #[must_use]
    pub fn is_given_to(self, rights: Rights) -> bool {
        match self {
            Self::Public => true,
            Self::Of(right) => rights.include(right),
            // These are not had by accounts.
            Self::Agent | Self::Peer => false,
        }
    }
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A cookie of the dashboard.
    SignIn(SignInId),
    /// An API token.
    Token,
    /// The token that only root on this machine can read.
    Local,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account's or the token's name, kept with what is done.
    pub name: String,
    /// Their roles, as people call them.
    pub roles: String,
    /// What they may do.
    pub rights: Rights,
    /// How it was proved.
    pub proof: Proof,
}

impl Principal {
    /// The name of the sign-in by which they are known, if it is one.
    #[must_use]
    pub fn sign_in(&self) -> Option<Digest> {
        match &self.proof {
            Proof::SignIn(id) => Some(public_name(id)),
            Proof::Token | Proof::Local => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proof {
            Proof::SignIn(_) => f.write_str(&self.name),
            Proof::Token => write!(f, "token {}", self.name),
            Proof::Local => f.write_str("administrator on this machine"),
        }
    }
}

/// An address as it is counted: of IPv6 the network, since one host has all of it.
#[must_use]
pub fn counted_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let counted = |text: &str| counted_address(text.parse().unwrap());
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff::9"));
        assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
