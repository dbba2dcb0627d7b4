//! How a Backup comes into a zone: what it tells of itself, and a Primary that leaves meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::time::Duration;

use common::{PASSWORD, Server, problem};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

const JOIN: &str = "/replication/v1/join";
const LEAVE: &str = "/api/v1/server/leave";
const VERSION: &str = "userlock-replication-version";

fn request() -> Value {
    json!({
        "account": "administrator", "password": PASSWORD, "server_id": "06".repeat(16), "server_name": "backup",
        "address": { "url": "http://127.0.0.1:9", "fingerprint": "", "next": null }, "protocol_version": 1,
        "version": "0", "clock": 0, "check_only": false, "replace": false,
    })
}

async fn join(server: &Server, body: &Value) -> Response {
    server.plain(Method::POST, JOIN).header(VERSION, "1").json(body).send().await.unwrap()
}

async fn leave(server: &Server) -> Response {
    server.admin(Method::POST, LEAVE).json(&json!({ "reason": "moved" })).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_got_a_backup_while_it_was_to_leave_stays() {
    let server = Server::primary().await;
    // A change that waits for a database which says nothing has its turn first.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let change = server.change("/api/v1/settings/database", |body| {
        (body["kind"], body["host"], body["port"]) = (json!("postgres"), json!("127.0.0.1"), json!(port));
        (body["user"], body["name"], body["password"]) = (json!("u"), json!("n"), json!("p"));
    });
    let goes_on = async {
        let (connection, _) = silent.accept().await.unwrap();
        let joins = async {
            sleep(Duration::from_millis(500)).await;
            let joined = join(&server, &request()).await;
            assert_eq!(joined.status(), StatusCode::OK, "it does not wait for the database");
            drop((connection, silent));
        };
        let (left, ()) = tokio::join!(leave(&server), joins);
        assert_eq!(problem(left).await, (409, "has_a_backup".into(), None));
    };
    let (changed, ()) = tokio::join!(change, goes_on);
    assert_eq!(changed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!server.dir.path().join("leaving.json").exists());
    assert_eq!(server.get("/api/v1/server").await["role"], "primary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_joins_a_primary_that_has_left() {
    let server = Server::primary().await;
    let mut requests = Vec::new();
    for check_only in [true, false] {
        let mut body = request();
        body["check_only"] = json!(check_only);
        let body = body.to_string();
        let (begin, end) = body.split_at(body.len() / 2);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST {JOIN} HTTP/1.1\r\nhost: {}\r\n{VERSION}: 1\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{begin}",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        requests.push((stream, end.to_owned()));
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(leave(&server).await.status(), StatusCode::ACCEPTED);
    for (mut stream, end) in requests {
        stream.write_all(end.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"leaving""#), "{answer}");
    }
    let dir = server.ended().await;
    assert!(dir.path().join("leaving.json").exists());
}
