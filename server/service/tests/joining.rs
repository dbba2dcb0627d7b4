//! How a Backup comes into a zone: what it tells of itself, and a Primary that leaves meanwhile. What has begun before a
//! server leaves, and comes to its end after it.

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
use userlock_core::{
    agent_api::ServerAddress,
    api::{Phase, PhaseView},
    fold::FOLD_VERSION,
    id::{Digest, Epoch, LogId, ServerId, ZoneId},
    server::Cursor,
    settings::{Revision, Role},
    sync::{AgentCounts, Hello},
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

/// Requests that have begun and of which the rest is still to come.
struct Begun(Vec<(TcpStream, String)>);

impl Begun {
    async fn new(server: &Server, requests: &[(&str, &str, Value)]) -> Self {
        let mut begun = Vec::new();
        for (line, headers, body) in requests {
            let body = body.to_string();
            let (begin, end) = body.split_at(body.len() / 2);
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            let head = format!(
                "{line} HTTP/1.1\r\nhost: {}\r\n{headers}content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{begin}",
                server.address,
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            begun.push((stream, end.to_owned()));
        }
        sleep(Duration::from_millis(200)).await;
        Self(begun)
    }

    async fn are_refused(self) {
        for (mut stream, end) in self.0 {
            stream.write_all(end.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"leaving""#), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_joins_a_primary_that_has_left() {
    let server = Server::primary().await;
    let version = format!("{VERSION}: 1\r\n");
    let requests = [true, false].map(|check_only| {
        let mut body = request();
        body["check_only"] = json!(check_only);
        ("POST /replication/v1/join", version.as_str(), body)
    });
    let begun = Begun::new(&server, &requests).await;
    assert_eq!(leave(&server).await.status(), StatusCode::ACCEPTED);
    begun.are_refused().await;
    let dir = server.ended().await;
    assert!(dir.path().join("leaving.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_left_takes_no_change_of_its_own_settings() {
    let server = Server::backup().await;
    let changes = [
        ("synchronization", "interval_seconds", json!(7)),
        ("email", "port", json!(2525)),
        ("database", "retention_days", json!(7)),
    ];
    let mut requests = Vec::new();
    for (section, field, value) in changes {
        let path = format!("/api/v1/settings/{section}");
        let mut body = server.get(&path).await;
        body[field] = value;
        let (token, etag) = (common::token(Role::Administrator), server.etag(&path).await);
        let headers = format!("authorization: Bearer {token}\r\nif-match: {etag}\r\n");
        requests.push((format!("PUT {path}"), headers, body));
    }
    let requests: Vec<_> =
        requests.iter().map(|(line, headers, body)| (line.as_str(), headers.as_str(), body.clone())).collect();
    let begun = Begun::new(&server, &requests).await;
    assert_eq!(leave(&server).await.status(), StatusCode::ACCEPTED);
    begun.are_refused().await;
}

fn hello() -> Hello {
    let log = LogId([3; 16]);
    Hello {
        server_id: ServerId([6; 16]),
        zone_id: ZoneId([8; 16]),
        name: "backup".into(),
        address: ServerAddress::new("http://127.0.0.1:9", ""),
        knows: None,
        phase: PhaseView { phase: Phase::Standby, since: 0, reason: "why".into(), waits_for: String::new() },
        epoch: Epoch::default(),
        log_id: log,
        log_id_before: LogId::NIL,
        position: 0,
        cursor: Cursor::default(),
        held_digest: Digest::default(),
        state_digest: Digest::default(),
        open_sessions: 0,
        settings: Revision::default(),
        fold_version: FOLD_VERSION,
        clock: 0,
        able: true,
        pushed_to: LogId::NIL,
        agents: AgentCounts::default(),
        silent: Vec::new(),
        version: "0".into(),
    }
}

async fn say(server: &Server, token: &str, hello: &Hello) -> Response {
    let request = server.plain(Method::POST, "/replication/v1/hello").header(VERSION, "1").bearer_auth(token);
    request.body(postcard::to_allocvec(hello).unwrap()).send().await.unwrap()
}

#[tokio::test]
async fn what_a_backup_tells_of_itself_has_bounds_when_it_joins_and_afterwards() {
    let server = Server::primary().await;
    let pin = || "ab".repeat(32);
    // Where a text stands in `join` and in `hello`, a text that is refused, and one that is just taken.
    let texts: [(&str, &str, String, String); 11] = [
        ("server_name", "name", "x".repeat(257), "x".repeat(256)),
        ("server_name", "name", "a\nb".into(), "a b".into()),
        ("version", "version", "1".repeat(65), "1".repeat(64)),
        ("address.url", "address.url", format!("https://{}", "x".repeat(512)), "https://b.example:1".into()),
        ("address.url", "address.url", "https://b\u{7f}".into(), "https://b.example:2".into()),
        ("address.fingerprint", "address.fingerprint", pin().to_uppercase(), pin()),
        ("address.fingerprint", "address.fingerprint", "ab".into(), String::new()),
        ("address.next", "address.next", "x".repeat(60_000), pin()),
        ("address.next", "address.next", "zz".repeat(32), pin()),
        ("address.next", "address.next", String::new(), pin()),
        ("", "phase.reason", "x".repeat(513), "x".repeat(512)),
    ];
    let with = |field: &str, text: &str| {
        let mut body = request();
        match field.split_once('.') {
            Some((outer, inner)) => body[outer][inner] = json!(text),
            None if field.is_empty() => {}
            None => body[field] = json!(text),
        }
        body
    };
    for (field, _, bad, good) in texts.iter().filter(|(field, ..)| !field.is_empty()) {
        let refused = problem(join(&server, &with(field, bad)).await).await;
        assert_eq!(refused, (422, "invalid_field".into(), Some((*field).to_owned())));
        assert_eq!(server.get("/api/v1/server").await["peer"], Value::Null, "{field}");
        let mut check = with(field, good);
        check["check_only"] = json!(true);
        assert_eq!(join(&server, &check).await.status(), StatusCode::OK, "{field} {good}");
    }
    let joined: Value = join(&server, &request()).await.json().await.unwrap();
    let token = joined["token"].as_str().unwrap();
    assert_eq!(say(&server, token, &hello()).await.status(), StatusCode::OK);
    let peer = async || {
        let mut peer = server.get("/api/v1/server").await["peer"].clone();
        let keep = ["name", "address", "last_contact", "phase"];
        peer.as_object_mut().unwrap().retain(|name, _| keep.contains(&name.as_str()));
        peer
    };
    for (_, field, bad, good) in &texts {
        let told = |text: &str| {
            let (mut told, text) = (hello(), text.to_owned());
            match *field {
                "name" => told.name = text,
                "version" => told.version = text,
                "address.url" => told.address.url = text,
                "address.fingerprint" => told.address.fingerprint = text,
                "address.next" => told.address.next = Some(text),
                _ => told.phase.reason = text,
            }
            told
        };
        let before = peer().await;
        let refused = problem(say(&server, token, &told(bad)).await).await;
        assert_eq!(refused, (422, "invalid_field".into(), Some((*field).to_owned())));
        assert_eq!(peer().await, before, "{field}: nothing of it is kept");
        assert_eq!(say(&server, token, &told(good)).await.status(), StatusCode::OK, "{field} {good}");
    }
    let before = peer().await;
    let knows = |url: &str, fingerprint: &str| Some(ServerAddress::new(url, fingerprint));
    let silent = |count: usize, name: &str| vec![(name.into(), 0); count];
    for (field, told) in [
        ("knows.url", Hello { knows: knows(&"x".repeat(513), ""), ..hello() }),
        ("knows.fingerprint", Hello { knows: knows("https://p.example", "no fingerprint"), ..hello() }),
        ("silent", Hello { silent: silent(1001, "pc"), ..hello() }),
        ("silent", Hello { silent: silent(1, &"x".repeat(256)), ..hello() }),
    ] {
        let refused = problem(say(&server, token, &told).await).await;
        assert_eq!(refused, (422, "invalid_field".into(), Some(field.to_owned())));
        assert_eq!(peer().await, before, "{field}: nothing of it is kept");
    }
    let told = Hello { knows: knows("https://p.example", &pin()), silent: silent(1000, "pc"), ..hello() };
    assert_eq!(say(&server, token, &told).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_clone_that_asks_each_second_is_told_of_once() {
    let server = Server::primary().await;
    let joined: Value = join(&server, &request()).await.json().await.unwrap();
    let token = joined["token"].as_str().unwrap();
    let clone = |log: u8| Hello { log_id: LogId([log; 16]), ..hello() };
    for (log, told) in [(4, 1), (4, 1), (5, 2), (4, 2), (5, 2)] {
        // The one that was there first goes on meanwhile.
        assert_eq!(say(&server, token, &hello()).await.status(), StatusCode::OK);
        assert_eq!(problem(say(&server, token, &clone(log)).await).await.1, "cloned_server");
        server.wait_for_log(1108, told).await;
    }
}
