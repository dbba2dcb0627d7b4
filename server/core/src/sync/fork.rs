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

/// The lowest number under which two logs have different records of one origin.
#[must_use]
pub fn first_difference(ours: &[Run], theirs: &[Run]) -> Option<u64> {
    let entries = |runs: &[Run]| -> BTreeMap<u64, Chain> {
        runs.iter().flat_map(|run| &run.entries).map(|e| (e.record.seq, e.record.chain)).collect()
    };
    let theirs = entries(theirs);
    entries(ours)
        .into_iter()
        .find(|(seq, chain)| theirs.get(seq).is_some_and(|other| other != chain))
        .map(|(seq, _)| seq)
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

/// A branch that is filed: which records of a log become which.
#[derive(Debug, Clone)]
pub struct Filing {
    origin: OriginId,
    branch: Run,
    /// The new number of each record, by its old one.
    numbers: BTreeMap<u64, u64>,
}

impl Filing {
    /// Of all records of an origin that a log has from the first differing one on. Holes in their numbering close.
    #[must_use]
    pub fn of(runs: &[Run]) -> Option<Self> {
        let entries: Vec<Entry> = runs.iter().flat_map(|run| run.entries.iter().cloned()).collect();
        let numbers = entries.iter().map(|e| e.record.seq).zip(1..).collect();
        Some(Self { origin: entries.first()?.record.origin, branch: branch(&entries)?, numbers })
    }

    /// The origin that had two writers.
    #[must_use]
    pub fn origin(&self) -> OriginId {
        self.origin
    }

    /// What of the branch is not filed yet: the writer may have sent some of it once more after it was.
    ///
    /// # Errors
    /// [`Fork`] when another branch stands under this name.
    pub fn unfiled(&self, held: &Held) -> Result<Option<Run>, Fork> {
        let parts = held.offer(&self.branch)?;
        Ok(parts.first().and_then(|(first, _)| self.branch.slice(*first, self.branch.span()?.1)))
    }

    /// A logged run with those of its records renamed that belong to the branch, and dropped that are filed already;
    /// nothing when it has one that the branch does not know.
    #[must_use]
    pub fn renamed(&self, run: &Run, unfiled: Option<&Run>) -> Option<Vec<Run>> {
        let (first, _) = self.numbers.first_key_value()?;
        let of_origin = run.entries.first().is_some_and(|e| e.record.origin == self.origin);
        let Some((from, to)) = run.span().filter(|(_, to)| of_origin && to >= first) else {
            return Some(vec![run.clone()]);
        };
        let (new_from, new_to) = (self.numbers.get(&from.max(*first))?, self.numbers.get(&to)?);
        let kept = if from < *first { run.slice(from, first - 1) } else { None };
        let filed = unfiled.and_then(|unfiled| {
            let (begin, _) = unfiled.span()?;
            unfiled.slice(begin.max(*new_from), *new_to)
        });
        Some(kept.into_iter().chain(filed).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

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
        assert_eq!(first_difference(from_ref(&ours), from_ref(&theirs)), Some(4));
        let later = ours.slice(3, 6).unwrap();
        assert_eq!(first_difference(&[later], from_ref(&theirs)), Some(4), "by number, not by place");
        assert_eq!(first_difference(&[ours.slice(1, 3).unwrap()], from_ref(&theirs)), None);
        let filed = branch(&ours.entries[3..]).unwrap();
        assert_eq!(filed.check(), Ok(()));
        assert_eq!(filed.span(), Some((1, 4)));
        assert_eq!(branch(&ours.entries[3..]), Some(filed.clone()));
        // Records of the branch that are in the log with a hole, and one that was filed before.
        let hole = [ours.slice(4, 5).unwrap(), ours.slice(7, 7).unwrap()];
        let filing = Filing::of(&hole).unwrap();
        let mut held = Held::default();
        held.add(&filing.branch.slice(1, 1).unwrap());
        let unfiled = filing.unfiled(&held).unwrap().unwrap();
        assert_eq!(unfiled.span(), Some((2, 3)));
        let renamed = filing.renamed(&ours.slice(2, 5).unwrap(), Some(&unfiled)).unwrap();
        assert_eq!(renamed.iter().map(Run::span).collect::<Vec<_>>(), [Some((2, 3)), Some((2, 2))]);
        assert_eq!(filing.renamed(&hole[1], Some(&unfiled)).unwrap()[0].span(), Some((3, 3)));
        assert_eq!(filing.renamed(&ours.slice(6, 6).unwrap(), Some(&unfiled)), None, "not of the branch");
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
