//! A Backup goes by what its Primary tells of itself, and loses no certificate that works for it.

use std::time::Duration;

use userlock_core::{agent_api::ServerAddress, settings::PrimaryAddress, sync::Hello};

use super::{Client, SyncError, Synchronizer};
use crate::{
    log::{catalogue, details},
    zone::{StoredPeer, monotonic_ms},
};

/// How long it may take to find out whether a certificate is shown: the next hello waits for it.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);
/// One that was not shown is looked for again after so many ms.
const LOOK_AGAIN_MS: u64 = 30_000;

/// A certificate that the Primary says it has and that was not shown, and when (forward clock, ms) it was last looked for.
#[derive(Debug, Default)]
pub(super) struct NotShown(Option<(String, u64)>);

impl NotShown {
    fn was_just_missed(&self, fingerprint: &str, now: u64) -> bool {
        let missed = self.0.as_ref().filter(|(missed, _)| missed == fingerprint);
        missed.is_some_and(|(_, at)| now.saturating_sub(*at) < LOOK_AGAIN_MS)
    }
}

/// Takes over what the Primary tells of itself: its name, its address for agents, and by which certificates it is known. It
/// told so on a connection to a certificate that is trusted, so it is the Primary that said it.
pub(super) async fn follow(sync: &Synchronizer, hello: &Hello, known: &PrimaryAddress, not_shown: &mut NotShown) {
    let Some(stored) = sync.inner.zone.stored_peer() else { return };
    let (told, before) = (&hello.address.fingerprint, &known.fingerprint);
    let is_other = told != before && !told.is_empty() && !before.is_empty();
    if is_other && stored.told_under.is_some() && stored.address.fingerprint == *before {
        // The Primary has said before that the one so far is its own: it has replaced it, perhaps because others have its
        // key. First, so that a power cut between the two leaves this server with what the Primary shows now.
        if go_by(sync, hello, known).await {
            write_down(sync, hello, told).await;
        }
        return;
    }
    // From now on it is trusted by what it told, too.
    if !write_down(sync, hello, before).await || !is_other || not_shown.was_just_missed(told, monotonic_ms()) {
        return;
    }
    // Somebody has confirmed another than the Primary's own. If something between the two servers shows it, it stays.
    if let Err(error) = is_shown(known, told).await {
        tracing::warn!(%error, told, before, "the Primary tells of a certificate that is not shown to this Backup");
        not_shown.0 = Some((told.clone(), monotonic_ms()));
    } else if go_by(sync, hello, known).await {
        write_down(sync, hello, told).await;
    }
}

/// Goes by the certificate that the Primary tells of, instead of the one by which it was `known`. Whether it does now.
async fn go_by(sync: &Synchronizer, hello: &Hello, known: &PrimaryAddress) -> bool {
    let (told, before) = (&hello.address.fingerprint, &known.fingerprint);
    match crate::operations::follow_certificate(&sync.inner.zone, known, told.clone()).await {
        Ok(true) => {}
        Ok(false) => return false,
        Err(error) => {
            tracing::warn!(%error, "the Primary's new certificate is written down after the next hello");
            return false;
        }
    }
    let message = format!("The Primary {} has another certificate, sha256 {told}, as it told before.", hello.name);
    let more = details([("server", &hello.name), ("fingerprint", told), ("before", before)]);
    sync.inner.journal.record(catalogue::PEER_CERTIFICATE, message, more);
    sync.settings_changed();
    true
}

/// Writes down what the Primary told while it was known by the certificate with this fingerprint. Whether it is.
async fn write_down(sync: &Synchronizer, hello: &Hello, known_by: &str) -> bool {
    let zone = &sync.inner.zone;
    let Some(before) = zone.stored_peer() else { return false };
    let (name, address, told_under) = (hello.name.clone(), hello.address.clone(), Some(known_by.to_owned()));
    let now = StoredPeer { name, address, told_under, ..before.clone() };
    if now == before {
        return true;
    }
    match zone.renew_peer(now).await {
        Ok(still_known) => {
            sync.settings_changed();
            still_known
        }
        Err(error) => {
            tracing::warn!(%error, "what the Primary tells of itself is written down after the next hello");
            false
        }
    }
}

/// Whether a new connection to the Primary is to the certificate with this fingerprint. No secret is said on it.
async fn is_shown(known: &PrimaryAddress, fingerprint: &str) -> Result<(), SyncError> {
    let client = Client::new(&ServerAddress::new(known.url.clone(), fingerprint), String::new())?;
    match tokio::time::timeout(SHOWN_WITHIN, client.about()).await {
        Ok(Err(error)) if error.status.is_none() => Err(error),
        // Whatever it answered, it has shown it.
        Ok(_) => Ok(()),
        Err(_) => Err(SyncError::new(catalogue::SYNC_TIMEOUT, "no answer within 1 s")),
    }
}
