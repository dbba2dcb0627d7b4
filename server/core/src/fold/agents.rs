//! Agents: which tokens there are, for which machines. Every fact about one only ever grows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{event::AgentEnrolled, id::AgentId, record::Machine};

/// One enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentState {
    /// The machine, once its enrolment is known.
    pub machine: Option<Machine>,
    /// The BLAKE3 hash of its token, in hex.
    pub token_hash: String,
    /// When it was enrolled, in ms since 1970 UTC.
    pub enrolled_at: i64,
    /// Whether its token is worth nothing any more.
    pub revoked: bool,
    /// Whether its machine's name may be enrolled again; its token is worth nothing then either.
    pub released: bool,
}

impl AgentState {
    /// Whether its token is valid.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.machine.is_some() && !self.revoked && !self.released
    }
}

/// All enrolments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentsState {
    by_id: BTreeMap<AgentId, AgentState>,
    #[serde(skip)]
    by_token_hash: BTreeMap<String, AgentId>,
    #[serde(skip)]
    by_machine: BTreeMap<Machine, BTreeSet<AgentId>>,
    #[serde(skip)]
    dirty: BTreeSet<AgentId>,
}

impl AgentsState {
    pub(super) fn enrolled(&mut self, machine: &Machine, at: i64, event: &AgentEnrolled) {
        let agent = self.by_id.entry(event.agent).or_default();
        agent.machine = Some(machine.clone());
        agent.token_hash.clone_from(&event.token_hash);
        agent.enrolled_at = at;
        self.index(event.agent);
    }

    pub(super) fn revoked(&mut self, agent: AgentId) {
        self.by_id.entry(agent).or_default().revoked = true;
        self.dirty.insert(agent);
    }

    pub(super) fn released(&mut self, agent: AgentId) {
        self.by_id.entry(agent).or_default().released = true;
        self.dirty.insert(agent);
    }

    fn index(&mut self, id: AgentId) {
        self.dirty.insert(id);
        if let Some(agent) = self.by_id.get(&id)
            && let Some(machine) = &agent.machine
        {
            self.by_token_hash.insert(agent.token_hash.clone(), id);
            self.by_machine.entry(machine.clone()).or_default().insert(id);
        }
    }

    /// Puts an enrolment back as it was written down, or as a snapshot has it.
    pub fn restore(&mut self, id: AgentId, agent: AgentState) {
        self.by_id.insert(id, agent);
        self.index(id);
    }

    /// One enrolment.
    #[must_use]
    pub fn get(&self, id: AgentId) -> Option<&AgentState> {
        self.by_id.get(&id)
    }

    /// All enrolments.
    pub fn iter(&self) -> impl Iterator<Item = (AgentId, &AgentState)> {
        self.by_id.iter().map(|(id, agent)| (*id, agent))
    }

    /// Whose token has this hash (hex), valid or not.
    #[must_use]
    pub fn by_token_hash(&self, hash: &str) -> Option<(AgentId, &AgentState)> {
        let id = *self.by_token_hash.get(hash)?;
        Some((id, self.by_id.get(&id)?))
    }

    /// The enrolment that holds a machine's name: one that was not released.
    #[must_use]
    pub fn holder(&self, machine: &str) -> Option<AgentId> {
        let ids = self.by_machine.get(machine)?;
        ids.iter().copied().find(|id| self.by_id.get(id).is_some_and(|a| !a.released))
    }

    /// How many enrolments are valid.
    #[must_use]
    pub fn active(&self) -> usize {
        self.by_id.values().filter(|a| a.is_active()).count()
    }

    /// The enrolments that changed since this was last asked, to be written down.
    pub fn take_dirty(&mut self) -> BTreeSet<AgentId> {
        std::mem::take(&mut self.dirty)
    }

    /// Marks an enrolment as written down as it is.
    pub fn mark_clean(&mut self, id: Option<AgentId>) {
        id.map(|id| self.dirty.remove(&id));
    }

    /// Marks enrolments as not written down.
    pub fn mark_dirty(&mut self, ids: impl IntoIterator<Item = AgentId>) {
        self.dirty.extend(ids);
    }
}
