//! A played machine: a real agent, whose sessions exist nowhere but here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinHandle;
use userlock_agent::{
    client::{AddressError, Clients},
    reporter::{Decided, Host, Identity, Parts, Reporter, Zone},
    spool::{Spool, SpoolError},
    system::{random_id, wall_ms},
};
use userlock_core::{
    agent::{
        obey::Obedience,
        offline::{self, Seen},
    },
    agent_api::DecisionRequest,
    event::{
        Boot, BootId, Command, CommandAction, CommandOutcome, Denied, Inventory, InventorySession, Logon, LogonId,
        OfflineDecision, SessionChange, SubState, Who, kind,
    },
    id::{DecisionId, Digest},
};

use super::day::Slot;

/// What a machine could not do.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A server's address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An event could not be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system gives no randomness.
    #[error("no random name: {0}")]
    Random(#[from] std::io::Error),
}

/// A session of a played machine.
struct Live {
    slot: Slot,
    who: Who,
    state: SubState,
    since: i64,
}

/// What happens on the machine during one boot.
struct Played {
    boot: BootId,
    /// What the machine's disk has of its zone.
    zone: Arc<Mutex<Zone>>,
    sessions: Mutex<BTreeMap<LogonId, Live>>,
}

impl Played {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<LogonId, Live>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a session, if it is still there; whether it was.
    fn end(&self, reporter: &Reporter, logon: &LogonId, reason: Option<String>) -> Result<bool, SpoolError> {
        // The lock is held until the event has its number, so that no inventory comes between.
        let mut sessions = self.sessions();
        if sessions.remove(logon).is_none() {
            return Ok(false);
        }
        reporter.report(kind::LOGOFF, &self.change(logon, reason))?;
        Ok(true)
    }

    fn set_state(&self, reporter: &Reporter, logon: &LogonId, kind: u16, state: SubState) -> Result<bool, SpoolError> {
        let mut sessions = self.sessions();
        let Some(session) = sessions.get_mut(logon).filter(|session| session.state != state) else { return Ok(false) };
        session.state = state;
        reporter.report(kind, &self.change(logon, None))?;
        Ok(true)
    }

    fn change(&self, logon: &LogonId, reason: Option<String>) -> SessionChange {
        SessionChange { boot: self.boot, logon: logon.clone(), reason }
    }

    fn find(&self, slot: Slot) -> Option<LogonId> {
        self.sessions().iter().find(|(_, session)| session.slot == slot).map(|(logon, _)| logon.clone())
    }
}

impl Host for Played {
    fn inventory(&self, number: &mut dyn FnMut(Inventory)) {
        let sessions = self.sessions();
        let of = |(logon, live): (&LogonId, &Live)| InventorySession {
            logon: logon.clone(),
            state: live.state,
            since: live.since,
            who: live.who.clone(),
        };
        number(Inventory { boot: self.boot, sessions: sessions.iter().map(of).collect() });
    }

    fn zone(&self, zone: &Zone) -> std::io::Result<()> {
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = zone.clone();
        Ok(())
    }

    fn obey(&self, reporter: &Arc<Reporter>, command: Command) {
        let logon = &command.session.logon;
        let done = match command.action {
            CommandAction::Logoff => self.end(reporter, logon, Some(format!("logged off by {}", command.by))),
            CommandAction::Lock => self.set_state(reporter, logon, kind::LOCK, SubState::Locked),
            CommandAction::Message => Ok(self.sessions().contains_key(logon)),
        };
        let (outcome, detail) = match done {
            Ok(true) => (CommandOutcome::Done, None),
            Ok(false) => (CommandOutcome::NoSuchSession, None),
            Err(error) => (CommandOutcome::Failed, Some(error.to_string())),
        };
        reporter.command_result(command.command_id, outcome, detail);
    }
}

/// A machine that has power.
struct Running {
    reporter: Arc<Reporter>,
    played: Arc<Played>,
    task: JoinHandle<()>,
    logons: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A machine, with power or without.
pub struct Machine {
    identity: Identity,
    clients: Clients,
    zone: Arc<Mutex<Zone>>,
    seen: Mutex<Seen>,
    running: Mutex<Option<Running>>,
}

/// What became of a logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedOn {
    /// There is a session.
    Yes,
    /// It was refused.
    Refused,
    /// The machine has no power.
    NoPower,
}

impl Machine {
    /// A machine without power.
    #[must_use]
    pub fn new(identity: Identity, zone: Zone, clients: Clients) -> Self {
        Self { identity, clients, zone: Arc::new(Mutex::new(zone)), seen: Mutex::default(), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Option<(Arc<Reporter>, Arc<Played>)> {
        self.running().as_ref().map(|r| (Arc::clone(&r.reporter), Arc::clone(&r.played)))
    }

    /// The machine starts, with an agent that has forgotten all but its zone.
    ///
    /// # Errors
    /// [`MachineError`].
    pub fn power_on(&self) -> Result<(), MachineError> {
        let boot: BootId = Digest(random_id()?);
        let played = Arc::new(Played { boot, zone: Arc::clone(&self.zone), sessions: Mutex::default() });
        let zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reporter = Reporter::new(Parts {
            identity: self.identity.clone(),
            zone,
            boot,
            spool: Spool::in_memory(&self.identity.machine)?,
            memory: Obedience::default(),
            clients: self.clients.clone(),
            host: Arc::clone(&played) as Arc<dyn Host>,
        })?;
        reporter.report(kind::BOOT, &Boot { boot })?;
        let agent = Arc::clone(&reporter);
        let task = tokio::spawn(async move { agent.run().await });
        *self.running() = Some(Running { reporter, played, task, logons: 0 });
        Ok(())
    }

    /// The machine stops at once; nobody hears of its sessions.
    pub fn power_loss(&self) {
        self.running().take();
    }

    /// Somebody wants to log on: asks, and reports what became of it.
    ///
    /// # Errors
    /// [`MachineError`].
    pub async fn log_on(&self, slot: Slot, who: Who, groups: Vec<String>) -> Result<LoggedOn, MachineError> {
        let Some((reporter, played)) = self.now() else { return Ok(LoggedOn::NoPower) };
        let decision_id = DecisionId(random_id()?);
        let request = DecisionRequest { decision_id, who: who.clone(), groups, last_resort: false };
        let refused = match reporter.decide(request).await {
            Decided::Answer { response, .. } => (!response.allow).then_some(response.reason),
            Decided::Offline { why } => self.decide_alone(&reporter, decision_id, &who, why)?,
        };
        if let Some(reason) = refused {
            reporter.report(kind::DENIED, &Denied { decision_id: Some(decision_id), who, reason })?;
            return Ok(LoggedOn::Refused);
        }
        let mut running = self.running();
        // The power may have gone while the servers thought about it.
        let Some(now) = running.as_mut().filter(|now| now.played.boot == played.boot) else {
            return Ok(LoggedOn::NoPower);
        };
        now.logons += 1;
        let Ok(logon) = LogonId::new(&now.logons.to_string()) else { return Ok(LoggedOn::NoPower) };
        drop(running);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).note(&who.user, wall_ms());
        let mut sessions = played.sessions();
        let event = Logon { boot: played.boot, logon: logon.clone(), decision_id: Some(decision_id), who: who.clone() };
        reporter.report(kind::LOGON, &event)?;
        sessions.insert(logon, Live { slot, who, state: SubState::Open, since: wall_ms() });
        Ok(LoggedOn::Yes)
    }

    /// No server answers: the offline policy decides. The reason, if it refuses.
    fn decide_alone(
        &self,
        reporter: &Reporter,
        decision_id: DecisionId,
        who: &Who,
        why: String,
    ) -> Result<Option<String>, SpoolError> {
        let policy = reporter.zone().settings.offline_policy;
        let decided = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            offline::decide(policy, &seen, &who.user, wall_ms())
        };
        let offline::Offline { allow, policy, reason } = decided;
        let event = OfflineDecision { decision_id, who: who.clone(), allow, policy, reason: why };
        reporter.report(kind::OFFLINE_DECISION, &event)?;
        Ok((!allow).then_some(reason))
    }

    /// A session is locked, unlocked, left or taken up again, if it is there.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn change(&self, slot: Slot, kind: u16, state: SubState) -> Result<(), SpoolError> {
        let Some((reporter, played)) = self.now() else { return Ok(()) };
        let Some(logon) = played.find(slot) else { return Ok(()) };
        played.set_state(&reporter, &logon, kind, state).map(|_| ())
    }

    /// A session ends, if it is there.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn log_off(&self, slot: Slot) -> Result<(), SpoolError> {
        let Some((reporter, played)) = self.now() else { return Ok(()) };
        let Some(logon) = played.find(slot) else { return Ok(()) };
        played.end(&reporter, &logon, None).map(|_| ())
    }
}
