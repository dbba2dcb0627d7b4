//! Asking for a decision: whoever answers first, within the time-outs.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};
use userlock_core::{
    agent::contact::{Ask, Failure, Patience, Step},
    agent_api::{DecisionRequest, DecisionResponse},
};

use super::Reporter;
use crate::{
    client::{CallError, Server},
    system::monotonic_ms,
};

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// A server answered.
    Answer {
        /// Its answer.
        response: DecisionResponse,
        /// Its address.
        server: String,
    },
    /// None did in time: the offline policy decides. It is the caller's to apply and to report.
    Offline {
        /// Why, for people.
        why: String,
    },
}

type Answer = (usize, Result<DecisionResponse, CallError>);

impl Reporter {
    /// Asks whether a user may log on: the Primary, the Backup too when that takes too long, within the zone's time-outs.
    /// `last_resort` of the request is set here.
    pub async fn decide(&self, request: DecisionRequest) -> Decided {
        self.decide_after(request, Duration::ZERO).await
    }

    /// The same for a question on which so much time was spent already: it counts into the zone's time-out.
    pub async fn decide_after(&self, request: DecisionRequest, spent: Duration) -> Decided {
        let (contact, servers, mut patience) = {
            let state = self.state();
            (state.contact.clone(), state.servers.clone(), Patience::from(&state.zone.settings))
        };
        let spent = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        patience.give_up_after = patience.give_up_after.saturating_sub(spent);
        let mut asked = JoinSet::new();
        let mut failures: Vec<(usize, String)> = Vec::new();
        let (mut ask, mut steps) = Ask::start(&contact, patience, monotonic_ms());
        loop {
            for step in std::mem::take(&mut steps) {
                match step {
                    Step::Send { server, last_resort } => {
                        self.send_question(&mut asked, &servers, server, &request, last_resort, patience);
                    }
                    Step::GiveUp => return self.nobody(&ask, &servers, &failures),
                }
            }
            let wake = sleep(Duration::from_millis(ask.wake_at().saturating_sub(monotonic_ms())));
            tokio::select! {
                Some(Ok((server, result))) = asked.join_next() => match result {
                    Ok(response) => return self.answer(&ask, &servers, server, response),
                    Err(error) => {
                        tracing::debug!(server = server, %error, "a question failed");
                        failures.push((server, error.to_string()));
                        let failure = if error.is_not_serving() { Failure::NotServing } else { Failure::Unreachable };
                        if let Some(server) = servers.get(server) {
                            self.note_failure(server, &error.to_string());
                        }
                        steps = ask.failed(server, failure, monotonic_ms());
                    }
                },
                () = wake => steps = ask.tick(monotonic_ms()),
            }
        }
    }

    fn send_question(
        &self,
        asked: &mut JoinSet<Answer>,
        servers: &[Server],
        index: usize,
        request: &DecisionRequest,
        last_resort: bool,
        patience: Patience,
    ) {
        let Some(server) = servers.get(index).cloned() else { return };
        let token = self.identity.token.clone();
        let request = DecisionRequest { last_resort, ..request.clone() };
        // The question as a whole has its own end; this one only keeps a forgotten request from living on.
        let timeout = Duration::from_millis(patience.give_up_after.saturating_add(1000));
        asked.spawn(async move { (index, server.decide(&token, &request, timeout).await) });
    }

    fn answer(&self, ask: &Ask, servers: &[Server], index: usize, response: DecisionResponse) -> Decided {
        self.note_overdue(ask, servers, Some(index));
        let url = servers.get(index).map(|server| server.address().url.clone()).unwrap_or_default();
        let moved = {
            let mut state = self.state();
            state.memory.saw(response.epoch);
            servers.get(index).is_some_and(|server| state.answered(server))
        };
        if moved {
            self.moved();
        }
        Decided::Answer { response, server: url }
    }

    fn nobody(&self, ask: &Ask, servers: &[Server], failures: &[(usize, String)]) -> Decided {
        self.note_overdue(ask, servers, None);
        let name = |index: usize| servers.get(index).map_or("?", |server| server.address().url.as_str());
        let mut told: Vec<String> = failures.iter().map(|(index, why)| format!("{}: {why}", name(*index))).collect();
        told.extend(ask.overdue(monotonic_ms()).into_iter().map(|index| format!("{}: no answer", name(index))));
        let mut why = if told.is_empty() { "no server is known".to_owned() } else { told.join("; ") };
        why.truncate(why.floor_char_boundary(1000));
        Decided::Offline { why }
    }

    /// Who kept us waiting while another answered has failed, so that the next logon does not wait for it.
    fn note_overdue(&self, ask: &Ask, servers: &[Server], but: Option<usize>) {
        for index in ask.overdue(monotonic_ms()).into_iter().filter(|index| Some(*index) != but) {
            if let Some(server) = servers.get(index) {
                self.note_failure(server, "no answer in time");
            }
        }
    }

    fn note_failure(&self, server: &Server, why: &str) {
        let moved = self.state().failed_because(server, why);
        if moved {
            self.moved();
        }
    }
}
