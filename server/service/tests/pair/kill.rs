//! `kill -9` of either server in the middle of load.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use userlock_core::{event::kind, fold::State};

use crate::support::{Machine, Pair, is, until};

const AGENTS: u64 = 16;
const KILLS: u64 = 20;

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// A machine on which people come and go until it is told to stop; then it sends until both servers hold everything.
async fn live(mut machine: Machine, seed: u64, stop: Arc<AtomicBool>, moves: Arc<AtomicU64>) -> Machine {
    let mut dice = Dice(seed);
    let mut looked = Instant::now();
    let mut end = None;
    loop {
        if stop.load(Ordering::Relaxed) {
            let end = *end.get_or_insert(Instant::now() + Duration::from_secs(60));
            if machine.waiting() == 0 {
                return machine;
            }
            assert!(
                Instant::now() < end,
                "{} waits for {} records to be held by both",
                machine.name,
                machine.waiting()
            );
        } else {
            for _ in 0..=dice.roll(3) {
                something_happens(&mut machine, &mut dice).await;
            }
        }
        if !machine.send_or_move().await {
            moves.fetch_add(1, Ordering::Relaxed);
        }
        if machine.in_use == 1 && looked.elapsed() > Duration::from_millis(700) {
            looked = Instant::now();
            machine.in_use = 0;
        }
        sleep(Duration::from_millis(20 + dice.roll(60))).await;
    }
}

async fn something_happens(machine: &mut Machine, dice: &mut Dice) {
    let open: Vec<_> = machine.open.iter().map(|(logon, ..)| logon.clone()).collect();
    let one = (!open.is_empty()).then(|| open[usize::try_from(dice.roll(open.len() as u64)).unwrap()].clone());
    match (dice.roll(10), one) {
        (0..4, _) | (_, None) => {
            let user = format!("user{}", dice.roll(200));
            let decided = if dice.roll(2) == 0 { Some(machine.ask(&user).await) } else { None };
            if let Some((_, Some(answer))) = &decided {
                assert!(answer.allow, "{answer:?}");
            }
            machine.log_on(&user, decided.filter(|(_, answer)| answer.is_some()).map(|(id, _)| id));
        }
        (4..7, Some(logon)) => machine.log_off(&logon),
        (7, Some(logon)) => machine.write(kind::LOCK, &machine.change(&logon)),
        (8, Some(logon)) => machine.write(kind::DISCONNECT, &machine.change(&logon)),
        (_, Some(_)) => machine.inventory(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_after_twenty_kills_and_nothing_is_there_twice() {
    let seed = std::env::var("USERLOCK_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    println!("USERLOCK_TEST_SEED={seed}");
    let mut dice = Dice(seed);
    let mut pair = Pair::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let moves = Arc::new(AtomicU64::new(0));
    let mut agents = Vec::new();
    for n in 0..AGENTS {
        let machine = Machine::enrol(&pair, &format!("pc-{n:02}")).await;
        agents.push(tokio::spawn(live(machine, seed * 1000 + n, Arc::clone(&stop), Arc::clone(&moves))));
    }
    // The Backup must know the machines' tokens before it is all that is left.
    until("the Backup knows the machines", Duration::from_secs(10), || async {
        let known = pair.backup.all("/api/v1/agents").await.len() as u64;
        is(known == AGENTS, known)
    })
    .await;

    for n in 0..KILLS {
        sleep(Duration::from_millis(200 + dice.roll(1200))).await;
        let server = if n % 2 == 0 { &mut pair.primary } else { &mut pair.backup };
        server.kill();
        sleep(Duration::from_millis(dice.roll(800))).await;
        server.up().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut machines = Vec::new();
    for agent in agents {
        machines.push(agent.await.unwrap());
    }
    pair.equal(Duration::from_secs(30)).await;

    let events = pair.events().await;
    let mut written: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let mut state = State::default();
    for machine in &machines {
        assert_eq!(machine.acknowledged, machine.written.len() as u64, "both hold all, so one does");
        written.extend(machine.events());
        machine.fold_into(&mut state);
    }
    for (id, said) in &written {
        let event = events.get(id).unwrap_or_else(|| panic!("{id} is missing: {said}"));
        assert_eq!((&event["payload"], event["rejected"].is_null()), (said, true), "{id}");
    }
    let servers: Vec<&str> =
        events.iter().filter(|(id, _)| !written.contains_key(*id)).map(|(_, e)| e["kind"].as_str().unwrap()).collect();
    let others: Vec<_> =
        servers.iter().filter(|kind| !["decision", "agent_enrolled", "settings_changed"].contains(*kind)).collect();
    assert!(others.is_empty(), "nobody wrote these: {others:?}");
    let view = pair.primary.view().await;
    assert_eq!(
        view["state_digest"],
        serde_json::to_value(state.digest()).unwrap(),
        "the list is not the fold of all that was written"
    );
    assert_eq!(view["open_sessions"], state.live());
    let moved = moves.load(Ordering::Relaxed);
    println!("{} events of {AGENTS} agents, {} of servers, {moved} failed calls", written.len(), servers.len());
    assert!(written.len() > 1000 && moved > KILLS, "that was no load: {} events, {moved} failed calls", written.len());
}
