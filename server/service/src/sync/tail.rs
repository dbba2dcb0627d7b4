//! Between two scheduled runs: what is recorded here is handed over at once; what the Primary records is fetched as it
//! comes, if "Continuous" is on.

use std::{sync::atomic::Ordering, time::Duration};

use userlock_core::{
    event::kind,
    sync::{MAX_WAIT_SECONDS, PullRequest},
};

use super::{SyncError, Synchronizer, lock, reconcile};
use crate::zone::monotonic_ms;

/// After a failure, or while there is nothing to do, it is looked again after this time.
const PAUSE: Duration = Duration::from_millis(500);

/// Hands over what is recorded here.
pub(super) async fn push(sync: Synchronizer) {
    let zone = sync.inner.zone.clone();
    let mut position = zone.watch_position();
    loop {
        let in_contact = zone.peer().in_contact(monotonic_ms());
        let log_id = zone.peer().hello().map(|h| h.log_id).unwrap_or_default();
        let caught_up = *lock(&sync.inner.pushed_to) == log_id && !log_id.is_nil();
        let (waiting, first) = zone.read(userlock_core::server::Server::unsent);
        if waiting == 0 || !in_contact || !caught_up {
            // A failed watch means that the server stops, and then this task is ended.
            _ = tokio::time::timeout(PAUSE, position.changed()).await;
            if waiting > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        }
        let after = first.unwrap_or(1).saturating_sub(1);
        if let Err(error) = reconcile::push_tail(&sync, after).await {
            tracing::debug!(%error, "records wait to be handed over");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Fetches what the Primary records.
pub(super) async fn pull(sync: Synchronizer) {
    loop {
        if !wanted(&sync) {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = sync.inner.settings_changed.notified() => {}
            }
            continue;
        }
        let step = tokio::select! {
            step = pull_once(&sync) => step,
            () = sync.inner.settings_changed.notified() => continue,
        };
        if let Err(error) = step {
            tracing::debug!(%error, "the tail of the Primary's log is tried again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn wanted(sync: &Synchronizer) -> bool {
    let zone = &sync.inner.zone;
    let continuous = zone.own().synchronization.is_some_and(|s| s.continuous);
    let facts = *zone.backup_facts();
    continuous && facts.joined && !facts.paused && zone.peer().in_contact(monotonic_ms())
}

async fn pull_once(sync: &Synchronizer) -> Result<(), SyncError> {
    let zone = &sync.inner.zone;
    let (cursor, asker, settings) = zone.read(|s| (s.cursor, s.log_id, s.settings.revision));
    let known = zone.peer().hello().map(|h| (h.log_id, h.settings));
    let Some((log_id, their_settings)) = known else { return Ok(()) };
    if settings != their_settings {
        super::events::settings(sync).await?;
    }
    if log_id != cursor.log_id || sync.inner.apart.swap(false, Ordering::Relaxed) {
        let _turn = sync.inner.pulling.lock().await;
        return reconcile::pull_all(sync, None).await.map(|_| ());
    }
    let question = PullRequest::After { cursor, asker, wait_seconds: MAX_WAIT_SECONDS.min(5) };
    let (head, runs) = sync.client()?.pull(&question).await?;
    let _turn = sync.inner.pulling.lock().await;
    // A run may have fetched the same meanwhile: then this page is of the past.
    if zone.read(|s| s.cursor) == cursor && head.next != cursor {
        let applied = reconcile::take(sync, head.next.log_id, runs, Some(head.next)).await?;
        if applied.contains_key(&kind::SETTINGS_CHANGED) {
            super::events::settings(sync).await?;
        }
    }
    Ok(())
}
