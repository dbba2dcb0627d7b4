//! When which agent was heard of. Known of the moment only: nothing here is replicated, nor kept over a restart.

use std::collections::BTreeMap;

use userlock_core::{
    agent_api::HelloRequest,
    id::{AgentId, OriginId},
    record::Machine,
    sync::AgentCounts,
};

/// The clocks of two machines are called apart from this difference on, in ms.
pub const SKEW_WARNING_MS: i64 = 60_000;
/// The two servers' clocks are called apart from this difference on, in ms.
pub const PEER_SKEW_MS: i64 = 2_000;

/// An agent, as it was last heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The enrolment.
    pub agent: AgentId,
    /// On this server's forward clock, in ms.
    pub last: u64,
    /// In ms since 1970 UTC.
    pub last_at: i64,
    /// The agent's program and version.
    pub version: String,
    /// How many records wait in its spool.
    pub spool: u64,
    /// This server's clock less the agent's, in ms.
    pub skew_ms: i64,
    /// Why it came here.
    pub why: String,
    /// Whether it could reach the other server when it last tried, where it told.
    pub reaches_other: Option<bool>,
    /// The fingerprints of the servers' certificates that it trusts; absent before it has said hello here.
    pins: Option<Box<[String]>>,
    /// The numbering that is known to be its own.
    origin: Option<OriginId>,
    /// The highest rank under which it has spoken.
    rank: u64,
    /// How often it has spoken under a lower one after that.
    went_back: u32,
}

/// All agents that were heard of since this server's start.
#[derive(Debug, Default)]
pub struct Contacts {
    by_machine: BTreeMap<Machine, Contact>,
    /// Silence counts from here for a machine that was not heard of.
    started: u64,
    /// On a Backup whose Primary answers: which machines are silent, as the Primary tells.
    told: Option<BTreeMap<Machine, i64>>,
}

impl Contacts {
    /// Nobody was heard of yet.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { by_machine: BTreeMap::new(), started: now, told: None }
    }

    /// Notes that an agent was heard of.
    pub fn heard(&mut self, machine: &Machine, agent: AgentId, now: u64, wall: i64) {
        let contact = self.by_machine.entry(machine.clone()).or_default();
        (contact.agent, contact.last, contact.last_at) = (agent, now, wall);
    }

    /// Whether a numbering is known to be this machine's.
    #[must_use]
    pub fn owns(&self, machine: &str, origin: OriginId) -> bool {
        self.by_machine.get(machine).is_some_and(|contact| contact.origin == Some(origin))
    }

    /// Notes that a numbering is this machine's, so that it need not be looked up again.
    pub fn note_own(&mut self, machine: &Machine, origin: OriginId) {
        self.by_machine.entry(machine.clone()).or_default().origin = Some(origin);
    }

    /// Notes under which rank a machine speaks. True, once, when an earlier incarnation has spoken again after a later one
    /// for the second time: one machine only goes forward, so there are two of it. One time may be a hello that came late.
    pub fn speaks_as(&mut self, machine: &Machine, rank: u64) -> bool {
        let contact = self.by_machine.entry(machine.clone()).or_default();
        if rank >= contact.rank {
            contact.rank = rank;
            return false;
        }
        contact.went_back = contact.went_back.saturating_add(1);
        contact.went_back == 2
    }

    /// Notes what an agent told in its hello. True if its clock is apart now and was not before.
    pub fn told(&mut self, machine: &Machine, hello: &HelloRequest, own_url: &str, skew_ms: i64) -> bool {
        let contact = self.by_machine.entry(machine.clone()).or_default();
        let apart = |ms: i64| ms.abs() >= SKEW_WARNING_MS;
        let newly_apart = apart(skew_ms) && !apart(contact.skew_ms);
        contact.version.clone_from(&hello.version);
        contact.spool = hello.spool;
        contact.skew_ms = skew_ms;
        contact.why.clone_from(&hello.why);
        if contact.pins.as_deref() != Some(&hello.pins) {
            contact.pins = Some(hello.pins.clone().into_boxed_slice());
        }
        contact.reaches_other = hello.reaches.iter().find(|r| r.url != own_url).map(|r| r.ok);
        newly_apart
    }

    /// Notes that a record is dated so many ms ahead of this server's clock. True if the clock is apart now and was not
    /// before.
    pub fn dated_ahead(&mut self, machine: &Machine, ahead_ms: i64) -> bool {
        let contact = self.by_machine.entry(machine.clone()).or_default();
        if ahead_ms < SKEW_WARNING_MS || contact.skew_ms <= -SKEW_WARNING_MS {
            return false;
        }
        contact.skew_ms = -ahead_ms;
        true
    }

    /// One agent.
    #[must_use]
    pub fn get(&self, machine: &str) -> Option<&Contact> {
        self.by_machine.get(machine)
    }

    /// All agents.
    pub fn iter(&self) -> impl Iterator<Item = (&Machine, &Contact)> {
        self.by_machine.iter()
    }

    /// Takes over which machines are silent, from the Primary, with which agents speak while it answers.
    pub fn primary_told(&mut self, silent: &[(Machine, i64)]) {
        self.told = Some(silent.iter().cloned().collect());
    }

    /// The Primary does not answer any more: from now on this server's own contacts count.
    pub fn primary_lost(&mut self, now: u64) {
        if self.told.take().is_some() {
            self.started = now;
        }
    }

    /// The silent ones of `machines`, at most `limit`.
    pub fn silent<'a>(
        &self,
        machines: impl Iterator<Item = &'a Machine>,
        after: u64,
        now: u64,
        wall: i64,
        limit: usize,
    ) -> Vec<(Machine, i64)> {
        machines.filter_map(|m| Some((m.clone(), self.silent_since(m, after, now, wall)?))).take(limit).collect()
    }

    /// Since when a machine has been silent, in ms since 1970 UTC, if for longer than `after` ms. One that was not heard
    /// of since this server's start counts from there.
    #[must_use]
    pub fn silent_since(&self, machine: &str, after: u64, now: u64, wall: i64) -> Option<i64> {
        if let Some(told) = &self.told {
            return told.get(machine).copied();
        }
        let last = self.by_machine.get(machine).map_or(self.started, |c| c.last.max(self.started));
        let silent = now.saturating_sub(last);
        (silent > after).then(|| wall.saturating_sub(i64::try_from(silent).unwrap_or(i64::MAX)))
    }

    /// How many agents have said hello since this server's start.
    #[must_use]
    pub fn greeted(&self) -> u64 {
        self.by_machine.values().filter(|contact| contact.pins.is_some()).count() as u64
    }

    /// Whether this server has been up for less than `within` ms, so that not all may have said hello.
    #[must_use]
    pub fn just_started(&self, within: u64, now: u64) -> bool {
        now.saturating_sub(self.started) < within
    }

    /// The figures that servers tell each other: agents heard of within `within` ms, and how many of them do not know the
    /// `newest` certificates, of the Primary and of the Backup (empty: there is none to know).
    #[must_use]
    pub fn counts(&self, within: u64, now: u64, newest: [&str; 2]) -> AgentCounts {
        let mut counts = AgentCounts::default();
        for contact in self.by_machine.values().filter(|c| now.saturating_sub(c.last) <= within) {
            counts.in_touch += 1;
            counts.spooling += u64::from(contact.spool > 0);
            counts.waiting += contact.spool;
            counts.reach_backup += u64::from(contact.reaches_other == Some(true));
            // Who asks here for a decision only tells the other server what it knows.
            let Some(pins) = &contact.pins else { continue };
            let [lacks_primary, lacks_backup] =
                newest.map(|newest| u64::from(!newest.is_empty() && !pins.iter().any(|pin| pin == newest)));
            counts.lack_primary += lacks_primary;
            counts.lack_backup += lacks_backup;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::id::Digest;

    use super::*;

    #[test]
    fn who_lacks_a_certificate_is_counted_and_who_only_asks_is_not() {
        let mut contacts = Contacts::new(0);
        let hello = |pins: &[&str]| HelloRequest {
            origin: OriginId([1; 16]),
            rank: 1,
            ranges: vec![],
            boot: Digest([1; 16]),
            monotonic_ms: 0,
            wall_ms: 0,
            why: String::new(),
            epoch: userlock_core::id::Epoch::default(),
            spool: 0,
            reaches: vec![],
            pins: pins.iter().map(|pin| (*pin).to_owned()).collect(),
            version: String::new(),
        };
        let machines: [Machine; 4] = ["old".into(), "new".into(), "asks".into(), "gone".into()];
        for (machine, at) in machines.iter().zip([50, 50, 50, 1]) {
            contacts.heard(machine, AgentId([1; 16]), at, 0);
        }
        contacts.told(&machines[0], &hello(&["p1", "b1"]), "", 0);
        contacts.told(&machines[1], &hello(&["p1", "p2", "b1"]), "", 0);
        contacts.told(&machines[3], &hello(&[]), "", 0);
        let counts = contacts.counts(20, 60, ["p2", "b1"]);
        assert_eq!((counts.in_touch, counts.lack_primary, counts.lack_backup), (3, 1, 0));
        assert_eq!(contacts.counts(20, 60, ["", "b2"]).lack_backup, 2);
    }

    #[test]
    fn two_machines_of_one_name_are_told_once() {
        let mut contacts = Contacts::new(0);
        let pc: Machine = "pc".into();
        let told: Vec<bool> = [5, 5, 7, 5, 8, 7, 9, 8].map(|rank| contacts.speaks_as(&pc, rank)).to_vec();
        assert_eq!(told, [false, false, false, false, false, true, false, false]);
        assert!(!contacts.speaks_as(&"other".into(), 1));
    }
}
