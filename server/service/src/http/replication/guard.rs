//! Who may ask: the Backup of this zone, as long as its account is an administrator here.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq as _;
use userlock_core::api::ServerRole;

use crate::{
    clock,
    http::{
        agents::PairState,
        guard::bearer,
        problem::{self, Answer},
    },
    log::catalogue,
    random,
    zone::{StoredPeer, monotonic_ms},
};

/// Lets only the Backup in, as long as the account that it joined with is an administrator here.
pub(super) async fn guard(State(state): State<PairState>, request: Request, next: Next) -> Response {
    match admit(&state, request.headers()) {
        Ok(peer) => {
            let mut request = request;
            request.extensions_mut().insert(peer);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn admit(state: &PairState, headers: &HeaderMap) -> Answer<Arc<StoredPeer>> {
    if state.zone.role() != ServerRole::Primary {
        return Err(problem::conflict("not_a_primary", "Not a Primary server", "This server is a Backup itself."));
    }
    let peer = state.zone.stored_peer().ok_or_else(problem::not_authenticated)?;
    let token = bearer(headers).ok_or_else(problem::not_authenticated)?;
    let presented = random::hash_secret(token);
    if !bool::from(presented.as_bytes().ct_eq(peer.token_hash.as_bytes())) {
        return Err(problem::not_authenticated());
    }
    require_administrator(state, &peer.account).inspect_err(|_| {
        let why = format!("its service account {} is not an administrator here", peer.account);
        let mut status = state.zone.peer();
        status.failed(catalogue::PEER_REFUSED.id, why, clock::now_ms());
        status.refused(monotonic_ms(), clock::now_ms());
    })?;
    Ok(Arc::new(peer))
}

pub(super) fn require_administrator(state: &PairState, account: &str) -> Answer<()> {
    if state.zone.read(|s| s.settings.settings.security.is_administrator(account)) {
        return Ok(());
    }
    let detail =
        format!("The account {account} is not an administrator on this Primary, which a service account must be.");
    Err(problem::refuse(403, "not_an_administrator", "Not an administrator", detail))
}
