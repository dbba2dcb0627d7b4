//! What a Sessions synchronization would change, session by session.

use std::collections::BTreeMap;

use super::Snapshot;
use crate::{
    api::{Difference, SessionDifference, SessionSide, SessionView},
    event::SessionKey,
    fold::{Ending, MachineState, Session, State},
    server::view,
};

/// The most sessions that are named one by one.
const MAX_ITEMS: usize = 1000;

/// The difference between two lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionsDifference {
    /// Sessions that are not open here.
    pub added: u64,
    /// Sessions that are open on both, not alike.
    pub changed: u64,
    /// Sessions that are open here only.
    pub closed: u64,
    /// Sessions that are open on both, alike.
    pub unchanged: u64,
    /// The first of those that differ.
    pub items: Vec<SessionDifference>,
}

/// Compares the sessions here with those of a snapshot.
#[must_use]
pub fn difference(here: &State, there: &Snapshot) -> SessionsDifference {
    let mut result = SessionsDifference::default();
    let nothing = MachineState::default();
    let theirs: BTreeMap<&str, &MachineState> = there.machines.iter().map(|(name, m)| (&**name, m)).collect();
    for (name, machine) in &there.machines {
        let ours = here.machine(name).unwrap_or(&nothing);
        for ((boot, logon), session) in machine.sessions.iter().filter(|((boot, _), s)| open(machine, *boot, s)) {
            let known = ours.sessions.get(&(*boot, logon.clone())).map(|s| &**s);
            let key = || SessionKey { machine: name.clone(), boot: *boot, logon: logon.clone() };
            match known.filter(|s| ours.ending(*boot, s).is_none()) {
                None => {
                    result.added += 1;
                    result.name(Difference::Add, key(), known.map(|s| (ours, s)), Some((machine, session)));
                }
                Some(known) if shown(known) != shown(session) => {
                    result.changed += 1;
                    result.name(Difference::Change, key(), Some((ours, known)), Some((machine, session)));
                }
                Some(_) => result.unchanged += 1,
            }
        }
    }
    for bucket in here.snapshot() {
        for (name, ours) in &bucket.machines {
            let machine = theirs.get(&**name).copied().unwrap_or(&nothing);
            for ((boot, logon), session) in ours.sessions.iter().filter(|((boot, _), s)| open(ours, *boot, s)) {
                let known = machine.sessions.get(&(*boot, logon.clone())).map(|s| &**s);
                if known.is_some_and(|s| machine.ending(*boot, s).is_none()) {
                    continue;
                }
                result.closed += 1;
                let key = SessionKey { machine: name.clone(), boot: *boot, logon: logon.clone() };
                result.name(Difference::Close, key, Some((ours, session)), known.map(|s| (machine, s)));
            }
        }
    }
    result
}

fn open(machine: &MachineState, boot: crate::event::BootId, session: &Session) -> bool {
    let ending: Option<Ending> = machine.ending(boot, session);
    ending.is_none()
}

/// What two lists are compared by.
fn shown(session: &Session) -> impl PartialEq + use<'_> {
    (&session.who, &session.sub_state, &session.evidence)
}

type Sides<'a> = Option<(&'a MachineState, &'a Session)>;

impl SessionsDifference {
    fn name(&mut self, difference: Difference, key: SessionKey, here: Sides<'_>, there: Sides<'_>) {
        if self.items.len() >= MAX_ITEMS {
            return;
        }
        let seen = |side: Sides<'_>| side.map(|(machine, session)| view(key.clone(), machine, session, None));
        let (here, there) = (seen(here), seen(there));
        let side = |v: &SessionView| SessionSide { state: v.state, since: v.closed_at.or(v.since) };
        let user = there.as_ref().or(here.as_ref()).map(|v| v.user.clone()).unwrap_or_default();
        let machine = key.machine.to_string();
        let (here, there) = (here.as_ref().map(side), there.as_ref().map(side));
        self.items.push(SessionDifference { difference, key, user, machine, here, there });
    }
}
