//! What happens on a day, as a list: written before the day begins, the same for the same seed.
//!
//! Hours are hours of the played day, from 7 to 31 (7 o'clock of the next one).

use userlock_core::event::SessionType;

use super::{
    dice::Dice,
    names::{Kind, Person, Place},
};

/// When a day begins.
pub const MORNING: f64 = 7.0;
/// When the night begins.
const EVENING: f64 = 19.0;
/// When the next day begins.
const NEXT_MORNING: f64 = 31.0;
/// How much of the played time the hours from morning to evening take.
const SHARE_OF_DAY: f64 = 0.85;

/// A session of the plan, whether it comes to be or not.
pub type Slot = u64;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Somebody wants to log on.
    LogOn {
        /// The name of the session in this plan.
        slot: Slot,
        /// Who: an index into the people.
        person: usize,
        /// The type.
        session_type: SessionType,
        /// The machine that the person sits at, and its address.
        client: (Option<String>, Option<String>),
    },
    /// The screen is locked.
    Lock(Slot),
    /// It is unlocked.
    Unlock(Slot),
    /// The client leaves the session.
    Disconnect(Slot),
    /// And comes back.
    Reconnect(Slot),
    /// The session ends.
    LogOff(Slot),
    /// The machine loses its power.
    PowerLoss,
    /// And has it again.
    PowerOn,
}

/// Something that happens, when and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The hour.
    pub hour: f64,
    /// The machine: an index.
    pub machine: usize,
    /// What.
    pub act: Act,
}

/// How far into the played day an hour is, from 0 to 1: nights pass faster.
#[must_use]
pub fn share_of(hour: f64) -> f64 {
    let hour = hour.clamp(MORNING, NEXT_MORNING);
    if hour <= EVENING {
        (hour - MORNING) / (EVENING - MORNING) * SHARE_OF_DAY
    } else {
        SHARE_OF_DAY + (hour - EVENING) / (NEXT_MORNING - EVENING) * (1.0 - SHARE_OF_DAY)
    }
}

/// The users whose rules are tried each day, beside the people.
pub const RECEPTION: &str = "reception";
/// See [`RECEPTION`].
pub const BACKUP_SERVICE: &str = "svc-backup";
/// See [`RECEPTION`].
pub const CONTRACTOR: &str = "ext.novak";

/// These users, to be put behind the people.
#[must_use]
pub fn special_people() -> Vec<Person> {
    let person = |user: &str, display_name: &str, group: &str| Person {
        user: user.to_owned(),
        display_name: display_name.to_owned(),
        groups: vec![group.to_owned()],
    };
    vec![
        person(RECEPTION, "Front desk", "staff"),
        person(BACKUP_SERVICE, "Nightly backup job", "services"),
        person(CONTRACTOR, "Petr Novak (contractor)", "contractors"),
    ]
}

/// The zone that a plan is for.
#[derive(Debug, Clone, Copy)]
pub struct Zone<'a> {
    /// The machines.
    pub places: &'a [Place],
    /// The people, those of [`special_people`] last.
    pub people: &'a [Person],
}

impl Zone<'_> {
    fn of(&self, kind: Kind) -> Vec<usize> {
        self.places.iter().enumerate().filter(|(_, p)| p.kind == kind).map(|(index, _)| index).collect()
    }

    fn client(&self, machine: usize) -> (Option<String>, Option<String>) {
        self.places.get(machine).map_or((None, None), |p| (Some(p.name.clone()), Some(p.address.clone())))
    }
}

/// What happens on that day, by hour.
#[must_use]
pub fn plan(zone: Zone<'_>, seed: u64, day: u64) -> Vec<Step> {
    let specials = special_people().len();
    let ordinary = zone.people.len().saturating_sub(specials);
    let mut writer = Writer { zone, desks: zone.of(Kind::Workstation), steps: Vec::new(), next: day << 32 };
    for person in 0..ordinary {
        writer.person(person, &mut Dice::of(&[seed, 3, day, person as u64]));
    }
    let mut dice = Dice::of(&[seed, 4, day]);
    writer.reception(ordinary, &mut dice);
    writer.backup_service(ordinary + 1, &mut dice);
    writer.contractor(ordinary + 2, &mut dice);
    writer.power_loss(&mut dice);
    let mut steps = writer.steps;
    steps.sort_by(|a, b| a.hour.total_cmp(&b.hour));
    steps
}

struct Writer<'a> {
    zone: Zone<'a>,
    desks: Vec<usize>,
    steps: Vec<Step>,
    next: Slot,
}

/// A session that is being planned.
#[derive(Debug, Clone, Copy)]
struct Planned {
    slot: Slot,
    machine: usize,
}

impl Writer<'_> {
    fn add(&mut self, hour: f64, machine: usize, act: Act) {
        self.steps.push(Step { hour: hour.clamp(MORNING, NEXT_MORNING - 0.05), machine, act });
    }

    fn log_on(
        &mut self,
        hour: f64,
        person: usize,
        machine: usize,
        client: (Option<String>, Option<String>),
    ) -> Planned {
        self.next += 1;
        let slot = self.next;
        let session_type = match self.zone.places.get(machine).map(|p| p.kind) {
            Some(Kind::Terminal | Kind::Server) => SessionType::Terminal,
            Some(Kind::Vpn) => SessionType::Vpn,
            Some(Kind::Wifi) => SessionType::Wifi,
            Some(Kind::Web) => SessionType::Web,
            Some(Kind::Workstation) | None => SessionType::Workstation,
        };
        self.add(hour, machine, Act::LogOn { slot, person, session_type, client });
        Planned { slot, machine }
    }

    fn log_off(&mut self, hour: f64, session: Planned) {
        self.add(hour, session.machine, Act::LogOff(session.slot));
    }

    /// The screen is locked from `from` to `to`.
    fn away(&mut self, session: Planned, from: f64, to: f64) {
        self.add(from, session.machine, Act::Lock(session.slot));
        self.add(to, session.machine, Act::Unlock(session.slot));
    }

    fn gone(&mut self, session: Planned, from: f64, to: f64) {
        self.add(from, session.machine, Act::Disconnect(session.slot));
        self.add(to, session.machine, Act::Reconnect(session.slot));
    }

    fn desk_of(&self, person: usize) -> Option<usize> {
        self.desks.get(person).copied()
    }

    fn any(&self, kind: Kind, dice: &mut Dice) -> Option<usize> {
        dice.pick(&self.zone.of(kind)).copied()
    }

    fn person(&mut self, person: usize, dice: &mut Dice) {
        let arrives = dice.around(8.7, 1.0);
        let leaves = dice.around(17.3, 1.3);
        match (dice.unit(), self.desk_of(person)) {
            (p, _) if p < 0.06 => {}
            (p, Some(desk)) if p < 0.84 => self.office(person, desk, arrives, leaves, dice),
            _ => self.remote(person, arrives, leaves, dice),
        }
    }

    fn office(&mut self, person: usize, desk: usize, arrives: f64, leaves: f64, dice: &mut Dice) {
        let at_desk = self.log_on(arrives, person, desk, (None, None));
        let lunch = dice.around(12.3, 0.5);
        self.away(at_desk, lunch, lunch + dice.between(0.5, 0.9));
        for middle in [10.2, 14.7, 16.0] {
            let (from, pause) = (dice.around(middle, 0.5), dice.between(0.15, 0.4));
            if dice.chance(0.6) && from + pause < leaves {
                self.away(at_desk, from, from + pause);
            }
        }
        if dice.chance(0.45) {
            self.phone(person, arrives - 0.1, leaves + 0.1, dice);
        }
        self.web(person, arrives, leaves, dice);
        if dice.chance(0.4) {
            self.terminal(person, self.zone.client(desk), arrives + 0.4, leaves - 0.2, lunch, dice);
        }
        if person.is_multiple_of(13) {
            self.administrator(person, desk, arrives, leaves, dice);
        }
        if dice.chance(0.22) {
            self.wander(person, desk, dice);
        }
        if dice.chance(0.88) {
            self.log_off(leaves, at_desk);
        } else {
            // Forgotten, until the machine is switched off for the night.
            self.add(leaves, desk, Act::Lock(at_desk.slot));
            self.log_off(dice.between(27.0, 29.0), at_desk);
        }
    }

    /// Works at other people's machines too, which a limit of two allows once.
    fn wander(&mut self, person: usize, desk: usize, dice: &mut Dice) {
        let others: Vec<usize> = self.desks.iter().copied().filter(|d| *d != desk).collect();
        let at = dice.around(11.0, 2.0).max(10.0);
        let until = at + dice.between(0.6, 1.6);
        let Some(second) = dice.pick(&others).copied() else { return };
        let session = self.log_on(at, person, second, (None, None));
        self.log_off(until, session);
        if dice.chance(0.5) {
            let Some(third) = dice.pick(&others).copied().filter(|d| *d != second) else { return };
            let session = self.log_on(at + dice.between(0.2, 0.5), person, third, (None, None));
            self.log_off(until, session);
        }
    }

    fn phone(&mut self, person: usize, from: f64, until: f64, dice: &mut Dice) {
        let client = (None, Some(format!("10.61.{}.{}", person / 200, person % 200 + 20)));
        let mut at = from;
        while at + 0.1 < until {
            let Some(point) = self.any(Kind::Wifi, dice) else { return };
            let next = (at + dice.between(1.5, 5.0)).min(until);
            let session = self.log_on(at, person, point, client.clone());
            self.log_off(next - 0.02, session);
            at = next + 0.05;
        }
    }

    fn web(&mut self, person: usize, from: f64, until: f64, dice: &mut Dice) {
        for _ in 0..2 {
            if let Some(site) = self.any(Kind::Web, dice).filter(|_| dice.chance(0.5)) {
                let at = dice.between(from, (until - 1.0).max(from));
                let desk = self.desk_of(person).map_or((None, None), |d| self.zone.client(d));
                let session = self.log_on(at, person, site, desk);
                self.log_off(at + dice.between(0.3, 1.4), session);
            }
        }
    }

    fn terminal(
        &mut self,
        person: usize,
        client: (Option<String>, Option<String>),
        from: f64,
        until: f64,
        lunch: f64,
        dice: &mut Dice,
    ) {
        let Some(server) = self.any(Kind::Terminal, dice) else { return };
        let session = self.log_on(from, person, server, client);
        self.gone(session, lunch - 0.1, lunch + dice.between(0.6, 1.2));
        if dice.chance(0.3) {
            self.add(until, server, Act::Disconnect(session.slot));
            self.log_off(dice.between(20.0, 26.0), session);
        } else {
            self.log_off(until, session);
        }
    }

    fn administrator(&mut self, person: usize, desk: usize, from: f64, until: f64, dice: &mut Dice) {
        for _ in 0..4 {
            let Some(server) = self.any(Kind::Server, dice) else { return };
            let at = dice.between(from + 0.1, until - 0.8);
            let session = self.log_on(at, person, server, self.zone.client(desk));
            self.log_off(at + dice.between(0.2, 0.7), session);
        }
    }

    fn remote(&mut self, person: usize, arrives: f64, leaves: f64, dice: &mut Dice) {
        let home = (Some(format!("LT-{:04}", 300 + person)), Some(format!("203.0.113.{}", person % 250 + 2)));
        let lunch = dice.around(12.4, 0.5);
        if let Some(gateway) = self.any(Kind::Vpn, dice) {
            let vpn = self.log_on(arrives, person, gateway, home.clone());
            self.log_off(leaves + 0.1, vpn);
        }
        self.terminal(person, home, arrives + 0.15, leaves, lunch, dice);
        self.web(person, arrives + 0.3, leaves, dice);
    }

    /// One account that several people share, at one machine at a time.
    fn reception(&mut self, person: usize, dice: &mut Dice) {
        let Some((first, other)) = self.desks.first().copied().zip(self.desks.get(1).copied()) else { return };
        let session = self.log_on(dice.around(7.6, 0.1), person, first, (None, None));
        self.log_off(18.4, session);
        for middle in [9.6, 13.8] {
            let refused = self.log_on(dice.around(middle, 0.5), person, other, (None, None));
            self.log_off(18.0, refused);
        }
    }

    /// A job that overlaps with its next run now and then.
    fn backup_service(&mut self, person: usize, dice: &mut Dice) {
        let Some(site) = self.zone.of(Kind::Web).first().copied() else { return };
        let client = self.zone.of(Kind::Server).first().map_or((None, None), |server| self.zone.client(*server));
        let mut at = 8.1;
        while at < 30.0 {
            let session = self.log_on(at, person, site, client.clone());
            let slow = dice.chance(0.3);
            self.log_off(at + if slow { 2.6 } else { dice.between(0.4, 1.4) }, session);
            at += 2.0;
        }
    }

    fn contractor(&mut self, person: usize, dice: &mut Dice) {
        let home = (Some("NOVAK-NB".to_owned()), Some("198.51.100.77".to_owned()));
        if let Some(gateway) = self.any(Kind::Vpn, dice) {
            let refused = self.log_on(dice.around(9.3, 0.4), person, gateway, home.clone());
            self.log_off(18.0, refused);
        }
        if let Some(server) = self.any(Kind::Terminal, dice) {
            let session = self.log_on(dice.around(9.9, 0.3), person, server, home);
            self.log_off(dice.around(16.0, 0.5), session);
        }
    }

    /// A machine whose sessions nobody can confirm for a while.
    fn power_loss(&mut self, dice: &mut Dice) {
        let busy: Vec<usize> = self.desks.iter().copied().skip(2).collect();
        if let Some(desk) = dice.pick(&busy).copied() {
            let at = dice.around(10.4, 0.4);
            self.add(at, desk, Act::PowerLoss);
            self.add(at + 5.0, desk, Act::PowerOn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::demo::zone::names;

    fn planned(machines: usize, seed: u64, day: u64) -> Vec<Step> {
        let places = names::machines(machines, seed);
        let mut people = names::people(machines, seed);
        people.extend(special_people());
        plan(Zone { places: &places, people: &people }, seed, day)
    }

    #[test]
    fn the_same_seed_is_the_same_day_and_another_is_not() {
        assert_eq!(planned(40, 1, 0), planned(40, 1, 0));
        assert_ne!(planned(40, 1, 0), planned(40, 2, 0));
        assert_ne!(planned(40, 1, 0), planned(40, 1, 1));
    }

    #[test]
    fn every_session_ends_after_it_began_and_where_it_began() {
        for machines in [1, 2, 8, 40, 200] {
            let mut open = BTreeMap::new();
            for step in planned(machines, 5, 3) {
                assert!((MORNING..NEXT_MORNING).contains(&step.hour));
                assert!(step.machine < machines);
                match step.act {
                    Act::LogOn { slot, .. } => assert_eq!(open.insert(slot, step.machine), None),
                    Act::LogOff(slot) => assert_eq!(open.remove(&slot), Some(step.machine)),
                    Act::Lock(slot) | Act::Unlock(slot) | Act::Disconnect(slot) | Act::Reconnect(slot) => {
                        assert_eq!(open.get(&slot), Some(&step.machine), "at {}", step.hour);
                    }
                    Act::PowerLoss | Act::PowerOn => {}
                }
            }
            assert_eq!(open, BTreeMap::new());
        }
    }

    #[test]
    fn a_day_has_a_wave_in_the_morning_and_every_type_of_session() {
        let steps = planned(40, 1, 0);
        let logons = |from: f64, to: f64| {
            let within = |s: &&Step| (from..to).contains(&s.hour) && matches!(s.act, Act::LogOn { .. });
            steps.iter().filter(within).count()
        };
        assert!(logons(8.0, 10.0) > 2 * logons(14.0, 16.0));
        for wanted in SessionType::ALL {
            let of_type = |s: &Step| matches!(s.act, Act::LogOn { session_type, .. } if session_type == wanted);
            assert!(steps.iter().any(of_type), "{wanted:?}");
        }
    }

    #[test]
    fn time_only_goes_forward() {
        let shares: Vec<f64> = (0..=240).map(|n| share_of(MORNING + f64::from(n) / 10.0)).collect();
        assert!(shares.is_sorted() && shares.first() == Some(&0.0));
        assert!(shares.last().is_some_and(|last| (last - 1.0).abs() < 1e-9));
    }
}
