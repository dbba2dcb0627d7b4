//! One server: inputs in, effects out.
//!
//! Every input is *staged* on the committed state, any number of them into one batch; the batch is written to the disk
//! by the caller; then it is *applied*, and only then shown and answered. Inputs of one batch do not depend on each
//! other: one that would is refused as [`Refusal::NextBatch`] and staged again after the commit. So a batch that could
//! not be written is dropped, and nothing needs to be undone.

mod adopt;
mod apply;
mod checkpoint;
mod hello;
mod input;
mod list;
mod read;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

pub use adopt::Adoption;
pub use apply::{Applied, Note};
pub use checkpoint::{Checkpoint, Row, RowKind};
pub use hello::{HelloAnswer, Proofs};
pub use input::{Input, Output, Refusal};
pub use list::{ListError, Listing, view};
pub use read::ReadRun;

use crate::{
    agent_api::{Range, ServerAddress},
    api::ServerRole,
    event::Event,
    fold::State,
    held::{Held, Span},
    id::{Epoch, LogId, OriginId, ServerId, ZoneId},
    record::{Entry, Run, Writer},
    settings::ZoneDocument,
};

/// The most runs that wait for the other server to say that it has them.
const MAX_SENT: usize = 200_000;

/// Who a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// For its life.
    pub server_id: ServerId,
    /// The zone it belongs to.
    pub zone_id: ZoneId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub role: ServerRole,
    /// Where it can be reached.
    pub address: ServerAddress,
}

/// A place in another server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The log.
    pub log_id: LogId,
    /// The last position that was taken over.
    pub position: u64,
}

/// One server's state.
#[derive(Debug)]
pub struct Server {
    /// Who it is.
    pub identity: Identity,
    /// The epoch that it knows to be the current one.
    pub epoch: Epoch,
    /// Its log since this start.
    pub log_id: LogId,
    /// Its log before this start; nil at the first.
    pub log_id_before: LogId,
    /// The last position of its log.
    pub position: u64,
    /// What the records make.
    pub state: State,
    /// The zone's settings.
    pub settings: Arc<ZoneDocument>,
    /// Where it is in the Primary's log; used on a Backup.
    pub cursor: Cursor,
    held: Held,
    writer: Writer,
    /// What the other server has, as far as known; absent in a zone without one.
    peer_held: Option<Held>,
    /// Runs of this log that the other server is not known to have, with the position of their last record.
    sent: VecDeque<(u64, OriginId, u64, Span)>,
}

/// What a server is made of when it starts.
#[derive(Debug)]
pub struct Start {
    /// Who it is.
    pub identity: Identity,
    /// The epoch.
    pub epoch: Epoch,
    /// Drawn for this start.
    pub log_id: LogId,
    /// The one before.
    pub log_id_before: LogId,
    /// Drawn for this start.
    pub origin: OriginId,
    /// The clock in ms, or more where a greater rank was used before.
    pub rank: u64,
    /// The settings.
    pub settings: ZoneDocument,
    /// Where it is in the Primary's log.
    pub cursor: Cursor,
    /// Whether the zone has another server.
    pub has_peer: bool,
}

/// Records that were logged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The position of the first record.
    pub first_position: u64,
    /// How many records there are.
    pub count: u64,
    /// The other server's log that they came from; nil for those that came first here.
    pub source: LogId,
    /// The records.
    pub runs: Vec<Run>,
}

impl Segment {
    /// The position of the last record.
    #[must_use]
    pub fn last_position(&self) -> u64 {
        self.first_position + self.count.saturating_sub(1)
    }
}

/// Inputs staged to be committed together.
#[derive(Debug)]
pub struct Batch {
    writer: Writer,
    own: Vec<(Entry, Event)>,
    taken: Vec<Taken>,
    touched: BTreeSet<Touch>,
    settings: Option<Arc<ZoneDocument>>,
    cursor: Option<Cursor>,
    tickets: Vec<input::Ticket>,
    records: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Taken {
    source: LogId,
    read: ReadRun,
}

/// What a staged input depends on or changes, so that a later one of the same batch must wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    Origin(OriginId),
    Account(crate::account::Account),
    Machine(crate::record::Machine),
    Settings,
    Cursor,
}

impl Batch {
    /// How many inputs are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether no input is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// How many records it will write.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many bytes of payload it will write.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The settings that it will write, if any.
    #[must_use]
    pub fn settings(&self) -> Option<&Arc<ZoneDocument>> {
        self.settings.as_ref()
    }

    /// The cursor that it will write, if any.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }
}

impl Server {
    /// A server that holds nothing yet: [`Self::restore`] and [`Self::replay`] give it back what was written down.
    #[must_use]
    pub fn new(start: Start, now: i64) -> Self {
        let mut state = State::default();
        state.set_realms(&start.settings.settings.general.realms, now);
        Self {
            identity: start.identity,
            epoch: start.epoch,
            log_id: start.log_id,
            log_id_before: start.log_id_before,
            position: 0,
            state,
            settings: Arc::new(start.settings),
            cursor: start.cursor,
            held: Held::default(),
            writer: Writer::new(start.origin, start.rank),
            peer_held: start.has_peer.then(Held::default),
            sent: VecDeque::new(),
        }
    }

    /// Which records it has.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Which records the other server has, as far as known; absent in a zone without one.
    #[must_use]
    pub fn peer_held(&self) -> Option<&Held> {
        self.peer_held.as_ref()
    }

    /// Notes that the zone's other server is a new one, of which nothing is known.
    pub fn new_peer(&mut self) {
        self.peer_held = Some(Held::default());
        self.sent.clear();
    }

    /// Notes that the zone has no other server any more.
    pub fn no_peer(&mut self) {
        self.peer_held = None;
        self.sent.clear();
    }

    /// Notes that the zone has another server from now on.
    pub fn has_peer_now(&mut self) {
        self.peer_held.get_or_insert_default();
    }

    /// A batch to stage inputs into.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch {
            writer: self.writer.clone(),
            own: Vec::new(),
            taken: Vec::new(),
            touched: BTreeSet::new(),
            settings: None,
            cursor: None,
            tickets: Vec::new(),
            records: 0,
            bytes: 0,
        }
    }

    /// What a batch adds to the log, in the order of the positions that it will have.
    #[must_use]
    pub fn segments(&self, batch: &Batch) -> Vec<Segment> {
        let mut by_source: BTreeMap<LogId, Vec<Run>> = BTreeMap::new();
        if let Some((first, _)) = batch.own.first() {
            let before =
                if first.record.seq == self.writer.seq + 1 { self.writer.chain } else { crate::id::Chain::NIL };
            let entries = batch.own.iter().map(|(entry, _)| entry.clone()).collect();
            by_source.entry(LogId::NIL).or_default().push(Run { before, entries });
        }
        for taken in &batch.taken {
            by_source.entry(taken.source).or_default().push(taken.read.run().clone());
        }
        let mut next = self.position + 1;
        let segment = |(source, runs): (LogId, Vec<Run>)| {
            let count = runs.iter().map(|run| run.entries.len() as u64).sum();
            let first_position = next;
            next += count;
            Segment { first_position, count, source, runs }
        };
        by_source.into_iter().map(segment).collect()
    }

    /// Takes in again what was logged before this start. `fold` is false for what the state that was written down has
    /// in it already: then only recent decisions and commands are taken from it.
    pub fn replay(&mut self, segment: &Segment, fold: bool, now: i64) {
        for run in &segment.runs {
            if fold {
                self.fold_again(run, now);
            } else {
                for entry in run.entries.iter().filter(|e| e.rejected.is_none()) {
                    if let Ok(event) = Event::read(&entry.record) {
                        self.state.replay_decisions(&entry.record, &event, now);
                    }
                }
            }
        }
        self.position = self.position.max(segment.last_position());
    }

    /// Folds a logged run, whether it is in `held` already or not: of what was written down the one piece may know more
    /// than the other.
    fn fold_again(&mut self, run: &Run, now: i64) {
        for (first, last) in self.held.offer(run).unwrap_or_default() {
            if let Some(part) = run.slice(first, last) {
                self.held.add(&part);
            }
        }
        for entry in &run.entries {
            let event = Event::read(&entry.record).unwrap_or(Event::Other);
            self.fold_entry(entry, &event, now);
        }
    }

    /// Folds the new parts of a run and adds them to `held`.
    fn take_run(&mut self, run: &Run, events: Option<&[Event]>, now: i64) {
        let Ok(parts) = self.held.offer(run) else { return };
        for (first, last) in parts {
            let whole = run.span() == Some((first, last));
            let sliced;
            let part = if whole {
                run
            } else {
                let Some(slice) = run.slice(first, last) else { continue };
                sliced = slice;
                &sliced
            };
            self.held.add(part);
            for (index, entry) in part.entries.iter().enumerate() {
                let read;
                let event = match events.filter(|_| whole).and_then(|events| events.get(index)) {
                    Some(event) => event,
                    None => {
                        read = Event::read(&entry.record).unwrap_or(Event::Other);
                        &read
                    }
                };
                self.fold_entry(entry, event, now);
            }
        }
    }

    fn fold_entry(&mut self, entry: &Entry, event: &Event, now: i64) {
        if let Event::Lost(lost) = event
            && entry.rejected.is_none()
        {
            let range = Range { first: lost.first, last: lost.last, chain: lost.chain };
            self.held.add_lost(lost.origin, lost.rank, range);
        }
        self.state.fold(entry, event, now);
    }

    /// Notes that the other server has everything of this log up to `position`.
    pub fn peer_has(&mut self, position: u64) {
        let Some(peer_held) = &mut self.peer_held else { return };
        while let Some((last, ..)) = self.sent.front()
            && *last <= position
        {
            if let Some((_, origin, rank, span)) = self.sent.pop_front() {
                peer_held.know(origin, rank, span);
            }
        }
    }

    /// Notes that the other server has these runs.
    pub fn peer_has_runs<'a>(&mut self, runs: impl IntoIterator<Item = &'a Run>) {
        let Some(peer_held) = &mut self.peer_held else { return };
        for run in runs {
            if let (Some((first, last)), Some(entry)) = (run.span(), run.entries.first())
                && let Some(chain) = run.chain_at(last)
            {
                let span = Span { first, last, before: run.before, chain };
                peer_held.know(entry.record.origin, entry.record.rank, span);
            }
        }
    }

    /// Takes over what the other server told it has: all of its origins in these buckets.
    pub fn peer_told(&mut self, buckets: &[u16], ranges: &BTreeMap<OriginId, Vec<Range>>) {
        // One that was removed while it spoke says nothing that counts.
        let Some(peer_held) = &mut self.peer_held else { return };
        let told = |o: &OriginId| buckets.contains(&u16::try_from(crate::held::bucket_of(*o)).unwrap_or(u16::MAX));
        let known: Vec<OriginId> = peer_held.iter().map(|(origin, _)| origin).filter(told).collect();
        for origin in known.into_iter().filter(|origin| !ranges.contains_key(origin)) {
            peer_held.replace(origin, &[]);
        }
        for (origin, ranges) in ranges {
            peer_held.replace(*origin, ranges);
        }
    }

    /// Forgets the records of an origin from `first` on, which were filed as a branch under a name of their own. What they
    /// made of the sessions stays until the next snapshot.
    pub fn cut(&mut self, origin: OriginId, first: u64, chain_before: crate::id::Chain) {
        self.held.cut(origin, first, chain_before);
        self.sent.retain(|(_, of, _, span)| *of != origin || span.last < first);
    }

    /// Files the records of an origin from `first` on, which this log has, under the name of a branch: of `branch`, which is
    /// what of it was not filed before.
    pub fn file_branch(
        &mut self,
        origin: OriginId,
        first: u64,
        chain_before: crate::id::Chain,
        branch: Option<&Run>,
        now: i64,
    ) {
        self.cut(origin, first, chain_before);
        if let Some(branch) = branch {
            self.take_run(branch, None, now);
        }
    }

    /// Notes that the other server has exactly what this one has, but for the origins of some buckets.
    pub fn peer_equal_but(&mut self, differing: &[u16]) {
        let Some(peer_held) = &mut self.peer_held else { return };
        for (origin, held) in self.held.iter() {
            let bucket = u16::try_from(crate::held::bucket_of(origin)).unwrap_or(u16::MAX);
            if !differing.contains(&bucket) {
                let ranges: Vec<Range> = held.spans().iter().map(Span::range).collect();
                peer_held.replace(origin, &ranges);
            }
        }
    }

    /// How many runs of this log the other server is not known to have, and the position of the first of them.
    #[must_use]
    pub fn unsent(&self) -> (usize, Option<u64>) {
        (self.sent.len(), self.sent.front().map(|(last, ..)| *last))
    }
}

#[cfg(test)]
mod tests;
