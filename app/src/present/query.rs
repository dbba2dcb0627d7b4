//! Addresses: percent encoding, queries, and what may be linked to.

/// Percent-encodes everything but letters, digits, `-`, `_`, `.` and `~`.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
    out
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).map_or('0', |c| c.to_ascii_uppercase())
}

/// The reverse of [`encode`]; what is not an encoding stays as it is.
#[must_use]
pub fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match pair.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `path?a=1&b=2` of the pairs whose value is not empty.
#[must_use]
pub fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    let mut mark = '?';
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(mark);
        out.push_str(name);
        out.push('=');
        out.push_str(&encode(value));
        mark = '&';
    }
    out
}

/// Path and query of an address, without its fragment; nothing for one that has no path.
#[must_use]
pub fn path_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.get(rest.find('/')?..)?;
    local(path.split('#').next()?)
}

/// The path when it is one of this server: `//elsewhere` and `/\elsewhere` are not.
#[must_use]
pub fn local(path: &str) -> Option<&str> {
    let bad = path.bytes().any(|b| b == b'\\' || b.is_ascii_control());
    (path.starts_with('/') && !path.starts_with("//") && !bad).then_some(path)
}

/// The address of another server's page, when that server's address is one for a browser.
#[must_use]
pub fn elsewhere(server: &str, path: &str) -> Option<String> {
    let fits = (server.starts_with("https://") || server.starts_with("http://")) && !server.contains(['"', '<', ' ']);
    fits.then(|| format!("{}{path}", server.trim_end_matches('/')))
}

/// As much of a text's beginning as has at most so many bytes when it is [encoded](encode) as a text of JSON.
#[must_use]
pub fn fitting(text: &str, bytes: usize) -> &str {
    let quotes = encode("\"\"").len();
    let mut used = 0;
    for (at, letter) in text.char_indices() {
        let json = serde_json::to_string(letter.encode_utf8(&mut [0; 4])).unwrap_or_default();
        used += encode(&json).len().saturating_sub(quotes);
        if used > bytes {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back() {
        for text in ["", "a b", "CORP\\é;=&%", "100 %", "…"] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn a_text_is_cut_by_what_it_is_when_it_is_encoded() {
        for text in ["plain", "a b \u{44f}\u{2026}\u{1f600}", "\"\\\n\u{1}\"", ""] {
            let whole = encode(&serde_json::to_string(text).unwrap()).len() - 6;
            assert_eq!(fitting(text, whole), text);
            if let Some(most) = whole.checked_sub(1) {
                let cut = fitting(text, most);
                let last = text.chars().next_back().unwrap();
                assert_eq!(format!("{cut}{last}"), text, "a whole character less");
            }
        }
        assert_eq!(fitting("\u{44f}\u{44f}", 11), "\u{44f}");
        assert_eq!(fitting("\u{44f}", 5), "");
    }

    #[test]
    fn empty_values_are_left_out() {
        assert_eq!(
            address("/sessions", &[("q", "a&b"), ("type", ""), ("sort", "-user")]),
            "/sessions?q=a%26b&sort=-user"
        );
    }

    #[test]
    fn only_paths_of_this_server_are_gone_back_to() {
        assert_eq!(path_of("https://a.example:8443/sessions?q=1#x"), Some("/sessions?q=1"));
        assert_eq!(path_of("https://a.example//b.example/"), None);
        assert_eq!(path_of("https://a.example"), None);
        assert_eq!(local("/\\b.example"), None);
        assert_eq!(elsewhere("javascript:alert(1)", "/"), None);
        assert_eq!(elsewhere("https://a:1/", "/log").as_deref(), Some("https://a:1/log"));
    }
}
