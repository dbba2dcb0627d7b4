//! Around each call of a port: who asks, what the answer's status is, and where a plain form goes afterwards.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, COOKIE, LOCATION, REFERER, SET_COOKIE},
    request::Parts,
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use userlock_core::{
    api::{Problem, TestReport},
    id::Digest,
};

use super::{Caller, Flash, Refused, Right, kept, refused, right_of};
use crate::{
    ports::SharedPorts,
    present::query,
    sheet::{Saved, Sheet},
    sheets::{Pages, Sent, Typed, told_beside},
};

/// The cookie that carries what a form did to the page that shows it.
pub const FLASH_COOKIE: &str = "userlock_flash";
/// The longest text that it carries, in bytes as they stand in it: browsers drop a cookie of more than 4096.
const MAX_FLASH_BYTES: usize = 3500;

/// The ports and the caller, when the caller has the right.
pub(super) fn admit(right: Right) -> Result<(SharedPorts, Caller), Refused> {
    let admitted = (|| {
        let caller = use_context::<Caller>().ok_or_else(Refused::sign_in)?;
        if !caller.may(right) {
            return Err(Refused::forbidden());
        }
        let ports = use_context::<SharedPorts>().ok_or_else(|| {
            Refused(refused::problem(503, "starting", "The server is not ready", "Try again in a moment."))
        })?;
        Ok((ports, caller))
    })();
    admitted.inspect_err(set_status)
}

/// Makes a call that only reads.
pub(super) async fn read<T, F>(right: Right, call: impl FnOnce(SharedPorts) -> F) -> Result<T, Refused>
where
    F: Future<Output = Result<T, Problem>> + Send,
{
    let (ports, _) = admit(right)?;
    call(ports).await.map_err(refuse)
}

/// Makes a call that only reads, and whose answer depends on who asks.
pub(super) async fn read_as<T, F>(right: Right, call: impl FnOnce(SharedPorts, Caller) -> F) -> Result<T, Refused>
where
    F: Future<Output = Result<T, Problem>> + Send,
{
    let (ports, caller) = admit(right)?;
    call(ports, caller).await.map_err(refuse)
}

/// Makes a call that changes or starts something. A plain form is sent back to its page, or to what `told` names.
pub(super) async fn act<T, F>(
    right: Right,
    call: impl FnOnce(SharedPorts, Caller) -> F,
    told: impl FnOnce(&T) -> Told,
) -> Result<T, Refused>
where
    F: Future<Output = Result<T, Problem>> + Send,
{
    let outcome = match admit(right) {
        Ok((ports, caller)) => call(ports, caller).await.map_err(|problem| Refused(by_label(problem))),
        Err(refused) => Err(refused),
    };
    told_of(outcome, told, None)
}

/// The longest `ETag` that a form may have, in bytes: no server gives one of half that.
const MAX_ETAG_BYTES: usize = 128;

/// Takes the form of a page of Properties, of Protected accounts or of one's own account: to change, or to test, what is
/// in it. Without JavaScript the page that follows has in its form what was typed, unless it was saved.
pub(super) async fn submit<F>(
    pages: Pages,
    sent: Sent,
    call: impl FnOnce(SharedPorts, Caller, Sent) -> F,
) -> Result<Saved, Refused>
where
    F: Future<Output = Result<Saved, Problem>> + Send,
{
    let (ports, caller) = admit(pages.right())?;
    if sent.etag.len() > MAX_ETAG_BYTES {
        let detail = "etag: is longer than any that a server gives. Nothing was changed.";
        let refused = refused::problem(400, "invalid_arguments", "The form could not be read", detail);
        return told_of(Err(Refused(refused)), told, None);
    }
    let outcome = call(SharedPorts::clone(&ports), caller.clone(), sent.clone()).await.map_err(by_label);
    let typed = match accepts_html() {
        true => Typed::of(pages, ports, caller, sent, &outcome).await.and_then(kept::keep_form),
        false => None,
    };
    let outcome = if typed.is_some() { outcome.map_err(told_beside) } else { outcome };
    told_of(outcome.map_err(Refused), told, typed)
}

/// What a form of a page did.
pub(super) fn told(saved: &Saved) -> Told {
    let to = (!saved.to.is_empty()).then(|| saved.to.clone());
    let ok = saved.report.as_ref().is_none_or(|report| report.ok);
    Told { text: saved.text.clone(), to, ok, secret: saved.secret.clone(), report: None }
}

/// Answers a plain form: back to its page, or to what `told` names. `typed` is kept for that page.
fn told_of<T>(outcome: Result<T, Refused>, told: impl FnOnce(&T) -> Told, typed: Option<u64>) -> Result<T, Refused> {
    match &outcome {
        Ok(value) if accepts_html() => {
            let told = told(value);
            let (secret, report) = (told.secret.and_then(kept::keep_secret), told.report.and_then(kept::keep_report));
            send_back(told.to.as_deref(), Some(&Flash { ok: told.ok, text: told.text, typed, secret, report }));
        }
        Ok(_) => {}
        Err(refused) => refuse_form(refused, typed),
    }
    outcome
}

/// A problem that calls the reason as forms do. What a section calls its fields is known where its form is.
fn by_label(mut problem: Problem) -> Problem {
    if problem.field.as_deref() == Some("reason")
        && let Some(rest) = problem.detail.strip_prefix("reason:")
    {
        problem.detail = format!("Reason:{rest}");
    }
    problem
}

/// What to tell of a call that did what it should.
pub(super) struct Told {
    /// In words.
    pub text: String,
    /// The page to go to; the one that it came from when absent.
    pub to: Option<String>,
    /// Whether it is good news.
    pub ok: bool,
    /// A secret that the page after it tells, once.
    pub secret: Option<String>,
    /// What a test found, which the page after it shows check by check.
    pub report: Option<TestReport>,
}

impl Told {
    /// Goes back to the page that the form is on.
    pub fn here(text: impl Into<String>) -> Self {
        Self { text: text.into(), to: None, ok: true, secret: None, report: None }
    }

    /// Goes to another page.
    pub fn at(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { text: text.into(), to: Some(to.into()), ok: true, secret: None, report: None }
    }
}

fn refuse(problem: Problem) -> Refused {
    let refused = Refused(problem);
    set_status(&refused);
    refused
}

/// Arguments that could not be read: says so only to somebody who may call the function at all.
pub(super) fn unreadable(refused: Refused) -> Refused {
    let Some(right) = use_context::<Parts>().and_then(|parts| right_of(parts.uri.path())) else { return refused };
    match admit(right) {
        Err(first) => first,
        Ok(_) => {
            set_status(&refused);
            refused
        }
    }
}

fn set_status(refused: &Refused) {
    refuse_form(refused, None);
}

/// Gives the answer the problem's status, or sends a plain form back with the problem and what was typed.
fn refuse_form(refused: &Refused, typed: Option<u64>) {
    let Some(response) = use_context::<ResponseOptions>() else { return };
    // While a page is rendered its own status stands, whatever one of its parts could not read.
    if !is_server_function() {
        return;
    }
    if accepts_html() {
        if refused.needs_sign_in() {
            send_back(Some("/sign-in"), None);
        } else {
            let text = format!("{}. {}", refused.0.title, refused.0.detail);
            send_back(None, Some(&Flash { ok: false, text, typed, secret: None, report: None }));
        }
    } else {
        response.set_status(StatusCode::from_u16(refused.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    }
}

fn is_server_function() -> bool {
    use_context::<Parts>().is_some_and(|parts| parts.uri.path().starts_with("/fn/"))
}

fn accepts_html() -> bool {
    is_server_function()
        && use_context::<Parts>().is_some_and(|p| {
            p.headers.get(ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
        })
}

/// 303 to a page of this dashboard. Of the `Referer` only path and query count, so that no other site is ever a target.
fn send_back(to: Option<&str>, flash: Option<&Flash>) {
    let (Some(parts), Some(response)) = (use_context::<Parts>(), use_context::<ResponseOptions>()) else { return };
    let referer = parts.headers.get(REFERER).and_then(|v| v.to_str().ok());
    let target = to.or_else(|| referer.and_then(query::path_of)).unwrap_or("/");
    if let Ok(value) = HeaderValue::from_str(target) {
        response.set_status(StatusCode::SEE_OTHER);
        response.insert_header(LOCATION, value);
    }
    let Some(mut flash) = flash.cloned() else { return };
    flash.text = query::fitting(&flash.text, MAX_FLASH_BYTES).to_owned();
    if let Ok(json) = serde_json::to_string(&flash) {
        set_cookie(&flash_cookie(&query::encode(&json), 60));
    }
}

/// The `Set-Cookie` header of the cookie with this value, for so many seconds.
fn flash_cookie(value: &str, seconds: u32) -> String {
    let secure = use_context::<SharedPorts>().is_some_and(|ports| ports.speaks_tls());
    let secure = if secure { "; Secure" } else { "" };
    format!("{FLASH_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Gives the answer a `Set-Cookie` header.
pub(crate) fn set_cookie(cookie: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        response.append_header(SET_COOKIE, value);
    }
}

/// What the form before this page did, as its cookie tells it.
fn flash_of(parts: &Parts) -> Option<Flash> {
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
    let value = cookies
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(FLASH_COOKIE)?.strip_prefix('=').map(str::to_owned))?;
    serde_json::from_str(&query::decode(&value)).ok()
}

/// What the form before this page did, once: the cookie is forgotten with it.
#[must_use]
pub fn take_flash() -> Option<Flash> {
    let mut flash = flash_of(&use_context::<Parts>()?)?;
    set_cookie(&flash_cookie("", 0));
    if let Some(secret) = flash.secret.take().and_then(kept::take_secret) {
        flash.text = format!("{} {secret}", flash.text);
    }
    Some(flash)
}

/// What is kept for a page, once it was taken: a page may be made of its parts more than once.
#[derive(Clone, Default)]
pub struct TakenBefore(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    typed: Option<Typed>,
    report: Option<TestReport>,
}

/// What was kept for this page. It is looked for before anything is waited for: a page may be made of its parts more than
/// once, and the parts that are not shown lose what they know of the request meanwhile. The browser goes by what the first
/// ones have read, and all must have read the same.
#[derive(Default)]
pub(crate) struct ForPage(Option<(Flash, TakenBefore, Digest)>);

impl ForPage {
    /// Of the page that is being made. A server function that a script calls takes nothing.
    pub(crate) fn of_request() -> Self {
        let looked = || {
            let flash = flash_of(&use_context::<Parts>()?)?;
            Some((flash, use_context::<TakenBefore>()?, use_context::<Caller>()?.sign_in?))
        };
        Self(if is_server_function() { None } else { looked() })
    }

    /// What was typed into the form of this page, when the form was sent before the page and was not saved.
    pub(crate) fn typed(&self, sheet: &Sheet) -> Option<Typed> {
        let (flash, TakenBefore(before), sign_in) = self.0.as_ref()?;
        let (number, mut before) = (flash.typed?, before.lock().unwrap_or_else(PoisonError::into_inner));
        if before.typed.is_none() {
            before.typed = kept::take_form(number, *sign_in, |typed| typed.is_of(sheet));
        }
        before.typed.clone().filter(|typed| typed.is_of(sheet))
    }

    /// What the test found that was made before this page.
    pub(crate) fn report(&self) -> Option<TestReport> {
        let (flash, TakenBefore(before), sign_in) = self.0.as_ref()?;
        let (number, mut before) = (flash.report?, before.lock().unwrap_or_else(PoisonError::into_inner));
        if before.report.is_none() {
            before.report = kept::take_report(number, *sign_in);
        }
        before.report.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_reason_as_the_form_does() {
        let named = |field: &str| {
            let detail = format!("{field}: must not be empty. Nothing was changed.");
            let mut problem = refused::problem(422, "invalid_field", "A field is not right", &detail);
            problem.field = Some(field.to_owned());
            by_label(problem)
        };
        assert_eq!(named("reason").detail, "Reason: must not be empty. Nothing was changed.");
        assert_eq!(named("reason").field.as_deref(), Some("reason"));
        assert_eq!(named("x.y").detail, "x.y: must not be empty. Nothing was changed.");
    }
}
