//! The application log.

use userlock_core::api::{LogEvent, LogQuery, Page};

use crate::http::{
    body::{number_cursor, page_limit},
    problem::{self, Answer},
    state::App,
};

impl App {
    /// One page of the application log, the newest first.
    ///
    /// # Errors
    /// 422, naming the parameter; 503.
    pub async fn application_log(&self, query: LogQuery) -> Answer<Page<LogEvent>> {
        let limit = page_limit(query.limit)?;
        let cursor = number_cursor(query.cursor.as_deref().filter(|cursor| !cursor.is_empty()))?;
        // Whoever has just done something finds it there.
        self.journal.flush().await;
        self.product.read_log(&query, limit, cursor).await.map_err(|error| {
            tracing::error!(%error, "the application log cannot be read");
            problem::unavailable("storage", "The application log cannot be read now.")
        })
    }
}
