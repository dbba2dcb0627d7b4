//! Who knows a certificate. Each figure is a count of machines one by one: figures of different sets are never subtracted.

use userlock_core::{agent_api::ServerAddress, api::ServerRole, sync::AgentCounts};

use crate::zone::{Zone, monotonic_ms};

/// What is said of a machine, and of more than one, that has not said hello yet.
const SINCE_START: [&str; 2] =
    ["has not been heard of since a server started", "have not been heard of since a server started"];
/// The same of those that are silent in a zone of one server.
const NO_OTHER: [&str; 2] =
    ["is silent and could not learn it from another server", "are silent and could not learn it from another server"];

/// Who knows the newest certificate of this server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) in_touch: u64,
    pub(super) lacking: u64,
    /// Those that neither server has heard of lately, nor heard to know it.
    pub(super) silent: u64,
    /// Whether there is another server, from which those that are silent learn it.
    pub(super) has_peer: bool,
    /// In words. Empty: it can be used.
    pub(super) waits_for: Vec<String>,
}

/// What the other server tells of it.
#[derive(Debug, Default)]
struct Other {
    name: String,
    /// What it knows of agents, and whether it knows the certificate itself. Absent: it does not answer.
    hello: Option<(AgentCounts, bool)>,
}

impl Spread {
    /// `own` is how this server is known, the announced certificate included.
    pub(super) fn of(zone: &Zone, own: &ServerAddress) -> Self {
        let (role, seconds) = zone.read(|server| {
            (server.identity.role, u64::from(server.settings.settings.agents.unconfirmed_after_seconds))
        });
        let (within, now) = (seconds * 1000, monotonic_ms());
        // The other one first: what it has heard by then is not lacking here because it comes over meanwhile.
        let other = zone.stored_peer().map(|stored| {
            let peer = zone.peer();
            let hello = peer.hello().filter(|_| peer.in_contact(now));
            let knows = |known: &ServerAddress| known.trusts_newest_of(own);
            Other { name: stored.name, hello: hello.map(|told| (told.agents, told.knows.as_ref().is_some_and(knows))) }
        });
        let newest = match role {
            ServerRole::Primary => [own.newest(), ""],
            ServerRole::Backup => ["", own.newest()],
        };
        // At one look: between two somebody may begin to speak, and be among neither.
        let (here, silent) = zone.of_agents(|contacts, active| {
            let active: Vec<_> = active.collect();
            let here = contacts.counts(active.iter().copied(), within, now, newest);
            (here, contacts.silent_without(active.into_iter(), within, now, own.newest()))
        });
        Self::among(role, here, silent, other)
    }

    /// `here` is what this server has heard, and `silent` how many agents it has not heard of and not heard to know the
    /// certificate.
    fn among(role: ServerRole, here: AgentCounts, silent: u64, other: Option<Other>) -> Self {
        let lacking = |counts: &AgentCounts| match role {
            ServerRole::Primary => counts.lack_primary,
            ServerRole::Backup => counts.lack_backup,
        };
        let mut spread = Self {
            in_touch: here.in_touch,
            lacking: lacking(&here),
            silent,
            has_peer: other.is_some(),
            ..Self::default()
        };
        let Some(Other { name, hello }) = other else {
            spread.wait_for_lacking();
            // Whoever comes back has nobody to learn it from.
            let since = if here.just_started { SINCE_START } else { NO_OTHER };
            spread.wait_for(silent, since);
            return spread;
        };
        let Some((there, knows)) = hello else {
            spread.waits_for.push(format!("{name} does not answer"));
            spread.wait_for_lacking();
            return spread;
        };
        spread.in_touch = here.in_touch.max(there.in_touch);
        // Whom neither has heard of are among those of each, so they are as many as the fewer of them at most.
        spread.silent = silent.min(there.unheard);
        if knows {
            // What it counts by is what it knows.
            spread.lacking += lacking(&there);
        } else {
            spread.waits_for.push(format!("{name} has not said yet that it knows it"));
        }
        spread.wait_for_lacking();
        // After a start nobody has said anything yet: that is not to be taken for silence, which neither server minds.
        if here.just_started || there.just_started {
            spread.wait_for(here.unheard.min(there.unheard), SINCE_START);
        }
        spread
    }

    fn wait_for_lacking(&mut self) {
        self.wait_for(self.lacking, ["in touch does not know it yet", "in touch do not know it yet"]);
    }

    fn wait_for(&mut self, machines: u64, [one, many]: [&str; 2]) {
        match machines {
            0 => {}
            1 => self.waits_for.push(format!("1 machine {one}")),
            n => self.waits_for.push(format!("{n} machines {many}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(unheard: u64) -> AgentCounts {
        AgentCounts { unheard, ..AgentCounts::default() }
    }

    fn other(there: AgentCounts) -> Option<Other> {
        Some(Other { name: "two".into(), hello: Some((there, true)) })
    }

    fn waits_for(here: AgentCounts, silent: u64, other: Option<Other>) -> Vec<String> {
        Spread::among(ServerRole::Primary, here, silent, other).waits_for
    }

    #[test]
    fn who_is_silent_is_waited_for_only_where_nobody_else_tells_them() {
        assert_eq!(waits_for(counts(2), 1, None), ["1 machine is silent and could not learn it from another server"]);
        assert_eq!(waits_for(counts(2), 0, None), [""; 0], "all of them know it");
        assert_eq!(waits_for(counts(2), 2, other(counts(2))), [""; 0]);
        let lacking = AgentCounts { lack_primary: 2, ..counts(0) };
        assert_eq!(waits_for(counts(2), 2, other(lacking)), ["2 machines in touch do not know it yet"]);
        let silent = |unheard| Spread::among(ServerRole::Primary, counts(5), 5, other(counts(unheard))).silent;
        assert_eq!((silent(3), silent(9)), (3, 5));
    }

    #[test]
    fn a_start_of_either_server_is_not_taken_for_silence() {
        let started = |unheard| AgentCounts { just_started: true, ..counts(unheard) };
        let since = |what: &str| vec![format!("{what} not been heard of since a server started")];
        assert_eq!(waits_for(counts(3), 3, other(started(3))), since("3 machines have"));
        assert_eq!(waits_for(started(3), 3, other(counts(1))), since("1 machine has"), "the other one has heard two");
        assert_eq!(waits_for(started(3), 3, other(counts(0))), [""; 0]);
        assert_eq!(waits_for(started(1), 1, None), since("1 machine has"));
    }

    #[test]
    fn the_other_server_itself_is_waited_for() {
        let two = |hello| Some(Other { name: "two".into(), hello });
        assert_eq!(waits_for(counts(0), 0, two(None)), ["two does not answer"]);
        let lacks = AgentCounts { lack_primary: 1, ..counts(0) };
        let not_yet = waits_for(counts(0), 0, two(Some((lacks, false))));
        assert_eq!(not_yet, ["two has not said yet that it knows it"], "it counts by what it knows");
    }
}
