//! What is written down of the state, so that a start need not fold the whole log: only what has changed.

use serde::{Serialize, de::DeserializeOwned};

use super::Server;
use crate::{
    fold::{AgentState, FOLD_VERSION, MachineState, State},
    held::{Held, HeldOrigin},
    id::{AgentId, OriginId},
    record::Machine,
};

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// A machine with its sessions.
    Machine = 1,
    /// What is held of an origin.
    Origin = 2,
    /// An enrolment.
    Agent = 3,
}

impl RowKind {
    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Machine, Self::Origin, Self::Agent].into_iter().find(|kind| *kind as i64 == number)
    }
}

/// One piece of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// Whose it is.
    pub key: Vec<u8>,
    /// What it says, in an encoding that goes with [`FOLD_VERSION`].
    pub value: Vec<u8>,
}

/// A row that cannot be read: what is on the disk is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a written-down piece of the state cannot be read")]
pub struct BadRow;

impl Server {
    /// The version that the rows go with.
    pub const ROWS_VERSION: u32 = FOLD_VERSION;

    /// The pieces that have changed since this was last called, to be written down with [`Self::position`].
    pub fn checkpoint(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for name in self.state.take_dirty() {
            if let Some(machine) = self.state.machine(&name) {
                rows.extend(row(RowKind::Machine, name.as_bytes(), machine));
            }
        }
        for origin in self.held.take_dirty() {
            if let Some(held) = self.held.origin(origin) {
                rows.extend(row(RowKind::Origin, &origin.0, held));
            }
        }
        for id in self.state.agents.take_dirty() {
            if let Some(agent) = self.state.agents.get(id) {
                rows.extend(row(RowKind::Agent, &id.0, agent));
            }
        }
        rows
    }

    /// Marks rows as not written down, after a commit that failed.
    pub fn not_written(&mut self, rows: &[Row]) {
        for row in rows {
            match row.kind {
                RowKind::Machine => self.state.mark_dirty(machine_of(&row.key)),
                RowKind::Origin => self.held.mark_dirty(id_of(&row.key).map(OriginId)),
                RowKind::Agent => self.state.agents.mark_dirty(id_of(&row.key).map(AgentId)),
            }
        }
    }

    /// Marks everything as not written down, after the whole list was replaced.
    pub fn nothing_written(&mut self) {
        let buckets = self.state.snapshot();
        self.state.mark_dirty(buckets.iter().flat_map(|b| b.machines.keys().cloned()));
        let origins: Vec<OriginId> = self.held.iter().map(|(origin, _)| origin).collect();
        self.held.mark_dirty(origins);
        let agents: Vec<AgentId> = self.state.agents.iter().map(|(id, _)| id).collect();
        self.state.agents.mark_dirty(agents);
    }

    /// Puts back one piece that was written down.
    ///
    /// # Errors
    /// [`BadRow`] when it is not what it should be.
    pub fn restore(&mut self, row: &Row, now: i64) -> Result<(), BadRow> {
        match row.kind {
            RowKind::Machine => {
                let name = machine_of(&row.key).ok_or(BadRow)?;
                self.state.restore_machine(name, read::<MachineState>(&row.value)?, now);
            }
            RowKind::Origin => {
                let origin = OriginId(id_of(&row.key).ok_or(BadRow)?);
                self.held.restore(origin, read::<HeldOrigin>(&row.value)?);
            }
            RowKind::Agent => {
                let id = AgentId(id_of(&row.key).ok_or(BadRow)?);
                self.state.agents.restore(id, read::<AgentState>(&row.value)?);
            }
        }
        Ok(())
    }

    /// Called when everything that was written down is back: nothing of it needs to be written again, and every grant
    /// counts anew from `now`.
    pub fn restored(&mut self, now: i64) {
        _ = self.state.take_dirty();
        _ = self.held.take_dirty();
        _ = self.state.agents.take_dirty();
        self.state.restart_decisions(now);
    }
}

/// Every piece of a state.
pub(super) fn all_rows(state: &State, held: &Held) -> Vec<Row> {
    let buckets = state.snapshot();
    let machines = buckets.iter().flat_map(|b| &b.machines);
    let machines = machines.filter_map(|(name, machine)| row(RowKind::Machine, name.as_bytes(), machine));
    let origins = held.iter().filter_map(|(origin, held)| row(RowKind::Origin, &origin.0, held));
    let agents = state.agents.iter().filter_map(|(id, agent)| row(RowKind::Agent, &id.0, agent));
    machines.chain(origins).chain(agents).collect()
}

fn row(kind: RowKind, key: &[u8], value: &impl Serialize) -> Option<Row> {
    let value = postcard::to_allocvec(value).ok()?;
    Some(Row { kind, key: key.to_vec(), value })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadRow> {
    postcard::from_bytes(bytes).map_err(|_| BadRow)
}

fn machine_of(key: &[u8]) -> Option<Machine> {
    std::str::from_utf8(key).ok().map(Machine::from)
}

fn id_of(key: &[u8]) -> Option<[u8; 16]> {
    key.try_into().ok()
}
