//! Each endpoint with bad input: the documented error, and nothing has changed.

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
use serde_json::json;

const ID: &str = "00000000000000000000000000000000";

fn session_actions() -> String {
    format!("/api/v1/sessions/{ID}-1@pc/actions")
}

/// The endpoints that take a body, each with one that is right but for what is not there.
fn with_bodies() -> Vec<(Method, String, serde_json::Value)> {
    let rule = json!({ "subject": { "kind": "everybody" }, "limits": { "total": 1 } });
    let general = json!({
        "zone_name": "z", "policy": "most_restrictive", "offline_policy": "allow", "log_off_disallowed": false,
        "time_zone": "UTC", "realms": []
    });
    vec![
        (Method::POST, session_actions(), json!({ "action": "reset", "reason": "r" })),
        (Method::PUT, "/api/v1/settings/general".into(), general),
        (Method::POST, "/api/v1/protected-accounts".into(), rule),
        (Method::POST, "/api/v1/tokens".into(), json!({ "name": "x" })),
        (Method::POST, format!("/api/v1/agents/{ID}/revoke"), json!({ "reason": "r" })),
        (Method::POST, format!("/api/v1/agents/{ID}/release"), json!({ "reason": "r" })),
    ]
}

/// A request of the administrator that names the present revision.
async fn send(
    server: &Server,
    method: &Method,
    path: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, String, Option<String>) {
    let etag = server.etag("/api/v1/settings/general").await;
    let request =
        server.admin(method.clone(), path).header("content-type", "application/json").header("if-match", etag);
    problem(request.body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn bodies_that_are_wrong_are_refused_by_name() {
    let server = Server::primary().await;
    let before = server.fingerprint_of_state().await;
    for (method, path, good) in with_bodies() {
        let name = format!("{method} {path}");
        let (status, code, _) = send(&server, &method, &path, "{\"a\": ").await;
        assert_eq!((status, code.as_str()), (400, "malformed_json"), "{name}");
        let (status, code, _) = send(&server, &method, &path, format!("{good} x")).await;
        assert_eq!((status, code.as_str()), (400, "malformed_json"), "{name}");
        let (status, code, _) = send(&server, &method, &path, vec![0xff, 0xfe, b'{']).await;
        assert_eq!((status, code.as_str()), (400, "malformed_json"), "{name}");
        let (status, code, _) = send(&server, &method, &path, "[]").await;
        assert_eq!((status, code.as_str()), (422, "invalid_field"), "{name}");
        let mut unknown = good.clone();
        unknown["nonsense"] = json!(1);
        let got = send(&server, &method, &path, unknown.to_string()).await;
        assert_eq!(got, (422, "unknown_field".into(), Some("nonsense".into())), "{name}");
        let (status, code, _) = send(&server, &method, &path, vec![b' '; 300 * 1024]).await;
        assert_eq!((status, code.as_str()), (413, "body_too_large"), "{name}");
        let etag = server.etag("/api/v1/settings/general").await;
        let plain = server.admin(method.clone(), &path).header("if-match", etag).header("content-type", "text/plain");
        let (status, code, _) = problem(plain.body(good.to_string()).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (415, "unsupported_media_type"), "{name}");
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        let (status, ..) = send(&server, &method, &path, nested).await;
        assert!(matches!(status, 400 | 422), "{name}: {status}");
    }
    assert_eq!(server.fingerprint_of_state().await, before);
}

#[tokio::test]
async fn a_field_that_cannot_be_so_is_named() {
    let server = Server::primary().await;
    let before = server.fingerprint_of_state().await;
    let rule = |limits: serde_json::Value| json!({ "subject": { "kind": "everybody" }, "limits": limits });
    let general = |name: &str, value: serde_json::Value| {
        let mut body = with_bodies()[1].2.clone();
        body[name] = value;
        body
    };
    let actions = session_actions();
    let cases: Vec<(Method, &str, serde_json::Value, &str, &str)> = vec![
        (Method::POST, "/api/v1/protected-accounts", rule(json!({ "total": -1 })), "invalid_field", "limits.total"),
        (
            Method::POST,
            "/api/v1/protected-accounts",
            rule(json!({ "total": 100_001 })),
            "invalid_field",
            "limits.total",
        ),
        (Method::POST, "/api/v1/protected-accounts", rule(json!({ "laptop": 1 })), "unknown_field", "limits.laptop"),
        (
            Method::POST,
            "/api/v1/protected-accounts",
            json!({ "subject": { "kind": "user" } }),
            "invalid_field",
            "subject.name",
        ),
        (
            Method::POST,
            "/api/v1/protected-accounts",
            json!({ "subject": { "kind": "ou", "name": "x" } }),
            "invalid_field",
            "subject.kind",
        ),
        (
            Method::POST,
            "/api/v1/protected-accounts",
            json!({ "subject": { "kind": "x", "name": "x" } }),
            "invalid_field",
            "subject.kind",
        ),
        (Method::POST, "/api/v1/protected-accounts", json!({ "limits": {} }), "invalid_field", "subject"),
        (Method::PUT, "/api/v1/settings/general", general("zone_name", json!("")), "invalid_field", "zone_name"),
        (Method::PUT, "/api/v1/settings/general", general("zone_name", json!(7)), "invalid_field", "zone_name"),
        (Method::PUT, "/api/v1/settings/general", general("time_zone", json!("Mars?")), "invalid_field", "time_zone"),
        (Method::PUT, "/api/v1/settings/general", general("policy", json!("x")), "invalid_field", "policy"),
        (
            Method::PUT,
            "/api/v1/settings/general",
            general("offline_policy", json!({ "allow_seen": 400 })),
            "invalid_field",
            "offline_policy",
        ),
        (Method::PUT, "/api/v1/settings/general", general("role", json!("backup")), "invalid_field", "role"),
        (Method::PUT, "/api/v1/settings/general", general("server_name", json!("x")), "invalid_field", "server_name"),
        (Method::POST, "/api/v1/tokens", json!({ "name": "" }), "invalid_field", "name"),
        (Method::POST, "/api/v1/tokens", json!({ "name": "x", "role": "king" }), "invalid_field", "role"),
        (Method::POST, &actions, json!({ "action": "explode", "reason": "r" }), "invalid_field", "action"),
        (Method::POST, &actions, json!({ "action": "lock", "reason": "r" }), "not_supported", "action"),
        (Method::POST, &actions, json!({ "action": "message", "text": "t", "reason": "r" }), "not_supported", "action"),
        (Method::POST, &actions, json!({ "action": "logoff", "reason": "" }), "invalid_field", "reason"),
        (Method::POST, &actions, json!({ "action": "logoff" }), "invalid_field", "reason"),
        (Method::POST, &actions, json!({ "action": "reset", "reason": "x".repeat(3000) }), "invalid_field", "reason"),
        (Method::POST, &actions, json!({ "action": "reset", "text": "t", "reason": "r" }), "invalid_field", "text"),
    ];
    for (method, path, body, code, field) in cases {
        let got = send(&server, &method, path, body.to_string()).await;
        assert_eq!(got, (422, code.to_owned(), Some(field.to_owned())), "{method} {path} {body}");
    }
    assert_eq!(server.fingerprint_of_state().await, before);
}

#[tokio::test]
async fn pages_are_of_1_to_500_and_parameters_are_known() {
    let server = Server::primary().await;
    for list in ["sessions", "events", "application-log", "agents", "protected-accounts"] {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=-1", "limit"),
            ("limit=x", "limit"),
            ("cursor=nonsense%20%00", "cursor"),
            ("nonsense=1", "nonsense"),
        ] {
            let response = server.admin(Method::GET, &format!("/api/v1/{list}?{query}")).send().await.unwrap();
            let (status, _, named) = problem(response).await;
            assert_eq!((status, named.as_deref()), (422, Some(field)), "{list}?{query}");
        }
        let page = server.get(&format!("/api/v1/{list}?limit=500")).await;
        assert!(page["items"].is_array(), "{list}");
    }
    for (query, field) in [("sort=nonsense", "sort"), ("type=nonsense", "type"), ("state=nonsense", "state")] {
        let response = server.admin(Method::GET, &format!("/api/v1/sessions?{query}")).send().await.unwrap();
        assert_eq!(problem(response).await.2.as_deref(), Some(field), "{query}");
    }
    let response = server.admin(Method::GET, "/api/v1/application-log?level=nonsense").send().await.unwrap();
    assert_eq!(problem(response).await.2.as_deref(), Some("level"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = Server::primary().await;
    let before = server.fingerprint_of_state().await;
    for path in [
        "/api/v1/nonsense",
        "/api/v1/sessions/x/actions/y",
        "/agent/v1/nonsense",
        "/replication/v1/nonsense",
        "/pkg/nonsense.js",
    ] {
        let (status, code, _) = problem(server.admin(Method::GET, path).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (404, "not_found"), "{path}");
    }
    let (status, code, _) = problem(server.admin(Method::DELETE, "/api/v1/server").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
    for path in [&format!("/api/v1/protected-accounts/{ID}"), "/api/v1/protected-accounts/nonsense"] {
        let (status, ..) = problem(server.admin(Method::GET, path).send().await.unwrap()).await;
        assert_eq!(status, 404, "{path}");
    }
    for (path, body) in [
        (session_actions(), json!({ "action": "reset", "reason": "r" })),
        (session_actions(), json!({ "action": "logoff", "reason": "r" })),
        ("/api/v1/sessions/nonsense/actions".into(), json!({ "action": "reset", "reason": "r" })),
        (format!("/api/v1/agents/{ID}/revoke"), json!({ "reason": "r" })),
        (format!("/api/v1/agents/{ID}/release"), json!({ "reason": "r" })),
        ("/api/v1/agents/nonsense/release".into(), json!({ "reason": "r" })),
    ] {
        let (status, code, _) = problem(server.admin(Method::POST, &path).json(&body).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (404, "not_found"), "{path}");
    }
    assert_eq!(server.fingerprint_of_state().await, before);
}

#[tokio::test]
async fn a_primary_starts_no_synchronization() {
    let server = Server::primary().await;
    let run = format!("/api/v1/synchronization/runs/{ID}");
    let calls = [
        (Method::GET, "/api/v1/synchronization"),
        (Method::POST, "/api/v1/synchronization/events"),
        (Method::POST, "/api/v1/synchronization/sessions"),
        (Method::POST, "/api/v1/synchronization/test"),
        (Method::GET, &run),
        (Method::DELETE, &run),
    ];
    for (method, path) in calls {
        let (status, code, _) = problem(server.admin(method.clone(), path).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (409, "not_a_backup"), "{method} {path}");
    }
    let response = server.admin(Method::GET, "/api/v1/settings/synchronization").send().await.unwrap();
    assert_eq!(problem(response).await.0, 404);
}

#[tokio::test]
async fn synchronization_on_a_backup_takes_only_what_it_knows() {
    let server = Server::backup().await;
    let before = server.fingerprint_of_state().await;
    let post = async |path: &str, body: &str| {
        let request = server.admin(Method::POST, path).header("content-type", "application/json").body(body.to_owned());
        problem(request.send().await.unwrap()).await
    };
    for path in ["events", "sessions", "test"].map(|kind| format!("/api/v1/synchronization/{kind}")) {
        assert_eq!(post(&path, "{").await.0, 400, "{path}");
        assert_eq!(
            post(&path, r#"{"nonsense":1}"#).await,
            (422, "unknown_field".into(), Some("nonsense".into())),
            "{path}"
        );
        assert_eq!(post(&path, &" ".repeat(300 * 1024)).await.0, 413, "{path}");
    }
    let response = server.admin(Method::POST, "/api/v1/synchronization/events?wait=26").send().await.unwrap();
    assert_eq!(problem(response).await, (422, "invalid_field".into(), Some("wait".into())));
    let run = format!("/api/v1/synchronization/runs/{ID}");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(problem(server.admin(method, &run).send().await.unwrap()).await.0, 404);
    }
    assert_eq!(server.fingerprint_of_state().await, before);

    let response = server.admin(Method::POST, "/api/v1/synchronization/events?wait=20").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let run: serde_json::Value = response.json().await.unwrap();
    assert_eq!((run["state"].as_str(), run["error"]["log_id"].as_u64()), (Some("failed"), Some(1202)), "{run}");
}
