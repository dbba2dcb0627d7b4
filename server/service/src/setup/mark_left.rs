//! That a server has left its zone and its mark stays in its database. The server's application log is closed by then, so
//! it is noted in the data directory, and the next server there tells it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::note;
use crate::log::{Journal, catalogue, details};

/// The note's file.
const FILE: &str = "mark-left.json";

/// What the note says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct MarkLeft {
    /// The database; empty when that is not known.
    pub place: String,
    /// Why the mark could not be taken out.
    pub error: String,
    /// In ms since 1970 UTC.
    pub at: i64,
}

impl MarkLeft {
    /// Keeps it for the next server. A disk that takes nothing holds nobody in a zone: what is lost then was said before.
    pub fn write(&self, dir: &Path) {
        if let Err(error) = note::write(dir, FILE, self) {
            tracing::warn!(%error, "that a mark stays in a database is not kept for the application log");
        }
    }

    /// It is so no more, or was told.
    pub fn remove(dir: &Path) {
        if let Err(error) = note::remove(dir, FILE) {
            tracing::warn!(%error, "a note of the data directory cannot be removed; it is told again");
        }
    }
}

/// Records in the application log that the server which was here before has left its mark in its database, if it has.
pub async fn tell_mark_left(dir: &Path, journal: &Journal) {
    if !dir.join(FILE).exists() {
        return;
    }
    let MarkLeft { place, error, at } = note::read(dir, FILE).unwrap_or_default();
    let which = if place.is_empty() { "its Database".to_owned() } else { format!("its Database, {place}") };
    let why = if error.is_empty() { String::new() } else { format!(": {error}") };
    let message =
        format!("The server that was here before has left its zone, and its mark may still be in {which}{why}");
    journal.record(
        catalogue::DATABASE_MARK_LEFT,
        message,
        details([("place", &place), ("error", &error), ("left_at", &at)]),
    );
    journal.flush().await;
    MarkLeft::remove(dir);
}
