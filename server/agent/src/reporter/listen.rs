//! Commands: taken by a long poll, judged, obeyed once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use userlock_core::{
    agent::obey::Judgement,
    agent_api::{CommandsRequest, TimedCommand},
    event::CommandOutcome,
};

use super::Reporter;
use crate::client::{CallError, Server};

/// How long a server may hold the poll, in seconds.
const WAIT_SECONDS: u32 = 25;
const TIMEOUT: Duration = Duration::from_secs(WAIT_SECONDS as u64 + 5);
const READY_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long to wait after something that will not be better at once.
const PAUSE: Duration = Duration::from_secs(2);
/// The most commands whose taking is told in one poll.
const MAX_TAKEN: usize = 256;

impl Reporter {
    /// Asks the server in use for commands, for ever.
    pub(super) async fn listen(self: &Arc<Self>) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            let server = {
                let state = self.state();
                state.in_use().filter(|server| state.is_greeted(server))
            };
            let Some(server) = server else {
                // Only an end of the program closes the channel, and then nobody polls this any more.
                let _ = moved.changed().await;
                continue;
            };
            let taken: Vec<_> = self.state().taken.iter().take(MAX_TAKEN).copied().collect();
            let request = CommandsRequest { wait_seconds: WAIT_SECONDS, taken };
            let asked = Instant::now();
            let outcome = tokio::select! {
                outcome = server.commands(&self.identity.token, &request, TIMEOUT) => outcome,
                _ = moved.changed() => continue,
            };
            match outcome {
                Ok(answer) => {
                    self.state().taken.retain(|id| !request.taken.contains(id));
                    let any = !answer.commands.is_empty();
                    for command in answer.commands {
                        self.take(command);
                    }
                    if !any && asked.elapsed() < Duration::from_secs(1) {
                        sleep(PAUSE).await;
                    }
                }
                Err(error) => self.doubt(&server, &error).await,
            }
        }
    }

    fn take(self: &Arc<Self>, TimedCommand { valid_ms, command }: TimedCommand) {
        let id = command.command_id;
        let (judgement, memory) = {
            let mut state = self.state();
            if !state.taken.contains(&id) {
                state.taken.push(id);
            }
            (state.memory.judge(&command, valid_ms), state.memory.clone())
        };
        if judgement == Judgement::Repeat {
            return;
        }
        tracing::info!(command.id = %id, command.action = ?command.action, session = %command.session, by = command.by, ?judgement, "a command");
        if let Err(error) = self.host.remember(&memory) {
            let detail = format!("the agent cannot write down that it was commanded: {error}");
            self.command_result(id, CommandOutcome::Failed, Some(detail));
            return;
        }
        match judgement {
            Judgement::Obey => self.host.obey(self, command),
            Judgement::Refuse(outcome) => self.command_result(id, outcome, None),
            Judgement::Repeat => {}
        }
    }

    /// The poll broke off. Whether the server is dead is found out at once: the next logon must not have to.
    async fn doubt(&self, server: &Server, error: &CallError) {
        tracing::debug!(server.url = server.address().url, %error, "the poll for commands broke off");
        if let CallError::Refused(_) = error {
            sleep(PAUSE).await;
            return;
        }
        match server.ready(READY_TIMEOUT).await {
            Ok(()) => sleep(Duration::from_millis(200)).await,
            Err(error) => {
                let moved = self.state().failed(server, &error);
                if moved {
                    self.moved();
                } else {
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
