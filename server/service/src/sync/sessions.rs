//! Sessions synchronization: the Primary's list takes the place of this one, at once.

use std::sync::atomic::Ordering;

use userlock_core::{
    api::SessionsResult,
    sync::{Frames, Snapshot, SnapshotReader, difference},
};

use super::{Client, SyncError, Synchronizer, reconcile, runs::Running};
use crate::{log::catalogue, zone::monotonic_ms};

/// Runs one; a preview stops before anything changes.
///
/// # Errors
/// [`SyncError`]; then the list is as it was.
pub(super) async fn run(sync: &Synchronizer, running: &Running, preview: bool) -> Result<SessionsResult, SyncError> {
    let began = monotonic_ms();
    let zone = &sync.inner.zone;
    running.stage("comparing with the Primary and handing over what it lacks");
    reconcile::push_all(sync, None).await?;
    super::events::settings(sync).await?;

    let _turn = sync.inner.pulling.lock().await;
    running.stage("fetching the Primary's list of sessions");
    let snapshot = fetch(sync, running).await?;
    running.stage("comparing the lists");
    let position = snapshot.at.position;
    let change = zone.read(|server| difference(&server.state, &snapshot));
    let mut digest = snapshot.state_digest;
    if !preview {
        running.stage("putting the list in place");
        if !running.pass_point_of_no_return() {
            return Err(SyncError::new(catalogue::SYNC_CANCELLED, "the run was cancelled"));
        }
        let gone = sync.inner.records_gone.swap(false, Ordering::Relaxed);
        zone.adopt(snapshot, gone).await?;
        digest = zone.read(|server| server.state.digest());
    }
    Ok(SessionsResult {
        added: change.added,
        changed: change.changed,
        closed: change.closed,
        unchanged: change.unchanged,
        position,
        digest,
        duration_ms: monotonic_ms().saturating_sub(began),
        items: change.items,
    })
}

async fn fetch(sync: &Synchronizer, running: &Running) -> Result<Snapshot, SyncError> {
    let mut response = sync.client()?.snapshot().await?;
    let mut frames = Frames::default();
    let mut reader = SnapshotReader::default();
    while let Some(bytes) = Client::chunk(&mut response).await? {
        frames.feed(&bytes);
        while let Some(frame) = frames.next_frame()? {
            reader.take(frame)?;
        }
        let (done, of) = reader.progress();
        running.progress(done, Some(of));
    }
    frames.finish()?;
    Ok(reader.finish()?)
}
