//! The sections of the settings, and the protected accounts.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use userlock_core::{api::GeneralSection, id::DecisionId as RuleId, settings::ProtectedAccountInput};

use super::lists::PageQuery;
use crate::{
    auth::Principal,
    http::{
        body::{PathOf, QueryOf, UnreadJson, check_etag, if_match, page_limit},
        problem::{self, Answer},
        state::App,
    },
};

/// A body with its `ETag`.
pub(super) fn with_etag(status: StatusCode, body: &impl Serialize, etag: &str) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// The revision that a change is made to; it must be there.
pub(super) fn base(headers: &HeaderMap) -> Answer<&str> {
    if_match(headers).ok_or_else(problem::precondition_required)
}

/// `GET /api/v1/settings/general`.
pub async fn general(State(app): State<App>) -> Response {
    let (section, etag) = app.general_section();
    with_etag(StatusCode::OK, &section, &etag)
}

/// `PUT /api/v1/settings/general`.
pub async fn put_general(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    app.must_be_primary()?;
    let etag = base(&headers)?;
    check_etag(Some(etag), &app.general().etag)?;
    let mut section: GeneralSection = body.read()?;
    app.check_own_fields(&section)?;
    let reason = section.reason.take();
    app.change_general(&by.to_string(), etag, section.general(), reason).await?;
    Ok(general(State(app)).await)
}

/// `GET /api/v1/settings/synchronization`.
pub async fn synchronization(State(app): State<App>) -> Answer<Response> {
    let section = app.synchronization_section()?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// `PUT /api/v1/settings/synchronization`.
pub async fn put_synchronization(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    let present = app.synchronization_section()?;
    let etag = base(&headers)?;
    check_etag(Some(etag), &present.etag)?;
    let (section, reason) = section_and_reason(&body)?;
    let changed = app.change_synchronization_section(&by.to_string(), etag, section, reason).await?;
    Ok(with_etag(StatusCode::OK, &changed.value, &changed.etag))
}

/// Takes `reason` out of the body, whose other fields are all known.
pub(super) fn section_and_reason<T: DeserializeOwned>(body: &UnreadJson) -> Answer<(T, Option<String>)> {
    let mut fields: serde_json::Map<String, serde_json::Value> = body.read()?;
    let reason = fields.remove("reason").unwrap_or_default();
    let reason: Option<String> =
        serde_json::from_value(reason).map_err(|_| problem::invalid_field("reason", "must be a text"))?;
    let text = serde_json::to_vec(&fields).map_err(|_| problem::internal())?;
    Ok((crate::http::body::parse_json(&text)?, reason))
}

/// `GET /api/v1/protected-accounts`.
pub async fn protected_accounts(State(app): State<App>, QueryOf(query): QueryOf<PageQuery>) -> Answer<Response> {
    let section = app.protected_accounts(page_limit(query.limit)?, query.cursor.as_deref())?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// `GET /api/v1/protected-accounts/{id}`.
pub async fn protected_account(State(app): State<App>, PathOf(id): PathOf<RuleId>) -> Answer<Response> {
    let section = app.protected_account(id)?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// `POST /api/v1/protected-accounts`.
pub async fn create_protected_account(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<Response> {
    app.must_be_primary()?;
    let input: ProtectedAccountInput = body.read()?;
    let view = app.create_protected_account(&by.to_string(), input).await?;
    let place = format!("/api/v1/protected-accounts/{}", view.account.id);
    let mut response = with_etag(StatusCode::CREATED, &view, &view.etag);
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// The body of `PUT /api/v1/protected-accounts/{id}` may be what was read: with its id and its `etag`.
fn input_for(id: RuleId, body: &UnreadJson) -> Answer<ProtectedAccountInput> {
    let mut fields: serde_json::Map<String, serde_json::Value> = body.read()?;
    fields.remove("etag");
    if fields.remove("id").is_some_and(|given| given.as_str() != Some(&id.to_string())) {
        return Err(problem::invalid_field("id", "is another one than the address has"));
    }
    let text = serde_json::to_vec(&fields).map_err(|_| problem::internal())?;
    crate::http::body::parse_json(&text)
}

/// `PUT /api/v1/protected-accounts/{id}`.
pub async fn put_protected_account(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(id): PathOf<RuleId>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    app.must_be_primary()?;
    let present = app.protected_account(id)?;
    let etag = base(&headers)?;
    check_etag(Some(etag), &present.etag)?;
    let view = app.change_protected_account(&by.to_string(), id, etag, input_for(id, &body)?).await?;
    Ok(with_etag(StatusCode::OK, &view, &view.etag))
}

/// `DELETE /api/v1/protected-accounts/{id}`.
pub async fn delete_protected_account(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(id): PathOf<RuleId>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    app.must_be_primary()?;
    app.protected_account(id)?;
    app.delete_protected_account(&by.to_string(), id, base(&headers)?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
