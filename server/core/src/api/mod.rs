//! What the HTTP interface and the dashboard show: the JSON of `/api/v1`.

mod certificate;
mod database;
mod email;
mod log;
mod overview;
mod own;
mod secret;
mod sections;
mod server;
mod sessions;
mod synchronization;

pub use certificate::*;
pub use database::*;
pub use email::*;
pub use log::*;
pub use overview::*;
pub use own::*;
pub use secret::{SecretField, SecretState};
pub use sections::*;
pub use server::*;
pub use sessions::*;
pub use synchronization::*;

use serde::{Deserialize, Serialize};

/// An error, as RFC 9457 has it, with a stable code and, where one is at fault, the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{title}: {detail}")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Stable: what programs compare.
    pub code: String,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, what was kept, what to do.
    pub detail: String,
    /// The field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// How many there are on all pages, where that is known.
    pub total: Option<u64>,
    /// The items of this page.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    pub next: Option<String>,
}
