//! The process that plays the machines of a zone: real agents with real connections, and people who exist only here.

mod day;
mod dice;
mod machine;
mod names;

use std::{path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use userlock_agent::{
    client::{AddressError, CallError, Clients, client_for},
    files::{FileError, read_json},
    reporter::{Identity, Zone},
};
use userlock_core::{
    agent_api::{EnrolRequest, Enrolment, InvalidEnrolment, ServerAddress},
    event::{SubState, Who, kind},
    settings::{Limits, ProtectedAccountInput, Subject, SubjectKind},
};

use day::{Act, Step};
use machine::{Machine, MachineError};
use names::{Person, Place};

/// The most machines that one process plays.
pub const MAX_MACHINES: u32 = 2000;

/// The first day begins in the middle of the morning, so that there is something to see at once.
const FIRST_HOUR: f64 = 8.4;
/// In how many seconds what had happened until then is made up for.
const CATCH_UP_SECONDS: f64 = 8.0;

/// What is to be played. It has secrets, so it comes as a file that only its owner reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct Play {
    /// How machines are enrolled.
    pub enrolment: String,
    /// The Primary, for its HTTP interface.
    pub primary: ServerAddress,
    /// An administrator's token.
    pub token: String,
    /// How many machines.
    pub machines: u32,
    /// How many seconds a day takes.
    pub day_seconds: u32,
    /// The same seed plays the same days.
    pub seed: u64,
}

/// Why the zone cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such file.
    #[error("{0} is not there")]
    Missing(String),
    /// The enrolment string.
    #[error(transparent)]
    Enrolment(#[from] InvalidEnrolment),
    /// The enrolment names no server.
    #[error("the enrolment names no server")]
    NoServer,
    /// A server's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A machine could not be enrolled.
    #[error("{machine} cannot be enrolled: {source}")]
    Enrol {
        /// The machine.
        machine: String,
        /// Why.
        source: CallError,
    },
    /// A protected account could not be made.
    #[error("the protected account of {subject} cannot be made: {why}")]
    Protect {
        /// Of whom.
        subject: String,
        /// Why.
        why: String,
    },
    /// A machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// Plays the zone that the file describes until the process is ended.
///
/// # Errors
/// [`PlayError`] when it cannot begin. What fails later is logged, and the play goes on.
pub async fn play(file: &Path) -> Result<(), PlayError> {
    let play: Play = read_json(file)?.ok_or_else(|| PlayError::Missing(file.display().to_string()))?;
    for rule in rules() {
        protect(&play, &rule).await?;
    }
    let places = names::machines(play.machines.clamp(1, MAX_MACHINES) as usize, play.seed);
    let machines = enrol(&play, &places).await?;
    for machine in &machines {
        machine.power_on()?;
    }
    tracing::info!(machines = machines.len(), day.seconds = play.day_seconds, seed = play.seed, "the zone plays");
    // Some people have no desk of their own.
    let desks = places.iter().filter(|p| p.kind == names::Kind::Workstation).count();
    let mut people = names::people(desks + desks.div_ceil(6), play.seed);
    people.extend(day::special_people());
    let cast = Arc::new(Cast { places, people, machines });
    live(&cast, &play).await;
    Ok(())
}

/// Everybody and everything.
struct Cast {
    places: Vec<Place>,
    people: Vec<Person>,
    machines: Vec<Machine>,
}

/// One day after the other.
async fn live(cast: &Arc<Cast>, play: &Play) {
    let length = f64::from(play.day_seconds.max(10));
    let at = |hour: f64| day::share_of(hour) * length;
    // On the first day the hours before it begins are made up for.
    let skipped = at(FIRST_HOUR);
    let mut begin = Instant::now();
    for number in 0.. {
        let zone = day::Zone { places: &cast.places, people: &cast.people };
        for step in day::plan(zone, play.seed, number) {
            let seconds = match number {
                0 if step.hour < FIRST_HOUR => at(step.hour) / skipped * CATCH_UP_SECONDS,
                0 => at(step.hour) - skipped + CATCH_UP_SECONDS,
                _ => at(step.hour),
            };
            sleep_until(begin + Duration::from_secs_f64(seconds)).await;
            happens(cast, step);
        }
        let took = if number == 0 { length - skipped + CATCH_UP_SECONDS } else { length };
        begin += Duration::from_secs_f64(took);
        sleep_until(begin).await;
    }
}

/// One thing happens. A logon waits for its answer beside the others.
fn happens(cast: &Arc<Cast>, step: Step) {
    let Some(machine) = cast.machines.get(step.machine) else { return };
    let done = match step.act {
        Act::LogOn { slot, person, session_type, client } => {
            let Some(person) = cast.people.get(person) else { return };
            let who = Who {
                user: person.user.clone(),
                display_name: Some(person.display_name.clone()),
                session_type,
                client_name: client.0,
                client_address: client.1,
            };
            let (cast, groups) = (Arc::clone(cast), person.groups.clone());
            tokio::spawn(async move {
                let Some(machine) = cast.machines.get(step.machine) else { return };
                if let Err(error) = machine.log_on(slot, who, groups).await {
                    tracing::warn!(%error, "a logon failed");
                }
            });
            Ok(())
        }
        Act::Lock(slot) => machine.change(slot, kind::LOCK, SubState::Locked),
        Act::Unlock(slot) => machine.change(slot, kind::UNLOCK, SubState::Open),
        Act::Disconnect(slot) => machine.change(slot, kind::DISCONNECT, SubState::Disconnected),
        Act::Reconnect(slot) => machine.change(slot, kind::RECONNECT, SubState::Open),
        Act::LogOff(slot) => machine.log_off(slot),
        Act::PowerLoss => {
            machine.power_loss();
            Ok(())
        }
        Act::PowerOn => {
            if let Err(error) = machine.power_on() {
                tracing::warn!(%error, "a machine does not start");
            }
            Ok(())
        }
    };
    if let Err(error) = done {
        tracing::warn!(%error, "an event could not be reported");
    }
}

/// The rules of the zone, each of which somebody meets each day.
fn rules() -> Vec<ProtectedAccountInput> {
    let rule = |kind, name: &str, limits, reason: &str| ProtectedAccountInput {
        subject: Subject { kind, name: name.to_owned() },
        limits,
        reason: Some(reason.to_owned()),
    };
    let user = SubjectKind::User;
    vec![
        rule(
            SubjectKind::Everybody,
            "",
            Limits { workstation: Some(2), ..Limits::default() },
            "Nobody sits at three desks",
        ),
        rule(
            user,
            day::RECEPTION,
            Limits { workstation: Some(1), ..Limits::default() },
            "A shared account: one desk at a time",
        ),
        rule(
            user,
            day::BACKUP_SERVICE,
            Limits { web: Some(1), ..Limits::default() },
            "The job must not overlap with itself",
        ),
        rule(
            user,
            day::CONTRACTOR,
            Limits { vpn: Some(0), terminal: Some(1), ..Limits::default() },
            "Contractors work on the terminal servers only",
        ),
    ]
}

async fn protect(play: &Play, rule: &ProtectedAccountInput) -> Result<(), PlayError> {
    let failed = |why: String| PlayError::Protect { subject: rule.subject.to_string(), why };
    let url = format!("{}/api/v1/protected-accounts", play.primary.url);
    let request = client_for(&play.primary)?.post(url).bearer_auth(&play.token).json(rule);
    let answer = request.timeout(CALL_TIMEOUT).send().await.map_err(|error| failed(error.without_url().to_string()))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    Err(failed(format!("{status}: {}", body.chars().take(500).collect::<String>())))
}

/// How long a call of the preparation may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

async fn enrol(play: &Play, places: &[Place]) -> Result<Vec<Machine>, PlayError> {
    let enrolment = Enrolment::from_text(&play.enrolment)?;
    let clients = Clients::default();
    let server = clients.server(enrolment.servers.first().ok_or(PlayError::NoServer)?)?;
    let mut machines = Vec::with_capacity(places.len());
    for place in places {
        let request = EnrolRequest {
            key: enrolment.key.clone(),
            machine: place.name.clone(),
            version: concat!("userlock-demo ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let answer = server
            .enrol(&request, CALL_TIMEOUT)
            .await
            .map_err(|source| PlayError::Enrol { machine: place.name.clone(), source })?;
        let identity = Identity { agent: answer.agent, token: answer.token, machine: answer.machine };
        machines.push(Machine::new(identity, Zone::at_first(enrolment.servers.clone()), clients.clone()));
    }
    Ok(machines)
}
