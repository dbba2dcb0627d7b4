//! A set-up that is not finished leaves a note in the data directory: what is there is not a server yet, and the next
//! attempt goes on under the same identity, which the Primary may know already.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use userlock_core::id::{ServerId, ZoneId};

use super::Failure;
use crate::random;

/// The note's file.
const FILE: &str = "unfinished.json";

/// What an unfinished set-up knows. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The id that was drawn for the server.
    pub server_id: ServerId,
    /// The zone that it has joined, if it has.
    #[serde(default)]
    pub zone: Option<(ZoneId, String)>,
}

impl Leftover {
    /// One with a new id.
    ///
    /// # Errors
    /// [`Failure`] without randomness.
    pub fn draw() -> Result<Self, Failure> {
        Ok(Self { server_id: ServerId(random::bytes()?), zone: None })
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// The one that is in a data directory. One that cannot be read is none: a new id is drawn then.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
    }

    /// Writes it down. It is on the disk before anything else is made.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = dir.join(FILE);
        let failed = |error: io::Error| super::place::failed(&path, &error);
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        let mut file = fs::File::create(&path).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).and_then(|()| sync_dir(dir)).map_err(failed)
    }

    /// The set-up is finished: from now on there is a server.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn remove(dir: &Path) -> Result<(), Failure> {
        let path = dir.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A note that came back with a power cut would take a server for one that is not finished.
            removed => removed.and_then(|()| sync_dir(dir)).map_err(|error| super::place::failed(&path, &error)),
        }
    }
}

/// What was made or removed in a directory is so on the disk, too.
fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}
