//! What the machine knows of a user: groups and the name for people.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{process::Command, sync::Semaphore, time::timeout};
use userlock_core::event::{MAX_GROUPS, MAX_NAME_BYTES};

/// How long a logon waits for the machine's directory to tell a user's groups.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same while the directory has lately kept several waiting, one after another, and told of nobody.
const SHORT_PATIENCE: Duration = Duration::from_millis(25);
/// How many that is.
const SLOW_TIMES: u32 = 2;
/// How long an answer is good for without asking again.
const FRESH: Duration = Duration::from_secs(60);
/// How long a failure is remembered: so long a user is not asked about again, and the others are waited for less.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// When a question that nobody waits for any more is ended.
const GIVE_UP: Duration = Duration::from_secs(10);
/// The most questions at once.
const MAX_ASKED: usize = 32;
/// The most users that are remembered.
const MAX_KNOWN: usize = 1024;

/// Users' groups. An answer is good for a minute; when there is no newer one, the last holds, however old.
#[derive(Debug)]
pub struct Accounts {
    book: Arc<Mutex<Book>>,
    asked: Arc<Semaphore>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { book: Arc::default(), asked: Arc::new(Semaphore::new(MAX_ASKED)) }
    }
}

/// What the directory told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// All of a user's groups.
    All(Vec<String>),
    /// Those that it could name.
    Some(Vec<String>),
}

#[derive(Debug, Default)]
struct Book {
    known: BTreeMap<String, (Instant, Vec<String>)>,
    /// Whom the directory failed to tell of, when, and what it told all the same.
    failed: BTreeMap<String, (Instant, Vec<String>)>,
    /// When it last kept somebody waiting, and how many since it last told of anybody.
    slow: Option<(Instant, u32)>,
    /// The users of whom it was said that their groups are not known.
    said: BTreeSet<String>,
}

impl Book {
    fn known(&self, user: &str, now: Instant, limit: Duration) -> Option<Vec<String>> {
        let (at, groups) = self.known.get(user)?;
        (now.saturating_duration_since(*at) < limit).then(|| groups.clone())
    }

    fn failed_lately(&self, user: &str, now: Instant) -> Option<Vec<String>> {
        let (at, some) = self.failed.get(user)?;
        (now.saturating_duration_since(*at) < FAILED_FOR).then(|| some.clone())
    }

    fn patience(&self, now: Instant) -> Duration {
        let lately = |at: Instant| now.saturating_duration_since(at) < FAILED_FOR;
        let slow = self.slow.is_some_and(|(at, times)| times >= SLOW_TIMES && lately(at));
        if slow { SHORT_PATIENCE } else { PATIENCE }
    }

    fn told(&mut self, user: &str, groups: Vec<String>, now: Instant) {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(user) {
            let oldest = self.known.iter().min_by_key(|(_, (at, _))| *at).map(|(user, _)| user.clone());
            oldest.and_then(|user| self.known.remove(&user));
        }
        self.known.insert(user.to_owned(), (now, groups));
        self.failed.remove(user);
        self.slow = None;
        if self.said.remove(user) {
            tracing::info!(user, "the groups of a user are known again");
        }
    }

    /// The directory failed to tell of this user. The groups that are used instead.
    fn failed(&mut self, user: &str, why: &str, some: Vec<String>, now: Instant) -> Vec<String> {
        self.failed.retain(|_, (at, _)| now.saturating_duration_since(*at) < FAILED_FOR);
        if self.failed.len() < MAX_KNOWN {
            self.failed.insert(user.to_owned(), (now, some.clone()));
        }
        self.without_answer(user, why, some, now)
    }

    fn without_answer(&mut self, user: &str, why: &str, some: Vec<String>, now: Instant) -> Vec<String> {
        // Said once for each user, until the directory tells of that user again.
        if self.said.len() >= MAX_KNOWN {
            self.said.clear();
        }
        let news = self.said.insert(user.to_owned());
        if let Some((at, groups)) = self.known.get(user) {
            let age_s = now.saturating_duration_since(*at).as_secs();
            if news {
                tracing::warn!(user, why, age_s, "the groups of a user are not told: the last known ones are used");
            }
            return groups.clone();
        }
        if news && some.is_empty() {
            tracing::warn!(user, why, "the groups of a user are not known: rules on groups do not apply to the logon");
        } else if news {
            tracing::warn!(user, why, groups = ?some, "only these groups of a user are known: rules on others do not apply");
        }
        some
    }
}

impl Accounts {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// The groups of a user, by `id`, which asks whatever directory the machine is set up to use. Waits no longer than
    /// `limit`, and a quarter of a second; without an answer these are the last known ones, or none.
    pub async fn groups(&self, user: &str, limit: Duration) -> Vec<String> {
        self.groups_by(user, limit, groups_by_id(user.to_owned())).await
    }

    async fn groups_by(
        &self,
        user: &str,
        limit: Duration,
        question: impl Future<Output = io::Result<Told>> + Send + 'static,
    ) -> Vec<String> {
        let now = Instant::now();
        let patience = {
            let mut book = self.book();
            if let Some(groups) = book.known(user, now, FRESH) {
                return groups;
            }
            if let Some(some) = book.failed_lately(user, now) {
                return book.without_answer(user, "it failed a moment ago", some, now);
            }
            book.patience(now).min(limit)
        };
        // The question goes on when nobody waits any more, so that a slow answer serves the next logon.
        let (book, name) = (Arc::clone(&self.book), user.to_owned());
        let asked = Arc::clone(&self.asked);
        let question = async move {
            let result = timeout(GIVE_UP, question).await;
            let now = Instant::now();
            let mut book = lock(&book);
            match result {
                Ok(Ok(Told::All(groups))) => {
                    book.told(&name, groups.clone(), now);
                    groups
                }
                Ok(Ok(Told::Some(groups))) => book.failed(&name, "not every group has a name", groups, now),
                Ok(Err(error)) => book.failed(&name, &error.to_string(), Vec::new(), now),
                Err(_) => book.failed(&name, "no answer", Vec::new(), now),
            }
        };
        let answer = async {
            // The semaphore is never closed.
            let permit = asked.acquire_owned().await.ok();
            tokio::spawn(async move {
                let groups = question.await;
                drop(permit);
                groups
            })
            .await
        };
        match timeout(patience, answer).await {
            Ok(Ok(groups)) => groups,
            Ok(Err(error)) => self.book().failed(user, &error.to_string(), Vec::new(), Instant::now()),
            Err(_) => {
                let now = Instant::now();
                let mut book = self.book();
                let times = book.slow.map_or(0, |(_, times)| times).saturating_add(1);
                book.slow = Some((now, times));
                book.failed(user, "no answer in time", Vec::new(), now)
            }
        }
    }

    /// The name for people, from the machine's own file of users.
    #[must_use]
    pub fn display_name(user: &str) -> Option<String> {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        display_name_in(&users, user)
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn groups_by_id(user: String) -> io::Result<Told> {
    let mut command = Command::new("id");
    command.args(["-Gnz", "--", &user]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let fits = |name: &&str| !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
    let groups: Vec<String> = text.split('\0').filter(fits).take(MAX_GROUPS).map(str::to_owned).collect();
    match (output.status.success(), groups.is_empty()) {
        (true, _) => Ok(Told::All(groups)),
        // A group that has a number and no name makes `id` fail after it has told the others.
        (false, false) => Ok(Told::Some(groups)),
        (false, true) => Err(io::Error::other(format!("id: {}", output.status))),
    }
}

fn display_name_in(users: &str, user: &str) -> Option<String> {
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let name = line.split(':').nth(4)?.split(',').next()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
