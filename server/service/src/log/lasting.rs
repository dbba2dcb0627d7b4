//! A cause that each request meets is written once, as long as they come.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Details, Journal, Kind};

/// A cause that was not met for so long is over: the next time it is told again.
const OVER_AFTER: Duration = Duration::from_secs(60);
/// The most causes that are known at a time; the one that was not met for longest makes room.
const MOST: usize = 16;

/// What is wrong again and again, each time somebody asks for something, and of whose end nobody tells.
#[derive(Debug, Default)]
pub struct Lasting {
    /// Each cause, and when it was last met: the latest one is the last.
    met: Mutex<Vec<(u32, String, Instant)>>,
}

impl Lasting {
    /// Something is wrong. Written unless the same (kind and cause) was met a moment ago.
    pub fn tell(&self, journal: &Journal, kind: Kind, cause: &str, message: impl Into<String>, details: Details) {
        if self.is_new(kind, cause, Instant::now()) {
            journal.record(kind, message, details);
        }
    }

    fn is_new(&self, kind: Kind, cause: &str, now: Instant) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.retain(|(.., at)| now.saturating_duration_since(*at) < OVER_AFTER);
        let known = met.iter().position(|(id, known, _)| (*id, known.as_str()) == (kind.id, cause));
        if let Some(known) = known {
            met.remove(known);
        } else if met.len() >= MOST {
            met.remove(0);
        }
        met.push((kind.id, cause.to_owned(), now));
        known.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::catalogue;

    #[test]
    fn a_cause_counts_once_until_it_is_over() {
        let (lasting, start) = (Lasting::default(), Instant::now());
        let new = |cause: &str, second: u64| {
            lasting.is_new(catalogue::PEER_CLONED, cause, start + Duration::from_secs(second))
        };
        assert!(new("a", 0));
        // It is met each second, for longer than it takes to be over, and so is another one.
        assert!((1..200).all(|second| !new("a", second) && new("b", second) == (second == 1)));
        assert!(lasting.is_new(catalogue::STORAGE_FAILED, "a", start + Duration::from_secs(200)), "another kind");
        assert!(new("a", 199 + OVER_AFTER.as_secs()), "it was over");
        assert!((0..1000).all(|n| new(&n.to_string(), 300)));
        assert_eq!(lasting.met.lock().unwrap().len(), MOST);
    }
}
