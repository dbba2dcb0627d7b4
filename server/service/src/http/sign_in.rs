//! Signing in and out, by plain forms.

use std::time::Instant;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use userlock_core::{account::fold_case, settings::LocalAccount};

use super::{body, guard, problem, state::App};
use crate::{
    auth::{PasswordError, Principal, Proof, TooMany, counted_address},
    clock,
    log::{catalogue, details},
};

/// The largest form, in bytes.
const MAX_FORM_BYTES: usize = 8 * 1024;
/// The longest account name, in bytes.
const MAX_ACCOUNT_BYTES: usize = 256;

#[derive(Deserialize)]
struct SignInForm {
    user: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`.
pub async fn sign_in(State(app): State<App>, request: Request) -> Response {
    // A page of somebody else must not sign its reader in to an account of its choice.
    if let Err(refusal) = guard::check_own_page(&app, &request) {
        return refusal.into_response();
    }
    let address = counted_address(guard::address_of(&request));
    let form = match body::read_body(request, MAX_FORM_BYTES).await {
        Ok(form) => form,
        Err(refusal) => return refusal.into_response(),
    };
    let Ok(form) = serde_urlencoded::from_bytes::<SignInForm>(&form) else {
        return problem::bad_request("Send a form with `user` and `password`.").into_response();
    };
    let next = own_path(&form.next);
    match check(&app, &form, &address).await {
        Ok(cookie) => redirect(next, Some(cookie)),
        Err(code) => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            redirect(&format!("/sign-in?error={code}&next={next}"), None)
        }
    }
}

/// The cookie, or the code of what is wrong.
async fn check(app: &App, form: &SignInForm, address: &str) -> Result<HeaderValue, &'static str> {
    // No account has such a name: nothing of it is looked up, counted or told.
    if form.user.len() > MAX_ACCOUNT_BYTES || form.user.chars().any(char::is_control) {
        return Err("invalid");
    }
    let name = fold_case(&form.user);
    let account = authenticate(app, &name, form.password.clone(), address).await.map_err(|error| match error {
        SignInFailure::Wrong => "invalid",
        SignInFailure::TooMany(_) => "locked",
        SignInFailure::Busy => "unavailable",
    })?;
    let cookie = app.sign_ins.begin(&account, address, clock::now_ms()).await.map_err(|error| {
        tracing::error!(%error, "a sign-in cannot be kept");
        "unavailable"
    })?;
    app.journal.record(
        catalogue::SIGNED_IN,
        format!("{name} signed in from {address}"),
        details([("account", &name), ("address", &address), ("roles", &account.roles.join(", "))]),
    );
    Ok(cookie)
}

/// Why somebody cannot sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInFailure {
    /// Wrong account or password, or the account is disabled; which of these is not told.
    #[error("the account or the password is wrong")]
    Wrong,
    /// Too many have failed.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The password could not be checked now.
    #[error("the server is too busy to check a password")]
    Busy,
}

/// The account with this name and password. Attempts are limited for the account and for the address; one that fails is told.
///
/// # Errors
/// [`SignInFailure`].
pub async fn authenticate(
    app: &App,
    name: &str,
    password: String,
    address: &str,
) -> Result<LocalAccount, SignInFailure> {
    prove(app, name, password, address).await.inspect_err(|failure| {
        if *failure == SignInFailure::Wrong {
            app.journal.record(
                catalogue::SIGN_IN_FAILED,
                format!("A sign-in as {name} from {address} failed"),
                details([("account", &name), ("address", &address)]),
            );
        }
    })
}

/// The same without a word of one that fails: it is counted, and told by who asks for it.
///
/// # Errors
/// [`SignInFailure`].
pub async fn prove(app: &App, name: &str, password: String, address: &str) -> Result<LocalAccount, SignInFailure> {
    let (account_key, address_key) = (format!("account {name}"), format!("address {address}"));
    let keys = [account_key.as_str(), address_key.as_str()];
    app.attempts.begin(&keys, Instant::now()).inspect_err(|too_many| {
        if too_many.first {
            app.journal.record(
                catalogue::SIGN_IN_LIMITED,
                format!(
                    "Too many passwords were wrong for {name} or from {address}; no more are tried for {} min",
                    too_many.retry_after.as_secs().div_ceil(60)
                ),
                details([("account", &name), ("address", &address)]),
            );
        }
    })?;
    let account = app
        .zone
        .read(|server| server.settings.settings.security.accounts.iter().find(|account| account.name == name).cloned());
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let matches = app.passwords.verify(password, hash).await.map_err(|error| {
        debug_assert!(matches!(error, PasswordError::Busy), "{error}");
        app.attempts.undecided(&keys);
        SignInFailure::Busy
    })?;
    match account.filter(|account| matches && !account.disabled) {
        Some(account) => {
            app.attempts.succeeded(&account_key, &address_key);
            Ok(account)
        }
        None => Err(SignInFailure::Wrong),
    }
}

/// `POST /sign-out`.
pub async fn sign_out(State(app): State<App>, request: Request) -> Response {
    if let Err(refusal) = guard::check_own_page(&app, &request) {
        return refusal.into_response();
    }
    if let Ok(Some(Principal { name, proof: Proof::SignIn(id), .. })) = guard::identify(&app, request.headers(), false)
    {
        if let Err(error) = app.sign_ins.end(&id).await {
            tracing::error!(%error, "a sign-in that has ended cannot be removed from the disk");
        }
        app.journal.record(catalogue::SIGNED_OUT, format!("{name} signed out"), details([("account", &name)]));
    }
    redirect("/sign-in", Some(app.sign_ins.removal()))
}

/// A path on this server, or the Overview: a form must not lead anybody elsewhere.
#[must_use]
pub fn own_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.len() <= 2048;
    if own { next } else { "/" }
}

/// Goes to another page of this server.
#[must_use]
pub fn redirect(to: &str, cookie: Option<HeaderValue>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/")));
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(own_path("/sessions?q=a"), "/sessions?q=a");
        for elsewhere in ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nx: y"] {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
