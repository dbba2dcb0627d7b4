//! Agents that only make load: their records are right in number and chain, and made before the clock runs.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::value::RawValue;
use userlock_core::{
    agent_api::{EnrolRequest, EnrolResponse, EventsRequest, EventsResponse, HelloRequest, HelloResponse, WireRecord},
    event::{BootId, Inventory, Logon, LogonId, SessionChange, SessionType, Who, kind},
    id::{Digest, Epoch, OriginId, hash128},
    record::{Machine, Writer},
};

use crate::{
    failure::{During as _, Failure, Result},
    wire::{Connection, post_of},
};

/// One agent.
pub struct Agent {
    token: String,
    machine: Machine,
    writer: Writer,
    boot: BootId,
    logons: u64,
}

/// A session that an agent has opened.
#[derive(Clone)]
pub struct Opened(LogonId);

/// The time, in ms since 1970 UTC.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ages")]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The name of the user with this number.
pub fn user(number: u64) -> String {
    format!("user{number:05}")
}

impl Agent {
    /// Enrols a machine, says hello, and sends the inventory that an origin begins with.
    pub async fn enrol(server: SocketAddr, key: &str, name: &str) -> Result<(Self, Connection)> {
        let mut line = Connection::open(server).await?;
        let request =
            EnrolRequest { key: key.to_owned(), machine: name.to_owned(), version: "userlock-bench".to_owned() };
        let enrolled: EnrolResponse = line.post("/agent/v1/enrol", None, &request).await.during("enrolling")?;
        let seed = format!("{name} {}", now_ms());
        let boot = Digest(hash128("bench boot", &[seed.as_bytes()]));
        let writer = Writer::new(OriginId(hash128("bench origin", &[seed.as_bytes()])), 0);
        let machine: Machine = Arc::from(enrolled.machine);
        let mut agent = Self { token: enrolled.token, machine, writer, boot, logons: 0 };
        let answer = agent.hello(&mut line).await?;
        agent.writer.rank = u64::try_from(now_ms()).unwrap_or(1).max(answer.highest_rank + 1);
        let mut batch = Batch::new(&agent);
        batch.add(&mut agent, kind::INVENTORY, &Inventory { boot, sessions: Vec::new() })?;
        send(&mut line, &batch.request(&agent)?).await?;
        Ok((agent, line))
    }

    async fn hello(&self, line: &mut Connection) -> Result<HelloResponse> {
        let hello = HelloRequest {
            origin: self.writer.origin,
            rank: self.writer.rank,
            ranges: Vec::new(),
            boot: self.boot,
            monotonic_ms: 1,
            wall_ms: now_ms(),
            why: "preferred".to_owned(),
            epoch: Epoch::default(),
            spool: 0,
            reaches: Vec::new(),
            pins: Vec::new(),
            version: "userlock-bench".to_owned(),
        };
        line.post("/agent/v1/hello", Some(&self.token), &hello).await.during("hello")
    }

    /// What it proves its requests with.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// A batch on its way.
pub struct Batch {
    before: userlock_core::id::Chain,
    records: Vec<WireRecord>,
}

impl Batch {
    /// Records that follow those that the agent has written.
    pub fn new(agent: &Agent) -> Self {
        Self { before: agent.writer.chain, records: Vec::with_capacity(100) }
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    fn add(&mut self, agent: &mut Agent, kind: u16, payload: &impl Serialize) -> Result<()> {
        let payload = serde_json::to_string(payload)?;
        let (at, machine) = (now_ms(), Arc::clone(&agent.machine));
        let record = agent.writer.write(machine, kind, at, payload.as_bytes().into());
        let payload = RawValue::from_string(payload)?;
        self.records.push(WireRecord { seq: record.seq, machine: None, kind, at, chain: record.chain, payload });
        Ok(())
    }

    /// A session is opened.
    pub fn logon(&mut self, agent: &mut Agent, user_number: u64, session_type: SessionType) -> Result<Opened> {
        agent.logons += 1;
        let logon = LogonId::new(&agent.logons.to_string())?;
        let who = Who {
            user: user(user_number),
            display_name: Some(format!("User Number {user_number}")),
            session_type,
            client_name: Some(format!("client-{}", user_number % 1000)),
            client_address: Some(format!("10.9.{}.{}", user_number % 250, user_number / 250 % 250)),
        };
        let event = Logon { boot: agent.boot, logon: logon.clone(), decision_id: None, who };
        self.add(agent, kind::LOGON, &event)?;
        Ok(Opened(logon))
    }

    /// A session is locked, unlocked or ended.
    pub fn change(&mut self, agent: &mut Agent, kind: u16, Opened(logon): &Opened) -> Result<()> {
        let change = SessionChange { boot: agent.boot, logon: logon.clone(), reason: None };
        self.add(agent, kind, &change)
    }

    /// The bytes of the request.
    pub fn request(self, agent: &Agent) -> Result<Vec<u8>> {
        let Writer { origin, rank, .. } = agent.writer;
        let body = EventsRequest { origin, rank, before: self.before, records: self.records };
        Ok(post_of("/agent/v1/events", Some(&agent.token), &serde_json::to_vec(&body)?))
    }
}

/// Sends a batch; all of it must be taken.
pub async fn send(line: &mut Connection, request: &[u8]) -> Result<()> {
    let answer: EventsResponse = line.call(request).await?.json().during("events")?;
    match answer.rejected.first() {
        None => Ok(()),
        Some(rejected) => {
            Err(Failure::new(format!("record {} was rejected: {}", rejected.seq, rejected.code.as_str())))
        }
    }
}

/// Batches of 100 records in which sessions come and go, of one agent.
pub fn coming_and_going(agent: &mut Agent, batches: u64) -> Result<Vec<Vec<u8>>> {
    (0..batches)
        .map(|_| {
            let mut batch = Batch::new(agent);
            for _ in 0..25 {
                let user_number = agent.logons * 7919 % 10_000;
                let session = batch.logon(agent, user_number, SessionType::Terminal)?;
                batch.change(agent, kind::LOCK, &session)?;
                batch.change(agent, kind::UNLOCK, &session)?;
                batch.change(agent, kind::LOGOFF, &session)?;
            }
            batch.request(agent)
        })
        .collect()
}
