//! One session: the join of everything that was reported of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    event::{BootId, LogonId, SubState, Who},
    id::{AgentId, DecisionId, hash128},
    record::Order,
};

/// What is known of a session. Every field is the greatest of what was reported, so that no order of reports matters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Session {
    /// Who is in it and since when (ms since 1970 UTC), by the latest record that said so.
    pub who: Option<(Order, Arc<Who>, i64)>,
    /// What it is doing, by the latest record that said so.
    pub sub_state: Option<(Order, SubState)>,
    /// The latest record that shows it alive, under whose token that came, and when it was written (ms since 1970 UTC).
    pub evidence: Option<(Order, AgentId, i64)>,
    /// The latest logoff, and when it was written.
    pub logoff: Option<(Order, i64)>,
    /// The greatest evidence that a reset has named.
    pub reset: Option<Order>,
    /// The decision that allowed it, by the latest record that said so.
    pub decision: Option<(Order, DecisionId)>,
    /// What follows from the rest; not part of what is known.
    #[serde(skip)]
    pub(super) derived: Derived,
}

/// What a server keeps at hand about a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Derived {
    /// Its share of its bucket's digest; 0 when it is closed.
    pub contribution: u128,
    /// Whether it is listed as not closed.
    pub live: bool,
    /// Whose list it is in.
    pub account: Option<Arc<Account>>,
    /// When this server saw it closed, by this server's clock (ms since 1970 UTC).
    pub closed_seen: i64,
}

/// Why a session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was reported to have ended. Final.
    Logoff,
    /// A later inventory of its machine does not have it.
    Inventory,
    /// Its machine has started anew since.
    Boot,
    /// An administrator had it forgotten.
    Reset,
}

impl Ending {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logoff => "logoff",
            Self::Inventory => "inventory",
            Self::Boot => "boot",
            Self::Reset => "reset",
        }
    }
}

impl Session {
    /// Takes in who is in it.
    pub(super) fn learn_who(&mut self, order: Order, who: Arc<Who>, since: i64) {
        if self.who.as_ref().is_none_or(|(known, _, _)| *known < order) {
            self.who = Some((order, who, since));
        }
    }

    /// Takes in what it is doing.
    pub(super) fn learn_sub_state(&mut self, order: Order, sub_state: SubState) {
        if self.sub_state.is_none_or(|(known, _)| known < order) {
            self.sub_state = Some((order, sub_state));
        }
    }

    /// Takes in that it was alive.
    pub(super) fn learn_evidence(&mut self, order: Order, by: AgentId, at: i64) {
        if self.evidence.is_none_or(|(known, _, _)| known < order) {
            self.evidence = Some((order, by, at));
        }
    }

    /// Its share of the digest when it is not closed: only what the fold says, nothing that depends on a clock.
    pub(super) fn contribution(&self, machine: &str, boot: BootId, logon: &LogonId) -> u128 {
        let mut bytes = Vec::with_capacity(128);
        if let Some((order, by, _)) = self.evidence {
            push_order(&mut bytes, order);
            bytes.extend_from_slice(&by.0);
        }
        if let Some((order, sub_state)) = self.sub_state {
            push_order(&mut bytes, order);
            bytes.push(sub_state as u8);
        }
        let (user, kind) = match &self.who {
            Some((order, who, _)) => {
                push_order(&mut bytes, *order);
                (who.user.as_str(), who.session_type.as_str())
            }
            None => ("", ""),
        };
        let parts: [&[u8]; 6] =
            [machine.as_bytes(), &boot.0, logon.as_str().as_bytes(), user.as_bytes(), kind.as_bytes(), &bytes];
        u128::from_be_bytes(hash128("userlock session 1", &parts))
    }
}

fn push_order(bytes: &mut Vec<u8>, order: Order) {
    bytes.extend_from_slice(&order.rank.to_be_bytes());
    bytes.extend_from_slice(&order.origin.0);
    bytes.extend_from_slice(&order.seq.to_be_bytes());
}
