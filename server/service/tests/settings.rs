//! Settings and protected accounts: read, written back, changed by several at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{Server, problem};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const GENERAL: &str = "/api/v1/settings/general";
const SYNCHRONIZATION: &str = "/api/v1/settings/synchronization";
const RULES: &str = "/api/v1/protected-accounts";

#[tokio::test]
async fn what_was_read_can_be_written_back_and_changed() {
    let server = Server::primary().await;
    let body = server.get(GENERAL).await;
    let etag = server.etag(GENERAL).await;
    let same = server.admin(Method::PUT, GENERAL).header("if-match", &etag).json(&body).send().await.unwrap();
    assert_eq!(same.status(), StatusCode::OK);
    assert_eq!(server.etag(GENERAL).await, etag, "nothing has changed");

    let mut changed = body.clone();
    changed["zone_name"] = json!("north");
    changed["reason"] = json!("moved");
    let response = server.admin(Method::PUT, GENERAL).header("if-match", &etag).json(&changed).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let new_etag = response.headers()["etag"].to_str().unwrap().to_owned();
    assert_ne!(new_etag, etag);
    assert_eq!(server.get(GENERAL).await["zone_name"], "north");
    server.wait_for_log(1002, 1).await;
    let events = server.get("/api/v1/events").await;
    assert_eq!(events["items"][0]["kind"], "settings_changed", "{events}");
    assert_eq!(events["items"][0]["payload"]["reason"], "moved");

    let stale = server.admin(Method::PUT, GENERAL).header("if-match", &etag).json(&body).send().await.unwrap();
    assert_eq!(problem(stale).await.1, "stale");

    let server = server.restart().await;
    assert_eq!(server.get(GENERAL).await["zone_name"], "north", "it is on the disk");
    assert_eq!(server.etag(GENERAL).await, new_etag);
}

#[tokio::test]
async fn who_changes_another_section_is_in_nobodys_way() {
    const AGENTS: &str = "/api/v1/settings/agents";
    let server = Server::primary().await;
    let (etag, body) = (server.etag(GENERAL).await, server.get(GENERAL).await);
    let put = async |path: &str, etag: &str, body: &Value| {
        server.admin(Method::PUT, path).header("if-match", etag).json(body).send().await.unwrap()
    };
    let mut agents = server.get(AGENTS).await;
    agents["heartbeat_seconds"] = json!(9);
    assert_eq!(put(AGENTS, &etag, &agents).await.status(), StatusCode::OK);
    let mut north = body.clone();
    north["zone_name"] = json!("north");
    assert_eq!(put(GENERAL, &etag, &north).await.status(), StatusCode::OK, "only Agents has changed since");
    assert_eq!(problem(put(GENERAL, &etag, &body).await).await.1, "stale", "General has changed now");
    assert_eq!(server.get(AGENTS).await["heartbeat_seconds"], 9, "nothing was overwritten");
    let forged = etag.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(problem(put(GENERAL, &forged, &north).await).await.1, "stale");
}

#[tokio::test]
async fn a_general_setting_that_cannot_be_is_named() {
    let server = Server::primary().await;
    let before = server.fingerprint_of_state().await;
    for (field, value) in [
        ("zone_name", json!(" ")),
        ("time_zone", json!("Mars/Olympus")),
        ("realms", json!([["corp"]])),
        ("offline_policy", json!({ "allow_seen": 0 })),
        ("policy", json!("none")),
        ("role", json!("backup")),
    ] {
        let mut body = server.get(GENERAL).await;
        body[field] = value.clone();
        let etag = server.etag(GENERAL).await;
        let refused = server.admin(Method::PUT, GENERAL).header("if-match", etag).json(&body).send().await.unwrap();
        assert_eq!(problem(refused).await, (422, "invalid_field".into(), Some(field.into())), "{value}");
    }
    assert_eq!(server.fingerprint_of_state().await, before);
}

#[tokio::test]
async fn a_backup_refuses_every_synchronized_setting() {
    let server = Server::backup().await;
    let before = server.fingerprint_of_state().await;
    let rule = format!("{RULES}/{}", "0".repeat(32));
    let calls = [
        (Method::PUT, GENERAL, json!({})),
        (Method::POST, RULES, json!({ "subject": { "kind": "everybody" }, "limits": { "total": 1 } })),
        (Method::PUT, &rule, json!({})),
        (Method::DELETE, &rule, json!({})),
        (Method::POST, "/api/v1/tokens", json!({ "name": "x" })),
        (Method::POST, "/api/v1/enrolment-key", json!({})),
    ];
    for (method, path, body) in calls {
        let response = server.admin(method.clone(), path).header("if-match", "\"x\"").json(&body).send().await.unwrap();
        let (status, code, _) = problem(response).await;
        assert_eq!((status, code.as_str()), (409, "read_only_on_backup"), "{method} {path}");
    }
    assert_eq!(server.fingerprint_of_state().await, before);
}

#[tokio::test]
async fn a_backups_own_section_is_its_own() {
    let server = Server::backup().await;
    let put = async |change: &dyn Fn(&mut Value)| {
        let mut body = server.get(SYNCHRONIZATION).await;
        change(&mut body);
        let etag = server.etag(SYNCHRONIZATION).await;
        server.admin(Method::PUT, SYNCHRONIZATION).header("if-match", etag).json(&body).send().await.unwrap()
    };
    let response = put(&|body| {
        body["interval_seconds"] = json!(86_400);
        body["continuous"] = json!(false);
        body["reason"] = json!("test");
    });
    assert_eq!(response.await.status(), StatusCode::OK);
    let now = server.get(SYNCHRONIZATION).await;
    assert_eq!((&now["interval_seconds"], &now["continuous"]), (&json!(86_400), &json!(false)));
    let view = server.get("/api/v1/synchronization").await;
    assert_eq!((&view["interval_seconds"], &view["continuous"]), (&json!(86_400), &json!(false)));
    for (name, value) in [
        ("interval_seconds", json!(0)),
        ("interval_seconds", json!(86_401)),
        ("primary_url", json!("nonsense")),
        ("primary_url", json!("http://127.evil.example")),
        ("primary_url", json!("http://localhost:x@evil.example/")),
        ("primary_url", json!("http://127.0.0.1\\@evil.example/")),
        ("primary_url", json!("https://primary.example/path")),
        ("primary_url", json!("https://1.2.3.4.5.6")),
        // An https address without a certificate.
        ("primary_fingerprint", json!("")),
        ("service_account", json!("another")),
        ("primary_fingerprint", json!("ab")),
    ] {
        let refused = problem(
            put(&|body| {
                if name == "primary_fingerprint" {
                    body["primary_url"] = json!("https://primary.example:8443");
                } else {
                    body["primary_fingerprint"] = json!("ab".repeat(32));
                }
                body[name] = value.clone();
            })
            .await,
        )
        .await;
        assert_eq!(refused, (422, "invalid_field".into(), Some(name.into())), "{value}");
    }
}

#[tokio::test]
async fn only_an_administrator_says_who_gets_a_backups_token() {
    let server = Server::backup().await;
    let put = async |token: &str, change: &dyn Fn(&mut Value)| {
        let mut body = server.get(SYNCHRONIZATION).await;
        change(&mut body);
        let etag = server.etag(SYNCHRONIZATION).await;
        let request = server.plain(Method::PUT, SYNCHRONIZATION).bearer_auth(token);
        request.header("if-match", etag).json(&body).send().await.unwrap()
    };
    let (writer, administrator) = ("ult_write-settings", "ult_administrator");
    let to = |url: &'static str, fingerprint: String| {
        move |body: &mut Value| {
            (body["primary_url"], body["primary_fingerprint"]) = (json!(url), json!(fingerprint));
        }
    };
    let refused = async |change: &dyn Fn(&mut Value)| {
        let before = server.fingerprint_of_state().await;
        let why = problem(put(writer, change).await).await;
        assert_eq!((why.0, why.1.as_str()), (403, "beyond_own_rights"));
        assert_eq!(server.fingerprint_of_state().await, before);
    };
    let pin = || "ab".repeat(32);
    // It is plain HTTP from the beginning: another port has another listener.
    refused(&to("http://127.0.0.1:9999", String::new())).await;
    refused(&to("https://primary.example:8443", pin())).await;
    assert_eq!(put(administrator, &to("https://primary.example:8443", pin())).await.status(), StatusCode::OK);
    refused(&to("http://127.0.0.1:9999", pin())).await;
    refused(&to("http://127.0.0.1:9999", String::new())).await;
    refused(&to("https://primary.example:8443", String::new())).await;
    refused(&to("https://primary.example:8443", "cd".repeat(32))).await;
    // Whoever has the same certificate is the same server, and the rest of the section is anybody's who may write it.
    assert_eq!(put(writer, &to("https://primary.example:9000", pin())).await.status(), StatusCode::OK);
    assert_eq!(put(writer, &|body| body["interval_seconds"] = json!(7)).await.status(), StatusCode::OK);
    assert_eq!(put(administrator, &to("http://127.0.0.1:9999", String::new())).await.status(), StatusCode::OK);
    assert_eq!(put(writer, &|body| body["interval_seconds"] = json!(8)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn rules_are_made_changed_paged_and_deleted() {
    let server = Server::primary().await;
    let make = async |body: Value| server.admin(Method::POST, RULES).json(&body).send().await.unwrap();
    for name in ["carol", "alice", "bob"] {
        let response = make(json!({ "subject": { "kind": "user", "name": name }, "limits": { "total": 2 } })).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let place = response.headers()["location"].to_str().unwrap().to_owned();
        let made: Value = response.json().await.unwrap();
        assert_eq!(place, format!("{RULES}/{}", made["id"].as_str().unwrap()));
    }
    let again = make(json!({ "subject": { "kind": "user", "name": "ALICE" } })).await;
    assert_eq!(problem(again).await, (422, "invalid_field".into(), Some("subject".into())));

    let first = server.get(&format!("{RULES}?limit=2")).await;
    let next = server.get(&format!("{RULES}?limit=2&cursor={}", first["next"].as_str().unwrap())).await;
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["subject"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!((names(&first), names(&next)), (vec!["alice".into(), "bob".into()], vec!["carol".into()]));
    assert_eq!((&first["total"], &next["next"]), (&json!(3), &Value::Null));

    let path = format!("{RULES}/{}", first["items"][0]["id"].as_str().unwrap());
    let mut body = server.get(&path).await;
    body["limits"]["total"] = json!(0);
    let etag = server.etag(&path).await;
    let changed = server.admin(Method::PUT, &path).header("if-match", &etag).json(&body).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK, "what was read is written back");
    assert_eq!(server.get(&path).await["limits"]["total"], 0);
    let without = server.admin(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(problem(without).await.0, 428);
    let stale = server.admin(Method::DELETE, &path).header("if-match", &etag).send().await.unwrap();
    assert_eq!(problem(stale).await.0, 412);
    let etag = server.etag(&path).await;
    // Why is told in a body, which need not be there.
    let delete = async |path: &str, etag: &str, body: &Value| {
        server.admin(Method::DELETE, path).header("if-match", etag).json(body).send().await.unwrap()
    };
    for (body, field) in [
        (json!({ "why": "x" }), "why"),
        (json!({ "reason": 7 }), "reason"),
        (json!({ "reason": "x".repeat(3000) }), "reason"),
    ] {
        assert_eq!(problem(delete(&path, &etag, &body).await).await.2.as_deref(), Some(field), "{body}");
        assert_eq!(problem(delete(&path, "\"x\"", &body).await).await.0, 412, "before the body is read");
    }
    assert_eq!(delete(&path, &etag, &json!({ "reason": "she has left" })).await.status(), StatusCode::NO_CONTENT);
    let newest = server.get("/api/v1/revisions?limit=1").await["items"][0].clone();
    assert_eq!([&newest["section"], &newest["reason"]], ["protected-accounts", "she has left"]);
    let other = format!("{RULES}/{}", next["items"][0]["id"].as_str().unwrap());
    let etag = server.etag(&other).await;
    let gone = server.admin(Method::DELETE, &other).header("if-match", &etag).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(problem(server.admin(Method::GET, &path).send().await.unwrap()).await.0, 404);
}

#[tokio::test]
async fn a_rule_is_in_the_way_of_itself_alone() {
    let server = Server::primary().await;
    let make = async |name: &str| {
        let body = json!({ "subject": { "kind": "user", "name": name }, "limits": { "total": 2 } });
        let made = server.admin(Method::POST, RULES).json(&body).send().await.unwrap();
        let (status, etag) = (made.status(), made.headers().get("etag").map(|e| e.to_str().unwrap().to_owned()));
        (status, etag, made.json::<Value>().await.unwrap()["id"].as_str().map(|id| format!("{RULES}/{id}")))
    };
    let (_, Some(etag), Some(alice)) = make("alice").await else { panic!("a rule") };
    let (_, Some(_), Some(bob)) = make("bob").await else { panic!("a rule") };
    let read = server.get(&alice).await;
    assert_eq!((server.etag(&alice).await, read["etag"].as_str()), (etag.clone(), Some(etag.as_str())));
    let list = server.get(RULES).await;
    let listed: Vec<_> = list["items"].as_array().unwrap().iter().map(|rule| rule["etag"].clone()).collect();
    assert_eq!(listed, [read["etag"].clone(), server.get(&bob).await["etag"].clone()], "the list tells the same");
    assert_ne!(listed[0], listed[1]);

    // Another rule, and another section, change meanwhile.
    assert_eq!(server.change(&bob, |body| body["limits"]["total"] = json!(5)).await.status(), StatusCode::OK);
    assert_eq!(server.change(GENERAL, |body| body["zone_name"] = json!("north")).await.status(), StatusCode::OK);
    assert_eq!(server.etag(&alice).await, etag);
    let put = async |path: &str, etag: Option<&str>, body: &Value| {
        let request = server.admin(Method::PUT, path).json(body);
        let request = if let Some(etag) = etag { request.header("if-match", etag) } else { request };
        request.send().await.unwrap()
    };
    let mut mine = read.clone();
    mine["limits"]["total"] = json!(1);
    assert_eq!(put(&alice, Some(&etag), &mine).await.status(), StatusCode::OK);
    assert_eq!(server.get(&bob).await["limits"]["total"], 5, "nothing was overwritten");

    // The rule itself has changed by now.
    assert_eq!(problem(put(&alice, None, &mine).await).await.0, 428);
    assert_eq!(problem(put(&alice, Some(&etag), &read).await).await.1, "stale");
    let delete = async |path: &str, etag: &str| {
        server.admin(Method::DELETE, path).header("if-match", etag).send().await.unwrap()
    };
    assert_eq!(problem(delete(&alice, &etag).await).await.0, 412);
    assert_eq!(server.get(&alice).await["limits"]["total"], 1);
    let etag = server.etag(&alice).await;
    assert_eq!(server.change(&bob, |body| body["limits"]["vpn"] = json!(0)).await.status(), StatusCode::OK);
    assert_eq!(delete(&alice, &etag).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(problem(put(&alice, Some(&etag), &mine).await).await.0, 404, "deleted meanwhile");
    assert_eq!(problem(delete(&alice, &etag).await).await.0, 404);

    // Of two who make a rule for one subject at once, one is refused.
    let (one, other) = tokio::join!(make("carol"), make("carol"));
    let mut statuses = [one.0.as_u16(), other.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    assert_eq!(server.get(RULES).await["total"], 2);
}

#[tokio::test]
async fn a_token_that_was_made_works_and_is_told_once() {
    let server = Server::primary().await;
    let body = json!({ "name": "reader", "role": "read_only" });
    let response = server.admin(Method::POST, "/api/v1/tokens").json(&body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let made: Value = response.json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    let get = server.plain(Method::GET, "/api/v1/server").bearer_auth(token).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::OK);
    let post = server.plain(Method::POST, "/api/v1/enrolment-key").bearer_auth(token).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::FORBIDDEN);
    for file in ["state.sqlite", "state.sqlite-wal", "product.sqlite", "product.sqlite-wal"] {
        let stored = std::fs::read(server.dir.path().join(file)).unwrap_or_default();
        assert!(!stored.windows(token.len()).any(|part| part == token.as_bytes()), "{file} has the token");
    }
}

#[tokio::test]
async fn who_changed_an_area_and_why_is_told_to_who_may_read_it() {
    let server = Server::primary().await;
    let changed = server.change("/api/v1/settings/security", |body| {
        (body["session_minutes"], body["reason"]) = (json!(77), json!("the auditors come"));
    });
    assert_eq!(changed.await.status(), StatusCode::OK);
    let changed = server.change(GENERAL, |body| (body["zone_name"], body["reason"]) = (json!("n"), json!("moved")));
    assert_eq!(changed.await.status(), StatusCode::OK);
    let seen = async |token: &str, path: &str| -> Value {
        let response = server.plain(Method::GET, path).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    };
    // A role that reads the settings, and not Security.
    let (may, may_not) = ("ult_read_only", "ult_read-settings");
    for (path, revision) in [
        ("/api/v1/revisions?section=security&limit=1", "/items/0"),
        ("/api/v1/revisions/2", "/revision"),
        ("/api/v1/revisions/3", "/before"),
        ("/api/v1/revisions/3?with=2", "/before"),
    ] {
        let told = |seen: &Value| {
            let revision = seen.pointer(revision).unwrap();
            [&revision["section"], &revision["by"], &revision["reason"]].map(Value::clone)
        };
        assert_eq!(told(&seen(may, path).await)[2], "the auditors come", "{path}");
        let masked = seen(may_not, path).await;
        assert_eq!(told(&masked), [json!("security"), json!("somebody"), Value::Null], "{path}");
        assert!(
            !masked.to_string().contains("auditors") && !masked.to_string().contains("session_minutes"),
            "{masked}"
        );
    }
    assert_eq!(seen(may_not, "/api/v1/revisions/3").await["revision"]["reason"], "moved", "what they may read");
    // Nor is it told by the audited events.
    let events = seen("ult_read-sessions", "/api/v1/events").await;
    assert_eq!(events["items"][1]["payload"]["section"], "security", "{events}");
    assert_eq!(events["items"][1]["payload"]["by"], "somebody", "{events}");
    assert!(events["items"][1]["summary"].as_str().unwrap().starts_with("somebody changed"), "{events}");
    assert!(!events.to_string().contains("auditors"), "{events}");
    assert!(seen(may, "/api/v1/events").await.to_string().contains("auditors"));
    let page = async |account: &str| {
        let cookie = server.sign_in(account).await;
        let page = server.plain(Method::GET, "/properties/history/2").header("cookie", cookie).send().await.unwrap();
        page.text().await.unwrap()
    };
    assert!(page("read_only").await.contains("the auditors come"));
    let masked = page("read-settings").await;
    assert!(masked.contains("somebody changed Security") && !masked.contains("auditors"), "{masked}");
}

#[tokio::test]
async fn what_may_not_be_brought_back_is_refused_before_what_is_asked_with_it() {
    let (server, backup) = (Server::primary().await, Server::backup().await);
    let rule = json!({ "subject": { "kind": "user", "name": "ann" }, "limits": { "total": 2 } });
    let made = server.admin(Method::POST, RULES).json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let security = server.change("/api/v1/settings/security", |body| body["session_minutes"] = json!(44)).await;
    assert_eq!(security.status(), StatusCode::OK);
    let (rules, security, agents) = (2, 3, 4);
    let changed = server.change("/api/v1/settings/agents", |body| body["heartbeat_seconds"] = json!(11)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let restore = async |server: &Server, name: &str, n: u32, etag: Option<&str>, body: Value| {
        let request = server.plain(Method::POST, &format!("/api/v1/revisions/{n}/restore"));
        let request = request.bearer_auth(format!("ult_{name}")).json(&body);
        let request = if let Some(etag) = etag { request.header("if-match", etag) } else { request };
        let response = request.send().await.unwrap();
        if response.status().is_success() { "done".to_owned() } else { problem(response).await.1 }
    };
    let etag = server.etag(GENERAL).await;
    let (good, bad) = (json!({ "reason": "r" }), json!({ "reason": 7 }));
    // Who asks, for which revision, and what is told with no ETag, with an old one, and with the present one.
    for (name, n, told) in [
        ("write-settings", rules, ["forbidden", "forbidden", "forbidden"]),
        ("deny-protected_accounts", rules, ["forbidden", "forbidden", "forbidden"]),
        ("write-settings", security, ["not_restorable", "not_restorable", "not_restorable"]),
        ("administrator", security, ["not_restorable", "not_restorable", "not_restorable"]),
        ("administrator", 99, ["not_found", "not_found", "not_found"]),
        ("administrator", rules, ["precondition_required", "stale", "invalid_field"]),
        ("write-settings", agents, ["precondition_required", "stale", "invalid_field"]),
    ] {
        for (etag, told) in [None, Some("\"x\""), Some(etag.as_str())].into_iter().zip(told) {
            assert_eq!(restore(&server, name, n, etag, bad.clone()).await, told, "{name} {n} {etag:?}");
        }
    }
    assert_eq!(restore(&server, "write-settings", rules, Some(&etag), good.clone()).await, "forbidden");
    assert_eq!(server.etag(GENERAL).await, etag, "nothing has changed");
    assert_eq!(restore(&server, "write-settings", agents, Some(&etag), good.clone()).await, "done");
    for n in [1, 99] {
        assert_eq!(restore(&backup, "administrator", n, None, bad.clone()).await, "read_only_on_backup");
    }
}

#[tokio::test]
async fn two_revisions_are_compared_from_the_earlier_to_the_later_whichever_is_named_first() {
    let server = Server::primary().await;
    let changed = server.change("/api/v1/settings/agents", |body| body["heartbeat_seconds"] = json!(11)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let rule = json!({ "subject": { "kind": "user", "name": "ann" }, "limits": { "total": 2 } });
    let made = server.admin(Method::POST, RULES).json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let forth = server.get("/api/v1/revisions/3?with=1").await;
    assert_eq!((&forth["revision"]["n"], &forth["before"]["n"]), (&json!(3), &json!(1)));
    let changes = forth["changes"].as_array().unwrap();
    let heartbeat = json!({ "field": "agents.heartbeat_seconds", "from": "20", "to": "11" });
    assert!(changes.contains(&heartbeat), "{forth}");
    let rule = changes.iter().find(|change| change["field"] == "protected_accounts.user ann.limits.total").unwrap();
    assert_eq!((&rule["from"], &rule["to"]), (&Value::Null, &json!("2")));
    assert_eq!(server.get("/api/v1/revisions/1?with=3").await, forth);
    assert_eq!(server.get("/api/v1/revisions/1").await["before"], Value::Null);
    assert_eq!(server.get("/api/v1/revisions/3?with=3").await["changes"], json!([]));
}
