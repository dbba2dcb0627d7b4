//! A cause that lasts is written once, and again when it is another.

use userlock_core::api::Level;

use super::{Details, Journal, Kind};

/// What is wrong at one place, so that it is written when it begins, changes and ends, and not each second.
#[derive(Debug, Default)]
pub struct Episode {
    cause: Option<(u32, String)>,
}

impl Episode {
    /// Something is wrong. Written unless the same (kind and cause) was wrong before.
    pub fn fail(&mut self, journal: &Journal, kind: Kind, cause: &str, message: impl Into<String>, details: Details) {
        if self.is_new(kind, cause) {
            journal.record(kind, message, details);
        }
    }

    /// All is well. Written if something was wrong before.
    pub fn heal(&mut self, journal: &Journal, kind: Kind, message: impl Into<String>, details: Details) {
        debug_assert!(kind.level == Level::Information, "what heals is good news");
        if self.cause.take().is_some() {
            journal.record(kind, message, details);
        }
    }

    /// Whether something is wrong now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.cause.is_some()
    }

    fn is_new(&mut self, kind: Kind, cause: &str) -> bool {
        if matches!(&self.cause, Some((id, known)) if *id == kind.id && known == cause) {
            return false;
        }
        self.cause = Some((kind.id, cause.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::catalogue;

    #[test]
    fn a_cause_counts_once_until_it_changes() {
        let mut episode = Episode::default();
        assert!(episode.is_new(catalogue::SYNC_REFUSED, "a:1"));
        assert!(!episode.is_new(catalogue::SYNC_REFUSED, "a:1"));
        assert!(episode.is_new(catalogue::SYNC_REFUSED, "b:1"));
        assert!(episode.is_new(catalogue::SYNC_TIMEOUT, "b:1"));
        assert!(episode.is_open());
    }
}
