//! Finding out in the background how the servers are that are not used.

use std::time::Duration;

use tokio::time::sleep;

use super::Reporter;
use crate::{
    client::Server,
    system::{jitter, monotonic_ms},
};

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a spare server is called, so that a way to it that is closed is known before it is needed, in ms.
const SPARE_EVERY_MS: u64 = 60_000;
/// The longest sleep.
const REST_MS: u64 = 5_000;

impl Reporter {
    /// Probes the servers that failed when that is due, and looks after the spare ones.
    pub(super) async fn probe(&self) {
        let mut moved = self.moved.subscribe();
        let mut next_spare = monotonic_ms() + jitter(5_000);
        loop {
            moved.mark_unchanged();
            for server in self.due() {
                let result = server.ready(PROBE_TIMEOUT).await;
                tracing::debug!(server.url = server.address().url, ok = result.is_ok(), "probed");
                if self.state().probed(&server, result.as_ref().copied()) {
                    self.moved();
                }
            }
            if monotonic_ms() >= next_spare {
                next_spare = monotonic_ms() + SPARE_EVERY_MS + jitter(SPARE_EVERY_MS / 10);
                self.look_after_spares().await;
            }
            let next = self.state().contact.next_probe().unwrap_or(u64::MAX).min(next_spare);
            let pause = next.saturating_sub(monotonic_ms()).clamp(10, REST_MS);
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = moved.changed() => {}
            }
        }
    }

    fn due(&self) -> Vec<Server> {
        let state = self.state();
        state.contact.due(monotonic_ms()).into_iter().filter_map(|index| state.servers.get(index).cloned()).collect()
    }

    async fn look_after_spares(&self) {
        let spares: Vec<Server> = {
            let state = self.state();
            let used = state.contact.in_use();
            let spare = |index: &usize| *index != used && state.contact.is_good(*index);
            (0..state.servers.len()).filter(spare).filter_map(|index| state.servers.get(index).cloned()).collect()
        };
        for server in spares {
            if let Err(error) = server.ready(PROBE_TIMEOUT).await {
                self.state().failed(&server, &error);
            } else {
                self.state().answered(&server);
            }
        }
    }
}
