//! An agent's part of the rules: whom it asks and for how long, what it keeps, what it obeys, what it decides alone.

pub mod contact;
pub mod obey;
pub mod offline;
pub mod spool;
