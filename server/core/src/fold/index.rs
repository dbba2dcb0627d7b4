//! What follows from the sessions: the digest, the lists by account, which are live.

use std::{collections::BTreeSet, sync::Arc};

use super::{Bucket, MachineState, Session, State, bucket_of, session::Derived};
use crate::{
    account::{Account, Realms},
    event::{BootId, Event, LogonId, SessionKey},
    record::{Machine, Record},
};

impl State {
    /// Derives anew what follows from one session.
    pub(super) fn derive_session(&mut self, machine: &Machine, boot: BootId, logon: &LogonId, now: i64) {
        let index = bucket_of(machine);
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        let Some(state) = Arc::make_mut(bucket).machines.get_mut(machine) else { return };
        let key = (boot, logon.clone());
        let Some(session) = state.sessions.get(&key) else { return };
        let ending = state.ending(boot, session);
        let Some(session) = state.sessions.get_mut(&key) else { return };
        let step = derive(session, machine, boot, logon, ending.is_none(), &self.realms, now);
        self.apply_step(index, step, machine, boot, logon);
    }

    /// Derives anew what follows from each session of a machine that has not been logged off.
    pub(super) fn derive_machine(&mut self, machine: &Machine, now: i64) {
        let index = bucket_of(machine);
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        let Some(state) = Arc::make_mut(bucket).machines.get_mut(machine) else { return };
        let steps = derive_all(state, machine, &self.realms, now);
        for (boot, logon, step) in steps {
            self.apply_step(index, step, machine, boot, &logon);
        }
    }

    fn apply_step(&mut self, index: usize, step: Step, machine: &Machine, boot: BootId, logon: &LogonId) {
        if !step.changed {
            return;
        }
        self.version += 1;
        if let Some(sum) = self.digests.get_mut(index) {
            *sum = sum.wrapping_add(step.digest);
        }
        self.live = self.live.wrapping_add_signed(step.live);
        if step.leaves == step.joins {
            return;
        }
        let key = SessionKey { machine: machine.clone(), boot, logon: logon.clone() };
        if let Some(account) = step.leaves
            && let Some(keys) = self.by_account.get_mut(&account)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.by_account.remove(&account);
            }
        }
        if let Some(account) = step.joins {
            self.by_account.entry(account).or_default().insert(key);
        }
    }

    /// The sessions of an account that are not closed, in any spelling that the zone maps to it.
    pub fn of_account(&self, account: &Account) -> impl Iterator<Item = (&SessionKey, &Session)> {
        let canonical = self.realms.canonical(account);
        self.by_account.get(&canonical).into_iter().flatten().filter_map(|key| Some((key, self.get(key)?.0)))
    }

    /// Each account that has sessions which are not closed, in order, with their keys, from `from` on.
    pub fn by_account_from(&self, from: &Account) -> impl Iterator<Item = (&Account, &BTreeSet<SessionKey>)> {
        self.by_account.range::<Account, _>(from..).map(|(account, keys)| (&**account, keys))
    }

    /// The realms that are one.
    #[must_use]
    pub fn realms(&self) -> &Realms {
        &self.realms
    }

    /// Takes over which realms are one, and puts every session into its list anew if that changed.
    pub fn set_realms(&mut self, realms: &Realms, now: i64) {
        if self.realms == *realms {
            return;
        }
        self.realms = realms.clone();
        self.decisions.set_realms(realms);
        let machines: Vec<Machine> = self.buckets.iter().flat_map(|b| b.machines.keys().cloned()).collect();
        for machine in machines {
            self.derive_machine(&machine, now);
        }
    }

    /// Takes only decisions, their logons and commands from a record whose effect on the sessions is known already.
    pub(crate) fn replay_decisions(&mut self, record: &Record, event: &Event, now: i64) {
        match event {
            Event::Decision(d) => self.decisions.decided(record, d, &self.realms, now),
            Event::Logon(l) => self.decisions.used(l.decision_id),
            Event::Command(c) => self.decisions.commanded(record, c, now),
            Event::CommandResult(r) => self.decisions.command_done(r),
            _ => {}
        }
    }

    /// After a start, every grant counts anew from `now`.
    pub(crate) fn restart_decisions(&mut self, now: i64) {
        self.decisions.restart(&self.realms, now);
    }

    /// Goes on counting changes of the list from another state that this one takes the place of.
    pub(crate) fn continue_version(&mut self, before: &Self) {
        self.version += before.version + 1;
    }

    /// Forgets sessions that have been closed here since before `closed_before` (ms since 1970 UTC; after a start, anew
    /// from then), of one of the 256 buckets at a time, since nobody else gets at the state meanwhile. Returns how many. The
    /// caller sees to it that both servers hold all records of them.
    pub fn forget_closed(&mut self, bucket: u8, closed_before: i64) -> usize {
        let mut forgotten = 0;
        if let Some(bucket) = self.buckets.get_mut(usize::from(bucket)) {
            let old = |s: &Session| !s.derived.live && s.derived.closed_seen < closed_before;
            if !bucket.machines.values().any(|m| m.sessions.values().any(|s| old(s))) {
                return 0;
            }
            for (name, machine) in &mut Arc::make_mut(bucket).machines {
                let before = machine.sessions.len();
                machine.sessions.retain(|_, session| !old(session));
                if machine.sessions.len() < before {
                    forgotten += before - machine.sessions.len();
                    self.dirty.insert(name.clone());
                }
            }
        }
        forgotten
    }
}

/// The machines of a snapshot on which sessions are not closed.
pub fn live_machines(buckets: &[Arc<Bucket>]) -> impl Iterator<Item = &Machine> {
    let live = |m: &MachineState| m.sessions.values().any(|s| s.derived.live);
    buckets.iter().flat_map(|b| &b.machines).filter(move |(_, m)| live(m)).map(|(name, _)| name)
}

/// How what follows from a session has changed.
#[derive(Debug, Default)]
struct Step {
    changed: bool,
    digest: u128,
    live: i64,
    leaves: Option<Arc<Account>>,
    joins: Option<Arc<Account>>,
}

fn derive_all(state: &mut MachineState, machine: &Machine, realms: &Realms, now: i64) -> Vec<(BootId, LogonId, Step)> {
    let endings: Vec<_> = state
        .sessions
        .iter()
        .filter(|(_, session)| session.logoff.is_none() || session.derived.live || session.derived.closed_seen == 0)
        .map(|((boot, logon), session)| (*boot, logon.clone(), state.ending(*boot, session)))
        .collect();
    let mut steps = Vec::new();
    for (boot, logon, ending) in endings {
        if let Some(session) = state.sessions.get_mut(&(boot, logon.clone())) {
            let step = derive(session, machine, boot, &logon, ending.is_none(), realms, now);
            if step.changed {
                steps.push((boot, logon, step));
            }
        }
    }
    steps
}

fn derive(
    session: &mut Session,
    machine: &str,
    boot: BootId,
    logon: &LogonId,
    live: bool,
    realms: &Realms,
    now: i64,
) -> Step {
    let contribution = if live { session.contribution(machine, boot, logon) } else { 0 };
    let account = match &session.who {
        Some((_, who, _)) if live => Some(account_of(&who.user, realms, session.derived.account.as_ref())),
        _ => None,
    };
    let closed_seen = match (live, session.derived.closed_seen) {
        (true, _) => 0,
        (false, 0) => now.max(1),
        (false, seen) => seen,
    };
    let after = Derived { contribution, live, account, closed_seen };
    if after == session.derived {
        return Step::default();
    }
    let before = std::mem::replace(&mut session.derived, after.clone());
    Step {
        changed: true,
        digest: after.contribution.wrapping_sub(before.contribution),
        live: i64::from(after.live) - i64::from(before.live),
        leaves: before.account,
        joins: after.account,
    }
}

/// The account of a typed name; the one already at hand where it is the same.
fn account_of(user: &str, realms: &Realms, known: Option<&Arc<Account>>) -> Arc<Account> {
    let account = realms.canonical(&Account::parse(user));
    match known {
        Some(known) if **known == account => known.clone(),
        _ => Arc::new(account),
    }
}
