//! One's own account.

use axum::{Extension, extract::State, http::StatusCode};

use crate::{
    auth::Principal,
    http::{body::UnreadJson, guard::CountedAddress, problem::Answer, state::App},
};

/// `POST /api/v1/account/password`.
pub async fn change_password(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    CountedAddress(address): CountedAddress,
    body: UnreadJson,
) -> Answer<StatusCode> {
    app.check_own_password(by.sign_in())?;
    app.change_own_password(by.sign_in(), &address, body.read()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
