//! One's own account.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header::SET_COOKIE},
    response::{IntoResponse as _, Response},
};

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
) -> Answer<Response> {
    app.check_own_password(by.sign_in())?;
    let cookie = app.change_own_password(by.sign_in(), &address, body.read()?).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
