//! Lets a request through when who makes it has the right that its route needs.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use userlock_core::settings::{Rights, Role, role_title};

use super::{
    problem::{self, Refusal},
    state::App,
};
use crate::{
    auth::{Principal, Proof, Right, check_origin, counted_address, find_token},
    clock,
    log::{catalogue, details},
    random,
};

/// Of refused tokens and origins at most one event in this time is written: somebody may make them by the thousand.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// When refusals were last told to the application log.
#[derive(Debug, Default)]
pub struct Told {
    at: Mutex<Option<Instant>>,
}

impl Told {
    /// Whether it is time to tell again.
    fn now(&self) -> bool {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = at.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if due {
            *at = Some(Instant::now());
        }
        due
    }
}

/// Whether a method changes nothing.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The address that a request comes from.
#[must_use]
pub fn address_of(request: &Request) -> IpAddr {
    address_in(request.extensions())
}

fn address_in(extensions: &Extensions) -> IpAddr {
    let unknown = IpAddr::from([0, 0, 0, 0]);
    extensions.get::<ConnectInfo<SocketAddr>>().map_or(unknown, |info| info.0.ip())
}

/// The address that a request comes from, as it is counted.
#[derive(Debug, Clone)]
pub struct CountedAddress(pub String);

impl<S: Send + Sync> FromRequestParts<S> for CountedAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(counted_address(address_in(&parts.extensions))))
    }
}

/// The token behind `Authorization: Bearer`.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty() && token.len() <= 512)
}

/// Who makes a request. With a token the cookie does not count.
///
/// # Errors
/// 401 for a token that is not valid.
pub fn identify(app: &App, headers: &HeaderMap, touch: bool) -> Result<Option<Principal>, Refusal> {
    if headers.contains_key(header::AUTHORIZATION) {
        let token = bearer(headers).ok_or_else(problem::not_authenticated)?;
        return find_by_token(app, token).map(Some).ok_or_else(problem::not_authenticated);
    }
    let now = clock::now_ms();
    Ok(app.zone.read(|server| app.sign_ins.find(headers, &server.settings.settings.security, now, touch)))
}

fn find_by_token(app: &App, token: &str) -> Option<Principal> {
    let hash = random::hash_secret(token);
    if app.local_token.is(&hash) {
        return Some(Principal {
            name: "local".into(),
            roles: Role::Administrator.title().into(),
            rights: Rights::ALL,
            proof: Proof::Local,
        });
    }
    app.zone.read(|server| {
        let security = &server.settings.settings.security;
        let stored = find_token(security, &hash, clock::now_ms())?;
        let rights = security.rights_of([stored.role.as_str()]);
        let roles = role_title(&stored.role).to_owned();
        Some(Principal { name: stored.name.clone(), roles, rights, proof: Proof::Token })
    })
}

/// Refuses a request that a cookie authorizes and that another server's page has made.
///
/// # Errors
/// 403.
pub fn check_own_page(app: &App, request: &Request) -> Result<(), Refusal> {
    check_origin(request.headers(), request.uri(), &app.public_url).map_err(|refused| {
        if app.told.now() {
            let address = address_of(request);
            let path = request.uri().path();
            app.journal.record(
                catalogue::ORIGIN_REFUSED,
                format!("A request for {path} was refused: it was made by a page of {}", refused.origin),
                details([("origin", &refused.origin), ("address", &address), ("path", &path)]),
            );
        }
        problem::origin_refused(format!("{refused}. Nothing was changed."))
    })
}

/// Who makes a request, with the right that is needed.
///
/// # Errors
/// 401 or 403.
pub fn admit(app: &App, request: &Request, right: Right) -> Result<Option<Principal>, Refusal> {
    if matches!(right, Right::Public | Right::Agent | Right::Peer) {
        // Anybody may; or the handler knows the tokens of agents and of the other server.
        return Ok(None);
    }
    let principal = match identify(app, request.headers(), true) {
        Ok(Some(principal)) => principal,
        Ok(None) => return Err(problem::not_authenticated()),
        Err(refusal) => {
            tell_refused_token(app, request);
            return Err(refusal);
        }
    };
    if matches!(principal.proof, Proof::SignIn(_)) && !is_safe(request.method()) {
        check_own_page(app, request)?;
    }
    if !right.is_given_to(principal.rights) {
        return Err(problem::forbidden(right));
    }
    Ok(Some(principal))
}

fn tell_refused_token(app: &App, request: &Request) {
    if !app.told.now() {
        return;
    }
    let address = counted_address(address_of(request));
    let path = request.uri().path();
    app.journal.record(
        catalogue::TOKEN_REFUSED,
        format!("A token that is not valid was used from {address}"),
        details([("address", &address), ("path", &path)]),
    );
}

/// The middleware before each route of the table.
pub async fn guard(State((app, right)): State<(App, Right)>, mut request: Request, next: Next) -> Response {
    match admit(&app, &request, right) {
        Ok(Some(principal)) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Ok(None) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
