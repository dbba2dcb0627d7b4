//! Setting up a server's state, and taking it up again at each start.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

use tokio::sync::{mpsc, watch};
use userlock_core::{
    api::ServerRole,
    id::{Epoch, LogId, OriginId, ServerId, ZoneId},
    pair::{BackupFacts, Phases, PrimaryFacts},
    server::{Cursor, Identity, Note, Server, Start},
    settings::{OwnSettings, ZoneDocument},
};

use super::{
    ActivityLog, Contacts, Inner, PeerStatus, StoredPeer, WAITING, WriterTask, Zone, monotonic_ms, writer::Writer,
};
use crate::{
    clock, random,
    store::{
        own,
        state::{self, Commit, StateError, StateStore, StateWriter},
    },
};

/// Records before the last checkpoint are looked through for decisions that may still count, back to so many ms ago and
/// among so many segments at most.
const RECENT_MS: i64 = 200_000;
const RECENT_SEGMENTS: u32 = 500_000;
/// Bytes of the log that are read at a time.
const READ_BYTES: usize = 8 * 1024 * 1024;

/// Why a server's state cannot be set up or taken up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state on the disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// No random numbers.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
    /// There is a state already.
    #[error("this data directory is set up already: choose another, or remove it first")]
    AlreadySetUp,
}

/// What a server begins with.
#[derive(Debug, Clone)]
pub struct Genesis {
    /// Drawn for it.
    pub server_id: ServerId,
    /// Drawn for the zone by its first server, told to a Backup.
    pub zone_id: ZoneId,
    /// Its role.
    pub role: ServerRole,
    /// The epoch.
    pub epoch: Epoch,
    /// The first settings; on a Backup, the Primary's.
    pub settings: ZoneDocument,
    /// Its own settings.
    pub own: OwnSettings,
    /// On a Backup: the Primary.
    pub peer: Option<StoredPeer>,
}

/// Sets up the state of a server in its data directory.
///
/// # Errors
/// [`StartError::AlreadySetUp`] when there is one; else why it cannot be written.
pub async fn create(dir: &Path, genesis: &Genesis) -> Result<(), StartError> {
    let (store, mut writer) = state::open(dir).await?;
    if store.get::<ServerId>("server_id").await?.is_some() {
        return Err(StartError::AlreadySetUp);
    }
    writer.commit(Commit { settings: Some(&genesis.settings), at: clock::now_ms(), ..Commit::default() }).await?;
    writer.put("zone_id", &genesis.zone_id).await?;
    writer.put("role", &genesis.role).await?;
    writer.put("epoch", &genesis.epoch).await?;
    writer.put(own::KEY, &genesis.own).await?;
    if let Some(peer) = &genesis.peer {
        writer.put("peer", peer).await?;
    }
    // Last, so that a set-up that was cut off is not taken for a whole one.
    writer.put("server_id", &genesis.server_id).await?;
    Ok(())
}

/// Takes up the state of a server: `name` and `address` are from its configuration. Returns it with the task that
/// commits, and what the application log should be told.
///
/// # Errors
/// [`StartError`].
pub async fn open(
    dir: &Path,
    name: String,
    address: userlock_core::agent_api::ServerAddress,
) -> Result<(Zone, WriterTask, mpsc::Receiver<Note>), StartError> {
    let (store, mut writer) = state::open(dir).await?;
    let missing = || StateError::NotSetUp;
    let server_id: ServerId = store.get("server_id").await?.ok_or_else(missing)?;
    let role: ServerRole = store.get("role").await?.ok_or_else(missing)?;
    let own_settings: OwnSettings = store.get(own::KEY).await?.ok_or_else(missing)?;
    let peer: Option<StoredPeer> = store.get("peer").await?;
    let identity =
        Identity { server_id, zone_id: store.get("zone_id").await?.ok_or_else(missing)?, name, role, address };
    let now = clock::now_ms();
    let server = take_up(&store, &mut writer, identity, peer.is_some(), now).await?;

    let (mono, has_peer) = (monotonic_ms(), peer.is_some());
    let joined = store.get("joined").await?.unwrap_or(false);
    let phases = match role {
        ServerRole::Primary => Phases::primary(has_peer, mono, now),
        ServerRole::Backup => Phases::backup(joined, mono, now),
    };
    let (jobs, receiver) = mpsc::channel(WAITING);
    let (notes, noted) = mpsc::channel(super::NOTES);
    let inner = Inner {
        position: watch::Sender::new(server.position),
        server: RwLock::new(server),
        jobs,
        store,
        commands: watch::Sender::new(0),
        notes,
        missed_notes: AtomicU64::new(0),
        able: AtomicBool::new(true),
        phases: Mutex::new(phases),
        facts: Mutex::new(BackupFacts { joined, ..BackupFacts::default() }),
        primary_facts: Mutex::new(PrimaryFacts { has_backup: has_peer, ..PrimaryFacts::default() }),
        peer: Mutex::new(PeerStatus::new(mono, now)),
        contacts: Mutex::new(Contacts::new(mono)),
        activity: Mutex::new(ActivityLog::default()),
        own: RwLock::new(own_settings),
        stored_peer: RwLock::new(peer),
        own_turn: tokio::sync::Mutex::default(),
        membership: tokio::sync::Mutex::default(),
    };
    let zone = Zone { inner: Arc::new(inner) };
    let task = Writer::start(zone.clone(), writer, receiver);
    Ok((zone, task, noted))
}

/// Draws the names of this start, writes them down, and puts the state together: what was written down of it, then the
/// records logged since.
async fn take_up(
    store: &StateStore,
    writer: &mut StateWriter,
    identity: Identity,
    has_peer: bool,
    now: i64,
) -> Result<Server, StartError> {
    let log_id_before: LogId = store.get("log_id").await?.unwrap_or_default();
    let log_id = LogId(random::bytes()?);
    let rank_before: u64 = store.get("rank").await?.unwrap_or(0);
    let rank = u64::try_from(now).unwrap_or(0).max(rank_before + 1);
    // Durable before the first record under them is sent.
    writer.put("rank", &rank).await?;
    writer.put("log_id", &log_id).await?;
    if store.get("fold_version").await? != Some(Server::ROWS_VERSION) {
        writer.forget_state().await?;
        writer.put("fold_version", &Server::ROWS_VERSION).await?;
    }
    let start = Start {
        identity,
        epoch: store.get("epoch").await?.unwrap_or_default(),
        log_id,
        log_id_before,
        origin: OriginId(random::bytes()?),
        rank,
        settings: store.settings().await?,
        cursor: store.get::<Cursor>("cursor").await?.unwrap_or_default(),
        has_peer,
    };
    let mut server = Server::new(start, now);
    let written: u64 = store.get("state_position").await?.unwrap_or(0);
    store.rows(|row| server.restore(&row, now).map_err(|_| StateError::Corrupt("a piece of the state"))).await?;
    server.restored(now);
    let recent = store.position_since(now - RECENT_MS, RECENT_SEGMENTS).await?;
    let mut next = recent.map_or(written, |first| written.min(first.saturating_sub(1)));
    loop {
        let segments = store.segments_after(next, READ_BYTES).await?;
        let Some(last) = segments.last() else { break };
        next = last.last_position();
        for raw in &segments {
            server.replay(&raw.read()?, raw.first_position > written, now);
        }
    }
    server.position = server.position.max(written);
    Ok(server)
}
