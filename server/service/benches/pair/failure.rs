//! What went wrong, in words: a benchmark that cannot measure says why and ends.

use std::fmt;

/// Why something could not be measured.
#[derive(Debug)]
pub struct Failure(String);

/// A value, or why there is none.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// In these words.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

/// Says during what it went wrong.
pub trait During<T> {
    /// Puts this before the reason.
    fn during(self, what: &str) -> Result<T>;
}

impl<T, E: Into<Failure>> During<T> for std::result::Result<T, E> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {}", error.into())))
    }
}
