//! What the application log of a Primary is to know of its Backup.

use userlock_core::{api::PeerState, id::ServerId};

use crate::{
    log::{Episode, Journal, catalogue, details},
    zone::{StoredPeer, Zone},
};

/// A Backup that is silent for so long is told of, in ms.
const SILENT_MS: u64 = 60_000;

/// What is wrong with the Backup: of another one it would not be true.
#[derive(Debug, Default)]
pub(super) struct Backup {
    who: Option<ServerId>,
    silence: Episode,
    refusal: Episode,
}

impl Backup {
    /// Tells what has begun or ended.
    pub(super) fn watch(&mut self, zone: &Zone, journal: &Journal, now: u64) {
        let stored = zone.stored_peer();
        let who = stored.as_ref().map(|peer| peer.server_id);
        if self.who != who {
            *self = Self { who, ..Self::default() };
        }
        let Some(stored) = stored else { return };
        self.watch_refusal(zone, journal, &stored, now);
        self.watch_silence(zone, journal, &stored, now);
    }

    /// A Backup that asks and is not let in is no spare either, and it is this server's account that must be mended.
    fn watch_refusal(&mut self, zone: &Zone, journal: &Journal, stored: &StoredPeer, now: u64) {
        let more = details([("server", &stored.name), ("address", &stored.address.url), ("account", &stored.account)]);
        let state = zone.peer().state(now);
        if state == PeerState::Refused {
            let message = format!(
                "The Backup {} asks and is refused: its service account {} is not an administrator of this Primary.",
                stored.name, stored.account
            );
            self.refusal.fail(journal, catalogue::PEER_REFUSED, &stored.account, message, more);
        } else if state == PeerState::Up {
            let message = format!("The Backup {} takes part again.", stored.name);
            self.refusal.heal(journal, catalogue::PEER_UP, message, more);
        }
    }

    /// A dead spare must not be found out on the day it is needed.
    fn watch_silence(&mut self, zone: &Zone, journal: &Journal, stored: &StoredPeer, now: u64) {
        // One that was dead before this server's start is as dead; one that is refused is not silent.
        let silent = now.saturating_sub(zone.peer().silent_since()) >= SILENT_MS;
        let more = details([("server", &stored.name), ("address", &stored.address.url)]);
        if silent {
            let message = format!(
                "The Backup {} has been silent for 60 s: nothing would stand in for this Primary now.",
                stored.name
            );
            self.silence.fail(journal, catalogue::PEER_SILENT, "silent", message, more);
        } else if zone.peer().in_contact(now) {
            let message = format!("The Backup {} is heard of again.", stored.name);
            self.silence.heal(journal, catalogue::PEER_UP, message, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::{
        agent_api::ServerAddress,
        api::{LogQuery, ServerRole},
        id::{Epoch, LogId, ZoneId},
        pair::DOWN_MS,
        settings::{Change, OwnSettings, ZoneDocument, ZoneSettings},
    };

    use super::*;
    use crate::{
        log::SystemLog,
        store::product::ProductStore,
        zone::{self, Genesis, monotonic_ms},
    };

    #[tokio::test]
    async fn what_was_wrong_with_a_backup_is_over_when_it_is_gone() {
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
        let (zone, _writer, _notes) = zone::open(dir.path(), "primary".into(), address.clone()).await.unwrap();
        let store = ProductStore::open(dir.path()).await.unwrap();
        let (journal, _task) = Journal::start(store.clone(), SystemLog::None);
        let told = async |kind: crate::log::Kind| {
            journal.flush().await;
            let query = LogQuery { id: Some(kind.id), ..LogQuery::default() };
            store.read_log(&query, 10, None).await.unwrap().items.len()
        };
        let join = async |id: u8| {
            let (name, account) = (format!("backup {id}"), "admin".to_owned());
            let (server_id, address, token_hash) = (ServerId([id; 16]), address.clone(), id.to_string());
            let told_under = None;
            let peer = StoredPeer { server_id, name, address, account, token_hash, told_under, token: None };
            zone.set_peer(peer).await.unwrap();
            zone.peer_begins_anew();
        };
        let heard = |now| {
            let hello = crate::sync::own_hello(&zone, LogId::NIL);
            zone.peer().heard(hello, now, 0);
        };
        let mut backup = Backup::default();
        let mut now = monotonic_ms();

        // One that is refused, and then takes part again.
        join(1).await;
        zone.peer().refused(now, 0);
        backup.watch(&zone, &journal, now);
        heard(now);
        backup.watch(&zone, &journal, now);
        assert_eq!((told(catalogue::PEER_REFUSED).await, told(catalogue::PEER_UP).await), (1, 1));

        // One that is refused asks again in its own time; refused or not, it was there.
        for _ in 0..2 {
            now += SILENT_MS / 2;
            backup.watch(&zone, &journal, now);
            zone.peer().refused(now, 0);
            backup.watch(&zone, &journal, now);
            now += DOWN_MS + 1;
            assert_eq!(zone.peer().state(now), PeerState::Down);
            backup.watch(&zone, &journal, now);
        }
        assert_eq!(told(catalogue::PEER_SILENT).await, 0, "it was refused, not silent");
        heard(now);
        backup.watch(&zone, &journal, now);
        assert_eq!((told(catalogue::PEER_REFUSED).await, told(catalogue::PEER_UP).await), (2, 2));

        // One that is refused and silent, and is removed, or replaced at once.
        for (other, removed) in [(2, true), (3, false)] {
            heard(now);
            now += SILENT_MS;
            backup.watch(&zone, &journal, now);
            zone.peer().refused(now, 0);
            backup.watch(&zone, &journal, now);
            if removed {
                zone.forget_peer().await.unwrap();
                backup.watch(&zone, &journal, now);
            }
            join(other).await;
            heard(now);
            backup.watch(&zone, &journal, now);
        }
        assert_eq!((told(catalogue::PEER_REFUSED).await, told(catalogue::PEER_SILENT).await), (4, 2));
        assert_eq!(told(catalogue::PEER_UP).await, 2, "the others never were away");

        // One that this server never heard of: it was dead before the start.
        let start = monotonic_ms();
        zone.peer_begins_anew();
        let mut backup = Backup::default();
        backup.watch(&zone, &journal, start + SILENT_MS - 1);
        assert_eq!(told(catalogue::PEER_SILENT).await, 2, "it may yet come");
        now = start + 2 * SILENT_MS;
        for second in 0..2 {
            backup.watch(&zone, &journal, now + second * 1_000);
        }
        assert_eq!(told(catalogue::PEER_SILENT).await, 3, "once");
        heard(now);
        backup.watch(&zone, &journal, now);
        assert_eq!(told(catalogue::PEER_UP).await, 3);
    }
}
