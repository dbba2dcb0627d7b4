//! What the machine knows of a user: groups and the name for people.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{process::Command, time::timeout};
use userlock_core::event::{MAX_GROUPS, MAX_NAME_BYTES};

/// How long the machine's directory may take to tell a user's groups. Without an answer the logon is asked about without them.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(60);
/// The most users that are remembered.
const MAX_KNOWN: usize = 1024;

/// Users' groups, remembered for a minute.
#[derive(Debug, Default)]
pub struct Accounts {
    known: Mutex<BTreeMap<String, (Instant, Vec<String>)>>,
}

impl Accounts {
    /// The groups of a user, by `id`, which asks whatever directory the machine is set up to use.
    pub async fn groups(&self, user: &str) -> Vec<String> {
        let known = |known: &BTreeMap<String, (Instant, Vec<String>)>| {
            known.get(user).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, groups)| groups.clone())
        };
        if let Some(groups) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return groups;
        }
        let groups = match timeout(PATIENCE, groups_by_id(user)).await {
            Ok(Ok(groups)) => groups,
            Ok(Err(error)) => {
                tracing::warn!(user, %error, "the groups of a user are not known");
                return Vec::new();
            }
            Err(_) => {
                tracing::warn!(user, "the groups of a user were not told in time");
                return Vec::new();
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(user.to_owned(), (Instant::now(), groups.clone()));
        groups
    }

    /// The name for people, from the machine's own file of users.
    #[must_use]
    pub fn display_name(user: &str) -> Option<String> {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        display_name_in(&users, user)
    }
}

async fn groups_by_id(user: &str) -> std::io::Result<Vec<String>> {
    let mut command = Command::new("id");
    command.args(["-Gnz", "--", user]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await?;
    if !output.status.success() {
        return Err(std::io::Error::other(format!("id: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let fits = |name: &&str| !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
    Ok(text.split('\0').filter(fits).take(MAX_GROUPS).map(str::to_owned).collect())
}

fn display_name_in(users: &str, user: &str) -> Option<String> {
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let name = line.split(':').nth(4)?.split(',').next()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_for_people_is_the_first_part_of_the_comment() {
        let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1:1:Alice Liddell,Room 7,,:/home/alice:/bin/sh\nbob:x:2:2::/:/bin/sh\n";
        assert_eq!(display_name_in(users, "alice").as_deref(), Some("Alice Liddell"));
        assert_eq!((display_name_in(users, "bob"), display_name_in(users, "ali")), (None, None));
    }

    #[tokio::test]
    async fn groups_are_those_of_the_machine_and_an_unknown_user_has_none() {
        let accounts = Accounts::default();
        assert!(accounts.groups("root").await.contains(&"root".to_owned()));
        assert!(accounts.groups("--version").await.is_empty(), "a name is never an option");
        assert!(accounts.groups("no such user").await.is_empty());
    }
}
