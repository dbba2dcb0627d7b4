//! The revisions of the zone's settings.

use serde::{Deserialize, Serialize};

/// One change of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionView {
    /// Its number, from 1.
    pub n: u64,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// By whom.
    pub by: String,
    /// What was changed: a section.
    pub section: String,
    /// Why, if told.
    pub reason: Option<String>,
}

/// What differs between two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionDifference {
    /// The later one.
    pub revision: RevisionView,
    /// The earlier one; absent when the later one is the first.
    pub before: Option<RevisionView>,
    /// Each field that differs.
    pub changes: Vec<FieldChange>,
}

/// A field that differs. Secrets are told as changed, never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// Its path: `agents.heartbeat_seconds`.
    pub field: String,
    /// What it was; absent when it was not there.
    pub from: Option<String>,
    /// What it is; absent when it is not there.
    pub to: Option<String>,
}
