//! The application log: the events of the product itself, source `UserLock`.
//!
//! [`catalogue`] has every event with its stable id. [`Journal`] writes them: to the server's own table, to journald
//! or syslog, and to standard error. A cause that lasts is written once, by an [`Episode`].

pub mod catalogue;
mod episode;
mod journal;
mod system;

pub use catalogue::Kind;
pub use episode::Episode;
pub use journal::{Details, Journal, JournalTask, details};
pub use system::{SystemLog, SystemLogPaths};

/// The source of every event.
pub const SOURCE: &str = "UserLock";
