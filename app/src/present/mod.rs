//! How things are written for people: pure functions, no signals, no browser.

pub mod number;
pub mod picture;
pub mod query;
pub mod rows;
pub mod spark;
pub mod time;
pub mod words;
