//! Who belongs to the zone: a Backup that is removed, a server that leaves, and what goes on after that.

use std::time::Duration;

use serde_json::json;

use crate::support::{Machine, Node, Pair, is, until};

const SOON: Duration = Duration::from_secs(20);

fn why() -> serde_json::Value {
    json!({ "reason": "the machine is needed elsewhere" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_removed_holds_nobody_up_and_is_let_in_no_more() {
    let pair = Pair::new().await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("alice", None);
    pc.send_to(0).await;
    pair.equal(SOON).await;

    assert_eq!(pair.backup.post("/api/v1/backup/remove", &why()).await.status, 409);
    let no_reason = pair.primary.post("/api/v1/backup/remove", &json!({ "reason": " " })).await;
    assert_eq!((no_reason.status.as_u16(), &no_reason.body["field"]), (422, &json!("reason")));
    pair.primary.post("/api/v1/backup/remove", &why()).await.expect(204);
    let event = pair.primary.logged(1120).await.remove(0);
    assert!(event["message"].as_str().unwrap().contains("the machine is needed elsewhere"), "{event}");
    assert_eq!(pair.primary.view().await["peer"], json!(null));
    assert_eq!(pair.primary.post("/api/v1/backup/remove", &why()).await.body["code"], "no_backup");

    // What the Primary has is enough for an agent now, also after the Backup has asked in vain.
    pair.backup.logs(1205, 0, SOON).await;
    let there = pair.backup.view().await;
    assert_eq!((&there["phase"], &there["peer"]["state"]), (&json!("standby"), &json!("refused")), "{there}");
    pc.log_on("bob", None);
    pc.send_to(0).await;
    assert_eq!(pc.waiting(), 0, "nothing waits for a Backup");
    assert_eq!(pair.primary.view().await["peer"], json!(null));

    let mut other = pair.another_backup("other", &["--name", "other"]).unwrap();
    other.up().await;
    until("the new Backup is one with the Primary", SOON, || async {
        let (here, there) = (pair.primary.view().await, other.view().await);
        is(here["held_digest"] == there["held_digest"] && here["peer"]["state"] == "up", &there)
    })
    .await;
}

/// Waits until a server waits to be set up, and gives its one-time codes.
async fn waits_for_set_up(node: &Node) -> Vec<String> {
    until("it is not set up", SOON, || async {
        let answer = node.http().get(format!("{}/readyz", node.address.url)).send().await.map_err(|e| e.to_string())?;
        let text = answer.text().await.map_err(|e| e.to_string())?;
        is(text.contains("not_set_up"), &text)
    })
    .await;
    let said = node.said();
    let codes =
        said.lines().filter_map(|line| line.trim().strip_prefix("one-time code")).map(|code| code.trim().to_owned());
    codes.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_leaves_its_zone_and_waits_to_be_set_up_anew() {
    let pair = Pair::new().await;
    let stays = pair.primary.post("/api/v1/server/leave", &why()).await;
    assert_eq!((stays.status.as_u16(), &stays.body["code"]), (409, &json!("has_a_backup")));

    pair.backup.post("/api/v1/server/leave", &why()).await.expect(202);
    let codes = waits_for_set_up(&pair.backup).await;
    assert_eq!(codes.len(), 1, "{codes:?}");
    pair.primary.logs(1121, 0, SOON).await;
    let kept: Vec<_> = std::fs::read_dir(pair.backup.data()).unwrap().map(|f| f.unwrap().file_name()).collect();
    let folder = kept.iter().find(|name| name.to_string_lossy().starts_with("left-")).unwrap();
    assert!(pair.backup.data().join(folder).join("state.sqlite").exists(), "{kept:?}");
    assert!(!pair.backup.data().join("state.sqlite").exists(), "{kept:?}");

    pair.primary.post("/api/v1/backup/remove", &why()).await.expect(204);
    pair.primary.post("/api/v1/server/leave", &why()).await.expect(202);
    waits_for_set_up(&pair.primary).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_it_leaves_has_left_or_has_not() {
    let mut pair = Pair::new().await;
    // Killed before it is noted, while it waits for its Primary to take what was recorded here last: nothing has happened.
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("alice", None);
    pc.send_to(0).await;
    pair.equal(SOON).await;
    pair.primary.hang();
    pc.log_on("bob", None);
    pc.send_to(1).await;
    let reason = why();
    let leaves = pair.backup.post("/api/v1/server/leave", &reason);
    let answered = tokio::time::timeout(Duration::from_millis(800), leaves).await;
    assert!(answered.is_err(), "it waits: {answered:?}");
    pair.backup.kill();
    assert!(!pair.backup.data().join("leaving.json").exists());
    pair.primary.go_on();
    pair.backup.up().await;
    assert_eq!(pair.backup.view().await["role"], "backup");
    pair.equal(SOON).await;
    assert!(pair.primary.logged(1121).await.is_empty());
    let events = pair.events().await;
    assert!(events.values().any(|event| event.to_string().contains("bob")), "what waited was handed over");

    // Killed after it is noted, when a part of it was set aside.
    pair.backup.kill();
    let data = pair.backup.data();
    let folder = data.join("left-2026-01-01-000000");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(data.join("leaving.json"), r#"{"folder":"left-2026-01-01-000000"}"#).unwrap();
    std::fs::rename(data.join("product.sqlite"), folder.join("product.sqlite")).unwrap();
    let offline = crate::support::run(&["token", "--name", "x", "--config", pair.backup.config().to_str().unwrap()]);
    assert!(offline.as_ref().is_err_and(|said| said.contains("has left its zone")), "{offline:?}");
    assert!(!data.join("product.sqlite").exists(), "nothing is made anew");
    pair.backup.start();
    waits_for_set_up(&pair.backup).await;
    for file in ["state.sqlite", "product.sqlite"] {
        assert!(folder.join(file).exists() && !data.join(file).exists(), "{file}");
    }
    assert!(!data.join("leaving.json").exists() && data.join("lock").exists());

    // Killed as soon as it has answered: it has left, whatever was done by then.
    pair.primary.post("/api/v1/backup/remove", &why()).await.expect(204);
    pair.primary.post("/api/v1/server/leave", &why()).await.expect(202);
    pair.primary.kill();
    pair.primary.start();
    waits_for_set_up(&pair.primary).await;
    let data = pair.primary.data();
    assert!(!data.join("state.sqlite").exists() && !data.join("leaving.json").exists());
}
