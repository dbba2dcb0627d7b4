//! What is done to sessions and agents; tokens and the zone key.

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use userlock_core::{
    api::{ActionRequest, Page, SignInView},
    event::SessionKey,
    id::{AgentId, Digest},
};

use crate::{
    auth::Principal,
    http::{
        body::{PathOf, UnreadJson},
        problem::Answer,
        state::App,
    },
    operations::{EnrolmentCreated, TokenCreated},
};

/// `POST /api/v1/sessions/{key}/actions`.
pub async fn on_session(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(key): PathOf<SessionKey>,
    body: UnreadJson,
) -> Answer<Response> {
    let request: ActionRequest = body.read()?;
    let done = app.act_on_session(&by.to_string(), key, request).await?;
    // A command waits for its agent; a reset is done.
    let status = if done.command_id.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(done)).into_response())
}

/// Why something is done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    /// Why; kept with it.
    pub reason: String,
}

/// `POST /api/v1/agents/{id}/revoke`.
pub async fn revoke_agent(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(agent): PathOf<AgentId>,
    body: UnreadJson,
) -> Answer<StatusCode> {
    let ReasonRequest { reason } = body.read()?;
    app.end_agent(&by.to_string(), agent, false, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/agents/{id}/release`.
pub async fn release_agent(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(agent): PathOf<AgentId>,
    body: UnreadJson,
) -> Answer<StatusCode> {
    let ReasonRequest { reason } = body.read()?;
    app.end_agent(&by.to_string(), agent, true, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/backup/remove`.
pub async fn remove_backup(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<StatusCode> {
    app.must_be_primary()?;
    let ReasonRequest { reason } = body.read()?;
    app.remove_backup(&by.to_string(), &reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/server/leave`.
pub async fn leave_zone(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<StatusCode> {
    let ReasonRequest { reason } = body.read()?;
    app.leave_zone(&by.to_string(), &reason).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /api/v1/tokens`.
pub async fn create_token(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<(StatusCode, Json<TokenCreated>)> {
    app.must_be_primary()?;
    let created = app.create_token(&by.to_string(), by.rights, body.read()?).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// `GET /api/v1/sign-ins`.
pub async fn sign_ins(State(app): State<App>, Extension(by): Extension<Principal>) -> Json<Page<SignInView>> {
    Json(app.list_sign_ins(by.sign_in()))
}

/// `DELETE /api/v1/sign-ins/{id}`.
pub async fn end_sign_in(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    PathOf(id): PathOf<Digest>,
) -> Answer<StatusCode> {
    app.end_sign_in(&by.to_string(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/enrolment-key`.
pub async fn create_enrolment_key(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
) -> Answer<(StatusCode, Json<EnrolmentCreated>)> {
    Ok((StatusCode::CREATED, Json(app.create_enrolment_key(&by.to_string(), None).await?)))
}
