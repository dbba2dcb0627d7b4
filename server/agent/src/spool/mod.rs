//! The records that an agent keeps until both servers hold them, numbered and chained; on the disk, or in memory for
//! agents that are only played.

mod file;

use std::{collections::VecDeque, path::Path, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;
use userlock_core::{
    agent::spool::{HeldBy, Overflow, Span, count, overflow, to_drop, without},
    agent_api::{EventsRequest, MAX_BATCH_RECORDS, MAX_RANGES, Range, WireRecord},
    event::kind,
    id::{Chain, OriginId},
    record::{EventId, MAX_PAYLOAD_BYTES, Machine, Record, Writer},
};

use crate::files::FileError;
use file::{Frame, Log};

/// The most bytes of payloads in one batch, unless one record alone has more. With what surrounds them it stays far
/// below what a server takes.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// The most records that were dropped in one piece.
const MAX_GONE: u64 = 10_000_000;

/// What a spool could not do.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A payload is too large, or not JSON.
    #[error("this event cannot be written: {0}")]
    Payload(String),
    /// A file that was not written by this program.
    #[error("{0} is not a spool")]
    NotASpool(String),
    /// The system gives no randomness for a name.
    #[error("no random name for the origin: {0}")]
    Random(std::io::Error),
}

/// An event before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its kind.
    pub kind: u16,
    /// The machine's clock, in ms since 1970 UTC.
    pub at: i64,
    /// JSON.
    pub payload: Arc<[u8]>,
}

impl Draft {
    /// An event of this kind.
    ///
    /// # Errors
    /// [`SpoolError::Payload`].
    pub fn new(kind: u16, at: i64, payload: &impl Serialize) -> Result<Self, SpoolError> {
        let payload = serde_json::to_vec(payload).map_err(|error| SpoolError::Payload(error.to_string()))?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(SpoolError::Payload(format!("{} bytes are too many", payload.len())));
        }
        Ok(Self { kind, at, payload: payload.into() })
    }
}

/// Where a record's body is.
#[derive(Debug, Clone)]
enum Body {
    /// In memory.
    Here(Draft),
    /// In the file: offset and length of its frame.
    There { offset: u64, length: u32 },
    /// Dropped.
    Gone,
}

#[derive(Debug, Clone)]
struct Slot {
    chain: Chain,
    body: Body,
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    machine: Machine,
    writer: Writer,
    /// The number and chain before the first slot.
    before: (u64, Chain),
    slots: VecDeque<Slot>,
    /// The spans of the slots that are not gone.
    kept: Vec<Span>,
    log: Option<Log>,
}

impl Spool {
    /// A spool in memory, of a new origin: it is as lost as its process.
    ///
    /// # Errors
    /// [`SpoolError::Random`].
    pub fn in_memory(machine: &str) -> Result<Self, SpoolError> {
        Ok(Self::empty(machine, new_origin()?))
    }

    fn empty(machine: &str, origin: OriginId) -> Self {
        Self {
            machine: machine.into(),
            writer: Writer::new(origin, 0),
            before: (0, Chain::NIL),
            slots: VecDeque::new(),
            kept: Vec::new(),
            log: None,
        }
    }

    /// Opens the spool of this machine in a folder, or begins one with a new origin. What a crash left half
    /// written at its end is cut off.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn open(dir: &Path, machine: &str) -> Result<Self, SpoolError> {
        let mut found: Option<Self> = None;
        let log = file::open(dir, &mut |offset, length, frame| match (&mut found, frame) {
            (Some(spool), frame) => spool.read_back(offset, length, frame),
            (None, Frame::Header { origin, rank, seq, chain }) => {
                let mut spool = Self::empty(machine, origin);
                spool.writer = Writer { origin, rank, seq, chain };
                spool.before = (seq, chain);
                found = Some(spool);
                true
            }
            (None, _) => false,
        })?;
        let mut spool = match found {
            Some(spool) => spool,
            None => Self::empty(machine, new_origin()?),
        };
        spool.log = match log {
            Some(log) => Some(log),
            None => Some(file::create(dir, &[spool.header()])?.opened()),
        };
        Ok(spool)
    }

    /// Takes what the file has next. Whether it fits what came before.
    fn read_back(&mut self, offset: u64, length: u32, frame: Frame) -> bool {
        match frame {
            Frame::Header { .. } => false,
            Frame::Gone { last, chain } => {
                if last <= self.writer.seq || last - self.writer.seq > MAX_GONE {
                    return false;
                }
                while self.writer.seq < last {
                    self.writer.seq += 1;
                    self.slots.push_back(Slot { chain, body: Body::Gone });
                }
                self.writer.chain = chain;
                true
            }
            Frame::Record { chain, kind, at, payload } => {
                let mut writer = self.writer.clone();
                let record = writer.write(Arc::clone(&self.machine), kind, at, payload.into());
                if record.chain != chain {
                    return false;
                }
                self.writer = writer;
                self.push(Slot { chain, body: Body::There { offset, length } });
                true
            }
        }
    }

    fn push(&mut self, slot: Slot) {
        let seq = self.before.0 + self.slots.len() as u64 + 1;
        self.slots.push_back(slot);
        match self.kept.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => self.kept.push((seq, seq)),
        }
    }

    /// The origin.
    #[must_use]
    pub fn origin(&self) -> OriginId {
        self.writer.origin
    }

    /// Its rank; 0 while none is fixed. Nothing may be sent before one is.
    #[must_use]
    pub fn rank(&self) -> u64 {
        self.writer.rank
    }

    /// The last number given; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.writer.seq
    }

    /// What is kept.
    #[must_use]
    pub fn kept(&self) -> &[Span] {
        &self.kept
    }

    /// How many records wait until the servers hold them. The last one written is kept for ever, but does not wait
    /// for ever.
    #[must_use]
    pub fn waiting(&self, held: &HeldBy) -> u64 {
        count(&without(&self.kept, &held.safe()))
    }

    /// What to tell in a hello: each span that is kept, with the chain at its end. When none is kept, the last number
    /// alone, which is proof enough.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range> {
        if self.writer.rank == 0 || self.writer.seq == 0 {
            return Vec::new();
        }
        let skip = self.kept.len().saturating_sub(MAX_RANGES);
        let tell = |&(first, last): &Span| Some(Range { first, last, chain: self.chain_at(last)? });
        let told: Vec<Range> = self.kept.iter().skip(skip).filter_map(tell).collect();
        if told.is_empty() {
            let last = self.writer.seq;
            return vec![Range { first: last, last, chain: self.writer.chain }];
        }
        told
    }

    fn slot(&self, seq: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(seq.checked_sub(self.before.0 + 1)?).ok()?)
    }

    /// The chain at this number, as far as it is known.
    #[must_use]
    pub fn chain_at(&self, seq: u64) -> Option<Chain> {
        if seq == self.before.0 { Some(self.before.1) } else { self.slot(seq).map(|slot| slot.chain) }
    }

    /// Numbers and keeps events, all or none. When it returns they are on the disk.
    ///
    /// # Errors
    /// [`SpoolError`]; then none of them has a number.
    pub fn append(&mut self, drafts: &[Draft]) -> Result<Vec<EventId>, SpoolError> {
        let mut writer = self.writer.clone();
        let records: Vec<Record> = drafts
            .iter()
            .map(|d| writer.write(Arc::clone(&self.machine), d.kind, d.at, Arc::clone(&d.payload)))
            .collect();
        let bodies = match &mut self.log {
            None => drafts.iter().cloned().map(Body::Here).collect(),
            Some(log) => places(log.append(&records.iter().map(frame_of).collect::<Vec<_>>())?),
        };
        self.writer = writer;
        for (record, body) in records.iter().zip(bodies) {
            self.push(Slot { chain: record.chain, body });
        }
        Ok(records.iter().map(Record::id).collect())
    }

    /// Reads an event that is kept; `None` when it is not.
    ///
    /// # Errors
    /// [`SpoolError`] when the disk does not give back what was written.
    pub fn read(&self, seq: u64) -> Result<Option<Draft>, SpoolError> {
        let Some(slot) = self.slot(seq) else { return Ok(None) };
        match (&slot.body, &self.log) {
            (Body::Here(draft), _) => Ok(Some(draft.clone())),
            (Body::There { offset, length }, Some(log)) => match log.read(*offset, *length)? {
                Frame::Record { kind, at, payload, .. } => Ok(Some(Draft { kind, at, payload: payload.into() })),
                _ => Err(SpoolError::NotASpool(log.name())),
            },
            _ => Ok(None),
        }
    }

    /// The next batch of a span that is kept: as much of its begin as one request may carry.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn batch(&self, (first, last): Span) -> Result<Option<EventsRequest>, SpoolError> {
        let Some(before) = first.checked_sub(1).and_then(|seq| self.chain_at(seq)) else { return Ok(None) };
        let mut records = Vec::new();
        let mut bytes = 0;
        for seq in first..=last {
            let (Some(draft), Some(chain)) = (self.read(seq)?, self.chain_at(seq)) else { break };
            bytes += draft.payload.len() + 200;
            if records.len() >= MAX_BATCH_RECORDS || (bytes > MAX_BATCH_BYTES && !records.is_empty()) {
                break;
            }
            records.push(WireRecord {
                seq,
                machine: None,
                kind: draft.kind,
                at: draft.at,
                chain,
                payload: raw(&draft)?,
            });
        }
        let (origin, rank) = (self.writer.origin, self.writer.rank);
        Ok((!records.is_empty()).then_some(EventsRequest { origin, rank, before, records }))
    }

    /// Lets go of what the servers hold.
    ///
    /// # Errors
    /// [`SpoolError`] when the file could not be made smaller; what was let go is let go all the same.
    pub fn release(&mut self, held: &HeldBy) -> Result<(), SpoolError> {
        let spans = to_drop(&self.kept, held, self.writer.seq);
        self.discard(&spans)
    }

    /// Makes room when more than `cap` records are kept; gives back what had to go, to be told loudly.
    ///
    /// # Errors
    /// [`SpoolError`] when the file could not be made smaller.
    pub fn enforce_cap(&mut self, held: &HeldBy, cap: u64) -> Result<Overflow, SpoolError> {
        let over = overflow(&self.kept, held, self.writer.seq, cap);
        let spans: Vec<Span> = over.at_one.iter().chain(&over.lost).copied().collect();
        self.discard(&spans)?;
        Ok(over)
    }

    fn discard(&mut self, spans: &[Span]) -> Result<(), SpoolError> {
        if spans.is_empty() {
            return Ok(());
        }
        let mut freed = 0;
        for seq in spans.iter().flat_map(|(first, last)| *first..=*last) {
            let index = seq.checked_sub(self.before.0 + 1).and_then(|index| usize::try_from(index).ok());
            if let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) {
                if let Body::There { length, .. } = slot.body {
                    freed += u64::from(length);
                }
                slot.body = Body::Gone;
            }
        }
        let mut sorted = spans.to_vec();
        sorted.sort_unstable();
        self.kept = without(&self.kept, &sorted);
        while let Some(slot) = self.slots.pop_front() {
            if !matches!(slot.body, Body::Gone) {
                self.slots.push_front(slot);
                break;
            }
            self.before = (self.before.0 + 1, slot.chain);
        }
        if self.log.as_mut().is_some_and(|log| log.freed(freed)) {
            self.rewrite()?;
        }
        Ok(())
    }

    /// Fixes the rank of an origin of which nothing was sent yet, durably. What was written is numbered and chained anew.
    ///
    /// # Errors
    /// [`SpoolError`]; the spool is as it was.
    pub fn settle(&mut self, rank: u64, first: Option<Draft>) -> Result<(), SpoolError> {
        let drafts = self.drafts(&self.kept)?;
        let inventory_first = drafts.first().is_some_and(|draft| draft.kind == kind::INVENTORY);
        let first = first.filter(|_| !inventory_first);
        self.begin(self.writer.origin, rank, first.into_iter().chain(drafts).collect())
    }

    /// Takes a new origin: `first`, then what is kept of `carried` written again, then `last`.
    ///
    /// # Errors
    /// [`SpoolError`]; the spool is as it was.
    pub fn restart(&mut self, rank: u64, carried: &[Span], first: Draft, last: Draft) -> Result<(), SpoolError> {
        let carried = self.drafts(carried)?;
        let origin = new_origin()?;
        self.begin(origin, rank, std::iter::once(first).chain(carried).chain([last]).collect())
    }

    fn drafts(&self, spans: &[Span]) -> Result<Vec<Draft>, SpoolError> {
        let mut drafts = Vec::new();
        for seq in spans.iter().flat_map(|(first, last)| *first..=*last) {
            drafts.extend(self.read(seq)?);
        }
        Ok(drafts)
    }

    fn begin(&mut self, origin: OriginId, rank: u64, drafts: Vec<Draft>) -> Result<(), SpoolError> {
        let mut new = Self::empty(&self.machine, origin);
        new.writer.rank = rank;
        new.append(&drafts)?;
        if let Some(log) = self.log.take() {
            let result = new.write_to(log.dir());
            if let Err(error) = result {
                self.log = Some(log);
                return Err(error);
            }
        }
        *self = new;
        Ok(())
    }

    fn header(&self) -> Frame {
        let (seq, chain) = self.before;
        Frame::Header { origin: self.writer.origin, rank: self.writer.rank, seq, chain }
    }

    /// Writes all that is kept into a new file, which takes the old one's place at once.
    fn rewrite(&mut self) -> Result<(), SpoolError> {
        match self.log.as_ref().map(|log| log.dir().to_owned()) {
            Some(dir) => self.write_to(&dir),
            None => Ok(()),
        }
    }

    fn write_to(&mut self, dir: &Path) -> Result<(), SpoolError> {
        let mut frames = vec![self.header()];
        for (seq, slot) in (self.before.0 + 1..).zip(&self.slots) {
            match self.read(seq)? {
                Some(Draft { kind, at, payload }) => {
                    frames.push(Frame::Record { chain: slot.chain, kind, at, payload: payload.to_vec() });
                }
                None => frames.push(Frame::Gone { last: seq, chain: slot.chain }),
            }
        }
        let log = file::create(dir, &frames)?;
        let mut places = log.places().iter().skip(1);
        for slot in &mut self.slots {
            if let Some(&(offset, length)) = places.next()
                && !matches!(slot.body, Body::Gone)
            {
                slot.body = Body::There { offset, length };
            }
        }
        self.log = Some(log.opened());
        Ok(())
    }
}

fn frame_of(record: &Record) -> Frame {
    Frame::Record { chain: record.chain, kind: record.kind, at: record.at, payload: record.payload.to_vec() }
}

fn places(places: Vec<(u64, u32)>) -> Vec<Body> {
    places.into_iter().map(|(offset, length)| Body::There { offset, length }).collect()
}

fn raw(draft: &Draft) -> Result<Box<RawValue>, SpoolError> {
    let wrong = |error: String| SpoolError::Payload(error);
    let text = std::str::from_utf8(&draft.payload).map_err(|error| wrong(error.to_string()))?;
    RawValue::from_string(text.to_owned()).map_err(|error| wrong(error.to_string()))
}

fn new_origin() -> Result<OriginId, SpoolError> {
    crate::system::random_id().map(OriginId).map_err(SpoolError::Random)
}

#[cfg(test)]
mod tests;
