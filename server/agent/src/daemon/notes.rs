//! What happened while the daemon was away: the hook's notes, and a boot.

use std::path::PathBuf;

use userlock_core::{
    event::{Boot, Logon, SessionChange, kind},
    id::DecisionId,
};

use super::machine::Machine;
use crate::{
    accounts::Accounts,
    admitted::LINE,
    hook::{Note, Phase},
    reporter::Reporter,
    sessions::Sessions,
    spool::{Draft, SpoolError},
    system::wall_ms,
};

impl Machine {
    /// Reports what happened while the agent was away: a boot, what the hook noted, who is still here.
    ///
    /// # Errors
    /// The spool could not be written.
    pub(super) fn begin(&self, reporter: &Reporter, fresh: bool) -> Result<(), SpoolError> {
        let mut sessions = self.sessions();
        let new_boot = sessions.new_boot();
        let notes = self.files.notes()?;
        let (before, of_boot): (Vec<_>, Vec<_>) = notes.iter().partition(|(_, note)| note.boot != reporter.boot());
        if fresh {
            let inventory = Draft::new(kind::INVENTORY, wall_ms(), &sessions.inventory())?;
            self.record_with(&mut sessions, reporter, &[inventory])?;
        }
        for note in before {
            self.record_note(&mut sessions, reporter, note)?;
        }
        if new_boot {
            let boot = Draft::new(kind::BOOT, wall_ms(), &Boot { boot: reporter.boot() })?;
            self.record_with(&mut sessions, reporter, &[boot])?;
        }
        for note in of_boot {
            self.record_note(&mut sessions, reporter, note)?;
        }
        if !fresh || !sessions.is_empty() {
            let inventory = Draft::new(kind::INVENTORY, wall_ms(), &sessions.inventory())?;
            self.record_with(&mut sessions, reporter, &[inventory])?;
        }
        Ok(())
    }

    pub(super) fn take_notes(&self, reporter: &Reporter) -> Result<(), SpoolError> {
        let notes = self.files.notes()?;
        if notes.is_empty() {
            return Ok(());
        }
        let mut sessions = self.sessions();
        for note in &notes {
            self.record_note(&mut sessions, reporter, note)?;
        }
        Ok(())
    }

    /// Reports what a note tells of, and removes it. What the daemon has heard of already is not told again.
    fn record_note(
        &self,
        sessions: &mut Sessions,
        reporter: &Reporter,
        found: &(PathBuf, Note),
    ) -> Result<(), SpoolError> {
        let (drafts, decision_id) = self.drafts_of(sessions, reporter, &found.1)?;
        if !drafts.is_empty() {
            self.record_with(sessions, reporter, &drafts)?;
            if found.1.call.phase == Phase::OpenSession {
                decision_id.into_iter().for_each(|id| self.admitted().taken(id));
                self.saw(&found.1.call.user, found.1.at);
            }
        }
        Ok(self.files.forget(std::slice::from_ref(found))?)
    }

    /// What to report, and the decision that the session which begins names.
    fn drafts_of(
        &self,
        sessions: &Sessions,
        reporter: &Reporter,
        note: &Note,
    ) -> Result<(Vec<Draft>, Option<DecisionId>), SpoolError> {
        let call = &note.call;
        let who = call.who(Accounts::display_name(&call.user));
        let named = who.within_bounds();
        // The end of a session needs no user.
        let Some(logon) = call.opener.logon_id().filter(|_| named || call.phase == Phase::CloseSession) else {
            let allow = note.answer.as_ref().map(|answer| answer.allow);
            tracing::error!(
                phase = ?call.phase,
                user = ?call.user,
                service = call.service,
                decision = ?call.decision_id,
                allow,
                note.at,
                "a note of the hook names no usable user and cannot be reported"
            );
            return Ok((Vec::new(), None));
        };
        let (mut drafts, mut decision_id) = (Vec::new(), None);
        let recorded = sessions.get(&logon).is_some();
        let of_boot = note.boot == reporter.boot();
        // A number of a process that has ended may be another's now.
        let line = if of_boot && call.opener.lives() { call.opener.line(LINE) } else { vec![call.opener] };
        // The hook leaves a note too when the daemon wrote it down, only not in time.
        let over = of_boot && sessions.ended_since(&logon, note.at);
        match call.phase {
            Phase::Account => {
                if let Some(answer) = &note.answer {
                    self.draft_offline(call.decision_id, &who, answer, note.at, &mut drafts)?;
                    if answer.allow {
                        self.admitted().allowed(call, line, note.at);
                    }
                }
            }
            Phase::OpenSession if !recorded && !over => {
                decision_id = self.admitted().of(call, &line, note.at);
                let event = Logon { boot: note.boot, logon, decision_id, who };
                drafts.push(Draft::new(kind::LOGON, note.at, &event)?);
            }
            Phase::CloseSession if recorded || !of_boot => {
                let event = SessionChange { boot: note.boot, logon, reason: None };
                drafts.push(Draft::new(kind::LOGOFF, note.at, &event)?);
            }
            Phase::OpenSession | Phase::CloseSession => {}
        }
        Ok((drafts, decision_id))
    }
}
