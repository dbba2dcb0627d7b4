//! Staging: what an input would do, worked out on the committed state.

use std::sync::Arc;

use serde::Serialize;

use super::{Batch, Cursor, Input, Output, ReadRun, Refusal, Server, Taken, Touch, input::Ticket};
use crate::{
    account::Account,
    agent_api::{DecisionRequest, DecisionResponse, Rejected},
    api::ServerRole,
    decision::{Question, decide},
    event::{self, Event, kind},
    held::{Fork, Held},
    id::{AgentId, LogId},
    record::{Entry, Machine},
    settings::{Change, ZoneDocument, ZoneSettings},
};

impl Server {
    /// Works out an input and adds what it does to the batch. `now` is this server's clock, in ms since 1970 UTC.
    ///
    /// # Errors
    /// [`Refusal`]; the batch is as it was.
    pub fn stage(&self, batch: &mut Batch, input: Input, now: i64) -> Result<(), Refusal> {
        match input {
            Input::AgentRun { run } => self.stage_run(batch, run),
            Input::Decide { machine, request, degraded } => {
                self.stage_decision(batch, machine, *request, degraded, now)
            }
            Input::Enrol { agent, machine, token_hash } => self.stage_enrol(batch, agent, machine, token_hash, now),
            Input::EndAgent { agent, release, by, reason } => {
                let machine = self.state.agents.get(agent).and_then(|a| a.machine.clone());
                let machine = machine.ok_or(Refusal::NoSuchAgent)?;
                batch.touch([Touch::Machine(machine.clone())])?;
                let ended = event::AgentEnded { agent, by, reason };
                let (number, event) = if release {
                    (kind::AGENT_RELEASED, Event::AgentReleased(ended.clone()))
                } else {
                    (kind::AGENT_REVOKED, Event::AgentRevoked(ended.clone()))
                };
                batch.write(machine, number, now, &ended, event);
                batch.tickets.push(Ticket::Ready(Output::Done));
                Ok(())
            }
            Input::Reset { session, evidence, by, reason } => {
                let (known, ending) = self.state.get(&session).ok_or(Refusal::NoSuchSession)?;
                let (seen, _, _) = known.evidence.filter(|_| ending.is_none()).ok_or(Refusal::NoSuchSession)?;
                let machine = session.machine.clone();
                let reset = event::SessionReset { session, evidence: evidence.unwrap_or(seen), by, reason };
                batch.write(machine, kind::SESSION_RESET, now, &reset, Event::SessionReset(reset.clone()));
                batch.tickets.push(Ticket::Ready(Output::Done));
                Ok(())
            }
            Input::Command { command: command_id, session, action, text, by, reason } => {
                let (_, ending) = self.state.get(&session).ok_or(Refusal::NoSuchSession)?;
                if ending.is_some() {
                    return Err(Refusal::NoSuchSession);
                }
                let machine = session.machine.clone();
                let command = event::Command { command_id, session, action, text, by, reason, epoch: self.epoch };
                batch.write(machine, kind::COMMAND, now, &command, Event::Command(command.clone()));
                batch.tickets.push(Ticket::Ready(Output::Done));
                Ok(())
            }
            Input::ChangeSettings { base, settings, section, by, reason } => {
                let change =
                    Change { epoch: self.epoch, at: now, by: &by, section: &section, reason: reason.as_deref() };
                self.stage_settings(batch, base, *settings, change)
            }
            Input::AdoptSettings { document } => self.stage_adopted_settings(batch, *document),
            Input::Peer { source, runs, cursor } => self.stage_peer(batch, source, runs, cursor),
            Input::NoteLost { machine, lost } => {
                batch.touch([Touch::Origin(lost.origin)])?;
                batch.write(machine, kind::LOST, now, &lost, Event::Lost(lost.clone()));
                batch.tickets.push(Ticket::Ready(Output::Done));
                Ok(())
            }
        }
    }

    fn stage_run(&self, batch: &mut Batch, run: ReadRun) -> Result<(), Refusal> {
        let origin = run.run().entries.first().map(|e| e.record.origin).ok_or(crate::record::RunError::Empty)?;
        let rejected = |e: &Entry| Some(Rejected { seq: e.record.seq, code: e.rejected? });
        let rejected = run.run().entries.iter().filter_map(rejected).collect();
        batch.can_touch(&Touch::Origin(origin))?;
        if !self.held().has_room(run.run()) {
            return Err(Refusal::TooManyHoles(origin));
        }
        self.take_new_parts(batch, LogId::NIL, run)?;
        batch.touch([Touch::Origin(origin)])?;
        batch.tickets.push(Ticket::Events { origin, rejected });
        Ok(())
    }

    /// Adds the parts of a run that are new here, and tells the kinds of their records.
    fn take_new_parts(&self, batch: &mut Batch, source: LogId, read: ReadRun) -> Result<Vec<u16>, Refusal> {
        let Some(first) = read.run().entries.first() else { return Ok(Vec::new()) };
        let (origin, rank) = (first.record.origin, first.record.rank);
        let parts = self.held().offer(read.run())?;
        if self.held().origin(origin).is_some_and(|held| held.rank != rank && !held.spans().is_empty()) {
            // A writer has one rank: whoever has another one is somebody else.
            return Err(Fork { origin, at: first.record.seq }.into());
        }
        let mut kinds = Vec::new();
        let mut take = |read: ReadRun| {
            kinds.extend(read.run().entries.iter().map(|e| e.record.kind));
            batch.records += read.run().entries.len();
            batch.bytes += read.run().entries.iter().map(|e| e.record.payload.len()).sum::<usize>();
            batch.taken.push(Taken { source, read });
        };
        if parts.len() == 1 && parts.first().copied() == read.run().span() {
            take(read);
        } else {
            parts.into_iter().filter_map(|(from, to)| read.part(from, to)).for_each(take);
        }
        Ok(kinds)
    }

    fn stage_decision(
        &self,
        batch: &mut Batch,
        machine: Machine,
        request: DecisionRequest,
        degraded: bool,
        now: i64,
    ) -> Result<(), Refusal> {
        let account = self.state.realms().canonical(&Account::parse(&request.who.user));
        batch.can_touch(&Touch::Account(account.clone()))?;
        let response = |allow, reason: String, rule, open, degraded| DecisionResponse {
            decision_id: request.decision_id,
            allow,
            reason,
            message: None,
            rule,
            open,
            epoch: self.epoch,
            degraded,
        };
        if let Some(made) = self.state.decisions.answer(request.decision_id) {
            let d = &made.decision;
            let same_user = d.who.user == request.who.user && d.who.session_type == request.who.session_type;
            if made.machine != machine || !same_user {
                return Err(Refusal::DecisionReused(request.decision_id));
            }
            let answer = response(d.allow, d.reason.clone(), d.rule.clone(), d.open.clone(), d.degraded);
            batch.tickets.push(Ticket::Ready(Output::Decision(answer)));
            return Ok(());
        }
        batch.touch([Touch::Account(account)])?;
        let question = Question { who: &request.who, groups: &request.groups };
        let verdict = decide(&self.state, &self.settings.settings, question, now);
        let decision = event::Decision {
            decision_id: request.decision_id,
            who: request.who.clone(),
            allow: verdict.allow,
            rule: verdict.rule.clone(),
            reason: verdict.reason.clone(),
            open: verdict.open.clone(),
            degraded,
        };
        batch.write(machine, kind::DECISION, now, &decision, Event::Decision(decision.clone()));
        let answer = response(verdict.allow, verdict.reason, verdict.rule, verdict.open, degraded);
        batch.tickets.push(Ticket::Ready(Output::Decision(answer)));
        Ok(())
    }

    fn stage_enrol(
        &self,
        batch: &mut Batch,
        agent: AgentId,
        machine: Machine,
        token_hash: String,
        now: i64,
    ) -> Result<(), Refusal> {
        if self.state.agents.holder(&machine).is_some() {
            return Err(Refusal::MachineEnrolled(machine));
        }
        batch.touch([Touch::Machine(machine.clone())])?;
        let enrolled = event::AgentEnrolled { agent, token_hash };
        batch.write(machine, kind::AGENT_ENROLLED, now, &enrolled, Event::AgentEnrolled(enrolled.clone()));
        batch.tickets.push(Ticket::Ready(Output::Done));
        Ok(())
    }

    fn stage_settings(
        &self,
        batch: &mut Batch,
        base: crate::settings::Revision,
        settings: ZoneSettings,
        change: Change<'_>,
    ) -> Result<(), Refusal> {
        if self.identity.role != ServerRole::Primary {
            return Err(Refusal::ReadOnly);
        }
        if base != self.settings.revision {
            return Err(Refusal::Stale(self.settings.revision));
        }
        batch.can_touch(&Touch::Settings)?;
        let document = ZoneDocument::next(Some(&self.settings), settings, change)?;
        batch.touch([Touch::Settings])?;
        let changed = event::SettingsChanged {
            revision: document.revision,
            section: document.section.clone(),
            by: document.by.clone(),
            reason: document.reason.clone(),
        };
        batch.write(
            Arc::from(""),
            kind::SETTINGS_CHANGED,
            change.at,
            &changed,
            Event::SettingsChanged(changed.clone()),
        );
        batch.tickets.push(Ticket::Ready(Output::Settings(document.revision)));
        batch.settings = Some(Arc::new(document));
        Ok(())
    }

    fn stage_adopted_settings(&self, batch: &mut Batch, document: ZoneDocument) -> Result<(), Refusal> {
        if !document.is_genuine() {
            return Err(Refusal::NotGenuine);
        }
        batch.touch([Touch::Settings])?;
        batch.tickets.push(Ticket::Ready(Output::Settings(document.revision)));
        batch.settings = Some(Arc::new(document));
        Ok(())
    }

    fn stage_peer(
        &self,
        batch: &mut Batch,
        source: LogId,
        runs: Vec<ReadRun>,
        cursor: Option<Cursor>,
    ) -> Result<(), Refusal> {
        let origin_of = |run: &ReadRun| run.run().entries.first().map(|e| Touch::Origin(e.record.origin));
        let origins: Vec<Touch> = runs.iter().filter_map(origin_of).collect();
        origins.iter().try_for_each(|touch| batch.can_touch(touch))?;
        if cursor.is_some() {
            batch.can_touch(&Touch::Cursor)?;
        }
        let (before, records, bytes) = (batch.taken.len(), batch.records, batch.bytes);
        let mut applied = std::collections::BTreeMap::new();
        // Two runs of one page may bring the same records: `seen` is what the page has brought so far.
        let mut seen = Held::default();
        for run in runs {
            match self.take_unseen(batch, source, run, &mut seen) {
                Ok(kinds) => kinds.into_iter().for_each(|k| *applied.entry(k).or_default() += 1),
                Err(refusal) => {
                    batch.taken.truncate(before);
                    (batch.records, batch.bytes) = (records, bytes);
                    return Err(refusal);
                }
            }
        }
        batch.touched.extend(origins);
        if let Some(cursor) = cursor {
            batch.touch([Touch::Cursor])?;
            batch.cursor = Some(cursor);
        }
        batch.tickets.push(Ticket::Ready(Output::Peer { applied }));
        Ok(())
    }
}

impl Server {
    fn take_unseen(
        &self,
        batch: &mut Batch,
        source: LogId,
        read: ReadRun,
        seen: &mut Held,
    ) -> Result<Vec<u16>, Refusal> {
        let parts = seen.offer(read.run())?;
        seen.add_parts(read.run(), &parts);
        if parts.len() == 1 && parts.first().copied() == read.run().span() {
            return self.take_new_parts(batch, source, read);
        }
        let mut kinds = Vec::new();
        for part in parts.into_iter().filter_map(|(from, to)| read.part(from, to)) {
            kinds.extend(self.take_new_parts(batch, source, part)?);
        }
        Ok(kinds)
    }

    /// Whether an input must wait for the commit of what is in the batch: [`Self::stage`] would refuse it as
    /// [`Refusal::NextBatch`].
    #[must_use]
    pub fn must_wait(&self, batch: &Batch, input: &Input) -> bool {
        let origin = |run: &ReadRun| run.run().entries.first().map(|e| Touch::Origin(e.record.origin));
        let touched = |touch: Option<Touch>| touch.is_some_and(|t| batch.touched.contains(&t));
        match input {
            Input::AgentRun { run } => touched(origin(run)),
            Input::Decide { request, .. } => {
                touched(Some(Touch::Account(self.state.realms().canonical(&Account::parse(&request.who.user)))))
            }
            Input::Enrol { machine, .. } => touched(Some(Touch::Machine(machine.clone()))),
            Input::EndAgent { agent, .. } => {
                touched(self.state.agents.get(*agent).and_then(|a| a.machine.clone()).map(Touch::Machine))
            }
            Input::ChangeSettings { .. } | Input::AdoptSettings { .. } => touched(Some(Touch::Settings)),
            Input::Peer { runs, cursor, .. } => {
                (cursor.is_some() && touched(Some(Touch::Cursor))) || runs.iter().any(|run| touched(origin(run)))
            }
            Input::NoteLost { lost, .. } => touched(Some(Touch::Origin(lost.origin))),
            Input::Reset { .. } | Input::Command { .. } => false,
        }
    }
}

impl Batch {
    fn can_touch(&self, touch: &Touch) -> Result<(), Refusal> {
        if self.touched.contains(touch) { Err(Refusal::NextBatch) } else { Ok(()) }
    }

    fn touch<const N: usize>(&mut self, touches: [Touch; N]) -> Result<(), Refusal> {
        touches.iter().try_for_each(|touch| self.can_touch(touch))?;
        self.touched.extend(touches);
        Ok(())
    }

    /// Writes a record of this server. Its payload always encodes: every type that servers write has only text keys.
    fn write(&mut self, machine: Machine, number: u16, at: i64, payload: &impl Serialize, event: Event) {
        let payload = serde_json::to_vec(payload).unwrap_or_default().into();
        let record = self.writer.write(machine, number, at, payload);
        self.records += 1;
        self.own.push((Entry { record, by: AgentId::NIL, rejected: None }, event));
    }
}
