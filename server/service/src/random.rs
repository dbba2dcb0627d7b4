//! Random names, keys and passwords, from the operating system.

/// Why there is no random number: the operating system gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

/// So many random bytes.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(NoRandomness)?;
    Ok(out)
}

/// A secret of 256 bits as text, with a prefix that tells what it is for (so that a leaked one is recognized).
///
/// # Errors
/// [`NoRandomness`].
pub fn secret(prefix: &str) -> Result<String, NoRandomness> {
    let digits: String = bytes::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}{digits}"))
}

/// The signs of a generated password: none that look alike.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password of 24 signs in groups of six: 120 bits.
///
/// # Errors
/// [`NoRandomness`].
pub fn password() -> Result<String, NoRandomness> {
    let mut text = String::with_capacity(27);
    for (index, byte) in bytes::<24>()?.into_iter().enumerate() {
        if index > 0 && index.is_multiple_of(6) {
            text.push('-');
        }
        let sign = SIGNS.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        text.push(char::from(sign));
    }
    Ok(text)
}

/// The hash by which a secret of full entropy (a token, a key) is kept: BLAKE3, in hex.
#[must_use]
pub fn hash_secret(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_have_their_form() {
        let (one, other) = (secret("ul_").unwrap(), secret("ul_").unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 3 + 64);
        let password = password().unwrap();
        assert_eq!(password.len(), 27);
        assert!(password.split('-').all(|group| group.len() == 6), "{password}");
        assert_eq!(hash_secret("a").len(), 64);
    }
}
