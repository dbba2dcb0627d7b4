//! This server's part of the protected zone: the core's state, the one writer that changes it, and what is known of the
//! moment only (who was heard of when).

mod activity;
mod contacts;
mod peer;
mod start;
mod writer;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::{mpsc, oneshot, watch};
use userlock_core::{
    agent_api::ServerAddress,
    api::{OwnRevision, PhaseView, RunView, ServerRole},
    held::Fork,
    id::{AgentId, OriginId},
    pair::{BackupFacts, Phases, PrimaryFacts},
    record::Machine,
    server::{Input, Listing, Note, Output, Refusal, Server},
    settings::OwnSettings,
    sync::{AgentCounts, Snapshot},
};

pub use activity::ActivityLog;
pub use contacts::{Contact, Contacts, PEER_SKEW_MS};
pub use peer::{PeerStatus, StoredPeer};
pub use start::{Genesis, StartError, create, open};
pub use writer::WriterTask;

use crate::store::state::{StateError, StateStore};

/// Inputs that wait for the writer; a further one is refused.
const WAITING: usize = 8192;

/// What is to be told and was not yet; further ones are counted only.
const NOTES: usize = 8192;

/// This server's part of the zone. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Zone {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    server: RwLock<Server>,
    jobs: mpsc::Sender<Job>,
    store: StateStore,
    position: watch::Sender<u64>,
    commands: watch::Sender<u64>,
    notes: mpsc::Sender<Note>,
    missed_notes: AtomicU64,
    able: AtomicBool,
    phases: Mutex<Phases>,
    facts: Mutex<BackupFacts>,
    primary_facts: Mutex<PrimaryFacts>,
    peer: Mutex<PeerStatus>,
    contacts: Mutex<Contacts>,
    activity: Mutex<ActivityLog>,
    own: RwLock<OwnSettings>,
    stored_peer: RwLock<Option<StoredPeer>>,
    own_turn: tokio::sync::Mutex<()>,
    membership: tokio::sync::Mutex<()>,
}

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It may not be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be written to the disk.
    #[error("this server cannot write to its disk; nothing was changed: {0}")]
    Unavailable(String),
    /// More waits for the disk than may.
    #[error("this server is overloaded; nothing was changed: try again")]
    Overloaded,
}

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Job {
    Input { input: Box<Input>, reply: oneshot::Sender<Result<Output, SubmitError>> },
    Adopt { snapshot: Box<Snapshot>, in_place_of_records: bool, reply: oneshot::Sender<Result<(), AdoptError>> },
    CutBranch { origin: OriginId, first: u64, reply: oneshot::Sender<Result<(), SubmitError>> },
    Own { settings: Box<OwnSettings>, revision: Box<OwnRevision>, reply: oneshot::Sender<Result<(), SubmitError>> },
    Peer { peer: Option<Box<StoredPeer>>, reply: oneshot::Sender<Result<(), SubmitError>> },
    RenewPeer { peer: Box<StoredPeer>, reply: oneshot::Sender<Result<bool, SubmitError>> },
    KeepRun { run: Box<RunView> },
    Joined { reply: oneshot::Sender<Result<(), SubmitError>> },
    Stop,
}

/// Why a snapshot was not taken over. The list is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Two writers use one name: the branch must be filed first.
    #[error(transparent)]
    Fork(#[from] Fork),
    /// It could not be written to the disk.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Zone {
    /// Looks at the state. `look` must be short: commits wait for it.
    pub fn read<R>(&self, look: impl FnOnce(&Server) -> R) -> R {
        look(&self.server())
    }

    fn server(&self) -> RwLockReadGuard<'_, Server> {
        self.inner.server.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of the other server's records; nothing that is written to the disk.
    pub fn note_peer(&self, change: impl FnOnce(&mut Server)) {
        change(&mut self.server_mut());
    }

    fn server_mut(&self) -> RwLockWriteGuard<'_, Server> {
        self.inner.server.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells, from the next hello on, by which certificates this server is known.
    pub fn announce(&self, address: ServerAddress) {
        self.note_peer(|server| server.identity.address = address);
    }

    /// The two servers' addresses, as this one knows them: the Primary's, the Backup's.
    #[must_use]
    pub fn addresses(&self) -> [Option<ServerAddress>; 2] {
        let (role, own) = self.read(|server| (server.identity.role, server.identity.address.clone()));
        let peer = self.stored_peer().map(|peer| peer.address);
        match role {
            ServerRole::Primary => [Some(own), peer],
            ServerRole::Backup => [peer, Some(own)],
        }
    }

    /// The agents that were heard of within `within` ms, and how many of them lack a certificate.
    #[must_use]
    pub fn agent_counts(&self, within: u64, now: u64) -> AgentCounts {
        let addresses = self.addresses();
        let newest = addresses.each_ref().map(|known| known.as_ref().map_or("", ServerAddress::newest));
        self.of_agents(|contacts, active| contacts.counts(active, within, now, newest))
    }

    /// Looks at the contacts with all enrolments that are valid. `look` must be short.
    pub fn of_agents<R>(&self, look: impl FnOnce(&Contacts, &mut dyn Iterator<Item = (AgentId, &Machine)>) -> R) -> R {
        self.read(|server| {
            let agents = server.state.agents.iter().filter(|(_, agent)| agent.is_active());
            let mut active = agents.filter_map(|(id, agent)| Some((id, agent.machine.as_ref()?)));
            look(&self.contacts(), &mut active)
        })
    }

    /// The sessions at this moment, to be listed without keeping anybody waiting.
    #[must_use]
    pub fn listing(&self) -> Listing {
        self.read(|server| Listing { buckets: server.state.snapshot() })
    }

    /// Does one thing. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, input: Input) -> Result<Output, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Input { input: Box::new(input), reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Puts the Primary's list in place of this one, at once. `in_place_of_records`: the Primary's log does not have the
    /// records behind it any more.
    ///
    /// # Errors
    /// [`AdoptError`].
    pub async fn adopt(&self, snapshot: Snapshot, in_place_of_records: bool) -> Result<(), AdoptError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Adopt { snapshot: Box::new(snapshot), in_place_of_records, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping().into()))
    }

    /// Files the records of an origin from `first` on, which is the first that differs, under a name of their own.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn cut_branch(&self, origin: OriginId, first: u64) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::CutBranch { origin, first, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Changes this server's own settings, and keeps the revision that tells of it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn change_own(&self, settings: OwnSettings, revision: OwnRevision) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Own { settings: Box::new(settings), revision: Box::new(revision), reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Remembers the other server.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn set_peer(&self, peer: StoredPeer) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Peer { peer: Some(Box::new(peer)), reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Remembers the other server's present name and address, unless it was removed or another has taken its place by the
    /// time the writer comes to it: `peer` has the token that it is known by. Whether it is still known.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn renew_peer(&self, peer: StoredPeer) -> Result<bool, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::RenewPeer { peer: Box::new(peer), reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Forgets the Backup: the zone has none from now on, its token is void, and nothing waits for it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn forget_peer(&self) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Peer { peer: None, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Forgets what is known of the other server at this moment, and what it holds: it begins anew.
    pub fn peer_begins_anew(&self) {
        self.note_peer(Server::new_peer);
        *self.peer() = PeerStatus::new(monotonic_ms(), crate::clock::now_ms());
    }

    /// Notes that this Backup has had its first Sessions synchronization.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn joined(&self) -> Result<(), SubmitError> {
        if self.backup_facts().joined {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        self.send(Job::Joined { reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Lets the writer end, after what waits: nothing is taken any more.
    pub async fn stop(&self) {
        // A writer that has ended already needs not be told.
        _ = self.inner.jobs.send(Job::Stop).await;
    }

    /// Keeps a run that has ended, as soon as the writer comes to it.
    pub fn keep_run(&self, run: RunView) {
        // A full queue loses the history of one run, which the application log has too.
        _ = self.send(Job::KeepRun { run: Box::new(run) });
    }

    fn send(&self, job: Job) -> Result<(), SubmitError> {
        self.inner.jobs.try_send(job).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })
    }

    /// Reads the log and what else is on the disk.
    #[must_use]
    pub fn store(&self) -> &StateStore {
        &self.inner.store
    }

    /// Tells of each commit by its position.
    #[must_use]
    pub fn watch_position(&self) -> watch::Receiver<u64> {
        self.inner.position.subscribe()
    }

    /// Tells when there may be a command for an agent.
    #[must_use]
    pub fn watch_commands(&self) -> watch::Receiver<u64> {
        self.inner.commands.subscribe()
    }

    /// Whether the last commit was written.
    #[must_use]
    pub fn is_able(&self) -> bool {
        self.inner.able.load(Ordering::Relaxed)
    }

    /// How many notes could not be told since this was last asked.
    #[must_use]
    pub fn take_missed_notes(&self) -> u64 {
        self.inner.missed_notes.swap(0, Ordering::Relaxed)
    }

    /// This server's role.
    #[must_use]
    pub fn role(&self) -> ServerRole {
        self.read(|server| server.identity.role)
    }

    /// This server's state, since when and why.
    #[must_use]
    pub fn phase(&self) -> PhaseView {
        lock(&self.inner.phases).view().clone()
    }

    /// Whether this server decides for an agent that could ask the other one.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.is_able() && lock(&self.inner.phases).decides()
    }

    /// Whether what the other server knows may be missing here.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        let has_peer = self.read(|server| server.peer_held().is_some());
        has_peer && !self.peer().in_contact(monotonic_ms())
    }

    /// Works out this server's next state. Returns the new one if it changed.
    pub fn step(&self) -> Option<PhaseView> {
        let (now, wall) = (monotonic_ms(), crate::clock::now_ms());
        let mut phases = lock(&self.inner.phases);
        let changed = match self.role() {
            ServerRole::Primary => phases.step_primary(*lock(&self.inner.primary_facts), now, wall),
            ServerRole::Backup => phases.step_backup(*lock(&self.inner.facts), now, wall),
        };
        changed.then(|| phases.view().clone())
    }

    /// Called when this server's loop stood still. Returns the new state if it changed.
    pub fn stood_still(&self) -> Option<PhaseView> {
        let has_backup = {
            let mut facts = lock(&self.inner.primary_facts);
            // What the Backup handed over before says nothing of what it recorded meanwhile.
            facts.backup_pushed = false;
            facts.has_backup
        };
        let mut phases = lock(&self.inner.phases);
        let changed = self.role() == ServerRole::Primary
            && phases.stood_still(has_backup, monotonic_ms(), crate::clock::now_ms());
        changed.then(|| phases.view().clone())
    }

    /// What a Backup's next state depends on.
    pub fn backup_facts(&self) -> MutexGuard<'_, BackupFacts> {
        lock(&self.inner.facts)
    }

    /// What a Primary's next state depends on.
    pub fn primary_facts(&self) -> MutexGuard<'_, PrimaryFacts> {
        lock(&self.inner.primary_facts)
    }

    /// What is known of the other server at this moment.
    pub fn peer(&self) -> MutexGuard<'_, PeerStatus> {
        lock(&self.inner.peer)
    }

    /// When which agent was heard of.
    pub fn contacts(&self) -> MutexGuard<'_, Contacts> {
        lock(&self.inner.contacts)
    }

    /// Logons and refusals, minute by minute.
    pub fn activity(&self) -> MutexGuard<'_, ActivityLog> {
        lock(&self.inner.activity)
    }

    /// This server's own settings.
    #[must_use]
    pub fn own(&self) -> OwnSettings {
        self.inner.own.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Held from reading this server's own settings to changing them, so that what was compared is what is replaced.
    #[must_use]
    pub fn own_turn(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.own_turn
    }

    /// Held by whoever joins, by who removes the Backup and by a server that leaves, from looking at who belongs to the zone to writing it down. Who
    /// needs [`Self::own_turn`] too takes that first.
    #[must_use]
    pub fn membership(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.membership
    }

    /// The other server, as it is remembered.
    #[must_use]
    pub fn stored_peer(&self) -> Option<StoredPeer> {
        self.inner.stored_peer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn stopping() -> SubmitError {
    SubmitError::Unavailable("the server is stopping".into())
}

/// A lock whose holder cannot leave it half-changed: what a panic left is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds on a clock that only goes forward and counts suspension.
#[must_use]
pub fn monotonic_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let ms = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
    u64::try_from(ms).unwrap_or_default()
}

impl From<StateError> for SubmitError {
    fn from(error: StateError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
