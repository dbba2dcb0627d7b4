//! User sessions.

use leptos::{server, server_fn::codec::GetUrl};
use serde::{Deserialize, Serialize};
use userlock_core::api::{ActionResponse, Page, Problem, SessionAction, SessionQuery, SessionView};

use super::{Refused, text::Json};

/// The most sessions that one action is for.
pub const MAX_ACTION_KEYS: usize = 500;

/// What became of an action on one session: one of the two is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// The session.
    pub key: String,
    /// What was started or done.
    pub done: Option<ActionResponse>,
    /// Why it was not.
    pub refused: Option<Problem>,
}

/// One page of the list of sessions.
#[server(name = GetSessions, prefix = "/fn", endpoint = "sessions", input = GetUrl, output = Json)]
pub async fn sessions(#[server(default)] query: SessionQuery) -> Result<Page<SessionView>, Refused> {
    super::answer::read(super::Right::Read(super::Area::Sessions), |ports| async move { ports.sessions(query).await })
        .await
}

/// Does something with sessions, one after another; one that is refused does not keep the others back.
#[server(name = ActOnSessions, prefix = "/fn", endpoint = "session-actions", output = Json)]
pub async fn session_actions(
    #[server(default)] keys: Vec<String>,
    action: SessionAction,
    #[server(default)] reason: String,
) -> Result<Vec<ActionOutcome>, Refused> {
    use userlock_core::{api::ActionRequest, event::SessionKey};

    let call = |ports: crate::ports::SharedPorts, caller: super::Caller| async move {
        if keys.is_empty() || keys.len() > MAX_ACTION_KEYS {
            return Err(Refused::field("keys", "Select from 1 to 500 sessions first.").0);
        }
        if reason.trim().is_empty() {
            return Err(Refused::field("reason", "Give a reason: it is kept with what is done.").0);
        }
        let mut outcomes = Vec::with_capacity(keys.len());
        for key in keys {
            let outcome = match key.parse::<SessionKey>() {
                Ok(parsed) => {
                    let request = ActionRequest { action, text: None, reason: reason.clone() };
                    ports.act_on_session(caller.clone(), parsed, request).await
                }
                Err(error) => Err(Refused::field("keys", &error.to_string()).0),
            };
            outcomes.push(match outcome {
                Ok(done) => ActionOutcome { key, done: Some(done), refused: None },
                Err(problem) => ActionOutcome { key, done: None, refused: Some(problem) },
            });
        }
        Ok(outcomes)
    };
    super::answer::act(super::Right::Write(super::Area::Sessions), call, |outcomes: &Vec<ActionOutcome>| {
        super::answer::Told::here(crate::present::words::action_result(action, outcomes))
    })
    .await
}
