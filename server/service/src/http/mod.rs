//! The HTTP interface.

pub mod assets;
pub mod body;
pub mod problem;
