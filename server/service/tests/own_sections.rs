//! The sections `email` and `database`: read, written back, kept by revision.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::fs;

use common::{Server, problem};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const EMAIL: &str = "/api/v1/settings/email";
const DATABASE: &str = "/api/v1/settings/database";
const SECRET: &str = "swordfish-13";

async fn email_is_set(server: &Server) -> String {
    let changed = server.change(EMAIL, |body| {
        *body = json!({
            "server": "mail.example.com", "port": 465, "tls": "tls", "from": "UserLock <userlock@example.com>",
            "user": "userlock", "password": SECRET, "reason": "the new mail server",
        });
    });
    let changed = changed.await;
    assert_eq!(changed.status(), StatusCode::OK);
    changed.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_section_is_written_back_and_its_secret_stays_unseen() {
    for server in [Server::primary().await, Server::backup().await] {
        let fresh = server.get(EMAIL).await;
        let none = json!({ "server": "", "port": 587, "tls": "starttls", "from": "", "user": "", "password": { "set": false } });
        assert_eq!(fresh, none);
        let first = server.etag(EMAIL).await;
        let same = server.change(EMAIL, |_| {}).await;
        assert_eq!((same.status(), server.etag(EMAIL).await), (StatusCode::OK, first.clone()), "nothing has changed");

        let second = email_is_set(&server).await;
        assert_ne!(second, first);
        let read = server.get(EMAIL).await;
        assert_eq!((&read["password"], &read["server"]), (&json!({ "set": true }), &json!("mail.example.com")));
        assert_eq!(server.change(EMAIL, |_| {}).await.status(), StatusCode::OK);
        assert_eq!(server.etag(EMAIL).await, second, "what was read keeps the secret");
        let elsewhere = server.change(EMAIL, |body| body["port"] = json!(25)).await;
        assert_eq!(problem(elsewhere).await.2.as_deref(), Some("password"), "what is kept goes nowhere else");
        let other = server.change(EMAIL, |body| body["from"] = json!("another@example.com")).await;
        let shown: Value = other.json().await.unwrap();
        assert_eq!(shown["password"], json!({ "set": true }), "the secret stays");
        // Another administrator still has the second revision before their eyes.
        let mine = server.admin(Method::PUT, EMAIL).header("if-match", &second).json(&read).send().await.unwrap();
        assert_eq!(problem(mine).await.1, "stale");

        server.wait_for_log(1003, 2).await;
        let log = server.get("/api/v1/application-log?id=1003").await;
        assert_eq!(log["items"][1]["details"]["reason"], "the new mail server", "{log}");
        assert!(log["items"][1]["details"]["fields"].as_str().unwrap().contains("password"), "{log}");
        let server = server.restart().await;
        assert_eq!(server.get(EMAIL).await["from"], "another@example.com", "it is on the disk");
        let removed = server.change(EMAIL, |body| (body["user"], body["password"]) = (json!(""), json!(""))).await;
        assert_eq!(removed.status(), StatusCode::OK);
        assert_eq!(server.get(EMAIL).await["password"], json!({ "set": false }));
        for file in ["product.sqlite", "product.sqlite-wal"] {
            let stored = fs::read(server.dir.path().join(file)).unwrap_or_default();
            assert!(!stored.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{file} has the secret");
        }
    }
}

#[tokio::test]
async fn each_change_is_kept_with_who_and_why_and_without_secrets() {
    let server = Server::backup().await;
    email_is_set(&server).await;
    let changed = server.change(EMAIL, |body| body["password"] = json!("another-one-5")).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let changed = server.change("/api/v1/settings/synchronization", |body| {
        body["interval_seconds"] = json!(90);
        body["reason"] = json!("slower");
    });
    assert_eq!(changed.await.status(), StatusCode::OK);
    assert_eq!(server.change(DATABASE, |body| body["retention_days"] = json!(30)).await.status(), StatusCode::OK);
    // All that was refused or changed nothing leaves nothing.
    assert_eq!(server.change(EMAIL, |body| body["port"] = json!(0)).await.status(), 422);
    assert_eq!(server.change(EMAIL, |_| {}).await.status(), StatusCode::OK);

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(server.dir.path().join("state.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options.read_only(true)).await.unwrap();
    type Row = (i64, String, String, Option<String>, String, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select revision, by, section, reason, changed, before, after from own_revision order by revision",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.0, row.2.as_str(), row.3.as_deref(), row.4.as_str())).collect();
    let all = r#"["from","password","port","server","tls","user"]"#;
    assert_eq!(
        told,
        [
            (2, "email", Some("the new mail server"), all),
            (3, "email", None, r#"["password"]"#),
            (4, "synchronization", Some("slower"), r#"["interval_seconds"]"#),
            (5, "database", None, r#"["retention_days"]"#),
        ]
    );
    assert!(rows.iter().all(|row| row.1.contains("administrator")), "{rows:?}");
    for row in &rows {
        assert!(!format!("{row:?}").contains(SECRET) && !format!("{row:?}").contains("another-one-5"), "{row:?}");
    }
    let before: Value = serde_json::from_str(&rows[3].5).unwrap();
    let after: Value = serde_json::from_str(&rows[3].6).unwrap();
    assert_eq!(
        (&before["database"]["retention_days"], &after["database"]["retention_days"]),
        (&json!(365), &json!(30))
    );
    assert_eq!(after["email"]["password"], json!({ "set": true }));
    assert_eq!(after["synchronization"]["interval_seconds"], 90);
}

#[tokio::test]
async fn a_field_that_cannot_be_so_is_named() {
    let server = Server::primary().await;
    email_is_set(&server).await;
    let postgres = json!({
        "kind": "postgres", "file": "archive.sqlite", "host": "localhost", "port": 5432, "name": "n", "user": "u",
        "password": "p", "tls": "prefer", "retention_days": 30,
    });
    let cases = [
        (EMAIL, "server", json!("mail server")),
        (EMAIL, "port", json!(65_536)),
        (EMAIL, "tls", json!("ssl3")),
        (EMAIL, "from", json!("nobody")),
        (EMAIL, "from", json!("a@b@c <")),
        (EMAIL, "user", json!("")),
        (EMAIL, "password", json!(null)),
        (EMAIL, "password", json!({ "set": true, "text": "x" })),
        (EMAIL, "password", json!("x".repeat(2000))),
        (EMAIL, "reason", json!("x".repeat(3000))),
        (DATABASE, "kind", json!("oracle")),
        (DATABASE, "host", json!("")),
        (DATABASE, "host", json!("postgres://localhost")),
        (DATABASE, "port", json!(-1)),
        (DATABASE, "name", json!("")),
        (DATABASE, "user", json!("a\u{0}b")),
        (DATABASE, "password", json!(["p"])),
        (DATABASE, "tls", json!("on")),
        (DATABASE, "retention_days", json!(0)),
        (DATABASE, "file", json!("a\nb")),
    ];
    for (path, field, value) in cases {
        let before = (server.get(path).await, server.etag(path).await);
        let refused = server.change(path, |body| {
            if path == DATABASE {
                *body = postgres.clone();
            }
            if path == EMAIL {
                body["password"] = json!("p");
            }
            body[field] = value.clone();
        });
        let (status, _, named) = problem(refused.await).await;
        assert_eq!((status, named.as_deref()), (422, Some(field)), "{path} {field} {value}");
        assert_eq!((server.get(path).await, server.etag(path).await), before);
    }
    for file in ["state.sqlite", "./product.sqlite", "none/archive.sqlite", "local-token", "/"] {
        let set = server.change(DATABASE, |body| (body["kind"], body["file"]) = (json!("sqlite"), json!(file)));
        let (status, _, named) = problem(set.await).await;
        assert_eq!((status, named.as_deref()), (422, Some("file")), "{file}");
    }
}

#[tokio::test]
async fn an_earlier_section_is_brought_back_and_a_password_goes_only_where_it_was_given_for() {
    let server = Server::primary().await;
    let set = async |change: &dyn Fn(&mut Value)| {
        assert_eq!(server.change(EMAIL, change).await.status(), StatusCode::OK);
        server.get("/api/v1/own-revisions?limit=1").await["items"][0]["revision"].as_u64().unwrap()
    };
    let without = set(&|body| {
        (body["server"], body["from"]) = (json!("plain.example.com"), json!("userlock@example.com"));
    })
    .await;
    let first = set(&|body| {
        (body["server"], body["user"], body["password"]) = (json!("mail.example.com"), json!("u"), json!(SECRET));
    })
    .await;
    set(&|body| (body["server"], body["password"]) = (json!("other.example.com"), json!("another-one-5"))).await;
    let restore = async |n: u64, body: &Value| {
        let (path, etag) = (format!("/api/v1/own-revisions/{n}/restore"), server.etag(EMAIL).await);
        server.admin(Method::POST, &path).header("if-match", etag).json(body).send().await.unwrap()
    };
    // The password that is kept is the other server's: which one is meant must be said.
    let refused = restore(first, &json!({ "reason": "r" })).await;
    let text = refused.text().await.unwrap();
    assert!(text.contains("must be given again") && text.contains("\"field\":\"password\""), "{text}");
    assert_eq!(server.get(EMAIL).await["server"], "other.example.com", "nothing was changed");
    let refused = restore(first, &json!({ "reason": "r", "password": 7 })).await;
    assert_eq!(problem(refused).await.2.as_deref(), Some("password"));
    let back = restore(first, &json!({ "reason": "r", "password": SECRET })).await;
    assert_eq!(back.status(), StatusCode::OK);
    let told = back.text().await.unwrap();
    assert!(!told.contains(SECRET), "{told}");
    let read = server.get(EMAIL).await;
    assert_eq!((&read["server"], &read["password"]), (&json!("mail.example.com"), &json!({ "set": true })));
    // On the same server it stays as it is.
    let renamed = set(&|body| body["from"] = json!("new@example.com")).await;
    assert_eq!(restore(renamed - 1, &json!({ "reason": "r" })).await.status(), StatusCode::OK);
    assert_eq!(server.get(EMAIL).await["password"], json!({ "set": true }));
    // Where there was none there is none again.
    assert_eq!(restore(without, &json!({ "reason": "r" })).await.status(), StatusCode::OK);
    let read = server.get(EMAIL).await;
    assert_eq!((&read["server"], &read["password"]), (&json!("plain.example.com"), &json!({ "set": false })));

    let database = server.change(DATABASE, |body| body["retention_days"] = json!(30)).await;
    assert_eq!(database.status(), StatusCode::OK);
    let changes = server.get("/api/v1/own-revisions").await;
    assert_eq!(changes["items"][0]["section"], "database");
    assert!(!changes.to_string().contains(SECRET) && !changes.to_string().contains("another-one-5"), "{changes}");
}
