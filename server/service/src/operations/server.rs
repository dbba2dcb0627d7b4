//! This server and the other one, as they are.

use userlock_core::{
    api::{PeerView, Phase, ServerRole, ServerView},
    settings::PrimaryAddress,
};

use crate::{clock, http::state::App};

impl App {
    /// This server's role.
    #[must_use]
    pub fn role(&self) -> ServerRole {
        self.zone.role()
    }

    /// The Primary's address, on a Backup.
    #[must_use]
    pub fn primary_url(&self) -> Option<String> {
        let own = self.zone.own().synchronization?;
        let PrimaryAddress { url, .. } = own.primary;
        Some(url)
    }

    /// Whether this server can decide, and if not why.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn is_ready(&self) -> Result<(), String> {
        if !self.zone.is_able() {
            return Err("commits to this server's disk fail".to_owned());
        }
        let phase = self.zone.phase();
        match phase.phase {
            Phase::Joining | Phase::Returning | Phase::Superseded => {
                Err(format!("it is {}: {}", phase.phase.title(), phase.reason))
            }
            _ => Ok(()),
        }
    }

    /// This server.
    #[must_use]
    pub fn server_view(&self) -> ServerView {
        let phase = self.zone.phase();
        let peer = self.peer_view();
        self.zone.read(|server| ServerView {
            server_id: server.identity.server_id,
            role: server.identity.role,
            name: server.identity.name.clone(),
            phase: phase.phase,
            phase_detail: phase,
            epoch: server.epoch,
            log_id: server.log_id,
            position: server.position,
            settings_revision: server.settings.revision,
            held_digest: server.held().digest(),
            state_digest: server.state.digest(),
            open_sessions: server.state.live(),
            peer,
            sessions_version: server.state.version(),
            now: clock::now_ms(),
            version: crate::VERSION.to_owned(),
        })
    }

    /// The other server, as this one knows it.
    pub(super) fn peer_view(&self) -> Option<PeerView> {
        let stored = self.zone.stored_peer();
        let role = self.role();
        let (has_peer, log_id, position, cursor) =
            self.zone.read(|server| (server.peer_held().is_some(), server.log_id, server.position, server.cursor));
        if !has_peer && stored.is_none() {
            return None;
        }
        let peer = self.zone.peer();
        // Where the Backup is in the Primary's log, compared in one and the same log alone.
        let lag = peer.hello().and_then(|hello| match role {
            ServerRole::Backup => {
                (hello.log_id == cursor.log_id).then(|| hello.position.saturating_sub(cursor.position))
            }
            ServerRole::Primary => {
                (hello.cursor.log_id == log_id).then(|| position.saturating_sub(hello.cursor.position))
            }
        });
        let other = match role {
            ServerRole::Primary => ServerRole::Backup,
            ServerRole::Backup => ServerRole::Primary,
        };
        Some(peer.view(stored.as_ref(), other, lag))
    }
}
