//! The application log: the events of the product itself, source `UserLock`.
//!
//! [`catalogue`] has every event with its stable id. [`Journal`] writes them: to the server's own table, to journald
//! or syslog, and to standard error. A cause that lasts is written once: by an [`Episode`] where its end
//! is noticed, else by [`Lasting`].

pub mod catalogue;
mod episode;
mod journal;
mod lasting;
mod system;

use std::borrow::Cow;

pub use catalogue::Kind;
pub use episode::Episode;
pub use journal::{Details, Journal, JournalTask, details};
pub use lasting::Lasting;
pub use system::{SystemLog, SystemLogPaths};

/// A text as one line, without what steers a terminal: nobody who is told of in it can begin a line of their own.
fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => Cow::Owned(text.replace(char::is_control, " ")),
        false => Cow::Borrowed(text),
    }
}

/// The source of every event.
pub const SOURCE: &str = "UserLock";
