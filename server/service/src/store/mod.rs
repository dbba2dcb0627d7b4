//! What is on the disk. SQL stands here alone.

pub mod product;
pub mod runs;
pub mod state;
