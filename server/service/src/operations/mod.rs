//! What administrators can do, whatever way they come: through the HTTP interface or the dashboard.

mod account;
mod agents;
mod before;
mod certificate;
mod database;
mod email;
mod events;
mod log;
mod overview;
mod own;
mod pair;
mod protected;
mod revisions;
mod sections;
mod security;
mod server;
mod sessions;
mod settings;
mod synchronization;

pub use account::OwnPassword;
pub use agents::AgentView;
pub use own::follow_certificate;
pub use sections::typed;
pub use security::{EnrolmentCreated, TokenCreated, TokenRequest};
pub use synchronization::MAX_WAIT_SECONDS;

use userlock_core::{
    event::MAX_TEXT_BYTES,
    server::Refusal as Refused,
    settings::{Area, Right, Rights},
};

use crate::{
    http::{
        problem::{self, Answer, Refusal},
        state::App,
    },
    zone::SubmitError,
};

/// Who changed what one may not see.
const SOMEBODY: &str = "somebody";

/// Whether somebody with these rights may see who changed a section, and why.
fn may_read(rights: Rights, section: &str) -> bool {
    rights.include(Right::Read(area_of(section)))
}

/// The area that a section, or a part of the settings, is of.
fn area_of(section: &str) -> Area {
    match section {
        "security" => Area::Security,
        "protected-accounts" | "protected_accounts" => Area::ProtectedAccounts,
        _ => Area::Settings,
    }
}

/// A reason that is short enough, without control characters.
fn check_reason(reason: Option<&str>) -> Answer<()> {
    match reason {
        Some(reason) if reason.len() > MAX_TEXT_BYTES => {
            Err(problem::invalid_field("reason", "must have at most 2048 characters"))
        }
        Some(reason) if reason.chars().any(|c| c.is_control() && c != '\n') => {
            Err(problem::invalid_field("reason", "must not have control characters"))
        }
        _ => Ok(()),
    }
}

/// The problem of an input that the zone did not take.
fn refusal_of(app: &App, error: SubmitError) -> Refusal {
    match error {
        SubmitError::Refused(refused) => match refused {
            Refused::ReadOnly => read_only(app),
            Refused::Stale(revision) => problem::stale(&revision.etag()),
            Refused::Field(error) => error.into(),
            Refused::NoSuchSession => problem::not_found("open session"),
            Refused::NoSuchAgent => problem::not_found("agent"),
            other => problem::conflict("refused", "Refused", format!("{other}. Nothing was changed.")),
        },
        error => problem::unavailable("not_committed", format!("{error}. Nothing was changed: try again.")),
    }
}

/// 409, with the Primary's address.
fn read_only(app: &App) -> Refusal {
    let primary = app.primary_url().unwrap_or_else(|| "whose address is under Properties > Synchronization".to_owned());
    problem::read_only_on_backup(&primary)
}
