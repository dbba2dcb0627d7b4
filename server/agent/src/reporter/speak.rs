//! What the agent tells: hellos, and the events that the server in use lacks.

use std::time::Duration;

use tokio::time::sleep;
use userlock_core::{
    agent::spool::{HeldBy, Span, rank, to_send},
    agent_api::{EventsRequest, HelloRequest, HelloResponse, HelloVerdict},
    event::{Inventory, kind},
    id::OriginId,
};

use super::{
    Reporter, Zone,
    state::{State, pins_of},
};
use crate::{
    client::{CallError, Server},
    spool::{Draft, Spool, SpoolError},
    system::{jitter, monotonic_ms, wall_ms},
};

const HELLO_TIMEOUT: Duration = Duration::from_secs(3);
const EVENTS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after something that will not be better at once.
const PAUSE: Duration = Duration::from_secs(5);

/// How long until the other server's share is asked for, after something was sent, in ms.
pub(super) const FIRST_RECHECK_MS: u64 = 1000;

/// The most bytes of the reason why an agent is at a server.
const MAX_WHY_BYTES: usize = 1000;

/// Why a turn of the conversation ended early.
enum Stop {
    /// The call failed.
    Call(CallError),
    /// The spool failed.
    Spool(SpoolError),
    /// A new origin was taken: say hello again, after so long.
    Again(Duration),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<SpoolError> for Stop {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl Reporter {
    /// Says hello each heartbeat and at each change, and sends what is to be sent.
    pub(super) async fn speak(&self) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            let pause = self.turn().await;
            tokio::select! {
                () = self.news.notified() => {}
                _ = moved.changed() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// One turn with the server in use. How long nothing is to be done.
    async fn turn(&self) -> Duration {
        let server = {
            let state = self.state();
            if state.contact.alone() { None } else { state.in_use() }
        };
        // When no server answers, the probes find the first that does.
        let Some(server) = server else { return PAUSE };
        let outcome = tokio::select! {
            outcome = self.converse(&server) => outcome,
            () = self.left(&server) => return Duration::ZERO,
        };
        match outcome {
            Ok(()) => {
                let due = self.state().next_hello;
                Duration::from_millis(due.saturating_sub(monotonic_ms()).max(1))
            }
            Err(Stop::Again(pause)) => pause,
            Err(Stop::Spool(error)) => {
                tracing::error!(%error, "the spool failed");
                PAUSE
            }
            Err(Stop::Call(error)) => self.call_failed(&server, &error),
        }
    }

    /// Ends when another server is used: a call to one that hangs is not waited for any longer then.
    async fn left(&self, server: &Server) {
        let mut moved = self.moved.subscribe();
        while self.state().in_use().is_some_and(|now| now.address() == server.address()) {
            // The channel lives as long as we do.
            let _ = moved.changed().await;
        }
    }

    fn call_failed(&self, server: &Server, error: &CallError) -> Duration {
        let mut state = self.state();
        if error.is_of_the_server() {
            let moved = state.failed(server, error);
            drop(state);
            if moved {
                self.moved();
            }
            return Duration::from_millis(100);
        }
        state.greeted = None;
        tracing::warn!(server.url = server.address().url, %error, "a server does not accept what this agent told it");
        PAUSE
    }

    async fn converse(&self, server: &Server) -> Result<(), Stop> {
        let greet = {
            let state = self.state();
            !state.is_greeted(server) || monotonic_ms() >= state.next_hello
        };
        if greet {
            self.greet(server).await?;
        }
        while let Some((origin, batch)) = self.next_batch()? {
            if self.state().in_use().is_none_or(|now| now.address() != server.address()) {
                break;
            }
            let answer = server.events(&self.identity.token, &batch, EVENTS_TIMEOUT).await?;
            for rejected in &answer.rejected {
                tracing::error!(event.seq = rejected.seq, code = rejected.code.as_str(), "a server rejected an event");
            }
            let held = HeldBy::new(&answer.held, answer.peer_held.as_deref());
            if !progress(&batch, &held) {
                let text = "it answered without holding what it was sent".to_owned();
                return Err(CallError::BadAnswer(text).into());
            }
            self.state().recheck_ms = FIRST_RECHECK_MS;
            self.holds(server, origin, held);
        }
        self.schedule();
        Ok(())
    }

    /// The next batch for the server in use, with the origin that it is of.
    fn next_batch(&self) -> Result<Option<(OriginId, EventsRequest)>, SpoolError> {
        let spool = self.spool();
        let held = self.state().held.clone();
        let Some(span) = to_send(spool.kept(), &held).first().copied() else { return Ok(None) };
        Ok(spool.batch(span)?.map(|batch| (spool.origin(), batch)))
    }

    /// A server told what is held of an origin.
    fn holds(&self, server: &Server, origin: OriginId, held: HeldBy) {
        let mut spool = self.spool();
        let mut state = self.state();
        state.answered(server);
        if spool.origin() != origin {
            return;
        }
        state.held = held.clone();
        drop(state);
        if let Err(error) = spool.release(&held) {
            tracing::error!(%error, "the spool's file could not be made smaller");
        }
    }

    /// Says hello sooner than at the next heartbeat while something waits for the other server to hold it: soon at first,
    /// then more and more seldom, since that server may be away for days.
    fn schedule(&self) {
        let waiting = self.waiting() > 0;
        let mut state = self.state();
        if waiting {
            state.next_hello = state.next_hello.min(monotonic_ms().saturating_add(state.recheck_ms));
            state.recheck_ms = state.recheck_ms.saturating_mul(2).min(heartbeat_ms(&state));
        } else {
            state.recheck_ms = FIRST_RECHECK_MS;
        }
    }

    /// Says hello, and does what the answer asks for.
    async fn greet(&self, server: &Server) -> Result<(), Stop> {
        let request = self.hello();
        let answer = server.hello(&self.identity.token, &request, HELLO_TIMEOUT).await?;
        let zone = {
            let mut state = self.state();
            state.learn(&answer, &self.clients);
            // Also what could not be written before.
            (state.zone != state.written).then(|| state.zone.clone())
        };
        let learned = zone.is_some_and(|zone| self.write_down(zone));
        if let Some(anew) = self.must_renew(&request, &answer) {
            self.renew(&anew, &answer)?;
            if request.rank != 0 {
                let mut state = self.state();
                state.rewinds = state.rewinds.saturating_add(1);
                let pause = 100_u64.saturating_mul(1 << state.rewinds.min(20)).min(heartbeat_ms(&state));
                return Err(Stop::Again(Duration::from_millis(pause)));
            }
        }
        let origin = self.spool().origin();
        self.holds(server, origin, HeldBy::new(&answer.held, answer.peer_held.as_deref()));
        let news = {
            let mut state = self.state();
            let news = !state.is_greeted(server);
            if news {
                let why = state.index(server).map(|index| state.contact.why(index)).unwrap_or_default();
                tracing::info!(
                    server.url = server.address().url,
                    why,
                    skew_ms = answer.skew_ms,
                    "reporting to this server"
                );
                state.taken.clear();
            }
            state.greeted = Some((server.address().url.clone(), origin));
            state.rewinds = 0;
            let heartbeat = heartbeat_ms(&state);
            // That a certificate is known is told soon: a server waits for it before it replaces its own.
            let soon = FIRST_RECHECK_MS + jitter(FIRST_RECHECK_MS);
            let pause = if learned { soon.min(heartbeat) } else { heartbeat - jitter(heartbeat / 10) };
            state.next_hello = monotonic_ms().saturating_add(pause);
            news
        };
        if news {
            self.moved();
        }
        Ok(())
    }

    /// Writes down what the zone told. Whether other certificates are known because of it.
    fn write_down(&self, zone: Zone) -> bool {
        if let Err(error) = self.host.zone(&zone) {
            tracing::error!(%error, "what the servers told could not be written");
            return false;
        }
        let mut state = self.state();
        let before = std::mem::replace(&mut state.written, zone);
        pins_of(&before.servers) != pins_of(&state.written.servers)
    }

    fn hello(&self) -> HelloRequest {
        let spool = self.spool();
        let state = self.state();
        let mut why = state.contact.why(state.contact.in_use());
        why.truncate(why.floor_char_boundary(MAX_WHY_BYTES));
        HelloRequest {
            origin: spool.origin(),
            rank: spool.rank(),
            ranges: spool.ranges(),
            boot: self.boot,
            monotonic_ms: monotonic_ms(),
            wall_ms: wall_ms(),
            why,
            epoch: state.memory.epoch,
            spool: spool.waiting(&state.held),
            reaches: state.reaches.clone(),
            pins: pins_of(&state.written.servers),
            version: concat!("userlock-agent ", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// Whether the numbering must be begun anew, and which records must then be written again. None is fixed yet, or
    /// the servers know another than ours, or they know a later one of this machine.
    fn must_renew(&self, request: &HelloRequest, answer: &HelloResponse) -> Option<Renewal> {
        if request.rank == 0 {
            return Some(Renewal::Settle);
        }
        let spool = self.spool();
        let ours = |range: &userlock_core::agent_api::Range| {
            spool.chain_at(range.last).filter(|_| range.last > 0 && !range.chain.is_nil())
        };
        let proved = answer.held.iter().filter(|range| ours(range) == Some(range.chain)).map(|range| range.last).max();
        let forked = answer.held.iter().any(|range| ours(range).is_some_and(|chain| chain != range.chain));
        if forked || answer.verdict == HelloVerdict::Rewound {
            return Some(Renewal::After(answer.proved.max(proved.unwrap_or(0))));
        }
        let held = HeldBy::new(&answer.held, answer.peer_held.as_deref());
        (answer.highest_rank > request.rank).then_some(Renewal::Unheld(held))
    }

    fn renew(&self, anew: &Renewal, answer: &HelloResponse) -> Result<(), SpoolError> {
        let mut result = Ok(());
        self.host.inventory(&mut |inventory| result = self.renew_with(anew, answer, &inventory));
        result?;
        self.state().held = HeldBy { server: Vec::new(), peer: Some(Vec::new()) };
        Ok(())
    }

    fn renew_with(&self, anew: &Renewal, answer: &HelloResponse, inventory: &Inventory) -> Result<(), SpoolError> {
        let inventory = Draft::new(kind::INVENTORY, wall_ms(), inventory)?;
        let mut spool = self.spool();
        let rank = rank(wall_ms(), answer.highest_rank.max(spool.rank()));
        let Some(carried) = anew.carried(&spool) else {
            spool.settle(rank, Some(inventory))?;
            tracing::info!(origin = %spool.origin(), rank, "this agent's numbering begins");
            return Ok(());
        };
        let (old, count) = (spool.origin(), userlock_core::agent::spool::count(&carried));
        spool.restart(rank, &carried, inventory.clone(), inventory)?;
        tracing::warn!(
            origin.old = %old, origin = %spool.origin(), rank, events = count,
            "the servers do not recognize this agent's numbering (restored or cloned?): a new one begins, \
             and what they are not proved to hold is written again under it"
        );
        Ok(())
    }
}

/// How the numbering is begun anew.
enum Renewal {
    /// Nothing was ever sent: only the rank is to be fixed.
    Settle,
    /// What comes after this number is written again.
    After(u64),
    /// What the server does not hold is written again.
    Unheld(HeldBy),
}

impl Renewal {
    fn carried(&self, spool: &Spool) -> Option<Vec<Span>> {
        match self {
            Self::Settle => None,
            Self::After(proved) => Some(userlock_core::agent::spool::without(spool.kept(), &[(0, *proved)])),
            Self::Unheld(held) => Some(to_send(spool.kept(), held)),
        }
    }
}

fn heartbeat_ms(state: &State) -> u64 {
    u64::from(state.zone.settings.heartbeat_seconds.max(1)) * 1000
}

/// Whether something of the batch is held now that was not before: else it would be sent for ever.
fn progress(batch: &EventsRequest, held: &HeldBy) -> bool {
    let span = |record: &userlock_core::agent_api::WireRecord| (record.seq, record.seq);
    batch.records.first().is_some_and(|first| to_send(&[span(first)], held).is_empty())
}
