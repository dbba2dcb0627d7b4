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
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod log;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod protected;
mod refused;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod sessions;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod settings;
#[expect(missing_docs, reason = "the arguments of a server function become fields of the same names")]
mod synchronization;
mod text;

#[cfg(feature = "ssr")]
pub use answer::{FLASH_COOKIE, take_flash};
pub use ask::{ask, submit, unreadable};
pub use frame::*;
pub use log::*;
pub use protected::*;
pub use refused::Refused;
pub use sessions::*;
pub use settings::*;
pub use synchronization::*;
pub use text::{Text, read};

use serde::{Deserialize, Serialize};
use userlock_core::settings::Role;

/// The name of a rule: that of its protected account.
pub type RuleId = userlock_core::id::DecisionId;

/// Who makes a request. The service provides it as a context for every request that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account's name, or the token's.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// Whether the caller has a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Operate => self.role >= Role::Operator,
            Right::Administer => self.role >= Role::Administrator,
        }
    }
}

/// What a server function needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To be signed in.
    Read,
    /// To act on sessions and start synchronizations: operators and administrators.
    Operate,
    /// To change settings and rules: administrators.
    Administer,
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
    get("/fn/frame", Right::Read),
    get("/fn/sessions", Right::Read),
    post("/fn/session-actions", Right::Operate),
    get("/fn/synchronization", Right::Read),
    post("/fn/synchronize-events", Right::Operate),
    post("/fn/synchronize-sessions", Right::Operate),
    get("/fn/run", Right::Read),
    post("/fn/cancel-run", Right::Operate),
    post("/fn/test-connection", Right::Operate),
    get("/fn/general", Right::Read),
    post("/fn/change-general", Right::Administer),
    get("/fn/synchronization-section", Right::Read),
    post("/fn/change-synchronization-section", Right::Administer),
    get("/fn/protected-accounts", Right::Read),
    get("/fn/protected-account", Right::Read),
    post("/fn/save-protected-account", Right::Administer),
    post("/fn/delete-protected-account", Right::Administer),
    get("/fn/application-log", Right::Read),
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

    #[test]
    fn rights_grow_with_the_role() {
        let may = |role, right| Caller { name: "a".into(), role }.may(right);
        assert!(may(Role::ReadOnly, Right::Read) && !may(Role::ReadOnly, Right::Operate));
        assert!(may(Role::Operator, Right::Operate) && !may(Role::Operator, Right::Administer));
        assert!(may(Role::Administrator, Right::Administer));
    }
}
