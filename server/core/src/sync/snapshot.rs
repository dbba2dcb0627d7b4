//! A snapshot of a server's folded state at one position, as a stream of frames, with its count and hash.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    fold::{AgentState, Bucket, Decisions, FOLD_VERSION, MachineState},
    held::{Held, HeldOrigin},
    id::{AgentId, Digest, OriginId, hash128},
    record::Machine,
    server::{Cursor, Server},
};

/// How many origins or agents go into one frame.
const CHUNK: usize = 1000;

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SnapshotFrame {
    /// The first.
    Begin {
        /// The position of the log at which it was taken.
        at: Cursor,
        /// The version of the fold that made it.
        fold_version: u32,
        /// The digest of the sessions in it.
        state_digest: Digest,
        /// How many sessions that are not closed are in it.
        open_sessions: u64,
    },
    /// Machines with their sessions.
    Machines(Vec<(Machine, MachineState)>),
    /// What is held.
    Held(Vec<(OriginId, HeldOrigin)>),
    /// Enrolments.
    Agents(Vec<(AgentId, AgentState)>),
    /// Decisions and commands that still matter.
    Decisions(Decisions),
    /// The last.
    End {
        /// How many frames came before.
        frames: u64,
        /// Over their bytes.
        hash: Digest,
    },
}

/// A snapshot, received whole.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The position of the other server's log at which it was taken.
    pub at: Cursor,
    /// The digest of the sessions in it.
    pub state_digest: Digest,
    /// How many sessions that are not closed are in it.
    pub open_sessions: u64,
    /// Machines with their sessions.
    pub machines: Vec<(Machine, MachineState)>,
    /// What the other server held.
    pub held: Held,
    /// Enrolments.
    pub agents: Vec<(AgentId, AgentState)>,
    /// Decisions and commands that still matter, in parts.
    pub decisions: Vec<Decisions>,
}

/// Why a snapshot is not taken over. The list stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A frame cannot be read.
    #[error("a part of the snapshot cannot be read")]
    Malformed,
    /// Its parts come in another order than they must.
    #[error("the parts of the snapshot are out of order")]
    OutOfOrder,
    /// Its count or hash is not what it should be.
    #[error("the snapshot that arrived is not the one that was sent")]
    Corrupt,
    /// Another version of the fold made it.
    #[error(
        "the snapshot was made by another version of the fold ({0}, here {FOLD_VERSION}): bring both servers to one version"
    )]
    Version(u32),
}

/// What is needed of a server to send its snapshot while it goes on serving. Made under a short lock.
#[derive(Debug)]
pub struct Frozen {
    at: Cursor,
    state_digest: Digest,
    open_sessions: u64,
    buckets: Vec<Arc<Bucket>>,
    held: Vec<(OriginId, HeldOrigin)>,
    agents: Vec<(AgentId, AgentState)>,
    decisions: Decisions,
}

impl Server {
    /// Takes a snapshot: pointers to the sessions, copies of the rest.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        Frozen {
            at: Cursor { log_id: self.log_id, position: self.position },
            state_digest: self.state.digest(),
            open_sessions: self.state.live(),
            buckets: self.state.snapshot(),
            held: self.held().iter().map(|(origin, held)| (origin, held.clone())).collect(),
            agents: self.state.agents.iter().map(|(id, agent)| (id, agent.clone())).collect(),
            decisions: self.state.decisions.that_matter(),
        }
    }
}

/// The frames of a snapshot, made one after another as they are taken.
pub fn snapshot_frames(frozen: Frozen) -> impl Iterator<Item = Vec<u8>> + Send {
    let Frozen { at, state_digest, open_sessions, buckets, held, agents, decisions } = frozen;
    let begin = SnapshotFrame::Begin { at, fold_version: FOLD_VERSION, state_digest, open_sessions };
    let encode = |frame: &SnapshotFrame| postcard::to_allocvec(frame).unwrap_or_default();
    let machines = buckets.into_iter().filter(|b| !b.machines.is_empty()).map(|bucket| {
        SnapshotFrame::Machines(bucket.machines.iter().map(|(name, m)| (name.clone(), m.clone())).collect())
    });
    let mut held = held.into_iter();
    let held = std::iter::from_fn(move || some(held.by_ref().take(CHUNK).collect()).map(SnapshotFrame::Held));
    let mut agents = agents.into_iter();
    let agents = std::iter::from_fn(move || some(agents.by_ref().take(CHUNK).collect()).map(SnapshotFrame::Agents));
    let last = decisions.in_parts(CHUNK).into_iter().map(SnapshotFrame::Decisions);
    let mut body = std::iter::once(begin).chain(machines).chain(held).chain(agents).chain(last);
    let mut state = Some((0u64, Digest::NIL));
    std::iter::from_fn(move || {
        let (frames, hash) = state?;
        let Some(frame) = body.next() else {
            state = None;
            return Some(encode(&SnapshotFrame::End { frames, hash }));
        };
        let bytes = encode(&frame);
        state = Some((frames + 1, chain_hash(hash, &bytes)));
        Some(bytes)
    })
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn chain_hash(before: Digest, bytes: &[u8]) -> Digest {
    Digest(hash128("userlock snapshot 1", &[&before.0, bytes]))
}

/// Puts a snapshot together from its frames.
#[derive(Debug, Default)]
pub struct SnapshotReader {
    snapshot: Snapshot,
    frames: u64,
    hash: Digest,
    sessions: u64,
    ended: bool,
}

impl SnapshotReader {
    /// Takes the next frame.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let frame: SnapshotFrame = postcard::from_bytes(bytes).map_err(|_| SnapshotError::Malformed)?;
        let is_begin = matches!(frame, SnapshotFrame::Begin { .. });
        if self.ended || is_begin != (self.frames == 0) {
            return Err(SnapshotError::OutOfOrder);
        }
        match frame {
            SnapshotFrame::Begin { at, fold_version, state_digest, open_sessions } => {
                if fold_version != FOLD_VERSION {
                    return Err(SnapshotError::Version(fold_version));
                }
                self.snapshot = Snapshot { at, state_digest, open_sessions, ..Snapshot::default() };
            }
            SnapshotFrame::Machines(machines) => {
                let open = |m: &MachineState| {
                    m.sessions.iter().filter(|((boot, _), s)| m.ending(*boot, s).is_none()).count() as u64
                };
                self.sessions += machines.iter().map(|(_, m)| open(m)).sum::<u64>();
                self.snapshot.machines.extend(machines);
            }
            SnapshotFrame::Held(held) => {
                held.into_iter().for_each(|(origin, held)| self.snapshot.held.restore(origin, held));
            }
            SnapshotFrame::Agents(agents) => self.snapshot.agents.extend(agents),
            SnapshotFrame::Decisions(part) => self.snapshot.decisions.push(part),
            SnapshotFrame::End { frames, hash } => {
                if frames != self.frames || hash != self.hash || self.sessions != self.snapshot.open_sessions {
                    return Err(SnapshotError::Corrupt);
                }
                self.ended = true;
                return Ok(());
            }
        }
        self.frames += 1;
        self.hash = chain_hash(self.hash, bytes);
        Ok(())
    }

    /// How many sessions have arrived, and of how many.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.sessions, self.snapshot.open_sessions)
    }

    /// The snapshot, when it is whole.
    ///
    /// # Errors
    /// [`SnapshotError::Corrupt`] when its end has not come.
    pub fn finish(self) -> Result<Snapshot, SnapshotError> {
        if self.ended { Ok(self.snapshot) } else { Err(SnapshotError::Corrupt) }
    }
}
