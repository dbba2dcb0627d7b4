//! An agent: numbers and chains what it reports, sends it to the Primary, carries on with the Backup, and keeps what not
//! both hold. It remembers all that it ever wrote, to be compared with what the servers have.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;
use userlock_agent::client::{CallError, Server};
use userlock_core::{
    agent_api::{
        DecisionRequest, DecisionResponse, EnrolRequest, EventsRequest, EventsResponse, HelloRequest, HelloResponse,
        HelloVerdict, Range, WireRecord,
    },
    event::{
        BootId, Event, Inventory, InventorySession, Logon, LogonId, SessionChange, SessionType, SubState, Who, kind,
    },
    fold::State,
    id::{AgentId, Chain, DecisionId, Digest, Epoch, OriginId},
    record::{Entry, Record, Writer},
};
use userlock_service::random;

use super::Pair;

const TIMEOUT: Duration = Duration::from_millis(1500);
/// The most records of one batch.
const BATCH: usize = 50;

/// A machine with its agent.
#[derive(Clone)]
pub struct Machine {
    pub name: Arc<str>,
    pub agent: AgentId,
    pub token: String,
    pub boot: BootId,
    servers: [Server; 2],
    /// Which of them it uses.
    pub in_use: usize,
    /// Whether the server in use has been greeted.
    greeted: bool,
    writer: Writer,
    /// All that was ever written, from number 1.
    pub written: Vec<Record>,
    /// Up to here both servers hold everything, and the agent has forgotten it.
    pub both_hold: u64,
    /// Up to here some server has acknowledged everything.
    pub acknowledged: u64,
    /// The sessions that are open.
    pub open: Vec<(LogonId, Who, i64)>,
    logons: u64,
}

fn draw() -> [u8; 16] {
    random::bytes().unwrap()
}

pub fn who(user: &str) -> Who {
    Who {
        user: user.into(),
        display_name: None,
        session_type: SessionType::Terminal,
        client_name: None,
        client_address: None,
    }
}

impl Machine {
    /// Enrols a machine on one of the servers; the Primary is number 0.
    pub async fn enrol_at(pair: &Pair, name: &str, server: usize) -> Result<Self, CallError> {
        let servers = [pair.primary.as_agents_see_it(), pair.backup.as_agents_see_it()];
        let request = EnrolRequest { key: pair.key.clone(), machine: name.into(), version: "test".into() };
        let enrolled = servers[server].enrol(&request, Duration::from_secs(5)).await?;
        let mut machine = Self {
            name: enrolled.machine.into(),
            agent: enrolled.agent,
            token: enrolled.token,
            boot: Digest(draw()),
            servers,
            in_use: server,
            greeted: false,
            writer: Writer::new(OriginId(draw()), userlock_agent::system::wall_ms().unsigned_abs()),
            written: Vec::new(),
            both_hold: 0,
            acknowledged: 0,
            open: Vec::new(),
            logons: 0,
        };
        machine.inventory();
        Ok(machine)
    }

    /// Enrols a machine on the Primary.
    pub async fn enrol(pair: &Pair, name: &str) -> Self {
        Self::enrol_at(pair, name, 0).await.unwrap()
    }

    /// Writes a record. It is sent with the next [`Self::send`].
    pub fn write(&mut self, kind: u16, payload: &impl Serialize) {
        let payload = serde_json::to_vec(payload).unwrap();
        let record = self.writer.write(self.name.clone(), kind, userlock_agent::system::wall_ms(), payload.into());
        self.written.push(record);
    }

    pub fn inventory(&mut self) {
        let listed = |(logon, who, since): &(LogonId, Who, i64)| InventorySession {
            logon: logon.clone(),
            state: SubState::Open,
            since: *since,
            who: who.clone(),
        };
        let inventory = Inventory { boot: self.boot, sessions: self.open.iter().map(listed).collect() };
        self.write(kind::INVENTORY, &inventory);
    }

    pub fn log_on(&mut self, user: &str, decision_id: Option<DecisionId>) -> LogonId {
        self.logons += 1;
        let logon = LogonId::new(&format!("l{}", self.logons)).unwrap();
        self.write(kind::LOGON, &Logon { boot: self.boot, logon: logon.clone(), decision_id, who: who(user) });
        self.open.push((logon.clone(), who(user), userlock_agent::system::wall_ms()));
        logon
    }

    pub fn log_off(&mut self, logon: &LogonId) {
        self.open.retain(|(open, ..)| open != logon);
        self.write(kind::LOGOFF, &self.change(logon));
    }

    pub fn change(&self, logon: &LogonId) -> SessionChange {
        SessionChange { boot: self.boot, logon: logon.clone(), reason: None }
    }

    /// How many records some server still lacks, as far as this agent knows.
    pub fn waiting(&self) -> usize {
        self.written.len() - usize::try_from(self.both_hold).unwrap()
    }

    fn record(&self, seq: u64) -> &Record {
        &self.written[usize::try_from(seq - 1).unwrap()]
    }

    fn chain_at(&self, seq: u64) -> Chain {
        if seq == 0 { Chain::NIL } else { self.record(seq).chain }
    }

    /// Takes what a server told: which records it has, and which the other one has.
    fn told(&mut self, held: &[Range], peer_held: Option<&[Range]>) {
        // In a zone without a Backup it is enough that the Primary has them.
        let peer_held = peer_held.unwrap_or(held);
        for range in held.iter().chain(peer_held) {
            assert_eq!(range.chain, self.chain_at(range.last), "{} holds what {} did not write", range.last, self.name);
        }
        let prefix = |ranges: &[Range]| ranges.first().filter(|r| r.first == 1).map_or(0, |r| r.last);
        let (here, there) = (prefix(held), prefix(peer_held));
        assert!(here >= self.both_hold, "{}: a server lost what both held: {here} of {}", self.name, self.both_hold);
        self.acknowledged = self.acknowledged.max(here);
        self.both_hold = self.both_hold.max(here.min(there));
    }

    /// Says hello to the server in use.
    pub async fn hello(&mut self) -> Result<HelloResponse, CallError> {
        let last = self.written.len() as u64;
        let range = Range { first: self.both_hold + 1, last, chain: self.chain_at(last) };
        let request = HelloRequest {
            origin: self.writer.origin,
            rank: self.writer.rank,
            ranges: if range.first > last { vec![Range { first: last, ..range }] } else { vec![range] },
            boot: self.boot,
            monotonic_ms: 0,
            wall_ms: userlock_agent::system::wall_ms(),
            why: "preferred".into(),
            epoch: Epoch::default(),
            spool: self.waiting() as u64,
            reaches: Vec::new(),
            pins: Vec::new(),
            version: "test".into(),
        };
        let answer = self.servers[self.in_use].hello(&self.token, &request, TIMEOUT).await?;
        if answer.verdict == HelloVerdict::Ok {
            self.told(&answer.held, answer.peer_held.as_deref());
            self.greeted = true;
        }
        Ok(answer)
    }

    /// The next batch for a server that holds everything up to `held`.
    fn batch(&self, held: u64) -> Option<EventsRequest> {
        let records: Vec<WireRecord> =
            self.written.iter().skip(usize::try_from(held).unwrap()).take(BATCH).map(wire).collect();
        (!records.is_empty()).then(|| EventsRequest {
            origin: self.writer.origin,
            rank: self.writer.rank,
            before: self.chain_at(held),
            records,
        })
    }

    /// Sends what the server in use lacks, and learns what both hold.
    pub async fn send(&mut self) -> Result<(), CallError> {
        let answer = self.hello().await?;
        assert_eq!(answer.verdict, HelloVerdict::Ok, "{} is not recognized: {answer:?}", self.name);
        let mut held = answer.held.first().filter(|r| r.first == 1).map_or(0, |r| r.last);
        while let Some(batch) = self.batch(held) {
            let answer = self.servers[self.in_use].events(&self.token, &batch, TIMEOUT).await?;
            assert!(answer.rejected.is_empty(), "{:?}", answer.rejected);
            self.told(&answer.held, answer.peer_held.as_deref());
            held = answer.held.first().filter(|r| r.first == 1).map_or(0, |r| r.last);
        }
        Ok(())
    }

    /// The same at a certain server, where it must succeed.
    pub async fn send_to(&mut self, server: usize) {
        self.in_use = server;
        self.send().await.unwrap_or_else(|e| panic!("{} at {server}: {e}", self.name));
    }

    /// Sends; when the server in use fails, the other one is used from then on.
    pub async fn send_or_move(&mut self) -> bool {
        let sent = self.send().await;
        if let Err(error) = &sent {
            assert!(error.is_of_the_server(), "{}: {error}", self.name);
            self.in_use = 1 - self.in_use;
        }
        sent.is_ok()
    }

    /// Asks a certain server.
    pub async fn ask_at(
        &self,
        server: usize,
        id: DecisionId,
        user: &str,
        last_resort: bool,
    ) -> Result<DecisionResponse, CallError> {
        let request = DecisionRequest { decision_id: id, who: who(user), groups: Vec::new(), last_resort };
        self.servers[server].decide(&self.token, &request, Duration::from_secs(3)).await
    }

    /// Asks the server in use, then the other one as the last resort. None when neither answers.
    pub async fn ask(&self, user: &str) -> (DecisionId, Option<DecisionResponse>) {
        let id = DecisionId(draw());
        match self.ask_at(self.in_use, id, user, false).await {
            Ok(answer) => (id, Some(answer)),
            Err(_) => (id, self.ask_at(1 - self.in_use, id, user, true).await.ok()),
        }
    }

    /// Folds all that was written into `state`.
    pub fn fold_into(&self, state: &mut State) {
        for record in &self.written {
            let entry = Entry::from_agent(record.clone(), self.agent, &self.name);
            assert_eq!(entry.rejected, None);
            state.fold(&entry, &Event::read(record).unwrap(), 1);
        }
    }

    /// The identities of its records, as `GET /api/v1/events` tells them, with what they say.
    pub fn events(&self) -> impl Iterator<Item = (String, serde_json::Value)> {
        self.written
            .iter()
            .map(|r| (serde_json::to_value(r.id()).unwrap().to_string(), serde_json::from_slice(&r.payload).unwrap()))
    }

    /// The same token with a numbering of its own choice.
    pub fn numbered(&self, origin: [u8; 16], rank: u64) -> Self {
        let writer = Writer::new(OriginId(origin), rank);
        Self { writer, written: Vec::new(), both_hold: 0, acknowledged: 0, open: Vec::new(), ..self.clone() }
    }

    /// Hands all records but the first `skipped` to a server, without a hello.
    pub async fn post_to(&self, server: usize, skipped: u64) -> Result<EventsResponse, CallError> {
        let batch = self.batch(skipped).unwrap();
        self.servers[server].events(&self.token, &batch, TIMEOUT).await
    }

    /// Hands over one record alone: the one after the first `skipped`.
    pub async fn post_one(&self, server: usize, skipped: u64) -> Result<EventsResponse, CallError> {
        let mut batch = self.batch(skipped).unwrap();
        batch.records.truncate(1);
        self.servers[server].events(&self.token, &batch, TIMEOUT).await
    }

    /// The agent of an image of this machine: it goes on with the same numbering.
    pub fn clone_of(&self) -> Self {
        self.clone()
    }
}

pub fn new_decision() -> DecisionId {
    DecisionId(draw())
}

fn wire(record: &Record) -> WireRecord {
    let payload = String::from_utf8(record.payload.to_vec()).unwrap();
    WireRecord {
        seq: record.seq,
        machine: None,
        kind: record.kind,
        at: record.at,
        chain: record.chain,
        payload: RawValue::from_string(payload).unwrap(),
    }
}
