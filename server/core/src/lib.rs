//! The rules of UserLock.
