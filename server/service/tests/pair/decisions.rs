//! Limits hold whichever server decides; one question counts once; tokens are worth the same on both.

use std::time::Duration;

use serde_json::{Value, json};
use userlock_agent::client::CallError;
use userlock_core::agent_api::DecisionResponse;

use crate::support::{Machine, Options, Pair, everybody, is, new_decision, until};

const SOON: Duration = Duration::from_secs(15);

/// A pair in which nobody may have more than so many terminal sessions.
async fn limited(terminal: u32) -> Pair {
    let pair = Pair::with(Options { interval_seconds: Some(86_400), ..Options::default() }).await;
    pair.primary.post("/api/v1/protected-accounts", &everybody(json!({ "terminal": terminal }))).await.expect(201);
    pair.equal(SOON).await;
    pair
}

/// Asks a server anew whether a user may log on.
async fn ask(pc: &Machine, server: usize, user: &str) -> DecisionResponse {
    pc.ask_at(server, new_decision(), user, false).await.unwrap_or_else(|e| panic!("{e}"))
}

fn code(error: &CallError) -> (u16, String) {
    match error {
        CallError::Refused(problem) => (problem.status, problem.code.clone()),
        other => panic!("{other}"),
    }
}

async fn open_at_both(pair: &Pair, sessions: u64) {
    until("both know the sessions", SOON, || async {
        let open =
            [pair.primary.view().await["open_sessions"].clone(), pair.backup.view().await["open_sessions"].clone()];
        is(open.iter().all(|n| *n == sessions), format!("{open:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_holds_through_forwarding_takeover_and_return() {
    let mut pair = limited(2).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.send_to(0).await;
    pair.equal(SOON).await;

    // The Backup passes on while the Primary is there: a grant of one counts at the other at once.
    let id = new_decision();
    let first = pc.ask_at(0, id, "alice", false).await.unwrap();
    assert!(first.allow && !first.degraded);
    let second = ask(&pc, 1, "ALICE").await;
    assert!(second.allow && !second.degraded, "it was the Primary's answer: {second:?}");
    let third = ask(&pc, 1, "alice").await;
    assert!(!third.allow && third.reason.starts_with("2 of 2 terminal sessions"), "{third:?}");
    assert_eq!(third.open.len(), 2);
    assert!(!ask(&pc, 0, "alice").await.allow);
    pc.log_on("alice", Some(id));
    let bob = new_decision();
    assert!(pc.ask_at(0, bob, "bob", false).await.unwrap().allow);
    let session = pc.log_on("bob", Some(bob));
    pc.send_to(0).await;
    open_at_both(&pair, 2).await;

    // Alone, the Backup goes by the same sessions, grants and rules.
    pair.primary.kill();
    let denied = ask(&pc, 1, "alice").await;
    assert!(!denied.allow && denied.degraded, "one session and one grant: {denied:?}");
    let taken = new_decision();
    assert!(pc.ask_at(1, taken, "bob", true).await.unwrap().allow);
    let again = pc.ask_at(1, taken, "bob", true).await.unwrap();
    assert!(again.allow, "the same question has the same answer");
    let denied = ask(&pc, 1, "bob").await;
    assert!(!denied.allow && denied.reason.starts_with("2 of 2"), "{denied:?}");
    pc.log_on("bob", Some(taken));
    pc.send_to(1).await;

    // The Primary comes back and knows what was decided without it.
    pair.primary.up().await;
    pair.at_work(SOON).await;
    open_at_both(&pair, 3).await;
    for server in [0, 1] {
        assert!(!ask(&pc, server, "bob").await.allow, "at {server}");
    }
    pc.log_off(&session);
    pc.send_to(0).await;
    open_at_both(&pair, 2).await;
    assert!(ask(&pc, 1, "bob").await.allow);
    pair.equal(SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_at_both_servers_counts_once() {
    let pair = limited(2).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.send_to(0).await;
    pair.equal(SOON).await;
    pair.primary.hang();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let id = new_decision();
    let alone = pc.ask_at(1, id, "alice", true).await.unwrap();
    assert!(alone.allow && alone.degraded);
    pair.primary.go_on();
    // Asked at once, before the Backup has handed over what it decided.
    let both = pc.ask_at(0, id, "alice", true).await.unwrap();
    assert!(both.allow);
    pair.at_work(SOON).await;
    pair.equal(SOON).await;
    for server in [0, 1] {
        let same = pc.ask_at(server, id, "alice", false).await.unwrap();
        assert!(same.allow, "the same answer at {server}");
    }
    assert!(ask(&pc, 1, "alice").await.allow, "the one grant of both counts once: a second is free");
    assert!(!ask(&pc, 0, "alice").await.allow);
    pc.log_on("alice", Some(id));
    pc.send_to(0).await;
    assert!(!ask(&pc, 1, "alice").await.allow, "its logon took the grant's place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_returns_decides_only_as_the_last_resort() {
    let mut pair = limited(1).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("alice", None);
    pc.send_to(0).await;
    pair.equal(SOON).await;
    pair.primary.kill();
    pair.backup.kill();
    pair.primary.up().await;
    let (id, began) = (new_decision(), tokio::time::Instant::now());
    let refused = pc.ask_at(0, id, "alice", false).await.unwrap_err();
    assert_eq!(code(&refused), (503, "not_serving".to_owned()), "{refused}");
    let ready = pair.primary.call(reqwest::Method::GET, "/readyz", None, None).await;
    assert_eq!((ready.status.as_u16(), &ready.body["phase"]), (503, &json!("returning")), "{ready:?}");
    let last = pc.ask_at(0, id, "alice", true).await.unwrap();
    assert!(!last.allow && last.degraded, "it decides by what it knows: {last:?}");
    pc.log_on("bob", None);
    pc.send_to(0).await;
    let served = until("it serves without the Backup", Duration::from_secs(8), || async {
        let view: Value = pair.primary.view().await;
        is(view["phase"] == "serving", &view["phase"]).map(|()| view)
    })
    .await;
    assert!(began.elapsed() > Duration::from_secs(3), "it must wait 5 s for the Backup: {served}");
    let answer = ask(&pc, 0, "carol").await;
    assert!(answer.allow && answer.degraded, "until the two have met: {answer:?}");
    pair.primary.logs(1109, 0, SOON).await;
    pair.backup.up().await;
    pair.at_work(SOON).await;
    pair.equal(SOON).await;
    assert!(!ask(&pc, 0, "dave").await.degraded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_given_and_taken_at_either_server_for_both() {
    let pair = limited(5).await;
    let mut at_primary = Machine::enrol_at(&pair, "one", 0).await.unwrap();
    let mut at_backup = Machine::enrol_at(&pair, "TWO", 1).await.unwrap();
    assert_eq!(&*at_backup.name, "two", "names are case-folded");
    pair.equal(SOON).await;
    for machine in [&mut at_primary, &mut at_backup] {
        for server in [1, 0] {
            machine.log_on("alice", None);
            machine.send_to(server).await;
        }
    }
    for server in [0, 1] {
        let taken = Machine::enrol_at(&pair, "one", server).await.map(|_| ()).unwrap_err();
        assert_eq!(code(&taken), (409, "machine_enrolled".to_owned()));
    }
    // Revoked at one, it is worth nothing at the other either.
    for (machine, revoke) in [(&at_primary, &pair.backup), (&at_backup, &pair.primary)] {
        let path = format!("/api/v1/agents/{}/revoke", machine.agent);
        revoke.post(&path, &json!({ "reason": "stolen" })).await.expect(204);
        for server in [0, 1] {
            until("the token is refused", Duration::from_secs(2), || async {
                match machine.ask_at(server, new_decision(), "alice", true).await {
                    Err(error) => is(code(&error).0 == 401, error),
                    Ok(answer) => Err(format!("{answer:?}")),
                }
            })
            .await;
        }
    }
    pair.equal(SOON).await;
    pair.events().await;
    let again = Machine::enrol_at(&pair, "one", 0).await.map(|_| ()).unwrap_err();
    assert_eq!(code(&again).0, 409, "a revoked name is not free before it is released");
    let path = format!("/api/v1/agents/{}/release", at_primary.agent);
    pair.primary.post(&path, &json!({ "reason": "a new disk" })).await.expect(204);
    Machine::enrol_at(&pair, "one", 0).await.unwrap();
}
