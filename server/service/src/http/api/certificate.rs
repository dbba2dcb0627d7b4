//! `/api/v1/certificate`.

use axum::{Extension, Json, extract::State};
use userlock_core::api::{CertificatesView, UseCertificate};

use super::actions::ReasonRequest;
use crate::{
    auth::Principal,
    http::{body::UnreadJson, problem::Answer, state::App},
};

/// `GET /api/v1/certificate`.
pub async fn read(State(app): State<App>) -> Answer<Json<CertificatesView>> {
    app.certificates_view().map(Json)
}

/// `POST /api/v1/certificate/prepare`.
pub async fn prepare(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<Json<CertificatesView>> {
    let ReasonRequest { reason } = body.read()?;
    app.prepare_certificate(&by.to_string(), &reason).await.map(Json)
}

/// `POST /api/v1/certificate/use`.
pub async fn take_up(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<Json<CertificatesView>> {
    let UseCertificate { reason, at_once } = body.read()?;
    app.use_certificate(&by.to_string(), &reason, at_once).await.map(Json)
}

/// `POST /api/v1/certificate/discard`.
pub async fn discard(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    body: UnreadJson,
) -> Answer<Json<CertificatesView>> {
    let ReasonRequest { reason } = body.read()?;
    app.discard_certificate(&by.to_string(), &reason).await.map(Json)
}
