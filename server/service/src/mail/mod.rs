//! Mail: a connection to the mail server, step by step, so that what fails has a name.

mod step;
mod test;

pub use step::{Failed, STEPS};
pub use test::{mailbox, test};
