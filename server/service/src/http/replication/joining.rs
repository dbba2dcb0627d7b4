//! How a Backup comes into the zone, and how it goes.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::StatusCode,
};
use userlock_core::{
    api::ServerRole,
    id::ServerId,
    sync::{About, JoinRequest, JoinResponse},
};

use super::{guard::require_administrator, submit_refusal};
use crate::{
    clock,
    http::{
        agents::PairState,
        body::read_body,
        guard::address_of,
        problem::{self, Answer},
    },
    log::{catalogue, details},
    random,
    zone::StoredPeer,
};

/// Tells whoever is about to join whether this is the server that they mean.
pub(super) async fn about(State(state): State<PairState>) -> Json<About> {
    Json(state.zone.read(|s| About {
        role: s.identity.role,
        server_name: s.identity.name.clone(),
        zone_id: s.identity.zone_id,
        zone_name: s.settings.settings.general.zone_name.clone(),
        version: crate::VERSION.to_owned(),
        clock: clock::now_ms(),
    }))
}

pub(super) async fn join(State(state): State<PairState>, request: Request) -> Answer<Json<JoinResponse>> {
    let from = crate::auth::counted_address(address_of(&request));
    let body = read_body(request, 64 * 1024).await?;
    let join: JoinRequest =
        serde_json::from_slice(&body).map_err(|_| problem::malformed_json("The body is not a request to join."))?;
    if state.zone.role() != ServerRole::Primary {
        return Err(problem::conflict("not_a_primary", "Not a Primary server", "This server is a Backup itself."));
    }
    join.check()?;
    must_stay(&state)?;
    let account = userlock_core::account::fold_case(&join.account);
    let (account_key, address_key) = (format!("join account {account}"), format!("join address {from}"));
    let keys = [account_key.as_str(), address_key.as_str()];
    state
        .attempts
        .begin(&keys, std::time::Instant::now())
        .map_err(|many| problem::too_many_attempts(many.retry_after.as_secs().max(1)))?;
    let hash = state.zone.read(|s| {
        let accounts = &s.settings.settings.security.accounts;
        accounts.iter().find(|a| a.name == account && !a.disabled).map(|a| a.password_hash.clone())
    });
    let good = state.passwords.verify(join.password.clone(), hash).await.map_err(|_| {
        state.attempts.undecided(&keys);
        problem::unavailable("busy", "Too many sign-ins at once: try again.")
    })?;
    if !good {
        let more = details([("account", &account), ("server", &join.server_name)]);
        state.journal.record(
            catalogue::JOIN_REFUSED,
            format!("{} tried to join with a wrong account or password.", join.server_name),
            more,
        );
        return Err(problem::not_authenticated());
    }
    state.attempts.succeeded(&account_key, &address_key);
    require_administrator(&state, &account)?;
    // Whoever has looked at who belongs to the zone has changed it before the next one looks.
    let _membership = state.zone.membership().lock().await;
    must_stay(&state)?;
    require_free(&state, join.server_id, join.replace)?;
    let identity = state.zone.read(|s| s.identity.clone());
    let token =
        if join.check_only { String::new() } else { random::secret("ulb_").map_err(|_| problem::internal())? };
    if !join.check_only {
        let peer = StoredPeer {
            server_id: join.server_id,
            name: join.server_name.clone(),
            address: join.address.clone(),
            account: account.clone(),
            token_hash: random::hash_secret(&token),
            told_under: None,
            token: None,
        };
        state.zone.set_peer(peer).await.map_err(submit_refusal)?;
        // One that joins again may have lost what it had, and its earlier hellos with it.
        state.zone.peer_begins_anew();
        let more = details([("server", &join.server_name), ("address", &join.address.url), ("account", &account)]);
        state.journal.record(catalogue::PEER_JOINED, format!("{} is the Backup of this zone.", join.server_name), more);
    }
    let (zone_name, epoch) = state.zone.read(|s| (s.settings.settings.general.zone_name.clone(), s.epoch));
    Ok(Json(JoinResponse {
        token,
        zone_id: identity.zone_id,
        zone_name,
        server_id: identity.server_id,
        server_name: identity.name,
        epoch,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clock: clock::now_ms(),
    }))
}

/// Refuses once this server has left its zone: whoever joined it would be left without a Primary.
fn must_stay(state: &PairState) -> Answer<()> {
    if state.leaving.is_cancelled() {
        return Err(problem::unavailable("leaving", "This server has left its zone. Nothing was changed."));
    }
    Ok(())
}

/// A zone has at most one Backup.
fn require_free(state: &PairState, server_id: ServerId, replace: bool) -> Answer<()> {
    match state.zone.stored_peer() {
        Some(peer) if peer.server_id != server_id && !replace => {
            let detail = format!(
                "{} is the Backup of this zone already. Remove it first, or say that this one replaces it.",
                peer.name
            );
            Err(problem::conflict("has_a_backup", "The zone has a Backup", detail))
        }
        _ => Ok(()),
    }
}

/// The Backup leaves the zone. It stays known until an administrator removes it here: what it recorded and did not hand
/// over may still be wanted.
pub(super) async fn leave(State(state): State<PairState>, Extension(peer): Extension<Arc<StoredPeer>>) -> StatusCode {
    let message =
        format!("The Backup {} leaves this zone. Remove it here, or set up another one in its place.", peer.name);
    let more = details([("server", &peer.name), ("address", &peer.address.url)]);
    state.journal.record(catalogue::PEER_LEFT, message, more);
    StatusCode::NO_CONTENT
}
