//! The server: reads the configuration, performs the core's effects.

pub mod archive;
pub mod aside;
pub mod auth;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod dir_lock;
pub mod figures;
pub mod files;
pub mod http;
pub mod log;
pub mod mail;
pub mod operations;
pub mod random;
pub mod run;
pub mod setup;
pub mod start;
pub mod store;
pub mod sync;
pub mod tend;
pub mod tls;
pub mod wizard;
pub mod zone;

pub use run::run;
pub use start::start;

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
