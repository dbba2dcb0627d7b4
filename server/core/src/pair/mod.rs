//! The states of a server of the pair, and what leads from one to the next.
//!
//! Times are of a clock that only goes forward and counts suspension, in ms; wall-clock times are kept for people.

use crate::api::{Phase, PhaseView};

/// For how long a Primary that returns waits for a Backup that does not come or makes no progress.
pub const RETURNING_MS: u64 = 5_000;
/// The other server is down when it was not heard of for so long.
pub const DOWN_MS: u64 = 5_000;
/// A Backup takes over when it lost the Primary for so long and an agent has come that could not reach it.
pub const TAKEOVER_WITH_AGENT_MS: u64 = 10_000;
/// A Backup takes over when it lost the Primary for so long, whatever the agents do.
pub const TAKEOVER_MS: u64 = 60_000;
/// A Backup passes decisions on while it heard of the Primary within this time.
pub const FORWARD_MS: u64 = 3_000;
/// A server whose loop stood still for so long treats it as a restart.
pub const STOOD_STILL_MS: u64 = 5_000;

/// Why a Backup stands by whose Primary does not let it take part.
const REFUSED: &str = "the Primary answers, and does not let this Backup take part";

/// What a Primary's next state depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct PrimaryFacts {
    /// Whether the zone has a Backup.
    pub has_backup: bool,
    /// Whether the Backup has pushed everything that this log lacked.
    pub backup_pushed: bool,
    /// When the Backup was last heard of or last pushed something.
    pub backup_progress: Option<u64>,
}

/// What a Backup's next state depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct BackupFacts {
    /// Whether it has had its first Sessions synchronization.
    pub joined: bool,
    /// Whether an administrator wants it not to pull.
    pub paused: bool,
    /// When the Primary last answered and could commit; absent since the start of this server.
    pub primary_contact: Option<u64>,
    /// Whether the Primary, when it last answered, was at work.
    pub primary_serves: bool,
    /// When the Primary last answered that it does not let this server take part: it is there all the same.
    pub refused: Option<u64>,
    /// When an agent last came that could not reach the Primary.
    pub agent_came: Option<u64>,
}

/// A server's state, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phases {
    view: PhaseView,
    entered: u64,
}

impl Phases {
    /// A Primary that starts at `now` (`wall` in ms since 1970 UTC).
    #[must_use]
    pub fn primary(has_backup: bool, now: u64, wall: i64) -> Self {
        if has_backup {
            let waits = "the Backup to hand over what it recorded, for 5 s at most";
            return Self::at(Phase::Returning, "this server has started", waits, now, wall);
        }
        Self::at(Phase::Serving, "this server has started", "", now, wall)
    }

    /// A Backup that starts at `now` (`wall` in ms since 1970 UTC).
    #[must_use]
    pub fn backup(joined: bool, now: u64, wall: i64) -> Self {
        if joined {
            return Self::at(Phase::Standby, "this server has started", "", now, wall);
        }
        let waits = "its first Sessions synchronization";
        Self::at(Phase::Joining, "this server has just been set up as Backup", waits, now, wall)
    }

    fn at(phase: Phase, reason: &str, waits_for: &str, now: u64, wall: i64) -> Self {
        let view = PhaseView { phase, since: wall, reason: reason.to_owned(), waits_for: waits_for.to_owned() };
        Self { view, entered: now }
    }

    /// The present state.
    #[must_use]
    pub fn view(&self) -> &PhaseView {
        &self.view
    }

    /// The present state's name.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.view.phase
    }

    /// Whether this server decides for an agent that could ask the other one.
    #[must_use]
    pub fn decides(&self) -> bool {
        !matches!(self.view.phase, Phase::Joining | Phase::Returning | Phase::Superseded)
    }

    /// A Primary whose loop stood still returns as if it had started. True if that is a change.
    pub fn stood_still(&mut self, has_backup: bool, now: u64, wall: i64) -> bool {
        if !has_backup || self.view.phase != Phase::Serving {
            return false;
        }
        let waits = "the Backup to hand over what it recorded, for 5 s at most";
        *self = Self::at(Phase::Returning, "this server stood still for more than 5 s", waits, now, wall);
        true
    }

    /// The next state of a Primary. True if that is a change.
    pub fn step_primary(&mut self, facts: PrimaryFacts, now: u64, wall: i64) -> bool {
        if self.view.phase != Phase::Returning {
            return false;
        }
        let waited = now.saturating_sub(facts.backup_progress.unwrap_or(0).max(self.entered));
        let reason = if !facts.has_backup {
            "the zone has no Backup"
        } else if facts.backup_pushed {
            "the Backup has handed over what it recorded"
        } else if waited >= RETURNING_MS {
            "the Backup did not come within 5 s: decisions are marked degraded until the two have met"
        } else {
            return false;
        };
        *self = Self::at(Phase::Serving, reason, "", now, wall);
        true
    }

    /// The next state of a Backup. True if that is a change.
    pub fn step_backup(&mut self, facts: BackupFacts, now: u64, wall: i64) -> bool {
        let heard = facts.primary_contact.max(facts.refused).unwrap_or(0);
        let lost = now.saturating_sub(heard.max(self.entered_as_backup()));
        let refused = facts.refused > facts.primary_contact;
        // Whoever is refused hears nothing of whether the Primary serves: what was heard before, if anything, is no answer.
        let returns = !facts.primary_serves && !refused;
        let agent_came = facts.agent_came.is_some_and(|at| now.saturating_sub(at) <= lost);
        let takes_over = lost >= TAKEOVER_MS || (lost >= TAKEOVER_WITH_AGENT_MS && agent_came);
        let (phase, reason, waits) = if !facts.joined {
            (Phase::Joining, "this server has just been set up as Backup", "its first Sessions synchronization")
        } else if takes_over || (self.view.phase == Phase::Takeover && (lost >= DOWN_MS || returns)) {
            (Phase::Takeover, "the Primary does not answer", "the Primary to serve again")
        } else if facts.paused {
            (Phase::Paused, "an administrator has paused synchronization", "an administrator to resume it")
        } else if refused {
            (Phase::Standby, REFUSED, "an administrator to mend what the application log names")
        } else {
            (Phase::Standby, "the Primary serves", "")
        };
        if phase == self.view.phase {
            // Why it stands by may change; that is no other state.
            if refused != (self.view.reason == REFUSED) && phase == Phase::Standby {
                (self.view.reason, self.view.waits_for) = (reason.to_owned(), waits.to_owned());
            }
            return false;
        }
        *self = Self::at(phase, reason, waits, now, wall);
        true
    }

    /// From when silence counts: a Backup that starts gives the Primary as long as one that lost it.
    fn entered_as_backup(&self) -> u64 {
        if self.view.phase == Phase::Takeover { 0 } else { self.entered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_returns_until_the_backup_has_pushed_or_does_not_come() {
        let facts = PrimaryFacts { has_backup: true, ..PrimaryFacts::default() };
        let mut phases = Phases::primary(true, 1000, 0);
        assert!(!phases.decides());
        assert!(!phases.step_primary(facts, 5_999, 0));
        let progress = PrimaryFacts { backup_progress: Some(4000), ..facts };
        assert!(!phases.clone().step_primary(progress, 8_999, 0), "as long as it makes progress");
        assert!(phases.clone().step_primary(facts, 6_000, 0));
        assert!(phases.step_primary(PrimaryFacts { backup_pushed: true, ..progress }, 4001, 0));
        assert_eq!(phases.phase(), Phase::Serving);
        assert!(phases.stood_still(true, 9000, 0) && !phases.decides());
        assert_eq!(Phases::primary(false, 0, 0).phase(), Phase::Serving);
    }

    #[test]
    fn a_backup_takes_over_sooner_when_an_agent_has_come() {
        let facts =
            BackupFacts { joined: true, primary_contact: Some(1000), primary_serves: true, ..Default::default() };
        let mut phases = Phases::backup(true, 0, 0);
        assert!(!phases.step_backup(facts, 60_999, 0));
        let came = BackupFacts { agent_came: Some(2000), ..facts };
        assert!(!phases.clone().step_backup(came, 10_999, 0));
        assert!(
            !phases.clone().step_backup(BackupFacts { agent_came: Some(500), ..facts }, 11_500, 0),
            "before it was lost"
        );
        assert!(phases.clone().step_backup(facts, 61_000, 0));
        assert!(phases.step_backup(came, 11_000, 0));
        assert_eq!(phases.phase(), Phase::Takeover);
        let returning = BackupFacts { primary_contact: Some(20_000), primary_serves: false, ..came };
        assert!(!phases.step_backup(returning, 20_001, 0), "until the Primary serves");
        assert!(phases.step_backup(BackupFacts { primary_serves: true, ..returning }, 20_002, 0));
        assert_eq!(phases.phase(), Phase::Standby);
    }

    #[test]
    fn a_backup_that_is_refused_does_not_take_over_from_a_primary_that_lives() {
        let facts =
            BackupFacts { joined: true, primary_contact: Some(1000), primary_serves: true, ..Default::default() };
        let mut phases = Phases::backup(true, 0, 0);
        let refused = |at| BackupFacts { refused: Some(at), ..facts };
        assert!(!phases.step_backup(refused(90_000), 90_500, 0));
        assert_eq!(phases.view().reason, REFUSED);
        assert!(!phases.view().waits_for.is_empty());
        let back = BackupFacts { primary_contact: Some(91_000), ..refused(90_000) };
        assert!(!phases.step_backup(back, 91_500, 0));
        assert_eq!(phases.view().reason, "the Primary serves");
        // Silence counts from the last refusal as from the last contact.
        assert!(!phases.step_backup(refused(92_000), 151_999, 0));
        assert!(phases.step_backup(refused(92_000), 152_000, 0));
        assert_eq!(phases.phase(), Phase::Takeover);
        assert!(phases.step_backup(refused(160_000), 160_500, 0), "it answers again");
        assert_eq!((phases.phase(), phases.view().reason.as_str()), (Phase::Standby, REFUSED));
    }

    #[test]
    fn a_backup_that_has_not_heard_the_primary_serve_ends_its_takeover_when_it_is_refused() {
        // Since its start it has heard nothing; or what it heard last was that the Primary does not serve.
        for primary_contact in [None, Some(1000)] {
            let facts = BackupFacts { joined: true, primary_contact, ..Default::default() };
            let mut phases = Phases::backup(true, 0, 0);
            assert!(phases.step_backup(facts, 70_000, 0));
            assert_eq!(phases.phase(), Phase::Takeover);
            assert!(phases.step_backup(BackupFacts { refused: Some(80_000), ..facts }, 80_500, 0));
            assert_eq!((phases.phase(), phases.view().reason.as_str()), (Phase::Standby, REFUSED));
        }
    }

    #[test]
    fn a_backup_joins_first() {
        let mut phases = Phases::backup(false, 0, 0);
        assert!(!phases.decides());
        assert!(phases.step_backup(BackupFacts { joined: true, ..Default::default() }, 1, 0));
        assert_eq!(phases.phase(), Phase::Standby);
    }
}
