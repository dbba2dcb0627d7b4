//! The other server: what is remembered of it, and what is known of it at this moment.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use userlock_core::{
    agent_api::ServerAddress,
    api::{PeerState, PeerView, ServerRole},
    id::ServerId,
    pair::DOWN_MS,
    sync::Hello,
};

use super::monotonic_ms;

/// The other server, as it is kept on the disk.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPeer {
    /// Its id.
    pub server_id: ServerId,
    /// Its name.
    pub name: String,
    /// Where it can be reached.
    pub address: ServerAddress,
    /// The account that the Backup joined with.
    pub account: String,
    /// On a Primary: the BLAKE3 hash of the Backup's token, in hex.
    pub token_hash: String,
    /// On a Backup: the fingerprint by which its Primary was known when it told its address. As long as it is known by that
    /// one, it is trusted by those which it told, too; absent before it has told any.
    #[serde(default)]
    pub told_under: Option<String>,
    /// On a Backup: its token at the Primary. The file that it stands in is readable by this server only.
    pub token: Option<String>,
}

impl StoredPeer {
    /// On a Backup: by which certificates its Primary is trusted, which is known by the one with this fingerprint. What
    /// the Primary told on a connection to that one is its word, until somebody says that it is known by another.
    #[must_use]
    pub fn trusted(&self, fingerprint: &str) -> Vec<String> {
        let told = self.address.pins().filter(|pin| *pin != fingerprint);
        let told = told.filter(|_| self.told_under.as_deref() == Some(fingerprint));
        std::iter::once(fingerprint).chain(told).map(str::to_owned).collect()
    }

    /// Whether both are the same server by the same token.
    #[must_use]
    pub fn is_let_in_like(&self, other: &Self) -> bool {
        self.server_id == other.server_id && self.token_hash == other.token_hash
    }
}

impl std::fmt::Debug for StoredPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredPeer")
            .field("server_id", &self.server_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The most positions that are remembered to tell for how long the Backup has lagged.
const MAX_MARKS: usize = 100;

/// What is known of the other server at this moment.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    started: u64,
    started_at: i64,
    /// Its last hello, and when it came (on this server's forward clock, and in ms since 1970 UTC).
    last: Option<(Hello, u64, i64)>,
    /// What went wrong at the last attempt to reach it.
    pub last_error: Option<String>,
    /// The event of the application log that says what it means.
    pub last_error_id: Option<u32>,
    /// When one of the two last did not let the other take part (forward clock), and since when that lasts.
    refused: Option<(u64, i64)>,
    down_since: Option<i64>,
    up_since: Option<i64>,
    /// Positions of the Primary's log that the Backup has not reached, and when (forward clock) they were told.
    marks: VecDeque<(u64, u64)>,
    /// The other's clock less this one's, in ms, as last measured.
    pub skew_ms: Option<i64>,
    /// When the lists were last compared and when they were last equal, in ms since 1970 UTC.
    pub compared_at: Option<i64>,
    /// See [`Self::compared_at`].
    pub equal_at: Option<i64>,
}

impl PeerStatus {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(now: u64, wall: i64) -> Self {
        Self {
            started: now,
            started_at: wall,
            last: None,
            last_error: None,
            last_error_id: None,
            refused: None,
            down_since: None,
            up_since: None,
            marks: VecDeque::new(),
            skew_ms: None,
            compared_at: None,
            equal_at: None,
        }
    }

    /// Takes in a hello.
    pub fn heard(&mut self, hello: Hello, now: u64, wall: i64) {
        if self.state(now) != PeerState::Up {
            self.up_since = Some(wall);
        }
        (self.down_since, self.refused) = (None, None);
        (self.last_error, self.last_error_id) = (None, None);
        self.last = Some((hello, now, wall));
    }

    /// Notes that it could not be reached, or did not answer as it should; `id` is the event that says what that means.
    pub fn failed(&mut self, id: u32, error: String, wall: i64) {
        self.down_since.get_or_insert(wall);
        (self.last_error, self.last_error_id) = (Some(error), Some(id));
    }

    /// Notes that it is there and that one of the two does not let the other take part: the Primary the Backup.
    pub fn refused(&mut self, now: u64, wall: i64) {
        let since = self.refused.map_or(wall, |(_, since)| since);
        self.refused = Some((now, since));
    }

    /// Notes where the Primary's log is, and how far the Backup is in it.
    pub fn lags(&mut self, position: u64, cursor: u64, now: u64) {
        while self.marks.front().is_some_and(|(mark, _)| *mark <= cursor) {
            self.marks.pop_front();
        }
        let new = position > cursor && self.marks.back().is_none_or(|(mark, _)| *mark < position);
        // The oldest mark says for how long; of a long lag the newest are not needed.
        if new && self.marks.len() < MAX_MARKS {
            self.marks.push_back((position, now));
        }
    }

    /// For how many seconds the Backup has lacked records.
    #[must_use]
    pub fn lag_seconds(&self, now: u64) -> f64 {
        self.marks.front().map_or(0.0, |(_, since)| now.saturating_sub(*since) as f64 / 1000.0)
    }

    /// Its last hello.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.last.as_ref().map(|(hello, ..)| hello)
    }

    /// When it was last heard of, on the forward clock.
    #[must_use]
    pub fn last_contact(&self) -> Option<u64> {
        self.last.as_ref().map(|(_, at, _)| *at)
    }

    /// Since when there is no sign of it, on the forward clock: what it told last, or what it was refused last; until then
    /// since this server looks out for it.
    #[must_use]
    pub fn silent_since(&self) -> u64 {
        let refused = self.refused.map(|(at, _)| at);
        self.last_contact().max(refused).unwrap_or(self.started)
    }

    /// Whether it was heard of within the last 5 s.
    #[must_use]
    pub fn in_contact(&self, now: u64) -> bool {
        self.last_contact().is_some_and(|at| now.saturating_sub(at) < DOWN_MS)
    }

    /// Whether it answers.
    #[must_use]
    pub fn state(&self, now: u64) -> PeerState {
        if self.refused.is_some_and(|(at, _)| now.saturating_sub(at) < DOWN_MS) {
            PeerState::Refused
        } else if self.in_contact(now) {
            PeerState::Up
        } else if self.last.is_some() || now.saturating_sub(self.started) >= DOWN_MS {
            PeerState::Down
        } else {
            PeerState::Unknown
        }
    }

    /// As it is shown. `stored` is what is remembered of it; `role` is its role; `lag` how many records the Backup lacks.
    #[must_use]
    pub fn view(&self, stored: Option<&StoredPeer>, role: ServerRole, lag: Option<u64>) -> PeerView {
        let now = monotonic_ms();
        let state = self.state(now);
        // What has been recorded since it was refused is not told.
        let lag = lag.filter(|_| state != PeerState::Refused);
        let hello = self.hello();
        let name = hello.map(|h| h.name.clone()).or(stored.map(|s| s.name.clone())).unwrap_or_default();
        let address = hello.map(|h| h.address.url.clone()).or(stored.map(|s| s.address.url.clone()));
        let last_wall = self.last.as_ref().map(|(_, _, wall)| *wall);
        let since = match state {
            PeerState::Up => self.up_since.or(last_wall),
            PeerState::Refused => self.refused.map(|(_, since)| since),
            PeerState::Down => self.down_since.or(last_wall),
            PeerState::Unknown => None,
        };
        PeerView {
            role,
            name,
            address: address.filter(|a| !a.is_empty()),
            state,
            since: since.unwrap_or(self.started_at),
            phase: hello.map(|h| h.phase.clone()),
            last_contact: last_wall,
            last_error: self.last_error.clone(),
            last_error_id: self.last_error_id,
            open_sessions: hello.map(|h| h.open_sessions),
            position: hello.map(|h| h.position),
            held_digest: hello.map(|h| h.held_digest),
            state_digest: hello.map(|h| h.state_digest),
            settings_revision: hello.map(|h| h.settings),
            lag_events: lag,
            lag_seconds: lag.map(|_| self.lag_seconds(now)),
            clock_skew_ms: self.skew_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::{
        id::{Epoch, ZoneId},
        settings::{Change, OwnSettings, ZoneDocument, ZoneSettings},
    };

    use super::*;
    use crate::zone::{self, Genesis};

    fn backup(name: &str, token_hash: &str) -> StoredPeer {
        let address = ServerAddress::new(format!("http://{name}:1"), "");
        let (name, token_hash) = (name.to_owned(), token_hash.to_owned());
        let (server_id, account) = (ServerId([6; 16]), "admin".into());
        StoredPeer { server_id, name, address, account, token_hash, told_under: None, token: None }
    }

    #[test]
    fn one_that_was_never_heard_of_is_down_after_as_long_as_any_other() {
        let peer = PeerStatus::new(1_000, 77);
        assert_eq!(peer.state(1_000 + DOWN_MS - 1), PeerState::Unknown, "it may yet come");
        assert_eq!(peer.state(1_000 + DOWN_MS), PeerState::Down);
        let stored = backup("b", "token");
        let view = PeerStatus::new(0, 77).view(Some(&stored), ServerRole::Backup, None);
        let known = (view.state, view.since, view.last_contact, view.name.as_str());
        assert_eq!(known, (PeerState::Down, 77, None, "b"), "since this server's start");
    }

    #[tokio::test]
    async fn one_that_is_removed_before_its_new_name_is_written_stays_removed() {
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
        let address = ServerAddress::new("http://primary:1", "");
        let (zone, _writer, _notes) = zone::open(dir.path(), "primary".into(), address).await.unwrap();
        let kept = async || zone.store().get::<StoredPeer>("peer").await.unwrap();

        zone.set_peer(backup("old", "token")).await.unwrap();
        assert!(zone.renew_peer(backup("new", "token")).await.unwrap());
        assert_eq!((zone.stored_peer(), kept().await), (Some(backup("new", "token")), Some(backup("new", "token"))));

        // Both are in the queue before the writer comes to either.
        let (forgotten, renewed) = tokio::join!(zone.forget_peer(), zone.renew_peer(backup("newer", "token")));
        forgotten.unwrap();
        assert!(!renewed.unwrap());
        assert_eq!((zone.stored_peer(), kept().await), (None, None));

        // It has joined anew meanwhile, or another has in its place: the token that it came with counts no more.
        let (joined, renewed) = tokio::join!(zone.set_peer(backup("new", "b")), zone.renew_peer(backup("old", "a")));
        joined.unwrap();
        assert!(!renewed.unwrap());
        assert_eq!(zone.stored_peer(), Some(backup("new", "b")));
    }
}
