//! How two servers become one: what they tell each other, which records each lacks, what a snapshot changes.

mod bounds;
mod difference;
mod fork;
mod frames;
mod messages;
mod snapshot;

pub use difference::{SessionsDifference, difference};
pub use fork::{Filing, branch, check_forks, first_difference, forked};
pub use frames::{FrameError, Frames, MAX_FRAME_BYTES, push_frame};
pub use messages::*;
pub use snapshot::{Snapshot, SnapshotError, SnapshotFrame, SnapshotReader, snapshot_frames};

use std::collections::BTreeMap;

use crate::{
    agent_api::Range,
    held::{Held, HeldOrigin, Span, ranges_without},
    id::{Digest, OriginId},
};

/// Which numbers of which origins are wanted.
pub type Wanted = Vec<(OriginId, u64, u64)>;

/// The buckets in which two servers hold different records.
#[must_use]
pub fn differing_buckets(mine: &[Digest], theirs: &[Digest]) -> Vec<u16> {
    let differs = |(n, (a, b)): (usize, (&Digest, &Digest))| (a != b).then(|| u16::try_from(n).unwrap_or(u16::MAX));
    mine.iter().zip(theirs).enumerate().filter_map(differs).collect()
}

/// What `theirs` has that `mine` lacks, for the origins of `theirs`.
#[must_use]
pub fn lacking(mine: &Held, theirs: &BTreeMap<OriginId, Vec<Range>>) -> Wanted {
    let nothing = HeldOrigin::default();
    let of_origin = |(origin, ranges): (&OriginId, &Vec<Range>)| {
        let held = mine.origin(*origin).unwrap_or(&nothing);
        let missing: Vec<_> = ranges.iter().flat_map(|r| held.missing(r.first, r.last)).collect();
        missing.into_iter().map(|(first, last)| (*origin, first, last)).collect::<Vec<_>>()
    };
    theirs.iter().flat_map(of_origin).collect()
}

/// What `mine` has that `theirs` lacks, for the origins of `mine` in the buckets that were told.
#[must_use]
pub fn surplus(mine: &Held, theirs: &BTreeMap<OriginId, Vec<Range>>, buckets: &[u16]) -> Wanted {
    let mut surplus = Vec::new();
    for (origin, held) in mine.iter() {
        if !buckets.contains(&u16::try_from(crate::held::bucket_of(origin)).unwrap_or(u16::MAX)) {
            continue;
        }
        let ours: Vec<Range> = held.spans().iter().map(Span::range).collect();
        let known = theirs.get(&origin).map(Vec::as_slice).unwrap_or_default();
        surplus.extend(ranges_without(&ours, known).into_iter().map(|(first, last)| (origin, first, last)));
    }
    surplus
}
