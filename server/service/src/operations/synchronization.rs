//! The two synchronizations, as administrators start and watch them.

use std::time::Duration;

use userlock_core::{
    api::{RunStarted, RunView, SyncKind, SynchronizationView, TestReport},
    id::RunId,
};

use crate::{
    http::{
        problem::{self, Answer},
        state::App,
    },
    sync::Synchronizer,
};

/// The longest time to wait for a run, in seconds.
pub const MAX_WAIT_SECONDS: u32 = 25;

impl App {
    /// The synchronizations, which a Backup has.
    ///
    /// # Errors
    /// 409 on a Primary.
    pub fn synchronizer(&self) -> Answer<&Synchronizer> {
        self.sync.as_ref().ok_or_else(|| {
            let detail = "This server is the Primary: its Backup starts every synchronization. Do this on the Backup.";
            problem::conflict("not_a_backup", "Not a Backup", detail)
        })
    }

    /// The state of both synchronizations; none on a Primary.
    pub(super) async fn synchronization_view(&self) -> Option<SynchronizationView> {
        match &self.sync {
            Some(sync) => Some(sync.view().await),
            None => None,
        }
    }

    /// The state of both synchronizations.
    ///
    /// # Errors
    /// 409 on a Primary.
    pub async fn synchronization(&self) -> Answer<SynchronizationView> {
        Ok(self.synchronizer()?.view().await)
    }

    /// Starts a run, or joins the one of its kind that is at work.
    ///
    /// # Errors
    /// 409 on a Primary.
    pub fn synchronize(&self, by: &str, kind: SyncKind, preview: bool) -> Answer<RunStarted> {
        Ok(self.synchronizer()?.begin(kind, preview, by))
    }

    /// A run, not before it ended or so many seconds passed.
    ///
    /// # Errors
    /// 404, 409, 422.
    pub async fn run(&self, run: RunId, wait_seconds: u32) -> Answer<RunView> {
        let sync = self.synchronizer()?;
        if wait_seconds > MAX_WAIT_SECONDS {
            return Err(problem::invalid_field("wait", "must be from 0 to 25"));
        }
        let found = match wait_seconds {
            0 => sync.run(run).await,
            seconds => sync.wait(run, Duration::from_secs(seconds.into())).await,
        };
        found.ok_or_else(|| problem::not_found("run"))
    }

    /// Cancels a run. What it has done by then stays. One that has ended is given as it is.
    ///
    /// # Errors
    /// 404, 409.
    pub async fn cancel_run(&self, run: RunId) -> Answer<RunView> {
        let sync = self.synchronizer()?;
        if sync.cancel(run) {
            // It ends at its next step; the answer tells how.
            return sync.wait(run, Duration::from_secs(5)).await.ok_or_else(|| problem::not_found("run"));
        }
        sync.run(run).await.ok_or_else(|| problem::not_found("run"))
    }

    /// Tests the connection to the Primary, check by check.
    ///
    /// # Errors
    /// 409 on a Primary.
    pub async fn test_connection(&self) -> Answer<TestReport> {
        Ok(self.synchronizer()?.test().await)
    }
}
