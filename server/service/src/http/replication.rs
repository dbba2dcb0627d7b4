//! `/replication/v1`: what the Primary answers to its Backup.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::stream;
use serde::{Serialize, de::DeserializeOwned};
use subtle::ConstantTimeEq as _;
use userlock_core::{
    agent_api::DecisionResponse,
    api::ServerRole,
    fold::FOLD_VERSION,
    id::ServerId,
    pair::DOWN_MS,
    server::{Cursor, Input, Output, ReadRun, Refusal as CoreRefusal},
    settings::ZoneDocument,
    sync::{
        About, Frames, HeldRequest, HeldResponse, Hello, JoinRequest, JoinResponse, MAX_WAIT_SECONDS, MEDIA_TYPE,
        PAGE_BYTES, PROTOCOL_VERSION, PullHeader, PullRequest, PushHeader, PushResponse, VERSION_HEADER,
        differing_buckets, push_frame, snapshot_frames,
    },
};

use super::{
    agents::PairState,
    body::read_body,
    problem::{self, Answer, Refusal},
};
use crate::{
    clock,
    log::{catalogue, details},
    random,
    store::state::{StateError, read_runs},
    sync::ForwardRequest,
    zone::{StoredPeer, SubmitError, monotonic_ms},
};

/// The largest body of an exchange, in bytes.
const MAX_BODY_BYTES: usize = 40 * 1024 * 1024;
/// The most ranges in one question.
const MAX_RANGES: usize = 100_000;
/// The most records that are sent for one question of ranges.
const MAX_RECORDS: u64 = 50_000;

/// Every route here, all by `POST`: with whether it needs the token of the Backup.
pub const ROUTES: &[(&str, bool)] = &[
    ("/replication/v1/about", false),
    ("/replication/v1/join", false),
    ("/replication/v1/hello", true),
    ("/replication/v1/held", true),
    ("/replication/v1/pull", true),
    ("/replication/v1/push", true),
    ("/replication/v1/settings", true),
    ("/replication/v1/snapshot", true),
    ("/replication/v1/forward", true),
    ("/replication/v1/leave", true),
];

/// The routes, guarded.
pub fn router(state: PairState) -> Router {
    let guarded = Router::new()
        .route("/replication/v1/hello", post(hello))
        .route("/replication/v1/held", post(held))
        .route("/replication/v1/pull", post(pull))
        .route("/replication/v1/push", post(push))
        .route("/replication/v1/settings", post(settings))
        .route("/replication/v1/snapshot", post(snapshot))
        .route("/replication/v1/forward", post(forward))
        .route("/replication/v1/leave", post(leave))
        .layer(middleware::from_fn_with_state(state.clone(), guard));
    Router::new()
        .route("/replication/v1/about", post(about))
        .route("/replication/v1/join", post(join))
        .merge(guarded)
        .layer(middleware::from_fn(version))
        .with_state(state)
}

/// Refuses another version of the protocol by name, and names its own in every answer.
async fn version(request: Request, next: Next) -> Response {
    let theirs = request.headers().get(VERSION_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("none").to_owned();
    let mut response = if theirs == PROTOCOL_VERSION.to_string() {
        next.run(request).await
    } else {
        let detail = format!(
            "This server speaks version {PROTOCOL_VERSION} of the protocol between servers, the other {theirs}."
        );
        problem::refuse(400, "protocol_version", "Another version of the protocol", detail).into_response()
    };
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from(PROTOCOL_VERSION));
    response
}

/// Lets only the Backup in, as long as the account that it joined with is an administrator here.
async fn guard(State(state): State<PairState>, request: Request, next: Next) -> Response {
    match admit(&state, request.headers()) {
        Ok(peer) => {
            let mut request = request;
            request.extensions_mut().insert(peer);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn admit(state: &PairState, headers: &HeaderMap) -> Answer<Arc<StoredPeer>> {
    if state.zone.role() != ServerRole::Primary {
        return Err(problem::conflict("not_a_primary", "Not a Primary server", "This server is a Backup itself."));
    }
    let peer = state.zone.stored_peer().ok_or_else(problem::not_authenticated)?;
    let token = super::agents::bearer(headers).ok_or_else(problem::not_authenticated)?;
    let presented = random::hash_secret(token);
    if !bool::from(presented.as_bytes().ct_eq(peer.token_hash.as_bytes())) {
        return Err(problem::not_authenticated());
    }
    require_administrator(state, &peer.account).inspect_err(|_| {
        let why = format!("its service account {} is not an administrator here", peer.account);
        let mut status = state.zone.peer();
        status.failed(catalogue::PEER_REFUSED.id, why, clock::now_ms());
        status.refused(monotonic_ms(), clock::now_ms());
    })?;
    Ok(Arc::new(peer))
}

fn require_administrator(state: &PairState, account: &str) -> Answer<()> {
    if state.zone.read(|s| s.settings.settings.security.is_administrator(account)) {
        return Ok(());
    }
    let detail =
        format!("The account {account} is not an administrator on this Primary, which a service account must be.");
    Err(problem::refuse(403, "not_an_administrator", "Not an administrator", detail))
}

/// A body that is one frame.
async fn frame<T: DeserializeOwned>(request: Request) -> Answer<T> {
    let body = read_body(request, MAX_BODY_BYTES).await?;
    postcard::from_bytes(&body).map_err(|_| problem::bad_request("The body is not a frame of this protocol."))
}

/// An answer that is one frame.
fn framed(answer: &impl Serialize) -> Answer<Response> {
    let body = postcard::to_allocvec(answer).map_err(|_| problem::internal())?;
    Ok(bytes_response(Body::from(body)))
}

fn bytes_response(body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

async fn hello(
    State(state): State<PairState>,
    Extension(known): Extension<Arc<StoredPeer>>,
    request: Request,
) -> Answer<Response> {
    let theirs: Hello = frame(request).await?;
    let zone = &state.zone;
    let (zone_id, log_id) = zone.read(|s| (s.identity.zone_id, s.log_id));
    if theirs.zone_id != zone_id {
        return Err(problem::conflict(
            "other_zone",
            "Another protected zone",
            "This Primary belongs to another protected zone.",
        ));
    }
    if theirs.server_id != known.server_id {
        return Err(problem::not_authenticated());
    }
    let (now, wall) = (monotonic_ms(), clock::now_ms());
    refuse_clone(&state, &theirs, now)?;
    if theirs.name != known.name || theirs.address != known.address {
        let peer = StoredPeer { name: theirs.name.clone(), address: theirs.address.clone(), ..(*known).clone() };
        // One that was removed or replaced meanwhile is not made known again.
        if !zone.renew_peer(peer).await.map_err(|e| submit_refusal(&state, e))? {
            return Err(problem::not_authenticated());
        }
    }
    {
        let mut facts = zone.primary_facts();
        facts.backup_pushed = theirs.pushed_to == log_id;
    }
    let (position, held, sessions) = zone.read(|s| (s.position, s.held().digest(), s.state.digest()));
    let known = zone.read(|s| s.peer_held().is_some_and(|peer| peer.digest() == held));
    zone.note_peer(|server| {
        if theirs.cursor.log_id == log_id {
            server.peer_has(theirs.cursor.position);
        }
        if !known && theirs.held_digest == server.held().digest() {
            server.peer_equal_but(&[]);
        }
    });
    {
        let mut peer = zone.peer();
        let equal = theirs.held_digest == held;
        let same_log = theirs.cursor.log_id == log_id;
        let reached = if equal {
            position
        } else if same_log {
            theirs.cursor.position
        } else {
            0
        };
        peer.lags(position, reached, now);
        peer.skew_ms = Some(theirs.clock.saturating_sub(wall));
        peer.compared_at = Some(wall);
        if equal && theirs.state_digest == sessions && theirs.fold_version == FOLD_VERSION {
            peer.equal_at = Some(wall);
        }
        peer.heard(theirs, now, wall);
    }
    framed(&crate::sync::own_hello(zone, userlock_core::id::LogId::NIL))
}

/// A server that is known, with a log that does not follow the one that is known: restored if the known one has been
/// silent, else a clone.
fn refuse_clone(state: &PairState, theirs: &Hello, now: u64) -> Answer<()> {
    let (known, last) = {
        let peer = state.zone.peer();
        let hello = peer.hello().filter(|h| h.server_id == theirs.server_id);
        (hello.map(|h| (h.log_id, h.position)), peer.last_contact())
    };
    let Some((log_id, position)) = known else { return Ok(()) };
    let continues = theirs.log_id == log_id || theirs.log_id_before == log_id;
    if continues && theirs.position >= position {
        return Ok(());
    }
    let more = details([("server", &theirs.name), ("log", &theirs.log_id), ("known_log", &log_id)]);
    if last.is_some_and(|at| now.saturating_sub(at) >= 2 * DOWN_MS) {
        state.journal.record(
            catalogue::PEER_RESTORED,
            format!(
                "The Backup {} has come back from an older image of itself; what it lacks is sent again.",
                theirs.name
            ),
            more,
        );
        return Ok(());
    }
    let message =
        format!("Two servers answer to the name and token of the Backup {}. The second one is refused.", theirs.name);
    state.journal.record(catalogue::PEER_CLONED, message.clone(), more);
    Err(problem::conflict("cloned_server", "Two servers with one identity", message))
}

async fn held(State(state): State<PairState>, request: Request) -> Answer<Response> {
    let question: HeldRequest = frame(request).await?;
    if question.buckets.len() != userlock_core::held::BUCKETS || question.ranges.len() > MAX_RANGES {
        return Err(problem::bad_request("A comparison has 256 buckets and at most 100,000 origins."));
    }
    if !question.told.is_empty() {
        state.zone.note_peer(|server| server.peer_told(&question.told, &question.ranges));
    }
    state.zone.primary_facts().backup_progress = Some(monotonic_ms());
    let mut answer = None;
    state.zone.note_peer(|server| {
        let differing = differing_buckets(&server.held().buckets(), &question.buckets);
        server.peer_equal_but(&differing);
        let ranges = differing.iter().flat_map(|b| server.held().ranges_in(usize::from(*b))).collect();
        answer =
            Some(HeldResponse { differing, ranges, at: Cursor { log_id: server.log_id, position: server.position } });
    });
    framed(&answer.ok_or_else(problem::internal)?)
}

async fn pull(State(state): State<PairState>, request: Request) -> Answer<Response> {
    match frame(request).await? {
        PullRequest::After { cursor, asker, wait_seconds } => pull_after(&state, cursor, asker, wait_seconds).await,
        PullRequest::Ranges(ranges) => pull_ranges(&state, ranges).await,
    }
}

async fn pull_after(
    state: &PairState,
    cursor: Cursor,
    asker: userlock_core::id::LogId,
    wait_seconds: u32,
) -> Answer<Response> {
    let zone = &state.zone;
    let log_id = zone.read(|s| s.log_id);
    if cursor.log_id != log_id {
        let detail = "The place is in another log: what both hold is compared first.";
        return Err(problem::conflict("other_log", "Another log", detail));
    }
    // Whoever asks for what comes after a position has everything up to it.
    zone.note_peer(|server| server.peer_has(cursor.position));
    let mut position = zone.watch_position();
    let wait = Duration::from_secs(wait_seconds.min(MAX_WAIT_SECONDS).into());
    // When nothing comes in time, or the server stops, an empty page is the answer.
    tokio::select! {
        _ = tokio::time::timeout(wait, position.wait_for(|at| *at > cursor.position)) => {}
        () = state.stop.cancelled() => {}
    }
    let segments = zone.store().segments_after(cursor.position, PAGE_BYTES).await.map_err(|e| storage(state, &e))?;
    let at = zone.read(|s| s.position);
    let next = segments.last().map_or(cursor.position, |s| s.last_position().max(cursor.position));
    let head = PullHeader { next: Cursor { log_id, position: next }, position: at.max(next), truncated: false };
    let mut body = Vec::new();
    push_frame(&mut body, &postcard::to_allocvec(&head).map_err(|_| problem::internal())?);
    segments.iter().filter(|s| s.source != asker).for_each(|s| push_frame(&mut body, &s.runs));
    Ok(bytes_response(Body::from(body)))
}

async fn pull_ranges(state: &PairState, ranges: Vec<(userlock_core::id::OriginId, u64, u64)>) -> Answer<Response> {
    if ranges.len() > MAX_RANGES {
        return Err(problem::bad_request("At most 100,000 ranges are asked for at a time."));
    }
    let zone = &state.zone;
    let (log_id, position) = zone.read(|s| (s.log_id, s.position));
    let mut runs = Vec::new();
    let (mut wanted, mut found, mut bytes) = (0u64, 0u64, 0usize);
    for (origin, first, last) in ranges {
        let room = MAX_RECORDS.saturating_sub(wanted);
        if room == 0 || first > last {
            continue;
        }
        let last = last.min(first.saturating_add(room - 1));
        let most = PAGE_BYTES.saturating_sub(bytes);
        let (records, all) =
            zone.store().records_within(&origin.0, first, last, most).await.map_err(|e| storage(state, &e))?;
        let reached = records.last().and_then(userlock_core::record::Run::span).map_or(last, |(_, to)| to);
        wanted += if all { last } else { reached } - first + 1;
        found += records.iter().map(|r| r.entries.len() as u64).sum::<u64>();
        bytes += records.iter().flat_map(|r| &r.entries).map(|e| e.record.payload.len() + 128).sum::<usize>();
        runs.extend(records);
        // The Backup asks again for what is still lacking.
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    let head = PullHeader { next: Cursor { log_id, position }, position, truncated: found < wanted };
    let mut body = Vec::new();
    push_frame(&mut body, &postcard::to_allocvec(&head).map_err(|_| problem::internal())?);
    push_frame(&mut body, &postcard::to_allocvec(&runs).map_err(|_| problem::internal())?);
    Ok(bytes_response(Body::from(body)))
}

async fn push(State(state): State<PairState>, request: Request) -> Answer<Response> {
    let body = read_body(request, MAX_BODY_BYTES).await?;
    let unreadable = || problem::bad_request("The body is not a stream of frames of this protocol.");
    let mut frames = Frames::default();
    frames.feed(&body);
    let head = frames.next_frame().ok().flatten().ok_or_else(unreadable)?;
    let head: PushHeader = postcard::from_bytes(head).map_err(|_| unreadable())?;
    let mut runs = Vec::new();
    while let Some(frame) = frames.next_frame().map_err(|_| unreadable())? {
        runs.extend(read_runs(frame).map_err(|_| unreadable())?);
    }
    frames.finish().map_err(|_| unreadable())?;
    state.zone.primary_facts().backup_progress = Some(monotonic_ms());
    let runs = ReadRun::all(runs)
        .map_err(|error| problem::conflict("chain_mismatch", "The chain is broken", error.to_string()))?;
    let input = Input::Peer { source: head.log_id, runs, cursor: None };
    let answer = match state.zone.submit(input).await {
        Ok(Output::Peer { applied }) => PushResponse::Taken { new: applied.values().sum() },
        Ok(_) => PushResponse::Taken { new: 0 },
        Err(SubmitError::Refused(CoreRefusal::Fork(fork))) => PushResponse::Fork(fork),
        Err(error) => return Err(submit_refusal(&state, error)),
    };
    framed(&answer)
}

async fn settings(State(state): State<PairState>) -> Json<Arc<ZoneDocument>> {
    Json(state.zone.read(|s| Arc::clone(&s.settings)))
}

async fn snapshot(State(state): State<PairState>) -> Response {
    let frozen = state.zone.read(userlock_core::server::Server::freeze);
    let mut frames = snapshot_frames(frozen);
    let framed = std::iter::from_fn(move || {
        let frame = frames.next()?;
        let mut bytes = Vec::with_capacity(frame.len() + 4);
        push_frame(&mut bytes, &frame);
        Some(Ok::<Bytes, std::convert::Infallible>(Bytes::from(bytes)))
    });
    bytes_response(Body::from_stream(stream::iter(framed)))
}

async fn forward(State(state): State<PairState>, request: Request) -> Answer<Json<DecisionResponse>> {
    let body = read_body(request, userlock_core::agent_api::MAX_BODY_BYTES).await?;
    let forward: ForwardRequest = serde_json::from_slice(&body)
        .map_err(|_| problem::bad_request("The body is not a decision that was passed on."))?;
    super::agents::decide_here(&state, forward.machine, forward.request, false).await.map(Json)
}

/// Tells whoever is about to join whether this is the server that they mean.
async fn about(State(state): State<PairState>) -> Json<About> {
    Json(state.zone.read(|s| About {
        role: s.identity.role,
        server_name: s.identity.name.clone(),
        zone_id: s.identity.zone_id,
        zone_name: s.settings.settings.general.zone_name.clone(),
        version: crate::VERSION.to_owned(),
        clock: clock::now_ms(),
    }))
}

/// The Backup leaves the zone. It stays known until an administrator removes it here: what it recorded and did not hand
/// over may still be wanted.
async fn leave(State(state): State<PairState>, Extension(peer): Extension<Arc<StoredPeer>>) -> StatusCode {
    let message =
        format!("The Backup {} leaves this zone. Remove it here, or set up another one in its place.", peer.name);
    let more = details([("server", &peer.name), ("address", &peer.address.url)]);
    state.journal.record(catalogue::PEER_LEFT, message, more);
    StatusCode::NO_CONTENT
}

/// Whoever asks is not known yet: nothing of what they say is kept or told beyond these lengths.
fn within_bounds(join: &JoinRequest) -> Answer<()> {
    let texts = [
        ("account", &join.account, 256),
        ("password", &join.password, 1024),
        ("server_name", &join.server_name, 256),
        ("address.url", &join.address.url, 512),
        ("address.fingerprint", &join.address.fingerprint, 128),
        ("version", &join.version, 64),
    ];
    match texts.into_iter().find(|(_, text, most)| text.len() > *most || text.chars().any(char::is_control)) {
        Some((field, _, most)) => Err(problem::invalid_field(
            field,
            &format!("must have at most {most} characters, and no control characters"),
        )),
        None => Ok(()),
    }
}

async fn join(State(state): State<PairState>, request: Request) -> Answer<Json<JoinResponse>> {
    let from = crate::auth::counted_address(super::guard::address_of(&request));
    let body = read_body(request, 64 * 1024).await?;
    let join: JoinRequest =
        serde_json::from_slice(&body).map_err(|_| problem::malformed_json("The body is not a request to join."))?;
    if state.zone.role() != ServerRole::Primary {
        return Err(problem::conflict("not_a_primary", "Not a Primary server", "This server is a Backup itself."));
    }
    within_bounds(&join)?;
    let account = userlock_core::account::fold_case(&join.account);
    let (account_key, address_key) = (format!("join account {account}"), format!("join address {from}"));
    let keys = [account_key.as_str(), address_key.as_str()];
    state
        .attempts
        .begin(&keys, std::time::Instant::now())
        .map_err(|many| problem::too_many_attempts(many.retry_after.as_secs().max(1)))?;
    let hash = state.zone.read(|s| {
        let accounts = &s.settings.settings.security.accounts;
        accounts.iter().find(|a| a.name == account && !a.disabled).map(|a| a.password_hash.clone())
    });
    let good = state.passwords.verify(join.password.clone(), hash).await.map_err(|_| {
        state.attempts.undecided(&keys);
        problem::unavailable("busy", "Too many sign-ins at once: try again.")
    })?;
    if !good {
        let more = details([("account", &account), ("server", &join.server_name)]);
        state.journal.record(
            catalogue::JOIN_REFUSED,
            format!("{} tried to join with a wrong account or password.", join.server_name),
            more,
        );
        return Err(problem::not_authenticated());
    }
    state.attempts.succeeded(&account_key, &address_key);
    require_administrator(&state, &account)?;
    require_free(&state, join.server_id, join.replace)?;
    let identity = state.zone.read(|s| s.identity.clone());
    let token =
        if join.check_only { String::new() } else { random::secret("ulb_").map_err(|_| problem::internal())? };
    if !join.check_only {
        let peer = StoredPeer {
            server_id: join.server_id,
            name: join.server_name.clone(),
            address: join.address.clone(),
            account: account.clone(),
            token_hash: random::hash_secret(&token),
            token: None,
        };
        state.zone.set_peer(peer).await.map_err(|e| submit_refusal(&state, e))?;
        // One that joins again may have lost what it had, and its earlier hellos with it.
        state.zone.peer_begins_anew();
        let more = details([("server", &join.server_name), ("address", &join.address.url), ("account", &account)]);
        state.journal.record(catalogue::PEER_JOINED, format!("{} is the Backup of this zone.", join.server_name), more);
    }
    let (zone_name, epoch) = state.zone.read(|s| (s.settings.settings.general.zone_name.clone(), s.epoch));
    Ok(Json(JoinResponse {
        token,
        zone_id: identity.zone_id,
        zone_name,
        server_id: identity.server_id,
        server_name: identity.name,
        epoch,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clock: clock::now_ms(),
    }))
}

/// A zone has at most one Backup.
fn require_free(state: &PairState, server_id: ServerId, replace: bool) -> Answer<()> {
    match state.zone.stored_peer() {
        Some(peer) if peer.server_id != server_id && !replace => {
            let detail = format!(
                "{} is the Backup of this zone already. Remove it first, or say that this one replaces it.",
                peer.name
            );
            Err(problem::conflict("has_a_backup", "The zone has a Backup", detail))
        }
        _ => Ok(()),
    }
}

/// Something could not be read from the disk.
pub(super) fn storage(state: &PairState, error: &StateError) -> Refusal {
    state.journal.record(catalogue::STORAGE_FAILED, error.to_string(), details([("operation", &"read")]));
    problem::unavailable("storage_failed", "This server cannot read its disk. Nothing was changed.")
}

/// Something was not done.
pub(super) fn submit_refusal(_state: &PairState, error: SubmitError) -> Refusal {
    match error {
        SubmitError::Refused(refusal) => problem::conflict("refused", "Not taken", refusal.to_string()),
        SubmitError::Unavailable(_) => {
            problem::unavailable("commit_failed", "This server cannot write to its disk. Nothing was changed.")
        }
        SubmitError::Overloaded => {
            problem::unavailable("overloaded", "This server is overloaded. Nothing was changed: try again.")
        }
    }
}
