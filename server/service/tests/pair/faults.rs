//! What happens to servers and agents in the end: disks that are restored or replaced, copies, a Primary that hangs.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};
use userlock_core::fold::State;

use crate::support::{Machine, Pair, is, new_decision, until};

const SOON: Duration = Duration::from_secs(25);

/// Copies a data directory of a server that does not run.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The list of both is the fold of all that these machines wrote.
async fn is_the_fold_of(pair: &Pair, machines: &[&Machine]) {
    let mut state = State::default();
    machines.iter().for_each(|machine| machine.fold_into(&mut state));
    let view = pair.equal(SOON).await;
    assert_eq!(view["state_digest"], serde_json::to_value(state.digest()).unwrap());
    let events = pair.events().await;
    for (id, said) in machines.iter().flat_map(|machine| machine.events()) {
        assert_eq!(events.get(&id).map(|e| &e["payload"]), Some(&said), "{id}");
    }
}

/// Waits until this machine's spool is empty at a server.
async fn settle(machine: &mut Machine, server: usize) {
    let end = Instant::now() + SOON;
    while machine.waiting() > 0 || machine.in_use != server {
        machine.send_to(server).await;
        assert!(Instant::now() < end, "{} records wait", machine.waiting());
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_restored_from_an_old_image_gets_back_what_only_the_backup_has() {
    let mut pair = Pair::new().await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("before", None);
    settle(&mut pc, 0).await;
    pair.equal(SOON).await;
    pair.primary.kill();
    let image = pair.folder().join("image");
    copy(&pair.primary.data(), &image);
    pair.primary.up().await;
    pair.at_work(SOON).await;

    for n in 0..20 {
        pc.log_on(&format!("since {n}"), None);
    }
    let (id, answer) = pc.ask("decided since").await;
    pc.log_on("decided since", answer.map(|_| id));
    settle(&mut pc, 0).await;
    let mut late = Machine::enrol(&pair, "late").await;
    late.log_on("enrolled since", None);
    settle(&mut late, 0).await;
    pair.equal(SOON).await;
    pair.primary.kill();
    pc.log_on("while it was away", None);
    pc.send_to(1).await;
    copy(&image, &pair.primary.data());
    pair.primary.up().await;
    pair.at_work(SOON).await;
    settle(&mut pc, 0).await;
    settle(&mut late, 0).await;
    is_the_fold_of(&pair, &[&pc, &late]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_an_old_image_or_with_a_blank_disk_is_one_with_its_primary_again() {
    let mut pair = Pair::new().await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("before", None);
    settle(&mut pc, 0).await;
    pair.equal(SOON).await;
    pair.backup.kill();
    let image = pair.folder().join("image");
    copy(&pair.backup.data(), &image);
    pair.backup.up().await;
    pair.at_work(SOON).await;
    for n in 0..10 {
        pc.log_on(&format!("since {n}"), None);
    }
    // These come by way of the Backup, so that the Primary sends none of them to it by itself.
    settle(&mut pc, 1).await;
    pair.equal(SOON).await;
    pair.backup.kill();
    copy(&image, &pair.backup.data());
    pc.log_on("while it was away", None);
    pc.send_to(0).await;
    // A second server under one identity is refused until the first has been silent for 10 s.
    sleep(Duration::from_secs(11)).await;
    pair.backup.up().await;
    pair.primary.logs(1107, 0, SOON).await;
    settle(&mut pc, 0).await;
    is_the_fold_of(&pair, &[&pc]).await;

    pair.backup.kill();
    pc.log_on("before the new disk", None);
    pc.send_to(0).await;
    assert!(pc.waiting() > 0, "the dead Backup cannot have it");
    pair.backup = pair.another_backup("blank", &["--replace"]).unwrap();
    pair.backup.up().await;
    pair.at_work(SOON).await;
    settle(&mut pc, 0).await;
    is_the_fold_of(&pair, &[&pc]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_agent_that_writes_at_both_servers_is_found_and_both_accounts_are_kept() {
    // Whichever branch is the longer one, and also when they are of one length.
    for (ours, theirs) in [(2, 3), (3, 2), (2, 2)] {
        let mut pair = Pair::new().await;
        let mut pc = Machine::enrol(&pair, "pc").await;
        let mut other = Machine::enrol(&pair, "other").await;
        pc.log_on("before", None);
        settle(&mut pc, 0).await;
        settle(&mut other, 0).await;
        pair.equal(SOON).await;
        let mut copy = pc.clone_of();

        pair.primary.kill();
        (0..theirs).for_each(|n| _ = copy.log_on(&format!("copy{n}"), None));
        copy.send_to(1).await;
        other.log_on("other at the backup", None);
        other.send_to(1).await;
        pair.backup.kill();
        pair.primary.up().await;
        (0..ours).for_each(|n| _ = pc.log_on(&format!("pc{n}"), None));
        until("the Primary takes it", SOON, || {
            let mut pc = pc.clone();
            async move { pc.send().await.map_err(|e| e.to_string()) }
        })
        .await;
        pair.backup.up().await;

        let alarm = pair.backup.logs(1307, 0, SOON).await;
        assert_eq!(alarm["details"]["machine"], "pc", "{alarm}");
        pair.at_work(SOON).await;
        pair.equal(SOON).await;
        let events = pair.events().await;
        let users: Vec<&str> =
            events.values().filter(|e| e["kind"] == "logon").map(|e| e["payload"]["user"].as_str().unwrap()).collect();
        let expected = (0..theirs).map(|n| format!("copy{n}")).chain((0..ours).map(|n| format!("pc{n}")));
        for user in expected.chain(["before".to_owned(), "other at the backup".to_owned()]) {
            assert_eq!(users.iter().filter(|u| **u == user).count(), 1, "{user} in {users:?}");
        }
        // Nothing is held up by it, in either direction.
        other.log_on("by the Backup", None);
        settle(&mut other, 1).await;
        other.log_on("by the Primary", None);
        settle(&mut other, 0).await;
        pair.equal(SOON).await;
        // Neither after the next start.
        pair.backup.kill();
        pair.backup.up().await;
        other.log_on("after a start", None);
        settle(&mut other, 1).await;
        pair.equal(SOON).await;
        pair.events().await;
        assert_eq!(pair.backup.logged(1307).await.len(), 1, "it is told once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_numbering_with_two_writers_that_cannot_be_filed_holds_nothing_else_up() {
    let mut pair = Pair::new().await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    let mut other = Machine::enrol(&pair, "other").await;
    settle(&mut pc, 0).await;
    settle(&mut other, 0).await;
    pair.equal(SOON).await;
    // Under one name a first record here, and there a second and a third by somebody of another rank: no number is in
    // both logs.
    let (mut one, mut two) = (pc.numbered([7; 16], 5), pc.numbered([7; 16], 6));
    pair.primary.kill();
    (0..3).for_each(|n| _ = two.log_on(&format!("two{n}"), None));
    two.post_to(1, 1).await.unwrap();
    other.log_on("behind it", None);
    other.send_to(1).await;
    pair.backup.kill();
    pair.primary.up().await;
    one.log_on("one", None);
    until("the Primary takes it", SOON, || async { one.post_to(0, 0).await.map(|_| ()).map_err(|e| e.to_string()) })
        .await;
    pair.backup.up().await;

    let alarm = pair.backup.logs(1218, 0, SOON).await;
    assert_eq!(alarm["details"]["origin"], "07".repeat(16), "{alarm}");
    settle(&mut other, 0).await;
    other.log_on("by the Backup", None);
    settle(&mut other, 1).await;
    other.log_on("by the Primary", None);
    settle(&mut other, 0).await;
    assert_eq!(pair.backup.logged(1218).await.len(), 1, "it is told once");
    // Nor can it fill the memory with holes.
    let mut holes = pc.numbered([8; 16], 1);
    (0..2_010).for_each(|_| holes.inventory());
    let mut refused = None;
    for skipped in (1..2_005).step_by(2) {
        if let Err(error) = holes.post_one(0, skipped).await {
            refused = Some((skipped, error.to_string()));
            break;
        }
    }
    let (skipped, error) = refused.expect("it is refused at last");
    assert!(skipped == 2_001 && error.contains("too many holes"), "{skipped}: {error}");
    holes.post_one(0, 2).await.expect("what fills a hole is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_primary_hangs_the_backup_decides_within_two_seconds() {
    let pair = Pair::new().await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    settle(&mut pc, 0).await;
    pair.equal(SOON).await;
    pair.primary.hang();
    // The agent asks the Primary, and 300 ms later the Backup with the same question.
    let (id, began) = (new_decision(), Instant::now());
    let hung = pc.ask_at(0, id, "alice", false);
    let answer = tokio::select! {
        _ = hung => panic!("a hung Primary does not answer"),
        answer = async {
            sleep(Duration::from_millis(300)).await;
            pc.ask_at(1, id, "alice", true).await
        } => answer.unwrap(),
    };
    assert!(answer.allow && answer.degraded, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    pc.log_on("alice", Some(id));
    pc.send_to(1).await;
    // Once the heartbeat is missed, nothing waits for the Primary any more.
    sleep(Duration::from_secs(4)).await;
    let began = Instant::now();
    let answer = pc.ask_at(1, new_decision(), "bob", false).await.unwrap();
    assert!(answer.allow && began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    until("the Backup takes over, since an agent has come", SOON, || async {
        let view = pair.backup.view().await;
        is(view["phase"] == "takeover" && view["peer"]["state"] == "down", view)
    })
    .await;
    pair.primary.go_on();
    pair.at_work(SOON).await;
    settle(&mut pc, 0).await;
    is_the_fold_of(&pair, &[&pc]).await;
    let phases = pair.primary.logged(1004).await;
    assert!(
        phases.iter().any(|e| e["message"].as_str().unwrap().contains("stood still")),
        "it must return first: {phases:?}"
    );
}
