//! Every route with the right that it needs. The router is built from this table, and so is the test of rights.

use axum::{
    http::Method,
    routing::{MethodRouter, delete, get, post, put},
};

use super::{agents, api, live, openapi, pages, replication, sign_in, state::App};
use crate::auth::Right;

/// One route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address, with its parameters in braces.
    pub path: &'static str,
    /// What it needs of who asks.
    pub right: Right,
    /// Its handler.
    pub handler: fn() -> MethodRouter<App>,
}

const fn route(method: Method, path: &'static str, right: Right, handler: fn() -> MethodRouter<App>) -> Route {
    Route { method, path, right, handler }
}

/// The table. Below `/agent/v1` and `/replication/v1` handlers know the tokens themselves: [`agents::ROUTES`] and
/// [`replication::ROUTES`]; below `/fn` server functions do: `userlock_app::api::SERVER_FUNCTIONS`.
pub static TABLE: &[Route] = &[
    route(Method::GET, "/healthz", Right::Public, || get(api::status::healthz)),
    route(Method::GET, "/readyz", Right::Public, || get(api::status::readyz)),
    route(Method::GET, "/metrics", Right::Read, || get(api::status::metrics)),
    route(Method::GET, "/api/openapi.json", Right::Public, || get(openapi::serve)),
    route(Method::GET, "/live", Right::Read, || get(live::live)),
    route(Method::GET, "/sign-in", Right::Public, || get(pages::page)),
    route(Method::POST, "/sign-in", Right::Public, || post(sign_in::sign_in)),
    route(Method::POST, "/sign-out", Right::Public, || post(sign_in::sign_out)),
    route(Method::GET, "/api/v1/server", Right::Read, || get(api::status::server)),
    route(Method::GET, "/api/v1/sessions", Right::Read, || get(api::lists::sessions)),
    route(Method::POST, "/api/v1/sessions/{key}/actions", Right::Operate, || post(api::actions::on_session)),
    route(Method::GET, "/api/v1/events", Right::Read, || get(api::lists::events)),
    route(Method::GET, "/api/v1/application-log", Right::Read, || get(api::lists::application_log)),
    route(Method::GET, "/api/v1/synchronization", Right::Read, || get(api::synchronization::state)),
    route(Method::POST, "/api/v1/synchronization/events", Right::Operate, || post(api::synchronization::events)),
    route(Method::POST, "/api/v1/synchronization/sessions", Right::Operate, || post(api::synchronization::sessions)),
    route(Method::POST, "/api/v1/synchronization/test", Right::Operate, || post(api::synchronization::test)),
    route(Method::GET, "/api/v1/synchronization/runs/{id}", Right::Read, || get(api::synchronization::run)),
    route(Method::DELETE, "/api/v1/synchronization/runs/{id}", Right::Operate, || delete(api::synchronization::cancel)),
    route(Method::GET, "/api/v1/settings/general", Right::Read, || get(api::settings::general)),
    route(Method::PUT, "/api/v1/settings/general", Right::Administer, || put(api::settings::put_general)),
    route(Method::GET, "/api/v1/settings/synchronization", Right::Read, || get(api::settings::synchronization)),
    route(Method::PUT, "/api/v1/settings/synchronization", Right::Administer, || {
        put(api::settings::put_synchronization)
    }),
    route(Method::GET, "/api/v1/protected-accounts", Right::Read, || get(api::settings::protected_accounts)),
    route(Method::POST, "/api/v1/protected-accounts", Right::Administer, || {
        post(api::settings::create_protected_account)
    }),
    route(Method::GET, "/api/v1/protected-accounts/{id}", Right::Read, || get(api::settings::protected_account)),
    route(Method::PUT, "/api/v1/protected-accounts/{id}", Right::Administer, || {
        put(api::settings::put_protected_account)
    }),
    route(Method::DELETE, "/api/v1/protected-accounts/{id}", Right::Administer, || {
        delete(api::settings::delete_protected_account)
    }),
    route(Method::POST, "/api/v1/backup/remove", Right::Administer, || post(api::actions::remove_backup)),
    route(Method::POST, "/api/v1/server/leave", Right::Administer, || post(api::actions::leave_zone)),
    route(Method::POST, "/api/v1/tokens", Right::Administer, || post(api::actions::create_token)),
    route(Method::POST, "/api/v1/enrolment-key", Right::Administer, || post(api::actions::create_enrolment_key)),
    route(Method::GET, "/api/v1/agents", Right::Read, || get(api::lists::agents)),
    route(Method::POST, "/api/v1/agents/{id}/revoke", Right::Administer, || post(api::actions::revoke_agent)),
    route(Method::POST, "/api/v1/agents/{id}/release", Right::Administer, || post(api::actions::release_agent)),
];

/// Every route of this server: the method, the address and the right.
pub fn all() -> impl Iterator<Item = (Method, &'static str, Right)> {
    let right = |token: bool, right: Right| if token { right } else { Right::Public };
    let agents = agents::ROUTES.iter().map(move |(path, token)| (Method::POST, *path, right(*token, Right::Agent)));
    let peers = replication::ROUTES.iter().map(move |(path, token)| (Method::POST, *path, right(*token, Right::Peer)));
    TABLE.iter().map(|route| (route.method.clone(), route.path, route.right)).chain(agents).chain(peers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_stands_there_twice() {
        let mut seen = BTreeSet::new();
        for (method, path, _) in all() {
            assert!(seen.insert((method.to_string(), path)), "{method} {path}");
        }
    }

    #[test]
    fn what_changes_something_needs_more_than_to_read() {
        for (method, path, right) in all().filter(|(_, path, _)| path.starts_with("/api/v1/")) {
            let reads = method == Method::GET;
            assert_eq!(reads, right == Right::Read, "{method} {path} needs {right:?}");
        }
    }
}
