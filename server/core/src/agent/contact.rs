//! Whom an agent asks, in which order and for how long: the Primary first, the Backup when the Primary fails or
//! takes too long, and back to the Primary only when it has proved itself. All times are milliseconds on a clock
//! that only goes forward, and come in as arguments.

use crate::agent_api::AgentSettings;

/// How long after a failure, and between two probes, a failed server is asked how it is, while another one answers.
pub const PROBE_EVERY_MS: u64 = 10_000;
/// The same when no server answers: then the first sign of life is used at once.
pub const PROBE_ALONE_MS: u64 = 1_000;
/// How many good probes in a row lead back to a server that failed.
pub const GOOD_PROBES: u8 = 3;

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Health {
    /// The name by which it is told from others: its address.
    name: String,
    /// Absent while it answers.
    failed: Option<Failed>,
}

/// A server that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    why: String,
    good: u8,
    next_probe: u64,
}

/// The servers of the zone as one agent knows them, the preferred first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    servers: Vec<Health>,
}

impl Contact {
    /// All servers are thought good until they fail. `names` has the preferred first.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        let good = |name: &String| Health { name: name.clone(), failed: None };
        Self { servers: names.iter().map(good).collect() }
    }

    /// The zone's servers are now these, the preferred first. What was known of those that stay is kept.
    pub fn update(&mut self, names: &[String]) {
        let known = std::mem::take(&mut self.servers);
        let failed = |name: &String| known.iter().find(|h| h.name == *name).and_then(|h| h.failed.clone());
        self.servers = names.iter().map(|name| Health { name: name.clone(), failed: failed(name) }).collect();
    }

    /// How many servers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether there is no server at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The server that is used: the first that has not failed; when all have, the preferred.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.servers.iter().position(|h| h.failed.is_none()).unwrap_or(0)
    }

    /// Whether no server answers.
    #[must_use]
    pub fn alone(&self) -> bool {
        self.servers.iter().all(|h| h.failed.is_some())
    }

    /// Whether this server answers, as far as is known.
    #[must_use]
    pub fn is_good(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|h| h.failed.is_none())
    }

    /// The failure of this server, if it failed.
    #[must_use]
    pub fn failure(&self, server: usize) -> Option<&str> {
        Some(self.servers.get(server)?.failed.as_ref()?.why.as_str())
    }

    /// Why the agent is at this server: `preferred`, or the failures of those that it prefers.
    #[must_use]
    pub fn why(&self, server: usize) -> String {
        let before = self.servers.iter().take(server);
        let told: Vec<String> =
            before.filter_map(|h| Some(format!("{}: {}", h.name, h.failed.as_ref()?.why))).collect();
        if told.is_empty() { "preferred".into() } else { told.join("; ") }
    }

    /// A request to this server failed. `jitter` (ms) is added before it is probed. Whether this is news.
    pub fn failed(&mut self, server: usize, why: &str, now: u64, jitter: u64) -> bool {
        let Some(health) = self.servers.get_mut(server) else { return false };
        let news = health.failed.is_none();
        // A failure while it is already counted as failed only takes back its good probes: the time of the next
        // probe stands, lest a busy agent put it off for ever.
        let next_probe = match &health.failed {
            Some(failed) => failed.next_probe,
            None => now.saturating_add(PROBE_EVERY_MS).saturating_add(jitter),
        };
        health.failed = Some(Failed { why: why.to_owned(), good: 0, next_probe });
        self.hurry(now, jitter);
        news
    }

    /// A request to this server was answered in earnest. Whether it is used again because of that.
    ///
    /// While another server is good, this alone does not lead back: probes do.
    pub fn answered(&mut self, server: usize) -> bool {
        let alone = self.alone();
        match self.servers.get_mut(server) {
            Some(health) if alone => health.failed.take().is_some(),
            _ => false,
        }
    }

    /// The servers that are to be probed now.
    #[must_use]
    pub fn due(&self, now: u64) -> Vec<usize> {
        let due = |h: &Health| h.failed.as_ref().is_some_and(|f| f.next_probe <= now);
        self.servers.iter().enumerate().filter(|(_, h)| due(h)).map(|(server, _)| server).collect()
    }

    /// When the next probe is due; absent when none has failed.
    #[must_use]
    pub fn next_probe(&self) -> Option<u64> {
        self.servers.iter().filter_map(|h| Some(h.failed.as_ref()?.next_probe)).min()
    }

    /// A probe was answered well (`Ok`) or not. Whether the server counts as good again because of that.
    pub fn probed(&mut self, server: usize, result: Result<(), &str>, now: u64, jitter: u64) -> bool {
        let alone = self.alone();
        let pause = if alone { PROBE_ALONE_MS } else { PROBE_EVERY_MS };
        let Some(health) = self.servers.get_mut(server) else { return false };
        let Some(failed) = &mut health.failed else { return false };
        failed.next_probe = now.saturating_add(pause).saturating_add(jitter);
        match result {
            Ok(()) => failed.good = failed.good.saturating_add(1),
            Err(why) => {
                failed.good = 0;
                why.clone_into(&mut failed.why);
            }
        }
        let back = result.is_ok() && (alone || failed.good >= GOOD_PROBES);
        if back {
            health.failed = None;
        }
        back
    }

    /// When no server answers, all are probed soon.
    fn hurry(&mut self, now: u64, jitter: u64) {
        if self.alone() {
            let soon = now.saturating_add(PROBE_ALONE_MS).saturating_add(jitter);
            for failed in self.servers.iter_mut().filter_map(|h| h.failed.as_mut()) {
                failed.next_probe = failed.next_probe.min(soon);
            }
        }
    }

    /// The order in which the servers are asked: the good ones as preferred, then those that failed.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let all = || self.servers.iter().enumerate();
        let good = all().filter(|(_, h)| h.failed.is_none());
        good.chain(all().filter(|(_, h)| h.failed.is_some())).map(|(server, _)| server).collect()
    }
}

/// The limits of one question, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After how long without an answer the next server is asked too.
    pub ask_next_after: u64,
    /// After how long nobody is waited for any more.
    pub give_up_after: u64,
}

impl From<&AgentSettings> for Patience {
    fn from(settings: &AgentSettings) -> Self {
        Self { ask_next_after: settings.ask_backup_after_ms.into(), give_up_after: settings.give_up_after_ms.into() }
    }
}

/// How a server failed a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be reached, or broke off, or does not know us.
    Unreachable,
    /// It is there, but not in a state to answer anything but a last resort.
    NotServing,
}

/// What became of one server in one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    Waiting { since: u64, last_resort: bool },
    Failed(Failure, bool),
}

/// What is to be done about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask this server; `last_resort` tells it that the others failed.
    Send {
        /// Which.
        server: usize,
        /// Whether it must answer in every state.
        last_resort: bool,
    },
    /// Nobody will answer: the offline policy decides.
    GiveUp,
}

/// One question to the servers, until the first answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// In the order in which they are asked; whether each was known as failed before.
    servers: Vec<(usize, bool, Asked)>,
    started: u64,
    /// The time of the last input.
    now: u64,
    patience: Patience,
    over: bool,
}

impl Ask {
    /// Begins a question now. The steps are to be taken at once.
    #[must_use]
    pub fn start(contact: &Contact, patience: Patience, now: u64) -> (Self, Vec<Step>) {
        let servers = contact.order().into_iter().map(|s| (s, !contact.is_good(s), Asked::No)).collect();
        let mut ask = Self { servers, started: now, now, patience, over: false };
        let steps = ask.tick(now);
        (ask, steps)
    }

    /// A server failed. The steps are to be taken at once.
    pub fn failed(&mut self, server: usize, failure: Failure, now: u64) -> Vec<Step> {
        if let Some((_, _, asked)) = self.servers.iter_mut().find(|(s, ..)| *s == server) {
            let last_resort = matches!(asked, Asked::Waiting { last_resort: true, .. });
            *asked = Asked::Failed(failure, last_resort);
        }
        self.tick(now)
    }

    /// Time has passed. The steps are to be taken at once.
    pub fn tick(&mut self, now: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        self.now = now;
        if self.over {
            return steps;
        }
        if now >= self.started.saturating_add(self.patience.give_up_after) {
            self.over = true;
            return vec![Step::GiveUp];
        }
        while let Some(step) = self.next(now) {
            steps.push(step);
            if step == Step::GiveUp {
                self.over = true;
                break;
            }
        }
        steps
    }

    /// The next thing to do now, if any; it counts as done.
    fn next(&mut self, now: u64) -> Option<Step> {
        let patience = self.patience.ask_next_after;
        let hopeful = |asked: &Asked| match asked {
            Asked::Waiting { since, .. } => now < since.saturating_add(patience),
            _ => false,
        };
        // Nobody is asked as long as somebody who was asked and has not failed before may still answer in time.
        if self.servers.iter().any(|(_, known_bad, asked)| !known_bad && hopeful(asked)) {
            return None;
        }
        if let Some(place) = self.servers.iter().position(|(_, _, asked)| *asked == Asked::No) {
            return self.send(place, now);
        }
        // Everybody was asked. Who only declined must answer when all the others have failed.
        let declined = |(_, _, asked): &(usize, bool, Asked)| *asked == Asked::Failed(Failure::NotServing, false);
        if let Some(place) = self.servers.iter().position(declined) {
            if self.others_failed(place) {
                return self.send(place, now);
            }
            return None;
        }
        let waiting = self.servers.iter().any(|(_, _, asked)| matches!(asked, Asked::Waiting { .. }));
        if waiting { None } else { Some(Step::GiveUp) }
    }

    fn send(&mut self, place: usize, now: u64) -> Option<Step> {
        let last_resort = self.others_failed(place);
        let (server, _, asked) = self.servers.get_mut(place)?;
        *asked = Asked::Waiting { since: now, last_resort };
        Some(Step::Send { server: *server, last_resort })
    }

    /// Whether all servers but this one failed: in this question, or before it and not heard of since. One that has
    /// said nothing when half of the time is over counts as failed too.
    fn others_failed(&self, place: usize) -> bool {
        let hung = self.now >= self.half_time();
        let mut others = self.servers.iter().enumerate().filter(|(other, _)| *other != place);
        others.all(|(_, (_, known_bad, asked))| match asked {
            Asked::Failed(..) => true,
            Asked::Waiting { .. } => hung || *known_bad,
            Asked::No => *known_bad,
        })
    }

    fn half_time(&self) -> u64 {
        self.started.saturating_add(self.patience.give_up_after / 2)
    }

    /// When to call [`Self::tick`] again if nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> u64 {
        let end = self.started.saturating_add(self.patience.give_up_after);
        let patience = self.patience.ask_next_after;
        let unasked = self.servers.iter().any(|(_, _, asked)| *asked == Asked::No);
        let next = self.servers.iter().filter_map(|(_, _, asked)| match asked {
            Asked::Waiting { since, .. } if unasked => Some(since.saturating_add(patience)),
            _ => None,
        });
        let declined = |(_, _, asked): &(usize, bool, Asked)| *asked == Asked::Failed(Failure::NotServing, false);
        let half = (self.now < self.half_time() && self.servers.iter().any(declined)).then(|| self.half_time());
        next.max().into_iter().chain(half).min().map_or(end, |at| at.min(end))
    }

    /// The servers that were asked and have kept us waiting for longer than is patient: they count as failed.
    #[must_use]
    pub fn overdue(&self, now: u64) -> Vec<usize> {
        let patience = self.patience.ask_next_after;
        let late =
            |asked: &Asked| matches!(asked, Asked::Waiting { since, .. } if now >= since.saturating_add(patience));
        self.servers.iter().filter(|(_, _, asked)| late(asked)).map(|(server, ..)| *server).collect()
    }
}

#[cfg(test)]
#[path = "contact_tests.rs"]
mod tests;
