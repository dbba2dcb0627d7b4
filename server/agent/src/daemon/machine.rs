//! This machine behind the reporter: what PAM tells becomes events, and commands become signals.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use userlock_core::{
    agent::{
        obey::Obedience,
        offline::{Seen, decide},
    },
    agent_api::DecisionRequest,
    event::{
        Command, CommandAction, CommandOutcome, Denied, Inventory, Logon, LogonId, MAX_TEXT_BYTES, OfflineDecision,
        SessionChange, Who, kind,
    },
    id::DecisionId,
};

use crate::{
    accounts::Accounts,
    admitted::{Admitted, LINE},
    files::{Durability, replace_json},
    hook::{Answer, HookFiles, HookSettings, OwnAnswer, PamCall, Phase},
    reporter::{Decided, Host, Reporter, Zone, offline_text},
    sessions::Sessions,
    signals::{GRACE, end_session},
    spool::{Draft, SpoolError},
    system::{Process, wall_ms},
};

/// The machine.
pub struct Machine {
    dir: PathBuf,
    pub(super) files: HookFiles,
    ignored_services: Vec<String>,
    accounts: Accounts,
    /// Locked before what waits, and before anything of the reporter.
    pub(super) sessions: Mutex<Sessions>,
    admitted: Mutex<Admitted>,
    seen: Mutex<Seen>,
}

/// What was recorded about the machine before the daemon started.
pub(super) struct Recorded {
    /// The sessions that are open.
    pub(super) sessions: Sessions,
    /// The decisions whose sessions have not begun.
    pub(super) admitted: Admitted,
    /// Who logged on here.
    pub(super) seen: Seen,
}

impl Host for Machine {
    fn inventory(&self, number: &mut dyn FnMut(Inventory)) {
        let sessions = self.sessions();
        number(sessions.inventory());
    }

    fn obey(&self, reporter: &Arc<Reporter>, command: Command) {
        let id = command.command_id;
        if command.action != CommandAction::Logoff {
            let detail = "this agent can log off; it cannot lock screens or show messages yet".to_owned();
            reporter.command_result(id, CommandOutcome::Unsupported, Some(detail));
            return;
        }
        let key = &command.session;
        let here = *key.machine == *reporter.identity().machine && key.boot == reporter.boot();
        let recorded = self.sessions().get(&key.logon).filter(|recorded| here && recorded.opener.lives()).cloned();
        let Some(recorded) = recorded else {
            reporter.command_result(id, CommandOutcome::NoSuchSession, None);
            return;
        };
        let reporter = Arc::clone(reporter);
        tokio::spawn(async move {
            let (outcome, detail) = match end_session(recorded.opener, GRACE).await {
                Ok(true) => (CommandOutcome::Done, None),
                Ok(false) => (CommandOutcome::Failed, Some("the session's process does not end".to_owned())),
                Err(error) => (CommandOutcome::Failed, Some(error.to_string())),
            };
            reporter.command_result(id, outcome, detail);
        });
    }

    fn zone(&self, zone: &Zone) -> io::Result<()> {
        let settings = HookSettings::new(&zone.settings, &self.ignored_services);
        if let Err(error) = self.files.set_settings(&settings) {
            tracing::error!(%error, "what the hook must know could not be written");
        }
        replace_json(&self.dir.join("zone.json"), zone, Durability::Disk).map_err(io::Error::other)
    }

    fn remember(&self, memory: &Obedience) -> io::Result<()> {
        replace_json(&self.dir.join("commands.json"), memory, Durability::Disk).map_err(io::Error::other)
    }
}

impl Machine {
    /// The machine with what was recorded about it.
    pub(super) fn new(dir: PathBuf, ignored_services: Vec<String>, recorded: Recorded) -> Self {
        Self {
            files: HookFiles::new(&dir),
            dir,
            ignored_services,
            accounts: Accounts::default(),
            sessions: Mutex::new(recorded.sessions),
            admitted: Mutex::new(recorded.admitted),
            seen: Mutex::new(recorded.seen),
        }
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admitted(&self) -> MutexGuard<'_, Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions are recorded as open.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions().len()
    }

    /// Reports events, and takes over the sessions that they open and end.
    fn record(&self, reporter: &Reporter, drafts: &[Draft]) -> Result<(), SpoolError> {
        let mut sessions = self.sessions();
        self.record_with(&mut sessions, reporter, drafts)
    }

    pub(super) fn record_with(
        &self,
        sessions: &mut Sessions,
        reporter: &Reporter,
        drafts: &[Draft],
    ) -> Result<(), SpoolError> {
        let ids = reporter.report_all(drafts)?;
        if let Err(error) = sessions.numbered(drafts, ids.last()) {
            tracing::error!(%error, "the recorded sessions could not be written");
        }
        Ok(())
    }

    /// Reports the end of sessions whose process ended without PAM saying so, and what the hook noted meanwhile.
    pub(super) fn look_around(&self, reporter: &Reporter) {
        if let Err(error) = self.take_notes(reporter).and_then(|()| self.bury_dead(reporter)) {
            tracing::error!(%error, "what happened on this machine could not be written");
        }
    }

    fn bury_dead(&self, reporter: &Reporter) -> Result<(), SpoolError> {
        let mut sessions = self.sessions();
        let end = |logon: LogonId| self.logoff(reporter, logon, Some("its process has ended"), wall_ms());
        let drafts: Vec<Draft> = sessions.dead().into_iter().map(end).collect::<Result<_, _>>()?;
        if drafts.is_empty() { Ok(()) } else { self.record_with(&mut sessions, reporter, &drafts) }
    }

    pub(super) fn draft_offline(
        &self,
        decision_id: DecisionId,
        who: &Who,
        answer: &OwnAnswer,
        at: i64,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), SpoolError> {
        let mut reason = answer.why.clone();
        reason.truncate(reason.floor_char_boundary(MAX_TEXT_BYTES));
        let decision = OfflineDecision {
            decision_id,
            who: who.clone(),
            allow: answer.allow,
            policy: answer.policy.clone(),
            reason,
        };
        drafts.push(Draft::new(kind::OFFLINE_DECISION, at, &decision)?);
        if !answer.allow {
            drafts.push(denied(decision_id, who, &answer.reason, at)?);
        }
        Ok(())
    }

    fn logoff(&self, reporter: &Reporter, logon: LogonId, reason: Option<&str>, at: i64) -> Result<Draft, SpoolError> {
        let change = SessionChange { boot: reporter.boot(), logon, reason: reason.map(str::to_owned) };
        Draft::new(kind::LOGOFF, at, &change)
    }

    /// Answers a call of the hook.
    pub(super) async fn answer(&self, reporter: &Reporter, call: PamCall) -> Answer {
        if self.ignored_services.contains(&call.service) {
            return match call.phase {
                Phase::Account => Answer::Verdict { allow: true, reason: String::new() },
                _ => Answer::Recorded,
            };
        }
        let who = call.who(Accounts::display_name(&call.user));
        if !who.within_bounds() {
            tracing::error!(phase = ?call.phase, service = call.service, "PAM did not tell a usable user name");
            return Answer::Failed { error: "PAM did not tell a usable user name".into() };
        }
        let result = match call.phase {
            Phase::Account => return self.decide(reporter, call, who).await,
            Phase::OpenSession => self.open(reporter, &call, who),
            Phase::CloseSession => self.close(reporter, &call),
        };
        match result {
            Ok(()) => Answer::Recorded,
            Err(error) => {
                tracing::error!(%error, user = call.user, phase = ?call.phase, "what PAM told could not be written");
                Answer::Failed { error: error.to_string() }
            }
        }
    }

    async fn decide(&self, reporter: &Reporter, call: PamCall, who: Who) -> Answer {
        // The processes are looked at now: the one that asks may be gone when the session begins.
        let line = call.opener.line(LINE);
        // Even when the hook does not wait for the answer, or the daemon ends before it, the session names the question.
        self.admitted().asked(&call, line.clone(), wall_ms());
        let started = Instant::now();
        // Most of the time is for the servers.
        let limit = Duration::from_millis(reporter.zone().settings.give_up_after_ms.into()) / 4;
        let groups = self.accounts.groups(&call.user, limit).await;
        let request = DecisionRequest { decision_id: call.decision_id, who: who.clone(), groups, last_resort: false };
        let mut drafts = Vec::new();
        let (allow, reason, drafted) = match reporter.decide_after(request, started.elapsed()).await {
            Decided::Answer { response, .. } if response.allow => (true, String::new(), Ok(())),
            Decided::Answer { response, .. } => {
                let draft = denied(call.decision_id, &who, &response.reason, wall_ms());
                (false, response.message.unwrap_or(response.reason), draft.map(|draft| drafts.push(draft)))
            }
            Decided::Offline { why } => {
                let policy = reporter.zone().settings.offline_policy;
                let now = wall_ms();
                let own = {
                    let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    decide(policy, &seen, &call.user, now)
                };
                tracing::warn!(
                    user = call.user,
                    allow = own.allow,
                    policy = own.policy,
                    why,
                    "no server answered: the offline policy decided"
                );
                let answer = OwnAnswer { allow: own.allow, policy: own.policy, reason: own.reason.clone(), why };
                let drafted = self.draft_offline(call.decision_id, &who, &answer, now, &mut drafts);
                let text = reporter.zone().settings.offline_message;
                (own.allow, offline_text(&text, &own.reason, &call.user, &reporter.identity().machine), drafted)
            }
        };
        // The answer holds even when it cannot be written down: nobody is locked out by a full disk.
        let recorded = drafted.and_then(|()| if drafts.is_empty() { Ok(()) } else { self.record(reporter, &drafts) });
        if let Err(error) = recorded {
            tracing::error!(%error, user = call.user, allow, "a decision could not be written");
        }
        let mut admitted = self.admitted();
        if allow {
            admitted.allowed(&call, line, wall_ms());
        } else {
            admitted.refused(call.decision_id);
        }
        drop(admitted);
        Answer::Verdict { allow, reason }
    }

    fn open(&self, reporter: &Reporter, call: &PamCall, who: Who) -> Result<(), SpoolError> {
        let Some(logon) = call.opener.logon_id() else { return Ok(()) };
        let now = wall_ms();
        let mut sessions = self.sessions();
        // A call that comes to be read when all is over was told by the hook's notes.
        let over = sessions.ended_since(&logon, i64::MIN) && !call.opener.lives();
        if over || sessions.get(&logon).is_some() {
            return Ok(());
        }
        let decision_id = self.admitted().of(call, &call.opener.line(LINE), now);
        let event = Logon { boot: reporter.boot(), logon, decision_id, who };
        self.record_with(&mut sessions, reporter, &[Draft::new(kind::LOGON, now, &event)?])?;
        // Only now: a begin that could not be written down is told again by a note.
        if let Some(decision_id) = decision_id {
            self.admitted().taken(decision_id);
        }
        drop(sessions);
        self.saw(&call.user, now);
        Ok(())
    }

    /// A user has logged on here.
    pub(super) fn saw(&self, user: &str, at: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.note(user, at)
            && let Err(error) = self.files.set_seen(&seen)
        {
            tracing::error!(%error, "who logged on here could not be written");
        }
    }

    fn close(&self, reporter: &Reporter, call: &PamCall) -> Result<(), SpoolError> {
        let mut sessions = self.sessions();
        // Some programs open in one process and close in another that comes from it.
        let line = call.opener.line(LINE);
        let of_user = |logon: &LogonId| sessions.get(logon).is_some_and(|recorded| recorded.who.user == call.user);
        let Some(logon) = line.iter().filter_map(|process: &Process| process.logon_id()).find(of_user) else {
            tracing::debug!(user = call.user, service = call.service, "the end of a session that was not recorded");
            return Ok(());
        };
        let draft = self.logoff(reporter, logon, None, wall_ms())?;
        self.record_with(&mut sessions, reporter, &[draft])
    }
}

fn denied(decision_id: DecisionId, who: &Who, reason: &str, at: i64) -> Result<Draft, SpoolError> {
    let mut reason = reason.to_owned();
    reason.truncate(reason.floor_char_boundary(MAX_TEXT_BYTES));
    Draft::new(kind::DENIED, at, &Denied { decision_id: Some(decision_id), who: who.clone(), reason })
}
