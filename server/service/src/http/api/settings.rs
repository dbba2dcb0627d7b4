//! The sections of the settings, and the protected accounts.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use userlock_core::{
    api::{Page, RevisionDifference, RevisionView},
    id::DecisionId as RuleId,
    settings::ProtectedAccountInput,
};

use super::{actions::ReasonRequest, lists::PageQuery};
use crate::{
    auth::Principal,
    http::{
        body::{PathOf, QueryOf, UnreadJson, if_match, page_limit},
        problem::{self, Answer},
        state::App,
    },
    operations::typed,
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

/// The fields of a body, and `reason`, which is no part of what is kept.
fn fields_and_reason(body: &UnreadJson) -> Answer<(Map<String, Value>, Option<String>)> {
    let mut fields: Map<String, Value> = body.read()?;
    let reason = fields.remove("reason").unwrap_or_default();
    let reason: Option<String> =
        serde_json::from_value(reason).map_err(|_| problem::invalid_field("reason", "must be a text"))?;
    Ok((fields, reason))
}

/// The section that an address is of: its last part.
fn slug(uri: &Uri) -> &str {
    uri.path().rsplit('/').next().unwrap_or_default()
}

/// `GET /api/v1/settings/{section}`.
pub async fn section(State(app): State<App>, uri: Uri) -> Answer<Response> {
    let section = app.section(slug(&uri))?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// `PUT /api/v1/settings/{section}`.
pub async fn put_section(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    uri: Uri,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    let slug = slug(&uri);
    app.check_base(slug, if_match(&headers)).await?;
    let (fields, reason) = fields_and_reason(&body)?;
    let section = app.change_section((&by.to_string(), by.rights), slug, base(&headers)?, &fields, reason).await?;
    Ok(with_etag(StatusCode::OK, &section.value, &section.etag))
}

/// Which revisions.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RevisionQuery {
    /// Those that changed this section.
    pub section: Option<String>,
    /// 1 to 500; 50 when absent.
    pub limit: Option<u32>,
    /// From `next` of the page before.
    pub cursor: Option<String>,
}

/// `GET /api/v1/revisions`.
pub async fn revisions(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    QueryOf(query): QueryOf<RevisionQuery>,
) -> Answer<Json<Page<RevisionView>>> {
    app.revisions(by.rights, query.section.as_deref(), query.limit, query.cursor.as_deref()).await.map(Json)
}

/// What a revision is compared with.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompareQuery {
    /// Another revision; the one before when absent.
    pub with: Option<u64>,
}

/// `GET /api/v1/revisions/{n}`.
pub async fn revision(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(n): PathOf<u64>,
    QueryOf(query): QueryOf<CompareQuery>,
) -> Answer<Json<RevisionDifference>> {
    app.revision(by.rights, n, query.with).await.map(Json)
}

/// `POST /api/v1/revisions/{n}/restore`.
pub async fn restore_revision(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(n): PathOf<u64>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    app.check_restore(by.rights, n, if_match(&headers)).await?;
    let etag = base(&headers)?;
    let ReasonRequest { reason } = body.read()?;
    let etag = app.go_back((&by.to_string(), by.rights), n, etag, Some(reason)).await?;
    let latest = app.revisions(by.rights, None, Some(1), None).await?;
    Ok(with_etag(StatusCode::OK, &latest.items.first(), &etag))
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
    let mut fields: Map<String, Value> = body.read()?;
    fields.remove("etag");
    if fields.remove("id").is_some_and(|given| given.as_str() != Some(&id.to_string())) {
        return Err(problem::invalid_field("id", "is another one than the address has"));
    }
    typed(&fields)
}

/// `PUT /api/v1/protected-accounts/{id}`.
pub async fn put_protected_account(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(id): PathOf<RuleId>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<Response> {
    app.check_rule_base(id, if_match(&headers))?;
    let etag = base(&headers)?;
    let view = app.change_protected_account(&by.to_string(), id, etag, input_for(id, &body)?).await?;
    Ok(with_etag(StatusCode::OK, &view, &view.etag))
}

/// Why something is done, where that may be told.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyRequest {
    /// Why; kept with the change.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `DELETE /api/v1/protected-accounts/{id}`.
pub async fn delete_protected_account(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(id): PathOf<RuleId>,
    headers: HeaderMap,
    body: UnreadJson,
) -> Answer<StatusCode> {
    app.check_rule_base(id, if_match(&headers))?;
    let WhyRequest { reason } = body.read_or_default()?;
    app.delete_protected_account(&by.to_string(), id, base(&headers)?, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
