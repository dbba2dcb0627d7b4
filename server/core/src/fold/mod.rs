//! The fold: the state that follows from a set of records, whatever their order and however often each came.

mod agents;
mod grants;
mod index;
mod machine;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

pub use agents::{AgentState, AgentsState};
pub use grants::{DecisionState, Decisions, GRANT_MS, PendingCommand};
pub use index::live_machines;
pub use machine::MachineState;
pub use session::{Ending, Session};

use crate::{
    account::{Account, Realms},
    event::{self, BootId, Event, LogonId, SessionKey, SubState},
    held::{BUCKETS, digest_of},
    id::{AgentId, Digest, hash128},
    record::{Entry, Machine, Order, Record},
};

/// Grows with every change of what the same records make. Two servers that differ here do not compare their digests,
/// and a server whose state was made by another version folds its log anew.
pub const FOLD_VERSION: u32 = 1;

/// A 256th of the machines. Shared with readers and changed only while no reader has it, else copied first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bucket {
    /// Each machine by its name.
    pub machines: BTreeMap<Machine, MachineState>,
}

/// What the records make.
#[derive(Debug, Clone)]
pub struct State {
    buckets: Vec<Arc<Bucket>>,
    digests: Vec<u128>,
    /// Agents and their tokens.
    pub agents: AgentsState,
    /// Decisions and commands.
    pub decisions: Decisions,
    realms: Realms,
    by_account: BTreeMap<Arc<Account>, BTreeSet<SessionKey>>,
    live: u64,
    version: u64,
    dirty: BTreeSet<Machine>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| Arc::default()).collect(),
            digests: vec![0; BUCKETS],
            agents: AgentsState::default(),
            decisions: Decisions::default(),
            realms: Realms::default(),
            by_account: BTreeMap::new(),
            live: 0,
            version: 0,
            dirty: BTreeSet::new(),
        }
    }
}

/// The bucket of a machine.
#[must_use]
pub fn bucket_of(machine: &str) -> usize {
    let [first, ..] = hash128("userlock machine 1", &[machine.as_bytes()]);
    usize::from(first)
}

impl State {
    /// Takes in one entry with its payload read. A rejected one has no effect. `now` is this server's clock
    /// (ms since 1970 UTC), kept only to know how long a closed session has been closed here.
    pub fn fold(&mut self, entry: &Entry, event: &Event, now: i64) {
        if entry.rejected.is_some() {
            return;
        }
        let record = &entry.record;
        match event {
            Event::Boot(e) => self.fold_boot(record, entry.by, e.boot, now),
            Event::Inventory(e) => self.fold_inventory(record, entry.by, e, now),
            Event::Logon(e) => {
                self.decisions.used(e.decision_id);
                self.session(record, entry.by, e.boot, &e.logon, now, |session, order| {
                    session.learn_who(order, Arc::new(e.who.clone()), record.at);
                    session.learn_sub_state(order, SubState::Open);
                    if let Some(id) = e.decision_id
                        && session.decision.is_none_or(|(known, _)| known < order)
                    {
                        session.decision = Some((order, id));
                    }
                });
            }
            Event::Logoff(e) => self.session(record, entry.by, e.boot, &e.logon, now, |session, order| {
                if session.logoff.is_none_or(|(known, _)| known < order) {
                    session.logoff = Some((order, record.at));
                }
            }),
            Event::State(e, sub_state) => self.session(record, entry.by, e.boot, &e.logon, now, |session, order| {
                session.learn_sub_state(order, *sub_state);
            }),
            Event::SessionReset(e) => self.fold_reset(e, now),
            Event::AgentEnrolled(e) => self.agents.enrolled(&record.machine, record.at, e),
            Event::AgentRevoked(e) => self.agents.revoked(e.agent),
            Event::AgentReleased(e) => self.agents.released(e.agent),
            Event::Decision(e) => self.decisions.decided(record, e, &self.realms, now),
            Event::Command(e) => self.decisions.commanded(record, e, now),
            Event::CommandResult(e) => self.decisions.command_done(e),
            Event::Denied(_)
            | Event::OfflineDecision(_)
            | Event::SettingsChanged(_)
            | Event::RoleChanged(_)
            | Event::Lost(_)
            | Event::Other => {}
        }
    }

    fn session(
        &mut self,
        record: &Record,
        by: AgentId,
        boot: BootId,
        logon: &LogonId,
        now: i64,
        learn: impl FnOnce(&mut Session, Order),
    ) {
        let order = record.order();
        self.change_machine(&record.machine, |machine| {
            machine.highest_rank = machine.highest_rank.max(order.rank);
            let session = machine.sessions.entry((boot, logon.clone())).or_default();
            session.learn_evidence(order, by, record.at);
            learn(session, order);
        });
        self.derive_session(&record.machine, boot, logon, now);
    }

    fn fold_boot(&mut self, record: &Record, by: AgentId, boot: BootId, now: i64) {
        let order = record.order();
        self.change_machine(&record.machine, |machine| {
            machine.highest_rank = machine.highest_rank.max(order.rank);
            let latest = machine.boots.entry(by).or_insert((order, boot));
            if latest.0 < order {
                *latest = (order, boot);
            }
        });
        self.derive_machine(&record.machine, now);
    }

    fn fold_inventory(&mut self, record: &Record, by: AgentId, inventory: &event::Inventory, now: i64) {
        let order = record.order();
        self.change_machine(&record.machine, |machine| {
            machine.highest_rank = machine.highest_rank.max(order.rank);
            let latest = machine.inventories.entry(by).or_insert((order, record.at));
            if latest.0 < order {
                *latest = (order, record.at);
            }
            for listed in &inventory.sessions {
                let session = machine.sessions.entry((inventory.boot, listed.logon.clone())).or_default();
                session.learn_evidence(order, by, record.at);
                session.learn_who(order, Arc::new(listed.who.clone()), listed.since);
                session.learn_sub_state(order, listed.state);
            }
        });
        self.derive_machine(&record.machine, now);
    }

    fn fold_reset(&mut self, reset: &event::SessionReset, now: i64) {
        let key = &reset.session;
        self.change_machine(&key.machine, |machine| {
            let session = machine.sessions.entry((key.boot, key.logon.clone())).or_default();
            session.reset = session.reset.max(Some(reset.evidence));
        });
        self.derive_session(&key.machine, key.boot, &key.logon, now);
    }

    /// Changes what is known of a machine. What follows from it must be derived afterwards.
    fn change_machine(&mut self, machine: &Machine, change: impl FnOnce(&mut MachineState)) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(machine)) {
            change(Arc::make_mut(bucket).machines.entry(machine.clone()).or_default());
            if !self.dirty.contains(machine) {
                self.dirty.insert(machine.clone());
            }
        }
    }

    /// What is known of a machine.
    #[must_use]
    pub fn machine(&self, machine: &str) -> Option<&MachineState> {
        self.buckets.get(bucket_of(machine))?.machines.get(machine)
    }

    /// A session and how it ended, if it did.
    #[must_use]
    pub fn get(&self, key: &SessionKey) -> Option<(&Session, Option<Ending>)> {
        let machine = self.machine(&key.machine)?;
        let session = machine.sessions.get(&(key.boot, key.logon.clone()))?;
        Some((session, machine.ending(key.boot, session)))
    }

    /// The state at this moment, for a reader: a copy of 256 pointers. Later changes do not show in it.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Arc<Bucket>> {
        self.buckets.clone()
    }

    /// How many sessions are not closed.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.live
    }

    /// How many accounts have sessions that are not closed.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.by_account.len()
    }

    /// Grows with each change of the list.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Over the sessions that are not closed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest_of(&self.digests)
    }

    /// The sums of the buckets, which the digest is over.
    #[must_use]
    pub fn digest_buckets(&self) -> &[u128] {
        &self.digests
    }

    /// The machines that changed since this was last asked, to be written down.
    pub fn take_dirty(&mut self) -> BTreeSet<Machine> {
        std::mem::take(&mut self.dirty)
    }

    /// Marks machines as not written down.
    pub fn mark_dirty(&mut self, machines: impl IntoIterator<Item = Machine>) {
        self.dirty.extend(machines);
    }

    /// Marks a machine as written down as it is.
    pub fn mark_clean(&mut self, machine: Option<&Machine>) {
        machine.map(|machine| self.dirty.remove(machine));
    }

    /// Puts a machine back as it was written down, or as a snapshot has it.
    pub fn restore_machine(&mut self, machine: Machine, state: MachineState, now: i64) {
        self.change_machine(&machine, |known| *known = state);
        self.derive_machine(&machine, now);
    }
}

#[cfg(test)]
mod tests;
