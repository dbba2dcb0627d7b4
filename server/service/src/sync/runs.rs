//! Runs of the synchronizations: started, joined, cancelled, shown, kept.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use userlock_core::{
    api::{Progress, RunError, RunStarted, RunState, RunView, SyncKind, SynchronizationView},
    id::RunId,
};

use super::{SyncError, Synchronizer, events, lock, sessions};
use crate::{
    clock,
    log::{catalogue, details},
    random,
};

/// How many runs are kept at hand.
const AT_HAND: usize = 50;

/// The runs at work, and the last ones.
#[derive(Debug, Default)]
pub(super) struct Runs {
    running: Vec<Arc<Running>>,
    last: VecDeque<RunView>,
    next_at: Option<i64>,
}

/// A run at work.
#[derive(Debug)]
pub(super) struct Running {
    view: Mutex<RunView>,
    cancel: CancellationToken,
    /// Set when the work has come to where it cannot be cut.
    no_return: AtomicBool,
    ended: watch::Sender<bool>,
}

impl Running {
    /// Says what is being done now.
    pub fn stage(&self, stage: &str) {
        let mut view = lock(&self.view);
        stage.clone_into(&mut view.stage);
        view.progress = Progress::default();
    }

    /// Says how much of it is done.
    pub fn progress(&self, done: u64, of: Option<u64>) {
        lock(&self.view).progress = Progress { done, of };
    }

    /// From here on the run cannot be cancelled. False when it was cancelled before.
    pub fn pass_point_of_no_return(&self) -> bool {
        self.no_return.store(true, Ordering::SeqCst);
        !self.cancel.is_cancelled()
    }

    fn view(&self) -> RunView {
        lock(&self.view).clone()
    }
}

impl Runs {
    pub fn find(&self, run: RunId) -> Option<RunView> {
        let running = self.running.iter().map(|r| r.view()).find(|v| v.run == run);
        running.or_else(|| self.last.iter().find(|v| v.run == run).cloned())
    }

    pub fn ended(&self, run: RunId) -> Option<watch::Receiver<bool>> {
        self.running.iter().find(|r| lock(&r.view).run == run).map(|r| r.ended.subscribe())
    }

    pub fn cancel(&self, run: RunId) -> bool {
        let found = self.running.iter().find(|r| lock(&r.view).run == run);
        let found = found.filter(|r| !r.no_return.load(Ordering::SeqCst));
        found.inspect(|r| r.cancel.cancel()).is_some()
    }
}

/// Starts a run, or joins the one of its kind that is at work.
pub(super) fn begin(sync: &Synchronizer, kind: SyncKind, preview: bool, by: &str) -> RunStarted {
    let mut runs = sync.runs();
    let same = |r: &&Arc<Running>| {
        let view = lock(&r.view);
        view.kind == kind && view.preview == preview
    };
    if let Some(running) = runs.running.iter().find(same) {
        return RunStarted { run: lock(&running.view).run, joined: true };
    }
    let view = RunView {
        // Without random numbers the name is of the time, which no other run of this server has.
        run: RunId(random::bytes().unwrap_or_else(|_| u128::from(crate::zone::monotonic_ms()).to_be_bytes())),
        kind,
        preview,
        by: by.to_owned(),
        state: RunState::Running,
        started_at: clock::now_ms(),
        ended_at: None,
        stage: "starting".into(),
        progress: Progress::default(),
        events: None,
        sessions: None,
        error: None,
    };
    let run = view.run;
    let running = Arc::new(Running {
        view: Mutex::new(view),
        cancel: sync.inner.stop.child_token(),
        no_return: AtomicBool::new(false),
        ended: watch::Sender::new(false),
    });
    runs.running.push(Arc::clone(&running));
    drop(runs);
    sync.inner.tasks.spawn(work(sync.clone(), running));
    RunStarted { run, joined: false }
}

async fn work(sync: Synchronizer, running: Arc<Running>) {
    let RunView { kind, preview, .. } = running.view();
    let job = async {
        match kind {
            SyncKind::Events => {
                let mut result = events::run(&sync, &running).await;
                if result.as_ref().is_err_and(|e| e.fork.is_some()) {
                    // The branch has been filed under a name of its own: now both can be fetched.
                    result = events::run(&sync, &running).await;
                }
                lock(&running.view).events = Some(result?);
            }
            SyncKind::Sessions => {
                let mut result = sessions::run(&sync, &running, preview).await;
                if result.as_ref().is_err_and(|e| e.fork.is_some()) {
                    // The branch has been filed under a name of its own: now the lists can be united.
                    result = sessions::run(&sync, &running, preview).await;
                }
                lock(&running.view).sessions = Some(result?);
                if !preview {
                    sync.inner.zone.joined().await?;
                }
            }
        }
        Ok::<(), SyncError>(())
    };
    let outcome = tokio::select! {
        outcome = job => Some(outcome),
        () = running.cancel.cancelled() => None,
    };
    finish(&sync, &running, outcome);
}

fn finish(sync: &Synchronizer, running: &Arc<Running>, outcome: Option<Result<(), SyncError>>) {
    let failed = match &outcome {
        Some(Err(error)) => Some(error),
        _ => None,
    };
    let view = {
        let mut view = lock(&running.view);
        view.ended_at = Some(clock::now_ms());
        view.state = match &outcome {
            Some(Ok(())) => RunState::Succeeded,
            Some(Err(_)) => RunState::Failed,
            None => RunState::Cancelled,
        };
        view.error = failed.map(|error| RunError {
            log_id: error.kind.id,
            stage: view.stage.clone(),
            message: error.message.clone(),
            advice: error.kind.advice.to_owned(),
        });
        view.clone()
    };
    tell(sync, &view, failed);
    let mut runs = sync.runs();
    runs.running.retain(|r| !Arc::ptr_eq(r, running));
    runs.last.push_front(view.clone());
    runs.last.truncate(AT_HAND);
    drop(runs);
    sync.inner.zone.keep_run(view);
    running.ended.send_replace(true);
}

/// Writes what came of a run to the application log: failures each time, success only of what somebody started.
fn tell(sync: &Synchronizer, view: &RunView, failed: Option<&SyncError>) {
    let name = match (view.kind, view.preview) {
        (SyncKind::Events, _) => "Events synchronization",
        (SyncKind::Sessions, false) => "Sessions synchronization",
        (SyncKind::Sessions, true) => "The preview of Sessions synchronization",
    };
    let position = sync.inner.zone.read(|s| s.cursor.position);
    let address = sync.inner.zone.own().synchronization.map(|s| s.primary.url).unwrap_or_default();
    let (own, other) = (sync.inner.zone.read(|s| s.identity.name.clone()), sync.inner.zone.stored_peer());
    let mut more = details([
        ("server", &own),
        ("other_server", &other.map(|peer| peer.name).unwrap_or_default()),
        ("operation", &name),
        ("stage", &view.stage),
        ("started_by", &view.by),
        ("address", &address),
        ("position", &position),
        ("run", &view.run),
    ]);
    let next = sync.runs().next_at.and_then(chrono::DateTime::from_timestamp_millis);
    more.extend(next.map(|at| ("next_run".to_owned(), at.to_rfc3339())));
    let journal = &sync.inner.journal;
    match (view.state, failed) {
        (_, Some(error)) => {
            more.extend(error.status.map(|s| ("status".to_owned(), s.to_string())));
            let kept = match (view.kind, view.preview) {
                (SyncKind::Events, _) => "What was taken over by then stays, and the next run goes on from there",
                (SyncKind::Sessions, true) => "Nothing was changed",
                (SyncKind::Sessions, false) => "The list stays as it was",
            };
            let message = format!("{name} failed while {}: {}. {kept}.", view.stage, error.message);
            // The heartbeat tells of a Primary that does not answer; a scheduled run adds nothing to that.
            let scheduled = view.by == "schedule";
            if !(scheduled && lock(&sync.inner.episode).is_open()) {
                journal.record(error.kind, message, more);
            }
        }
        (RunState::Cancelled, _) => {
            journal.record(catalogue::SYNC_CANCELLED, format!("{name} was cancelled while {}.", view.stage), more);
        }
        _ if view.by == "schedule" => tracing::debug!(run = %view.run, "{name} has ended"),
        _ => journal.record(catalogue::SYNC_SUCCEEDED, format!("{name} has succeeded: {}.", done(view)), more),
    }
}

/// What a run did, in words.
fn done(view: &RunView) -> String {
    match (&view.events, &view.sessions) {
        (Some(e), _) => format!(
            "{} events fetched, {} handed over, settings revision {}, in {} ms",
            e.applied, e.pushed, e.settings_revision, e.duration_ms
        ),
        (_, Some(s)) => format!(
            "{} sessions added, {} changed, {} closed, {} equal, in {} ms",
            s.added, s.changed, s.closed, s.unchanged, s.duration_ms
        ),
        _ => "nothing was to be done".to_owned(),
    }
}

/// Runs Events synchronization at its interval.
pub(super) async fn schedule(sync: Synchronizer) {
    loop {
        let own = sync.inner.zone.own().synchronization;
        let due = own.filter(|s| s.enabled).map(|s| Duration::from_secs(s.interval_seconds.into()));
        let joined = sync.inner.zone.backup_facts().joined;
        let Some(interval) = due.filter(|_| joined) else {
            sync.runs().next_at = None;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = sync.inner.settings_changed.notified() => {}
            }
            continue;
        };
        let next = clock::now_ms().saturating_add(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
        sync.runs().next_at = Some(next);
        tokio::select! {
            () = tokio::time::sleep(interval) => {
                if !sync.inner.zone.backup_facts().paused {
                    _ = sync.begin(SyncKind::Events, false, "schedule");
                }
            }
            () = sync.inner.settings_changed.notified() => {}
        }
    }
}

/// The state of both synchronizations.
pub(super) async fn view(sync: &Synchronizer) -> SynchronizationView {
    let zone = &sync.inner.zone;
    let store = zone.store();
    let (running, mut history, next_run_at) = {
        let runs = sync.runs();
        let running: Vec<RunView> = runs.running.iter().map(|r| r.view()).collect();
        (running, Vec::from(runs.last.clone()), runs.next_at)
    };
    let kept = store.runs(u32::try_from(AT_HAND).unwrap_or(u32::MAX)).await.unwrap_or_default();
    history.extend(kept.into_iter().filter(|k| !history.iter().any(|h| h.run == k.run)).collect::<Vec<_>>());
    history.truncate(AT_HAND);
    let at_hand = |kind| {
        let found = history.iter().find(|v| v.kind == kind && !v.preview && v.state == RunState::Succeeded);
        found.cloned()
    };
    let (mut last_events, mut last_sessions) = (at_hand(SyncKind::Events), at_hand(SyncKind::Sessions));
    if last_events.is_none() {
        last_events = store.last_success(SyncKind::Events).await.ok().flatten();
    }
    if last_sessions.is_none() {
        last_sessions = store.last_success(SyncKind::Sessions).await.ok().flatten();
    }
    let own = zone.own().synchronization;
    SynchronizationView {
        enabled: own.as_ref().is_some_and(|s| s.enabled),
        interval_seconds: own.as_ref().map_or(0, |s| s.interval_seconds),
        continuous: own.as_ref().is_some_and(|s| s.continuous),
        last_events,
        last_sessions,
        next_run_at,
        cursor: zone.read(|s| s.cursor.position),
        running,
        history,
    }
}
