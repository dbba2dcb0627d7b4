//! Who asks: local accounts with a cookie, API tokens, and the program itself on this machine.

mod attempts;
mod local;
mod origin;
mod passwords;
mod sign_in;
mod tokens;

use std::{fmt, net::IpAddr};

use userlock_core::settings::Role;

pub use attempts::{Attempts, TooMany};
pub use local::{LocalToken, LocalTokenError, read_local_token};
pub use origin::{OriginRefused, check_origin};
pub use passwords::{MAX_PASSWORD_BYTES, PasswordError, Passwords, hash_now};
pub use sign_in::{SignInId, SignIns, cookie_name};
pub use tokens::find_token;

/// What a route or a server function needs of who asks. The later ones include the earlier ones, from `Read` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Nothing.
    Public,
    /// The token of an agent.
    Agent,
    /// The token of the other server.
    Peer,
    /// To see everything.
    Read,
    /// To act on sessions and start synchronizations.
    Operate,
    /// Everything.
    Administer,
}

impl Right {
    /// Whether an account or a token with this role has the right.
    #[must_use]
    pub fn is_given_to(self, role: Role) -> bool {
        match self {
            Self::Public | Self::Read => true,
            Self::Operate => role >= Role::Operator,
            Self::Administer => role >= Role::Administrator,
            // These are not had by roles.
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
    /// What they may do.
    pub role: Role,
    /// How it was proved.
    pub proof: Proof,
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
    fn a_role_has_its_rights_and_those_below() {
        let has = |role| [Right::Read, Right::Operate, Right::Administer].map(|right: Right| right.is_given_to(role));
        assert_eq!(has(Role::ReadOnly), [true, false, false]);
        assert_eq!(has(Role::Operator), [true, true, false]);
        assert_eq!(has(Role::Administrator), [true, true, true]);
        assert!(!Right::Peer.is_given_to(Role::Administrator) && !Right::Agent.is_given_to(Role::Administrator));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let counted = |text: &str| counted_address(text.parse().unwrap());
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff::9"));
        assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
