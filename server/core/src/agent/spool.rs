//! What an agent keeps and sends: spans of record numbers of its origin against what the servers hold of it.

use crate::agent_api::Range;

/// Record numbers from the first to the last, both included.
pub type Span = (u64, u64);

/// The spans of the ranges, sorted and joined. A range that ends before it begins is none.
#[must_use]
pub fn spans(ranges: &[Range]) -> Vec<Span> {
    joined(ranges.iter().map(|range| (range.first, range.last)).collect())
}

fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|(first, last)| first <= last);
    spans.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out
}

/// What is in both. Both must be sorted and joined, as the result is.
#[must_use]
pub fn both(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut out = Vec::new();
    while let (Some(&(a1, a2)), Some(&(b1, b2))) = (a.peek(), b.peek()) {
        let (first, last) = (a1.max(b1), a2.min(b2));
        if first <= last {
            out.push((first, last));
        }
        if a2 <= b2 {
            a.next();
        } else {
            b.next();
        }
    }
    out
}

/// What is in `a` and not in `b`. Both must be sorted and joined, as the result is.
#[must_use]
pub fn without(a: &[Span], b: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    for &(first, last) in a {
        let mut from = first;
        let begins = b.partition_point(|(_, end)| *end < first);
        for &(cut, end) in b.get(begins..).unwrap_or_default().iter().take_while(|(cut, _)| *cut <= last) {
            if from < cut {
                out.push((from, cut - 1));
            }
            from = from.max(end.saturating_add(1));
        }
        if from <= last {
            out.push((from, last));
        }
    }
    out
}

/// How many numbers are in the spans.
#[must_use]
pub fn count(spans: &[Span]) -> u64 {
    spans.iter().map(|(first, last)| last - first + 1).sum()
}

/// The first `limit` numbers of the spans.
fn first_of(spans: &[Span], mut limit: u64) -> Vec<Span> {
    let mut out = Vec::new();
    for &(first, last) in spans {
        if limit == 0 {
            break;
        }
        let end = last.min(first.saturating_add(limit - 1));
        limit -= end - first + 1;
        out.push((first, end));
    }
    out
}

/// What the servers are known to hold of the origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBy {
    /// The server in use.
    pub server: Vec<Span>,
    /// The other one; absent when the zone has none.
    pub peer: Option<Vec<Span>>,
}

impl HeldBy {
    /// As a server tells it.
    #[must_use]
    pub fn new(held: &[Range], peer_held: Option<&[Range]>) -> Self {
        Self { server: spans(held), peer: peer_held.map(spans) }
    }

    /// What need not be kept any more: what both hold; without another server, what the one holds.
    #[must_use]
    pub fn safe(&self) -> Vec<Span> {
        match &self.peer {
            Some(peer) => both(&self.server, peer),
            None => self.server.clone(),
        }
    }

    /// What at least one holds.
    #[must_use]
    pub fn by_any(&self) -> Vec<Span> {
        joined(self.server.iter().chain(self.peer.iter().flatten()).copied().collect())
    }
}

/// What the server in use is to be sent, of what is kept.
#[must_use]
pub fn to_send(kept: &[Span], held: &HeldBy) -> Vec<Span> {
    without(kept, &held.server)
}

/// What may be dropped, of what is kept. The record with the number `last`, the last one written, always stays:
/// it proves the origin's numbering at the next hello, and what the agent last did at its next start.
#[must_use]
pub fn to_drop(kept: &[Span], held: &HeldBy, last: u64) -> Vec<Span> {
    without(&both(kept, &held.safe()), &[(last, last)])
}

/// What a full spool drops before its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overflow {
    /// These are at one server only.
    pub at_one: Vec<Span>,
    /// These no server has: they are lost.
    pub lost: Vec<Span>,
}

impl Overflow {
    /// Whether nothing is dropped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at_one.is_empty() && self.lost.is_empty()
    }
}

/// What must be dropped so that no more than `cap` are kept: the oldest that one server holds; if there are not
/// enough, the oldest. `last`, the last one written, stays.
#[must_use]
pub fn overflow(kept: &[Span], held: &HeldBy, last: u64, cap: u64) -> Overflow {
    let excess = count(kept).saturating_sub(cap.max(1));
    if excess == 0 {
        return Overflow::default();
    }
    let rest = without(kept, &[(last, last)]);
    let at_one = first_of(&both(&rest, &held.by_any()), excess);
    let lost = first_of(&without(&rest, &at_one), excess - count(&at_one));
    Overflow { at_one, lost }
}

/// The rank of a new origin: the greater of the machine's clock (ms since 1970 UTC) and one more than the highest
/// rank of this machine that a server knows.
#[must_use]
pub fn rank(clock_ms: i64, highest_rank: u64) -> u64 {
    let clock = u64::try_from(clock_ms).unwrap_or(0);
    clock.max(highest_rank.saturating_add(1)).clamp(1, crate::record::MAX_SAFE_INTEGER)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(spans: &[Span]) -> BTreeSet<u64> {
        spans.iter().flat_map(|(first, last)| *first..=*last).collect()
    }

    fn any_spans() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::vec((1_u64..60, 0_u64..12), 0..6)
            .prop_map(|v| joined(v.into_iter().map(|(a, n)| (a, a + n)).collect()))
    }

    fn canonical(spans: &[Span]) -> bool {
        spans.iter().all(|(a, b)| a <= b) && spans.windows(2).all(|w| w[0].1 + 1 < w[1].0)
    }

    #[test]
    fn the_rank_is_the_clock_unless_a_higher_one_is_known() {
        assert_eq!(rank(1000, 0), 1000);
        assert_eq!(rank(1000, 1000), 1001);
        assert_eq!(rank(-5, 0), 1);
        assert_eq!(rank(0, u64::MAX), crate::record::MAX_SAFE_INTEGER);
    }

    #[test]
    fn without_another_server_one_is_enough_and_with_one_both_are_needed() {
        let range = |first, last| Range { first, last, chain: crate::id::Chain::NIL };
        let kept = [(1, 10)];
        let alone = HeldBy::new(&[range(1, 8)], None);
        assert_eq!(to_drop(&kept, &alone, 10), [(1, 8)]);
        let pair = HeldBy::new(&[range(1, 10)], Some(&[range(1, 3), range(5, 5)]));
        assert_eq!(to_drop(&kept, &pair, 10), [(1, 3), (5, 5)]);
        assert_eq!(to_send(&kept, &pair), []);
        let new_peer = HeldBy::new(&[range(1, 10)], Some(&[]));
        assert_eq!(to_drop(&kept, &new_peer, 10), []);
        assert_eq!(to_drop(&kept, &HeldBy::new(&[range(1, 10)], None), 10), [(1, 9)], "the last one stays");
    }

    #[test]
    fn a_full_spool_drops_what_one_server_holds_first() {
        let held = HeldBy { server: vec![(4, 5)], peer: Some(vec![]) };
        assert_eq!(overflow(&[(1, 10)], &held, 10, 10), Overflow::default());
        assert_eq!(overflow(&[(1, 10)], &held, 10, 9), Overflow { at_one: vec![(4, 4)], lost: vec![] });
        assert_eq!(overflow(&[(1, 10)], &held, 10, 6), Overflow { at_one: vec![(4, 5)], lost: vec![(1, 2)] });
        assert_eq!(overflow(&[(1, 10)], &held, 10, 0).lost, [(1, 3), (6, 9)], "the newest is never dropped");
    }

    proptest! {
        #[test]
        fn span_arithmetic_is_set_arithmetic(a in any_spans(), b in any_spans(), limit in 0_u64..80) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(set(&both(&a, &b)), x.intersection(&y).copied().collect());
            prop_assert_eq!(set(&without(&a, &b)), x.difference(&y).copied().collect());
            prop_assert_eq!(count(&a), x.len() as u64);
            prop_assert_eq!(set(&first_of(&a, limit)), x.iter().copied().take(usize::try_from(limit).unwrap()).collect());
            prop_assert!(canonical(&both(&a, &b)) && canonical(&without(&a, &b)));
        }

        /// What is dropped in peace is held by all; what a full spool drops is just enough, and nothing is lost
        /// as long as something that one server holds can go instead.
        #[test]
        fn nothing_is_dropped_that_somebody_still_needs(
            kept in any_spans(), server in any_spans(), peer in prop::option::of(any_spans()), cap in 1_u64..60,
        ) {
            prop_assume!(!kept.is_empty());
            let last = kept.last().unwrap().1;
            let held = HeldBy { server: server.clone(), peer: peer.clone() };
            for seq in set(&to_drop(&kept, &held, last)) {
                prop_assert!(seq != last && set(&kept).contains(&seq) && set(&server).contains(&seq));
                prop_assert!(peer.as_ref().is_none_or(|peer| set(peer).contains(&seq)));
            }
            let over = overflow(&kept, &held, last, cap);
            let (at_one, lost) = (set(&over.at_one), set(&over.lost));
            prop_assert_eq!((at_one.len() + lost.len()) as u64, count(&kept).saturating_sub(cap));
            prop_assert!(!at_one.contains(&last) && !lost.contains(&last));
            prop_assert!(at_one.is_subset(&set(&held.by_any())));
            let spare: BTreeSet<u64> = set(&both(&kept, &held.by_any())).difference(&at_one).copied().filter(|s| *s != last).collect();
            prop_assert!(lost.is_empty() || spare.is_empty());
        }
    }
}
