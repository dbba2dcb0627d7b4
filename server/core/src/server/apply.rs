//! Applying: a batch is on the disk, so now it shows and is answered.

use super::{Batch, Output, Server, input::Ticket};
use crate::{
    agent_api::EventsResponse,
    event::Event,
    held::{HeldOrigin, Span},
    id::{Chain, LogId, OriginId},
    record::{Entry, Machine, RejectCode, Run},
};

/// What the application log and the figures should know of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Sessions were opened or closed, or refused: how many of each, all told of this commit.
    Activity {
        /// Logons.
        logons: u32,
        /// Refusals by servers.
        denied: u32,
    },
    /// A record was not acceptable.
    Rejected {
        /// The machine whose agent sent it.
        machine: Machine,
        /// The writer.
        origin: OriginId,
        /// The record.
        seq: u64,
        /// Why.
        code: RejectCode,
    },
    /// Records are missing before one that came.
    Hole {
        /// The machine.
        machine: Machine,
        /// The writer.
        origin: OriginId,
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// A machine got a token.
    Enrolled {
        /// The machine.
        machine: Machine,
    },
    /// A token has ended or a machine's name is free.
    AgentEnded {
        /// The machine.
        machine: Machine,
        /// Whether its name is free.
        released: bool,
    },
    /// Records are lost for ever.
    Lost {
        /// The machine.
        machine: Machine,
        /// How many.
        count: u64,
    },
    /// A machine reached no server and decided for itself.
    OfflineDecision {
        /// The machine.
        machine: Machine,
        /// Who wanted to log on, as typed.
        user: String,
        /// The answer.
        allow: bool,
        /// The policy that gave it.
        policy: String,
        /// When, in ms since 1970 UTC, by the machine's clock.
        at: i64,
    },
    /// There is a command for an agent.
    Command,
    /// The settings have a new revision.
    Settings,
}

/// What came of a commit.
#[derive(Debug)]
pub struct Applied {
    /// The answers, in the order in which the inputs were staged.
    pub outputs: Vec<Output>,
    /// What else should be known.
    pub notes: Vec<Note>,
}

impl Server {
    /// Shows a batch that has been written to the disk. `now` is this server's clock, in ms since 1970 UTC.
    pub fn apply(&mut self, batch: Batch, now: i64) -> Applied {
        let mut notes = Vec::new();
        let (mut logons, mut denied) = (0, 0);
        let mut count = |event: &Event| match event {
            Event::Logon(_) => logons += 1,
            Event::Decision(d) if !d.allow => denied += 1,
            _ => {}
        };
        if !batch.own.is_empty() {
            let before =
                if batch.own.first().is_some_and(|(e, _)| e.record.seq == 1) { Chain::NIL } else { self.writer.chain };
            let (entries, events): (Vec<Entry>, Vec<Event>) = batch.own.into_iter().unzip();
            events.iter().for_each(&mut count);
            for (entry, event) in entries.iter().zip(&events) {
                notes.extend(note_of(entry, event));
            }
            let run = Run { before, entries };
            self.position += run.entries.len() as u64;
            self.queue(&run, LogId::NIL);
            self.take_run(&run, Some(&events), now);
        }
        let mut taken = batch.taken;
        taken.sort_by_key(|t| t.source);
        for taken in &taken {
            taken.read.events().iter().for_each(&mut count);
            for (entry, event) in taken.read.run().entries.iter().zip(taken.read.events()) {
                notes.extend(note_of(entry, event));
            }
            notes.extend(self.hole_before(taken.read.run()));
            self.position += taken.read.run().entries.len() as u64;
            self.queue(taken.read.run(), taken.source);
            self.take_run(taken.read.run(), Some(taken.read.events()), now);
        }
        self.writer = batch.writer;
        if let Some(settings) = batch.settings {
            self.state.set_realms(&settings.settings.general.realms, now);
            self.settings = settings;
            notes.push(Note::Settings);
        }
        if let Some(cursor) = batch.cursor {
            self.cursor = cursor;
        }
        if logons > 0 || denied > 0 {
            notes.push(Note::Activity { logons, denied });
        }
        let outputs = batch.tickets.into_iter().map(|ticket| self.answer(ticket)).collect();
        Applied { outputs, notes }
    }

    fn answer(&self, ticket: Ticket) -> Output {
        match ticket {
            Ticket::Ready(output) => output,
            Ticket::Events { origin, rejected } => {
                let held = self.held.origin(origin).map(HeldOrigin::accounted).unwrap_or_default();
                let peer_held = self
                    .peer_held
                    .as_ref()
                    .map(|held| held.origin(origin).map(HeldOrigin::accounted).unwrap_or_default());
                Output::Events(EventsResponse { held, peer_held, rejected })
            }
        }
    }

    /// Remembers that the other server is not known to have a run; or that it is, when it came from there.
    fn queue(&mut self, run: &Run, source: LogId) {
        let Some(peer_held) = &mut self.peer_held else { return };
        let (Some((first, last)), Some(entry)) = (run.span(), run.entries.first()) else { return };
        let Some(chain) = run.chain_at(last) else { return };
        let (origin, rank) = (entry.record.origin, entry.record.rank);
        let span = Span { first, last, before: run.before, chain };
        if !source.is_nil() {
            peer_held.know(origin, rank, span);
            return;
        }
        // What does not fit is learned when the two next compare what they hold.
        if self.sent.len() < super::MAX_SENT {
            self.sent.push_back((self.position, origin, rank, span));
        }
    }

    fn hole_before(&self, run: &Run) -> Option<Note> {
        let (first, _) = run.span()?;
        let entry = run.entries.first()?;
        let known = self.held.origin(entry.record.origin);
        let head = known.and_then(|h| h.accounted().last().map(|r| r.last)).unwrap_or(0);
        (first > head + 1).then(|| Note::Hole {
            machine: entry.record.machine.clone(),
            origin: entry.record.origin,
            first: head + 1,
            last: first - 1,
        })
    }
}

fn note_of(entry: &Entry, event: &Event) -> Option<Note> {
    let machine = entry.record.machine.clone();
    if let Some(code) = entry.rejected {
        return Some(Note::Rejected { machine, origin: entry.record.origin, seq: entry.record.seq, code });
    }
    match event {
        Event::AgentEnrolled(_) => Some(Note::Enrolled { machine }),
        Event::AgentRevoked(_) => Some(Note::AgentEnded { machine, released: false }),
        Event::AgentReleased(_) => Some(Note::AgentEnded { machine, released: true }),
        Event::Command(_) => Some(Note::Command),
        Event::Lost(lost) => Some(Note::Lost { machine, count: lost.last - lost.first + 1 }),
        Event::OfflineDecision(made) => Some(Note::OfflineDecision {
            machine,
            user: made.who.user.clone(),
            allow: made.allow,
            policy: made.policy.clone(),
            at: entry.record.at,
        }),
        _ => None,
    }
}
