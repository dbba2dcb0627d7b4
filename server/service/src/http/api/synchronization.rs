//! The synchronizations and their runs.

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use userlock_core::{
    api::{RunState, RunView, SessionsSyncRequest, SyncKind, SynchronizationView, TestReport},
    id::RunId,
};

use crate::{
    auth::Principal,
    http::{
        body::{PathOf, QueryOf, UnreadJson},
        problem::{self, Answer},
        state::App,
    },
    operations::MAX_WAIT_SECONDS,
};

/// Whether to wait for the result.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaitQuery {
    /// Seconds, 0 to 25.
    pub wait: u32,
}

/// A body without fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `GET /api/v1/synchronization`.
pub async fn state(State(app): State<App>) -> Answer<Json<SynchronizationView>> {
    app.synchronization().await.map(Json)
}

/// `POST /api/v1/synchronization/events`.
pub async fn events(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    QueryOf(query): QueryOf<WaitQuery>,
    body: UnreadJson,
) -> Answer<Response> {
    app.synchronizer()?;
    let Nothing {} = body.read_or_default()?;
    start(&app, &by.to_string(), SyncKind::Events, false, query).await
}

/// `POST /api/v1/synchronization/sessions`.
pub async fn sessions(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    QueryOf(query): QueryOf<WaitQuery>,
    body: UnreadJson,
) -> Answer<Response> {
    app.synchronizer()?;
    let request: SessionsSyncRequest = body.read_or_default()?;
    start(&app, &by.to_string(), SyncKind::Sessions, request.preview, query).await
}

/// 202 with the run's name; with `wait` the run itself, 200 when it has ended.
async fn start(app: &App, by: &str, kind: SyncKind, preview: bool, query: WaitQuery) -> Answer<Response> {
    if query.wait > MAX_WAIT_SECONDS {
        return Err(problem::invalid_field("wait", "must be from 0 to 25"));
    }
    let started = app.synchronize(by, kind, preview)?;
    if query.wait == 0 {
        return Ok((StatusCode::ACCEPTED, Json(started)).into_response());
    }
    let view = app.run(started.run, query.wait).await?;
    let status = if view.state == RunState::Running { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(view)).into_response())
}

/// `GET /api/v1/synchronization/runs/{id}`.
pub async fn run(
    State(app): State<App>,
    PathOf(run): PathOf<RunId>,
    QueryOf(query): QueryOf<WaitQuery>,
) -> Answer<Json<RunView>> {
    app.run(run, query.wait).await.map(Json)
}

/// `DELETE /api/v1/synchronization/runs/{id}`.
pub async fn cancel(State(app): State<App>, PathOf(run): PathOf<RunId>) -> Answer<Json<RunView>> {
    app.cancel_run(run).await.map(Json)
}

/// `POST /api/v1/synchronization/test`.
pub async fn test(State(app): State<App>, body: UnreadJson) -> Answer<Json<TestReport>> {
    app.synchronizer()?;
    let Nothing {} = body.read_or_default()?;
    app.test_connection().await.map(Json)
}
