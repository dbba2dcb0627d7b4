//! The rules of UserLock: records, the fold, decisions, settings, synchronization.
//!
//! Nothing here does I/O, asks a clock or draws a random number: what is needed comes in as an argument, and what is
//! to be done goes out as a value. So a simulator can drive it, and any order of arguments can be tested.

pub mod account;
pub mod address;
pub mod agent;
pub mod agent_api;
pub mod api;
mod as_json;
pub mod decision;
pub mod event;
pub mod fold;
pub mod held;
pub mod id;
pub mod pair;
pub mod record;
pub mod server;
pub mod settings;
pub mod sync;
