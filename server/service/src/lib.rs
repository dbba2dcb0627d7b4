//! The server: reads the configuration, performs the core's effects.

pub mod auth;
pub mod clock;
pub mod config;
pub mod http;
pub mod log;
pub mod random;
pub mod store;
pub mod tls;
pub mod zone;
