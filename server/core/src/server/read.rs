//! Runs whose chains were checked and whose payloads were read: done by whoever brings them, so that the one who commits
//! does not spend its time on it.

use crate::{
    event::Event,
    record::{Run, RunError},
};

/// A run, checked and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRun {
    run: Run,
    events: Vec<Event>,
}

impl ReadRun {
    /// Checks a run and reads its payloads. A payload that cannot be read has no effect on the fold.
    ///
    /// # Errors
    /// [`RunError`] when the run does not hang together.
    pub fn new(run: Run) -> Result<Self, RunError> {
        run.check()?;
        let read = |entry: &crate::record::Entry| match entry.rejected {
            Some(_) => Event::Other,
            None => Event::read(&entry.record).unwrap_or(Event::Other),
        };
        let events = run.entries.iter().map(read).collect();
        Ok(Self { run, events })
    }

    /// Several runs, each checked and read.
    ///
    /// # Errors
    /// The first [`RunError`].
    pub fn all(runs: Vec<Run>) -> Result<Vec<Self>, RunError> {
        runs.into_iter().map(Self::new).collect()
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// What its records say, one for each.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The part with the numbers `first..=last`, which must lie within it.
    pub(super) fn part(&self, first: u64, last: u64) -> Option<Self> {
        let (from, _) = self.run.span()?;
        let run = self.run.slice(first, last)?;
        let start = usize::try_from(first - from).ok()?;
        let events = self.events.get(start..start + run.entries.len())?.to_vec();
        Some(Self { run, events })
    }
}
