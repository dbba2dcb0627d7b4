//! Certificates are replaced while everything goes on: nobody is told to trust another one, and nobody is lost.

use std::time::Duration;

use serde_json::{Value, json};
use userlock_agent::client::fetch_fingerprint;
use userlock_core::agent_api::ServerAddress;

use crate::support::{Daemon, Device, Machine, Node, Options, Pair, is, until};

const SOON: Duration = Duration::from_secs(30);

fn why() -> Value {
    json!({ "reason": "the old one is to go" })
}

async fn pair() -> Pair {
    let pair = Pair::with(Options { tls: true, ..Options::default() }).await;
    // Agents say hello often, so that the test does not wait for them.
    pair.primary.change("/api/v1/settings/agents", |section| section["heartbeat_seconds"] = 1.into()).await.expect(200);
    pair
}

/// What a new connection is shown.
async fn shown(node: &Node) -> String {
    fetch_fingerprint(node.url(), Duration::from_secs(5)).await.unwrap()
}

/// Waits until everybody knows the next certificate of a server.
async fn known_everywhere(node: &Node) {
    until("everybody knows the next certificate", SOON, || async {
        let view = node.get("/api/v1/certificate").await;
        is(view["waits_for"] == json!([]) && view["next"] != json!(null), &view)
    })
    .await;
}

/// Sends a form of the page of the certificate, as the page does: the status, and what is told.
async fn by_the_page(node: &Node, slug: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let next = node.get("/api/v1/certificate").await["next"]["fingerprint"].clone();
    by_the_page_about(next.as_str().unwrap_or_default(), node, slug, more).await
}

/// The same, by a form that was about something.
async fn by_the_page_about(etag: &str, node: &Node, slug: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let token = std::fs::read_to_string(node.data().join("local-token")).unwrap();
    let fields: Vec<_> = [("slug", slug), ("etag", etag)].iter().chain(more).copied().collect();
    let request = node.client().post(format!("{}/fn/change-server", node.url())).bearer_auth(token.trim());
    let answer = request.header("accept", "application/json").form(&fields).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The page of the certificate, or of giving the next one up.
async fn page(node: &Node, part: &str) -> String {
    let token = std::fs::read_to_string(node.data().join("local-token")).unwrap();
    let request = node.client().get(format!("{}/properties/certificate{part}", node.url())).bearer_auth(token.trim());
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_does_what_can_be_done_now_and_is_refused_at_its_field() {
    let pair = pair().await;
    let node = &pair.primary;
    // Nobody hears of it meanwhile.
    pair.backup.hang();
    let why = [("reason", "the old one is to go")];
    assert!(page(node, "").await.contains("value=\"certificate/prepare\""));
    let refused = async |slug: &str, more: &[(&str, &str)]| {
        let (status, told) = by_the_page(node, slug, more).await;
        (status, told["code"].clone(), told["field"].clone())
    };
    assert_eq!(
        refused("certificate/prepare", &[("reason", " ")]).await,
        (422, json!("invalid_field"), json!("reason"))
    );
    assert_eq!(refused("certificate/use", &why).await, (409, json!("no_next"), Value::Null));
    assert_eq!(by_the_page(node, "certificate/prepare", &why).await.0, 200);
    let shown = page(node, "").await;
    // Who read of another one, or of another Backup, decides on nothing else.
    let known = node.get("/api/v1/certificate").await;
    let at_once = [why[0], ("form[at_once]", "true")];
    for (slug, more) in [("certificate/use", &at_once[..]), ("certificate/discard", &why[..])] {
        assert_eq!(by_the_page_about(&"ab".repeat(32), node, slug, more).await.0, 412, "{slug}");
    }
    assert_eq!(by_the_page_about("another", node, "role/remove-backup", &why).await.0, 412);
    let now = node.get("/api/v1/certificate").await;
    assert_eq!((&now["present"], &now["next"]), (&known["present"], &known["next"]));
    assert_ne!(node.get("/api/v1/server").await["peer"], Value::Null);
    assert!(shown.contains("value=\"certificate/use\"") && shown.contains("name=\"form[at_once]\""), "{shown}");
    assert!(shown.contains("href=\"/properties/certificate/discard\""), "{shown}");
    assert_eq!(refused("certificate/use", &why).await, (409, json!("not_known_everywhere"), json!("at_once")));
    assert!(page(node, "/discard").await.contains("value=\"certificate/discard\""));
    assert_eq!(by_the_page(node, "certificate/discard", &why).await.0, 200);
    assert_eq!(node.get("/api/v1/certificate").await["next"], Value::Null);
    assert!(!page(node, "/discard").await.contains("certificate/discard\""), "there is none to give up");
    assert_eq!(by_the_page(node, "certificate/prepare", &why).await.0, 200);
    let (status, told) = by_the_page(node, "certificate/use", &[why[0], ("form[at_once]", "true")]).await;
    assert_eq!(status, 200, "{told}");
}

/// Makes the next certificate of a server and uses it as soon as everybody knows it.
async fn replace(node: &mut Node) {
    let before = shown(node).await;
    let prepared = node.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    let next = prepared["next"]["fingerprint"].as_str().unwrap().to_owned();
    assert_ne!(next, before);
    let too_soon = node.post("/api/v1/certificate/use", &why()).await;
    assert_eq!((too_soon.status.as_u16(), &too_soon.body["code"]), (409, &json!("not_known_everywhere")));
    let again = node.post("/api/v1/certificate/prepare", &why()).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("next_is_there")));
    known_everywhere(node).await;
    assert_eq!(shown(node).await, before, "it is only announced");
    let used = node.post("/api/v1/certificate/use", &why()).await.expect(200);
    assert_eq!((&used["present"]["fingerprint"], &used["next"]), (&json!(next), &Value::Null));
    assert_eq!(shown(node).await, next, "without a restart");
    node.trust(&next);
    let event = node.logged(1011).await.remove(0);
    assert!(event["details"]["reason"] == "the old one is to go" && event["details"]["before"] == before, "{event}");
}

/// Waits until an agent knows both servers by their certificates alone, and asks, and reports. Who decided.
async fn goes_on(pair: &Pair, agent: &Daemon, user: &str) -> Option<String> {
    let wanted: Vec<ServerAddress> = [&pair.primary, &pair.backup].map(|node| node.address.clone()).into();
    until("the agent knows the certificates", SOON, || async {
        let known = agent.zone().servers;
        is(known == wanted && agent.connected(), format!("{known:?}"))
    })
    .await;
    let decided_by = agent.decided_by(user).await;
    assert!(decided_by.is_some(), "no server answered");
    agent.report();
    until("both servers have what it reports", SOON, || async { is(agent.waiting() == 0, agent.waiting()) }).await;
    decided_by
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_certificates_are_replaced_while_everything_goes_on() {
    let mut pair = pair().await;
    let mut agent = Daemon::enrol(&pair, "pc").await;
    let primary = Some(pair.primary.url().to_owned());
    assert_eq!(goes_on(&pair, &agent, "alice").await, primary);
    pair.backup.schedule(44, true).await;
    let with_the_old_one = pair.backup.get("/api/v1/own-revisions").await["items"][0]["revision"].clone();

    replace(&mut pair.primary).await;
    let told = pair.backup.logs(1111, 0, SOON).await;
    assert_eq!(told["details"]["fingerprint"], pair.primary.address.fingerprint);
    let section = pair.backup.get("/api/v1/settings/synchronization").await;
    assert_eq!(section["primary_fingerprint"], pair.primary.address.fingerprint);
    assert_eq!(pair.backup.get("/api/v1/own-revisions").await["items"][0]["by"], "UserLock");
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
    assert_eq!(goes_on(&pair, &agent, "bob").await, primary, "it never left it");

    replace(&mut pair.backup).await;
    assert_eq!(goes_on(&pair, &agent, "carol").await, primary);

    // What is known is on the disks: all of them start anew.
    agent.stop().await;
    pair.primary.kill();
    pair.backup.kill();
    pair.primary.up().await;
    pair.backup.up().await;
    pair.at_work(SOON).await;
    agent.start();
    goes_on(&pair, &agent, "dave").await;
    assert_eq!(pair.backup.synchronize("sessions").await["state"], "succeeded");

    // An older revision of the section does not bring the old certificate back.
    pair.backup.schedule(33, true).await;
    let now = pair.backup.call(reqwest::Method::GET, "/api/v1/settings/synchronization", None, None).await.etag;
    let restore = format!("/api/v1/own-revisions/{with_the_old_one}/restore");
    let back = pair.backup.call(reqwest::Method::POST, &restore, now.as_deref(), Some(&why())).await;
    assert!(back.status.is_success(), "{back:?}");
    let section = pair.backup.get("/api/v1/settings/synchronization").await;
    assert_eq!(section["interval_seconds"], 44);
    assert_eq!(section["primary_fingerprint"], pair.primary.address.fingerprint);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_announced_is_trusted_by_who_was_not_told_when_it_was_used() {
    let mut pair = pair().await;
    let mut agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    pair.primary.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    known_everywhere(&pair.primary).await;
    // Nobody has a connection that goes on, nor anybody else to ask.
    agent.stop().await;
    pair.backup.kill();
    let at_once = json!({ "reason": "everybody who is away knows it", "at_once": true });
    let used = pair.primary.post("/api/v1/certificate/use", &at_once).await.expect(200);
    pair.primary.trust(used["present"]["fingerprint"].as_str().unwrap());
    agent.start();
    until("the agent speaks with the Primary", SOON, || async { is(agent.connected(), "not connected") }).await;
    assert_eq!(agent.decided_by("bob").await.as_deref(), Some(pair.primary.url()));
    pair.backup.up().await;
    pair.at_work(SOON).await;
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
    assert_eq!(pair.backup.logged(1204).await.len(), 0, "it never doubted");
    goes_on(&pair, &agent, "carol").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_was_away_learns_from_the_other_server() {
    let mut pair = pair().await;
    let mut agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    agent.stop().await;
    pair.primary.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    // As if it had been away for long: what it does not know does not count.
    let at_once = json!({ "reason": "the key was seen elsewhere", "at_once": true });
    let used = pair.primary.post("/api/v1/certificate/use", &at_once).await.expect(200);
    pair.primary.trust(used["present"]["fingerprint"].as_str().unwrap());
    // The Backup was told at the hello before, or is on a connection that goes on.
    until("the Backup goes by it", SOON, || async {
        let section = pair.backup.get("/api/v1/settings/synchronization").await;
        is(section["primary_fingerprint"] == pair.primary.address.fingerprint, &section)
    })
    .await;
    agent.start();
    until("the agent knows the certificate", SOON, || async {
        let known = agent.zone().servers;
        is(known.first() == Some(&pair.primary.address), format!("{known:?}"))
    })
    .await;
    agent.report();
    until("both servers have what it reports", SOON, || async { is(agent.waiting() == 0, agent.waiting()) }).await;
}

/// How the Backup tells an agent that the Primary is known.
async fn told_by_the_backup(pair: &Pair, name: &str) -> ServerAddress {
    let mut machine = Machine::enrol_at(pair, name, 1).await.unwrap();
    machine.hello().await.unwrap().servers.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_given_up_and_nobody_goes_by_it_any_more() {
    let pair = pair().await;
    let agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    assert_eq!(pair.primary.post("/api/v1/certificate/discard", &why()).await.body["code"], "no_next");
    assert_eq!(pair.primary.post("/api/v1/certificate/use", &why()).await.body["code"], "no_next");
    let no_reason = pair.primary.post("/api/v1/certificate/prepare", &json!({ "reason": " " })).await;
    assert_eq!((no_reason.status.as_u16(), &no_reason.body["field"]), (422, &json!("reason")));
    let prepared = pair.primary.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    let next = prepared["next"]["fingerprint"].as_str();
    known_everywhere(&pair.primary).await;
    assert_eq!(agent.zone().servers.first().and_then(|primary| primary.next.as_deref()), next);
    assert_eq!(told_by_the_backup(&pair, "one").await.next.as_deref(), next);
    pair.primary.post("/api/v1/certificate/discard", &why()).await.expect(200);
    let mut reads = Machine::enrol(&pair, "another").await;
    until("neither the agent nor the Backup trusts it", SOON, || async {
        let known = agent.zone().servers;
        is(known.first() == Some(&pair.primary.address), format!("{known:?}"))
    })
    .await;
    reads.in_use = 1;
    until("the Backup tells of it no more", SOON, || {
        let mut reads = reads.clone();
        let primary = pair.primary.address.clone();
        async move {
            let told = reads.hello().await.map_err(|error| error.to_string())?.servers;
            is(told.first() == Some(&primary), format!("{told:?}"))
        }
    })
    .await;
    assert_eq!(pair.primary.get("/api/v1/certificate").await["next"], Value::Null);
    assert!(!pair.primary.data().join("next.pem").exists());
    assert_eq!(shown(&pair.primary).await, pair.primary.address.fingerprint);
    assert_eq!(pair.primary.logged(1012).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_certificate_in_the_files_is_used_as_soon_as_everybody_knows_it() {
    let mut pair = pair().await;
    let agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    let before = pair.primary.address.fingerprint.clone();
    let made = rcgen::generate_simple_self_signed(vec!["primary.example".to_owned()]).unwrap();
    let key = pair.primary.use_files(&made.cert.pem(), &made.signing_key.serialize_pem());
    pair.primary.kill();
    pair.primary.up().await;
    // The server goes on with the one that everybody knows; nobody does anything.
    let given = userlock_agent::client::fingerprint_of(made.cert.der());
    until("the one in the files is used", SOON, || async {
        let now = shown(&pair.primary).await;
        assert!(now == before || now == given, "{now}");
        is(now == given, &now)
    })
    .await;
    pair.primary.trust(&given);
    goes_on(&pair, &agent, "bob").await;
    let view = pair.primary.get("/api/v1/certificate").await;
    assert!(view["present"]["from_files"] == true && view["present"]["names"] == json!(["primary.example"]), "{view}");
    assert_eq!(pair.primary.post("/api/v1/certificate/prepare", &why()).await.body["code"], "from_files");

    // Files that cannot be used are said to be so, once, and the server goes on with what it has.
    std::fs::write(&key, "no key").unwrap();
    let event = pair.primary.logs(1014, 0, Duration::from_secs(60)).await;
    assert!(event["message"].as_str().unwrap().contains("given.key"), "{event}");
    assert_eq!(shown(&pair.primary).await, given);
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    pair.primary.logs(1015, 0, Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_other_files_loses_nobody_where_there_is_no_other_server() {
    let mut pair = pair().await;
    let agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    pair.primary.post("/api/v1/backup/remove", &why()).await.expect(204);
    pair.backup.kill();
    until("the agent knows of no other server", SOON, || async { is(agent.zone().servers.len() == 1, "two") }).await;
    let before = shown(&pair.primary).await;
    let made = rcgen::generate_simple_self_signed(vec!["primary.example".to_owned()]).unwrap();
    let given = userlock_agent::client::fingerprint_of(made.cert.der());
    pair.primary.use_files(&made.cert.pem(), &made.signing_key.serialize_pem());
    pair.primary.kill();
    pair.primary.up().await;
    until("it is waited for the agent, which is then told", Duration::from_secs(60), || async {
        let now = shown(&pair.primary).await;
        // As long as the agent does not know it, it is not used.
        let pins: Vec<_> =
            agent.zone().servers.iter().flat_map(|s| s.pins().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert!(now == before || pins.contains(&given), "{pins:?}");
        is(now == given, &now)
    })
    .await;
    pair.primary.trust(&given);
    until("the agent goes on", SOON, || async { is(agent.connected(), format!("{:?}", agent.zone().servers)) }).await;

    // A machine that is switched off would not learn it from anybody: that is said, and waited for.
    pair.primary
        .change("/api/v1/settings/agents", |section| section["unconfirmed_after_seconds"] = 2.into())
        .await
        .expect(200);
    drop(agent);
    let more = rcgen::generate_simple_self_signed(vec!["primary.example".to_owned()]).unwrap();
    pair.primary.use_files(&more.cert.pem(), &more.signing_key.serialize_pem());
    until("it is waited for the machine", SOON, || async {
        let view = pair.primary.get("/api/v1/certificate").await;
        is(view["waits_for"].to_string().contains("could not learn it from another server"), &view)
    })
    .await;
    assert_eq!(shown(&pair.primary).await, given);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_was_away_is_told_by_an_administrator() {
    let mut pair = pair().await;
    pair.backup.kill();
    pair.primary.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    until("it is waited for a Backup that is away", SOON, || async {
        let refused = pair.primary.post("/api/v1/certificate/use", &why()).await;
        is(refused.status == 409 && refused.body.to_string().contains("does not answer"), format!("{refused:?}"))
    })
    .await;
    let at_once = json!({ "reason": "the key was seen elsewhere", "at_once": true });
    let used = pair.primary.post("/api/v1/certificate/use", &at_once).await.expect(200);
    pair.primary.trust(used["present"]["fingerprint"].as_str().unwrap());
    pair.backup.up().await;
    pair.backup.logs(1204, 0, SOON).await;
    let wrong = pair.backup.change("/api/v1/settings/synchronization", |section| {
        section["primary_fingerprint"] = json!("no fingerprint");
    });
    let wrong = wrong.await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["field"]), (422, &json!("primary_fingerprint")));
    let own = pair.backup.url().to_owned();
    let itself = pair.backup.change("/api/v1/settings/synchronization", |section| section["primary_url"] = json!(own));
    let itself = itself.await;
    assert_eq!((itself.status.as_u16(), &itself.body["field"]), (422, &json!("primary_url")));
    let compared = pair.backup.change("/api/v1/settings/synchronization", |section| {
        section["primary_fingerprint"] = json!(pair.primary.address.fingerprint.to_uppercase());
    });
    compared.await.expect(200);
    pair.backup.logs(1100, 0, SOON).await;
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_other_server_just_the_machines_are_waited_for_that_do_not_know_it() {
    let mut pair = pair().await;
    let (mut knows, mut lacks) = (Daemon::enrol(&pair, "knows").await, Daemon::enrol(&pair, "lacks").await);
    for agent in [&knows, &lacks] {
        goes_on(&pair, agent, "alice").await;
    }
    pair.primary.post("/api/v1/backup/remove", &why()).await.expect(204);
    pair.backup.kill();
    let short = pair.primary.change("/api/v1/settings/agents", |section| {
        section["unconfirmed_after_seconds"] = 2.into();
    });
    short.await.expect(200);
    let waits_for = |what: &'static str, wanted: Value, in_touch: u64| {
        let node = &pair.primary;
        until(what, SOON, move || {
            let wanted = wanted.clone();
            async move {
                let view = node.get("/api/v1/certificate").await;
                is(view["waits_for"] == wanted && view["agents_in_touch"] == in_touch, &view)
            }
        })
    };
    let one_is_silent = json!(["1 machine is silent and could not learn it from another server"]);
    lacks.stop().await;
    pair.primary.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    waits_for("the one that is on knows it", one_is_silent.clone(), 1).await;
    knows.stop().await;
    waits_for("it still knows it when it is off", one_is_silent.clone(), 0).await;

    // One that is let in no more is in touch for a moment, and hides nobody.
    knows.start();
    waits_for("it is on again", one_is_silent.clone(), 1).await;
    let agents = pair.primary.all("/api/v1/agents").await;
    let enrolled = agents.iter().find(|agent| agent["machine"] == "knows").unwrap()["agent"].as_str().unwrap();
    pair.primary.post(&format!("/api/v1/agents/{enrolled}/revoke"), &why()).await.expect(204);
    let refused = pair.primary.post("/api/v1/certificate/use", &why()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("not_known_everywhere")));
    waits_for("nothing is waited for but the silent one", one_is_silent, 0).await;

    lacks.start();
    waits_for("it has learnt it", json!([]), 1).await;
    let used = pair.primary.post("/api/v1/certificate/use", &why()).await.expect(200);
    pair.primary.trust(used["present"]["fingerprint"].as_str().unwrap());
    until("it goes on", SOON, || async {
        let known = lacks.zone().servers;
        is(known == [pair.primary.address.clone()] && lacks.connected(), format!("{known:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_other_server_is_not_taken_for_silence() {
    let mut pair = pair().await;
    let mut agent = Daemon::enrol(&pair, "pc").await;
    goes_on(&pair, &agent, "alice").await;
    let short = pair.primary.change("/api/v1/settings/agents", |section| {
        section["unconfirmed_after_seconds"] = 6.into();
    });
    short.await.expect(200);
    agent.stop().await;
    pair.backup.post("/api/v1/certificate/prepare", &why()).await.expect(200);
    let waits_for = |what: &'static str, wanted: Value| {
        let node = &pair.backup;
        until(what, SOON, move || {
            let wanted = wanted.clone();
            async move {
                let view = node.get("/api/v1/certificate").await;
                is(view["waits_for"] == wanted && view["agents_in_touch"] == 0, &view)
            }
        })
    };
    waits_for("it is silent, and the Primary will tell it", json!([])).await;
    pair.primary.kill();
    pair.primary.up().await;
    let since = "1 machine has not been heard of since a server started";
    waits_for("it may be about to say hello to the Primary", json!([since])).await;
    waits_for("it has not, in all that time", json!([])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_works_is_not_given_up_for_one_that_is_not_shown() {
    let mut pair = pair().await;
    let device = Device::before(&pair.primary);
    let changed = pair.backup.change("/api/v1/settings/synchronization", |section| {
        section["primary_url"] = json!(device.address.url);
        section["primary_fingerprint"] = json!(device.address.fingerprint);
    });
    changed.await.expect(200);
    let contact = async |backup: &Node| {
        let peer = backup.view().await["peer"].clone();
        peer["last_contact"].as_i64().ok_or_else(|| peer.to_string())
    };
    for _ in 0..2 {
        // What the Primary tells is its own certificate, each second.
        let first = until("it has told it", SOON, || contact(&pair.backup)).await;
        until("it has told it again and again", SOON, || async {
            let last = contact(&pair.backup).await?;
            is(last >= first + 4000, last - first)
        })
        .await;
        assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
        let section = pair.backup.get("/api/v1/settings/synchronization").await;
        assert_eq!(section["primary_fingerprint"], device.address.fingerprint);
        pair.backup.kill();
        pair.backup.up().await;
        pair.at_work(SOON).await;
    }
    assert_eq!(pair.backup.logged(1111).await.len(), 0);
    assert_eq!(told_by_the_backup(&pair, "pc").await, pair.primary.address, "agents are not behind the device");
}
