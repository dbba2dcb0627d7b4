//! Whether the server is alive and ready, and what it is.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use userlock_core::api::{PeerState, Phase, ServerRole, ServerView};

use crate::http::state::App;

/// `GET /healthz`: the program runs.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The answer of `GET /readyz`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Readyz {
    /// Whether this server can decide.
    pub ready: bool,
    /// Its role.
    pub role: ServerRole,
    /// Its phase.
    pub phase: Phase,
    /// Why it is not ready, in words.
    pub reason: Option<String>,
}

/// `GET /readyz`: 200 when it can decide, else 503.
pub async fn readyz(State(app): State<App>) -> Response {
    let ready = app.is_ready();
    let status = if ready.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Readyz { ready: ready.is_ok(), role: app.role(), phase: app.zone.phase().phase, reason: ready.err() };
    (status, Json(body)).into_response()
}

/// `GET /api/v1/server`.
pub async fn server(State(app): State<App>) -> Json<ServerView> {
    Json(app.server_view())
}

/// `GET /metrics`, for Prometheus.
pub async fn metrics(State(app): State<App>) -> Response {
    let mut text = String::with_capacity(4096);
    app.figures.write_prometheus(&mut text);
    let view = app.server_view();
    let mut gauge = |name: &str, value: f64| {
        // Writing to a String never fails.
        _ = write!(text, "# TYPE userlock_{name} gauge\nuserlock_{name} {value}\n");
    };
    let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "gauges are read as floating point numbers anyway")]
    {
        gauge("ready", flag(app.is_ready().is_ok()));
        gauge("primary", flag(view.role == ServerRole::Primary));
        gauge("open_sessions", view.open_sessions as f64);
        gauge("log_position", view.position as f64);
        gauge("epoch", view.epoch.number as f64);
        gauge("agents", app.zone.read(|server| server.state.agents.active()) as f64);
        gauge("live_streams", app.live.watchers() as f64);
        if let Some(peer) = &view.peer {
            gauge("peer_up", flag(peer.state == PeerState::Up));
            gauge("lists_equal", flag(app.certificate(&view).equal == Some(true)));
            if let Some(lag) = peer.lag_events {
                gauge("lag_events", lag as f64);
            }
            if let Some(lag) = peer.lag_seconds {
                gauge("lag_seconds", lag);
            }
        }
    }
    // By the id of the event that says what is wrong, while it lasts.
    text.push_str("# TYPE userlock_synchronization_failing gauge\n");
    if let Some(id) = view.peer.as_ref().and_then(|peer| peer.last_error_id) {
        _ = writeln!(text, "userlock_synchronization_failing{{event=\"{id}\"}} 1");
    }
    text.push_str("# TYPE userlock_application_log_total counter\n");
    for (level, count) in ["information", "warning", "error"].iter().zip(app.journal.counts()) {
        _ = writeln!(text, "userlock_application_log_total{{level=\"{level}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
