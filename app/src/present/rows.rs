//! A list that changes while somebody looks at it: rows stay where they are, what comes and goes is marked.

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// It has just appeared.
    New,
    /// It has just gone, and is still shown for a moment.
    Gone,
}

/// The rows to show after `old` rows became `new` ones, in the order of `new`; one that is gone stays after the row
/// that it stood behind. For the rows of a page: the time is their number squared.
#[must_use]
pub fn merge(old: &[String], new: &[String]) -> Vec<(String, Mark)> {
    // What is gone, by the nearest row before it that stays; those before all rows that stay come first.
    let mut behind: Vec<(Option<&String>, &String)> = Vec::new();
    let mut anchor = None;
    for key in old {
        if new.contains(key) {
            anchor = Some(key);
        } else {
            behind.push((anchor, key));
        }
    }
    let gone = |after: Option<&String>| -> Vec<(String, Mark)> {
        behind.iter().filter(|(a, _)| *a == after).map(|(_, key)| ((*key).clone(), Mark::Gone)).collect()
    };
    let mut rows = gone(None);
    for key in new {
        rows.push((key.clone(), if old.contains(key) { Mark::None } else { Mark::New }));
        if !behind.is_empty() && old.contains(key) {
            rows.extend(gone(Some(key)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        text.chars().map(|c| c.to_string()).collect()
    }

    fn merged(old: &str, new: &str) -> String {
        merge(&keys(old), &keys(new))
            .into_iter()
            .map(|(key, mark)| match mark {
                Mark::None => key,
                Mark::New => format!("+{key}"),
                Mark::Gone => format!("-{key}"),
            })
            .collect()
    }

    #[test]
    fn what_stays_keeps_its_place_and_the_rest_is_marked() {
        assert_eq!(merged("abc", "abc"), "abc");
        assert_eq!(merged("abc", "ac"), "a-bc");
        assert_eq!(merged("abc", "abxc"), "ab+xc");
        assert_eq!(merged("abc", "bc"), "-abc");
        assert_eq!(merged("abc", "xyz"), "-a-b-c+x+y+z");
        assert_eq!(merged("abc", "cba"), "cba");
        assert_eq!(merged("", "a"), "+a");
        assert_eq!(merged("a", ""), "-a");
    }
}
