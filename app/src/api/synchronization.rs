//! Both synchronizations and the test of the connection.

use leptos::{server, server_fn::codec::GetUrl};
use userlock_core::{
    api::{RunStarted, RunView, SynchronizationView, TestReport},
    id::RunId,
};

use super::{Refused, text::Json};

/// The most seconds that a call waits for a run to end.
pub const MAX_WAIT_SECONDS: u32 = 25;

/// The state of both synchronizations, with the last runs.
#[server(name = GetSynchronization, prefix = "/fn", endpoint = "synchronization", input = GetUrl, output = Json)]
pub async fn synchronization() -> Result<SynchronizationView, Refused> {
    super::answer::read(super::Right::Read(super::Area::Synchronization), |ports| async move {
        ports.synchronization().await
    })
    .await
}

/// Starts Events synchronization, or joins the one at work.
#[server(name = SynchronizeEvents, prefix = "/fn", endpoint = "synchronize-events", output = Json)]
pub async fn synchronize_events() -> Result<RunStarted, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move { ports.synchronize_events(caller).await };
    super::answer::act(super::Right::Write(super::Area::Synchronization), call, |started: &RunStarted| {
        at_run(started, "Synchronize events")
    })
    .await
}

/// Starts Sessions synchronization, or with `preview` only the comparison.
#[server(name = SynchronizeSessions, prefix = "/fn", endpoint = "synchronize-sessions", output = Json)]
pub async fn synchronize_sessions(#[server(default)] preview: bool) -> Result<RunStarted, Refused> {
    let call = move |ports: crate::ports::SharedPorts, caller| async move {
        ports.synchronize_sessions(caller, preview).await
    };
    let what = if preview { "The comparison of the lists" } else { "Synchronize sessions" };
    super::answer::act(super::Right::Write(super::Area::Synchronization), call, |started: &RunStarted| {
        at_run(started, what)
    })
    .await
}

/// A run; with `wait` seconds not before it ended or that time passed.
#[server(name = GetRun, prefix = "/fn", endpoint = "run", input = GetUrl, output = Json)]
pub async fn run(run: RunId, #[server(default)] wait: u32) -> Result<RunView, Refused> {
    super::answer::read(super::Right::Read(super::Area::Synchronization), |ports| async move {
        ports.run(run, wait.min(MAX_WAIT_SECONDS)).await
    })
    .await
}

/// Cancels a run.
#[server(name = CancelRun, prefix = "/fn", endpoint = "cancel-run", output = Json)]
pub async fn cancel_run(run: RunId) -> Result<RunView, Refused> {
    let call = move |ports: crate::ports::SharedPorts, caller| async move { ports.cancel_run(caller, run).await };
    super::answer::act(super::Right::Write(super::Area::Synchronization), call, |_: &RunView| {
        super::answer::Told::here("The run is asked to stop. What it has done stays.")
    })
    .await
}

/// Tests the connection to the Primary.
#[server(name = TestConnection, prefix = "/fn", endpoint = "test-connection", output = Json)]
pub async fn test_connection() -> Result<TestReport, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move { ports.test_connection(caller).await };
    super::answer::act(super::Right::Write(super::Area::Synchronization), call, |report: &TestReport| {
        let text = crate::present::words::test_result(report);
        let told = super::answer::Told::at("/properties/synchronization", text);
        super::answer::Told { ok: report.ok, report: Some(report.clone()), ..told }
    })
    .await
}

/// Without JavaScript the page of the run follows.
#[cfg(feature = "ssr")]
fn at_run(started: &RunStarted, what: &str) -> super::answer::Told {
    let how = if started.joined { "was at work already" } else { "has begun" };
    super::answer::Told::at(format!("/properties/synchronization?run={}", started.run), format!("{what} {how}."))
}
