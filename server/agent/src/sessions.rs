//! The sessions that this machine has reported as open.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use userlock_core::{
    event::{BootId, Inventory, InventorySession, Logon, LogonId, SessionChange, SubState, Who, kind},
    id::OriginId,
    record::EventId,
};

use crate::{
    files::{Durability, FileError, read_json, replace_json},
    spool::{Draft, Spool, SpoolError},
    system::Process,
};

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The process that opened it. While it lives, the session does.
    pub opener: Process,
    /// When it was opened, in ms since 1970 UTC.
    pub since: i64,
    /// Who is in it.
    pub who: Who,
}

/// What is on the disk. The events in the spool after `seq` come on top of it, so that it need not be written in
/// the same moment as they are.
#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    boot: BootId,
    origin: OriginId,
    seq: u64,
    sessions: BTreeMap<LogonId, Recorded>,
}

/// The sessions recorded as open.
#[derive(Debug)]
pub struct Sessions {
    path: PathBuf,
    snapshot: Snapshot,
    /// Whether the machine has started anew since the agent last ran, or the agent runs for the first time.
    new_boot: bool,
    /// Those that ended last, and when.
    ended: VecDeque<(LogonId, i64)>,
}

/// The most ended sessions that are remembered.
const MAX_ENDED: usize = 1024;

impl Sessions {
    /// Reads what was recorded before the agent last ended. Sessions of an earlier boot are gone.
    ///
    /// # Errors
    /// The spool cannot be read.
    pub fn load(dir: &Path, boot: BootId, spool: &Spool) -> Result<Self, SpoolError> {
        let path = dir.join("sessions.json");
        let empty = || Snapshot { boot, origin: spool.origin(), seq: 0, sessions: BTreeMap::new() };
        let found: Option<Snapshot> = read_json(&path).unwrap_or_else(|error| {
            tracing::error!(%error, "the recorded sessions cannot be read: they are taken from what the spool still has");
            None
        });
        let new_boot = found.as_ref().is_none_or(|snapshot| snapshot.boot != boot);
        let mut snapshot = found.filter(|snapshot| snapshot.boot == boot).unwrap_or_else(empty);
        if snapshot.origin != spool.origin() {
            (snapshot.origin, snapshot.seq) = (spool.origin(), 0);
        }
        let mut sessions = Self { path, snapshot, new_boot, ended: VecDeque::new() };
        for seq in sessions.snapshot.seq + 1..=spool.last() {
            if let Some(draft) = spool.read(seq)? {
                sessions.apply(&draft);
            }
        }
        sessions.snapshot.seq = spool.last();
        Ok(sessions)
    }

    /// Whether this boot has not been reported yet.
    #[must_use]
    pub fn new_boot(&self) -> bool {
        self.new_boot
    }

    /// Takes over a logon or logoff that was numbered.
    fn apply(&mut self, draft: &Draft) {
        match draft.kind {
            kind::LOGON => {
                let Ok(logon) = serde_json::from_slice::<Logon>(&draft.payload) else { return };
                let Some(opener) = opener_of(&logon.logon).filter(|_| logon.boot == self.snapshot.boot) else { return };
                self.snapshot.sessions.insert(logon.logon, Recorded { opener, since: draft.at, who: logon.who });
            }
            kind::LOGOFF => {
                if let Ok(change) = serde_json::from_slice::<SessionChange>(&draft.payload)
                    && change.boot == self.snapshot.boot
                {
                    self.snapshot.sessions.remove(&change.logon);
                    if self.ended.len() >= MAX_ENDED {
                        self.ended.pop_front();
                    }
                    self.ended.push_back((change.logon, draft.at));
                }
            }
            _ => {}
        }
    }

    /// These events were numbered, the last of them as `last`: takes over the sessions that they open and end.
    ///
    /// # Errors
    /// [`FileError`] when the file could not be written. That is not bad: the spool has it.
    pub fn numbered(&mut self, drafts: &[Draft], last: Option<&EventId>) -> Result<(), FileError> {
        for draft in drafts {
            self.apply(draft);
        }
        if let Some(id) = last {
            (self.snapshot.origin, self.snapshot.seq) = (id.origin, id.seq);
        }
        self.new_boot = false;
        // A loss of power ends all sessions: the file need not survive that.
        replace_json(&self.path, &self.snapshot, Durability::Process)
    }

    /// A session by its name.
    #[must_use]
    pub fn get(&self, logon: &LogonId) -> Option<&Recorded> {
        self.snapshot.sessions.get(logon)
    }

    /// Whether a session of this name ended at this time or later, as far as is remembered.
    #[must_use]
    pub fn ended_since(&self, logon: &LogonId, at: i64) -> bool {
        self.ended.iter().any(|(ended, when)| ended == logon && *when >= at)
    }

    /// How many are recorded as open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot.sessions.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshot.sessions.is_empty()
    }

    /// Those whose process has ended without PAM having said so.
    #[must_use]
    pub fn dead(&self) -> Vec<LogonId> {
        let dead = |(_, recorded): &(&LogonId, &Recorded)| !recorded.opener.lives();
        self.snapshot.sessions.iter().filter(dead).map(|(logon, _)| logon.clone()).collect()
    }

    /// Those that live.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let alive = self.snapshot.sessions.iter().filter(|(_, recorded)| recorded.opener.lives());
        let tell = |(logon, recorded): (&LogonId, &Recorded)| InventorySession {
            logon: logon.clone(),
            state: SubState::Open,
            since: recorded.since,
            who: recorded.who.clone(),
        };
        Inventory { boot: self.snapshot.boot, sessions: alive.map(tell).collect() }
    }
}

/// The process that a logon is named after.
fn opener_of(logon: &LogonId) -> Option<Process> {
    let (pid, start) = logon.as_str().split_once('.')?;
    Some(Process { pid: pid.parse().ok()?, start: start.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use userlock_core::event::SessionType;

    fn process(pid: u32) -> Process {
        Process { pid, start: u64::from(pid) * 10 }
    }

    #[test]
    fn after_a_crash_the_spool_completes_what_the_file_has() {
        let dir = tempfile::tempdir().unwrap();
        let boot = BootId::default();
        let mut spool = Spool::open(dir.path(), "pc").unwrap();
        let me = Process::with_pid(std::process::id()).unwrap();
        let who = Who {
            user: "a".into(),
            display_name: None,
            session_type: SessionType::Terminal,
            client_name: None,
            client_address: None,
        };
        let logon = |process: Process| {
            let logon = Logon { boot, logon: process.logon_id().unwrap(), decision_id: None, who: who.clone() };
            Draft::new(kind::LOGON, 5, &logon).unwrap()
        };
        let logoff = |process: Process| {
            let change = SessionChange { boot, logon: process.logon_id().unwrap(), reason: None };
            Draft::new(kind::LOGOFF, 6, &change).unwrap()
        };
        let mut sessions = Sessions::load(dir.path(), boot, &spool).unwrap();
        assert!(sessions.new_boot());
        let first = [logon(process(2)), logon(process(3))];
        let ids = spool.append(&first).unwrap();
        sessions.numbered(&first, ids.last()).unwrap();
        spool.append(&[logoff(process(2)), logon(me)]).unwrap();
        drop((sessions, spool));
        let spool = Spool::open(dir.path(), "pc").unwrap();
        let sessions = Sessions::load(dir.path(), boot, &spool).unwrap();
        assert!(!sessions.new_boot() && sessions.len() == 2 && sessions.get(&process(2).logon_id().unwrap()).is_none());
        let inventory = sessions.inventory();
        assert_eq!(inventory.sessions.len(), 1, "only what lives is listed");
        assert_eq!(inventory.sessions[0].since, 5);
        assert_eq!(sessions.dead(), [process(3).logon_id().unwrap()]);
        let other = Sessions::load(dir.path(), "ab".repeat(16).parse().unwrap(), &spool).unwrap();
        assert!(other.new_boot() && other.is_empty(), "another boot has none of them");
    }
}
