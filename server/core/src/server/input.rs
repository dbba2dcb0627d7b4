//! What may be asked of a server, and what it answers.

use std::collections::BTreeMap;

use super::{Cursor, ReadRun};
use crate::{
    agent_api::{DecisionRequest, DecisionResponse, EventsResponse},
    event::{CommandAction, Lost, SessionKey},
    held::Fork,
    id::{AgentId, CommandId, DecisionId, LogId, OriginId},
    record::{Machine, Order, RunError},
    settings::{FieldError, Revision, ZoneDocument, ZoneSettings},
};

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Input {
    /// Records of an agent, already judged ([`crate::record::Entry::from_agent`]).
    AgentRun {
        /// The records.
        run: ReadRun,
    },
    /// May this user open this session?
    Decide {
        /// The machine that asks.
        machine: Machine,
        /// What it asks.
        request: Box<DecisionRequest>,
        /// Whether this server cannot know all that the other one knows.
        degraded: bool,
    },
    /// A machine wants a token.
    Enrol {
        /// Drawn for it.
        agent: AgentId,
        /// The machine.
        machine: Machine,
        /// The BLAKE3 hash of the token that it will get, in hex.
        token_hash: String,
    },
    /// A token ends (`release` false), or its machine's name may be enrolled again.
    EndAgent {
        /// The enrolment.
        agent: AgentId,
        /// Whether the name becomes free.
        release: bool,
        /// Who wants it.
        by: String,
        /// Why.
        reason: String,
    },
    /// A session is to be forgotten.
    Reset {
        /// The session.
        session: SessionKey,
        /// The evidence that was seen; the present one if absent.
        evidence: Option<Order>,
        /// Who wants it.
        by: String,
        /// Why.
        reason: String,
    },
    /// An agent is to do something.
    Command {
        /// Drawn for it.
        command: CommandId,
        /// The session.
        session: SessionKey,
        /// What to do.
        action: CommandAction,
        /// The message.
        text: Option<String>,
        /// Who wants it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The zone's settings are to change. Only on a Primary.
    ChangeSettings {
        /// The revision that the change was made on.
        base: Revision,
        /// The new settings.
        settings: Box<ZoneSettings>,
        /// What was changed: a section's slug.
        section: String,
        /// Who wants it.
        by: String,
        /// Why, if told.
        reason: Option<String>,
    },
    /// The Primary's settings have come. Only on a Backup.
    AdoptSettings {
        /// The whole document.
        document: Box<ZoneDocument>,
    },
    /// Records have come from the other server.
    Peer {
        /// Its log; nil when the records were asked for by number.
        source: LogId,
        /// The records.
        runs: Vec<ReadRun>,
        /// Where this leaves this server in the other's log.
        cursor: Option<Cursor>,
    },
    /// An agent says that it had to drop records which no server has.
    NoteLost {
        /// The machine.
        machine: Machine,
        /// What was dropped.
        lost: Lost,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Of [`Input::AgentRun`].
    Events(EventsResponse),
    /// Of [`Input::Decide`].
    Decision(DecisionResponse),
    /// Of [`Input::ChangeSettings`] and [`Input::AdoptSettings`].
    Settings(Revision),
    /// Of [`Input::Peer`]: how many records were new, by the number of their kind.
    Peer {
        /// How many of each kind.
        applied: BTreeMap<u16, u64>,
    },
    /// Of the others.
    Done,
}

/// Why an input was not taken. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another input of this batch concerns the same thing: stage it again after the commit.
    #[error("this waits for the commit before it")]
    NextBatch,
    /// The records do not hang together.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Two writers under one name.
    #[error(transparent)]
    Fork(#[from] Fork),
    /// The records leave more holes in the numbering than are kept track of.
    #[error("origin {0} has too many holes in its numbering: send what is missing first")]
    TooManyHoles(OriginId),
    /// There is no such session, or it is closed.
    #[error("there is no such open session")]
    NoSuchSession,
    /// There is no such enrolment.
    #[error("there is no such agent")]
    NoSuchAgent,
    /// A request has the id of another one.
    #[error("decision {0} is about another user, type of session or machine: each request needs an id of its own")]
    DecisionReused(DecisionId),
    /// The machine's name is taken.
    #[error("the machine {0} is enrolled: an administrator must release its name first")]
    MachineEnrolled(Machine),
    /// Settings belong to the Primary.
    #[error("the zone's settings are changed on the Primary")]
    ReadOnly,
    /// Somebody else has changed the settings meanwhile.
    #[error("the settings have changed: revision {0} is the present one")]
    Stale(Revision),
    /// A setting cannot be so.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The document's hash is not that of its contents.
    #[error("the settings that came are not what their revision says")]
    NotGenuine,
}

/// What to answer after the commit.
#[derive(Debug)]
pub(super) enum Ticket {
    Events { origin: OriginId, rejected: Vec<crate::agent_api::Rejected> },
    Ready(Output),
}
