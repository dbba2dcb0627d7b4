//! Lists: sessions, events, the application log, agents.

use axum::{Extension, Json, extract::State};
use serde::Deserialize;
use userlock_core::api::{EventView, LogEvent, LogQuery, Page, SessionQuery, SessionView};

use crate::{
    auth::Principal,
    http::{
        body::{QueryOf, page_limit},
        problem::Answer,
        state::App,
    },
    operations::AgentView,
};

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageQuery {
    /// 1 to 500; 50 when absent.
    pub limit: Option<u32>,
    /// From `next` of the page before.
    pub cursor: Option<String>,
}

/// `GET /api/v1/sessions`.
pub async fn sessions(
    State(app): State<App>,
    QueryOf(query): QueryOf<SessionQuery>,
) -> Answer<Json<Page<SessionView>>> {
    app.sessions(query).await.map(Json)
}

/// `GET /api/v1/events`.
pub async fn events(
    State(app): State<App>,
    Extension(by): Extension<Principal>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Answer<Json<Page<EventView>>> {
    app.events(by.rights, query.limit, query.cursor.as_deref()).await.map(Json)
}

/// `GET /api/v1/application-log`.
pub async fn application_log(
    State(app): State<App>,
    QueryOf(query): QueryOf<LogQuery>,
) -> Answer<Json<Page<LogEvent>>> {
    app.application_log(query).await.map(Json)
}

/// `GET /api/v1/agents`.
pub async fn agents(State(app): State<App>, QueryOf(query): QueryOf<PageQuery>) -> Answer<Json<Page<AgentView>>> {
    app.agents(page_limit(query.limit)?, query.cursor.as_deref()).map(Json)
}
