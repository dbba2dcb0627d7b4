//! The dashboard's pages and server functions, and its files.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, Uri},
    response::{IntoResponse as _, Response},
};
use leptos::prelude::provide_context;
use userlock_app::{App as Pages, api::Caller, ports::SharedPorts, shell::shell};

use super::{assets, body, guard, problem, sign_in, state::App};
use crate::auth::{Principal, Proof, counted_address};

/// Where the pages are not: what is unknown there is answered for programs.
const NO_PAGES: [&str; 5] = ["/api/", "/agent/", "/replication/", "/pkg/", "/fonts/"];

/// Prepares the pages' framework. Once at the start, before the first page.
pub fn prepare() {
    // The routes are in the pages; what matters here is that the framework's executor is set up.
    _ = leptos_axum::generate_route_list(Pages);
}

/// Gives the pages what they need: the ports, and who asks.
fn context(app: App, principal: Option<&Principal>, address: String) -> impl Fn() + Clone + Send + Sync + 'static {
    let ports: SharedPorts = Arc::new(app);
    let caller = principal.map(|principal| Caller {
        name: principal.to_string(),
        roles: principal.roles.clone(),
        rights: principal.rights,
        sign_in: principal.sign_in(),
        address,
    });
    move || {
        provide_context(Arc::clone(&ports));
        if let Some(caller) = &caller {
            provide_context(caller.clone());
        }
    }
}

/// Every address that is no route: a file, a page, or nothing.
pub async fn page(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if assets::paths().any(|asset| asset == path) {
        return assets::serve(request).await;
    }
    if NO_PAGES.iter().any(|prefix| path.starts_with(prefix)) {
        return problem::not_found("address").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return problem::method_not_allowed().into_response();
    }
    if path == "/wizard" || path.starts_with("/wizard/") {
        // The Configuration wizard has done its work: whoever still looks at it is led on.
        return sign_in::redirect("/", None);
    }
    let principal = match guard::identify(&app, request.headers(), true) {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let signing_in = path == "/sign-in";
    match (&principal, signing_in) {
        (None, false) => return sign_in::redirect(&sign_in_address(request.uri()), None),
        (Some(_), true) => {
            return sign_in::redirect(next_of(request.uri()).as_deref().map_or("/", sign_in::own_path), None);
        }
        _ => {}
    }
    let options = app.leptos.clone();
    let context = context(app, principal.as_ref(), counted_address(guard::address_of(&request)));
    let render = leptos_axum::render_app_async_with_context(context, move || shell(options.clone()));
    render(request).await
}

/// The sign-in page, which leads on to the page that was wanted.
fn sign_in_address(wanted: &Uri) -> String {
    let wanted = wanted.path_and_query().map_or("/", |p| p.as_str());
    if wanted == "/" {
        return "/sign-in".to_owned();
    }
    let next: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    format!("/sign-in?next={next}")
}

/// The page that was wanted.
fn next_of(uri: &Uri) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name == "next").map(|(_, value)| value.into_owned())
}

/// A server function: who asks, from where and how much is checked here; the right by the function itself.
pub async fn server_function(State(app): State<App>, request: Request) -> Response {
    let principal = match guard::identify(&app, request.headers(), true) {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let by_cookie = !matches!(principal, Some(Principal { proof: Proof::Token | Proof::Local, .. }));
    if by_cookie
        && !matches!(*request.method(), Method::GET | Method::HEAD)
        && let Err(refusal) = guard::check_own_page(&app, &request)
    {
        return refusal.into_response();
    }
    let address = counted_address(guard::address_of(&request));
    let (parts, incoming) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), incoming);
    let bytes = match body::read_body(whole, body::MAX_BODY_BYTES).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal.into_response(),
    };
    let request = Request::from_parts(parts, Body::from(bytes));
    leptos_axum::handle_server_fns_with_context(context(app, principal.as_ref(), address), request)
        .await
        .into_response()
}
