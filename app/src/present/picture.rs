//! The picture of the pair.
