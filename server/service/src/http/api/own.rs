//! The sections that belong to this server alone. They are written on both roles.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use userlock_core::api::{DatabaseReport, DatabaseStatus, DatabaseTest, EmailTest, TestReport};

use super::settings::{base, section_and_reason, with_etag};
use crate::{
    auth::Principal,
    http::{
        body::{UnreadJson, check_etag},
        problem::Answer,
        state::App,
    },
};

/// `GET /api/v1/settings/email`.
pub async fn email(State(app): State<App>) -> Response {
    let section = app.email_section();
    with_etag(StatusCode::OK, &section.value, &section.etag)
}

/// `PUT /api/v1/settings/email`.
pub async fn put_email(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    let etag = base(&headers)?;
    check_etag(Some(etag), &app.email_section().etag)?;
    let (change, reason) = section_and_reason(&body)?;
    let section = app.change_email(&by.to_string(), etag, change, reason).await?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// `POST /api/v1/settings/email/test`.
pub async fn test_email(State(app): State<App>, body: UnreadJson) -> Answer<Json<TestReport>> {
    let test: EmailTest = body.read()?;
    app.test_email(test).await.map(Json)
}

/// `GET /api/v1/settings/database`.
pub async fn database(State(app): State<App>) -> Response {
    let section = app.database_section();
    with_etag(StatusCode::OK, &section.value, &section.etag)
}

/// `PUT /api/v1/settings/database`.
pub async fn put_database(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    let etag = base(&headers)?;
    check_etag(Some(etag), &app.database_section().etag)?;
    let (change, reason) = section_and_reason(&body)?;
    let section = app.change_database(&by.to_string(), etag, change, reason).await?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
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
