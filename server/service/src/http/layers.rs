//! What holds for every answer: headers, time-outs, panics, counting.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Version, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use super::{problem, state::App};

/// How long a request may take until its answer begins, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Of a request that is refused, so many bytes are still taken in …
const MAX_TAKEN_IN: usize = 256 * 1024;
/// … and for so long.
const TAKE_IN_TIME: Duration = Duration::from_secs(1);

/// Gives up a request that takes too long.
pub async fn timeout(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => problem::timed_out().into_response(),
    }
}

/// Counts requests, and sets the headers that tell browsers to be careful.
pub async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    app.figures.request(response.status().as_u16());
    let headers = response.headers_mut();
    be_careful(headers, app.secure);
    // A page has sent its own, with its nonce.
    if let Ok(policy) = HeaderValue::from_str(&userlock_app::shell::content_security_policy(None)) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// The headers that tell browsers to be careful, but for what a page may load.
pub fn be_careful(headers: &mut HeaderMap, secure: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not `no-referrer`: a plain form is sent back to the page that it came from.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    if secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// Takes in what a refused request still brings, as far as is bearable. With HTTP/2 a body that nobody reads ends in a
/// reset of its stream, for which some clients (curl before 8) drop the answer that they have.
pub async fn take_in(request: Request, next: Next) -> Response {
    if request.version() != Version::HTTP_2 || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let chunks = stream::unfold(Arc::clone(&shared), |shared| async {
        let chunk = shared.lock().await.next().await?;
        Some((chunk, shared))
    });
    let response = next.run(Request::from_parts(parts, Body::from_stream(chunks))).await;
    if response.status().is_client_error() {
        let mut left = MAX_TAKEN_IN;
        let rest = async {
            while let Some(Ok(chunk)) = shared.lock().await.next().await
                && chunk.len() < left
            {
                left -= chunk.len();
            }
        };
        // Whoever sends more, or more slowly, loses the stream instead.
        _ = tokio::time::timeout(TAKE_IN_TIME, rest).await;
    }
    response
}

/// The answer in place of a handler that panicked.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = what, "a request made the program panic");
    problem::internal().into_response()
}
