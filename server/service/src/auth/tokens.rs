//! API tokens: kept as hashes in the zone's settings, so that both servers know them.

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use userlock_core::settings::{Security, StoredToken};

/// The token with this hash, if there is one. Takes as long wherever in the list it is.
#[must_use]
pub fn find_token<'a>(security: &'a Security, presented_hash: &str) -> Option<&'a StoredToken> {
    let mut found = 0_u32;
    for (number, token) in (1_u32..).zip(&security.tokens) {
        let same: Choice = token.hash.as_bytes().ct_eq(presented_hash.as_bytes());
        found.conditional_assign(&number, same);
    }
    usize::try_from(found).ok()?.checked_sub(1).and_then(|index| security.tokens.get(index))
}

#[cfg(test)]
mod tests {
    use userlock_core::settings::Role;

    use super::*;
    use crate::random::hash_secret;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let token =
            |name: &str| StoredToken { name: name.into(), hash: hash_secret(name), role: Role::Operator, at: 0 };
        let security = Security { tokens: vec![token("a"), token("b")], ..Security::default() };
        assert_eq!(find_token(&security, &hash_secret("a")).map(|t| t.name.as_str()), Some("a"));
        assert_eq!(find_token(&security, &hash_secret("b")).map(|t| t.name.as_str()), Some("b"));
        assert_eq!(find_token(&security, &hash_secret("c")), None);
        assert_eq!(find_token(&security, ""), None);
        assert_eq!(find_token(&Security::default(), &hash_secret("a")), None);
    }
}
