//! What is answered before a server is set up: the wizard to browsers, `not_set_up` to programs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower_http::catch_panic::CatchPanicLayer;
use userlock_app::pages::wizard::{self as pages, CONTENT_SECURITY_POLICY, WizardPage};

use super::{Wizard, finish, steps, view};
use crate::{
    auth::{check_origin, counted_address},
    http::{
        assets,
        body::read_body,
        guard::address_of,
        layers,
        problem::{self, Refusal},
        sign_in::redirect,
    },
    setup::Step,
};

/// The largest form, in bytes.
const MAX_FORM_BYTES: usize = 16 * 1024;
/// Where only programs go.
const PROGRAMS: [&str; 4] = ["/api/", "/agent/", "/replication/", "/fn/"];
/// And there, too.
const FIGURES: [&str; 3] = ["/readyz", "/metrics", "/live"];
/// Before a browser is led on, the wizard stops to take connections: the next one finds the server.
const LEAVING: Duration = Duration::from_millis(200);

/// Everything that is answered.
pub(super) fn router(wizard: Arc<Wizard>) -> Router {
    Router::new()
        .fallback(answer)
        .layer(from_fn_with_state(Arc::clone(&wizard), careful))
        .with_state(wizard)
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn(layers::timeout))
        .layer(from_fn(layers::take_in))
}

/// The headers that tell browsers to be careful.
async fn careful(State(wizard): State<Arc<Wizard>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    layers::be_careful(headers, wizard.secure());
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

fn not_set_up() -> Refusal {
    let detail =
        "This server is not set up yet: open its address in a browser, or use `userlock setup`. Nothing was changed.";
    problem::refuse(503, "not_set_up", "Not set up", detail)
}

fn step_at(path: &str) -> Option<Step> {
    [Step::Welcome, Step::ServerType, Step::Zone, Step::Account, Step::Finish]
        .into_iter()
        .find(|step| shown(*step).path() == path)
}

/// The step, as the pages have it.
fn shown(step: Step) -> pages::Step {
    match step {
        Step::Welcome => pages::Step::Welcome,
        Step::ServerType => pages::Step::ServerType,
        Step::Zone => pages::Step::Zone,
        Step::Account => pages::Step::Account,
        Step::Finish => pages::Step::Finish,
    }
}

async fn answer(State(wizard): State<Arc<Wizard>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/healthz" {
        return "ok\n".into_response();
    }
    if FIGURES.contains(&path.as_str()) || PROGRAMS.iter().any(|prefix| path.starts_with(prefix)) {
        return not_set_up().into_response();
    }
    let asset = path == "/style.css" || path == "/favicon.svg" || path.starts_with("/fonts/");
    if asset && assets::paths().any(|asset| asset == path) {
        return assets::serve(request).await;
    }
    match *request.method() {
        Method::GET | Method::HEAD => show(&wizard, &path, request.headers()).await,
        Method::POST => take(&wizard, &path, request).await,
        _ => problem::method_not_allowed().into_response(),
    }
}

async fn show(wizard: &Arc<Wizard>, path: &str, headers: &HeaderMap) -> Response {
    let opened = wizard.doors.is_open_to(headers);
    let done = wizard.draft().is_done();
    match step_at(path) {
        _ if path == "/sign-in" && opened && done => lead_on(wizard).await,
        None => redirect(pages::Step::Welcome.path(), None),
        // A cookie may be of a server that was set up and has left its zone since: then there is nothing to go on with.
        Some(Step::Welcome)
            if !opened && wizard.doors.was_open_to(headers) && wizard.draft().open_up_to() > Step::ServerType =>
        {
            html(wizard, &view::code_again(), None)
        }
        Some(Step::Welcome) if !opened => html(wizard, &view::page_of(wizard, Step::Welcome, false), None),
        Some(_) if !opened => redirect(pages::Step::Welcome.path(), None),
        Some(step) => {
            let (furthest, busy) = {
                let draft = wizard.draft();
                (draft.open_up_to(), draft.is_working() || draft.is_done())
            };
            if step > furthest || (busy && step != Step::Finish) {
                return redirect(shown(furthest).path(), None);
            }
            let page = view::page_of(wizard, step, true);
            html(wizard, &page, refresh(wizard))
        }
    }
}

/// When the page is to be looked at again, and where.
fn refresh(wizard: &Wizard) -> Option<(u32, &'static str)> {
    let draft = wizard.draft();
    if draft.is_working() {
        Some((1, pages::Step::Finish.path()))
    } else if draft.is_done() && draft.is_backup() {
        Some((6, "/sign-in"))
    } else {
        None
    }
}

/// The wizard has done its work: the server starts, and the browser is led to its sign-in page.
async fn lead_on(wizard: &Wizard) -> Response {
    wizard.leave.cancel();
    tokio::time::sleep(LEAVING).await;
    redirect("/sign-in", Some(wizard.doors.forget()))
}

async fn take(wizard: &Arc<Wizard>, path: &str, request: Request) -> Response {
    if let Err(refused) = check_origin(request.headers(), request.uri(), &wizard.config.public_url) {
        return problem::origin_refused(format!("{refused}. Nothing was changed.")).into_response();
    }
    let opened = wizard.doors.is_open_to(request.headers());
    let address = counted_address(address_of(&request));
    let step = match step_at(path) {
        Some(step) => step,
        None if path == pages::START && opened && wizard.draft().is_done() => return lead_on(wizard).await,
        None => return redirect(pages::Step::Welcome.path(), None),
    };
    let body = match read_body(request, MAX_FORM_BYTES).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(form) = read_form(&body) else {
        return problem::bad_request("Send the form of this page.").into_response();
    };
    if !opened {
        let code = form.get("code").map(String::as_str).unwrap_or_default();
        return if step == Step::Welcome { open(wizard, code, &address) } else { redirect("/wizard", None) };
    }
    let _turn = wizard.turn.lock().await;
    let (furthest, busy) = {
        let draft = wizard.draft();
        (draft.open_up_to(), draft.is_working() || draft.is_done())
    };
    if busy || step > furthest {
        return redirect(shown(furthest).path(), None);
    }
    if step == Step::Finish {
        if form.get("go").is_some_and(|go| go == "back") {
            return redirect(shown(Step::Account).path(), None);
        }
        finish::begin(wizard);
        return redirect(shown(Step::Finish).path(), None);
    }
    let to = steps::take(wizard, step, &form).await;
    let keeping = Arc::clone(wizard);
    // What cannot be kept is asked for again after a restart, and there is no other harm.
    _ = tokio::task::spawn_blocking(move || keeping.keep()).await;
    redirect(shown(to).path(), None)
}

fn read_form(body: &Bytes) -> Option<steps::Form> {
    serde_urlencoded::from_bytes(body).ok()
}

/// Opens the wizard to a browser with the code. An attempt counts from its beginning.
fn open(wizard: &Wizard, code: &str, address: &str) -> Response {
    let key = format!("wizard address {address}");
    let keys = [key.as_str()];
    if let Err(many) = wizard.attempts.begin(&keys, Instant::now()) {
        if many.first {
            tracing::warn!(address, "too many wrong codes for the Configuration wizard; no more are tried for a while");
        }
        let minutes = many.retry_after.as_secs().div_ceil(60);
        let text = format!(
            "Too many wrong codes came from your address. Try again in {minutes} min, or start the server anew."
        );
        return html_with(429, wizard, &view::code_refused(&text, "too_many_attempts"), None);
    }
    if !wizard.code.is(code) {
        tracing::warn!(address, "a wrong code for the Configuration wizard");
        let text =
            "This is not the code. It is the one of the last start of this server: each start makes another one.";
        return html_with(422, wizard, &view::code_refused(text, "wrong_code"), None);
    }
    wizard.attempts.undecided(&keys);
    match wizard.doors.open() {
        Ok(cookie) => {
            tracing::info!(address, "the Configuration wizard was opened with the one-time code");
            // Behind what was typed before a restart, or in another browser.
            redirect(shown(wizard.draft().open_up_to()).path(), Some(cookie))
        }
        Err(error) => {
            tracing::error!(%error, "the Configuration wizard cannot be opened");
            problem::internal().into_response()
        }
    }
}

fn html(wizard: &Wizard, page: &WizardPage, refresh: Option<(u32, &str)>) -> Response {
    html_with(200, wizard, page, refresh)
}

fn html_with(status: u16, wizard: &Wizard, page: &WizardPage, refresh: Option<(u32, &str)>) -> Response {
    let name = wizard.draft().name.clone();
    let document = pages::document(page, &name);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], document).into_response();
    if let Some((seconds, to)) = refresh
        && let Ok(value) = HeaderValue::from_str(&format!("{seconds};url={to}"))
    {
        response.headers_mut().insert(header::REFRESH, value);
    }
    *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap_or_default();
    response
}
