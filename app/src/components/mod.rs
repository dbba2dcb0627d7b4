//! What pages are made of.

mod dialog;
mod each;
mod icon;
mod menu;
mod notice;
mod parts;
mod quick_access;
mod runs;
mod server_menu;

pub use dialog::Dialog;
pub use each::{Each, Item};
pub use icon::{Glyph, Icon};
pub use menu::{ContextHost, Menu};
pub use notice::{Notices, NoticesView, problem_text};
pub use parts::*;
pub use quick_access::{QuickAccess, QuickDialogs};
pub use runs::*;
pub use server_menu::ServerMenu;
