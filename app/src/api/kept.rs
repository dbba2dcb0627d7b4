//! What the page after a plain form shows and no cookie can carry: a secret that is told once, what was typed into a form
//! that is shown again, and what a test found. It is kept here in memory, for a minute, for the sign-in that it is of, and is taken once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use leptos::prelude::use_context;
use userlock_core::{api::TestReport, id::Digest};

use super::Caller;
use crate::sheets::Typed;

/// For how long something is kept.
const KEPT: Duration = Duration::from_secs(60);
/// The most that are kept: an older one makes room.
const MOST: usize = 100;
/// The most of one sign-in.
const MOST_OF_ONE: usize = 5;
/// The most that was typed, or found, in bytes: what is longer is not kept.
const MOST_BYTES: usize = 64 * 1024;

/// What is kept.
enum Kept {
    /// A secret that is told once.
    Secret(String),
    /// What was typed into a form; no secret is among it.
    Form(Box<Typed>),
    /// What a test found, which is of no form.
    Report(TestReport),
}

struct Item {
    number: u64,
    sign_in: Digest,
    at: Instant,
    what: Kept,
}

/// All that is kept.
struct Shelf {
    items: Vec<Item>,
    last: u64,
}

impl Shelf {
    const fn new() -> Self {
        Self { items: Vec::new(), last: 0 }
    }

    /// Keeps something; the number under which it is.
    fn keep(&mut self, sign_in: Digest, now: Instant, what: Kept) -> u64 {
        self.forget(now);
        let own = self.items.iter().filter(|item| item.sign_in == sign_in).count();
        let oldest = match own {
            MOST_OF_ONE.. => self.items.iter().position(|item| item.sign_in == sign_in),
            _ => (self.items.len() >= MOST).then_some(0),
        };
        if let Some(oldest) = oldest {
            self.items.remove(oldest);
        }
        self.last += 1;
        self.items.push(Item { number: self.last, sign_in, at: now, what });
        self.last
    }

    /// Takes something, if it is this sign-in's and what is wanted.
    fn take(&mut self, number: u64, sign_in: Digest, now: Instant, wanted: impl Fn(&Kept) -> bool) -> Option<Kept> {
        self.forget(now);
        let fits = |item: &Item| item.number == number && item.sign_in == sign_in && wanted(&item.what);
        let place = self.items.iter().position(fits)?;
        Some(self.items.remove(place).what)
    }

    fn forget(&mut self, now: Instant) {
        self.items.retain(|item| now.saturating_duration_since(item.at) < KEPT);
    }
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf::new());

fn shelf() -> MutexGuard<'static, Shelf> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sign_in() -> Option<Digest> {
    use_context::<Caller>()?.sign_in
}

/// Keeps a secret for the caller's next page; its number.
pub fn keep_secret(secret: String) -> Option<u64> {
    Some(shelf().keep(sign_in()?, Instant::now(), Kept::Secret(secret)))
}

/// Takes a secret, if it is the caller's.
pub fn take_secret(number: u64) -> Option<String> {
    match shelf().take(number, sign_in()?, Instant::now(), |kept| matches!(kept, Kept::Secret(_)))? {
        Kept::Secret(secret) => Some(secret),
        Kept::Form(_) | Kept::Report(_) => None,
    }
}

/// Keeps what was typed for the page that shows the form again; its number.
pub fn keep_form(typed: Typed) -> Option<u64> {
    if typed.bytes() > MOST_BYTES {
        return None;
    }
    Some(shelf().keep(sign_in()?, Instant::now(), Kept::Form(Box::new(typed))))
}

/// Takes what was typed, if it is of this sign-in and of the form that is wanted.
pub fn take_form(number: u64, sign_in: Digest, wanted: impl Fn(&Typed) -> bool) -> Option<Typed> {
    let wanted = |kept: &Kept| matches!(kept, Kept::Form(typed) if wanted(typed));
    match shelf().take(number, sign_in, Instant::now(), wanted)? {
        Kept::Form(typed) => Some(*typed),
        Kept::Secret(_) | Kept::Report(_) => None,
    }
}

/// Keeps what a test found for the caller's next page; its number.
pub fn keep_report(report: TestReport) -> Option<u64> {
    let bytes: usize = report.checks.iter().map(|check| check.name.len() + check.detail.len()).sum();
    if bytes > MOST_BYTES {
        return None;
    }
    Some(shelf().keep(sign_in()?, Instant::now(), Kept::Report(report)))
}

/// Takes what a test found, if it is of this sign-in.
pub fn take_report(number: u64, sign_in: Digest) -> Option<TestReport> {
    match shelf().take(number, sign_in, Instant::now(), |kept| matches!(kept, Kept::Report(_)))? {
        Kept::Report(report) => Some(report),
        Kept::Secret(_) | Kept::Form(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: fn(&Kept) -> bool = |_| true;

    fn secret(text: &str) -> Kept {
        Kept::Secret(text.to_owned())
    }

    fn text(kept: Option<Kept>) -> Option<String> {
        match kept? {
            Kept::Secret(text) => Some(text),
            Kept::Form(_) | Kept::Report(_) => None,
        }
    }

    #[test]
    fn it_is_taken_once_by_the_sign_in_that_it_is_of_and_not_after_a_minute() {
        let (mut shelf, now) = (Shelf::new(), Instant::now());
        let (mine, other) = (Digest([1; 16]), Digest([2; 16]));
        let number = shelf.keep(mine, now, secret("a"));
        assert!(shelf.take(number, other, now, ANY).is_none(), "another sign-in");
        assert!(shelf.take(number + 1, mine, now, ANY).is_none(), "another number");
        assert!(shelf.take(number, mine, now, |kept| matches!(kept, Kept::Form(_))).is_none(), "not what is wanted");
        assert_eq!(text(shelf.take(number, mine, now, ANY)).as_deref(), Some("a"));
        assert!(shelf.take(number, mine, now, ANY).is_none(), "a second time");
        let number = shelf.keep(mine, now, secret("b"));
        assert!(shelf.take(number, mine, now + KEPT, ANY).is_none(), "after a minute");
        assert!(shelf.items.is_empty());
    }

    #[test]
    fn the_oldest_makes_room_and_nobody_takes_the_room_of_all() {
        let (mut shelf, now) = (Shelf::new(), Instant::now());
        let mine = Digest([1; 16]);
        let numbers: Vec<_> = (0..=MOST_OF_ONE).map(|n| shelf.keep(mine, now, secret(&n.to_string()))).collect();
        assert_eq!(shelf.items.len(), MOST_OF_ONE);
        assert!(shelf.take(numbers[0], mine, now, ANY).is_none(), "the oldest is gone");
        assert!(shelf.take(numbers[1], mine, now, ANY).is_some());
        for n in 0..MOST {
            let mut other = [0; 16];
            other[..8].copy_from_slice(&n.to_le_bytes());
            shelf.keep(Digest(other), now, secret("other"));
        }
        assert_eq!(shelf.items.len(), MOST);
    }
}
