use std::time::{Duration, Instant};

use userlock_core::{
    agent_api::{DecisionRequest, TimedCommand},
    event::{CommandAction, LogonId, SessionChange, SessionKey, SessionType, Who},
    id::{DecisionId, Digest, Epoch},
};

use super::*;
use crate::fake::{Fake, MACHINE, Mood, TOKEN};

#[derive(Default)]
struct TestHost {
    obeyed: Mutex<Vec<CommandId>>,
    inventories: Mutex<u32>,
    /// What of the zone is on its disk, and whether that is full.
    zone: Mutex<Option<Zone>>,
    full: Mutex<bool>,
}

impl Host for TestHost {
    fn inventory(&self, number: &mut dyn FnMut(Inventory)) {
        *self.inventories.lock().unwrap() += 1;
        number(Inventory { boot: Digest([1; 16]), sessions: vec![] });
    }

    fn zone(&self, zone: &Zone) -> io::Result<()> {
        if *self.full.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *self.zone.lock().unwrap() = Some(zone.clone());
        Ok(())
    }

    fn obey(&self, reporter: &Arc<Reporter>, command: Command) {
        self.obeyed.lock().unwrap().push(command.command_id);
        reporter.command_result(command.command_id, CommandOutcome::Done, None);
    }
}

struct Agent {
    reporter: Arc<Reporter>,
    host: Arc<TestHost>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn agent(servers: &[&Fake], spool: Spool) -> Agent {
    let host = Arc::new(TestHost::default());
    let reporter = Reporter::new(Parts {
        identity: Identity { agent: AgentId([1; 16]), token: TOKEN.into(), machine: MACHINE.into() },
        zone: Zone::at_first(servers.iter().map(|server| server.address.clone()).collect()),
        boot: Digest([1; 16]),
        spool,
        memory: Obedience::default(),
        clients: Clients::default(),
        host: Arc::<TestHost>::clone(&host),
    })
    .unwrap();
    let running = Arc::clone(&reporter);
    let task = tokio::spawn(async move { running.run().await });
    Agent { reporter, host, task }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not come to hold");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn memory() -> Spool {
    Spool::in_memory(MACHINE).unwrap()
}

fn logoff(n: u32) -> SessionChange {
    SessionChange { boot: Digest([1; 16]), logon: LogonId::new(&format!("{n}.1")).unwrap(), reason: None }
}

fn question(id: u8) -> DecisionRequest {
    let who = Who {
        user: "alice".into(),
        display_name: None,
        session_type: SessionType::Terminal,
        client_name: None,
        client_address: None,
    };
    DecisionRequest { decision_id: DecisionId([id; 16]), who, groups: vec![], last_resort: false }
}

async fn ask(agent: &Agent, id: u8) -> (Decided, Duration) {
    let started = Instant::now();
    let decided = agent.reporter.decide(question(id)).await;
    (decided, started.elapsed())
}

fn by(decided: &Decided) -> Option<&str> {
    match decided {
        Decided::Answer { server, .. } => Some(server),
        Decided::Offline { .. } => None,
    }
}

#[tokio::test]
async fn a_certificate_is_said_to_be_known_when_it_is_on_the_disk() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    // Something that the other server lacks, so that there is a hello soon.
    let hasten = |n| agent.reporter.report(kind::LOGOFF, &logoff(n)).unwrap();
    hasten(1);
    eventually("it speaks with the Primary", || one.lock().hellos.len() > 1).await;
    let next = "ab".repeat(32);
    *agent.host.full.lock().unwrap() = true;
    let before = {
        let mut one = one.lock();
        one.servers[0].next = Some(next.clone());
        one.hellos.len()
    };
    let said = |from: usize| one.lock().hellos.iter().skip(from).any(|hello| hello.pins.contains(&next));
    eventually("it was told", || agent.reporter.zone().servers[0].next.is_some()).await;
    hasten(2);
    eventually("it says hello again", || one.lock().hellos.len() > before + 1).await;
    assert!(!said(before), "it is not written down");
    *agent.host.full.lock().unwrap() = false;
    hasten(3);
    eventually("it says so once it is written", || said(before)).await;
    let written = agent.host.zone.lock().unwrap().clone().unwrap();
    assert_eq!(written.servers[0].next, Some(next));
}

#[tokio::test]
async fn events_reach_the_server_once_and_stay_until_both_hold_them() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    for n in 0..5 {
        agent.reporter.report(kind::LOGOFF, &logoff(n)).unwrap();
    }
    eventually("all is at the Primary", || one.kinds().len() == 6).await;
    assert_eq!(one.kinds(), [kind::INVENTORY, 4, 4, 4, 4, 4], "an origin begins with an inventory");
    assert!(other.kinds().is_empty());
    assert_eq!(agent.reporter.waiting(), 6);
    one.replicate();
    eventually("nothing waits", || agent.reporter.waiting() == 0).await;
    assert_eq!(one.lock().hellos[0].rank, 0, "the rank is fixed after the servers were asked for the highest");
    assert!(agent.reporter.status().rank > 0);
}

#[tokio::test]
async fn a_dead_primary_costs_one_logon_a_moment_and_the_next_nothing() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    eventually("connected", || agent.reporter.status().connected).await;
    let (decided, took) = ask(&agent, 1).await;
    assert!(by(&decided) == Some(&one.address.url) && took < Duration::from_millis(250), "{took:?}");
    one.be(Mood::Broken);
    for id in 2..4 {
        let (decided, took) = ask(&agent, id).await;
        assert!(by(&decided) == Some(&other.address.url) && took < Duration::from_millis(250), "{took:?}");
    }
    agent.reporter.report(kind::LOGOFF, &logoff(1)).unwrap();
    eventually("it reports to the Backup", || other.kinds().contains(&kind::LOGOFF)).await;
    let why = other.lock().hellos.last().unwrap().why.clone();
    assert!(why.contains(&one.address.url), "{why}");
    let status = agent.reporter.status();
    assert_eq!((status.role.as_deref(), status.servers[0].failure.is_some()), (Some("backup"), true));
}

#[tokio::test]
async fn a_hung_primary_is_waited_for_once_and_for_300_ms_only() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    eventually("connected", || agent.reporter.status().connected).await;
    one.be(Mood::Hanging);
    let (decided, took) = ask(&agent, 1).await;
    assert_eq!(by(&decided), Some(other.address.url.as_str()));
    assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(900), "{took:?}");
    assert!(!other.lock().decisions[0].last_resort, "the Primary had not failed yet");
    let (_, took) = ask(&agent, 2).await;
    assert!(took < Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn events_do_not_wait_for_a_server_that_hangs_once_another_is_used() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    eventually("connected", || agent.reporter.status().connected).await;
    one.be(Mood::Hanging);
    agent.reporter.report(kind::LOGOFF, &logoff(1)).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    ask(&agent, 1).await;
    let moved = Instant::now();
    eventually("the event is at the Backup", || other.kinds().contains(&kind::LOGOFF)).await;
    assert!(moved.elapsed() < Duration::from_secs(1), "{:?}", moved.elapsed());
}

#[tokio::test]
async fn two_dead_servers_leave_the_offline_policy_and_the_events_wait() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    eventually("connected", || agent.reporter.status().connected).await;
    one.be(Mood::Hanging);
    other.be(Mood::Hanging);
    let (decided, took) = ask(&agent, 1).await;
    let Decided::Offline { why } = decided else { panic!("{decided:?}") };
    assert!(why.contains("no answer"), "{why}");
    assert!(took < Duration::from_millis(2300), "{took:?}");
    let started = Instant::now();
    agent.reporter.decide_after(question(3), Duration::from_millis(1500)).await;
    assert!(started.elapsed() < Duration::from_millis(1400), "what was spent before counts: {:?}", started.elapsed());
    agent.reporter.report(kind::LOGOFF, &logoff(1)).unwrap();
    one.be(Mood::Broken);
    other.be(Mood::Broken);
    let (_, took) = ask(&agent, 2).await;
    assert!(took < Duration::from_millis(500), "both refuse: nobody is waited for, {took:?}");
    other.be(Mood::Serving);
    eventually("the first that is back is used", || other.kinds().contains(&kind::LOGOFF)).await;
}

#[tokio::test]
async fn a_server_that_is_not_serving_answers_as_the_last_resort() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one, &other], memory());
    eventually("connected", || agent.reporter.status().connected).await;
    one.be(Mood::Returning);
    other.be(Mood::Broken);
    let (decided, _) = ask(&agent, 1).await;
    let Decided::Answer { response, server } = decided else { panic!("{decided:?}") };
    assert!(response.degraded && server == one.address.url);
}

#[tokio::test]
async fn a_restored_agent_begins_anew_and_nothing_vanishes() {
    let one = Fake::start();
    let dir = tempfile::tempdir().unwrap();
    let image = tempfile::tempdir().unwrap();
    let first = agent(&[&one], Spool::open(dir.path(), MACHINE).unwrap());
    first.reporter.report(kind::LOGOFF, &logoff(1)).unwrap();
    eventually("sent", || one.kinds().len() == 2).await;
    std::fs::copy(dir.path().join("spool.log"), image.path().join("spool.log")).unwrap();
    first.reporter.report(kind::LOGOFF, &logoff(2)).unwrap();
    eventually("sent", || one.kinds().len() == 3).await;
    drop(first);
    let second = agent(&[&one], Spool::open(image.path(), MACHINE).unwrap());
    second.reporter.report(kind::LOGON, &logoff(3)).unwrap();
    eventually("the other second record is there too", || one.kinds().contains(&kind::LOGON)).await;
    let records = one.lock().records.clone();
    assert_eq!(records.len(), 2, "a fork is another origin");
    let status = second.reporter.status();
    let again: Vec<u16> = records[&status.origin].values().map(|(_, kind, _)| *kind).collect();
    assert_eq!(again.first(), Some(&kind::INVENTORY));
    assert_eq!(again.last(), Some(&kind::INVENTORY), "the replayed past does not have the last word");
    assert!(again.contains(&kind::LOGON));
    assert!(one.lock().hellos.iter().any(|hello| hello.rank > 0 && hello.rank < status.rank));
}

#[tokio::test]
async fn a_command_is_obeyed_once_and_answered() {
    let one = Fake::start();
    let agent = agent(&[&one], memory());
    let command = |id: u8, valid_ms, number| TimedCommand {
        valid_ms,
        command: Command {
            command_id: CommandId([id; 16]),
            session: SessionKey { machine: MACHINE.into(), boot: Digest([1; 16]), logon: LogonId::new("1.1").unwrap() },
            action: CommandAction::Logoff,
            text: None,
            by: "admin".into(),
            reason: "test".into(),
            epoch: Epoch { number, ..Epoch::default() },
        },
    };
    one.lock().commands = vec![command(1, 60_000, 1), command(1, 60_000, 1), command(2, 0, 1), command(3, 9, 0)];
    let results = || one.kinds().iter().filter(|kind| **kind == kind::COMMAND_RESULT).count();
    eventually("three results", || results() == 3).await;
    one.lock().commands = vec![command(1, 60_000, 1), command(4, 60_000, 1)];
    eventually("a fourth", || results() == 4).await;
    assert_eq!(*agent.host.obeyed.lock().unwrap(), [1, 4].map(|id| CommandId([id; 16])));
    let told: Vec<String> = one.lock().records.values().flat_map(|r| r.values().map(|(.., p)| p.clone())).collect();
    assert!(told.iter().any(|p| p.contains("expired")) && told.iter().any(|p| p.contains("stale_epoch")), "{told:?}");
}

#[tokio::test]
async fn a_backup_that_joins_later_is_learnt() {
    let (one, other) = Fake::pair();
    let agent = agent(&[&one], memory());
    eventually("both are known", || agent.reporter.zone().servers.len() == 2).await;
    one.be(Mood::Broken);
    let (decided, _) = ask(&agent, 1).await;
    assert_eq!(by(&decided), Some(other.address.url.as_str()));
    assert!(other.lock().decisions[0].last_resort);
}
