//! What an agent says of itself.

use serde::{Deserialize, Serialize};
use userlock_core::{
    id::{AgentId, Epoch, OriginId},
    settings::OfflinePolicy,
};

use super::Reporter;

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The machine's name as the zone knows it.
    pub machine: String,
    /// The enrolment.
    pub agent: AgentId,
    /// The program's version.
    pub version: String,
    /// Whether the server in use knows this agent and answers.
    pub connected: bool,
    /// The address of the server in use.
    pub server: Option<String>,
    /// `primary` or `backup`: what that server is in this zone.
    pub role: Option<String>,
    /// Why it is used: `preferred`, or how the preferred one failed.
    pub why: String,
    /// Each server of the zone.
    pub servers: Vec<ServerStatus>,
    /// When a server last answered, in ms since 1970 UTC.
    pub last_contact: Option<i64>,
    /// The server's clock less this machine's, in ms.
    pub skew_ms: i64,
    /// Events that not all servers hold yet.
    pub waiting: u64,
    /// Events that a full spool dropped while one server held them.
    pub dropped: u64,
    /// Events that a full spool dropped while no server held them.
    pub lost: u64,
    /// The agent's incarnation.
    pub origin: OriginId,
    /// Its rank; 0 until a server was reached for the first time.
    pub rank: u64,
    /// The number of the last event.
    pub last_event: u64,
    /// The highest epoch seen.
    pub epoch: Epoch,
    /// What decides when no server answers.
    pub offline_policy: OfflinePolicy,
}

/// A server, as an agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its address.
    pub url: String,
    /// How it failed; absent while it answers.
    pub failure: Option<String>,
}

impl Reporter {
    /// How the agent is.
    #[must_use]
    pub fn status(&self) -> Status {
        let spool = self.spool();
        let state = self.state();
        let used = state.contact.in_use();
        let server = state.in_use();
        let of = |(index, address): (usize, &userlock_core::agent_api::ServerAddress)| ServerStatus {
            url: address.url.clone(),
            failure: state.contact.failure(index).map(str::to_owned),
        };
        Status {
            machine: self.identity.machine.clone(),
            agent: self.identity.agent,
            version: env!("CARGO_PKG_VERSION").into(),
            connected: server.as_ref().is_some_and(|server| state.is_greeted(server)),
            role: server
                .as_ref()
                .map(|_| if (used == 0) != state.zone.settings.backup_first { "primary" } else { "backup" }.to_owned()),
            server: server.map(|server| server.address().url.clone()),
            why: state.contact.why(used),
            servers: state.zone.servers.iter().enumerate().map(of).collect(),
            last_contact: state.last_contact,
            skew_ms: state.skew_ms,
            waiting: spool.waiting(&state.held),
            dropped: state.dropped_at_one,
            lost: state.dropped_lost,
            origin: spool.origin(),
            rank: spool.rank(),
            last_event: spool.last(),
            epoch: state.memory.epoch,
            offline_policy: state.zone.settings.offline_policy,
        }
    }
}
