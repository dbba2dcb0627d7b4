//! Why an exchange with the other server failed: each cause has its event in the application log.

use std::error::Error as _;

use reqwest::StatusCode;
use userlock_core::{
    api::Problem,
    held::Fork,
    sync::{FrameError, SnapshotError},
};

use crate::{
    log::{Kind, catalogue},
    store::state::StateError,
    zone::{AdoptError, SubmitError},
};

/// Why an exchange with the other server failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SyncError {
    /// The event of the application log that says what it means and what to do.
    pub kind: Kind,
    /// What happened, with the error as it came.
    pub message: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The problem that the other server told, where a set-up must know it.
    pub problem: Told,
    /// The fork that was found, where that is the cause.
    pub fork: Option<Fork>,
}

/// A problem that the other server told, where a set-up must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The zone has another Backup.
    HasABackup,
    /// That server is not set up itself.
    NotSetUp,
    /// Too many attempts to sign in have failed.
    TooManyAttempts,
    /// It does not know the address of the call.
    NotFound,
    /// Any other, or none.
    Other,
}

impl SyncError {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, problem: Told::Other, fork: None }
    }

    /// What the other server said instead of an answer.
    #[must_use]
    pub fn of_status(status: StatusCode, body: &[u8]) -> Self {
        let problem: Option<Problem> = serde_json::from_slice(body).ok();
        let code = problem.as_ref().map(|p| p.code.as_str()).unwrap_or_default();
        let kind = match (status.as_u16(), code) {
            (_, "not_an_administrator") => catalogue::SYNC_NOT_ADMINISTRATOR,
            (_, "not_a_primary") => catalogue::SYNC_NOT_PRIMARY,
            (_, "other_zone") => catalogue::SYNC_OTHER_ZONE,
            (_, "protocol_version") => catalogue::SYNC_VERSION,
            (_, "commit_failed") => catalogue::PEER_CANNOT_COMMIT,
            (401, _) => catalogue::SYNC_AUTHENTICATION,
            _ => catalogue::SYNC_HTTP,
        };
        let told = match code {
            "has_a_backup" => Told::HasABackup,
            "not_set_up" => Told::NotSetUp,
            "too_many_attempts" => Told::TooManyAttempts,
            "not_found" => Told::NotFound,
            _ => Told::Other,
        };
        let detail = problem.as_ref().map_or("without saying why", |p| p.detail.as_str());
        let message = match (status.as_u16(), code) {
            // What it says to programs is of no use to people.
            (401, _) => "the other server does not know this Backup's token (401)".to_owned(),
            _ => format!("the other server answered {status}: {detail}"),
        };
        Self { status: Some(status.as_u16()), problem: told, ..Self::new(kind, message) }
    }

    /// What the other server sent cannot be read.
    #[must_use]
    pub fn malformed(what: &str) -> Self {
        Self::new(catalogue::SYNC_PROTOCOL, format!("{what} from the other server cannot be read"))
    }
}

/// What lies at the bottom of an error: the client's own words above it only say that a request failed, and the address
/// is told beside it.
fn cause_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => "no answer in time".to_owned(),
        _ => cause.to_string(),
    }
}

impl From<reqwest::Error> for SyncError {
    fn from(error: reqwest::Error) -> Self {
        let mut source = error.source();
        let mut kind = if error.is_timeout() {
            catalogue::SYNC_TIMEOUT
        } else if error.is_connect() {
            catalogue::SYNC_REFUSED
        } else {
            catalogue::SYNC_LOST_CONNECTION
        };
        while let Some(cause) = source {
            if cause.is::<rustls::Error>() || cause.to_string().contains("certificate") {
                kind = catalogue::SYNC_TLS;
            } else if let Some(io) = cause.downcast_ref::<std::io::Error>()
                && io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
            {
                kind = catalogue::SYNC_TLS;
            } else if cause.to_string().contains("dns error") {
                kind = catalogue::SYNC_NAME;
            }
            source = cause.source();
        }
        Self::new(kind, cause_of(&error))
    }
}

impl From<SubmitError> for SyncError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(userlock_core::server::Refusal::Fork(fork)) => fork.into(),
            SubmitError::Refused(refusal) => {
                Self::new(catalogue::SYNC_PROTOCOL, format!("what the other server sent was not taken: {refusal}"))
            }
            other => Self::new(catalogue::SYNC_LOCAL_COMMIT, other.to_string()),
        }
    }
}

impl From<StateError> for SyncError {
    fn from(error: StateError) -> Self {
        Self::new(catalogue::SYNC_LOCAL_COMMIT, error.to_string())
    }
}

impl From<Fork> for SyncError {
    fn from(fork: Fork) -> Self {
        Self { fork: Some(fork), ..Self::new(catalogue::SYNC_FORK, fork.to_string()) }
    }
}

impl From<AdoptError> for SyncError {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Fork(fork) => fork.into(),
            AdoptError::Submit(error) => error.into(),
        }
    }
}

impl From<SnapshotError> for SyncError {
    fn from(error: SnapshotError) -> Self {
        let kind = match error {
            SnapshotError::Version(_) => catalogue::SYNC_VERSION,
            _ => catalogue::SYNC_SNAPSHOT_CORRUPT,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<FrameError> for SyncError {
    fn from(error: FrameError) -> Self {
        Self::new(catalogue::SYNC_PROTOCOL, error.to_string())
    }
}
