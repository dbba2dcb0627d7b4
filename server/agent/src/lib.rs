//! The agent: asks the servers of a protected zone whether a user may log on to this machine, reports the sessions, and
//! obeys commands.
//!
//! [`reporter`] is an agent without a machine, which a load generator or a played zone can have hundreds of;
//! [`daemon`] and [`pam`] make it the agent of a Linux machine.

pub mod accounts;
pub mod admitted;
pub mod client;
pub mod daemon;
pub mod enrol;
pub mod files;
pub mod hook;
pub mod pam;
pub mod reporter;
pub mod sessions;
pub mod signals;
pub mod spool;
pub mod system;

#[cfg(test)]
mod fake;
