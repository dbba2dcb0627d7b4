//! Which records a server has: per origin, ranges with the chains at their ends.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    agent_api::Range,
    id::{Chain, Digest, OriginId, hash128},
    record::{RejectCode, Run},
};

/// The number of buckets that digests are kept in.
pub const BUCKETS: usize = 256;

/// The most ranges of one origin that an agent can make. A writer numbers without gaps: it has one, and few more while
/// records of it come by two ways.
pub const MAX_SPANS: usize = 1_000;
/// The most rejected records of an origin that are remembered by number; all are in the log.
const MAX_REJECTED: usize = 10_000;

/// Records that follow one another, with the chain before the first and at the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// The chain before the first.
    pub before: Chain,
    /// The chain at the last.
    pub chain: Chain,
}

impl Span {
    /// The range, as it is told.
    #[must_use]
    pub fn range(&self) -> Range {
        Range { first: self.first, last: self.last, chain: self.chain }
    }
}

/// Two writers wrote under one name: the chains differ at this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("origin {origin} has another chain at record {at}: two writers use one name")]
pub struct Fork {
    /// The origin.
    pub origin: OriginId,
    /// A number at which the chains differ; the first difference is there or before.
    pub at: u64,
}

/// What is held of one origin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldOrigin {
    /// Its rank.
    pub rank: u64,
    /// Ascending, apart from each other by at least one missing record.
    spans: Vec<Span>,
    /// Records that nobody will ever have, as the writer told.
    lost: Vec<Range>,
    /// Records that are held without being folded.
    rejected: BTreeMap<u64, RejectCode>,
}

impl HeldOrigin {
    /// What is held, ascending.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What is held or lost, ascending and joined where they touch: what its writer need not keep.
    #[must_use]
    pub fn accounted(&self) -> Vec<Range> {
        let mut all: Vec<Range> = self.spans.iter().map(Span::range).chain(self.lost.iter().copied()).collect();
        all.sort_by_key(|r| (r.first, r.last));
        join_ranges(all)
    }

    /// The numbers below the highest that are not held and not lost.
    #[must_use]
    pub fn holes(&self) -> Vec<(u64, u64)> {
        let mut next = 1;
        let mut holes = Vec::new();
        for range in self.accounted() {
            if range.first > next {
                holes.push((next, range.first - 1));
            }
            next = range.last + 1;
        }
        holes
    }

    /// The highest number held; 0 for none.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.spans.last().map_or(0, |s| s.last)
    }

    /// The rejected records with their codes.
    #[must_use]
    pub fn rejected(&self) -> &BTreeMap<u64, RejectCode> {
        &self.rejected
    }

    /// The chain at `seq`, where it is the end of a range or the record before one.
    #[must_use]
    pub fn chain_at(&self, seq: u64) -> Option<Chain> {
        if seq == 0 {
            return Some(Chain::NIL);
        }
        self.spans.iter().find_map(|s| match seq {
            _ if s.last == seq => Some(s.chain),
            _ if s.first == seq + 1 => Some(s.before),
            _ => None,
        })
    }

    /// Whether the record is held.
    #[must_use]
    pub fn has(&self, seq: u64) -> bool {
        self.spans.iter().any(|s| (s.first..=s.last).contains(&seq))
    }

    /// Which numbers of `first..=last` are not held.
    #[must_use]
    pub fn missing(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut next = first;
        let mut missing = Vec::new();
        for span in self.spans.iter().filter(|s| s.last >= first && s.first <= last) {
            if span.first > next {
                missing.push((next, span.first - 1));
            }
            next = next.max(span.last + 1);
        }
        if next <= last {
            missing.push((next, last));
        }
        missing
    }

    /// Adds a span that overlaps no other, joining it with its neighbours.
    fn insert(&mut self, span: Span) {
        let index = self.spans.partition_point(|s| s.first < span.first);
        self.spans.insert(index, span);
        let mut joined: Vec<Span> = Vec::with_capacity(self.spans.len());
        for span in self.spans.drain(..) {
            match joined.last_mut() {
                Some(left) if left.last + 1 == span.first => (left.last, left.chain) = (span.last, span.chain),
                _ => joined.push(span),
            }
        }
        self.spans = joined;
    }

    /// This origin's share of its bucket's digest.
    fn contribution(&self, origin: OriginId) -> u128 {
        if self.spans.is_empty() {
            return 0;
        }
        let mut bytes = Vec::with_capacity(self.spans.len() * 32);
        for span in &self.spans {
            bytes.extend_from_slice(&span.first.to_be_bytes());
            bytes.extend_from_slice(&span.last.to_be_bytes());
            bytes.extend_from_slice(&span.chain.0);
        }
        u128::from_be_bytes(hash128("userlock held 1", &[&origin.0, &bytes]))
    }
}

/// Joins ascending ranges where one begins right after, or within, the one before.
#[must_use]
pub fn join_ranges(ranges: Vec<Range>) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(left) if range.first <= left.last + 1 => {
                if range.last > left.last {
                    (left.last, left.chain) = (range.last, range.chain);
                }
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Which numbers of `ranges` are not in `of`; both ascending.
#[must_use]
pub fn ranges_without(ranges: &[Range], of: &[Range]) -> Vec<(u64, u64)> {
    let spans = of.iter().map(|r| Span { first: r.first, last: r.last, before: Chain::NIL, chain: r.chain }).collect();
    let origin = HeldOrigin { spans, ..HeldOrigin::default() };
    ranges.iter().flat_map(|r| origin.missing(r.first, r.last)).collect()
}

/// All that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    origins: BTreeMap<OriginId, HeldOrigin>,
    buckets: Vec<u128>,
    dirty: BTreeSet<OriginId>,
}

impl Default for Held {
    fn default() -> Self {
        Self { origins: BTreeMap::new(), buckets: vec![0; BUCKETS], dirty: BTreeSet::new() }
    }
}

/// The bucket of an origin.
#[must_use]
pub fn bucket_of(origin: OriginId) -> usize {
    usize::from(origin.0[0])
}

impl Held {
    /// What is held of one origin.
    #[must_use]
    pub fn origin(&self, origin: OriginId) -> Option<&HeldOrigin> {
        self.origins.get(&origin)
    }

    /// Each origin, by name.
    pub fn iter(&self) -> impl Iterator<Item = (OriginId, &HeldOrigin)> {
        self.origins.iter().map(|(origin, held)| (*origin, held))
    }

    /// Which records of a run are new here, as parts of it; empty when all are held.
    ///
    /// # Errors
    /// [`Fork`] when the run and what is held cannot both be by one writer. A run that lies wholly within a held range
    /// cannot be told apart from what is held without reading the log, and is taken as held.
    pub fn offer(&self, run: &Run) -> Result<Vec<(u64, u64)>, Fork> {
        let (Some((first, last)), Some(entry)) = (run.span(), run.entries.first()) else { return Ok(Vec::new()) };
        let origin = entry.record.origin;
        let Some(held) = self.origins.get(&origin) else { return Ok(vec![(first, last)]) };
        for span in &held.spans {
            let ends = [(span.last, span.chain), (span.first - 1, span.before)];
            for (seq, chain) in ends {
                let within = seq + 1 >= first && seq <= last;
                if within && run.chain_at(seq).is_some_and(|theirs| theirs != chain) {
                    return Err(Fork { origin, at: seq });
                }
            }
        }
        Ok(held.missing(first, last))
    }

    /// Whether an agent's run leaves no more ranges of its origin than are kept track of. What joins or fills needs no room.
    #[must_use]
    pub fn has_room(&self, run: &Run) -> bool {
        let (Some((first, last)), Some(entry)) = (run.span(), run.entries.first()) else { return true };
        let Some(held) = self.origins.get(&entry.record.origin) else { return true };
        held.spans.len() < MAX_SPANS || held.spans.iter().any(|s| s.first <= last + 1 && first <= s.last + 1)
    }

    /// Adds a run, every record of which [`Self::offer`] called new.
    pub fn add(&mut self, run: &Run) {
        let (Some((first, last)), Some(entry)) = (run.span(), run.entries.first()) else { return };
        let Some(chain) = run.chain_at(last) else { return };
        let (origin, rank) = (entry.record.origin, entry.record.rank);
        self.change(origin, |held| {
            held.rank = rank;
            held.insert(Span { first, last, before: run.before, chain });
            let room = MAX_REJECTED.saturating_sub(held.rejected.len());
            held.rejected.extend(run.entries.iter().filter_map(|e| Some((e.record.seq, e.rejected?))).take(room));
        });
    }

    /// Adds the parts of a run that [`Self::offer`] called new.
    pub fn add_parts(&mut self, run: &Run, parts: &[(u64, u64)]) {
        for (first, last) in parts.iter().copied() {
            if run.span() == Some((first, last)) {
                self.add(run);
            } else if let Some(part) = run.slice(first, last) {
                self.add(&part);
            }
        }
    }

    /// Notes records that nobody will ever have.
    pub fn add_lost(&mut self, origin: OriginId, rank: u64, range: Range) {
        self.change(origin, |held| {
            held.rank = held.rank.max(rank);
            held.lost.push(range);
            held.lost.sort_by_key(|r| (r.first, r.last));
            held.lost = join_ranges(std::mem::take(&mut held.lost));
        });
    }

    /// Forgets the records of an origin from `first` on: they are another writer's branch, filed under a name of its own.
    pub fn cut(&mut self, origin: OriginId, first: u64, chain_before: Chain) {
        self.change(origin, |held| {
            held.spans.retain(|s| s.first < first);
            if let Some(span) = held.spans.last_mut().filter(|s| s.last >= first) {
                (span.last, span.chain) = (first - 1, chain_before);
            }
            held.rejected.retain(|seq, _| *seq < first);
        });
    }

    /// Takes over what a snapshot covers. Where both sides know an origin, the union.
    pub fn unite(&mut self, other: &Self) {
        for (origin, theirs) in &other.origins {
            self.change(*origin, |held| {
                held.rank = theirs.rank;
                for span in &theirs.spans {
                    unite_span(&mut held.spans, *span);
                }
                held.rejected.extend(&theirs.rejected);
                let mut lost: Vec<Range> = held.lost.iter().chain(&theirs.lost).copied().collect();
                lost.sort_by_key(|r| (r.first, r.last));
                held.lost = join_ranges(lost);
            });
        }
    }

    /// Notes that records are held, by what another server told; they may be known already.
    pub fn know(&mut self, origin: OriginId, rank: u64, span: Span) {
        self.change(origin, |held| {
            held.rank = rank;
            unite_span(&mut held.spans, span);
        });
    }

    /// Replaces what is known of one origin by what another server told.
    pub fn replace(&mut self, origin: OriginId, ranges: &[Range]) {
        self.change(origin, |held| {
            let span = |r: &Range| Span { first: r.first, last: r.last, before: Chain::NIL, chain: r.chain };
            held.spans = ranges.iter().map(span).collect();
        });
    }

    /// Changes one origin and the digest of its bucket with it.
    fn change(&mut self, origin: OriginId, change: impl FnOnce(&mut HeldOrigin)) {
        let held = self.origins.entry(origin).or_default();
        let before = held.contribution(origin);
        change(held);
        let after = held.contribution(origin);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(origin)) {
            *bucket = bucket.wrapping_sub(before).wrapping_add(after);
        }
        self.dirty.insert(origin);
    }

    /// The digest of each bucket.
    #[must_use]
    pub fn buckets(&self) -> Vec<Digest> {
        self.buckets.iter().map(|b| Digest(b.to_be_bytes())).collect()
    }

    /// One digest for all.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest_of(&self.buckets)
    }

    /// The ranges of the origins of one bucket.
    #[must_use]
    pub fn ranges_in(&self, bucket: usize) -> BTreeMap<OriginId, Vec<Range>> {
        let of_bucket = self.origins.iter().filter(|(origin, _)| bucket_of(**origin) == bucket);
        of_bucket.map(|(origin, held)| (*origin, held.spans.iter().map(Span::range).collect())).collect()
    }

    /// The origins that changed since this was last asked, to be written down.
    pub fn take_dirty(&mut self) -> BTreeSet<OriginId> {
        std::mem::take(&mut self.dirty)
    }

    /// Marks origins as not written down.
    pub fn mark_dirty(&mut self, origins: impl IntoIterator<Item = OriginId>) {
        self.dirty.extend(origins);
    }

    /// Marks an origin as written down as it is.
    pub fn mark_clean(&mut self, origin: Option<OriginId>) {
        origin.map(|origin| self.dirty.remove(&origin));
    }

    /// Puts an origin back as it was written down.
    pub fn restore(&mut self, origin: OriginId, held: HeldOrigin) {
        self.change(origin, |empty| *empty = held);
        self.dirty.remove(&origin);
    }
}

/// Adds a span that may overlap others of the same writer.
fn unite_span(spans: &mut Vec<Span>, span: Span) {
    let mut all: Vec<Span> = spans.drain(..).chain([span]).collect();
    all.sort_by_key(|s| (s.first, s.last));
    for span in all {
        match spans.last_mut() {
            Some(left) if span.first <= left.last + 1 => {
                if span.last > left.last {
                    (left.last, left.chain) = (span.last, span.chain);
                }
            }
            _ => spans.push(span),
        }
    }
}

/// One digest over the sums of all buckets.
#[must_use]
pub fn digest_of(buckets: &[u128]) -> Digest {
    let bytes: Vec<u8> = buckets.iter().flat_map(|b| b.to_be_bytes()).collect();
    Digest(hash128("userlock digest 1", &[&bytes]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Entry, Writer};

    fn run_of(origin: u8, payload: &str, count: u64) -> Run {
        let mut writer = Writer::new(OriginId([origin; 16]), 1);
        let entries = (0..count)
            .map(|_| Entry {
                record: writer.write("pc".into(), 999, 0, payload.as_bytes().into()),
                by: Default::default(),
                rejected: None,
            })
            .collect();
        Run { before: Chain::NIL, entries }
    }

    proptest! {
        #[test]
        fn any_order_of_any_parts_holds_the_same(parts in proptest::collection::vec((1u64..40, 0u64..12), 1..40)) {
            let whole = run_of(1, "a", 50);
            let mut held = Held::default();
            let mut has = BTreeSet::new();
            for (first, more) in parts {
                let part = whole.slice(first, first + more).unwrap();
                for (from, to) in held.offer(&part).unwrap() {
                    held.add(&part.slice(from, to).unwrap());
                    for seq in from..=to {
                        prop_assert!(has.insert(seq), "{} was new twice", seq);
                    }
                }
                has.extend(first..=first + more);
                let origin = held.origin(OriginId([1; 16])).unwrap();
                for seq in 1..=50 {
                    prop_assert_eq!(origin.has(seq), has.contains(&seq));
                }
                for span in origin.spans() {
                    prop_assert_eq!(Some(span.chain), whole.chain_at(span.last));
                    prop_assert_eq!(Some(span.before), whole.chain_at(span.first - 1));
                }
            }
            let mut again = Held::default();
            for span in held.origin(OriginId([1; 16])).unwrap().spans() {
                again.add(&whole.slice(span.first, span.last).unwrap());
            }
            prop_assert_eq!(again.buckets(), held.buckets(), "the digest kept up equals the digest from scratch");
        }

        #[test]
        fn two_writers_under_one_name_are_found(shared in 0u64..10, mine in 1u64..10, theirs in 1u64..10) {
            let start = run_of(1, "shared", shared.max(1));
            let mut writer = Writer::new(OriginId([1; 16]), 1);
            let branch = |writer: &mut Writer, text: &str, n: u64| -> Vec<Entry> {
                (0..n).map(|_| Entry { record: writer.write("pc".into(), 999, 0, text.as_bytes().into()), by: Default::default(), rejected: None }).collect()
            };
            let common = branch(&mut writer, "shared", shared);
            let mut clone = writer.clone();
            let before = writer.chain;
            let a = branch(&mut writer, "a", mine);
            let b = branch(&mut clone, "b", theirs);
            let mut held = Held::default();
            if shared > 0 {
                prop_assert_eq!(&common, &start.entries);
                held.add(&Run { before: Chain::NIL, entries: common });
            }
            held.add(&Run { before, entries: a });
            // What the other clone sends covers our end, or begins after it: found. Or it ends before: then our own
            // further records, sent to where it was accepted, are found there.
            let run = Run { before, entries: b };
            let found_here = held.offer(&run).is_err();
            let mut there = Held::default();
            there.add(&run);
            let ours = held.origin(OriginId([1; 16])).unwrap().spans()[0];
            let mine_run = { let mut w = Writer { seq: shared, chain: before, ..Writer::new(OriginId([1; 16]), 1) }; Run { before, entries: branch(&mut w, "a", mine) } };
            prop_assert_eq!(mine_run.chain_at(ours.last), Some(ours.chain));
            let found_there = there.offer(&mine_run).is_err();
            prop_assert!(found_here || found_there);
            prop_assert_eq!(found_here, theirs >= mine);
        }
    }

    #[test]
    fn a_hole_is_shown_and_a_lost_range_closes_it() {
        let whole = run_of(1, "a", 10);
        let origin = OriginId([1; 16]);
        let mut held = Held::default();
        held.add(&whole.slice(4, 6).unwrap());
        assert_eq!(held.origin(origin).unwrap().holes(), [(1, 3)]);
        let chain = whole.chain_at(3).unwrap();
        let digest = held.digest();
        held.add_lost(origin, 1, Range { first: 1, last: 3, chain });
        assert_eq!(held.origin(origin).unwrap().holes(), []);
        assert_eq!(held.origin(origin).unwrap().accounted().len(), 1);
        assert_eq!(held.digest(), digest, "what is lost is not held");
        assert_eq!(held.offer(&whole.slice(1, 3).unwrap()), Ok(vec![(1, 3)]), "it may still come");
    }

    #[test]
    fn a_branch_is_cut_off() {
        let whole = run_of(1, "a", 10);
        let mut held = Held::default();
        held.add(&whole);
        let mut short = Held::default();
        short.add(&whole.slice(1, 6).unwrap());
        held.cut(OriginId([1; 16]), 7, whole.chain_at(6).unwrap());
        assert_eq!(held.digest(), short.digest());
        held.cut(OriginId([1; 16]), 1, Chain::NIL);
        assert_eq!(held.digest(), Held::default().digest());
    }
}
