//! Server functions: get the context, make one call, map the error. One file an area.
//!
//! Each is a plain form's target as well: without JavaScript the answer is a redirect back to the page, with what
//! happened in a cookie that the page shows and forgets.

#[cfg(feature = "ssr")]
mod answer;
mod ask;
mod form;
mod frame;
#[cfg(not(feature = "ssr"))]
mod json;
#[cfg(feature = "ssr")]
mod kept;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod log;
mod refused;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod sessions;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod sheets;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod synchronization;
mod text;

#[cfg(feature = "ssr")]
pub use answer::{FLASH_COOKIE, TakenBefore, take_flash};
#[cfg(feature = "ssr")]
pub(crate) use answer::{ForPage, set_cookie};
pub use ask::{ask, submit_to, unreadable};
pub use frame::*;
pub use log::*;
pub use refused::Refused;
#[cfg(feature = "ssr")]
pub(crate) use refused::problem;
pub use sessions::*;
pub use sheets::*;
pub use synchronization::*;
pub use text::{Text, read};

use serde::{Deserialize, Serialize};
use userlock_core::settings::Rights;
pub use userlock_core::settings::{Area, Right};

/// The name of a rule: that of its protected account.
pub type RuleId = userlock_core::id::DecisionId;

/// Who makes a request. The service provides it as a context for every request that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account's name, or the token's.
    pub name: String,
    /// Its roles, as people call them.
    pub roles: String,
    /// What it may do.
    pub rights: Rights,
    /// The sign-in by which it is known, if it is one.
    #[serde(skip)]
    pub sign_in: Option<userlock_core::id::Digest>,
    /// Where the request comes from, as attempts are counted.
    #[serde(skip)]
    pub address: String,
}

impl Caller {
    /// Whether the caller has a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.rights.include(right)
    }
}

/// One server function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerFunction {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its address.
    pub path: &'static str,
    /// What it needs of its caller.
    pub right: Right,
}

const fn get(path: &'static str, right: Right) -> ServerFunction {
    ServerFunction { method: "GET", path, right }
}

const fn post(path: &'static str, right: Right) -> ServerFunction {
    ServerFunction { method: "POST", path, right }
}

/// Every server function with the right that it needs. [`Refused`] and each function go by this table, and a test
/// compares it with the functions that are registered.
pub const SERVER_FUNCTIONS: &[ServerFunction] = &[
    get("/fn/frame", Right::SignedIn),
    get("/fn/sessions", Right::Read(Area::Sessions)),
    post("/fn/session-actions", Right::Write(Area::Sessions)),
    get("/fn/synchronization", Right::Read(Area::Synchronization)),
    post("/fn/synchronize-events", Right::Write(Area::Synchronization)),
    post("/fn/synchronize-sessions", Right::Write(Area::Synchronization)),
    get("/fn/run", Right::Read(Area::Synchronization)),
    post("/fn/cancel-run", Right::Write(Area::Synchronization)),
    post("/fn/test-connection", Right::Write(Area::Synchronization)),
    get("/fn/sheet", Right::Read(Area::Settings)),
    get("/fn/rules-sheet", Right::Read(Area::ProtectedAccounts)),
    post("/fn/change-rule", Right::Write(Area::ProtectedAccounts)),
    get("/fn/security-sheet", Right::Read(Area::Security)),
    post("/fn/change-section", Right::Write(Area::Settings)),
    post("/fn/change-security", Right::Write(Area::Security)),
    get("/fn/account-sheet", Right::SignedIn),
    post("/fn/change-own-password", Right::SignedIn),
    post("/fn/end-sign-in", Right::Write(Area::Security)),
    post("/fn/make-enrolment-key", Right::Write(Area::Agents)),
    post("/fn/change-server", Right::Administer),
    post("/fn/test-section", Right::Write(Area::Settings)),
    post("/fn/restore-revision", Right::Write(Area::Settings)),
    get("/fn/application-log", Right::Read(Area::Log)),
];

/// The right that the server function at `path` needs.
#[must_use]
pub fn right_of(path: &str) -> Option<Right> {
    SERVER_FUNCTIONS.iter().find(|f| f.path == path).map(|f| f.right)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_each_registered_function_and_no_other() {
        let registered: BTreeSet<_> = leptos::server_fn::axum::server_fn_paths()
            .map(|(path, method)| (path.to_owned(), method.to_string()))
            .collect();
        let listed: BTreeSet<_> = SERVER_FUNCTIONS.iter().map(|f| (f.path.to_owned(), f.method.to_owned())).collect();
        assert_eq!(registered, listed);
    }
}
