//! Every route with the right that it needs. The router is built from this table, and so is the test of rights.

use axum::{
    http::Method,
    routing::{MethodRouter, delete, get, post, put},
};

use super::{agents, api, live, openapi, pages, replication, sign_in, state::App};
use userlock_core::settings::{self, Area};

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

const SIGNED_IN: Right = Right::Of(settings::Right::SignedIn);
const ADMINISTER: Right = Right::Of(settings::Right::Administer);

const fn read(area: Area) -> Right {
    Right::Of(settings::Right::Read(area))
}

const fn write(area: Area) -> Right {
    Right::Of(settings::Right::Write(area))
}

/// The table. Below `/agent/v1` and `/replication/v1` handlers know the tokens themselves: [`agents::ROUTES`] and
/// [`replication::ROUTES`]; below `/fn` server functions do: `userlock_app::api::SERVER_FUNCTIONS`.
pub static TABLE: &[Route] = &[
    route(Method::GET, "/healthz", Right::Public, || get(api::status::healthz)),
    route(Method::GET, "/readyz", Right::Public, || get(api::status::readyz)),
    route(Method::GET, "/metrics", read(Area::Log), || get(api::status::metrics)),
    route(Method::GET, "/api/openapi.json", Right::Public, || get(openapi::serve)),
    route(Method::GET, "/live", SIGNED_IN, || get(live::live)),
    route(Method::GET, "/sign-in", Right::Public, || get(pages::page)),
    route(Method::POST, "/sign-in", Right::Public, || post(sign_in::sign_in)),
    route(Method::POST, "/sign-out", Right::Public, || post(sign_in::sign_out)),
    route(Method::GET, "/api/v1/server", SIGNED_IN, || get(api::status::server)),
    route(Method::GET, "/api/v1/sessions", read(Area::Sessions), || get(api::lists::sessions)),
    route(Method::POST, "/api/v1/sessions/{key}/actions", write(Area::Sessions), || post(api::actions::on_session)),
    route(Method::GET, "/api/v1/events", read(Area::Sessions), || get(api::lists::events)),
    route(Method::GET, "/api/v1/application-log", read(Area::Log), || get(api::lists::application_log)),
    route(Method::GET, "/api/v1/synchronization", read(Area::Synchronization), || get(api::synchronization::state)),
    route(Method::POST, "/api/v1/synchronization/events", write(Area::Synchronization), || {
        post(api::synchronization::events)
    }),
    route(Method::POST, "/api/v1/synchronization/sessions", write(Area::Synchronization), || {
        post(api::synchronization::sessions)
    }),
    route(Method::POST, "/api/v1/synchronization/test", write(Area::Synchronization), || {
        post(api::synchronization::test)
    }),
    route(Method::GET, "/api/v1/synchronization/runs/{id}", read(Area::Synchronization), || {
        get(api::synchronization::run)
    }),
    route(Method::DELETE, "/api/v1/synchronization/runs/{id}", write(Area::Synchronization), || {
        delete(api::synchronization::cancel)
    }),
    route(Method::GET, "/api/v1/settings/general", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/general", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/synchronization", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/synchronization", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/agents", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/agents", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/messages", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/messages", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/notifications", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/notifications", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/retention", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/retention", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/security", read(Area::Security), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/security", write(Area::Security), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/revisions", read(Area::Settings), || get(api::settings::revisions)),
    route(Method::GET, "/api/v1/revisions/{n}", read(Area::Settings), || get(api::settings::revision)),
    route(Method::POST, "/api/v1/revisions/{n}/restore", write(Area::Settings), || {
        post(api::settings::restore_revision)
    }),
    route(Method::GET, "/api/v1/own-revisions", read(Area::Settings), || get(api::own::own_revisions)),
    route(Method::GET, "/api/v1/own-revisions/{n}", read(Area::Settings), || get(api::own::own_revision)),
    route(Method::POST, "/api/v1/own-revisions/{n}/restore", write(Area::Settings), || {
        post(api::own::restore_own_revision)
    }),
    route(Method::GET, "/api/v1/sign-ins", read(Area::Security), || get(api::actions::sign_ins)),
    route(Method::DELETE, "/api/v1/sign-ins/{id}", write(Area::Security), || delete(api::actions::end_sign_in)),
    route(Method::POST, "/api/v1/account/password", SIGNED_IN, || post(api::account::change_password)),
    route(Method::GET, "/api/v1/settings/email", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/email", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::POST, "/api/v1/settings/email/test", write(Area::Settings), || post(api::own::test_email)),
    route(Method::GET, "/api/v1/settings/database", read(Area::Settings), || get(api::settings::section)),
    route(Method::PUT, "/api/v1/settings/database", write(Area::Settings), || put(api::settings::put_section)),
    route(Method::GET, "/api/v1/settings/database/status", read(Area::Settings), || get(api::own::database_status)),
    route(Method::POST, "/api/v1/settings/database/test", write(Area::Settings), || post(api::own::test_database)),
    route(Method::GET, "/api/v1/protected-accounts", read(Area::ProtectedAccounts), || {
        get(api::settings::protected_accounts)
    }),
    route(Method::POST, "/api/v1/protected-accounts", write(Area::ProtectedAccounts), || {
        post(api::settings::create_protected_account)
    }),
    route(Method::GET, "/api/v1/protected-accounts/{id}", read(Area::ProtectedAccounts), || {
        get(api::settings::protected_account)
    }),
    route(Method::PUT, "/api/v1/protected-accounts/{id}", write(Area::ProtectedAccounts), || {
        put(api::settings::put_protected_account)
    }),
    route(Method::DELETE, "/api/v1/protected-accounts/{id}", write(Area::ProtectedAccounts), || {
        delete(api::settings::delete_protected_account)
    }),
    route(Method::POST, "/api/v1/backup/remove", ADMINISTER, || post(api::actions::remove_backup)),
    route(Method::POST, "/api/v1/server/leave", ADMINISTER, || post(api::actions::leave_zone)),
    route(Method::GET, "/api/v1/certificate", read(Area::Settings), || get(api::certificate::read)),
    route(Method::POST, "/api/v1/certificate/prepare", ADMINISTER, || post(api::certificate::prepare)),
    route(Method::POST, "/api/v1/certificate/use", ADMINISTER, || post(api::certificate::take_up)),
    route(Method::POST, "/api/v1/certificate/discard", ADMINISTER, || post(api::certificate::discard)),
    route(Method::POST, "/api/v1/tokens", write(Area::Security), || post(api::actions::create_token)),
    route(Method::POST, "/api/v1/enrolment-key", write(Area::Agents), || post(api::actions::create_enrolment_key)),
    route(Method::GET, "/api/v1/agents", read(Area::Agents), || get(api::lists::agents)),
    route(Method::POST, "/api/v1/agents/{id}/revoke", write(Area::Agents), || post(api::actions::revoke_agent)),
    route(Method::POST, "/api/v1/agents/{id}/release", write(Area::Agents), || post(api::actions::release_agent)),
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
            // One's own password is everybody's to change.
            let own = path == "/api/v1/account/password" && right == SIGNED_IN;
            let writes = own || matches!(right, Right::Of(settings::Right::Write(_) | settings::Right::Administer));
            assert_eq!(method != Method::GET, writes, "{method} {path} needs {right:?}");
        }
    }
}
