//! Who and what is in the played zone.

use std::collections::BTreeSet;

use super::dice::Dice;

/// What a machine is for, and so which type of session it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody's desk.
    Workstation,
    /// A terminal server.
    Terminal,
    /// A server that administrators log on to by ssh.
    Server,
    /// A VPN gateway.
    Vpn,
    /// A wireless access point.
    Wifi,
    /// A web application.
    Web,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name, as it is enrolled.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Its address.
    pub address: String,
}

/// Somebody who logs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user's name.
    pub user: String,
    /// The name for people.
    pub display_name: String,
    /// The groups.
    pub groups: Vec<String>,
}

const FIRST: [&str; 40] = [
    "Maja",
    "Amara",
    "Jonas",
    "Ingrid",
    "Tomasz",
    "Chidi",
    "Leila",
    "Pierre",
    "Sofia",
    "Hiroshi",
    "Anneli",
    "Marco",
    "Fatima",
    "Lars",
    "Priya",
    "Diego",
    "Katarzyna",
    "Samuel",
    "Noor",
    "Elena",
    "Viktor",
    "Aisha",
    "Bram",
    "Yuki",
    "Oskar",
    "Camille",
    "Rui",
    "Zofia",
    "Emre",
    "Linnea",
    "Kwame",
    "Hanna",
    "Mateo",
    "Greta",
    "Ivan",
    "Salma",
    "Nils",
    "Chiara",
    "Arjun",
    "Freja",
];
const LAST: [&str; 40] = [
    "Lindqvist",
    "Okafor",
    "Berg",
    "Solheim",
    "Kowalski",
    "Eze",
    "Haddad",
    "Moreau",
    "Rossi",
    "Tanaka",
    "Virtanen",
    "Bianchi",
    "Khoury",
    "Nygaard",
    "Sharma",
    "Fernandez",
    "Nowak",
    "Adeyemi",
    "Rahman",
    "Petrova",
    "Horvat",
    "Diallo",
    "Jansen",
    "Sato",
    "Ekman",
    "Dubois",
    "Teixeira",
    "Wrona",
    "Yilmaz",
    "Strand",
    "Mensah",
    "Keller",
    "Vargas",
    "Hoffmann",
    "Dragan",
    "Aziz",
    "Holm",
    "Conti",
    "Patel",
    "Dahl",
];
const DEPARTMENTS: [&str; 6] = ["finance", "engineering", "sales", "support", "people", "logistics"];

/// The machines, in the order in which they are enrolled: desks first.
#[must_use]
pub fn machines(count: usize, seed: u64) -> Vec<Place> {
    let share = |of_forty: usize| (count * of_forty).div_ceil(40);
    let (servers, gateways) = if count < 8 { (0, 0) } else { (1, 1) };
    let others = [
        (Kind::Terminal, if count > 1 { share(2) } else { 0 }),
        (Kind::Vpn, share(2) * gateways),
        (Kind::Wifi, share(3) * gateways),
        (Kind::Server, share(2) * servers),
        (Kind::Web, share(1) * servers),
    ];
    let desks = count.saturating_sub(others.iter().map(|(_, n)| n).sum());
    let mut dice = Dice::of(&[seed, 1]);
    let mut number = 100;
    let mut places = Vec::with_capacity(count);
    for index in 0..desks {
        // Machines were bought and thrown away over the years: their numbers have gaps.
        number += 1 + usize::from(dice.chance(0.35)) + usize::from(dice.chance(0.1)) * 7;
        places.push(place(format!("PC-{number:04}"), Kind::Workstation, index));
    }
    for (kind, n) in others {
        for index in 0..n {
            places.push(place(name_of(kind, index), kind, index));
        }
    }
    places
}

fn name_of(kind: Kind, index: usize) -> String {
    const SERVERS: [&str; 4] = ["db", "app", "file", "build"];
    const SITES: [&str; 3] = ["portal", "webmail", "wiki"];
    let cycle = |names: &[&str]| names.get(index % names.len().max(1)).copied().unwrap_or("x").to_owned();
    let again = |name: String, cycle: usize| if index < cycle { name } else { format!("{name}{}", index / cycle + 1) };
    match kind {
        Kind::Workstation => format!("PC-{index:04}"),
        Kind::Terminal => format!("rds-{:02}", index + 1),
        Kind::Vpn => format!("vpn-gw{}", index + 1),
        Kind::Wifi => format!("ap-{}f-{:02}", index % 4 + 1, 12 + index / 4),
        Kind::Server => format!("srv-{}{}", cycle(&SERVERS), index / SERVERS.len() + 1),
        Kind::Web => again(cycle(&SITES), SITES.len()),
    }
}

fn place(name: String, kind: Kind, index: usize) -> Place {
    let net = match kind {
        Kind::Workstation => 20,
        Kind::Terminal => 30,
        Kind::Server => 40,
        Kind::Vpn => 50,
        Kind::Wifi => 60,
        Kind::Web => 70,
    };
    Place { name, kind, address: format!("10.{net}.{}.{}", index / 200, index % 200 + 20) }
}

/// The people who have a desk, and some who have none.
#[must_use]
pub fn people(count: usize, seed: u64) -> Vec<Person> {
    let mut dice = Dice::of(&[seed, 2]);
    let mut taken = BTreeSet::new();
    let mut people = Vec::with_capacity(count);
    for index in 0..count {
        let first = FIRST.get(index % FIRST.len()).copied().unwrap_or("Alex");
        // With each turn through the first names the last ones move on by one.
        let last = LAST.get((index + index / FIRST.len()) % LAST.len()).copied().unwrap_or("Doe");
        let initial = first.chars().next().unwrap_or('x');
        let plain = format!("{initial}.{last}").to_lowercase();
        let user =
            (1..).map(|n| if n == 1 { plain.clone() } else { format!("{plain}{n}") }).find(|u| !taken.contains(u));
        let user = user.unwrap_or(plain);
        taken.insert(user.clone());
        let department = dice.pick(&DEPARTMENTS).copied().unwrap_or("sales");
        people.push(Person {
            user,
            display_name: format!("{first} {last}"),
            groups: vec!["staff".to_owned(), department.to_owned()],
        });
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_the_number_is_right() {
        for count in [1, 2, 7, 8, 40, 400, 2000] {
            let machines = machines(count, 7);
            let names: BTreeSet<String> = machines.iter().map(|m| m.name.to_lowercase()).collect();
            assert_eq!((machines.len(), names.len()), (count, count));
            let addresses: BTreeSet<&String> = machines.iter().map(|m| &m.address).collect();
            assert_eq!(addresses.len(), count);
            assert_eq!(machines.first().map(|m| m.kind), Some(Kind::Workstation), "{count}");
        }
        let users: BTreeSet<String> = people(3000, 7).into_iter().map(|p| p.user).collect();
        assert_eq!(users.len(), 3000);
        assert!(users.contains("m.lindqvist") && users.contains("a.okafor"));
    }

    #[test]
    fn forty_machines_have_all_kinds() {
        let machines = machines(40, 1);
        for kind in [Kind::Workstation, Kind::Terminal, Kind::Server, Kind::Vpn, Kind::Wifi, Kind::Web] {
            assert!(machines.iter().any(|m| m.kind == kind), "{kind:?}");
        }
    }
}
