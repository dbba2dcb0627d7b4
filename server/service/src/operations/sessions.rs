//! The list of sessions, and what can be done with one.

use userlock_core::{
    api::{ActionRequest, ActionResponse, Page, SessionAction, SessionQuery, SessionView},
    event::{CommandAction, SessionKey},
    id::CommandId,
    server::Input,
};

use super::{check_reason, refusal_of};
use crate::{
    clock,
    http::{
        problem::{self, Answer},
        state::App,
    },
    random,
    zone::monotonic_ms,
};

impl App {
    /// One page of the list.
    ///
    /// # Errors
    /// 422, naming the parameter.
    pub async fn sessions(&self, query: SessionQuery) -> Answer<Page<SessionView>> {
        let zone = self.zone.clone();
        // One pass over everything: milliseconds with many sessions, which other requests should not wait for.
        let page = tokio::task::spawn_blocking(move || {
            let after = zone.read(|server| u64::from(server.settings.settings.agents.unconfirmed_after_seconds)) * 1000;
            let (now, wall) = (monotonic_ms(), clock::now_ms());
            zone.listing().page(&query, |machine| zone.contacts().silent_since(machine, after, now, wall))
        });
        Ok(page.await.map_err(|_| problem::internal())??)
    }

    /// Does something with one session.
    ///
    /// # Errors
    /// 404, 422, 503.
    pub async fn act_on_session(&self, by: &str, key: SessionKey, request: ActionRequest) -> Answer<ActionResponse> {
        if request.reason.trim().is_empty() {
            return Err(problem::invalid_field("reason", "must say why; it is kept with the action"));
        }
        check_reason(Some(&request.reason))?;
        if request.text.is_some() && request.action != SessionAction::Message {
            return Err(problem::invalid_field("text", "belongs to the action `message`"));
        }
        match request.action {
            SessionAction::Lock | SessionAction::Message => {
                Err(problem::not_supported("action", "agents cannot do this yet; they can log off"))
            }
            SessionAction::Reset => {
                let input = Input::Reset { session: key, evidence: None, by: by.to_string(), reason: request.reason };
                self.zone.submit(input).await.map_err(|error| refusal_of(self, error))?;
                let message = "The session is forgotten. If its machine still has it, it comes back with the machine's next report.";
                Ok(ActionResponse { command_id: None, message: message.to_owned() })
            }
            SessionAction::Logoff => {
                let command = CommandId(random::bytes().map_err(|_| problem::internal())?);
                let input = Input::Command {
                    command,
                    session: key,
                    action: CommandAction::Logoff,
                    text: None,
                    by: by.to_string(),
                    reason: request.reason,
                };
                self.zone.submit(input).await.map_err(|error| refusal_of(self, error))?;
                let message =
                    "The machine's agent is told to end the session. It does so within a minute or not at all.";
                Ok(ActionResponse { command_id: Some(command), message: message.to_owned() })
            }
        }
    }
}
