//! A set-up that is not finished leaves a note in the data directory: what is there is not a server yet, and the next
//! attempt goes on under the same identity, which the Primary may know already.

use std::path::Path;

use serde::{Deserialize, Serialize};
use userlock_core::id::{ServerId, ZoneId};

use super::{Failure, note};
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
        note::read(dir, FILE)
    }

    /// Writes it down. It is on the disk before anything else is made.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn write(&self, dir: &Path) -> Result<(), Failure> {
        note::write(dir, FILE, self).map_err(|error| super::place::failed(&dir.join(FILE), &error))
    }

    /// The set-up is finished: from now on there is a server.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn remove(dir: &Path) -> Result<(), Failure> {
        // A note that came back with a power cut would take a server for one that is not finished.
        note::remove(dir, FILE).map_err(|error| super::place::failed(&dir.join(FILE), &error))
    }
}
