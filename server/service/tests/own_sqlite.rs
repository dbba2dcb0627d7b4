//! The section `database` with SQLite: the mark by which a file is known again behind whatever path or link.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::{Duration, Instant},
};

use common::{Server, problem};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
    settings::{Database, DatabaseKind},
};

const DATABASE: &str = "/api/v1/settings/database";
const STATUS: &str = "/api/v1/settings/database/status";
const TEST: &str = "/api/v1/settings/database/test";

async fn wait_for_state(server: &Server, state: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let status = server.get(STATUS).await;
        if status["state"] == state {
            return status;
        }
        assert!(Instant::now() < end, "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sets a file as the database.
async fn set_file(server: &Server, file: &str) -> reqwest::Response {
    let change = |body: &mut Value| (body["kind"], body["file"]) = (json!("sqlite"), json!(file));
    server.change(DATABASE, change).await
}

#[tokio::test]
async fn a_primary_archives_from_its_start_and_a_backup_does_not() {
    let primary = Server::primary().await;
    let status = wait_for_state(&primary, "open").await;
    assert_eq!((&status["schema_version"], &status["rows"]), (&json!(1), &json!(0)), "{status}");
    let file = primary.dir.path().join("archive.sqlite");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    primary.wait_for_log(1504, 1).await;
    let report: Value = primary.admin(Method::POST, TEST).send().await.unwrap().json().await.unwrap();
    assert_eq!((&report["ok"], &report["rows"]), (&json!(true), &json!(0)), "{report}");
    let names: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(names, ["reach", "tls", "authenticate", "own", "tables"]);
    let primary = primary.restart().await;
    wait_for_state(&primary, "open").await;
    primary.wait_for_log(1504, 1).await;
    assert_eq!(primary.change(DATABASE, |body| body["kind"] = json!("off")).await.status(), StatusCode::OK);
    assert_eq!(primary.get(STATUS).await["state"], "off");

    let backup = Server::backup().await;
    wait_for_state(&backup, "off").await;
    assert_eq!(backup.get(DATABASE).await["kind"], "off");
    assert!(!backup.dir.path().join("archive.sqlite").exists());
}

#[tokio::test]
async fn the_primarys_file_is_known_behind_any_path_and_link() {
    let primary = Server::primary().await;
    wait_for_state(&primary, "open").await;
    let backup = Server::backup().await;
    let file = primary.dir.path().join("archive.sqlite");
    let own = |name: &str| backup.dir.path().join(name);
    symlink(&file, own("soft.sqlite")).unwrap();
    symlink(own("soft.sqlite"), own("softer.sqlite")).unwrap();
    symlink(primary.dir.path(), own("folder")).unwrap();
    fs::hard_link(&file, own("hard.sqlite")).unwrap();
    fs::copy(&file, own("copy.sqlite")).unwrap();
    let before = (backup.get(DATABASE).await, backup.etag(DATABASE).await);
    let mark = fs::read(&file).unwrap();
    let path = file.to_str().unwrap();
    for name in [path, "soft.sqlite", "softer.sqlite", "folder/archive.sqlite", "hard.sqlite", "copy.sqlite"] {
        let response = set_file(&backup, name).await;
        let text = response.text().await.unwrap();
        let refused: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&refused["status"], &refused["field"]), (&json!(422), &json!("kind")), "{name}: {text}");
        assert_eq!(refused["code"], "database_of_other_server", "{name}: {text}");
        assert!(refused["detail"].as_str().unwrap().contains("the Primary server test"), "{name}: {text}");
        let settings = json!({ "settings": {
            "kind": "sqlite", "file": name, "host": "", "port": 5432, "name": "", "user": "", "tls": "prefer",
            "retention_days": 1,
        } });
        let report = backup.admin(Method::POST, TEST).json(&settings).send().await.unwrap();
        let report: Value = report.json().await.unwrap();
        let own = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "own").unwrap();
        assert_eq!((&report["ok"], &own["ok"]), (&json!(false), &json!(false)), "{report}");
    }
    assert_eq!((backup.get(DATABASE).await, backup.etag(DATABASE).await), before);
    assert_eq!(fs::read(&file).unwrap(), mark, "nothing was written to it");
    assert_eq!(primary.get(STATUS).await["state"], "open");

    // Its own is fine, by whatever name.
    assert_eq!(set_file(&backup, "archive.sqlite").await.status(), StatusCode::OK);
    fs::hard_link(own("archive.sqlite"), own("again.sqlite")).unwrap();
    assert_eq!(set_file(&backup, "again.sqlite").await.status(), StatusCode::OK);
    assert_eq!(backup.get(STATUS).await["state"], "open");

    // A server of another zone is refused too, and neither takes the Backup's.
    let (zone, id) = (ZoneId([2; 16]), ServerId([7; 16]));
    let stranger = Server::begin(Server::prepare(ServerRole::Primary, zone, id, |_| {}).await).await;
    for taken in [path.to_owned(), own("again.sqlite").to_str().unwrap().to_owned()] {
        let (status, code, field) = problem(set_file(&stranger, &taken).await).await;
        let expected = (422, "database_of_other_zone", Some("kind"));
        assert_eq!((status, code.as_str(), field.as_deref()), expected, "{taken}");
    }
    let taken = problem(set_file(&primary, own("again.sqlite").to_str().unwrap()).await).await;
    assert_eq!(taken.1, "database_of_other_server", "nor does the Primary take the Backup's");
}

#[tokio::test]
async fn a_copied_configuration_leaves_the_database_off_and_the_server_up() {
    let primary = Server::primary().await;
    wait_for_state(&primary, "open").await;
    let file = primary.dir.path().join("archive.sqlite").to_str().unwrap().to_owned();
    let dir = Server::prepare(ServerRole::Backup, ZoneId([8; 16]), ServerId([6; 16]), |own| {
        let kind = DatabaseKind::Sqlite;
        own.database = Some(Database { kind, file: file.clone(), ..Database::default() });
    });
    let backup = Server::begin(dir.await).await;
    let status = wait_for_state(&backup, "failed").await;
    assert!(status["detail"].as_str().unwrap().contains("the Primary server test"), "{status}");
    backup.wait_for_log(1506, 1).await;
    let log = backup.get("/api/v1/application-log?id=1506").await;
    assert_eq!(log["items"][0]["details"]["other_server_id"], "07".repeat(16), "{log}");
    assert_eq!(backup.get("/api/v1/server").await["role"], "backup", "the server goes on");
    // What leads nowhere else may be changed all the same.
    assert_eq!(backup.change(DATABASE, |body| body["retention_days"] = json!(7)).await.status(), StatusCode::OK);
    assert_eq!(set_file(&backup, "mine.sqlite").await.status(), StatusCode::OK);
    assert_eq!(backup.get(STATUS).await["state"], "open");
    let backup = backup.restart().await;
    wait_for_state(&backup, "open").await;
    backup.wait_for_log(1506, 1).await;
}
