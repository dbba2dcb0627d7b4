//! The server: reads the configuration, performs the core's effects.

pub mod auth;
pub mod clock;
pub mod config;
pub mod demo;
pub mod http;
pub mod log;
pub mod random;
pub mod store;
pub mod sync;
pub mod tend;
pub mod tls;
pub mod zone;
