//! `/replication/v1`: what the Primary answers to its Backup.

mod exchange;
mod guard;
mod joining;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Serialize, de::DeserializeOwned};
use userlock_core::sync::{MEDIA_TYPE, PROTOCOL_VERSION, VERSION_HEADER};

use super::{
    agents::PairState,
    body::read_body,
    problem::{self, Answer, Refusal},
};
use crate::{
    log::{catalogue, details},
    store::state::StateError,
    zone::SubmitError,
};

/// The largest body of an exchange, in bytes.
const MAX_BODY_BYTES: usize = 40 * 1024 * 1024;

/// Every route here, all by `POST`: with whether it needs the token of the Backup.
pub const ROUTES: &[(&str, bool)] = &[
    ("/replication/v1/about", false),
    ("/replication/v1/join", false),
    ("/replication/v1/hello", true),
    ("/replication/v1/held", true),
    ("/replication/v1/pull", true),
    ("/replication/v1/push", true),
    ("/replication/v1/settings", true),
    ("/replication/v1/snapshot", true),
    ("/replication/v1/forward", true),
    ("/replication/v1/leave", true),
];

/// The routes, guarded.
pub fn router(state: PairState) -> Router {
    let guarded = Router::new()
        .route("/replication/v1/hello", post(exchange::hello))
        .route("/replication/v1/held", post(exchange::held))
        .route("/replication/v1/pull", post(exchange::pull))
        .route("/replication/v1/push", post(exchange::push))
        .route("/replication/v1/settings", post(exchange::settings))
        .route("/replication/v1/snapshot", post(exchange::snapshot))
        .route("/replication/v1/forward", post(exchange::forward))
        .route("/replication/v1/leave", post(joining::leave))
        .layer(middleware::from_fn_with_state(state.clone(), guard::guard));
    Router::new()
        .route("/replication/v1/about", post(joining::about))
        .route("/replication/v1/join", post(joining::join))
        .merge(guarded)
        .layer(middleware::from_fn(version))
        .with_state(state)
}

/// Refuses another version of the protocol by name, and names its own in every answer.
async fn version(request: Request, next: Next) -> Response {
    let theirs = request.headers().get(VERSION_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("none").to_owned();
    let mut response = if theirs == PROTOCOL_VERSION.to_string() {
        next.run(request).await
    } else {
        let detail = format!(
            "This server speaks version {PROTOCOL_VERSION} of the protocol between servers, the other {theirs}."
        );
        problem::refuse(400, "protocol_version", "Another version of the protocol", detail).into_response()
    };
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from(PROTOCOL_VERSION));
    response
}

/// A body that is one frame.
async fn frame<T: DeserializeOwned>(request: Request) -> Answer<T> {
    let body = read_body(request, MAX_BODY_BYTES).await?;
    postcard::from_bytes(&body).map_err(|_| problem::bad_request("The body is not a frame of this protocol."))
}

/// An answer that is one frame.
fn framed(answer: &impl Serialize) -> Answer<Response> {
    let body = postcard::to_allocvec(answer).map_err(|_| problem::internal())?;
    Ok(bytes_response(Body::from(body)))
}

fn bytes_response(body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// Something could not be read from the disk.
pub(super) fn storage(state: &PairState, error: &StateError) -> Refusal {
    let message = error.to_string();
    let more = details([("operation", &"read")]);
    // Who could not be answered asks again.
    state.lasting.tell(&state.journal, catalogue::STORAGE_FAILED, &message, message.clone(), more);
    problem::unavailable("storage_failed", "This server cannot read its disk. Nothing was changed.")
}

/// Something was not done.
pub(super) fn submit_refusal(error: SubmitError) -> Refusal {
    match error {
        SubmitError::Refused(refusal) => problem::conflict("refused", "Not taken", refusal.to_string()),
        SubmitError::Unavailable(_) => {
            problem::unavailable("commit_failed", "This server cannot write to its disk. Nothing was changed.")
        }
        SubmitError::Overloaded => {
            problem::unavailable("overloaded", "This server is overloaded. Nothing was changed: try again.")
        }
    }
}
