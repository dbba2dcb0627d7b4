//! The last runs of the synchronizations, in `state.sqlite`.

use userlock_core::api::{RunState, RunView, SyncKind};

use super::state::{StateError, StateStore, StateWriter};

/// How many runs are kept.
const KEPT: i64 = 500;

impl StateWriter {
    /// Keeps a run that has ended.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn keep_run(&mut self, run: &RunView) -> Result<(), StateError> {
        let view = serde_json::to_string(run).map_err(|_| StateError::Corrupt("a run"))?;
        let connection = self.connection();
        sqlx::query(
            "insert into synchronization_run (run, kind, succeeded, view) values (?, ?, ?, ?)
             on conflict (run) do update set view = excluded.view, succeeded = excluded.succeeded",
        )
        .bind(run.run.0.as_slice())
        .bind(kind(run))
        .bind(run.state == RunState::Succeeded)
        .bind(view)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "delete from synchronization_run where number <= (select max(number) from synchronization_run) - ?",
        )
        .bind(KEPT)
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl StateStore {
    /// The last runs, the newest first.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn runs(&self, count: u32) -> Result<Vec<RunView>, StateError> {
        let views: Vec<String> =
            sqlx::query_scalar("select view from synchronization_run order by number desc limit ?")
                .bind(count)
                .fetch_all(self.pool())
                .await?;
        views.iter().map(|view| serde_json::from_str(view).map_err(|_| StateError::Corrupt("a run"))).collect()
    }

    /// The last run of a kind that did what it should, previews aside.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn last_success(&self, of: SyncKind) -> Result<Option<RunView>, StateError> {
        let name = if of == SyncKind::Events { "events" } else { "sessions" };
        let view: Option<String> = sqlx::query_scalar(
            "select view from synchronization_run where kind = ? and succeeded order by number desc limit 1",
        )
        .bind(name)
        .fetch_optional(self.pool())
        .await?;
        view.map(|view| serde_json::from_str(&view).map_err(|_| StateError::Corrupt("a run"))).transpose()
    }
}

fn kind(run: &RunView) -> &'static str {
    match (run.kind, run.preview) {
        (SyncKind::Events, _) => "events",
        (SyncKind::Sessions, false) => "sessions",
        (SyncKind::Sessions, true) => "preview",
    }
}
