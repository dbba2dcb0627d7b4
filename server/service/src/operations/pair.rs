//! Who belongs to the zone: removing its Backup, and taking this server out of it.

use std::time::Duration;

use userlock_core::api::ServerRole;

use super::{check_reason, refusal_of};
use crate::{
    http::{
        problem::{self, Answer, Refusal},
        state::App,
    },
    log::{catalogue, details},
    setup::{NotLeft, begin_leaving},
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
        let meant = self.zone.stored_peer();
        let _membership = self.zone.membership().lock().await;
        let Some(peer) = self.zone.stored_peer() else {
            let detail = "This zone has no Backup. Nothing was changed.";
            return Err(problem::conflict("no_backup", "No Backup", detail));
        };
        // Whoever has joined meanwhile is not the one that is to go.
        if meant.is_none_or(|meant| !meant.is_let_in_like(&peer)) {
            let detail =
                format!("{} has joined meanwhile and is the Backup of this zone. Nothing was changed.", peer.name);
            return Err(problem::conflict("has_a_backup", "Another Backup has joined", detail));
        }
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
        if self.leaving.is_cancelled() {
            return Ok(());
        }
        self.must_have_no_backup()?;
        // From here on it has left, also when it is killed: nobody is told what is not so.
        let dir = self.archive.dir().to_owned();
        let noted = tokio::task::spawn_blocking(move || begin_leaving(&dir, chrono::Utc::now())).await;
        noted.map_err(|_| problem::internal())?.map_err(|error| not_left(&error))?;
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

/// That this server is in its zone as before, and what the next start makes of it.
fn not_left(error: &NotLeft) -> Refusal {
    let detail = match error {
        NotLeft::Unwritten(error) => {
            format!("This server cannot write to its data directory: {error}. Nothing was changed.")
        }
        NotLeft::Noted { written, removed } => format!(
            "This server cannot write to its data directory: {written}. It is still in its zone, but at its next start it leaves: leaving.json in that directory says so and cannot be removed ({removed}). Remove that file to keep the server in its zone, or ask again to leave now."
        ),
    };
    problem::unavailable("storage_failed", detail)
}

/// A reason that was given, and is short enough.
pub(super) fn typed_reason(reason: &str) -> Answer<&str> {
    check_reason(Some(reason))?;
    let reason = reason.trim();
    if reason.is_empty() { Err(problem::invalid_field("reason", "must say why; it is kept")) } else { Ok(reason) }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use userlock_core::{
        agent_api::ServerAddress,
        id::{Epoch, ServerId, ZoneId},
        settings::{Change, OwnSettings, ZoneDocument, ZoneSettings},
    };

    use super::*;
    use crate::{
        archive::Archive,
        config::{Config, LogConfig, LogFormat, Switch},
        log::{Journal, SystemLog},
        run::{Assembled, assemble},
        store::product::ProductStore,
        zone::{self, Genesis, StoredPeer},
    };

    #[tokio::test]
    async fn one_that_has_joined_meanwhile_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let change = Change { epoch: Epoch::default(), at: 0, by: "test", section: "general", reason: None };
        let genesis = Genesis {
            server_id: ServerId([7; 16]),
            zone_id: ZoneId([8; 16]),
            role: ServerRole::Primary,
            epoch: Epoch::default(),
            settings: ZoneDocument::next(None, ZoneSettings::default(), change).unwrap(),
            own: OwnSettings::default(),
            peer: None,
        };
        zone::create(dir.path(), &genesis).await.unwrap();
        let address = ServerAddress::new("http://127.0.0.1:1", "");
        let (zone, _writer, _notes) = zone::open(dir.path(), "primary".into(), address.clone()).await.unwrap();
        let product = ProductStore::open(dir.path()).await.unwrap();
        let (journal, _task) = Journal::start(product.clone(), SystemLog::None);
        let off =
            LogConfig { filter: "info".into(), format: LogFormat::Text, journald: Switch::Off, syslog: Switch::Off };
        let config = Config {
            listen: ([127, 0, 0, 1], 1).into(),
            dir: dir.path().to_owned(),
            name: "primary".into(),
            public_url: address.url.clone(),
            tls: None,
            plain_http: true,
            log: off,
        };
        let parts = Assembled { zone: &zone, sync: None, journal: &journal, product: &product };
        let stop = tokio_util::sync::CancellationToken::new();
        let (app, _pair) = assemble(&config, parts, &Archive::new(dir.path()), None, &stop).await.unwrap();
        let backup = |id: u8, token: &str| StoredPeer {
            server_id: ServerId([id; 16]),
            name: format!("backup-{id}"),
            address: address.clone(),
            account: "admin".into(),
            token_hash: token.into(),
            told_under: None,
            token: None,
        };
        let known = || zone.stored_peer().map(|peer| peer.name);
        zone.set_peer(backup(1, "one")).await.unwrap();

        // Another one in its place, or the same anew, while whoever removes it waits.
        for joined in [backup(2, "two"), backup(2, "three")] {
            let joining = zone.membership().lock().await;
            let mut removing = Box::pin(app.remove_backup("admin", "broken"));
            assert!(removing.as_mut().now_or_never().is_none(), "it waits for who joins");
            zone.set_peer(joined).await.unwrap();
            drop(joining);
            let refused = removing.await.unwrap_err();
            assert_eq!(userlock_core::api::Problem::from(refused).code, "has_a_backup");
            assert_eq!(known().as_deref(), Some("backup-2"));
        }
        app.remove_backup("admin", "broken").await.unwrap();
        assert_eq!(known(), None);
    }
}
