//! The HTTP interface.

pub mod agents;
pub mod replication;
pub mod assets;
pub mod body;
pub mod problem;
