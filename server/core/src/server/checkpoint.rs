//! What is written down of the state, so that a start need not fold the whole log: only what has changed, and a little of
//! it with each commit, so that none has to wait for all of it.

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

/// A checkpoint under way: the pieces that had changed up to a position, to be written down a few at a time.
///
/// A piece is written as it is by then, so it may know more than the position says. A start folds the records after the
/// position on top of all pieces, and to fold a record twice changes nothing.
#[derive(Debug, Default)]
pub struct Checkpoint {
    machines: Vec<Machine>,
    origins: Vec<OriginId>,
    agents: Vec<AgentId>,
    position: u64,
}

impl Checkpoint {
    /// The position that the state is written down for, once all pieces are.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether all pieces have been given out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.machines.is_empty() && self.origins.is_empty() && self.agents.is_empty()
    }
}

impl Server {
    /// The version that the rows go with.
    pub const ROWS_VERSION: u32 = FOLD_VERSION;

    /// Begins a checkpoint of what has changed since the last one began. The one before must be done or given up.
    pub fn begin_checkpoint(&mut self) -> Checkpoint {
        Checkpoint {
            machines: self.state.take_dirty().into_iter().collect(),
            origins: self.held.take_dirty().into_iter().collect(),
            agents: self.state.agents.take_dirty().into_iter().collect(),
            position: self.position,
        }
    }

    /// The next rows of a checkpoint: until they have so many bytes, by one piece more at most.
    pub fn next_rows(&self, checkpoint: &mut Checkpoint, bytes: usize) -> Vec<Row> {
        let (mut rows, mut size) = (Vec::new(), 0);
        while size < bytes && !checkpoint.is_done() {
            let next = if let Some(name) = checkpoint.machines.pop() {
                self.state.machine(&name).and_then(|machine| row(RowKind::Machine, name.as_bytes(), machine))
            } else if let Some(origin) = checkpoint.origins.pop() {
                self.held.origin(origin).and_then(|held| row(RowKind::Origin, &origin.0, held))
            } else {
                let agent = checkpoint.agents.pop().and_then(|id| Some((id, self.state.agents.get(id)?)));
                agent.and_then(|(id, agent)| row(RowKind::Agent, &id.0, agent))
            };
            size += next.as_ref().map_or(0, |row| row.value.len());
            rows.extend(next);
        }
        rows
    }

    /// Notes that rows were written down as the pieces are now: what changed since the checkpoint began is in them.
    pub fn written(&mut self, rows: &[Row]) {
        for row in rows {
            match row.kind {
                RowKind::Machine => self.state.mark_clean(machine_of(&row.key).as_ref()),
                RowKind::Origin => self.held.mark_clean(id_of(&row.key).map(OriginId)),
                RowKind::Agent => self.state.agents.mark_clean(id_of(&row.key).map(AgentId)),
            }
        }
    }

    /// Gives a checkpoint up, after a commit that failed: these rows of it were not written. All that it has left is
    /// written down with the next.
    pub fn give_up(&mut self, checkpoint: Checkpoint, rows: &[Row]) {
        self.state.mark_dirty(checkpoint.machines);
        self.held.mark_dirty(checkpoint.origins);
        self.state.agents.mark_dirty(checkpoint.agents);
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
