//! The section `database` with a real PostgreSQL server, under two of its names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::time::{Duration, Instant};

use common::{
    Server,
    postgres::{PASSWORD, Postgres},
    problem,
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
    settings::{Database, DatabaseKind, Secret},
};

const DATABASE: &str = "/api/v1/settings/database";
const STATUS: &str = "/api/v1/settings/database/status";
const TEST: &str = "/api/v1/settings/database/test";

fn settings(cluster: &Postgres, host: &str, user: &str, name: &str) -> Value {
    json!({
        "kind": "postgres", "file": "", "host": host, "port": cluster.port, "name": name, "user": user,
        "password": PASSWORD, "tls": "prefer", "retention_days": 30,
    })
}

async fn set(server: &Server, settings: &Value) -> Response {
    server.change(DATABASE, |body| *body = settings.clone()).await
}

/// The name of the check that fails and its text; empty when all pass.
async fn test(server: &Server, settings: &Value) -> (String, String) {
    let response = server.admin(Method::POST, TEST).json(&json!({ "settings": settings })).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let report: Value = response.json().await.unwrap();
    let failed = report["checks"].as_array().unwrap().iter().find(|check| check["ok"] == false);
    assert_eq!(report["ok"].as_bool().unwrap(), failed.is_none(), "{report}");
    let text = |name: &str| failed.map(|check| check[name].as_str().unwrap().to_owned()).unwrap_or_default();
    (text("name"), text("detail"))
}

fn with(mut settings: Value, field: &str, value: impl Into<Value>) -> Value {
    settings[field] = value.into();
    settings
}

#[tokio::test]
async fn the_primarys_database_is_known_under_another_host_name() {
    let cluster = Postgres::start().await;
    cluster.make("alice", "shared").await;
    cluster.make("bob", "other").await;
    let primary = Server::primary().await;
    let by_name = settings(&cluster, "localhost", "alice", "shared");
    assert_eq!(test(&primary, &by_name).await, (String::new(), String::new()));
    assert_eq!(cluster.number("shared", "select count(*) from pg_namespace where nspname = 'userlock'").await, 0);
    let changed = set(&primary, &by_name).await;
    assert_eq!(changed.status(), StatusCode::OK, "{}", changed.text().await.unwrap());
    let status = primary.get(STATUS).await;
    assert_eq!((&status["state"], &status["schema_version"], &status["rows"]), (&json!("open"), &json!(1), &json!(0)));
    assert!(status["bytes"].as_u64().unwrap() > 0, "{status}");
    assert!(!status.to_string().contains(PASSWORD));

    let backup = Server::backup().await;
    let before = (backup.get(DATABASE).await, backup.etag(DATABASE).await);
    cluster.sql("postgres", &format!("create role carol login password '{PASSWORD}'")).await;
    for (host, user) in [("127.0.0.1", "alice"), ("localhost", "alice"), ("LOCALHOST", "alice"), ("127.0.0.1", "carol")]
    {
        let theirs = settings(&cluster, host, user, "shared");
        let text = set(&backup, &theirs).await.text().await.unwrap();
        let refused: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&refused["status"], &refused["code"]), (&json!(422), &json!("database_of_other_server")), "{text}");
        assert_eq!(refused["field"], "kind", "{text}");
        assert!(refused["detail"].as_str().unwrap().contains("the Primary server test"), "{text}");
        let (check, text) = test(&backup, &theirs).await;
        assert_eq!(check, "own", "{host} {user}: {text}");
    }
    assert_eq!((backup.get(DATABASE).await, backup.etag(DATABASE).await), before);
    // Another database of the same PostgreSQL server is fine, and then is the Backup's own by any name.
    for host in ["localhost", "127.0.0.1"] {
        let own = set(&backup, &settings(&cluster, host, "bob", "other")).await;
        assert_eq!(own.status(), StatusCode::OK, "{}", own.text().await.unwrap());
    }
    assert_eq!(
        problem(set(&primary, &settings(&cluster, "127.0.0.1", "bob", "other")).await).await.1,
        "database_of_other_server"
    );
    assert_eq!(primary.get(STATUS).await["state"], "open", "the one in use stays");

    let (zone, id) = (ZoneId([2; 16]), ServerId([7; 16]));
    let stranger = Server::begin(Server::prepare(ServerRole::Primary, zone, id, |_| {}).await).await;
    assert_eq!(problem(set(&stranger, &by_name).await).await.1, "database_of_other_zone");

    // A copied configuration.
    let dir = Server::prepare(ServerRole::Backup, ZoneId([8; 16]), ServerId([5; 16]), |own| {
        own.database = Some(Database {
            kind: DatabaseKind::Postgres,
            host: "127.0.0.1".into(),
            port: cluster.port,
            name: "shared".into(),
            user: "alice".into(),
            password: Secret::new(PASSWORD),
            ..Database::default()
        });
    });
    let copied = Server::begin(dir.await).await;
    copied.wait_for_log(1506, 1).await;
    assert_eq!(copied.get(STATUS).await["state"], "failed");
    assert_eq!(cluster.number("shared", "select count(*) from userlock.mark").await, 1);
    let primary = primary.restart().await;
    let end = Instant::now() + Duration::from_secs(10);
    while primary.get(STATUS).await["state"] != "open" {
        assert!(Instant::now() < end, "its own database is its own after a restart");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn two_servers_that_mark_at_once_do_not_both_win() {
    let cluster = Postgres::start().await;
    cluster.make("alice", "shared").await;
    let (primary, backup) = (Server::primary().await, Server::backup().await);
    let (by_name, by_address) =
        (settings(&cluster, "localhost", "alice", "shared"), settings(&cluster, "127.0.0.1", "alice", "shared"));
    let (one, other) = tokio::join!(set(&primary, &by_name), set(&backup, &by_address));
    let mut got = [one.status().as_u16(), other.status().as_u16()];
    got.sort_unstable();
    assert_eq!(got, [200, 422]);
    let loser = if one.status() == StatusCode::OK { other } else { one };
    assert_eq!(problem(loser).await.1, "database_of_other_server");
}

#[tokio::test]
async fn what_fails_is_named_and_the_field_with_it() {
    let cluster = Postgres::start().await;
    cluster.make("alice", "archive").await;
    cluster.sql("postgres", "create database locked").await;
    let server = Server::backup().await;
    let before = (server.get(DATABASE).await, server.etag(DATABASE).await);
    let good = settings(&cluster, "localhost", "alice", "archive");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (settings, check, field) in [
        (with(good.clone(), "password", "wrong-pass"), "authenticate", "password"),
        (with(good.clone(), "user", "nobody"), "authenticate", "password"),
        (with(good.clone(), "name", "missing"), "authenticate", "name"),
        (with(good.clone(), "name", "locked"), "tables", "user"),
        (with(good.clone(), "host", "no-such-host.invalid"), "reach", "host"),
        (with(good.clone(), "port", free), "reach", "host"),
        (with(good.clone(), "tls", "verify_full"), "tls", "tls"),
    ] {
        let (failed, text) = test(&server, &settings).await;
        assert_eq!(failed, check, "{text}");
        assert!(!text.contains(PASSWORD) && !text.contains("wrong-pass"), "{text}");
        let refused = set(&server, &settings).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert_eq!(problem(refused).await.2.as_deref(), Some(field), "{text}");
    }
    assert_eq!((server.get(DATABASE).await, server.etag(DATABASE).await), before);
    for tls in ["disable", "require"] {
        assert_eq!(test(&server, &with(good.clone(), "tls", tls)).await.0, "", "{tls}");
    }
    assert_eq!(set(&server, &good).await.status(), StatusCode::OK);
    assert_eq!(server.get(DATABASE).await["password"], json!({ "set": true }));

    // PostgreSQL is gone when the server starts: it goes on, and says so once.
    drop(cluster);
    let server = server.restart().await;
    server.wait_for_log(1505, 1).await;
    let status = server.get(STATUS).await;
    assert_eq!(status["state"], "failed", "{status}");
    let off = server.change(DATABASE, |body| body["kind"] = json!("off")).await;
    assert_eq!(off.status(), StatusCode::OK);
    assert_eq!(server.get(STATUS).await["state"], "off");
}

/// Takes a server out of its zone as the program does: it ends, and what is left to do is done. How long the latter took,
/// and the directory.
async fn leave(server: Server) -> (Duration, TempDir) {
    let why = json!({ "reason": "the machine is needed elsewhere" });
    let left = server.admin(Method::POST, "/api/v1/server/leave").json(&why).send().await.unwrap();
    assert_eq!(left.status(), StatusCode::ACCEPTED, "{}", left.text().await.unwrap());
    let dir = server.ended().await;
    let begun = Instant::now();
    let folder = userlock_service::setup::complete_leaving(dir.path()).await.unwrap().unwrap();
    let took = begun.elapsed();
    assert!(folder.join("state.sqlite").exists() && !dir.path().join("state.sqlite").exists());
    (took, dir)
}

#[tokio::test]
async fn a_server_that_leaves_its_zone_takes_its_mark_out_of_its_database() {
    let cluster = Postgres::start().await;
    cluster.make("alice", "shared").await;
    let marks = async || cluster.number("shared", "select count(*) from userlock.mark").await;
    let there = settings(&cluster, "127.0.0.1", "alice", "shared");
    let primary = Server::primary().await;
    assert_eq!(set(&primary, &there).await.status(), StatusCode::OK);

    // Another server's mark stays, also that of the server whose settings were copied.
    let copied = Server::prepare(ServerRole::Backup, ZoneId([8; 16]), ServerId([5; 16]), |own| {
        own.database = Some(Database {
            kind: DatabaseKind::Postgres,
            host: "127.0.0.1".into(),
            port: cluster.port,
            name: "shared".into(),
            user: "alice".into(),
            password: Secret::new(PASSWORD),
            ..Database::default()
        });
    });
    leave(Server::begin(copied.await).await).await;
    assert_eq!(marks().await, 1);

    let (_, free) = leave(primary).await;
    assert_eq!(marks().await, 0);
    assert!(!free.path().join("mark-left.json").exists());
    let other = Server::prepare(ServerRole::Primary, ZoneId([2; 16]), ServerId([7; 16]), |_| {}).await;
    let other = Server::begin(other).await;
    let used = set(&other, &there).await;
    assert_eq!(used.status(), StatusCode::OK, "{}", used.text().await.unwrap());

    // One that is gone holds nobody up; the server that comes next says so, once.
    let port = cluster.port;
    drop(cluster);
    let (took, dir) = leave(other).await;
    assert!(took < Duration::from_secs(15));
    let fresh = Server::prepare(ServerRole::Primary, ZoneId([3; 16]), ServerId([8; 16]), |_| {}).await;
    for file in std::fs::read_dir(fresh.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let next = Server::begin(dir).await;
    next.wait_for_log(1507, 1).await;
    let told = next.get("/api/v1/application-log?id=1507").await.to_string();
    assert!(told.contains(&format!("shared on 127.0.0.1:{port}")) && !told.contains(PASSWORD), "{told}");
    assert!(!next.dir.path().join("mark-left.json").exists());
    let next = next.restart().await;
    next.wait_for_log(1507, 1).await;
}

#[tokio::test]
async fn a_file_elsewhere_is_free_when_its_server_has_left() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("archive.sqlite");
    let there = json!({
        "kind": "sqlite", "file": file, "host": "", "port": 5432, "name": "", "user": "", "password": "",
        "tls": "prefer", "retention_days": 30,
    });
    let server = Server::primary().await;
    let used = set(&server, &there).await;
    assert_eq!(used.status(), StatusCode::OK, "{}", used.text().await.unwrap());
    let other = Server::prepare(ServerRole::Primary, ZoneId([2; 16]), ServerId([7; 16]), |_| {}).await;
    let other = Server::begin(other).await;
    assert_eq!(problem(set(&other, &there).await).await.1, "database_of_other_zone");
    leave(server).await;
    assert!(file.exists());
    let used = set(&other, &there).await;
    assert_eq!(used.status(), StatusCode::OK, "{}", used.text().await.unwrap());
}
