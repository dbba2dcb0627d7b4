//! Records: facts with an identity of their own, chained so that two writers under one name are found.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Chain, OriginId, hash128};

/// The largest payload of a record, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// The longest name of a machine, in bytes (a DNS name has at most 255).
pub const MAX_MACHINE_BYTES: usize = 255;
/// The largest integer that JSON carries everywhere (RFC 8259 §6).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The name of a machine, case-folded; empty for a record that is about no machine.
pub type Machine = Arc<str>;

/// Where a record stands among the records about its machine. Greater is later.
///
/// `rank` orders the incarnations of one machine, the origin breaks ties, `seq` orders one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// The rank of the writing incarnation.
    pub rank: u64,
    /// The writing incarnation.
    pub origin: OriginId,
    /// Its number there, from 1.
    pub seq: u64,
}

/// The identity of a record: who wrote it, and as which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventId {
    /// The writer's incarnation.
    pub origin: OriginId,
    /// From 1, one after another.
    pub seq: u64,
}

/// The envelope around a payload whose bytes are kept as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The writer's incarnation.
    pub origin: OriginId,
    /// Orders incarnations of one machine.
    pub rank: u64,
    /// From 1, one after another within the origin.
    pub seq: u64,
    /// The machine that it is about.
    pub machine: Machine,
    /// What the payload is; see [`crate::event::kind`].
    pub kind: u16,
    /// The writer's clock, in milliseconds since 1970 UTC. For people only.
    pub at: i64,
    /// The hash of this record and the chain before it.
    pub chain: Chain,
    /// JSON, kept to the byte.
    pub payload: Arc<[u8]>,
}

impl Record {
    /// Its identity.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId { origin: self.origin, seq: self.seq }
    }

    /// Where it stands among the records about its machine.
    #[must_use]
    pub fn order(&self) -> Order {
        Order { rank: self.rank, origin: self.origin, seq: self.seq }
    }

    /// The chain that a record with these contents must carry after `before`.
    #[must_use]
    pub fn chain_after(&self, before: Chain) -> Chain {
        Chain(hash128(
            "userlock record 1",
            &[
                &before.0,
                &self.origin.0,
                &self.rank.to_be_bytes(),
                &self.seq.to_be_bytes(),
                self.machine.as_bytes(),
                &self.kind.to_be_bytes(),
                &self.at.to_be_bytes(),
                &self.payload,
            ],
        ))
    }
}

/// Writes the records of one origin: numbers and chains them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The incarnation.
    pub origin: OriginId,
    /// Its rank.
    pub rank: u64,
    /// The last number given; 0 before the first.
    pub seq: u64,
    /// The chain at `seq`; nil before the first.
    pub chain: Chain,
}

impl Writer {
    /// A writer that has written nothing yet.
    #[must_use]
    pub fn new(origin: OriginId, rank: u64) -> Self {
        Self { origin, rank, seq: 0, chain: Chain::NIL }
    }

    /// The next record, numbered and chained.
    pub fn write(&mut self, machine: Machine, kind: u16, at: i64, payload: Arc<[u8]>) -> Record {
        self.seq += 1;
        let mut record = Record {
            origin: self.origin,
            rank: self.rank,
            seq: self.seq,
            machine,
            kind,
            at,
            chain: Chain::NIL,
            payload,
        };
        record.chain = record.chain_after(self.chain);
        self.chain = record.chain;
        record
    }
}

/// Why a record is in `held` without being in the fold. Stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RejectCode {
    /// The payload is larger than [`MAX_PAYLOAD_BYTES`].
    TooLarge,
    /// The payload is not what its kind says.
    Malformed,
    /// The record names another machine than the token of the agent that sent it.
    WrongMachine,
    /// An agent sent a kind that only servers write.
    KindNotAllowed,
}

impl RejectCode {
    /// The stable text of this code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::WrongMachine => "wrong_machine",
            Self::KindNotAllowed => "kind_not_allowed",
        }
    }
}

/// A record as a server's log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The record. That of a rejected one has an empty payload.
    pub record: Record,
    /// The enrolment whose token brought it; nil for what servers write.
    pub by: AgentId,
    /// Why it is not folded, if so.
    pub rejected: Option<RejectCode>,
}

/// Records of one origin whose numbers follow one another.
///
/// This is how records travel and how a log keeps them: the chain before the first makes the whole of it checkable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The chain before the first record; nil when the first is number 1.
    pub before: Chain,
    /// At least one.
    pub entries: Vec<Entry>,
}

/// Why a run is refused as a whole. Nothing of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// There is no record in it.
    #[error("the batch has no records")]
    Empty,
    /// The numbers do not follow one another, or the origin or rank changes within.
    #[error("record {0} does not follow the one before it in number, origin and rank")]
    NotContiguous(u64),
    /// A record's chain is not the hash of the record and the chain before it.
    #[error("the chain of record {0} does not match its contents")]
    BrokenChain(u64),
    /// A number is 0 or larger than [`MAX_SAFE_INTEGER`].
    #[error("{0} is not a record number")]
    BadNumber(u64),
}

impl Run {
    /// The first and the last number.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.entries.first()?.record.seq, self.entries.last()?.record.seq))
    }

    /// The chain at `seq`, where `seq` is the one before the first or that of a record of this run.
    #[must_use]
    pub fn chain_at(&self, seq: u64) -> Option<Chain> {
        let (first, _) = self.span()?;
        if seq + 1 == first {
            return Some(self.before);
        }
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get(index).map(|entry| entry.record.chain)
    }

    /// Checks that numbers, origin, rank and chains hang together. The chain of a rejected record is taken on trust,
    /// since its payload was not kept.
    ///
    /// # Errors
    /// [`RunError`], naming the record.
    pub fn check(&self) -> Result<(), RunError> {
        let first = self.entries.first().ok_or(RunError::Empty)?;
        let (origin, rank) = (first.record.origin, first.record.rank);
        let mut chain = self.before;
        if first.record.seq == 1 && !chain.is_nil() {
            return Err(RunError::BrokenChain(1));
        }
        for (expected, Entry { record, rejected, .. }) in (first.record.seq..).zip(&self.entries) {
            if record.seq == 0 || record.seq > MAX_SAFE_INTEGER || record.rank > MAX_SAFE_INTEGER {
                return Err(RunError::BadNumber(record.seq));
            }
            if record.seq != expected || record.origin != origin || record.rank != rank {
                return Err(RunError::NotContiguous(record.seq));
            }
            if rejected.is_none() && record.chain != record.chain_after(chain) {
                return Err(RunError::BrokenChain(record.seq));
            }
            chain = record.chain;
        }
        Ok(())
    }

    /// The part of this run with the numbers `first..=last`, which must lie within it.
    #[must_use]
    pub fn slice(&self, first: u64, last: u64) -> Option<Self> {
        let (from, to) = self.span()?;
        if first < from || last > to || first > last {
            return None;
        }
        let before = self.chain_at(first - 1)?;
        let start = usize::try_from(first - from).ok()?;
        let end = usize::try_from(last - from).ok()?;
        Some(Self { before, entries: self.entries.get(start..=end)?.to_vec() })
    }
}
