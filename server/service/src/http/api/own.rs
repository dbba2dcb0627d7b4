//! What else there is of the sections that belong to this server alone: their tests, and what they were.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use userlock_core::{
    api::{DatabaseReport, DatabaseStatus, DatabaseTest, EmailTest, OwnRevision, Page, TestReport},
    settings::Secret,
};

use super::{
    lists::PageQuery,
    settings::{base, with_etag},
};
use crate::{
    auth::Principal,
    http::{
        body::{PathOf, QueryOf, UnreadJson, check_etag, number_cursor, page_limit},
        problem::Answer,
        state::App,
    },
};

/// `POST /api/v1/settings/email/test`.
pub async fn test_email(State(app): State<App>, body: UnreadJson) -> Answer<Json<TestReport>> {
    let test: EmailTest = body.read()?;
    app.test_email(test).await.map(Json)
}

/// `GET /api/v1/own-revisions`.
pub async fn own_revisions(
    State(app): State<App>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Answer<Json<Page<OwnRevision>>> {
    let limit = page_limit(query.limit)?;
    let before = number_cursor(query.cursor.as_deref().filter(|cursor| !cursor.is_empty()))?;
    let mut items = app.own_revisions(limit + 1, before).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.revision.to_string());
    Ok(Json(Page { total: None, items, next }))
}

/// `GET /api/v1/own-revisions/{n}`.
pub async fn own_revision(State(app): State<App>, PathOf(n): PathOf<u64>) -> Answer<Json<OwnRevision>> {
    app.own_revision(n).await.map(Json)
}

/// What it takes to go back to a change.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreOwn {
    /// Why; kept with the change.
    pub reason: String,
    /// The section's password, which no change has: needed where the one that is kept now was given for another server,
    /// port, account or protection. Empty: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
}

/// `POST /api/v1/own-revisions/{n}/restore`.
pub async fn restore_own_revision(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(n): PathOf<u64>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    let etag = base(&headers)?;
    check_etag(Some(etag), &app.own_etag())?;
    let RestoreOwn { reason, password } = body.read()?;
    let etag = app.go_back_own((&by.to_string(), by.rights), n, etag, Some(reason), password).await?;
    let latest = app.own_revisions(1, None).await?;
    Ok(with_etag(StatusCode::OK, &latest.first(), &etag))
}

/// `GET /api/v1/settings/database/status`.
pub async fn database_status(State(app): State<App>) -> Json<DatabaseStatus> {
    Json(app.database_status().await)
}

/// `POST /api/v1/settings/database/test`.
pub async fn test_database(State(app): State<App>, body: UnreadJson) -> Answer<Json<DatabaseReport>> {
    let test: DatabaseTest = body.read_or_default()?;
    app.test_database(test).await.map(Json)
}
