//! `/agent/v1`: what servers answer to agents.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json, Router,
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use userlock_core::{
    account::fold_case,
    agent_api::{
        AgentSettings, CommandsRequest, CommandsResponse, DecisionRequest, DecisionResponse, EnrolRequest,
        EnrolResponse, EventsRequest, EventsResponse, HelloRequest, HelloResponse, HelloVerdict, MAX_BATCH_RECORDS,
        MAX_BODY_BYTES, MAX_RANGES, ServerAddress, TimedCommand,
    },
    event::{Lost, MAX_GROUPS, MAX_NAME_BYTES},
    id::AgentId,
    record::{Entry, MAX_MACHINE_BYTES, Machine, Record, Run, RunError},
    server::{HelloAnswer, Input, Output, Proofs, ReadRun, Refusal as CoreRefusal},
    settings::{ContactOrder, expand},
};

use super::{
    body::read_body,
    guard::bearer,
    problem::{self, Answer},
    replication::{storage, submit_refusal},
};
use crate::{
    auth::{Attempts, Passwords, counted_address},
    clock,
    figures::Figures,
    log::{Journal, Lasting, catalogue, details},
    random,
    sync::Synchronizer,
    zone::{SubmitError, Zone, monotonic_ms},
};

/// The longest that a poll for commands waits.
const MAX_WAIT: Duration = Duration::from_secs(25);

/// What the routes of agents and of the other server need.
#[derive(Debug, Clone)]
pub struct PairState {
    /// This server's part of the zone.
    pub zone: Zone,
    /// The application log.
    pub journal: Journal,
    /// What is met with each request while it lasts, and told once.
    pub lasting: Arc<Lasting>,
    /// Checks passwords.
    pub passwords: Passwords,
    /// Counts attempts that failed.
    pub attempts: Arc<Attempts>,
    /// On a Backup: what keeps it one with its Primary.
    pub sync: Option<Synchronizer>,
    /// Cancelled when the server stops: polls that wait are answered then.
    pub stop: CancellationToken,
    /// Cancelled when an administrator has taken this server out of its zone.
    pub leaving: CancellationToken,
    /// Counters for Prometheus.
    pub figures: Figures,
}

/// Every route here, all by `POST`: with whether it needs an agent's token.
pub const ROUTES: &[(&str, bool)] = &[
    ("/agent/v1/enrol", false),
    ("/agent/v1/hello", true),
    ("/agent/v1/events", true),
    ("/agent/v1/decisions", true),
    ("/agent/v1/commands", true),
];

/// The agent that a request's token belongs to.
#[derive(Debug, Clone)]
struct Agent {
    id: AgentId,
    machine: Machine,
}

/// The routes, guarded.
pub fn router(state: PairState) -> Router {
    let guarded = Router::new()
        .route("/agent/v1/hello", post(hello))
        .route("/agent/v1/events", post(events))
        .route("/agent/v1/decisions", post(decisions))
        .route("/agent/v1/commands", post(commands))
        .layer(middleware::from_fn_with_state(state.clone(), guard));
    Router::new().route("/agent/v1/enrol", post(enrol)).merge(guarded).with_state(state)
}

/// Lets only an agent in whose token is valid, and notes that it was heard of.
async fn guard(State(state): State<PairState>, mut request: Request, next: Next) -> Response {
    match admit(&state, request.headers()) {
        Some(agent) => {
            state.zone.contacts().heard(&agent.machine, agent.id, monotonic_ms(), clock::now_ms());
            request.extensions_mut().insert(agent);
            next.run(request).await
        }
        None => problem::not_authenticated().into_response(),
    }
}

fn admit(state: &PairState, headers: &HeaderMap) -> Option<Agent> {
    let presented = random::hash_secret(bearer(headers)?);
    state.zone.read(|server| {
        let (id, agent) = server.state.agents.by_token_hash(&presented)?;
        let same = bool::from(agent.token_hash.as_bytes().ct_eq(presented.as_bytes()));
        let machine = agent.machine.clone()?;
        (same && agent.is_active()).then_some(Agent { id, machine })
    })
}

/// A body of JSON in which unknown fields are passed over.
async fn lenient<T: DeserializeOwned>(request: Request) -> Answer<T> {
    let body = read_body(request, MAX_BODY_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => problem::invalid_field("body", &error.to_string()),
        _ => problem::malformed_json(error.to_string()),
    })
}

/// The machine's name, case-folded, if it can be one.
fn machine_name(name: &str) -> Answer<Machine> {
    let name = fold_case(name);
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if name.is_empty() || name.len() > MAX_MACHINE_BYTES || !clean {
        return Err(problem::invalid_field(
            "machine",
            "must be 1 to 255 letters, digits, dots, dashes and underscores",
        ));
    }
    Ok(name.into())
}

async fn enrol(State(state): State<PairState>, request: Request) -> Answer<Json<EnrolResponse>> {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| counted_address(c.0.ip()));
    let address = address.unwrap_or_else(|| "unknown".to_owned());
    let request: EnrolRequest = lenient(request).await?;
    let machine = machine_name(&request.machine)?;
    if request.version.len() > MAX_NAME_BYTES {
        return Err(problem::invalid_field("version", "must have at most 256 characters"));
    }
    let key = format!("enrol address {address}");
    let keys = [key.as_str()];
    let limited = |many: crate::auth::TooMany| problem::too_many_attempts(many.retry_after.as_secs().max(1));
    state.attempts.begin(&keys, Instant::now()).map_err(limited)?;
    let presented = random::hash_secret(&request.key);
    let expected = state.zone.read(|s| s.settings.settings.agents.zone_key_hash.clone());
    if !bool::from(presented.as_bytes().ct_eq(expected.as_bytes())) {
        let more = details([("machine", &machine), ("address", &address)]);
        let message = format!("{machine} tried to enrol with a zone key that is not valid.");
        state.journal.record(catalogue::AGENT_ENROLMENT_REFUSED, message, more);
        return Err(problem::not_authenticated());
    }
    state.attempts.undecided(&keys);
    let agent = AgentId(random::bytes().map_err(|_| problem::internal())?);
    let token = random::secret("ula_").map_err(|_| problem::internal())?;
    let input = Input::Enrol { agent, machine: machine.clone(), token_hash: random::hash_secret(&token) };
    match state.zone.submit(input).await {
        Ok(_) => Ok(Json(EnrolResponse { agent, token, machine: machine.to_string() })),
        Err(SubmitError::Refused(refusal @ CoreRefusal::MachineEnrolled(_))) => {
            Err(problem::conflict("machine_enrolled", "The machine is enrolled", refusal.to_string()))
        }
        Err(error) => Err(submit_refusal(error)),
    }
}

/// What an agent tells of itself is kept and shown.
fn within_bounds(hello: &HelloRequest) -> Answer<()> {
    let pins = hello.pins.len() <= 8 && hello.pins.iter().all(|pin| pin.len() <= MAX_NAME_BYTES);
    let parts = [
        ("ranges", hello.ranges.len() <= MAX_RANGES, "must be at most 10000 ranges"),
        ("version", hello.version.len() <= MAX_NAME_BYTES, "must have at most 256 characters"),
        ("why", hello.why.len() <= 1024, "must have at most 1024 characters"),
        ("reaches", hello.reaches.len() <= 8, "must be at most 8 servers"),
        ("pins", pins, "must be at most 8 fingerprints of at most 256 characters"),
    ];
    match parts.into_iter().find(|(_, fits, _)| !fits) {
        Some((field, _, must)) => Err(problem::invalid_field(field, must)),
        None => Ok(()),
    }
}

async fn hello(
    State(state): State<PairState>,
    Extension(agent): Extension<Agent>,
    request: Request,
) -> Answer<Json<HelloResponse>> {
    let hello: HelloRequest = lenient(request).await?;
    within_bounds(&hello)?;
    let mut proofs = Proofs::new();
    for seq in state.zone.read(|s| s.to_prove(&hello)) {
        let records = state.zone.store().records(&hello.origin.0, seq, seq).await.map_err(|e| storage(&state, &e))?;
        proofs.extend(records.first().and_then(|run| Some((seq, run.chain_at(seq)?))));
    }
    let wall = clock::now_ms();
    let skew_ms = wall.saturating_sub(hello.wall_ms);
    let mut answer = state.zone.read(|s| s.greet(&agent.machine, &hello, &proofs));
    if is_of_another(&state, &agent, &hello).await? {
        // It learns nothing of the other machine's records, and goes on under a name of its own.
        answer = HelloAnswer { verdict: HelloVerdict::Rewound, proved: 0, held: Vec::new(), lost: None, ..answer };
        answer.peer_held = answer.peer_held.map(|_| Vec::new());
    }
    // What the other server has must be known for certain before anything is called lost.
    let certain = state.zone.read(|s| s.peer_held().map(userlock_core::held::Held::digest));
    let certain = certain.is_none_or(|known| {
        let peer = state.zone.peer();
        peer.in_contact(monotonic_ms()) && peer.hello().is_some_and(|h| h.held_digest == known)
    });
    let goes_on = answer.verdict == HelloVerdict::Ok;
    if let Some(range) = answer.lost.filter(|_| certain && goes_on) {
        let lost =
            Lost { origin: hello.origin, rank: hello.rank, first: range.first, last: range.last, chain: range.chain };
        let input = Input::NoteLost { machine: agent.machine.clone(), lost };
        state.zone.submit(input).await.map_err(submit_refusal)?;
    }
    if answer.verdict == HelloVerdict::Rewound {
        let more = details([("machine", &agent.machine), ("origin", &hello.origin), ("proved", &answer.proved)]);
        let message = format!(
            "The agent of {} does not continue its own numbering (restored or cloned): it goes on under a new name, and nothing is lost.",
            agent.machine
        );
        state.journal.record(catalogue::AGENT_REWOUND, message, more);
    }
    let (own_url, settings, epoch) =
        state.zone.read(|s| (s.identity.address.url.clone(), Arc::clone(&s.settings), s.epoch));
    if state.zone.contacts().speaks_as(&agent.machine, hello.rank) {
        let message = format!(
            "Two agents speak in turn as {}: the machine was cloned. Revoke its token, and enrol each under a name of its own.",
            agent.machine
        );
        let more = details([("machine", &agent.machine), ("origin", &hello.origin)]);
        state.journal.record(catalogue::MACHINE_CLONED, message, more);
    }
    if state.zone.contacts().told(&agent.machine, &hello, &own_url, skew_ms) {
        tell_skew(&state, &agent.machine, skew_ms);
    }
    note_reach(&state, &hello);
    let agents = &settings.settings.agents;
    let mut servers: Vec<ServerAddress> = state.zone.addresses().into_iter().flatten().collect();
    let backup_first = agents.contact_order == ContactOrder::BackupFirst && servers.len() > 1;
    if backup_first {
        servers.reverse();
    }
    Ok(Json(HelloResponse {
        verdict: answer.verdict,
        proved: answer.proved,
        epoch,
        held: answer.held,
        peer_held: answer.peer_held,
        highest_rank: answer.highest_rank,
        settings: AgentSettings {
            offline_policy: settings.settings.general.offline_policy,
            heartbeat_seconds: agents.heartbeat_seconds,
            ask_backup_after_ms: agents.ask_backup_after_ms,
            give_up_after_ms: agents.give_up_after_ms,
            spool_cap: agents.spool_cap,
            offline_message: expand(
                &settings.settings.messages.offline_denied,
                &[("zone", &settings.settings.general.zone_name)],
            ),
            backup_first,
        },
        servers,
        skew_ms,
    }))
}

/// Whether the numbering that an agent claims has been another machine's so far. The log is read for it once, not at each
/// heartbeat.
async fn is_of_another(state: &PairState, agent: &Agent, hello: &HelloRequest) -> Answer<bool> {
    if state.zone.contacts().owns(&agent.machine, hello.origin) {
        return Ok(false);
    }
    let head = state.zone.read(|s| s.held().origin(hello.origin).map_or(0, userlock_core::held::HeldOrigin::head));
    if head == 0 {
        return Ok(false);
    }
    let last = state.zone.store().records(&hello.origin.0, head, head).await.map_err(|e| storage(state, &e))?;
    let entry = last.first().and_then(|run| run.entries.first());
    // A record that names another machine was rejected for that, and is the token's all the same.
    let foreign = entry.is_some_and(|e| e.by != agent.id && e.record.machine != agent.machine);
    if !foreign && entry.is_some() {
        state.zone.contacts().note_own(&agent.machine, hello.origin);
    }
    Ok(foreign)
}

fn tell_skew(state: &PairState, machine: &Machine, skew_ms: i64) {
    let more = details([("machine", machine), ("skew_ms", &skew_ms)]);
    let message = format!("The clock of {machine} is {skew_ms} ms from this server's. Its events are kept as written.");
    state.journal.record(catalogue::AGENT_CLOCK_SKEW, message, more);
}

/// An agent that comes to a Backup because it could not reach the Primary speaks for a takeover.
fn note_reach(state: &PairState, hello: &HelloRequest) {
    let own = state.zone.read(|s| s.identity.address.url.clone());
    if state.sync.is_some() && hello.reaches.iter().any(|r| r.url != own && !r.ok) {
        state.zone.backup_facts().agent_came = Some(monotonic_ms());
    }
}

async fn events(
    State(state): State<PairState>,
    Extension(agent): Extension<Agent>,
    request: Request,
) -> Answer<Json<EventsResponse>> {
    let batch: EventsRequest = lenient(request).await?;
    if batch.records.is_empty() || batch.records.len() > MAX_BATCH_RECORDS {
        return Err(problem::invalid_field("records", "must be 1 to 1000 records"));
    }
    let latest = batch.records.iter().map(|r| r.at).max().unwrap_or(0);
    let run = run_of(batch, &agent)?;
    let count = run.entries.len() as u64;
    let run = ReadRun::new(run).map_err(broken)?;
    match state.zone.submit(Input::AgentRun { run }).await {
        Ok(Output::Events(answer)) => {
            state.figures.events(count);
            let ahead_ms = latest.saturating_sub(clock::now_ms());
            if state.zone.contacts().dated_ahead(&agent.machine, ahead_ms) {
                tell_skew(&state, &agent.machine, -ahead_ms);
            }
            Ok(Json(answer))
        }
        Ok(_) => Err(problem::internal()),
        Err(SubmitError::Refused(refusal @ CoreRefusal::TooManyHoles(_))) => {
            Err(problem::conflict("too_many_holes", "Too many holes", format!("{refusal}. Nothing was taken.")))
        }
        Err(SubmitError::Refused(refusal @ CoreRefusal::Fork(_))) => Err(problem::conflict(
            "rewound",
            "Another numbering",
            format!("{refusal}. Say hello to learn what is held."),
        )),
        Err(error) => Err(submit_refusal(error)),
    }
}

fn broken(error: RunError) -> problem::Refusal {
    match error {
        RunError::BrokenChain(_) => {
            problem::conflict("chain_mismatch", "The chain is broken", format!("{error}. Nothing was taken."))
        }
        _ => problem::invalid_field("records", &error.to_string()),
    }
}

/// The batch as a run, each record judged.
fn run_of(batch: EventsRequest, agent: &Agent) -> Answer<Run> {
    let mut before = batch.before;
    let mut entries = Vec::with_capacity(batch.records.len());
    for wire in batch.records {
        let machine = match wire.machine {
            Some(name) if fold_case(&name) != *agent.machine => {
                if name.len() > MAX_MACHINE_BYTES {
                    return Err(problem::invalid_field("records.machine", "must have at most 255 characters"));
                }
                name.into()
            }
            _ => Arc::clone(&agent.machine),
        };
        let record = Record {
            origin: batch.origin,
            rank: batch.rank,
            seq: wire.seq,
            machine,
            kind: wire.kind,
            at: wire.at,
            chain: wire.chain,
            payload: wire.payload.get().as_bytes().into(),
        };
        let chain = record.chain;
        let whole = record.clone();
        let entry = Entry::from_agent(record, agent.id, &agent.machine);
        // One that is rejected keeps no payload, so its chain can be checked only here.
        if entry.rejected.is_some() && chain != whole.chain_after(before) {
            return Err(broken(RunError::BrokenChain(wire.seq)));
        }
        before = chain;
        entries.push(entry);
    }
    Ok(Run { before: batch.before, entries })
}

async fn decisions(
    State(state): State<PairState>,
    Extension(agent): Extension<Agent>,
    request: Request,
) -> Answer<Json<DecisionResponse>> {
    let request: DecisionRequest = lenient(request).await?;
    let long = |group: &String| group.len() > MAX_NAME_BYTES;
    if !request.who.within_bounds() {
        return Err(problem::invalid_field(
            "user",
            "a user is named, in at most 256 characters without control characters",
        ));
    }
    if request.groups.len() > MAX_GROUPS || request.groups.iter().any(long) {
        return Err(problem::invalid_field("groups", "must be at most 1024 names of at most 256 characters"));
    }
    if let Some(sync) = &state.sync {
        if request.last_resort {
            state.zone.backup_facts().agent_came = Some(monotonic_ms());
        }
        if let Some(answer) = sync.forward(&agent.machine, &request).await {
            return Ok(Json(in_words(&state, answer, &request.who.user, &agent.machine)));
        }
    }
    let (user, machine) = (request.who.user.clone(), agent.machine.clone());
    // A Backup that decides itself may not know what its Primary does.
    let answer = decide_here(&state, agent.machine, request, state.sync.is_some()).await?;
    Ok(Json(in_words(&state, answer, &user, &machine)))
}

/// A refusal with what to tell its user, as the zone's messages have it.
fn in_words(state: &PairState, mut answer: DecisionResponse, user: &str, machine: &str) -> DecisionResponse {
    if !answer.allow {
        let settings = state.zone.read(|server| server.settings.clone());
        let (text, zone) = (&settings.settings.messages.logon_denied, &settings.settings.general.zone_name);
        let variables = [("reason", answer.reason.as_str()), ("user", user), ("machine", machine), ("zone", zone)];
        answer.message = Some(expand(text, &variables));
    }
    answer
}

/// Decides on this server, unless its state says that it is not its turn. `alone`: without the server whose turn it would be.
pub(super) async fn decide_here(
    state: &PairState,
    machine: Machine,
    request: DecisionRequest,
    alone: bool,
) -> Answer<DecisionResponse> {
    let began = Instant::now();
    if !request.last_resort && !state.zone.decides() {
        let phase = state.zone.phase();
        let detail = format!(
            "This server is {}: {}. Ask the other one, or mark the request as the last resort.",
            phase.phase.title(),
            phase.reason
        );
        return Err(problem::unavailable("not_serving", detail));
    }
    let degraded = alone || state.zone.is_degraded() || !state.zone.decides();
    let input = Input::Decide { machine, request: Box::new(request), degraded };
    match state.zone.submit(input).await {
        Ok(Output::Decision(answer)) => {
            state.zone.activity().decided_in(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            state.figures.decision(answer.allow, began.elapsed());
            Ok(answer)
        }
        Ok(_) => Err(problem::internal()),
        Err(SubmitError::Refused(refusal @ CoreRefusal::DecisionReused(_))) => Err(problem::conflict(
            "decision_reused",
            "Another request had this id",
            format!("{refusal}. Nothing was changed."),
        )),
        Err(error) => Err(submit_refusal(error)),
    }
}

async fn commands(
    State(state): State<PairState>,
    Extension(agent): Extension<Agent>,
    request: Request,
) -> Answer<Json<CommandsResponse>> {
    let poll: CommandsRequest = lenient(request).await?;
    if poll.taken.len() > 1000 {
        return Err(problem::invalid_field("taken", "must be at most 1000 commands"));
    }
    if !poll.taken.is_empty() {
        state.zone.note_peer(|server| server.state.decisions.mark_taken(&agent.machine, &poll.taken));
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(poll.wait_seconds.into()).min(MAX_WAIT);
    let mut changed = state.zone.watch_commands();
    loop {
        let mut commands: Vec<TimedCommand> = state.zone.read(|server| {
            let pending = server.state.decisions.pending_for(&agent.machine, clock::now_ms());
            let timed = |(pending, left): (&userlock_core::fold::PendingCommand, i64)| TimedCommand {
                valid_ms: u64::try_from(left).unwrap_or(0),
                command: (*pending.command).clone(),
            };
            pending.map(timed).collect()
        });
        // All are valid equally long from when they were given: the oldest ends first.
        commands.sort_by_key(|command| command.valid_ms);
        let over = tokio::select! {
            changed = tokio::time::timeout_at(until, changed.changed()), if commands.is_empty() => changed.is_err(),
            () = state.stop.cancelled(), if commands.is_empty() => true,
            else => true,
        };
        if over {
            return Ok(Json(CommandsResponse { commands }));
        }
    }
}
