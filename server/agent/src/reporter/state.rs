//! What a reporter knows at a moment.

use userlock_core::{
    agent::{
        contact::Contact,
        obey::Obedience,
        spool::{HeldBy, Overflow, count},
    },
    agent_api::{HelloResponse, Reach, ServerAddress},
    id::{CommandId, OriginId},
};

use super::Zone;
use crate::{
    client::{AddressError, CallError, Clients, Server},
    system::{jitter, monotonic_ms, wall_ms},
};

/// The most random delay before a probe, in ms.
const PROBE_JITTER_MS: u64 = 2_000;
/// What has been said once is not said again for so long, in ms.
const QUIET_MS: u64 = 60_000;

/// What is known and in which state the conversation is.
pub(super) struct State {
    pub(super) zone: Zone,
    pub(super) servers: Vec<Server>,
    pub(super) contact: Contact,
    /// The server that knows us, and the origin that it knows: its last hello was answered well.
    pub(super) greeted: Option<(String, OriginId)>,
    pub(super) next_hello: u64,
    /// How long until the peer's share is asked for again, while something waits for it.
    pub(super) recheck_ms: u64,
    /// How many hellos in a row told us to take a new origin.
    pub(super) rewinds: u32,
    pub(super) held: HeldBy,
    pub(super) memory: Obedience,
    /// Commands taken from this server, which it need not tell again.
    pub(super) taken: Vec<CommandId>,
    pub(super) reaches: Vec<Reach>,
    /// What of it is written down.
    pub(super) written: Zone,
    pub(super) last_contact: Option<i64>,
    pub(super) skew_ms: i64,
    pub(super) dropped_at_one: u64,
    pub(super) dropped_lost: u64,
    said: Vec<(String, String, u64)>,
}

impl State {
    pub(super) fn new(zone: Zone, memory: Obedience, clients: &Clients) -> Result<Self, AddressError> {
        let servers = servers_of(&zone.servers, clients)?;
        let contact = Contact::new(&names(&zone.servers));
        Ok(Self {
            written: zone.clone(),
            zone,
            servers,
            contact,
            greeted: None,
            next_hello: 0,
            recheck_ms: super::speak::FIRST_RECHECK_MS,
            rewinds: 0,
            held: HeldBy { server: Vec::new(), peer: Some(Vec::new()) },
            memory,
            taken: Vec::new(),
            reaches: Vec::new(),
            last_contact: None,
            skew_ms: 0,
            dropped_at_one: 0,
            dropped_lost: 0,
            said: Vec::new(),
        })
    }

    pub(super) fn index(&self, server: &Server) -> Option<usize> {
        self.servers.iter().position(|s| s.address().url == server.address().url)
    }

    pub(super) fn in_use(&self) -> Option<Server> {
        self.servers.get(self.contact.in_use()).cloned()
    }

    /// Whether the last hello to this server was answered well.
    pub(super) fn is_greeted(&self, server: &Server) -> bool {
        self.greeted.as_ref().is_some_and(|(url, _)| *url == server.address().url)
    }

    /// A call failed. Whether another server is used because of it.
    pub(super) fn failed(&mut self, server: &Server, error: &CallError) -> bool {
        self.failed_because(server, &error.to_string())
    }

    pub(super) fn failed_because(&mut self, server: &Server, why: &str) -> bool {
        let Some(index) = self.index(server) else { return false };
        let before = self.contact.in_use();
        if self.contact.failed(index, why, monotonic_ms(), jitter(PROBE_JITTER_MS)) && self.is_new(server, why) {
            let alone = self.contact.alone();
            tracing::warn!(server.url = server.address().url, error = why, offline = alone, "a server failed");
        }
        self.reach(server, false);
        let moved = self.contact.in_use() != before;
        if moved || self.is_greeted(server) {
            self.greeted = None;
        }
        moved
    }

    /// A call was answered. Whether this server is used again because of it.
    pub(super) fn answered(&mut self, server: &Server) -> bool {
        self.reach(server, true);
        self.last_contact = Some(wall_ms());
        self.index(server).is_some_and(|index| self.contact.answered(index))
    }

    /// A probe was answered. Whether another server is used because of it.
    pub(super) fn probed(&mut self, server: &Server, result: Result<(), &CallError>) -> bool {
        let reached = matches!(result, Ok(()) | Err(CallError::Refused(_)));
        self.reach(server, reached);
        let Some(index) = self.index(server) else { return false };
        let text = result.map_err(ToString::to_string);
        let result = text.as_ref().copied().map_err(String::as_str);
        let back = self.contact.probed(index, result, monotonic_ms(), jitter(PROBE_JITTER_MS));
        if back {
            self.said.retain(|(url, ..)| *url != server.address().url);
            tracing::info!(server.url = server.address().url, "a server that had failed is good again");
        }
        back
    }

    fn reach(&mut self, server: &Server, ok: bool) {
        let url = &server.address().url;
        match self.reaches.iter_mut().find(|reach| reach.url == *url) {
            Some(reach) => reach.ok = ok,
            None => self.reaches.push(Reach { url: url.clone(), ok }),
        }
    }

    /// Whether this has not been said of this server of late.
    fn is_new(&mut self, server: &Server, what: &str) -> bool {
        let (url, now) = (&server.address().url, monotonic_ms());
        let known = self.said.iter().any(|(u, w, at)| u == url && w == what && now.saturating_sub(*at) < QUIET_MS);
        if !known {
            self.said.retain(|(u, ..)| u != url);
            self.said.push((url.clone(), what.to_owned(), now));
        }
        !known
    }

    /// Takes over what a server told in its answer to a hello.
    pub(super) fn learn(&mut self, answer: &HelloResponse, clients: &Clients) {
        self.memory.saw(answer.epoch);
        self.skew_ms = answer.skew_ms;
        let told = Zone { servers: answer.servers.clone(), settings: answer.settings.clone() };
        if told == self.zone {
            return;
        }
        if told.servers != self.zone.servers && !told.servers.is_empty() {
            match servers_of(&told.servers, clients) {
                Ok(servers) => {
                    tracing::info!(zone.servers = ?names(&told.servers), "the zone's servers are now these");
                    self.servers = servers;
                    self.contact.update(&names(&told.servers));
                    self.reaches.retain(|reach| told.servers.iter().any(|s| s.url == reach.url));
                    self.zone.servers = told.servers;
                }
                Err(error) => tracing::error!(%error, "the servers that were told cannot be used; the known ones stay"),
            }
        }
        self.zone.settings = told.settings;
    }

    /// The spool had to drop records before their time.
    pub(super) fn dropped(&mut self, over: &Overflow) {
        let (at_one, lost) = (count(&over.at_one), count(&over.lost));
        self.dropped_at_one += at_one;
        self.dropped_lost += lost;
        let Some(server) = self.in_use() else { return };
        let what = if lost > 0 { "spool full, lost" } else { "spool full, dropped" };
        if self.is_new(&server, what) {
            tracing::error!(
                spool.dropped = self.dropped_at_one,
                spool.lost = self.dropped_lost,
                "the spool is full: its oldest records were dropped; \"lost\" ones are on no server"
            );
        }
    }
}

/// The fingerprints by which the servers are known.
pub(super) fn pins_of(servers: &[ServerAddress]) -> Vec<String> {
    servers.iter().flat_map(ServerAddress::pins).map(str::to_owned).collect()
}

fn names(servers: &[ServerAddress]) -> Vec<String> {
    servers.iter().map(|server| server.url.clone()).collect()
}

fn servers_of(addresses: &[ServerAddress], clients: &Clients) -> Result<Vec<Server>, AddressError> {
    addresses.iter().map(|address| clients.server(address)).collect()
}
