//! The Backup's side of the pair: it starts every exchange, the Primary only answers.

mod client;
mod error;
mod events;
mod follow;
mod heartbeat;
mod reconcile;
mod runs;
mod sessions;
mod tail;
mod test;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use userlock_core::{
    agent_api::{DecisionRequest, DecisionResponse},
    api::{RunStarted, RunView, SyncKind, SynchronizationView, TestReport},
    id::{LogId, OriginId, RunId},
    pair::FORWARD_MS,
    record::Machine,
};

pub use client::Client;
pub use error::{SyncError, Told};
pub use heartbeat::own_hello;
pub use test::test_connection;

use crate::{
    log::{Episode, Journal},
    zone::{Zone, monotonic_ms},
};

/// A `decisions` call that a Backup passes on to its Primary.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForwardRequest {
    /// The machine that asks, which the Backup has authenticated.
    pub machine: Machine,
    /// What it asks.
    pub request: DecisionRequest,
}

/// Keeps a Backup one with its Primary. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Synchronizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    zone: Zone,
    journal: Journal,
    client: Mutex<Option<Client>>,
    runs: Mutex<runs::Runs>,
    /// Held while records of the Primary are taken over, so that two ways of doing it do not fetch the same.
    pulling: tokio::sync::Mutex<()>,
    /// Held while records are pushed.
    pushing: tokio::sync::Mutex<()>,
    /// The Primary's log of which everything that it lacked was pushed.
    pushed_to: Mutex<LogId>,
    /// The Primary's log was found not to have records any more that are lacking here.
    records_gone: AtomicBool,
    /// Origins of which nothing is exchanged: two writers used one name, and their records cannot be filed as two.
    aside: Mutex<BTreeSet<OriginId>>,
    /// Origins of which a fork was found and then no difference: set aside when that happens again.
    doubted: Mutex<BTreeSet<OriginId>>,
    /// Both were caught up at some hellos in a row and still hold different records.
    apart: AtomicBool,
    settings_changed: Notify,
    /// When a decision was last passed on in vain (forward clock, ms): none is again until the Primary was heard of.
    forward_failed: AtomicU64,
    episode: Mutex<Episode>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Synchronizer {
    /// For the server of `zone`, which must be a Backup.
    #[must_use]
    pub fn new(zone: Zone, journal: Journal, stop: CancellationToken) -> Self {
        let inner = Inner {
            zone,
            journal,
            client: Mutex::new(None),
            runs: Mutex::default(),
            pulling: tokio::sync::Mutex::default(),
            pushing: tokio::sync::Mutex::default(),
            pushed_to: Mutex::default(),
            records_gone: AtomicBool::new(false),
            aside: Mutex::default(),
            doubted: Mutex::default(),
            apart: AtomicBool::new(false),
            settings_changed: Notify::new(),
            forward_failed: AtomicU64::new(0),
            episode: Mutex::default(),
            stop,
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Starts the heartbeat, the tail, the pushing and the schedule. They end when the server stops.
    pub fn start(&self) {
        let tasks = &self.inner.tasks;
        tasks.spawn(self.clone().until_stop(heartbeat::run(self.clone())));
        tasks.spawn(self.clone().until_stop(tail::pull(self.clone())));
        tasks.spawn(self.clone().until_stop(tail::push(self.clone())));
        tasks.spawn(self.clone().until_stop(runs::schedule(self.clone())));
    }

    async fn until_stop(self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.inner.stop.cancelled() => {}
        }
    }

    /// Waits until everything that [`Self::start`] started has ended.
    pub async fn stopped(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Starts a run, or joins the one of its kind that is at work.
    #[must_use]
    pub fn begin(&self, kind: SyncKind, preview: bool, by: &str) -> RunStarted {
        runs::begin(self, kind, preview, by)
    }

    /// A run, at work or ended.
    pub async fn run(&self, run: RunId) -> Option<RunView> {
        if let Some(view) = self.runs().find(run) {
            return Some(view);
        }
        let kept = self.inner.zone.store().runs(500).await.unwrap_or_default();
        kept.into_iter().find(|view| view.run == run)
    }

    /// Waits for a run to end, for so long at most. Returns it as it is then.
    pub async fn wait(&self, run: RunId, at_most: Duration) -> Option<RunView> {
        let ended = self.runs().ended(run);
        if let Some(mut ended) = ended {
            // When the time is over, the run is told as it stands.
            _ = tokio::time::timeout(at_most, ended.wait_for(|ended| *ended)).await;
        }
        self.run(run).await
    }

    /// Cancels a run. What it has done by then stays. False when it is not at work.
    #[must_use]
    pub fn cancel(&self, run: RunId) -> bool {
        self.runs().cancel(run)
    }

    /// The state of both synchronizations.
    pub async fn view(&self) -> SynchronizationView {
        runs::view(self).await
    }

    /// Checks the connection to the Primary, step by step.
    pub async fn test(&self) -> TestReport {
        test_connection(&self.inner.zone).await
    }

    /// Tells that this server's own settings have changed: the address, the schedule or the tail.
    pub fn settings_changed(&self) {
        *lock(&self.inner.client) = None;
        self.inner.settings_changed.notify_waiters();
    }

    /// Passes a decision on to the Primary, if it was heard of lately. None when this server must decide itself.
    pub async fn forward(&self, machine: &Machine, request: &DecisionRequest) -> Option<DecisionResponse> {
        let facts = *self.inner.zone.backup_facts();
        let contact = facts.primary_contact?;
        let fresh = monotonic_ms().saturating_sub(contact) < FORWARD_MS;
        if !fresh || !facts.primary_serves || contact <= self.inner.forward_failed.load(Ordering::Relaxed) {
            return None;
        }
        let forward = ForwardRequest { machine: machine.clone(), request: request.clone() };
        let answer = self.client().ok()?.forward(&forward).await;
        if answer.is_err() {
            self.inner.forward_failed.store(monotonic_ms(), Ordering::Relaxed);
        }
        answer.ok()
    }

    fn client(&self) -> Result<Client, SyncError> {
        let mut client = lock(&self.inner.client);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = Client::of_zone(&self.inner.zone)?;
        *client = Some(made.clone());
        Ok(made)
    }

    fn runs(&self) -> MutexGuard<'_, runs::Runs> {
        lock(&self.inner.runs)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
