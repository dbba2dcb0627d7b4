//! `GET /live`: one task computes the picture of the pair for all who watch.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::Extension;
use axum::{
    extract::State,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use userlock_core::{api::Overview, settings::Rights};

use super::{problem, state::App};
use crate::{
    auth::{Principal, Proof, is_valid},
    clock,
};

/// The most streams at a time.
const MAX_STREAMS: usize = 512;
/// The picture is computed so often while somebody watches.
const EVERY: Duration = Duration::from_secs(1);
/// And sent at least so often.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// A watcher that does not read for so long is let go.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is sent, as somebody who may see all of it gets it.
#[derive(Debug, Default)]
struct Picture {
    overview: Option<Overview>,
    json: String,
}

impl Picture {
    /// Of what it is for somebody with these rights.
    fn json_for(&self, rights: Rights) -> String {
        let seen = self.overview.clone().map(|overview| overview.seen_by(rights));
        if seen == self.overview {
            return self.json.clone();
        }
        seen.and_then(|overview| serde_json::to_string(&overview).ok()).unwrap_or_default()
    }
}

/// The live picture.
#[derive(Debug)]
pub struct Live {
    picture: watch::Sender<Arc<Picture>>,
    streams: Arc<Semaphore>,
}

impl Default for Live {
    fn default() -> Self {
        Self { picture: watch::Sender::new(Arc::default()), streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }
}

impl Live {
    /// How many watch.
    #[must_use]
    pub fn watchers(&self) -> usize {
        MAX_STREAMS - self.streams.available_permits()
    }
}

/// Computes the picture while somebody watches, and sends it when it has changed or grown old.
pub async fn broadcast(app: App) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Overview, Instant)> = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.stop.cancelled() => return,
        }
        if app.live.picture.receiver_count() == 0 {
            last = None;
            continue;
        }
        let overview = match app.overview().await {
            Ok(overview) => overview,
            Err(refusal) => {
                tracing::warn!(detail = refusal.problem().detail, "the live picture cannot be computed");
                continue;
            }
        };
        let fresh =
            last.as_ref().is_some_and(|(before, at)| at.elapsed() < AT_LEAST_EVERY && is_same(before, &overview));
        if !fresh && let Ok(json) = serde_json::to_string(&overview) {
            app.live.picture.send_replace(Arc::new(Picture { overview: Some(overview.clone()), json }));
            last = Some((overview, Instant::now()));
        }
    }
}

/// Whether two pictures show the same, the time aside.
fn is_same(before: &Overview, after: &Overview) -> bool {
    let mut before = before.clone();
    before.server.now = after.server.now;
    before.certificate.compared_at = after.certificate.compared_at;
    before.certificate.equal_at = after.certificate.equal_at;
    if let (Some(before), Some(after)) = (&mut before.server.peer, &after.server.peer) {
        before.last_contact = after.last_contact;
        before.clock_skew_ms = after.clock_skew_ms;
    }
    before == *after
}

struct Watcher {
    app: App,
    principal: Principal,
    picture: watch::Receiver<Arc<Picture>>,
    first: bool,
    _permit: OwnedSemaphorePermit,
}

/// The stream: ends when the sign-in ends or the server stops.
pub async fn live(State(app): State<App>, Extension(principal): Extension<Principal>) -> Response {
    let Ok(permit) = Arc::clone(&app.live.streams).try_acquire_owned() else {
        return problem::unavailable("too_many_streams", "Too many dashboards are open.")
            .retry_after(10)
            .into_response();
    };
    let picture = app.live.picture.subscribe();
    let watcher = Watcher { app, principal, picture, first: true, _permit: permit };
    let events: std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>> =
        Box::pin(stream::unfold(watcher, next));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

async fn next(mut watcher: Watcher) -> Option<(Result<Event, Infallible>, Watcher)> {
    if watcher.first {
        watcher.first = false;
        // What another watcher got a moment ago may be old; this one's first is computed for it.
        let overview = watcher.app.overview().await.ok()?;
        watcher.picture.mark_unchanged();
        let json = serde_json::to_string(&overview.seen_by(watcher.principal.rights)).ok()?;
        return Some((Ok(Event::default().event("overview").data(json)), watcher));
    }
    let stop = watcher.app.stop.clone();
    tokio::select! {
        changed = watcher.picture.changed() => changed.ok()?,
        () = stop.cancelled() => return None,
    }
    let rights = rights_now(&watcher.app, &watcher.principal)?;
    let picture = watcher.picture.borrow_and_update().clone();
    Some((Ok(Event::default().event("overview").data(picture.json_for(rights))), watcher))
}

/// What somebody who is still signed in may do by now. Watching is not activity: it does not keep a sign-in from ending.
fn rights_now(app: &App, principal: &Principal) -> Option<Rights> {
    app.zone.read(|server| {
        let security = &server.settings.settings.security;
        match &principal.proof {
            Proof::SignIn(id) => Some(app.sign_ins.check(id, security, clock::now_ms(), false)?.rights),
            Proof::Token => {
                let now = clock::now_ms();
                let token = security.tokens.iter().find(|token| token.name == principal.name)?;
                is_valid(token, now).then(|| security.rights_of([token.role.as_str()]))
            }
            Proof::Local => Some(Rights::ALL),
        }
    })
}
