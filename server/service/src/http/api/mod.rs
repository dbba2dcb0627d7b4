//! `/api/v1`: read the request, make one call, shape the answer.

pub mod account;
pub mod actions;
pub mod certificate;
pub mod lists;
pub mod own;
pub mod settings;
pub mod status;
pub mod synchronization;
