//! One machine: its boots, its inventories, its sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::session::{Ending, Session};
use crate::{
    event::{BootId, LogonId},
    id::AgentId,
    record::Order,
};

/// What is known of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MachineState {
    /// The latest boot under each token.
    pub boots: BTreeMap<AgentId, (Order, BootId)>,
    /// The latest inventory under each token, and when it was written (ms since 1970 UTC).
    pub inventories: BTreeMap<AgentId, (Order, i64)>,
    /// Every session that is known, closed ones included. Boxed, since a tree has room for nearly twice what is in it.
    pub sessions: BTreeMap<(BootId, LogonId), Box<Session>>,
    /// The highest rank of any origin that wrote about it.
    pub highest_rank: u64,
}

impl MachineState {
    /// Whether and how a session has ended. Only a logoff is final: the rest is undone by later evidence.
    #[must_use]
    pub fn ending(&self, boot: BootId, session: &Session) -> Option<Ending> {
        if session.logoff.is_some() {
            return Some(Ending::Logoff);
        }
        let Some((evidence, by, _)) = session.evidence else { return Some(Ending::Reset) };
        if self.boots.get(&by).is_some_and(|(order, latest)| *order > evidence && *latest != boot) {
            return Some(Ending::Boot);
        }
        if self.inventories.get(&by).is_some_and(|(order, _)| *order > evidence) {
            return Some(Ending::Inventory);
        }
        if session.reset.is_some_and(|order| order >= evidence) {
            return Some(Ending::Reset);
        }
        None
    }

    /// When a session ended, in ms since 1970 UTC: its logoff, else "after" its last evidence.
    #[must_use]
    pub fn ended_at(session: &Session) -> Option<i64> {
        session.logoff.map(|(_, at)| at).or(session.evidence.map(|(_, _, at)| at))
    }
}
