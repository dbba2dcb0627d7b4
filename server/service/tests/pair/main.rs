//! The pair as it is run: two servers, each a process with its own data directory, and agents that speak to both. What
//! is broken here is broken from outside, by signals and by files that are put back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by stopping"
)]

mod accounts;
mod certificate;
mod decisions;
mod faults;
mod kill;
mod leave;
mod settings;
mod support;
mod sync;
