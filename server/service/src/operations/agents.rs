//! Agents: who they are, and ending their tokens.

use serde::{Deserialize, Serialize};
use userlock_core::{api::Page, id::AgentId, server::Input};

use super::{check_reason, refusal_of};
use crate::http::{
    problem::{self, Answer},
    state::App,
};

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AgentView {
    /// The enrolment.
    pub agent: AgentId,
    /// The machine.
    pub machine: String,
    /// When it was enrolled, in ms since 1970 UTC.
    pub enrolled_at: i64,
    /// Whether its token is worth nothing any more.
    pub revoked: bool,
    /// Whether its machine's name may be enrolled again.
    pub released: bool,
    /// When this server last heard of it, in ms since 1970 UTC; absent when not since its start.
    pub last_contact: Option<i64>,
    /// The agent's program and version.
    pub version: Option<String>,
    /// How many records wait in its spool.
    pub spool: Option<u64>,
    /// This server's clock less the machine's, in ms.
    pub clock_skew_ms: Option<i64>,
    /// Why it came to this server: `preferred`, or the failure that it met at the other.
    pub why: Option<String>,
    /// Whether it could reach the other server when it last tried.
    pub reaches_other: Option<bool>,
}

impl App {
    /// One page of the agents, by enrolment.
    ///
    /// # Errors
    /// 422 for a cursor that is none.
    pub fn agents(&self, limit: u32, cursor: Option<&str>) -> Answer<Page<AgentView>> {
        let after = match cursor {
            None | Some("") => None,
            Some(text) => {
                let id: AgentId =
                    text.parse().map_err(|_| problem::invalid_field("cursor", "must be `next` of the page before"))?;
                Some(id)
            }
        };
        let limit = limit as usize;
        let (total, mut found) = self.zone.read(|server| {
            let known = || server.state.agents.iter().filter(|(_, agent)| agent.machine.is_some());
            let later = known().filter(|(id, _)| after.is_none_or(|after| *id > after));
            let page: Vec<_> = later.take(limit + 1).map(|(id, agent)| (id, agent.clone())).collect();
            (known().count(), page)
        });
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(id, _)| id.to_string());
        let contacts = self.zone.contacts();
        let view = |(agent, state): (AgentId, userlock_core::fold::AgentState)| {
            let machine = state.machine.as_deref().unwrap_or_default().to_owned();
            let contact = contacts.get(&machine).filter(|contact| contact.agent == agent);
            AgentView {
                agent,
                enrolled_at: state.enrolled_at,
                revoked: state.revoked,
                released: state.released,
                last_contact: contact.map(|c| c.last_at),
                version: contact.map(|c| c.version.clone()).filter(|v| !v.is_empty()),
                spool: contact.map(|c| c.spool),
                clock_skew_ms: contact.map(|c| c.skew_ms),
                why: contact.map(|c| c.why.clone()).filter(|w| !w.is_empty()),
                reaches_other: contact.and_then(|c| c.reaches_other),
                machine,
            }
        };
        Ok(Page { total: u64::try_from(total).ok(), items: found.into_iter().map(view).collect(), next })
    }

    /// Ends an agent's token for good, or makes its machine's name free to be enrolled again.
    ///
    /// # Errors
    /// 404, 422, 503.
    pub async fn end_agent(&self, by: &str, agent: AgentId, release: bool, reason: String) -> Answer<()> {
        if reason.trim().is_empty() {
            return Err(problem::invalid_field("reason", "must say why; it is kept"));
        }
        check_reason(Some(&reason))?;
        let input = Input::EndAgent { agent, release, by: by.to_string(), reason };
        self.zone.submit(input).await.map_err(|error| refusal_of(self, error))?;
        Ok(())
    }
}
