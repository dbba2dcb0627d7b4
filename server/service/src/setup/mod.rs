//! Setting a server up: what is asked, the checks of each step, what is made.
//!
//! It has two faces: `userlock setup` prints what happens here, the Configuration wizard shows it. Both ask the same,
//! check the same and fail with the same [`Failure`]s.

mod backup;
mod failure;
mod fields;
mod leaving;
mod leftover;
mod mark_left;
mod note;
mod place;
mod primary;
mod reach;
mod typed;

pub use backup::{NewBackup, check, join, name_taken, other_zone, synchronize, take_up};
pub use failure::{Failure, Field, Step};
pub use fields::{
    Administrator, account_name, administrator, administrator_name, public_url, server_name, typed_address,
    typed_fingerprint, zone_name,
};
pub use leaving::{NotLeft, begin_leaving, complete_leaving, is_leaving};
pub use leftover::Leftover;
pub use mark_left::tell_mark_left;
pub use place::{Place, is_set_up};
pub use primary::make_primary;
pub use reach::{Own, Reached, reach};
pub use typed::Typed;

/// Tells what was found, check by check.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);
