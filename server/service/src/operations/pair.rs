//! Who belongs to the zone: removing its Backup, and taking this server out of it.

use std::time::Duration;

use userlock_core::api::ServerRole;

use super::{check_reason, refusal_of};
use crate::{
    http::{
        problem::{self, Answer},
        state::App,
    },
    log::{catalogue, details},
    setup::{begin_leaving, is_leaving},
    sync::Client,
    zone::monotonic_ms,
};

/// A Backup that leaves waits so long for its Primary to take what it recorded.
const HAND_OVER: Duration = Duration::from_secs(5);

impl App {
    /// Removes the Backup from the zone: its token is void, nothing waits for it, agents forget it.
    ///
    /// # Errors
    /// 409 on a Backup and without one, 422, 503.
    pub async fn remove_backup(&self, by: &str, reason: &str) -> Answer<()> {
        self.must_be_primary()?;
        let reason = typed_reason(reason)?;
        let Some(peer) = self.zone.stored_peer() else {
            let detail = "This zone has no Backup. Nothing was changed.";
            return Err(problem::conflict("no_backup", "No Backup", detail));
        };
        self.zone.forget_peer().await.map_err(|error| refusal_of(self, error))?;
        let message = format!("{by} removed the Backup {} from the zone: {reason}", peer.name);
        let more = details([("by", &by), ("server", &peer.name), ("address", &peer.address.url), ("reason", &reason)]);
        self.journal.record(catalogue::PEER_REMOVED, message, more);
        Ok(())
    }

    /// Takes this server out of its zone: its data is set aside, and the Configuration wizard is served in its place. A
    /// Backup tells its Primary, if that answers.
    ///
    /// # Errors
    /// 409 on a Primary that has a Backup, 422, 503 when it cannot be noted on the disk; then it has not left.
    pub async fn leave_zone(&self, by: &str, reason: &str) -> Answer<()> {
        let reason = typed_reason(reason)?;
        self.must_have_no_backup()?;
        let (app, by, reason) = (self.clone(), by.to_owned(), reason.to_owned());
        // Whoever asked may go away meanwhile: the Primary must not be told of what then does not happen.
        let left = tokio::spawn(async move { app.leave_now(&by, &reason).await });
        left.await.map_err(|_| problem::internal())?
    }

    /// Refuses on a Primary that has a Backup.
    fn must_have_no_backup(&self) -> Answer<()> {
        match self.zone.stored_peer() {
            Some(peer) if self.role() == ServerRole::Primary => {
                let detail = format!(
                    "{} is the Backup of this zone and would be left without a Primary. Remove it first. Nothing was changed.",
                    peer.name
                );
                Err(problem::conflict("has_a_backup", "The zone has a Backup", detail))
            }
            _ => Ok(()),
        }
    }

    async fn leave_now(&self, by: &str, reason: &str) -> Answer<()> {
        let backup = self.role() == ServerRole::Backup;
        if backup {
            self.hand_over().await;
        }
        // Of two that ask at once the first one is told of.
        let _turn = self.zone.own_turn().lock().await;
        // Until it has left nobody joins; and one may have, while others had their turn.
        let _membership = self.zone.membership().lock().await;
        let dir = self.archive.dir().to_owned();
        if is_leaving(&dir) {
            return Ok(());
        }
        self.must_have_no_backup()?;
        // From here on it has left, also when it is killed: nobody is told what is not so.
        let noted = tokio::task::spawn_blocking(move || begin_leaving(&dir, chrono::Utc::now())).await;
        noted.map_err(|_| problem::internal())?.map_err(|error| {
            let detail = format!("This server cannot write to its data directory: {error}. Nothing was changed.");
            problem::unavailable("storage_failed", detail)
        })?;
        if backup {
            self.tell_primary().await;
        }
        let message = format!("{by} took this server out of its zone: {reason}");
        let waits = self.zone.read(|server| server.unsent().0);
        let more =
            details([("by", &by), ("role", &self.role().title()), ("reason", &reason), ("not_handed_over", &waits)]);
        self.journal.record(catalogue::ZONE_LEFT, message, more);
        self.journal.flush().await;
        self.leaving.cancel();
        Ok(())
    }

    /// Lets a Primary that answers have what was recorded here last. What it does not get is set aside with the rest.
    async fn hand_over(&self) {
        let end = tokio::time::Instant::now() + HAND_OVER;
        while self.zone.read(|server| server.unsent().0) > 0
            && self.zone.peer().in_contact(monotonic_ms())
            && tokio::time::Instant::now() < end
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn tell_primary(&self) {
        let told = match Client::of_zone(&self.zone) {
            Ok(client) => client.leave().await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            // It can be removed there all the same.
            tracing::warn!(%error, "the Primary was not told that this Backup leaves the zone");
        }
    }
}

/// A reason that was given, and is short enough.
pub(super) fn typed_reason(reason: &str) -> Answer<&str> {
    check_reason(Some(reason))?;
    let reason = reason.trim();
    if reason.is_empty() { Err(problem::invalid_field("reason", "must say why; it is kept")) } else { Ok(reason) }
}
