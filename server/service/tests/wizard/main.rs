//! The Configuration wizard's interface: who is let in, what is refused, and that nothing else is served before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

#[path = "../common/mod.rs"]
mod common;
mod empty;
mod kill;

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use common::{PASSWORD, Server, problem};
use empty::{Empty, location};
use reqwest::StatusCode;

fn backup(primary: &str) -> [(&str, &str); 2] {
    [("role", "backup"), ("primary", primary)]
}

fn account<'a>(name: &'a str, password: &'a str) -> [(&'a str, &'a str); 2] {
    [("account", name), ("password", password)]
}

#[tokio::test]
async fn before_it_is_set_up_only_the_wizard_is_served() {
    let empty = Empty::new().await;
    assert_eq!(empty.get("/healthz", "").await.status(), StatusCode::OK);
    for path in ["/readyz", "/metrics", "/live", "/api/v1/server", "/api/openapi.json", "/fn/overview"] {
        let (status, code, _) = problem(empty.get(path, "").await).await;
        assert_eq!((status, code.as_str()), (503, "not_set_up"), "{path}");
    }
    for path in ["/agent/v1/hello", "/replication/v1/join", "/api/v1/tokens"] {
        let (status, code, _) = problem(empty.post(path, "", &[]).await).await;
        assert_eq!((status, code.as_str()), (503, "not_set_up"), "{path}");
    }
    for path in ["/", "/sign-in", "/sessions", "/wizard/server-type", "/wizard/finish", "/pkg/userlock.js"] {
        let answer = empty.get(path, "").await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/wizard".into()), "{path}");
    }
    let page = empty.get("/wizard", "").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let page = page.text().await.unwrap();
    assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
    assert_eq!(empty.get("/style.css", "").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_the_code_opens_it_and_attempts_are_limited() {
    let empty = Empty::new().await;
    let forged = |origin: &'static str| {
        let request = empty.client.post(format!("{}/wizard", empty.url)).header("origin", origin);
        request.form(&[("code", empty.code.as_str())]).send()
    };
    for origin in ["https://evil.example", "null"] {
        let (status, code, _) = problem(forged(origin).await.unwrap()).await;
        assert_eq!((status, code.as_str()), (403, "origin_refused"), "{origin}");
    }
    let no_cookie = empty.post("/wizard/server-type", "", &[("role", "primary")]).await;
    assert_eq!(location(&no_cookie), "/wizard");
    let wrong_cookie = empty.post("/wizard/finish", "userlock-wizard-1=00", &[]).await;
    assert_eq!(location(&wrong_cookie), "/wizard");

    let cookie = empty.open().await;
    let ahead = empty.get("/wizard/finish", &cookie).await;
    assert_eq!(location(&ahead), "/wizard/server-type", "no step is passed over");
    let ahead = empty.post("/wizard/finish", &cookie, &[]).await;
    assert_eq!(location(&ahead), "/wizard/server-type");

    for _ in 0..10 {
        let wrong = empty.post("/wizard", "", &[("code", "ABCD-EFGH-JKLM")]).await;
        assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text().await.unwrap().contains("data-code=\"wrong_code\""));
    }
    let right = empty.post("/wizard", "", &[("code", &empty.code)]).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS, "too many were wrong");
    assert_eq!(empty.get("/wizard/server-type", &cookie).await.status(), StatusCode::OK, "who is in stays in");
    let before = empty.code.clone();
    let empty = empty.restart().await;
    assert_ne!(empty.code, before, "each start makes another code");
    assert_eq!(location(&empty.get("/wizard/server-type", &cookie).await), "/wizard");
    let first = empty.get("/wizard", &at_its_port(&empty, &cookie)).await.text().await.unwrap();
    assert!(!first.contains("data-code") && first.contains("One-time code"), "nothing was typed: {first}");
    empty.open().await;
}

/// The cookie of an earlier start, as a browser brings it to this one.
fn at_its_port(empty: &Empty, cookie: &str) -> String {
    let (port, secret) = (empty.url.rsplit(':').next().unwrap(), cookie.split_once('=').unwrap().1);
    format!("userlock-wizard-{port}={secret}")
}

#[tokio::test]
async fn each_field_of_a_primary_is_checked_and_then_it_is_made() {
    let mut empty = Empty::new().await;
    let cookie = empty.open().await;
    let page = empty.refused("/wizard/server-type", &cookie, &[], "no_type").await;
    let group = page.split("<fieldset").nth(1).unwrap().split('>').next().unwrap();
    assert!(group.contains("aria-invalid=\"true\" aria-describedby=\"role-wrong\""), "{group}");
    empty.passed("/wizard/server-type", &cookie, &[("role", "primary")], "/wizard/zone").await;
    let good = [("zone", "north"), ("name", "srv-a"), ("public_url", &empty.url), ("admin", "Root")];
    let with = |name: &'static str, value: &'static str| good.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
    let path = "/wizard/zone";
    empty.refused(path, &cookie, &with("zone", " "), "zone_invalid").await;
    empty.refused(path, &cookie, &with("name", ""), "name_invalid").await;
    empty.refused(path, &cookie, &with("public_url", "north"), "public_url_invalid").await;
    empty.refused(path, &cookie, &with("public_url", "http://a.example:1"), "public_url_invalid").await;
    let page = empty.refused(path, &cookie, &with("public_url", "https://127.0.0.1:1"), "public_url_invalid").await;
    assert!(page.contains("this server speaks plain HTTP"), "{page}");
    let passwords = |password: &'static str, again: &'static str| [("password", password), ("again", again)];
    let form = [&with("admin", "a b")[..], &passwords(PASSWORD, PASSWORD)].concat();
    empty.refused(path, &cookie, &form, "admin_invalid").await;
    empty.refused(path, &cookie, &[&good[..], &passwords(PASSWORD, "x")].concat(), "passwords_differ").await;
    let page = empty.refused(path, &cookie, &[&good[..], &passwords("abc", "abc")].concat(), "password_invalid").await;
    assert!(page.contains("value=\"north\"") && page.contains("value=\"Root\""), "what was typed is kept: {page}");

    let back = [&good[..], &passwords(PASSWORD, PASSWORD), &[("go", "back")]].concat();
    empty.passed(path, &cookie, &back, "/wizard/server-type").await;
    empty.passed("/wizard/server-type", &cookie, &[("role", "primary")], path).await;
    empty.passed(path, &cookie, &good, "/wizard/account").await;
    empty.passed("/wizard/account", &cookie, &[], "/wizard/finish").await;
    assert!(!empty.data().join("state.sqlite").exists(), "nothing is made before the end");
    empty.passed("/wizard/finish", &cookie, &[("go", "on")], "/wizard/finish").await;
    let page = empty.says("/wizard/finish", &cookie, "Start the server and sign in").await;
    assert!(page.contains("userlock1."), "{page}");
    assert_eq!(problem(empty.get("/readyz", "").await).await.0, 503);
    let started = empty.post("/wizard/start", &cookie, &[]).await;
    assert_eq!(location(&started), "/sign-in");

    empty.says("/readyz", "", "\"ready\":true").await;
    let signed_in = empty.post("/sign-in", "", &[("user", "root"), ("password", PASSWORD), ("next", "/")]).await;
    assert_eq!(location(&signed_in), "/", "{signed_in:?}");
    assert_eq!(location(&empty.get("/wizard", &cookie).await), "/", "the wizard has done its work");
    let told = std::fs::read_to_string(empty.data().join("server.toml")).unwrap();
    assert!(told.contains("name = \"srv-a\""), "{told}");
    for file in std::fs::read_dir(empty.data()).unwrap() {
        let stored = std::fs::read(file.unwrap().path()).unwrap();
        let kept = |secret: &str| stored.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!kept(PASSWORD) && !kept(&empty.code.replace('-', "")) && !kept(&empty.code));
    }
    empty.end().await;
}

#[tokio::test]
async fn what_was_typed_is_there_after_a_restart_but_no_password() {
    let empty = Empty::new().await;
    let cookie = empty.open().await;
    empty.passed("/wizard/server-type", &cookie, &[("role", "primary")], "/wizard/zone").await;
    let url = empty.url.clone();
    let names = [("zone", "north"), ("name", "srv-a"), ("public_url", url.as_str()), ("admin", "Root")];
    let form = [&names[..], &[("password", PASSWORD), ("again", PASSWORD)]].concat();
    empty.passed("/wizard/zone", &cookie, &form, "/wizard/account").await;
    let draft = empty.data().join("draft.json");
    let kept = std::fs::read_to_string(&draft).unwrap();
    let secrets = [PASSWORD, "argon2", &empty.code, &empty.code.replace('-', "")];
    assert!(kept.contains("north") && secrets.iter().all(|secret| !kept.contains(secret)), "{kept}");
    assert_eq!(std::fs::metadata(&draft).unwrap().permissions().mode() & 0o777, 0o600);

    let empty = empty.restart().await;
    let again = empty.get("/wizard", &at_its_port(&empty, &cookie)).await.text().await.unwrap();
    assert!(again.contains("data-code=\"code_again\""), "why it is closed again is said: {again}");
    let first = empty.get("/wizard", "").await.text().await.unwrap();
    assert!(!first.contains("data-code"), "to who had it never open there is no again: {first}");
    let cookie = empty.open_at("/wizard/zone").await;
    let page = empty.get("/wizard/zone", &cookie).await.text().await.unwrap();
    for typed in ["north", "srv-a", "Root"] {
        assert!(page.contains(&format!("value=\"{typed}\"")), "{typed}: {page}");
    }
    let address = ("public_url", empty.url.as_str());
    let names = [names[0], names[1], address, names[3]];
    empty.refused("/wizard/zone", &cookie, &names, "password_invalid").await;
    let form = [&names[..], &[("password", PASSWORD), ("again", PASSWORD)]].concat();
    empty.passed("/wizard/zone", &cookie, &form, "/wizard/account").await;
    empty.passed("/wizard/account", &cookie, &[], "/wizard/finish").await;
    empty.passed("/wizard/finish", &cookie, &[], "/wizard/finish").await;
    empty.says("/wizard/finish", &cookie, "Start the server and sign in").await;
    assert!(!draft.exists(), "it is done");

    // One that cannot be read is none.
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/draft.json"), "{\"role\":").unwrap();
    Empty::in_dir(dir).await.open().await;
}

/// A server that answers as another version does.
async fn another_version() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = || async {
        let body = r#"{"status":400,"code":"protocol_version","title":"","detail":"This server speaks version 9.","field":null}"#;
        (StatusCode::BAD_REQUEST, body)
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
}

/// A server that is something else.
async fn something_else() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(|| async { "hello" })).await });
    url
}

#[tokio::test]
async fn each_thing_that_stands_against_a_backup_has_its_code() {
    let (empty, primary, stranger) = (Empty::new().await, Server::primary().await, Server::backup().await);
    let cookie = empty.open().await;
    let path = "/wizard/server-type";
    let unset = Empty::new().await;
    for (address, code) in [
        ("", "address_invalid"),
        ("https://primary.example/path", "address_invalid"),
        ("localhost.invalid", "name_not_found"),
        ("http://127.0.0.1:9", "refused"),
        ("https://127.0.0.1:9", "refused"),
        (&stranger.url, "not_a_primary"),
        (&unset.url, "primary_not_set_up"),
        (&another_version().await, "other_version"),
        (&something_else().await, "not_a_server"),
        (&empty.url, "own_address"),
        (&empty.url.replace("127.0.0.1", "localhost"), "own_address"),
    ] {
        let page = empty.refused(path, &cookie, &backup(address), code).await;
        assert!(page.contains(&format!("value=\"{address}\"")) || address.is_empty(), "what was typed is kept: {page}");
    }
    empty.passed(path, &cookie, &backup(&primary.url), "/wizard/zone").await;
    let names = |name: &'static str| [("name", name), ("public_url", empty.url.as_str())];
    empty.refused("/wizard/zone", &cookie, &names("TEST"), "name_taken").await;
    let same = [("name", "srv-b"), ("public_url", primary.url.as_str())];
    empty.refused("/wizard/zone", &cookie, &same, "same_address").await;
    empty.passed("/wizard/zone", &cookie, &names("srv-b"), "/wizard/account").await;

    let path = "/wizard/account";
    empty.refused(path, &cookie, &account("", PASSWORD), "account_invalid").await;
    empty.refused(path, &cookie, &account("administrator", "wrong"), "wrong_password").await;
    for role in ["operator", "read_only"] {
        empty.refused(path, &cookie, &account(role, PASSWORD), "not_an_administrator").await;
    }
    empty.passed(path, &cookie, &account("administrator", PASSWORD), "/wizard/finish").await;
    assert_eq!(primary.get("/api/v1/application-log?id=1103").await["total"], 0, "nobody has joined yet");
    let page = empty.get("/wizard/finish", &cookie).await.text().await.unwrap();
    assert!(page.contains("administrator") && !page.contains(PASSWORD), "{page}");

    empty.passed("/wizard/finish", &cookie, &[("go", "on")], "/wizard/finish").await;
    empty.says("/wizard/finish", &cookie, "Start the server and sign in").await;
    assert_eq!(location(&empty.get("/sign-in", &cookie).await), "/sign-in");
    empty.says("/readyz", "", "\"ready\":true").await;

    let third = Empty::new().await;
    let cookie = third.open().await;
    third.passed("/wizard/server-type", &cookie, &backup(&primary.url), "/wizard/zone").await;
    let names = [("name", "srv-c"), ("public_url", third.url.as_str())];
    third.passed("/wizard/zone", &cookie, &names, "/wizard/account").await;
    let page = third.refused(path, &cookie, &account("administrator", PASSWORD), "has_a_backup").await;
    assert!(page.contains("srv-b is the Backup of this zone already") && page.contains("name=\"replace\""), "{page}");
    let replace = [&account("administrator", PASSWORD)[..], &[("replace", "yes")]].concat();
    third.passed(path, &cookie, &replace, "/wizard/finish").await;
    assert_eq!(primary.get("/api/v1/server").await["peer"]["name"], "srv-b", "nothing was replaced yet");
}

/// What an unfinished set-up left behind.
fn leftover(dir: &Path, zone: &str) {
    let note = serde_json::json!({ "server_id": "01".repeat(16), "zone": [zone, "north"] });
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("unfinished.json"), note.to_string()).unwrap();
    std::fs::write(dir.join("state.sqlite"), "half of a state").unwrap();
}

#[tokio::test]
async fn a_set_up_that_was_cut_off_goes_on_under_its_identity() {
    let primary = Server::primary().await;
    let zone = "08".repeat(16);
    let dir = tempfile::tempdir().unwrap();
    leftover(&dir.path().join("data"), &"77".repeat(16));
    let empty = Empty::in_dir(dir).await;
    let cookie = empty.open().await;
    let path = "/wizard/server-type";
    let page = empty.refused(path, &cookie, &backup(&primary.url), "other_zone").await;
    assert!(page.contains("name=\"forget\""), "{page}");
    let empty = {
        leftover(&empty.data(), &zone);
        empty.restart().await
    };
    let cookie = empty.open().await;
    empty.passed(path, &cookie, &backup(&primary.url), "/wizard/zone").await;
    let names = [("name", "srv-b"), ("public_url", empty.url.as_str())];
    empty.passed("/wizard/zone", &cookie, &names, "/wizard/account").await;
    empty.passed("/wizard/account", &cookie, &account("administrator", PASSWORD), "/wizard/finish").await;
    empty.passed("/wizard/finish", &cookie, &[], "/wizard/finish").await;
    empty.says("/wizard/finish", &cookie, "Start the server and sign in").await;
    assert!(!empty.data().join("unfinished.json").exists());
    assert_eq!(primary.get("/api/v1/server").await["peer"]["name"], "srv-b");
    // A Backup that shows no secret starts by itself soon; a power cut before that changes nothing.
    let empty = empty.restart_as_server().await;
    empty.says("/readyz", "", "\"ready\":true").await;
}
