//! What somebody would do to themselves or to the Backup by a change of accounts and roles: the pages say it and ask for a
//! tick. Programs are not asked.

use serde_json::{Map, Value};
use userlock_core::api::SecuritySection;

use super::{check, group};
use crate::{
    api::{Caller, problem},
    ports::SharedPorts,
    sheet::Group,
    sheets::{Outcome, spec::Given},
};

/// The field that is ticked.
const TICK: &str = "know";

/// The accounts that are not to be lost unawares.
pub struct Precious {
    /// The one that who asks is signed in with.
    own: Option<String>,
    /// The Backup's service account, and the Backup's name.
    service: Option<(String, String)>,
}

/// What would be lost.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Harm {
    own: bool,
    service: bool,
}

impl Precious {
    /// Those of this server and of who asks.
    pub fn of(ports: &SharedPorts, caller: &Caller) -> Self {
        Self { own: caller.sign_in.map(|_| caller.name.clone()), service: ports.service_account() }
    }

    /// What is at stake with any of these accounts.
    fn at_stake<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> Harm {
        let (mut own, mut service) = (false, false);
        for name in &mut names {
            own |= self.own.as_deref() == Some(name);
            service |= self.service.as_ref().is_some_and(|(account, _)| account == name);
        }
        Harm { own, service }
    }

    /// What a change does.
    fn harm(&self, before: &SecuritySection, after: &SecuritySection) -> Harm {
        let dethroned = |name: &str| before.is_administrator(name) && !after.is_administrator(name);
        let may_sign_in = |name: &str| after.accounts.iter().any(|account| account.name == name && !account.disabled);
        let loses = |name: &str| !after.rights_of(name).cover(before.rights_of(name));
        Harm {
            own: self.own.as_deref().is_some_and(|name| !may_sign_in(name) || loses(name)),
            service: self.service.as_ref().is_some_and(|(name, _)| dethroned(name)),
        }
    }

    /// What will happen, in words.
    fn consequences(&self, harm: Harm) -> String {
        let own = self.own.as_ref().filter(|_| harm.own).map(|name| {
            format!("You are signed in with the account {name}. Deleted or disabled, it ends your sign-ins at once. A right that you lose you cannot give back to yourself: nobody gives more than they have.")
        });
        let service = self.service.as_ref().filter(|_| harm.service).map(|(account, backup)| {
            let backup = if backup.is_empty() { "the Backup".to_owned() } else { format!("the Backup {backup}") };
            format!("The account {account} is the service account of {backup}. Deleted, disabled, or without the role administrator, it makes the next synchronization fail (event 1206), and the Backup falls behind until the account is an administrator again.")
        });
        own.into_iter().chain(service).collect::<Vec<_>>().join(" ")
    }

    /// What the page of these accounts says and asks; nothing where none of them is precious.
    pub fn asked<'a>(&self, names: impl Iterator<Item = &'a str>, help: &str) -> Option<Group> {
        let harm = self.at_stake(names);
        let meaning = tick(harm)?;
        let mut tick = check(TICK, "Confirmation", meaning, false);
        tick.help = help.into();
        Some(group("What depends on this", &self.consequences(harm), vec![tick]))
    }

    /// Refuses a change that does harm and was not confirmed.
    ///
    /// # Errors
    /// 422 with the field that was not ticked.
    pub fn confirmed(&self, before: &Value, after: &Map<String, Value>, given: &Given) -> Outcome<()> {
        let read = |section: Value| serde_json::from_value::<SecuritySection>(section);
        // What cannot be read is refused for that reason.
        let (Ok(before), Ok(after)) = (read(before.clone()), read(after.clone().into())) else { return Ok(()) };
        let harm = self.harm(&before, &after);
        match tick(harm) {
            Some(meaning) if !given.contains_key(TICK) => {
                let consequences = self.consequences(harm);
                let detail = format!("{consequences} Tick \u{201c}{meaning}\u{201d} to do it. Nothing was changed.");
                let mut problem = problem(422, "not_confirmed", "This needs your confirmation", &detail);
                problem.field = Some(TICK.to_owned());
                Err(problem)
            }
            _ => Ok(()),
        }
    }
}

/// What is ticked.
fn tick(harm: Harm) -> Option<&'static str> {
    match (harm.own, harm.service) {
        (true, true) => Some("I know that I take rights from myself, and that the Backup cannot synchronize then"),
        (true, false) => Some("I know that I take rights from myself"),
        (false, true) => Some("I know that the Backup cannot synchronize then"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn section() -> Value {
        let account = |name: &str, roles: &[&str]| json!({ "name": name, "roles": roles, "disabled": false });
        json!({
            "session_minutes": 60,
            "accounts": [
                account("admin", &["administrator"]), account("me", &["administrator", "desk"]),
                account("spare", &["administrator"]), account("guard", &["people"]),
            ],
            "roles": [{ "name": "desk", "rights": {} }, { "name": "people", "rights": { "security": "write" } }],
            "tokens": [],
        })
    }

    fn refused(own: &str, change: impl Fn(&mut Value)) -> Option<String> {
        let precious = Precious { own: Some(own.into()), service: Some(("spare".into(), "b".into())) };
        let mut after = section();
        change(&mut after);
        let (after, mut given) = (after.as_object().unwrap().clone(), Given::new());
        let refused = precious.confirmed(&section(), &after, &given).err();
        given.insert(TICK.into(), "true".into());
        assert!(precious.confirmed(&section(), &after, &given).is_ok(), "it was confirmed");
        refused.map(|problem| {
            assert_eq!((problem.status, problem.field.as_deref()), (422, Some(TICK)));
            problem.detail
        })
    }

    #[test]
    fn harm_is_found_however_it_is_done() {
        let own =
            |change: &dyn Fn(&mut Value)| refused("me", change).is_some_and(|told| told.contains("signed in with"));
        assert!(own(&|s| s["accounts"][1]["disabled"] = json!(true)));
        assert!(own(&|s| _ = s["accounts"].as_array_mut().unwrap().remove(1)));
        assert!(own(&|s| s["accounts"][1]["roles"] = json!(["desk"])));
        assert!(own(&|s| s["roles"][0]["rights"] = json!({ "log": "deny" })), "a role that one has denies");
        // Who is no administrator has something to lose as well.
        let guard = |change: &dyn Fn(&mut Value)| refused("guard", change).is_some();
        assert!(guard(&|s| s["accounts"][3]["disabled"] = json!(true)), "out");
        assert!(guard(&|s| s["accounts"][3]["roles"] = json!(["read_only"])), "another role");
        assert!(guard(&|s| s["roles"][1]["rights"] = json!({ "security": "read" })), "its role gives less");
        assert!(!guard(&|s| s["accounts"][3]["roles"] = json!(["people", "desk"])), "a role more");
        let service = |change: &dyn Fn(&mut Value)| refused("me", change).is_some_and(|told| told.contains("1206"));
        assert!(service(&|s| s["accounts"][2]["disabled"] = json!(true)));
        assert!(service(&|s| _ = s["accounts"].as_array_mut().unwrap().remove(2)));
        assert!(service(&|s| s["accounts"][2]["roles"] = json!(["operator"])));
        for harmless in [
            &(|_: &mut Value| ()) as &dyn Fn(&mut Value),
            &|s| s["session_minutes"] = json!(5),
            &|s| s["accounts"][0]["disabled"] = json!(true),
            &|s| s["accounts"][1]["roles"] = json!(["administrator"]),
            &|s| s["accounts"][1]["password"] = json!("correct-horse"),
        ] {
            assert_eq!(refused("me", harmless), None);
        }
    }

    #[test]
    fn only_the_page_of_a_precious_account_asks() {
        let precious = Precious { own: Some("me".into()), service: Some(("spare".into(), String::new())) };
        let asked = |name: &str| precious.asked([name].into_iter(), "").map(|group| group.note);
        assert!(asked("me").unwrap().contains("signed in") && asked("spare").unwrap().contains("1206"));
        assert_eq!(asked("admin"), None);
        let none = Precious { own: None, service: None };
        assert!(none.asked(["me"].into_iter(), "").is_none());
    }
}
