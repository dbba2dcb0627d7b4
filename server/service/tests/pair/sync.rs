//! Both synchronizations: by schedule, by hand, joined, cancelled, failed; what they bring and what they say.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use userlock_core::api::RunView;

use crate::support::{Machine, Node, Options, Pair, is, until};

const SOON: Duration = Duration::from_secs(15);
/// Only what is started by hand runs.
const BY_HAND: Options = Options { account: "admin", interval_seconds: Some(86_400), continuous: false, tls: false };

fn run_of(body: &Value) -> RunView {
    serde_json::from_value(body.clone()).unwrap_or_else(|e| panic!("{e}: {body}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_hand_both_report_what_they_did_and_the_preview_says_it_before() {
    let pair = Pair::with(BY_HAND).await;
    let state = pair.backup.get("/api/v1/synchronization").await;
    assert_eq!(
        (&state["last_events"]["by"], &state["last_sessions"]["by"]),
        (&json!("set-up"), &json!("set-up")),
        "{state}"
    );
    assert_eq!((&state["continuous"], &state["interval_seconds"]), (&json!(false), &json!(86_400)));

    let mut pc = Machine::enrol(&pair, "pc").await;
    pair.backup.synchronize("events").await;
    let first = pc.log_on("alice", None);
    pc.log_on("bob", None);
    pc.log_on("carol", None);
    pc.log_off(&first);
    pc.send_to(0).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(pair.backup.view().await["open_sessions"], 0, "nothing comes by itself");

    let run = run_of(&pair.backup.synchronize("events").await);
    let done = run.events.as_ref().unwrap_or_else(|| panic!("{run:?}"));
    let expected = [("inventory", 1), ("logoff", 1), ("logon", 3)].map(|(kind, n)| (kind.to_owned(), n));
    assert_eq!((done.applied, done.pushed, done.settings_changed), (5, 0, false));
    assert_eq!(done.applied_by_kind.clone().into_iter().collect::<Vec<_>>(), expected);
    let found = pair.backup.get(&format!("/api/v1/synchronization/runs/{}?wait=5", run.run)).await;
    assert_eq!(run_of(&found), run, "an ended run is there at once");
    assert_eq!(pair.equal(SOON).await["open_sessions"], 2);

    let dave = pc.log_on("dave", None);
    pc.log_on("erin", None);
    let bob = pc.open[0].0.clone();
    pc.log_off(&bob);
    pc.send_to(0).await;
    let preview =
        pair.backup.post("/api/v1/synchronization/sessions?wait=25", &json!({ "preview": true })).await.expect(200);
    let preview = run_of(&preview).sessions.unwrap();
    assert_eq!((preview.added, preview.changed, preview.closed, preview.unchanged), (2, 0, 1, 1));
    let named: Vec<(String, String)> =
        preview.items.iter().map(|i| (format!("{:?}", i.difference), i.user.clone())).collect();
    for item in [("Add", "dave"), ("Add", "erin"), ("Close", "bob")] {
        assert!(named.contains(&(item.0.to_owned(), item.1.to_owned())), "{item:?} is not in {named:?}");
    }
    assert!(preview.items.iter().any(|i| i.key.logon == dave));
    assert_eq!(pair.backup.view().await["open_sessions"], 2, "a preview changes nothing");

    let run = run_of(&pair.backup.synchronize("sessions").await).sessions.unwrap();
    assert_eq!((run.added, run.changed, run.closed, run.unchanged, &run.items), (2, 0, 1, 1, &preview.items));
    assert_eq!(serde_json::to_value(run.digest).unwrap(), pair.primary.view().await["state_digest"]);
    // What the snapshot brought is in no event yet: the next Events synchronization has the events too.
    pair.backup.synchronize("events").await;
    pair.equal(SOON).await;
    pair.events().await;

    let missing = format!("/api/v1/synchronization/runs/{}", "0".repeat(32));
    pair.backup.call(reqwest::Method::GET, &missing, None, None).await.expect(404);
    pair.backup.post("/api/v1/synchronization/events?wait=26", &json!({})).await.expect(422);
    pair.backup.post("/api/v1/synchronization/events", &json!({ "what": 1 })).await.expect(422);
    for path in ["events", "sessions", "test"] {
        let refused = pair.primary.post(&format!("/api/v1/synchronization/{path}"), &json!({})).await.expect(409);
        assert_eq!(refused["code"], "not_a_backup");
    }
    let test = pair.backup.post("/api/v1/synchronization/test", &json!({})).await.expect(200);
    assert_eq!(test["ok"], true, "{test}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scheduled_run_happens_and_is_recorded() {
    let pair = Pair::with(Options { interval_seconds: Some(1), continuous: false, ..Options::default() }).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("alice", None);
    pc.send_to(0).await;
    let scheduled = |state: &Value| {
        let history = state["history"].as_array().unwrap();
        history.iter().filter(|run| run["by"] == "schedule" && run["state"] == "succeeded").count()
    };
    let state = until("four runs", SOON, || async {
        let state = pair.backup.get("/api/v1/synchronization").await;
        is(scheduled(&state) >= 4, &state["history"]).map(|()| state)
    })
    .await;
    let (now, next) = (pair.backup.view().await["now"].as_i64().unwrap(), state["next_run_at"].as_i64().unwrap());
    assert!((now - 2000..=now + 2000).contains(&next), "{next} is not within a second of {now}");
    assert_eq!(state["last_events"]["by"], "schedule");
    assert_eq!(pair.equal(SOON).await["open_sessions"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continuous_keeps_the_lag_below_a_second_and_settings_follow() {
    let pair = Pair::with(Options { interval_seconds: Some(86_400), ..Options::default() }).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    for n in 1..=5 {
        pc.log_on(&format!("user{n}"), None);
        pc.send_to(0).await;
        let began = Instant::now();
        until("the session is on the Backup", Duration::from_secs(1), || async {
            let open = pair.backup.view().await["open_sessions"].clone();
            is(open == n, open)
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(1));
        sleep(Duration::from_millis(300)).await;
    }
    // What the Backup is told goes to the Primary as fast.
    pc.log_on("at the backup", None);
    pc.send_to(1).await;
    until("the session is on the Primary", Duration::from_secs(1), || async {
        let open = pair.primary.view().await["open_sessions"].clone();
        is(open == 6, open)
    })
    .await;
    until("the agent's spool is empty", Duration::from_secs(3), || {
        let mut pc = pc.clone();
        async move {
            pc.send().await.map_err(|e| e.to_string())?;
            is(pc.waiting() == 0, pc.waiting())
        }
    })
    .await;

    let general = "/api/v1/settings/general";
    let changed = pair.primary.change(general, |section| section["zone_name"] = "moved".into()).await.expect(200);
    assert_eq!(changed["zone_name"], "moved");
    until("the Backup has the settings", Duration::from_secs(3), || async {
        let name = pair.backup.get(general).await["zone_name"].clone();
        is(name == "moved", name)
    })
    .await;
    let refused = pair.backup.change(general, |section| section["zone_name"] = "forged".into()).await.expect(409);
    assert_eq!(refused["code"], "read_only_on_backup");
    assert_eq!(pair.backup.get(general).await["zone_name"], "moved");
    pair.equal(SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_joined_cancelled_and_does_not_hold_up_the_next() {
    let pair = Pair::with(BY_HAND).await;
    pair.primary.hang();
    for kind in ["events", "sessions"] {
        let path = format!("/api/v1/synchronization/{kind}");
        let before = pair.backup.logged(1216).await.len();
        let started = pair.backup.post(&path, &json!({})).await.expect(202);
        assert_eq!(started["joined"], false);
        let joined = pair.backup.post(&path, &json!({})).await.expect(202);
        assert_eq!((&joined["joined"], &joined["run"]), (&json!(true), &started["run"]), "twice at once is once");
        let run = format!("/api/v1/synchronization/runs/{}", started["run"].as_str().unwrap());
        let began = Instant::now();
        let view = run_of(&pair.backup.get(&format!("{run}?wait=1")).await);
        assert!(began.elapsed() >= Duration::from_millis(900) && view.ended_at.is_none(), "{view:?}");
        assert!(!view.stage.is_empty());
        let cancelled = pair.backup.delete(&run).await.expect(200);
        assert_eq!(cancelled["state"], "cancelled");
        assert_eq!(pair.backup.get(&run).await["state"], "cancelled");
        pair.backup.logs(1216, before, SOON).await;
    }
    pair.primary.go_on();
    for kind in ["events", "sessions"] {
        assert_eq!(pair.backup.synchronize(kind).await["state"], "succeeded");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_a_primary_fails_and_says_so() {
    let mut pair = Pair::with(BY_HAND).await;
    pair.primary.kill();
    let run = run_of(&pair.backup.synchronize("events").await);
    let error = run.error.unwrap();
    assert_eq!((serde_json::to_value(run.state).unwrap(), error.log_id), (json!("failed"), 1202), "{error:?}");
    assert!(!error.advice.is_empty());
    let logged = pair.backup.logs(1202, 0, SOON).await;
    assert_eq!((&logged["source"], &logged["level"]), (&json!("UserLock"), &json!("error")));
    let ours = pair
        .backup
        .logged(1202)
        .await
        .into_iter()
        .find(|e| e["details"]["operation"] == "Events synchronization")
        .unwrap();
    for detail in ["operation", "stage", "address", "position", "run"] {
        assert!(ours["details"][detail].as_str().is_some_and(|d| !d.is_empty()), "{detail}: {ours}");
    }
    let state = pair.backup.get("/api/v1/synchronization").await;
    assert_eq!(state["history"][0]["state"], "failed");
    assert_eq!(state["last_events"]["by"], "set-up", "a failure is no success");
    until("the heartbeat is missed too", SOON, || async {
        is(pair.backup.logged(1202).await.iter().any(|e| e["details"]["operation"] == "heartbeat"), "not yet")
    })
    .await;
    pair.primary.up().await;
    pair.backup.logs(1100, 0, SOON).await;
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_that_is_no_administrator_any_more_is_refused_at_the_next_exchange() {
    let pair = Pair::with(Options { account: "backup-account", ..BY_HAND }).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    pc.log_on("alice", None);
    pc.send_to(0).await;
    let give = async |role: &str| {
        let changed = pair.primary.change("/api/v1/settings/security", |section| {
            let accounts = section["accounts"].as_array_mut().unwrap();
            accounts.iter_mut().find(|a| a["name"] == "backup-account").unwrap()["roles"] = json!([role]);
        });
        changed.await.expect(200);
    };
    give("operator").await;
    pair.backup.logs(1206, 0, SOON).await;
    let run = run_of(&pair.backup.synchronize("events").await);
    assert_eq!(run.error.as_ref().map(|e| e.log_id), Some(1206), "{run:?}");
    let test = pair.backup.post("/api/v1/synchronization/test", &json!({})).await.expect(200);
    let check =
        |name: &str| test["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap()["ok"].clone();
    assert_eq!((check("authenticate"), check("is_administrator")), (json!(true), json!(false)), "{test}");
    // Agents are served as before.
    pc.log_on("bob", None);
    pc.send_to(0).await;
    assert!(pc.ask("carol").await.1.is_some_and(|answer| answer.allow));
    // Each second another hello is refused, and it is told once.
    sleep(Duration::from_secs(3)).await;
    let heartbeats = pair.backup.logged(1206).await.iter().filter(|e| e["details"]["operation"] == "heartbeat").count();
    assert_eq!(heartbeats, 1);
    // Whoever looks is told, until it heals.
    let metrics = pair.backup.get("/metrics").await;
    assert!(metrics.as_str().unwrap().contains("userlock_synchronization_failing{event=\"1206\"} 1"), "{metrics}");
    let peer = pair.backup.view().await["peer"].clone();
    assert_eq!(peer["last_error_id"], 1206, "{peer}");
    let banners = async |node: &Node| node.get("/fn/frame").await["overview"]["banners"].to_string();
    let told = banners(&pair.backup).await;
    assert!(told.contains("event 1206"), "{told}");
    // Both run: nobody is called down, and nothing is taken over.
    let here = pair.backup.view().await;
    assert_eq!((&here["phase"], &here["peer"]["state"]), (&json!("standby"), &json!("refused")), "{here}");
    assert!(here["phase_detail"]["reason"].as_str().unwrap().contains("does not let this Backup take part"), "{here}");
    assert_eq!(pair.primary.view().await["peer"]["state"], "refused");
    let told = banners(&pair.primary).await;
    assert!(told.contains("event 1112") && !told.contains("does not answer"), "{told}");
    assert_eq!(pair.primary.logged(1112).await.len(), 1, "once");

    let up = pair.backup.logged(1100).await.len();
    give("administrator").await;
    pair.backup.logs(1100, up, SOON).await;
    until("the Primary shows it", SOON, || async {
        let peer = pair.primary.view().await["peer"].clone();
        is(peer["state"] == "up" && peer["last_error"] == json!(null), &peer)
    })
    .await;
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
    let metrics = pair.backup.get("/metrics").await;
    assert!(!metrics.as_str().unwrap().contains("event=\"1206\""), "{metrics}");
    pair.equal(SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_joins_late_has_the_events_from_before_too() {
    let pair = Pair::with(BY_HAND).await;
    let mut pc = Machine::enrol(&pair, "pc").await;
    for n in 0..30 {
        let logon = pc.log_on(&format!("user{n}"), None);
        if n % 3 == 0 {
            pc.log_off(&logon);
        }
    }
    pc.send_to(0).await;
    let mut late = pair;
    late.backup.kill();
    let refused = late.another_backup("third", &[]).err().unwrap_or_default();
    assert!(refused.contains("Backup"), "a zone has one Backup: {refused}");
    late.backup = late.another_backup("second", &["--replace"]).unwrap();
    late.backup.up().await;
    late.at_work(SOON).await;
    assert_eq!(late.equal(SOON).await["open_sessions"], 20);
    let events = late.events().await;
    for (id, _) in pc.events() {
        assert!(events.contains_key(&id), "{id} is missing");
    }
}
