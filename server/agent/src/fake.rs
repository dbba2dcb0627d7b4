//! A server for tests: the agent API over plain HTTP on loopback, one thread a connection, everything in memory.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use userlock_core::{
    agent_api::{
        DecisionRequest, EventsRequest, HelloRequest, HelloVerdict, Range, ServerAddress, TimedCommand, WireRecord,
    },
    id::{Chain, OriginId},
    record::Record,
};

use crate::reporter::default_settings;

/// What the test's thread logs.
pub struct Logs {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logs {
    pub fn capture() -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let to = Arc::clone(&text);
        let writer = move || LogWriter(Arc::clone(&to));
        let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines have this in them.
    pub fn count(&self, what: &str) -> usize {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(what)).count()
    }
}

/// What a server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Serving,
    /// Answers 503 unless it is the last resort.
    Returning,
    /// Takes connections and says nothing.
    Hanging,
    /// Breaks every connection off.
    Broken,
}

/// What a server knows and is told to do.
pub struct Inner {
    pub mood: Mood,
    pub allow: bool,
    pub records: BTreeMap<OriginId, BTreeMap<u64, (Chain, u16, String)>>,
    pub hellos: Vec<HelloRequest>,
    pub decisions: Vec<DecisionRequest>,
    pub commands: Vec<TimedCommand>,
    pub servers: Vec<ServerAddress>,
    pub highest_rank: u64,
    /// What its peer has: the peer itself.
    pub peer: Option<Fake>,
}

#[derive(Clone)]
pub struct Fake {
    pub address: ServerAddress,
    inner: Arc<Mutex<Inner>>,
}

pub const TOKEN: &str = "the token of the test";
pub const MACHINE: &str = "pc";

impl Fake {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let address = ServerAddress::new(url, "");
        let inner = Inner {
            mood: Mood::Serving,
            allow: true,
            records: BTreeMap::new(),
            hellos: Vec::new(),
            decisions: Vec::new(),
            commands: Vec::new(),
            servers: vec![address.clone()],
            highest_rank: 0,
            peer: None,
        };
        let fake = Self { address, inner: Arc::new(Mutex::new(inner)) };
        let server = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        fake
    }

    /// A pair that knows of each other; nothing is replicated but by [`Self::replicate`].
    pub fn pair() -> (Self, Self) {
        let (one, other) = (Self::start(), Self::start());
        let servers = vec![one.address.clone(), other.address.clone()];
        for (server, peer) in [(&one, &other), (&other, &one)] {
            let mut inner = server.lock();
            inner.servers.clone_from(&servers);
            inner.peer = Some(peer.clone());
        }
        (one, other)
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn be(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Gives all that it has to its peer.
    pub fn replicate(&self) {
        let (records, peer) = {
            let inner = self.lock();
            (inner.records.clone(), inner.peer.clone().unwrap())
        };
        for (origin, more) in records {
            peer.lock().records.entry(origin).or_default().extend(more);
        }
    }

    /// The kinds of what it has of all origins.
    pub fn kinds(&self) -> Vec<u16> {
        self.lock().records.values().flat_map(|r| r.values().map(|(_, kind, _)| *kind)).collect()
    }

    fn held(&self, origin: OriginId) -> Vec<Range> {
        let inner = self.lock();
        let mut ranges: Vec<Range> = Vec::new();
        for (seq, (chain, ..)) in inner.records.get(&origin).into_iter().flatten() {
            match ranges.last_mut() {
                Some(range) if range.last + 1 == *seq => (range.last, range.chain) = (*seq, *chain),
                _ => ranges.push(Range { first: *seq, last: *seq, chain: *chain }),
            }
        }
        ranges
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some((path, token, body)) = read_request(&mut reader) {
            let mood = self.lock().mood;
            match mood {
                Mood::Hanging => {
                    while self.lock().mood == Mood::Hanging {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                Mood::Broken => return,
                Mood::Serving | Mood::Returning => {}
            }
            let (status, answer) = match path.as_str() {
                "/readyz" if mood == Mood::Serving => (200, json!({})),
                "/agent/v1/enrol" => enrol(&body),
                _ if path != "/readyz" && token.as_deref() != Some(TOKEN) => problem(401, "unauthorized"),
                "/agent/v1/hello" => (200, self.hello(&body)),
                "/agent/v1/events" => self.events(&body),
                "/agent/v1/decisions" => self.decide(mood, &body),
                "/agent/v1/commands" => (200, self.commands(&body)),
                _ => problem(503, "not_ready"),
            };
            if write_answer(&stream, status, &answer).is_none() {
                return;
            }
        }
    }

    fn hello(&self, body: &str) -> Value {
        let hello: HelloRequest = serde_json::from_str(body).unwrap();
        let held = self.held(hello.origin);
        let peer = self.lock().peer.clone();
        let peer_held = peer.map(|peer| peer.held(hello.origin));
        let told = |range: &Range| hello.ranges.iter().any(|r| r.last == range.last && r.chain != range.chain);
        let behind = held.last().is_some_and(|range| hello.ranges.last().is_none_or(|r| r.last < range.last));
        let verdict = if behind || held.iter().any(told) { HelloVerdict::Rewound } else { HelloVerdict::Ok };
        let mut inner = self.lock();
        inner.highest_rank = inner.highest_rank.max(hello.rank);
        let answer = json!({
            "verdict": verdict, "proved": 0, "epoch": { "number": 1, "name": "0".repeat(32) },
            "held": held, "peer_held": peer_held, "highest_rank": inner.highest_rank,
            "settings": default_settings(), "servers": inner.servers, "skew_ms": 0, "of_a_later_version": true,
        });
        inner.hellos.push(hello);
        answer
    }

    fn events(&self, body: &str) -> (u16, Value) {
        let batch: EventsRequest = serde_json::from_str(body).unwrap();
        let mut chain = batch.before;
        for WireRecord { seq, kind, at, chain: told, payload, .. } in &batch.records {
            let record = Record {
                origin: batch.origin,
                rank: batch.rank,
                seq: *seq,
                machine: MACHINE.into(),
                kind: *kind,
                at: *at,
                chain: *told,
                payload: payload.get().as_bytes().into(),
            };
            if record.chain_after(chain) != *told {
                return problem(400, "broken_chain");
            }
            chain = *told;
            let mut inner = self.lock();
            inner.records.entry(batch.origin).or_default().insert(*seq, (*told, *kind, payload.get().to_owned()));
        }
        let peer = self.lock().peer.clone();
        (200, json!({ "held": self.held(batch.origin), "peer_held": peer.map(|peer| peer.held(batch.origin)) }))
    }

    fn decide(&self, mood: Mood, body: &str) -> (u16, Value) {
        let request: DecisionRequest = serde_json::from_str(body).unwrap();
        let mut inner = self.lock();
        if mood == Mood::Returning && !request.last_resort {
            return problem(503, "returning");
        }
        let answer = json!({
            "decision_id": request.decision_id, "allow": inner.allow, "reason": "by the test",
            "epoch": { "number": 1, "name": "0".repeat(32) }, "degraded": request.last_resort,
        });
        inner.decisions.push(request);
        (200, answer)
    }

    fn commands(&self, _body: &str) -> Value {
        for _ in 0..50 {
            let commands = std::mem::take(&mut self.lock().commands);
            if !commands.is_empty() || self.lock().mood != Mood::Serving {
                return json!({ "commands": commands });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        json!({ "commands": [] })
    }
}

fn enrol(body: &str) -> (u16, Value) {
    let request: Value = serde_json::from_str(body).unwrap();
    if request["key"] != "the zone key" {
        return problem(403, "wrong_key");
    }
    let machine = request["machine"].as_str().unwrap().to_lowercase();
    (200, json!({ "agent": "ab".repeat(16), "token": TOKEN, "machine": machine }))
}

fn problem(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "status": status, "code": code, "title": code, "detail": format!("the test says {code}") }))
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Option<String>, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut token) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, token, String::from_utf8(body).ok()?))
}

fn write_answer(mut stream: &TcpStream, status: u16, answer: &Value) -> Option<()> {
    let body = answer.to_string();
    let head =
        format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
