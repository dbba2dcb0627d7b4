//! Taking over a snapshot: worked out aside, written to the disk, then put in place at once.

use super::{Cursor, Row, Server, checkpoint::all_rows};
use crate::{
    agent_api::Range,
    event::Event,
    fold::State,
    held::{Fork, Held, Span, ranges_without},
    record::Run,
    sync::{Snapshot, Wanted, check_forks},
};

/// A list of sessions that is ready to take the place of the present one.
#[derive(Debug)]
pub struct Adoption {
    state: State,
    held: Held,
    theirs: Held,
    at: Option<Cursor>,
}

impl Adoption {
    /// Every piece of it, to be written down in place of all that was written before.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        all_rows(&self.state, &self.held)
    }

    /// Where it leaves this server in the other's log, if elsewhere than before.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.at
    }
}

impl Server {
    /// The records that are held here but are not in a snapshot: the caller reads them from the log.
    #[must_use]
    pub fn beyond(&self, snapshot: &Snapshot) -> Wanted {
        let mut wanted = Wanted::new();
        for (origin, held) in self.held.iter() {
            let ours: Vec<Range> = held.spans().iter().map(Span::range).collect();
            let theirs = snapshot.held.origin(origin).map(|h| h.spans().iter().map(Span::range).collect());
            let theirs: Vec<Range> = theirs.unwrap_or_default();
            wanted.extend(ranges_without(&ours, &theirs).into_iter().map(|(first, last)| (origin, first, last)));
        }
        wanted
    }

    /// Works out the list that a snapshot makes, with `beyond` (the records of [`Self::beyond`]) folded on top. Nothing
    /// changes yet, and nothing may change until [`Self::install`].
    ///
    /// The records themselves are still fetched, so that they are audited here too and outlive the other server's disk;
    /// folded a second time they change nothing. Only with `in_place_of_records`, when the other server's log does not
    /// have them any more, they count as held by what they made.
    ///
    /// # Errors
    /// [`Fork`] when both hold records of one origin with different chains.
    pub fn prepare_adoption(
        &self,
        snapshot: Snapshot,
        beyond: &[Run],
        in_place_of_records: bool,
        now: i64,
    ) -> Result<Adoption, Fork> {
        check_forks(&self.held, &snapshot.held)?;
        let mut state = State::default();
        state.set_realms(self.state.realms(), now);
        for (name, machine) in snapshot.machines {
            state.restore_machine(name, machine, now);
        }
        for (id, agent) in snapshot.agents {
            state.agents.restore(id, agent);
        }
        let realms = state.realms().clone();
        state.decisions = self.state.decisions.clone();
        for part in snapshot.decisions {
            state.decisions.unite(part, now);
        }
        state.decisions.restart_lists(&realms);
        let mut held = self.held.clone();
        if in_place_of_records {
            held.unite(&snapshot.held);
        }
        for entry in beyond.iter().flat_map(|run| &run.entries) {
            state.fold(entry, &Event::read(&entry.record).unwrap_or(Event::Other), now);
        }
        _ = (state.take_dirty(), state.agents.take_dirty(), held.take_dirty());
        Ok(Adoption { state, held, theirs: snapshot.held, at: in_place_of_records.then_some(snapshot.at) })
    }

    /// Puts a list in place that has been written to the disk.
    pub fn install(&mut self, adoption: Adoption) {
        let Adoption { mut state, held, theirs, at } = adoption;
        state.continue_version(&self.state);
        self.state = state;
        self.held = held;
        self.peer_held.get_or_insert_default().unite(&theirs);
        self.cursor = at.unwrap_or(self.cursor);
    }
}
