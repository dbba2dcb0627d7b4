//! What an agent answers when no server does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{account::Account, settings::OfflinePolicy};

/// The most users whose last logon is remembered; beyond it the longest unseen are forgotten.
pub const MAX_SEEN: usize = 10_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An answer without a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// Whether the session may be opened.
    pub allow: bool,
    /// The policy that decided, for people.
    pub policy: String,
    /// The reason, for the user.
    pub reason: String,
}

/// Who logged on to this machine, and when last, in ms since 1970 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen(BTreeMap<String, i64>);

impl Seen {
    /// Somebody logged on. Whether that is worth writing down: what is known is older than an hour.
    pub fn note(&mut self, user: &str, at: i64) -> bool {
        let last = self.0.entry(Account::parse(user).to_string()).or_insert(i64::MIN);
        let news = at.saturating_sub(*last) > DAY_MS / 24;
        *last = at.max(*last);
        while self.0.len() > MAX_SEEN {
            let Some(oldest) = self.0.iter().min_by_key(|(_, at)| **at).map(|(user, _)| user.clone()) else { break };
            self.0.remove(&oldest);
        }
        news
    }

    /// When this user last logged on here.
    #[must_use]
    pub fn last(&self, user: &str) -> Option<i64> {
        self.0.get(&Account::parse(user).to_string()).copied()
    }
}

/// Decides by `policy` for a user at the time `now` of the machine's clock (ms since 1970 UTC).
///
/// A logon in the future, by a clock that was set back, counts as seen.
#[must_use]
pub fn decide(policy: OfflinePolicy, seen: &Seen, user: &str, now: i64) -> Offline {
    let (allow, policy, reason) = match policy {
        OfflinePolicy::Allow => {
            (true, "allow".to_owned(), "No server answers; the offline policy allows it.".to_owned())
        }
        OfflinePolicy::Deny => (
            false,
            "deny".to_owned(),
            "Logon refused: no UserLock server answers, and the offline policy refuses all logons.".to_owned(),
        ),
        OfflinePolicy::AllowSeen(days) => {
            let recent = |at: i64| now.saturating_sub(at) <= i64::from(days).saturating_mul(DAY_MS);
            let name = format!("allow users seen within {days} days");
            if seen.last(user).is_some_and(recent) {
                (true, name, format!("No server answers; the user has logged on here within {days} days."))
            } else {
                let reason = format!(
                    "Logon refused: no UserLock server answers, and you have not logged on to this machine within the last {days} days."
                );
                (false, name, reason)
            }
        }
    };
    Offline { allow, policy, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_decides_as_it_says() {
        let mut seen = Seen::default();
        let now = 100 * DAY_MS;
        assert!(seen.note("alice", now - 7 * DAY_MS));
        let allow = |policy, user| decide(policy, &seen, user, now).allow;
        assert!(allow(OfflinePolicy::Allow, "anybody"));
        assert!(!allow(OfflinePolicy::Deny, "alice"));
        assert!(allow(OfflinePolicy::AllowSeen(7), "Alice"), "names are case-folded, the last day counts");
        assert!(!allow(OfflinePolicy::AllowSeen(6), "alice"));
        assert!(!allow(OfflinePolicy::AllowSeen(365), "bob"));
        assert!(decide(OfflinePolicy::AllowSeen(1), &seen, "alice", 0).allow, "a clock that was set back");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_longest_unseen_go_first() {
        let mut seen = Seen::default();
        for n in 0..=MAX_SEEN {
            seen.note(&format!("u{n}"), i64::try_from(n).unwrap());
        }
        assert_eq!((seen.last("u0"), seen.last("u1")), (None, Some(1)));
        assert!(!seen.note("u1", 2), "not worth a write");
        assert!(seen.note("u1", DAY_MS));
    }
}
