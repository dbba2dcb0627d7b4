//! API tokens: kept as hashes in the zone's settings, so that both servers know them.

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use userlock_core::settings::{Security, StoredToken};

/// The token with this hash, if there is one that has not ended at `now` (ms since 1970 UTC). Takes as long wherever in
/// the list it is.
#[must_use]
pub fn find_token<'a>(security: &'a Security, presented_hash: &str, now: i64) -> Option<&'a StoredToken> {
    let mut found = 0_u32;
    for (number, token) in (1_u32..).zip(&security.tokens) {
        let same: Choice = token.hash.as_bytes().ct_eq(presented_hash.as_bytes());
        found.conditional_assign(&number, same);
    }
    let found = usize::try_from(found).ok()?.checked_sub(1).and_then(|index| security.tokens.get(index));
    found.filter(|token| is_valid(token, now))
}

/// Whether a token has not ended at `now` (ms since 1970 UTC).
#[must_use]
pub fn is_valid(token: &StoredToken, now: i64) -> bool {
    token.expires.is_none_or(|at| now < at)
}

#[cfg(test)]
mod tests {
    use userlock_core::settings::Role;

    use super::*;
    use crate::random::hash_secret;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let token = |name: &str, expires| StoredToken {
            name: name.into(),
            hash: hash_secret(name),
            role: Role::Operator.as_str().into(),
            at: 0,
            expires,
        };
        let security = Security { tokens: vec![token("a", None), token("b", Some(10))], ..Security::default() };
        let find = |secret: &str, now| find_token(&security, &hash_secret(secret), now).map(|t| t.name.as_str());
        assert_eq!(find("a", 99), Some("a"));
        assert_eq!(find("b", 9), Some("b"));
        assert_eq!(find("b", 10), None, "it has ended");
        assert_eq!(find("c", 0), None);
        assert_eq!(find_token(&security, "", 0), None);
        assert_eq!(find_token(&Security::default(), &hash_secret("a"), 0), None);
    }
}
