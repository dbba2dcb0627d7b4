use std::fs;

use super::*;
use crate::fake::Logs;

fn draft(n: u64) -> Draft {
    Draft::new(if n == 1 { kind::INVENTORY } else { kind::LOGON }, 7, &serde_json::json!({ "n": n, "text": "é\"" }))
        .unwrap()
}

fn drafts(numbers: std::ops::RangeInclusive<u64>) -> Vec<Draft> {
    numbers.map(draft).collect()
}

fn held(server: &[Span], peer: Option<&[Span]>) -> HeldBy {
    HeldBy { server: server.to_vec(), peer: peer.map(<[Span]>::to_vec) }
}

/// What a server does with a batch: the chain of each record must follow from the bytes in the body.
fn assert_chained(machine: &str, batch: &EventsRequest) {
    let json = serde_json::to_vec(batch).unwrap();
    let read: EventsRequest = serde_json::from_slice(&json).unwrap();
    let mut chain = read.before;
    for r in &read.records {
        let payload: Arc<[u8]> = r.payload.get().as_bytes().into();
        let record = Record {
            origin: read.origin,
            rank: read.rank,
            seq: r.seq,
            machine: machine.into(),
            kind: r.kind,
            at: r.at,
            chain: r.chain,
            payload,
        };
        assert_eq!(record.chain_after(chain), r.chain, "record {}", r.seq);
        chain = r.chain;
    }
}

fn numbers(batch: &EventsRequest) -> Vec<u64> {
    batch.records.iter().map(|r| r.seq).collect()
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_chained_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.settle(5, None).unwrap();
    spool.append(&drafts(1..=3)).unwrap();
    let ids = spool.append(&[draft(4)]).unwrap();
    assert_eq!(ids, [EventId { origin: spool.origin(), seq: 4 }]);
    let ranges = spool.ranges();
    drop(spool);
    let spool = Spool::open(dir.path(), "pc").unwrap();
    assert_eq!((spool.rank(), spool.last(), spool.ranges()), (5, 4, ranges));
    let batch = spool.batch((1, 4)).unwrap().unwrap();
    assert_eq!(numbers(&batch), [1, 2, 3, 4]);
    assert_chained("pc", &batch);
    assert_chained("pc", &spool.batch((3, 4)).unwrap().unwrap());
}

#[test]
fn a_torn_end_is_cut_and_what_was_acknowledged_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.log");
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.settle(5, None).unwrap();
    spool.append(&drafts(1..=2)).unwrap();
    let whole = fs::metadata(&path).unwrap().len();
    spool.append(&[draft(3)]).unwrap();
    drop(spool);
    let bytes = fs::read(&path).unwrap();
    for length in usize::try_from(whole).unwrap()..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let mut spool = Spool::open(dir.path(), "pc").unwrap();
        assert_eq!(spool.last(), 2, "cut at {length}");
        spool.append(&[draft(9)]).unwrap();
        assert_chained("pc", &Spool::open(dir.path(), "pc").unwrap().batch((1, 3)).unwrap().unwrap());
    }
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, &flipped).unwrap();
    assert_eq!(Spool::open(dir.path(), "pc").unwrap().last(), 2, "a body that does not check is no record");
    fs::write(&path, b"something else").unwrap();
    assert!(matches!(Spool::open(dir.path(), "pc"), Err(SpoolError::NotASpool(_))));
}

/// The files that were put aside.
fn aside(dir: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let aside = entries.filter(|path| path.to_str().is_some_and(|path| path.contains("spool.log.damaged-")));
    aside.map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn a_file_damaged_in_the_middle_is_put_aside_before_it_is_cut() {
    let logs = Logs::capture();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.log");
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.settle(5, None).unwrap();
    let mut ends = vec![];
    for n in 1..=4 {
        spool.append(&[draft(n)]).unwrap();
        ends.push(usize::try_from(fs::metadata(&path).unwrap().len()).unwrap());
    }
    drop(spool);
    let bytes = fs::read(&path).unwrap();
    for (damaged, at) in [("its length", ends[1] + 2), ("its sum", ends[1] + 5), ("its body", ends[2] - 1)] {
        let dir = tempfile::tempdir().unwrap();
        let mut broken = bytes.clone();
        broken[at] ^= 0x7f;
        fs::write(dir.path().join("spool.log"), &broken).unwrap();
        let mut spool = Spool::open(dir.path(), "pc").unwrap();
        assert_eq!(spool.last(), 2, "{damaged}");
        assert_eq!(aside(dir.path()), [broken], "{damaged}");
        spool.append(&[draft(9)]).unwrap();
        assert_chained("pc", &Spool::open(dir.path(), "pc").unwrap().batch((1, 3)).unwrap().unwrap());
        assert_eq!(aside(dir.path()).len(), 1);
    }
    assert_eq!(logs.count("ERROR"), 3);
    let mut strange = bytes[..ends[1]].to_vec();
    strange.extend_from_slice(&bytes[ends[2]..]);
    fs::write(&path, &strange).unwrap();
    assert_eq!(Spool::open(dir.path(), "pc").unwrap().last(), 2, "a record that does not follow is not taken");
    assert_eq!(aside(dir.path()), [strange]);
}

#[test]
fn one_torn_frame_is_cut_without_ado() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.log");
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.append(&drafts(1..=3)).unwrap();
    drop(spool);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    assert_eq!(Spool::open(dir.path(), "pc").unwrap().last(), 2);
    let zeros = [bytes.clone(), vec![0; 5000]].concat();
    fs::write(&path, &zeros).unwrap();
    assert_eq!(Spool::open(dir.path(), "pc").unwrap().last(), 3, "room that was never written to");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert!(aside(dir.path()).is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    // The kernel answers EIO there.
    std::os::unix::fs::symlink("/proc/self/mem", dir.path().join("spool.log")).unwrap();
    let error = Spool::open(dir.path(), "pc").unwrap_err();
    assert!(matches!(error, SpoolError::File(_)), "{error}");
}

#[test]
fn what_both_hold_is_let_go_and_the_file_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.settle(5, None).unwrap();
    let big = Draft::new(kind::LOGON, 7, &"x".repeat(1000)).unwrap();
    spool.append(&vec![big; 2000]).unwrap();
    let size = || fs::metadata(dir.path().join("spool.log")).unwrap().len();
    assert!(size() > 2_000_000);
    spool.release(&held(&[(1, 2000)], Some(&[(1, 100), (301, 2000)]))).unwrap();
    assert_eq!(spool.kept(), [(101, 300), (2000, 2000)]);
    assert!(size() < 300_000, "{}", size());
    assert_eq!(spool.waiting(&held(&[(1, 2000)], Some(&[(1, 100), (301, 2000)]))), 200);
    spool.append(&[draft(2001)]).unwrap();
    let spool = Spool::open(dir.path(), "pc").unwrap();
    assert_eq!(spool.kept(), [(101, 300), (2000, 2001)]);
    assert_chained("pc", &spool.batch((101, 300)).unwrap().unwrap());
    assert_chained("pc", &spool.batch((2000, 2001)).unwrap().unwrap());
}

#[test]
fn everything_sent_still_leaves_a_proof() {
    let mut spool = Spool::in_memory("pc").unwrap();
    assert!(spool.ranges().is_empty());
    spool.append(&drafts(1..=3)).unwrap();
    assert!(spool.ranges().is_empty(), "without a rank nothing was ever sent");
    spool.settle(9, None).unwrap();
    spool.release(&held(&[(1, 3)], None)).unwrap();
    let ranges = spool.ranges();
    assert_eq!((ranges.len(), ranges[0].first, ranges[0].last), (1, 3, 3));
    assert_eq!(spool.waiting(&held(&[(1, 3)], None)), 0);
}

#[test]
fn a_rank_is_fixed_before_the_first_send_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.append(&drafts(1..=3)).unwrap();
    assert_eq!(spool.rank(), 0);
    spool.settle(77, Some(draft(99))).unwrap();
    let spool = Spool::open(dir.path(), "pc").unwrap();
    assert_eq!((spool.rank(), spool.last()), (77, 3), "the inventory was first already");
    assert_chained("pc", &spool.batch((1, 3)).unwrap().unwrap());
}

#[test]
fn after_a_rewind_the_rest_is_written_again_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), "pc").unwrap();
    spool.settle(5, None).unwrap();
    spool.append(&drafts(1..=5)).unwrap();
    let old = spool.origin();
    let inventory = |n| Draft::new(kind::INVENTORY, 8, &n).unwrap();
    spool.restart(6, &[(4, 5)], inventory(1), inventory(2)).unwrap();
    let spool = Spool::open(dir.path(), "pc").unwrap();
    assert!(spool.origin() != old && spool.rank() == 6);
    let batch = spool.batch((1, 4)).unwrap().unwrap();
    assert_chained("pc", &batch);
    let payloads: Vec<&str> = batch.records.iter().map(|r| r.payload.get()).collect();
    assert_eq!(payloads, ["1", r#"{"n":4,"text":"é\""}"#, r#"{"n":5,"text":"é\""}"#, "2"]);
}

#[test]
fn a_full_spool_drops_and_says_what() {
    let mut spool = Spool::in_memory("pc").unwrap();
    spool.settle(5, None).unwrap();
    spool.append(&drafts(1..=10)).unwrap();
    let over = spool.enforce_cap(&held(&[(3, 4)], Some(&[])), 7).unwrap();
    assert_eq!((over.at_one, over.lost), (vec![(3, 4)], vec![(1, 1)]));
    assert_eq!(spool.kept(), [(2, 2), (5, 10)]);
    assert_eq!(spool.ranges().len(), 2);
    assert_chained("pc", &spool.batch((2, 2)).unwrap().unwrap());
    assert_chained("pc", &spool.batch((5, 10)).unwrap().unwrap());
}

#[test]
fn batches_are_bounded_in_records_and_bytes() {
    let mut spool = Spool::in_memory("pc").unwrap();
    spool.settle(5, None).unwrap();
    spool.append(&drafts(1..=1500)).unwrap();
    assert_eq!(spool.batch((1, 1500)).unwrap().unwrap().records.len(), 1000);
    let big = Draft::new(kind::INVENTORY, 7, &"x".repeat(700_000)).unwrap();
    spool.append(&vec![big; 3]).unwrap();
    assert_eq!(numbers(&spool.batch((1501, 1503)).unwrap().unwrap()), [1501]);
    assert!(Draft::new(kind::INVENTORY, 7, &"x".repeat(MAX_PAYLOAD_BYTES)).is_err());
}
