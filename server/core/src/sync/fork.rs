//! Two writers under one name: the Backup files its branch under a name of its own, and both branches are kept.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    agent_api::Range,
    held::{Fork, Held},
    id::{Chain, OriginId, hash128},
    record::{Entry, Record, Run},
};

/// Finds an origin of which both hold a record with different chains, as far as their ranges tell.
///
/// # Errors
/// [`Fork`], the first found.
pub fn check_forks(mine: &Held, theirs: &Held) -> Result<(), Fork> {
    for (origin, held) in theirs.iter() {
        let Some(ours) = mine.origin(origin) else { continue };
        for span in held.spans() {
            for (seq, chain) in [(span.last, span.chain), (span.first - 1, span.before)] {
                if ours.chain_at(seq).is_some_and(|c| c != chain) {
                    return Err(Fork { origin, at: seq });
                }
            }
        }
    }
    Ok(())
}

/// The same, from what the other server told of its ranges. Branches of one length are found by nothing else: neither
/// server lacks a number that the other one has.
#[must_use]
pub fn forked(mine: &Held, theirs: &BTreeMap<OriginId, Vec<Range>>) -> Option<Fork> {
    theirs.iter().find_map(|(origin, ranges)| {
        let ours = mine.origin(*origin)?;
        let differs = |r: &&Range| ours.chain_at(r.last).is_some_and(|chain| chain != r.chain);
        ranges.iter().find(differs).map(|r| Fork { origin: *origin, at: r.last })
    })
}

/// The number of the first record in which two branches of one origin differ; each is given whole, from the same number.
#[must_use]
pub fn first_difference(ours: &Run, theirs: &Run) -> Option<u64> {
    let mut pairs = ours.entries.iter().zip(&theirs.entries);
    pairs.find(|(a, b)| a.record.chain != b.record.chain).map(|(a, _)| a.record.seq)
}

/// The branch that begins at the first entry of `entries`, under the origin hash(origin, first differing record): numbered
/// from 1 and chained anew. Whoever files the same branch gives it the same name.
#[must_use]
pub fn branch(entries: &[Entry]) -> Option<Run> {
    let first = &entries.first()?.record;
    let origin = OriginId(hash128("userlock branch 1", &[&first.origin.0, &first.chain.0]));
    let mut chain = Chain::NIL;
    let renamed = entries.iter().zip(1..).map(|(entry, seq)| {
        let record = Record { origin, seq, payload: Arc::clone(&entry.record.payload), ..entry.record.clone() };
        let record = Record { chain: record.chain_after(chain), ..record };
        chain = record.chain;
        Entry { record, ..entry.clone() }
    });
    Some(Run { before: Chain::NIL, entries: renamed.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Writer;

    #[test]
    fn a_branch_is_found_and_filed_under_one_name() {
        let mut writer = Writer::new(OriginId([1; 16]), 1);
        let write = |w: &mut Writer, text: &str, n: usize| -> Vec<Entry> {
            let record = |w: &mut Writer| w.write("pc".into(), 999, 0, text.as_bytes().into());
            (0..n).map(|_| Entry { record: record(w), by: Default::default(), rejected: None }).collect()
        };
        let common = write(&mut writer, "x", 3);
        let mut clone = writer.clone();
        let ours = Run { before: Chain::NIL, entries: [common.clone(), write(&mut writer, "a", 4)].concat() };
        let theirs = Run { before: Chain::NIL, entries: [common, write(&mut clone, "b", 2)].concat() };
        assert_eq!(first_difference(&ours, &theirs), Some(4));
        let filed = branch(&ours.entries[3..]).unwrap();
        assert_eq!(filed.check(), Ok(()));
        assert_eq!(filed.span(), Some((1, 4)));
        assert_eq!(branch(&ours.entries[3..]), Some(filed.clone()));
        assert_ne!(branch(&theirs.entries[3..]).unwrap().entries[0].record.origin, filed.entries[0].record.origin);
        let (mut a, mut b) = (Held::default(), Held::default());
        a.add(&ours);
        b.add(&theirs);
        assert!(check_forks(&a, &a).is_ok());
        assert_eq!(forked(&a, &a.ranges_in(1)), None);
        let mut same_length = Held::default();
        same_length
            .add(&Run { before: Chain::NIL, entries: [&theirs.entries[..], &write(&mut clone, "b", 2)].concat() });
        assert_eq!(forked(&a, &same_length.ranges_in(1)), Some(Fork { origin: OriginId([1; 16]), at: 7 }));
        // Their range ends within ours: their ranges alone do not tell, but the records do.
        assert!(a.offer(&theirs).is_ok() && b.offer(&ours).is_err());
    }
}
