//! Limits how often a password can be tried, for one account and from one address.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So many failures …
const MAX_FAILURES: u32 = 10;
/// … within this time.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// The most accounts and addresses that are remembered; the oldest are forgotten first.
const MAX_KEYS: usize = 20_000;

/// Too many attempts have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts have failed; try again in {} s", retry_after.as_secs())]
pub struct TooMany {
    /// When one will be tried again.
    pub retry_after: Duration,
    /// Whether this attempt is the first that is refused: time to tell somebody.
    pub first: bool,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    since: Instant,
    told: bool,
}

/// The attempts that failed lately. An attempt counts as failed from its beginning, so that many at once are no way round.
#[derive(Debug, Default)]
pub struct Attempts {
    counts: Mutex<HashMap<String, Count>>,
}

impl Attempts {
    /// An attempt begins, counted under each of these keys.
    ///
    /// # Errors
    /// [`TooMany`], when one of them has had its failures. Then it does not count anew.
    pub fn begin(&self, keys: &[&str], now: Instant) -> Result<(), TooMany> {
        let mut counts = self.lock();
        for key in keys {
            let Some(count) = counts.get_mut(*key) else { continue };
            let age = now.saturating_duration_since(count.since);
            if age >= WINDOW {
                counts.remove(*key);
            } else if count.failures >= MAX_FAILURES {
                let first = !std::mem::replace(&mut count.told, true);
                return Err(TooMany { retry_after: WINDOW - age, first });
            }
        }
        for key in keys {
            if counts.len() >= MAX_KEYS && !counts.contains_key(*key) {
                make_room(&mut counts, now);
            }
            let count = counts.entry((*key).to_owned()).or_insert(Count { failures: 0, since: now, told: false });
            count.failures += 1;
        }
        Ok(())
    }

    /// The attempt was good: what it counted is taken back, and the account's failures are forgotten.
    pub fn succeeded(&self, account: &str, address: &str) {
        let mut counts = self.lock();
        counts.remove(account);
        if let Some(count) = counts.get_mut(address) {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    /// The attempt was not decided (the server was busy): what it counted is taken back.
    pub fn undecided(&self, keys: &[&str]) {
        let mut counts = self.lock();
        for key in keys {
            if let Some(count) = counts.get_mut(*key) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over, or else the oldest tenth.
fn make_room(counts: &mut HashMap<String, Count>, now: Instant) {
    counts.retain(|_, count| now.saturating_duration_since(count.since) < WINDOW);
    if counts.len() < MAX_KEYS {
        return;
    }
    let mut ages: Vec<Instant> = counts.values().map(|count| count.since).collect();
    ages.sort_unstable();
    let oldest_kept = ages.get(MAX_KEYS / 10).copied().unwrap_or(now);
    counts.retain(|_, count| count.since > oldest_kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_close_the_door_for_a_quarter_of_an_hour() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..10 {
            attempts.begin(&["account a", "address x"], start).unwrap();
        }
        let refused = attempts.begin(&["account a", "address y"], start + Duration::from_secs(60)).unwrap_err();
        assert_eq!((refused.retry_after, refused.first), (WINDOW - Duration::from_secs(60), true));
        assert!(!attempts.begin(&["account a", "address y"], start).unwrap_err().first);
        assert!(attempts.begin(&["account b", "address x"], start).is_err(), "the address has had its failures too");
        assert!(attempts.begin(&["account b", "address y"], start).is_ok());
        assert!(attempts.begin(&["account a", "address x"], start + WINDOW).is_ok());
    }

    #[test]
    fn a_good_attempt_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..50 {
            attempts.begin(&["account a", "address x"], Instant::now()).unwrap();
            attempts.succeeded("account a", "address x");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for number in 0..MAX_KEYS + 100 {
            let at = start + Duration::from_millis(number as u64);
            attempts.begin(&[&format!("address {number}")], at).unwrap();
        }
        assert!(attempts.lock().len() <= MAX_KEYS);
    }
}
