//! Decisions that were made, and commands that were given.
//!
//! An allowed decision is a *grant*: it counts as a session until the logon that names it, or for 120 s.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Realms},
    event::{COMMAND_VALID_MS, Command, CommandOutcome, CommandResult, Decision},
    id::{CommandId, DecisionId},
    record::{Machine, Record},
};

/// For how long a grant counts, in ms of the counting server's clock from when it learned of it.
pub const GRANT_MS: i64 = 120_000;
/// For how long an answer that does not count is kept, so that the same request gets it again, in ms. Agents give up
/// after 30 s at most.
pub const ANSWER_MS: i64 = 60_000;
/// For how long a command and its outcome are kept, in ms.
const COMMAND_KEPT_MS: i64 = 600_000;

/// A decision that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionState {
    /// The machine that asked.
    pub machine: Machine,
    /// What was answered.
    #[serde(with = "crate::as_json")]
    pub decision: Arc<Decision>,
    /// Whether its logon has come.
    pub used: bool,
    /// When this server learned of it, by its own clock (ms since 1970 UTC).
    pub learned: i64,
}

/// A command that was given, until it is answered or too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCommand {
    /// The command.
    #[serde(with = "crate::as_json")]
    pub command: Arc<Command>,
    /// When this server learned of it, by its own clock (ms since 1970 UTC).
    pub learned: i64,
    /// What became of it.
    pub outcome: Option<CommandOutcome>,
    /// Whether its agent has taken it from this server.
    #[serde(skip)]
    pub taken: bool,
}

/// Decisions and commands that still matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    made: BTreeMap<DecisionId, DecisionState>,
    /// Logons that named a decision which is not known here yet.
    used_early: BTreeSet<DecisionId>,
    commands: BTreeMap<CommandId, PendingCommand>,
    /// The commands of each machine.
    #[serde(skip)]
    by_machine: BTreeMap<Machine, BTreeSet<CommandId>>,
    /// Results of commands that are not known here yet.
    done_early: BTreeMap<CommandId, CommandOutcome>,
    #[serde(skip)]
    by_account: BTreeMap<Account, BTreeSet<DecisionId>>,
    /// When each answer may be forgotten.
    #[serde(skip)]
    expires: BTreeSet<(i64, DecisionId)>,
    #[serde(skip)]
    realms: Realms,
}

impl DecisionState {
    /// Whether it counts as a session until its time is over.
    fn counts(&self) -> bool {
        self.decision.allow && !self.used
    }

    /// When it may be forgotten, by the clock of `learned`.
    fn expires(&self) -> i64 {
        self.learned.saturating_add(if self.counts() { GRANT_MS + ANSWER_MS } else { ANSWER_MS })
    }
}

impl Decisions {
    pub(super) fn used(&mut self, id: Option<DecisionId>) {
        let Some(id) = id else { return };
        if let Some(made) = self.made.get_mut(&id) {
            self.expires.remove(&(made.expires(), id));
            made.used = true;
            self.expires.insert((made.expires(), id));
            let account = self.realms.canonical(&Account::parse(&made.decision.who.user));
            self.leave_list(&account, id);
        } else {
            self.used_early.insert(id);
        }
    }

    pub(super) fn decided(&mut self, record: &Record, decision: &Decision, realms: &Realms, now: i64) {
        let id = decision.decision_id;
        let used = self.used_early.remove(&id);
        let first = !self.made.contains_key(&id);
        // Both servers may have answered one request; an answer that allowed counts, once.
        let state = self.made.entry(id).or_insert_with(|| DecisionState {
            machine: record.machine.clone(),
            decision: Arc::new(decision.clone()),
            used,
            learned: now,
        });
        self.expires.remove(&(state.expires(), id));
        if !first && decision.allow && !state.decision.allow {
            state.decision = Arc::new(decision.clone());
        }
        self.expires.insert((state.expires(), id));
        if state.counts() {
            let account = realms.canonical(&Account::parse(&decision.who.user));
            self.by_account.entry(account).or_default().insert(id);
        }
    }

    fn leave_list(&mut self, account: &Account, id: DecisionId) {
        if let Some(ids) = self.by_account.get_mut(account) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_account.remove(account);
            }
        }
    }

    pub(super) fn commanded(&mut self, record: &Record, command: &Command, now: i64) {
        let outcome = self.done_early.remove(&command.command_id);
        self.by_machine.entry(command.session.machine.clone()).or_default().insert(command.command_id);
        self.commands.entry(command.command_id).or_insert_with(|| PendingCommand {
            command: Arc::new(command.clone()),
            // It is valid from when it was written, also when it comes here late; never longer than from now.
            learned: record.at.min(now),
            outcome,
            taken: false,
        });
    }

    pub(super) fn command_done(&mut self, result: &CommandResult) {
        match self.commands.get_mut(&result.command_id) {
            Some(pending) => pending.outcome = Some(result.outcome),
            None => _ = self.done_early.insert(result.command_id, result.outcome),
        }
    }

    /// The answer that was given to a request.
    #[must_use]
    pub fn answer(&self, id: DecisionId) -> Option<&DecisionState> {
        self.made.get(&id)
    }

    /// The grants of an account that count at `now`.
    pub fn grants(&self, account: &Account, now: i64) -> impl Iterator<Item = &DecisionState> {
        let ids = self.by_account.get(&self.realms.canonical(account));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.made.get(id))
            .filter(move |made| now.saturating_sub(made.learned) < GRANT_MS)
    }

    /// The commands for a machine that are still to be told, with the ms for which each is valid.
    pub fn pending_for(&self, machine: &str, now: i64) -> impl Iterator<Item = (&PendingCommand, i64)> {
        let ids = self.by_machine.get(machine).into_iter().flatten();
        ids.filter_map(|id| self.commands.get(id)).filter_map(move |pending| {
            let left = COMMAND_VALID_MS - now.saturating_sub(pending.learned);
            (pending.outcome.is_none() && !pending.taken && left > 0).then_some((pending, left))
        })
    }

    /// A command, while it is remembered.
    #[must_use]
    pub fn command(&self, id: CommandId) -> Option<&PendingCommand> {
        self.commands.get(&id)
    }

    /// Notes that a machine's agent has taken commands.
    pub fn mark_taken(&mut self, machine: &str, ids: &[CommandId]) {
        for id in ids {
            if let Some(pending) = self.commands.get_mut(id)
                && &*pending.command.session.machine == machine
            {
                pending.taken = true;
            }
        }
    }

    pub(super) fn set_realms(&mut self, realms: &Realms) {
        self.realms = realms.clone();
        self.by_account.clear();
        self.expires = self.made.iter().map(|(id, made)| (made.expires(), *id)).collect();
        self.by_machine.clear();
        for (id, pending) in &self.commands {
            self.by_machine.entry(pending.command.session.machine.clone()).or_default().insert(*id);
        }
        for (id, made) in &self.made {
            if made.counts() {
                let account = realms.canonical(&Account::parse(&made.decision.who.user));
                self.by_account.entry(account).or_default().insert(*id);
            }
        }
    }

    /// Lists anew what counts, with every grant learned `now`: after a start, a grant counts anew.
    pub fn restart(&mut self, realms: &Realms, now: i64) {
        for made in self.made.values_mut() {
            made.learned = now;
        }
        self.set_realms(realms);
    }

    /// What of it another server needs: the grants that are not used, the commands, what came before its cause.
    #[must_use]
    pub fn that_matter(&self) -> Self {
        let grants = self.made.iter().filter(|(_, made)| made.counts());
        Self {
            made: grants.map(|(id, made)| (*id, made.clone())).collect(),
            used_early: self.used_early.clone(),
            commands: self.commands.clone(),
            done_early: self.done_early.clone(),
            ..Self::default()
        }
    }

    /// The same in parts of at most so many grants.
    #[must_use]
    pub fn in_parts(mut self, size: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        while self.made.len() > size {
            let Some(middle) = self.made.keys().nth(size).copied() else { break };
            let rest = self.made.split_off(&middle);
            parts.push(Self { made: std::mem::replace(&mut self.made, rest), ..Self::default() });
        }
        parts.push(self);
        parts
    }

    /// Takes over what another server knows, keeping what is known here. [`Self::restart_lists`] must follow.
    pub fn unite(&mut self, other: Self, now: i64) {
        for (id, theirs) in other.made {
            let used = theirs.used || self.used_early.remove(&id);
            let learned = now;
            let ours = self.made.entry(id).or_insert_with(|| DecisionState { learned, ..theirs.clone() });
            if theirs.decision.allow && !ours.decision.allow {
                ours.decision = theirs.decision;
            }
            ours.used |= used;
        }
        for (id, theirs) in other.commands {
            let ours = self.commands.entry(id).or_insert(theirs.clone());
            ours.outcome = ours.outcome.or(theirs.outcome);
        }
        for id in other.used_early {
            self.used(Some(id));
        }
        for (command_id, outcome) in other.done_early {
            self.command_done(&CommandResult { command_id, outcome, detail: None });
        }
    }

    /// Lists anew what counts for whom.
    pub fn restart_lists(&mut self, realms: &Realms) {
        self.set_realms(realms);
    }

    /// Forgets answers and commands that are too old to matter at `now`.
    pub fn forget_old(&mut self, now: i64) {
        while let Some((at, id)) = self.expires.first().copied()
            && at <= now
        {
            self.expires.pop_first();
            if let Some(made) = self.made.remove(&id) {
                let account = self.realms.canonical(&Account::parse(&made.decision.who.user));
                self.leave_list(&account, id);
            }
        }
        let by_machine = &mut self.by_machine;
        self.commands.retain(|id, pending| {
            let stays = now.saturating_sub(pending.learned) < COMMAND_KEPT_MS;
            let machine = &pending.command.session.machine;
            if !stays && let Some(ids) = by_machine.get_mut(machine) {
                ids.remove(id);
                if ids.is_empty() {
                    by_machine.remove(machine);
                }
            }
            stays
        });
        // What came before its cause is bounded by number: it is there to be met within seconds.
        for _ in 100_000..self.used_early.len() {
            self.used_early.pop_first();
        }
        for _ in 100_000..self.done_early.len() {
            self.done_early.pop_first();
        }
    }
}
