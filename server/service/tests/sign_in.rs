//! Signing in and out, the dashboard's pages, and the live stream.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{PASSWORD, Server, problem, token};
use reqwest::{Method, StatusCode};
use userlock_core::settings::Role;

fn location(response: &reqwest::Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_good_password_signs_in_and_signing_out_ends_it() {
    let server = Server::primary().await;
    let response = server.sign_in_form("Administrator", PASSWORD).await;
    assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/sessions"));
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let get = async |path: &str| server.plain(Method::GET, path).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(get("/api/v1/server").await.status(), StatusCode::OK);
    let stored = std::fs::read(server.dir.path().join("product.sqlite-wal")).unwrap();
    let secret = cookie.split_once('=').unwrap().1;
    assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()), "the cookie is kept as its hash");

    let elsewhere =
        server.plain(Method::POST, "/sign-out").header("cookie", &cookie).header("origin", "https://evil.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let out = server.plain(Method::POST, "/sign-out").header("cookie", &cookie).header("origin", &server.url);
    assert_eq!(location(&out.send().await.unwrap()), "/sign-in");
    assert_eq!(get("/api/v1/server").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sign_in_outlives_a_restart() {
    let server = Server::primary().await;
    let cookie = server.sign_in("operator").await;
    let server = server.restart().await;
    let response = server.plain(Method::GET, "/api/v1/server").header("cookie", cookie).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn ten_failures_close_the_door() {
    let server = Server::primary().await;
    for attempt in 0..10 {
        // Unknown accounts are told nothing else than known ones.
        let account = if attempt % 2 == 0 { "operator" } else { "nobody" };
        let response = server.sign_in_form(account, "wrong").await;
        assert!(location(&response).starts_with("/sign-in?error=invalid"), "{}", location(&response));
    }
    let response = server.sign_in_form("administrator", PASSWORD).await;
    assert!(location(&response).starts_with("/sign-in?error=locked"), "this address has had its failures");
    assert!(response.headers().get("set-cookie").is_none());
    assert_eq!(server.get("/api/v1/application-log?id=1401").await["total"], 10);
    assert_eq!(server.get("/api/v1/application-log?id=1402").await["total"], 1);
}

#[tokio::test]
async fn what_can_be_no_account_is_neither_told_nor_counted() {
    let server = Server::primary().await;
    let long = format!("{}\u{e9}", "x".repeat(255));
    for name in ["x\n2025-01-01T00:00:00Z ERROR forged", "operator\u{1b}[2J", &long, &"x".repeat(5000)] {
        for _ in 0..10 {
            let response = server.sign_in_form(name, PASSWORD).await;
            assert!(location(&response).starts_with("/sign-in?error=invalid"), "{name:?}: {}", location(&response));
        }
    }
    assert_eq!(server.get("/api/v1/application-log?id=1401").await["total"], 0);
    assert_eq!(server.get("/api/v1/application-log?id=1402").await["total"], 0);
    let good = server.sign_in_form("operator", PASSWORD).await;
    assert_eq!(location(&good), "/sessions", "the address has had no failure");
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let server = Server::primary().await;
    let form = [("user", "administrator"), ("password", PASSWORD), ("next", "https://evil.example")];
    let foreign = server.plain(Method::POST, "/sign-in").header("origin", "https://evil.example").form(&form);
    assert_eq!(problem(foreign.send().await.unwrap()).await.1, "origin_refused");
    let own = server.plain(Method::POST, "/sign-in").header("origin", &server.url).form(&form).send().await.unwrap();
    assert_eq!(location(&own), "/", "nobody is led elsewhere");
}

#[tokio::test]
async fn pages_need_a_sign_in_and_say_so_politely() {
    let server = Server::primary().await;
    let get = async |path: &str, cookie: Option<&str>| {
        let request = server.plain(Method::GET, path);
        let request = if let Some(cookie) = cookie { request.header("cookie", cookie) } else { request };
        request.send().await.unwrap()
    };
    let away = get("/sessions?q=a%26b", None).await;
    assert_eq!((away.status(), location(&away)), (StatusCode::SEE_OTHER, "/sign-in?next=%2Fsessions%3Fq%3Da%2526b"));
    let form = get("/sign-in", None).await;
    assert_eq!(form.status(), StatusCode::OK);
    assert!(form.text().await.unwrap().contains("name=\"password\""));
    let cookie = server.sign_in("read_only").await;
    assert_eq!(location(&get("/sign-in?next=%2Fsessions", Some(&cookie)).await), "/sessions");
    for path in ["/", "/sessions", "/protected-accounts", "/application-log", "/properties/general"] {
        let page = get(path, Some(&cookie)).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("'nonce-"), "{policy}");
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    }
    assert_eq!(get("/nowhere", Some(&cookie)).await.status(), StatusCode::NOT_FOUND);
    let style = get("/style.css", None).await;
    assert_eq!(
        (style.status(), style.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/css; charset=utf-8")
    );
    let etag = style.headers()["etag"].to_str().unwrap().to_owned();
    let again = server.plain(Method::GET, "/style.css").header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn the_live_stream_tells_of_changes_and_ends_with_the_sign_in() {
    let server = Server::primary().await;
    let cookie = server.sign_in("read_only").await;
    let request = server.plain(Method::GET, "/live").header("cookie", &cookie);
    let mut stream = request.send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.starts_with("event: overview\ndata: {"), "{first}");
    let rule = serde_json::json!({ "subject": { "kind": "everybody" }, "limits": { "total": 3 } });
    let made = server.admin(Method::POST, "/api/v1/protected-accounts").json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let mut told = String::new();
    while !told.contains("\"protected_accounts\":1") {
        told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("the stream goes on")));
    }
    let out = server.plain(Method::POST, "/sign-out").header("cookie", &cookie).header("origin", &server.url);
    out.send().await.unwrap();
    while stream.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Server::primary().await;
    let ready = server.plain(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let backup = Server::backup().await;
    let ready = backup.plain(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE, "it has not had its first synchronization");
    let metrics = server.plain(Method::GET, "/metrics").bearer_auth(token(Role::ReadOnly)).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    assert!(text.lines().any(|line| line == "userlock_ready 1"), "{text}");
    let document: serde_json::Value =
        server.plain(Method::GET, "/api/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}
