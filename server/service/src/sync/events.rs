//! Events synchronization: push, pull, settings if the revision differs.

use userlock_core::{api::EventsResult, event::kind_name, server::Input, sync::PullRequest};

use super::{SyncError, Synchronizer, reconcile, runs::Running};
use crate::zone::monotonic_ms;

/// Runs one.
///
/// # Errors
/// [`SyncError`]; what was taken over by then stays.
pub(super) async fn run(sync: &Synchronizer, running: &Running) -> Result<EventsResult, SyncError> {
    let began = monotonic_ms();
    let zone = &sync.inner.zone;
    running.stage("comparing with the Primary and handing over what it lacks");
    let pushed = reconcile::push_all(sync, Some(running)).await?;

    running.stage("fetching what the Primary recorded");
    let mut applied = reconcile::Applied::new();
    {
        let _turn = sync.inner.pulling.lock().await;
        let hello = super::heartbeat::own_hello(zone, *super::lock(&sync.inner.pushed_to));
        let primary = sync.client()?.hello(&hello).await?;
        if zone.read(|s| s.cursor.log_id) != primary.log_id {
            add(&mut applied, reconcile::pull_all(sync, Some(running)).await?);
        }
        loop {
            let (cursor, asker) = zone.read(|s| (s.cursor, s.log_id));
            let question = PullRequest::After { cursor, asker, wait_seconds: 0 };
            let (head, records) = sync.client()?.pull(&question).await?;
            if head.next != cursor {
                add(&mut applied, reconcile::take(sync, head.next.log_id, records, Some(head.next)).await?);
            }
            running.progress(applied.values().sum(), None);
            if head.next.position >= head.position {
                break;
            }
        }
    }
    running.stage("fetching the settings");
    let settings_changed = settings(sync).await?;
    Ok(EventsResult {
        applied: applied.values().sum(),
        applied_by_kind: applied.into_iter().map(|(kind, n)| (kind_name(kind).to_owned(), n)).collect(),
        pushed,
        settings_revision: zone.read(|s| s.settings.revision),
        settings_changed,
        duration_ms: monotonic_ms().saturating_sub(began),
    })
}

fn add(applied: &mut reconcile::Applied, more: reconcile::Applied) {
    more.into_iter().for_each(|(kind, n)| *applied.entry(kind).or_default() += n);
}

/// Fetches the settings if they differ. True if they did.
///
/// # Errors
/// [`SyncError`].
pub(super) async fn settings(sync: &Synchronizer) -> Result<bool, SyncError> {
    let zone = &sync.inner.zone;
    let document = sync.client()?.settings().await?;
    if document.revision == zone.read(|s| s.settings.revision) {
        return Ok(false);
    }
    zone.submit(Input::AdoptSettings { document: Box::new(document) }).await?;
    Ok(true)
}
