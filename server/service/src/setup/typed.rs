//! What was typed into the Configuration wizard, in the data directory until the set-up is done: a power cut does not ask
//! for it again. No password, no token and no code is in it.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};
use userlock_core::api::ServerRole;

use super::{Failure, Reached, Step, note};

/// The file.
const FILE: &str = "draft.json";

/// What was typed, what was found, and how far the work of the last step came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Typed {
    /// What the server is for.
    pub role: Option<ServerRole>,
    /// The Primary's address.
    pub primary: String,
    /// The address whose certificate somebody has compared, and the certificate.
    pub confirmed: Option<(String, String)>,
    /// The Primary that was found there.
    pub reached: Option<Reached>,
    /// The zone's name.
    pub zone: String,
    /// The server's name.
    pub name: String,
    /// Its public address.
    pub public_url: String,
    /// The first administrator's name.
    pub admin: String,
    /// The service account.
    pub account: String,
    /// Whether the Backup that the zone has is replaced.
    pub replace: bool,
    /// The last step that was passed.
    pub passed: Step,
    /// How many parts of the last step's work are done, if it was begun.
    pub done: Option<usize>,
}

impl Typed {
    /// What is in a data directory, if anything is that can be read.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        note::read(dir, FILE)
    }

    /// Writes it in the place of what was there. It is on the disk when this returns.
    ///
    /// # Errors
    /// What the operating system said; then what was there stays.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        note::write(dir, FILE, self)
    }

    /// The set-up is done.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn remove(dir: &Path) -> Result<(), Failure> {
        note::remove(dir, FILE).map_err(|error| super::place::failed(&dir.join(FILE), &error))
    }
}
