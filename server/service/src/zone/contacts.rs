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
    /// What it told in its last hello here; absent before the first.
    trusts: Option<Trusts>,
    /// The numbering that is known to be its own.
    origin: Option<OriginId>,
    /// The highest rank under which it has spoken.
    rank: u64,
    /// How often it has spoken under a lower one after that.
    went_back: u32,
}

/// By which certificates an agent trusts the servers, as it has them on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trusts {
    /// When it told so, on this server's forward clock, in ms. Other calls say nothing of it.
    told: u64,
    /// Their fingerprints.
    pins: Box<[String]>,
}

impl Trusts {
    fn has(&self, fingerprint: &str) -> bool {
        fingerprint.is_empty() || self.pins.iter().any(|pin| pin == fingerprint)
    }
}

/// All agents that were heard of since this server's start. Those whose enrolment has ended are among them: whoever counts
/// says which count.
#[derive(Debug, Default)]
pub struct Contacts {
    by_machine: BTreeMap<Machine, Contact>,
    /// When this server has begun to listen.
    started: u64,
    /// Silence counts from here for a machine that was not heard of.
    silent_from: u64,
    /// On a Backup whose Primary answers: which machines are silent, as the Primary tells.
    told: Option<BTreeMap<Machine, i64>>,
}

impl Contacts {
    /// Nobody was heard of yet.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { by_machine: BTreeMap::new(), started: now, silent_from: now, told: None }
    }

    /// Notes that an agent was heard of.
    pub fn heard(&mut self, machine: &Machine, agent: AgentId, now: u64, wall: i64) {
        let contact = self.by_machine.entry(machine.clone()).or_default();
        if contact.agent != agent {
            // What the one told that was enrolled under this name before is not on this one's disk.
            contact.trusts = None;
        }
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
        match &mut contact.trusts {
            Some(trusts) if *trusts.pins == *hello.pins => trusts.told = contact.last,
            trusts => *trusts = Some(Trusts { told: contact.last, pins: hello.pins.clone().into_boxed_slice() }),
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
            self.silent_from = now;
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
        let last = self.by_machine.get(machine).map_or(self.silent_from, |c| c.last.max(self.silent_from));
        let silent = now.saturating_sub(last);
        (silent > after).then(|| wall.saturating_sub(i64::try_from(silent).unwrap_or(i64::MAX)))
    }

    /// The figures that servers tell each other, of the agents with an `active` enrolment: those heard of within `within`
    /// ms, and how many of them have said hello within it and do not know the `newest` certificates, of the Primary and of
    /// the Backup (empty: there is none to know).
    #[must_use]
    pub fn counts<'a>(
        &self,
        active: impl Iterator<Item = (AgentId, &'a Machine)>,
        within: u64,
        now: u64,
        newest: [&str; 2],
    ) -> AgentCounts {
        let lately = |at: u64| now.saturating_sub(at) <= within;
        let mut counts = AgentCounts { just_started: lately(self.started), ..AgentCounts::default() };
        for (agent, machine) in active {
            let contact = self.of(agent, machine);
            // Who asks here for a decision only tells the other server what it knows.
            let trusts = contact.and_then(|contact| contact.trusts.as_ref()).filter(|trusts| lately(trusts.told));
            counts.unheard += u64::from(trusts.is_none());
            if let Some(contact) = contact.filter(|contact| lately(contact.last)) {
                counts.in_touch += 1;
                counts.spooling += u64::from(contact.spool > 0);
                counts.waiting += contact.spool;
                counts.reach_backup += u64::from(contact.reaches_other == Some(true));
            }
            if let Some(trusts) = trusts {
                let [lacks_primary, lacks_backup] = newest.map(|newest| u64::from(!trusts.has(newest)));
                counts.lack_primary += lacks_primary;
                counts.lack_backup += lacks_backup;
            }
        }
        counts
    }

    /// How many agents with an `active` enrolment have not said hello within `within` ms, and have not said before, since
    /// this server's start, that they know this certificate. What an agent has written down it knows when it comes back.
    #[must_use]
    pub fn silent_without<'a>(
        &self,
        active: impl Iterator<Item = (AgentId, &'a Machine)>,
        within: u64,
        now: u64,
        newest: &str,
    ) -> u64 {
        let is_silent = |trusts: &Trusts| now.saturating_sub(trusts.told) > within && !trusts.has(newest);
        let trusts = active.map(|(agent, machine)| self.of(agent, machine)?.trusts.as_ref());
        trusts.filter(|trusts| trusts.is_none_or(is_silent)).count() as u64
    }

    fn of(&self, agent: AgentId, machine: &str) -> Option<&Contact> {
        self.by_machine.get(machine).filter(|contact| contact.agent == agent)
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::id::Digest;

    use super::*;

    fn hello(pins: &[&str]) -> HelloRequest {
        HelloRequest {
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
        }
    }

    /// Machines of a zone, each with an enrolment of its own, and when and what each has told.
    struct Heard {
        contacts: Contacts,
        enrolled: Vec<(AgentId, Machine)>,
    }

    impl Heard {
        fn new(machines: &[&str]) -> Self {
            let mut heard = Self { contacts: Contacts::new(0), enrolled: Vec::new() };
            machines.iter().for_each(|machine| heard.enrol(machine));
            heard
        }

        fn enrol(&mut self, machine: &str) {
            let number = u8::try_from(self.enrolled.len() + 1).unwrap();
            self.enrolled.push((AgentId([number; 16]), machine.into()));
        }

        fn calls(&mut self, machine: &str, at: u64) {
            let (agent, machine) = self.enrolled.iter().rfind(|(_, known)| **known == *machine).unwrap();
            self.contacts.heard(machine, *agent, at, 0);
        }

        fn says(&mut self, machine: &str, at: u64, pins: &[&str]) {
            self.calls(machine, at);
            self.contacts.told(&machine.into(), &hello(pins), "", 0);
        }

        fn active(&self) -> impl Iterator<Item = (AgentId, &Machine)> {
            self.enrolled.iter().map(|(agent, machine)| (*agent, machine))
        }

        fn counts(&self, now: u64, newest: [&str; 2]) -> AgentCounts {
            self.contacts.counts(self.active(), 20, now, newest)
        }

        fn silent(&self, now: u64, newest: &str) -> u64 {
            self.contacts.silent_without(self.active(), 20, now, newest)
        }
    }

    #[test]
    fn who_lacks_a_certificate_is_counted_and_who_only_asks_is_not() {
        let mut zone = Heard::new(&["old", "new", "asks", "gone", "never"]);
        zone.says("old", 50, &["p1", "b1"]);
        zone.says("new", 50, &["p1", "p2", "b1"]);
        zone.calls("asks", 50);
        zone.says("gone", 1, &[]);
        let counts = zone.counts(60, ["p2", "b1"]);
        assert_eq!((counts.in_touch, counts.lack_primary, counts.lack_backup), (3, 1, 0));
        assert_eq!((counts.unheard, counts.just_started), (3, false));
        assert_eq!(zone.counts(60, ["", "b2"]).lack_backup, 2);
        assert!(zone.counts(20, ["", ""]).just_started);
    }

    #[test]
    fn an_enrolment_that_has_ended_counts_nowhere_and_hides_nobody() {
        let mut zone = Heard::new(&["revoked", "silent"]);
        zone.says("revoked", 50, &["p2"]);
        zone.enrolled.remove(0);
        let counts = zone.counts(60, ["p2", ""]);
        assert_eq!((counts.in_touch, counts.unheard, zone.silent(60, "p2")), (0, 1, 1));
        // Nor does one that has taken over its name know what it knew.
        zone.enrol("revoked");
        zone.enrolled[1].0 = AgentId([9; 16]);
        assert_eq!(zone.silent(60, "p2"), 2);
        zone.calls("revoked", 60);
        assert_eq!(zone.silent(60, "p2"), 2);
    }

    #[test]
    fn what_a_machine_has_written_down_it_knows_when_it_is_switched_off() {
        let mut zone = Heard::new(&["confirmed", "lacks"]);
        zone.says("confirmed", 10, &["p1", "p2"]);
        zone.says("lacks", 10, &["p1"]);
        assert_eq!((zone.silent(20, "p2"), zone.counts(20, ["p2", ""]).lack_primary), (0, 1), "it is no silent one");
        assert_eq!((zone.silent(60, "p2"), zone.counts(60, ["p2", ""]).lack_primary), (1, 0));
        assert_eq!(zone.silent(60, "p3"), 2);
    }

    #[test]
    fn what_was_told_long_ago_is_not_lacking_because_of_other_calls() {
        let mut zone = Heard::new(&["pc"]);
        zone.says("pc", 10, &["p1"]);
        zone.calls("pc", 55);
        let counts = zone.counts(60, ["p2", ""]);
        assert_eq!((counts.in_touch, counts.lack_primary, counts.unheard), (1, 0, 1), "it says hello elsewhere");
        zone.says("pc", 60, &["p1"]);
        assert_eq!(zone.counts(70, ["p2", ""]).lack_primary, 1);
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
