//! The decisions whose sessions have not begun yet, so that each session names the one that it came from.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use userlock_core::{event::BootId, id::DecisionId};

use crate::{
    files::{Durability, read_json, replace_json},
    hook::PamCall,
    system::Process,
};

/// How long a decision waits for its session, in ms: no longer than the servers count it.
const WAITS_MS: i64 = 120_000;
/// How long ago a decision may have been that is paired by user and place alone, in ms.
const GUESS_MS: i64 = 60_000;
/// The most decisions that wait.
const MAX_WAITING: usize = 1024;
/// The most that are kept on the disk.
const MAX_KEPT: usize = 256;
/// The most that are remembered as taken.
const MAX_TAKEN: usize = 64;
/// How far processes are followed to those that they come from.
pub const LINE: usize = 8;

/// A decision whose session has not begun yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    call: PamCall,
    /// The process that asked, and those that it comes from.
    line: Vec<Process>,
    /// When, in ms since 1970 UTC.
    at: i64,
    /// Whether it is known to allow the session. Before, it may still be the one that did: whoever asked may have gone on
    /// by the offline policy.
    allowed: bool,
}

impl Waiting {
    /// Whether the process that asked lives, or the one that it comes from: some programs ask in a process of their own.
    fn lives(&self) -> bool {
        self.line.iter().take(2).any(|process| process.lives())
    }

    fn waits_at(&self, now: i64) -> bool {
        now.saturating_sub(self.at) < WAITS_MS
    }
}

/// What is on the disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    boot: BootId,
    waiting: Vec<Waiting>,
}

/// The decisions whose sessions have not begun yet. They survive the end of the daemon, as the sessions do.
#[derive(Debug)]
pub struct Admitted {
    path: PathBuf,
    boot: BootId,
    waiting: VecDeque<Waiting>,
    taken: VecDeque<DecisionId>,
}

impl Admitted {
    /// Reads what was kept before the agent last ended, as far as it still waits at `now` (ms since 1970 UTC).
    #[must_use]
    pub fn load(dir: &Path, boot: BootId, now: i64) -> Self {
        let path = dir.join("admitted.json");
        let found: Option<Kept> = read_json(&path).unwrap_or_else(|error| {
            tracing::error!(%error, "the decisions that wait for their sessions cannot be read: they count for two minutes");
            None
        });
        let found = found.filter(|kept| kept.boot == boot).map(|kept| kept.waiting).unwrap_or_default();
        let waiting = found.into_iter().filter(|waiting| waiting.waits_at(now) && waiting.lives());
        Self { path, boot, waiting: waiting.take(MAX_KEPT).collect(), taken: VecDeque::new() }
    }

    /// It is asked whether a session may begin, by the first process of `line`, which comes from the others.
    pub fn asked(&mut self, call: &PamCall, line: Vec<Process>, now: i64) {
        self.add(Waiting { call: call.clone(), line, at: now, allowed: false }, now);
    }

    /// A session was allowed, whether or not it is known to have been asked about.
    pub fn allowed(&mut self, call: &PamCall, line: Vec<Process>, now: i64) {
        match self.waiting.iter_mut().find(|waiting| waiting.call.decision_id == call.decision_id) {
            Some(waiting) => {
                (waiting.allowed, waiting.at) = (true, now);
                self.keep();
            }
            None if self.taken.contains(&call.decision_id) => {}
            None => self.add(Waiting { call: call.clone(), line, at: now, allowed: true }, now),
        }
    }

    /// A session was refused: none is waited for.
    pub fn refused(&mut self, decision_id: DecisionId) {
        self.waiting.retain(|waiting| waiting.call.decision_id != decision_id);
        self.keep();
    }

    fn add(&mut self, waiting: Waiting, now: i64) {
        self.waiting.retain(|waiting| waiting.waits_at(now));
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(waiting);
        self.keep();
    }

    /// The decision that allowed a session which begins now, opened by the first process of `line`.
    ///
    /// Programs ask and open in one process, or ask in a process of their own (sshd does, for a password), or open in one.
    /// When none of these fits, the last decision for the same user from the same place within a minute is taken.
    #[must_use]
    pub fn of(&self, call: &PamCall, line: &[Process], now: i64) -> Option<DecisionId> {
        let opener = line.first();
        let same_user = |w: &Waiting| w.call.user == call.user && w.call.service == call.service;
        let one_process = |w: &Waiting| same_user(w) && w.line.first() == opener;
        let asked_below = |w: &Waiting| same_user(w) && opener.is_some_and(|opener| w.line.contains(opener));
        let opened_below = |w: &Waiting| same_user(w) && w.line.first().is_some_and(|asker| line.contains(asker));
        let same_place = |w: &Waiting| {
            let place = w.call.rhost == call.rhost && (w.call.tty == call.tty || w.call.service == "sshd");
            w.allowed && same_user(w) && place && now.saturating_sub(w.at) < GUESS_MS
        };
        let last = |fits: &dyn Fn(&Waiting) -> bool| self.waiting.iter().rposition(fits);
        let found = last(&one_process).or_else(|| last(&asked_below)).or_else(|| last(&opened_below));
        let index = found.or_else(|| last(&same_place))?;
        self.waiting.get(index).map(|waiting| waiting.call.decision_id)
    }

    /// The session that names this decision is written down.
    pub fn taken(&mut self, decision_id: DecisionId) {
        if self.taken.len() >= MAX_TAKEN {
            self.taken.pop_front();
        }
        self.taken.push_back(decision_id);
        self.refused(decision_id);
    }

    /// Writes down the newest of those whose processes live.
    fn keep(&self) {
        let newest = self.waiting.iter().skip(self.waiting.len().saturating_sub(MAX_KEPT));
        let kept = Kept { boot: self.boot, waiting: newest.filter(|waiting| waiting.lives()).cloned().collect() };
        // A loss of power ends all sessions: the file need not survive that.
        if let Err(error) = replace_json(&self.path, &kept, Durability::Process) {
            tracing::error!(%error, "the decisions that wait for their sessions could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Phase;

    fn process(pid: u32) -> Process {
        Process { pid, start: u64::from(pid) * 10 }
    }

    fn me() -> Process {
        Process::with_pid(std::process::id()).unwrap()
    }

    fn call(user: &str, id: u8) -> PamCall {
        PamCall {
            phase: Phase::Account,
            decision_id: DecisionId([id; 16]),
            user: user.into(),
            rhost: "10.0.0.9".into(),
            tty: "ssh".into(),
            service: "sshd".into(),
            opener: process(0),
        }
    }

    fn line(pids: &[u32]) -> Vec<Process> {
        pids.iter().copied().map(process).collect()
    }

    fn id(n: u8) -> Option<DecisionId> {
        Some(DecisionId([n; 16]))
    }

    fn opened(admitted: &mut Admitted, call: &PamCall, line: &[Process], now: i64) -> Option<DecisionId> {
        let decision_id = admitted.of(call, line, now)?;
        admitted.taken(decision_id);
        Some(decision_id)
    }

    fn load(dir: &tempfile::TempDir) -> Admitted {
        Admitted::load(dir.path(), BootId::NIL, 0)
    }

    #[test]
    fn a_session_is_paired_with_the_decision_that_allowed_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut admitted = load(&dir);
        // Two connections of one user at once, one with a key, one with a password, below the same listening sshd (100).
        admitted.allowed(&call("alice", 1), line(&[201, 100]), 0);
        admitted.allowed(&call("alice", 2), line(&[303, 302, 100]), 0);
        admitted.allowed(&call("bob", 3), line(&[400, 100]), 0);
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[302, 100]), 0), id(2), "asked in a child");
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[201, 100]), 0), id(1), "asked in the same process");
        assert_eq!(opened(&mut admitted, &call("bob", 0), &line(&[401, 400, 100]), 0), id(3), "opened in a child");
        assert_eq!(opened(&mut admitted, &call("bob", 0), &line(&[401, 400, 100]), 0), None, "once");
    }

    #[test]
    fn what_does_not_come_from_the_same_process_is_paired_by_user_and_place_for_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let mut admitted = load(&dir);
        admitted.allowed(&call("alice", 1), line(&[201]), 0);
        let elsewhere = PamCall { rhost: "10.0.0.8".into(), ..call("alice", 0) };
        assert_eq!(opened(&mut admitted, &elsewhere, &line(&[900]), 0), None);
        assert_eq!(opened(&mut admitted, &call("bob", 0), &line(&[201]), 0), None, "another user in the same process");
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[900]), 61_000), None);
        assert!(opened(&mut admitted, &call("alice", 0), &line(&[900]), 59_000).is_some());
    }

    #[test]
    fn a_question_without_an_answer_yet_is_paired_by_its_process_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut admitted = load(&dir);
        for n in 1..=3 {
            admitted.asked(&call("alice", n), line(&[200 + u32::from(n)]), 0);
        }
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[900]), 0), None);
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[201]), 0), id(1));
        admitted.allowed(&call("alice", 1), line(&[201]), 0);
        assert_eq!(
            opened(&mut admitted, &call("alice", 0), &line(&[201]), 0),
            None,
            "it was taken before its answer came"
        );
        admitted.allowed(&call("alice", 2), line(&[202]), 0);
        admitted.refused(DecisionId([3; 16]));
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[203]), 0), id(2));
        assert_eq!(opened(&mut admitted, &call("alice", 0), &line(&[203]), 0), None, "it was refused");
    }

    #[test]
    fn what_waits_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut admitted = load(&dir);
        for pid in 0..1100 {
            admitted.add(Waiting { call: call("alice", 1), line: line(&[pid]), at: 0, allowed: true }, 0);
        }
        assert_eq!(admitted.waiting.len(), MAX_WAITING);
        admitted.asked(&call("alice", 1), line(&[1]), WAITS_MS);
        assert_eq!(admitted.waiting.len(), 1);
        for _ in 0..300 {
            admitted.asked(&call("alice", 1), vec![me()], WAITS_MS);
        }
        assert_eq!(Admitted::load(dir.path(), BootId::NIL, WAITS_MS).waiting.len(), MAX_KEPT);
    }

    #[test]
    fn what_waits_survives_the_daemon_while_its_process_lives() {
        let dir = tempfile::tempdir().unwrap();
        let mut admitted = load(&dir);
        admitted.allowed(&call("alice", 1), vec![me()], 0);
        admitted.asked(&call("bob", 2), vec![process(4_000_001), me()], 0);
        admitted.allowed(&call("carol", 3), vec![process(4_000_002), process(4_000_003), me()], 0);
        admitted.asked(&call("dave", 4), vec![me()], 0);
        admitted.refused(DecisionId([4; 16]));
        drop(admitted);
        let users = |admitted: &Admitted| admitted.waiting.iter().map(|w| w.call.user.clone()).collect::<Vec<_>>();
        assert!(users(&Admitted::load(dir.path(), "ab".repeat(16).parse().unwrap(), 0)).is_empty(), "another boot");
        assert!(users(&Admitted::load(dir.path(), BootId::NIL, WAITS_MS)).is_empty(), "too late");
        let mut admitted = load(&dir);
        assert_eq!(users(&admitted), ["alice", "bob"]);
        assert_eq!(opened(&mut admitted, &call("bob", 0), &[me()], 0), id(2), "asked in a child that has ended");
        assert_eq!(users(&load(&dir)), ["alice"], "what was taken is");
        std::fs::write(dir.path().join("admitted.json"), "{").unwrap();
        assert!(users(&load(&dir)).is_empty(), "a file that cannot be read keeps nobody out");
    }
}
