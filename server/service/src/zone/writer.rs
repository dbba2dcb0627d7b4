//! The one that commits: takes what has arrived, writes it in one transaction, and only then shows and answers it.

use std::{collections::VecDeque, time::Duration};

use tokio::sync::{mpsc, oneshot};
use userlock_core::{
    api::OwnRevision,
    id::OriginId,
    pair::PrimaryFacts,
    record::Run,
    server::{Checkpoint, Note, Output, Refusal, Row},
    settings::OwnSettings,
    sync::{Filing, Snapshot},
};

use super::{AdoptError, Job, StoredPeer, SubmitError, Zone};
use crate::{
    clock,
    store::state::{Commit, StateError, StateWriter},
};

/// A commit is not made larger once it has so many inputs, records or bytes.
const MAX_INPUTS: usize = 1024;
const MAX_RECORDS: usize = 8192;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// A checkpoint of the state begins after so many records, or so long, since the last one began.
const CHECKPOINT_RECORDS: usize = 20_000;
const CHECKPOINT_MS: i64 = 10_000;
/// Its pieces are written with the commits that follow: so many bytes with each, or twice what that adds to the log. So
/// no commit waits for all of them, and a start has no more to fold than was logged while they were written.
const CHECKPOINT_BYTES: usize = 64 * 1024;
/// While the disk refuses, a commit of nothing is tried so often, to know when it takes again.
const PROBE: Duration = Duration::from_secs(1);

/// The task that commits.
pub type WriterTask = tokio::task::JoinHandle<()>;

type Reply = oneshot::Sender<Result<Output, SubmitError>>;

pub(super) struct Writer {
    zone: Zone,
    store: StateWriter,
    jobs: mpsc::Receiver<Job>,
    waiting: VecDeque<Job>,
    checkpoint: Option<Checkpoint>,
    records_since: usize,
    checkpoint_at: i64,
}

impl Writer {
    pub(super) fn start(zone: Zone, store: StateWriter, jobs: mpsc::Receiver<Job>) -> WriterTask {
        let writer = Self {
            zone,
            store,
            jobs,
            waiting: VecDeque::new(),
            checkpoint: None,
            records_since: 0,
            checkpoint_at: clock::now_ms(),
        };
        tokio::spawn(writer.run())
    }

    async fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                let able = self.zone.is_able();
                let next = tokio::select! {
                    job = self.jobs.recv() => job,
                    () = tokio::time::sleep(PROBE), if !able => {
                        self.probe().await;
                        continue;
                    }
                };
                match next {
                    Some(Job::Stop) | None => break,
                    Some(job) => self.waiting.push_back(job),
                }
            }
            while self.waiting.len() < MAX_INPUTS
                && let Ok(job) = self.jobs.try_recv()
            {
                self.waiting.push_back(job);
            }
            match self.waiting.front() {
                Some(Job::Input { .. }) => self.commit_inputs().await,
                Some(Job::Stop) => break,
                Some(_) => {
                    if let Some(job) = self.waiting.pop_front() {
                        self.do_alone(job).await;
                    }
                }
                None => {}
            }
        }
        // Everything is on the disk; this only spares the next start the folding of the last records.
        if let Err(error) = self.checkpoint_now().await {
            tracing::warn!(%error, "the state's pieces were not written at the end; the log has everything");
        }
    }

    async fn probe(&mut self) {
        let result = self.store.put("probe", &clock::now_ms()).await;
        self.note_able(result.as_ref().err());
    }

    fn note_able(&self, error: Option<&StateError>) {
        let able = error.is_none();
        let was = self.zone.inner.able.swap(able, std::sync::atomic::Ordering::Relaxed);
        if was != able {
            match error {
                Some(error) => tracing::error!(%error, "commits fail: this server is not ready"),
                None => tracing::info!("commits succeed again"),
            }
        }
    }

    /// Stages what waits, up to the first job of another sort, commits it, applies it, answers it.
    async fn commit_inputs(&mut self) {
        let now = clock::now_ms();
        let mut replies: Vec<Reply> = Vec::new();
        let mut again = VecDeque::new();
        let due = self.records_since >= CHECKPOINT_RECORDS || now - self.checkpoint_at >= CHECKPOINT_MS;
        if due && self.checkpoint.is_none() {
            self.checkpoint = Some(self.zone.server_mut().begin_checkpoint());
            (self.records_since, self.checkpoint_at) = (0, now);
        }
        let (batch, segments, rows, writes) = {
            let server = self.zone.server();
            let mut batch = server.batch();
            while batch.records() < MAX_RECORDS && batch.bytes() < MAX_BYTES && batch.len() < MAX_INPUTS {
                let Some(Job::Input { .. }) = self.waiting.front() else { break };
                let Some(Job::Input { input, reply }) = self.waiting.pop_front() else { break };
                if server.must_wait(&batch, &input) {
                    again.push_back(Job::Input { input, reply });
                    continue;
                }
                match server.stage(&mut batch, *input, now) {
                    Ok(()) => replies.push(reply),
                    Err(refusal) => _ = reply.send(Err(refusal.into())),
                }
            }
            let segments = server.segments(&batch);
            let writes = !segments.is_empty() || batch.settings().is_some() || batch.cursor().is_some();
            let bytes = CHECKPOINT_BYTES.max(2 * batch.bytes());
            let checkpoint = self.checkpoint.as_mut().filter(|_| writes);
            let rows = checkpoint.map(|checkpoint| server.next_rows(checkpoint, bytes)).unwrap_or_default();
            (batch, segments, rows, writes)
        };
        // What has to wait stays before what came later.
        while let Some(job) = again.pop_back() {
            self.waiting.push_front(job);
        }
        if batch.is_empty() {
            return;
        }
        let done = self.checkpoint.as_ref().filter(|c| writes && c.is_done()).map(Checkpoint::position);
        let commit = Commit {
            segments: &segments,
            rows: &rows,
            rows_position: done,
            replace_rows: false,
            settings: batch.settings().map(|d| &**d),
            cursor: batch.cursor(),
            at: now,
        };
        let result = if writes { self.store.commit(commit).await } else { Ok(()) };
        if let Err(error) = result {
            self.note_able(Some(&error));
            self.give_up_checkpoint(&rows);
            for reply in replies {
                _ = reply.send(Err(SubmitError::Unavailable(error.to_string())));
            }
            return;
        }
        if writes {
            self.note_able(None);
        }
        self.records_since += batch.records();
        if done.is_some() {
            self.checkpoint = None;
        }
        let (applied, position) = {
            let mut server = self.zone.server_mut();
            server.written(&rows);
            let applied = server.apply(batch, now);
            (applied, server.position)
        };
        for (reply, output) in replies.into_iter().zip(applied.outputs) {
            _ = reply.send(Ok(output));
        }
        self.publish(position, applied.notes, now);
    }

    /// These rows of the checkpoint were not written, and the rest is not either: the next one has them.
    fn give_up_checkpoint(&mut self, rows: &[Row]) {
        if let Some(checkpoint) = self.checkpoint.take() {
            self.zone.server_mut().give_up(checkpoint, rows);
        }
    }

    fn publish(&self, position: u64, notes: Vec<Note>, now: i64) {
        self.zone.inner.position.send_replace(position);
        for note in notes {
            match note {
                Note::Activity { logons, denied } => self.zone.activity().count(logons, denied, now),
                // Only then do the polls of agents look.
                Note::Command => self.zone.inner.commands.send_modify(|n| *n += 1),
                note => {
                    if self.zone.inner.notes.try_send(note).is_err() {
                        self.zone.inner.missed_notes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn checkpoint_now(&mut self) -> Result<(), StateError> {
        self.give_up_checkpoint(&[]);
        let (checkpoint, rows) = {
            let mut server = self.zone.server_mut();
            let mut checkpoint = server.begin_checkpoint();
            let rows = server.next_rows(&mut checkpoint, usize::MAX);
            (checkpoint, rows)
        };
        let position = Some(checkpoint.position());
        let commit = Commit { rows: &rows, rows_position: position, at: clock::now_ms(), ..Commit::default() };
        let result = self.store.commit(commit).await;
        if result.is_err() {
            self.zone.server_mut().give_up(checkpoint, &rows);
        }
        result
    }

    async fn do_alone(&mut self, job: Job) {
        match job {
            Job::Input { .. } | Job::Stop => {}
            Job::Adopt { snapshot, in_place_of_records, reply } => {
                _ = reply.send(self.adopt(*snapshot, in_place_of_records).await);
            }
            Job::CutBranch { origin, first, reply } => {
                _ = reply.send(self.cut_branch(origin, first).await);
            }
            Job::Own { settings, revision, reply } => _ = reply.send(self.change_own(*settings, &revision).await),
            Job::Peer { peer: Some(peer), reply } => _ = reply.send(self.set_peer(*peer).await),
            Job::Peer { peer: None, reply } => _ = reply.send(self.forget_peer().await),
            Job::RenewPeer { peer, reply } => _ = reply.send(self.renew_peer(*peer).await),
            Job::Joined { reply } => {
                let result = self.store.put("joined", &true).await;
                if result.is_ok() {
                    self.zone.backup_facts().joined = true;
                }
                _ = reply.send(result.map_err(SubmitError::from));
            }
            Job::KeepRun { run } => {
                if let Err(error) = self.store.keep_run(&run).await {
                    tracing::warn!(%error, "the history of a run was not kept");
                }
            }
        }
    }

    async fn change_own(&mut self, settings: OwnSettings, revision: &OwnRevision) -> Result<(), SubmitError> {
        self.store.change_own(&settings, revision).await?;
        *self.zone.inner.own.write().unwrap_or_else(std::sync::PoisonError::into_inner) = settings;
        Ok(())
    }

    async fn set_peer(&mut self, peer: StoredPeer) -> Result<(), SubmitError> {
        self.store.put("peer", &peer).await?;
        let server_id = peer.server_id;
        let before =
            self.zone.inner.stored_peer.write().unwrap_or_else(std::sync::PoisonError::into_inner).replace(peer);
        if before.is_some_and(|before| before.server_id == server_id) {
            self.zone.server_mut().has_peer_now();
        } else {
            self.zone.server_mut().new_peer();
        }
        self.zone.primary_facts().has_backup = true;
        Ok(())
    }

    /// What is queued before this one has been done: a peer that it removed stays removed.
    async fn renew_peer(&mut self, peer: StoredPeer) -> Result<bool, SubmitError> {
        let known = self.zone.stored_peer().is_some_and(|known| known.is_let_in_like(&peer));
        if known {
            self.set_peer(peer).await?;
        }
        Ok(known)
    }

    async fn forget_peer(&mut self) -> Result<(), SubmitError> {
        self.store.remove("peer").await?;
        *self.zone.inner.stored_peer.write().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        self.zone.server_mut().no_peer();
        *self.zone.primary_facts() = PrimaryFacts::default();
        *self.zone.peer() = super::PeerStatus::new(super::monotonic_ms(), clock::now_ms());
        Ok(())
    }

    async fn adopt(&mut self, snapshot: Snapshot, in_place_of_records: bool) -> Result<(), AdoptError> {
        let now = clock::now_ms();
        let wanted = self.zone.read(|server| server.beyond(&snapshot));
        let mut beyond: Vec<Run> = Vec::new();
        for (origin, first, last) in wanted {
            let records = self.zone.store().records(&origin.0, first, last).await;
            beyond.extend(records.map_err(SubmitError::from)?);
        }
        let (adoption, position) = {
            let server = self.zone.server();
            (server.prepare_adoption(snapshot, &beyond, in_place_of_records, now)?, server.position)
        };
        let rows = adoption.rows();
        let commit = Commit {
            rows: &rows,
            rows_position: Some(position),
            replace_rows: true,
            cursor: adoption.cursor(),
            at: now,
            ..Commit::default()
        };
        if let Err(error) = self.store.commit(commit).await {
            self.note_able(Some(&error));
            return Err(SubmitError::from(error).into());
        }
        // Its pieces are of the list that was replaced.
        self.checkpoint = None;
        self.zone.server_mut().install(adoption);
        self.publish(position, Vec::new(), now);
        Ok(())
    }

    /// Files a branch in the log under its own name, then in the state. It is read here, where nothing is committed
    /// meanwhile. A crash between the two leaves no state written down, which the next start then folds from the log.
    async fn cut_branch(&mut self, origin: OriginId, first: u64) -> Result<(), SubmitError> {
        let last_common = first.saturating_sub(1);
        let common = self.zone.store().records(&origin.0, last_common, last_common).await?;
        let before = common.first().and_then(|run| run.chain_at(last_common)).unwrap_or_default();
        let runs = self.zone.store().records(&origin.0, first, i64::MAX.unsigned_abs()).await?;
        let Some(filing) = Filing::of(&runs) else { return Ok(()) };
        let unfiled = self.zone.read(|server| filing.unfiled(server.held())).map_err(Refusal::from)?;
        self.store.file_branch(&filing, first, unfiled.as_ref()).await?;
        let position = {
            let mut server = self.zone.server_mut();
            server.file_branch(origin, first, before, unfiled.as_ref(), clock::now_ms());
            server.nothing_written();
            server.position
        };
        self.checkpoint_now().await?;
        self.publish(position, Vec::new(), clock::now_ms());
        Ok(())
    }
}
