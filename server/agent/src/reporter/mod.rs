//! An agent without a machine: it keeps and sends what is reported, asks for decisions, and passes commands on. What the
//! machine is, and what its sessions are, a [`Host`] tells.

mod decide;
mod listen;
mod probe;
mod speak;
mod state;
mod status;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use userlock_core::{
    agent::obey::Obedience,
    agent_api::{AgentSettings, ServerAddress},
    event::{BootId, Command, CommandOutcome, CommandResult, Inventory, kind},
    id::{AgentId, CommandId},
    record::EventId,
    settings::OfflinePolicy,
};

use crate::{
    client::{AddressError, Clients},
    spool::{Draft, Spool, SpoolError},
    system::wall_ms,
};
use state::State;

pub use decide::Decided;
pub use status::{ServerStatus, Status};

/// Who this agent is.
#[derive(Clone)]
pub struct Identity {
    /// The enrolment's public name.
    pub agent: AgentId,
    /// The token of this machine.
    pub token: String,
    /// The machine's name as the zone knows it.
    pub machine: String,
}

/// What an agent knows of its zone: at first from its enrolment, later from its servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The servers, the Primary first.
    pub servers: Vec<ServerAddress>,
    /// The settings.
    pub settings: AgentSettings,
}

impl Zone {
    /// What is known before a server has told its settings.
    #[must_use]
    pub fn at_first(servers: Vec<ServerAddress>) -> Self {
        Self { servers, settings: default_settings() }
    }
}

/// The settings before a server has told any: the defaults of a zone.
#[must_use]
pub fn default_settings() -> AgentSettings {
    let of_zone = userlock_core::settings::Agents::default();
    AgentSettings {
        offline_policy: OfflinePolicy::default(),
        heartbeat_seconds: of_zone.heartbeat_seconds,
        ask_backup_after_ms: of_zone.ask_backup_after_ms,
        give_up_after_ms: of_zone.give_up_after_ms,
        spool_cap: of_zone.spool_cap,
        offline_message: String::new(),
        backup_first: false,
    }
}

/// What to tell somebody whom the offline policy refuses: the zone's text, or the reason itself where it has none.
#[must_use]
pub fn offline_text(text: &str, reason: &str, user: &str, machine: &str) -> String {
    if text.is_empty() {
        return reason.to_owned();
    }
    userlock_core::settings::expand(text, &[("user", user), ("machine", machine)])
}

/// The machine behind a [`Reporter`].
pub trait Host: Send + Sync + 'static {
    /// Calls `number` once with all sessions alive, and lets none begin or end until that returns: an inventory is taken
    /// in the transaction that numbers it. `number` takes the reporter's own locks, so whoever reports a session must
    /// hold the host's lock first, never the other way round.
    fn inventory(&self, number: &mut dyn FnMut(Inventory));

    /// Obeys a command, which has been judged and is remembered. It must not block; what became of it is told with
    /// [`Reporter::command_result`].
    fn obey(&self, reporter: &Arc<Reporter>, command: Command);

    /// The zone has told other servers or settings. They are written down durably: servers replace a certificate when
    /// agents say that they know the next one.
    ///
    /// # Errors
    /// They could not be written.
    fn zone(&self, _zone: &Zone) -> io::Result<()> {
        Ok(())
    }

    /// Writes down which commands were given, durably. One is obeyed only after that.
    ///
    /// # Errors
    /// It could not be written; then the command is not obeyed.
    fn remember(&self, _memory: &Obedience) -> io::Result<()> {
        Ok(())
    }
}

/// What a reporter is made of.
pub struct Parts {
    /// Who it is.
    pub identity: Identity,
    /// What it knows of its zone.
    pub zone: Zone,
    /// The machine's present boot.
    pub boot: BootId,
    /// Where it keeps what it reports.
    pub spool: Spool,
    /// The commands that it was given before.
    pub memory: Obedience,
    /// Connections, perhaps shared with other reporters of the process.
    pub clients: Clients,
    /// The machine.
    pub host: Arc<dyn Host>,
}

/// The agent.
pub struct Reporter {
    identity: Identity,
    boot: BootId,
    clients: Clients,
    host: Arc<dyn Host>,
    /// Locked before `state`, never after it.
    spool: Mutex<Spool>,
    state: Mutex<State>,
    /// Something is to be sent.
    news: Notify,
    /// Another server is used, or the one in use knows us now.
    moved: watch::Sender<u64>,
}

impl Reporter {
    /// An agent that is silent until [`Self::run`].
    ///
    /// # Errors
    /// [`AddressError`] when a server's address is none.
    pub fn new(parts: Parts) -> Result<Arc<Self>, AddressError> {
        let state = State::new(parts.zone, parts.memory, &parts.clients)?;
        Ok(Arc::new(Self {
            identity: parts.identity,
            boot: parts.boot,
            clients: parts.clients,
            host: parts.host,
            spool: Mutex::new(parts.spool),
            state: Mutex::new(state),
            news: Notify::new(),
            moved: watch::Sender::new(0),
        }))
    }

    /// Keeps in touch with the servers for as long as it is polled: hellos, events, commands, probes. Stopping at any
    /// moment loses nothing that the spool has.
    pub async fn run(self: &Arc<Self>) {
        let unreported = self.state().memory.unreported();
        for id in unreported {
            let detail = "the agent ended while it obeyed; whether it was done is not known".to_owned();
            self.command_result(id, CommandOutcome::Failed, Some(detail));
        }
        tokio::join!(Box::pin(self.speak()), Box::pin(self.listen()), Box::pin(self.probe()));
    }

    /// Reports an event that happens now. When it returns, the event has a number and is on the disk (of a spool that has
    /// one); it is sent in the background.
    ///
    /// # Errors
    /// [`SpoolError`]; then it is as if it had not been called.
    pub fn report(&self, kind: u16, payload: &impl Serialize) -> Result<EventId, SpoolError> {
        let ids = self.report_all(&[Draft::new(kind, wall_ms(), payload)?])?;
        ids.first().copied().ok_or_else(|| SpoolError::Payload("nothing was numbered".into()))
    }

    /// Reports several events at once, all or none.
    ///
    /// # Errors
    /// [`SpoolError`]; then it is as if it had not been called.
    pub fn report_all(&self, drafts: &[Draft]) -> Result<Vec<EventId>, SpoolError> {
        let mut spool = self.spool();
        let ids = spool.append(drafts)?;
        self.make_room(&mut spool);
        drop(spool);
        self.news.notify_one();
        Ok(ids)
    }

    /// Drops what the cap does not allow, loudly.
    fn make_room(&self, spool: &mut Spool) {
        let (held, cap) = {
            let state = self.state();
            (state.held.clone(), u64::from(state.zone.settings.spool_cap))
        };
        match spool.enforce_cap(&held, cap) {
            Ok(over) if over.is_empty() => {}
            Ok(over) => self.state().dropped(&over),
            Err(error) => tracing::error!(%error, "the spool's file could not be made smaller"),
        }
    }

    /// Tells what became of a command.
    pub fn command_result(&self, command_id: CommandId, outcome: CommandOutcome, detail: Option<String>) {
        let result = CommandResult { command_id, outcome, detail };
        if let Err(error) = self.report(kind::COMMAND_RESULT, &result) {
            tracing::error!(%error, command.id = %command_id, "what became of a command could not be written");
            return;
        }
        let memory = {
            let mut state = self.state();
            state.memory.reported(command_id);
            state.memory.clone()
        };
        if let Err(error) = self.host.remember(&memory) {
            tracing::error!(%error, "what was commanded could not be written");
        }
    }

    /// What the agent knows of its zone now.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.state().zone.clone()
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The machine's boot.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// How many records wait until the servers hold them.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let spool = self.spool();
        let held = self.state().held.clone();
        spool.waiting(&held)
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for another server.
    fn moved(&self) {
        self.moved.send_modify(|turn| *turn += 1);
    }
}

#[cfg(test)]
mod tests;
