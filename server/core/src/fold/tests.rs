//! Any permutation, with any duplicates, of any set of records gives the same state.

use proptest::prelude::*;

use super::*;
use crate::{
    event::{Inventory, InventorySession, SessionChange, SessionReset, SessionType, Who, kind},
    id::{Chain, OriginId},
};

fn who(user: u8) -> Who {
    Who {
        user: format!("user{user}"),
        display_name: None,
        session_type: SessionType::ALL[usize::from(user % 5)],
        client_name: None,
        client_address: None,
    }
}

fn logon_id(n: u8) -> LogonId {
    LogonId::new(&format!("l{n}")).unwrap()
}

fn boot_id(n: u8) -> BootId {
    Digest([n; 16])
}

/// One generated record: few machines, boots, logons and ranks, so that they meet.
fn entry() -> impl Strategy<Value = (Entry, Event)> {
    let what = (0u8..9, 0u8..2, 0u8..3, 0u8..3, proptest::collection::vec(0u8..3, 0..3), 0u64..4);
    (1u64..4, 0u8..3, 1u64..6, 0u8..2, what).prop_map(|(rank, origin, seq, machine, what)| {
        let (number, boot, logon, user, listed, evidence) = what;
        let machine: Machine = format!("pc{machine}").into();
        let change = SessionChange { boot: boot_id(boot), logon: logon_id(logon), reason: None };
        let event = match number {
            0 => Event::Boot(event::Boot { boot: boot_id(boot) }),
            1 => Event::Inventory(Inventory {
                boot: boot_id(boot),
                sessions: listed
                    .iter()
                    .map(|n| InventorySession {
                        logon: logon_id(*n),
                        state: SubState::Locked,
                        since: i64::from(*n),
                        who: who(user),
                    })
                    .collect(),
            }),
            2 | 3 => Event::Logon(event::Logon {
                boot: boot_id(boot),
                logon: logon_id(logon),
                decision_id: None,
                who: who(user),
            }),
            4 => Event::Logoff(change),
            5 => Event::State(change, SubState::Locked),
            6 => Event::State(change, SubState::Disconnected),
            7 => Event::State(change, SubState::Open),
            _ => Event::SessionReset(SessionReset {
                session: SessionKey { machine: machine.clone(), boot: boot_id(boot), logon: logon_id(logon) },
                evidence: Order { rank: evidence, origin: OriginId([origin; 16]), seq: evidence + 1 },
                by: String::new(),
                reason: String::new(),
            }),
        };
        // One origin writes about one machine under one token, and never two records with one number.
        let origin = OriginId([origin + 16 * machine.len() as u8 + machine.as_bytes()[2]; 16]);
        let record = Record {
            origin,
            rank,
            seq,
            machine,
            kind: kind::BOOT,
            at: i64::from(number) * 1000 + seq as i64,
            chain: Chain::NIL,
            payload: Arc::from([]),
        };
        (Entry { record, by: AgentId([origin.0[0] % 2; 16]), rejected: None }, event)
    })
}

/// A set of records, no two with one identity and each origin with one rank, and an order for them with repetitions.
fn records() -> impl Strategy<Value = (Vec<(Entry, Event)>, Vec<usize>)> {
    proptest::collection::vec(entry(), 1..40)
        .prop_map(|all| {
            let mut ranks = BTreeMap::new();
            let mut unique = BTreeMap::new();
            for (mut entry, event) in all {
                entry.record.rank = *ranks.entry(entry.record.origin).or_insert(entry.record.rank);
                unique.entry(entry.record.id()).or_insert((entry, event));
            }
            unique.into_values().collect::<Vec<_>>()
        })
        .prop_flat_map(|set| {
            let all: Vec<usize> = (0..set.len()).collect();
            let repeated = proptest::collection::vec(0..set.len(), 0..20);
            (Just(set), (Just(all), repeated).prop_map(|(all, more)| [all, more].concat()).prop_shuffle())
        })
}

/// Everything that two servers compare or show.
fn seen(state: &State) -> (Vec<Arc<Bucket>>, Vec<u128>, u64, Vec<String>) {
    let lists = state.by_account.iter().map(|(account, keys)| format!("{account} {keys:?}")).collect();
    (state.snapshot(), state.digests.clone(), state.live, lists)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_permutation_with_any_duplicates_gives_one_state((set, order) in records()) {
        let mut straight = State::default();
        for (entry, event) in &set {
            straight.fold(entry, event, 1);
        }
        let mut shuffled = State::default();
        for index in order {
            let (entry, event) = &set[index];
            shuffled.fold(entry, event, 1);
        }
        prop_assert_eq!(seen(&straight), seen(&shuffled));
    }

    #[test]
    fn what_is_kept_up_equals_what_is_made_from_scratch((set, order) in records()) {
        let mut state = State::default();
        for index in order {
            let (entry, event) = &set[index];
            state.fold(entry, event, 1);
            let mut scratch = State::default();
            for bucket in state.snapshot() {
                for (name, machine) in &bucket.machines {
                    let bytes = postcard::to_allocvec(machine).unwrap();
                    scratch.restore_machine(name.clone(), postcard::from_bytes(&bytes).unwrap(), 1);
                }
            }
            prop_assert_eq!(seen(&scratch), seen(&state));
            let live = state.snapshot().iter().flat_map(|b| b.machines.values().cloned().collect::<Vec<_>>())
                .map(|m| m.sessions.iter().filter(|((boot, _), s)| m.ending(*boot, s).is_none()).count() as u64)
                .sum::<u64>();
            prop_assert_eq!(live, state.live());
        }
    }
}

/// Folds records of one machine under one token, numbered as they stand.
fn fold_all(events: &[(u64, Event)]) -> State {
    let mut state = State::default();
    for (seq, event) in events {
        let record = Record {
            origin: OriginId([1; 16]),
            rank: 1,
            seq: *seq,
            machine: "pc".into(),
            kind: kind::BOOT,
            at: *seq as i64,
            chain: Chain::NIL,
            payload: Arc::from([]),
        };
        state.fold(&Entry { record, by: AgentId([1; 16]), rejected: None }, event, 1);
    }
    state
}

fn logon(n: u8) -> Event {
    Event::Logon(event::Logon { boot: boot_id(1), logon: logon_id(n), decision_id: None, who: who(n) })
}

fn key(n: u8) -> SessionKey {
    SessionKey { machine: "pc".into(), boot: boot_id(1), logon: logon_id(n) }
}

#[test]
fn an_inventory_closes_what_it_does_not_list_and_later_evidence_reopens() {
    let empty = Event::Inventory(Inventory { boot: boot_id(1), sessions: vec![] });
    let lock = Event::State(SessionChange { boot: boot_id(1), logon: logon_id(1), reason: None }, SubState::Locked);
    let closed = fold_all(&[(1, logon(1)), (2, empty.clone())]);
    assert_eq!(closed.get(&key(1)).unwrap().1, Some(Ending::Inventory));
    assert_eq!((closed.live(), closed.digest()), (0, State::default().digest()));
    let reopened = fold_all(&[(3, lock), (2, empty), (1, logon(1))]);
    assert_eq!(reopened.get(&key(1)).unwrap().1, None);
    assert_eq!(reopened.live(), 1);
}

#[test]
fn a_boot_ends_the_sessions_of_another_boot_and_a_logoff_is_final() {
    let boot = |n| Event::Boot(event::Boot { boot: boot_id(n) });
    let logoff = Event::Logoff(SessionChange { boot: boot_id(1), logon: logon_id(2), reason: None });
    let state = fold_all(&[(1, logon(1)), (2, logon(2)), (3, logoff), (4, boot(1)), (5, logon(2))]);
    assert_eq!(state.get(&key(1)).unwrap().1, None, "the same boot ends nothing");
    assert_eq!(state.get(&key(2)).unwrap().1, Some(Ending::Logoff), "not even a later record undoes a logoff");
    let state = fold_all(&[(1, logon(1)), (2, boot(2))]);
    assert_eq!(state.get(&key(1)).unwrap().1, Some(Ending::Boot));
}

#[test]
fn a_reset_holds_until_later_evidence() {
    let reset = |seq| {
        let evidence = Order { rank: 1, origin: OriginId([1; 16]), seq };
        Event::SessionReset(SessionReset { session: key(1), evidence, by: "admin".into(), reason: "dead".into() })
    };
    assert_eq!(fold_all(&[(1, logon(1)), (9, reset(1))]).get(&key(1)).unwrap().1, Some(Ending::Reset));
    assert_eq!(fold_all(&[(2, logon(1)), (9, reset(1))]).get(&key(1)).unwrap().1, None, "it was alive after that");
}

#[test]
fn inventories_speak_only_for_their_own_token() {
    let mut state = fold_all(&[(1, logon(1))]);
    let record = Record {
        origin: OriginId([2; 16]),
        rank: 2,
        seq: 1,
        machine: "pc".into(),
        kind: kind::INVENTORY,
        at: 9,
        chain: Chain::NIL,
        payload: Arc::from([]),
    };
    let empty = Event::Inventory(Inventory { boot: boot_id(1), sessions: vec![] });
    state.fold(&Entry { record, by: AgentId([2; 16]), rejected: None }, &empty, 1);
    assert_eq!(state.get(&key(1)).unwrap().1, None);
}

#[test]
fn a_snapshot_does_not_see_later_changes() {
    let mut state = fold_all(&[(1, logon(1))]);
    let before = state.snapshot();
    let copy: Vec<Bucket> = before.iter().map(|b| (**b).clone()).collect();
    let empty = Event::Inventory(Inventory { boot: boot_id(1), sessions: vec![] });
    let entry = Entry {
        record: Record {
            origin: OriginId([1; 16]),
            rank: 1,
            seq: 7,
            machine: "pc".into(),
            kind: kind::INVENTORY,
            at: 0,
            chain: Chain::NIL,
            payload: Arc::from([]),
        },
        by: AgentId([1; 16]),
        rejected: None,
    };
    state.fold(&entry, &empty, 1);
    assert_eq!(state.live(), 0);
    assert!(before.iter().zip(&copy).all(|(a, b)| **a == *b));
}
