//! What the tests of the pair share: servers as processes, agents, and what to wait for.

mod agent;
mod daemon;
mod device;
mod node;
mod pair;

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

pub use agent::{Machine, new_decision};
pub use daemon::Daemon;
pub use device::Device;
pub use node::{Node, run};
pub use pair::{Options, Pair, everybody};

/// Waits until `look` finds something, at most so long; else panics with `what` and what `look` said last.
pub async fn until<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    at_most: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + at_most;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(why) if Instant::now() > end => panic!("not within {at_most:?}: {what}: {why}"),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// `ok` when it is so, else what it is.
pub fn is(so: bool, what: impl std::fmt::Display) -> Result<(), String> {
    if so { Ok(()) } else { Err(what.to_string()) }
}
