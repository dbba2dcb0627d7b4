//! The last runs.

use leptos::prelude::*;
use userlock_core::api::{RunState, RunView, SyncKind, SynchronizationView};

use crate::{
    components::{Badge, If, When, run_tone},
    live::Live,
    memo::Memo,
    present::{query, words},
};

/// The last runs: those of the live stream, and before it those that came with the page.
#[component]
pub fn History(
    /// What came with the page.
    first: SynchronizationView,
) -> impl IntoView {
    let live = Live::of_page();
    let first = StoredValue::new(first);
    let runs = Memo::new(move || {
        let told = live.read(|o| o.synchronization.as_ref().map(|s| (s.running.clone(), s.history.clone())));
        let (running, history) = told.unwrap_or_else(|| first.with_value(|f| (f.running.clone(), f.history.clone())));
        let ended: Vec<_> = history.into_iter().filter(|run| running.iter().all(|r| r.run != run.run)).collect();
        running.into_iter().chain(ended).collect::<Vec<_>>()
    });
    view! {
        <section class="panel" aria-labelledby="history">
            <h2 id="history">"Last runs"</h2>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Table of the last runs">
                <table class="runs">
                    <caption class="visually-hidden">"The last runs, the newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Started"</th>
                            <th scope="col">"Kind"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"Result"</th>
                            <th scope="col" class="number">"Took"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || runs.get().into_iter().map(|run| view! { <RunRow run=run/> }.into_any()).collect_view()}
                    </tbody>
                </table>
            </div>
            <If when=move || runs.with(Vec::is_empty)><p class="muted">"No run yet. Start one above, or wait for the schedule."</p></If>
        </section>
    }
    .into_any()
}

#[component]
fn RunRow(run: RunView) -> impl IntoView {
    let live = Live::of_page();
    let kind = match (run.kind, run.preview) {
        (SyncKind::Events, _) => "events",
        (SyncKind::Sessions, false) => "sessions",
        (SyncKind::Sessions, true) => "sessions, preview",
    };
    let state = match run.state {
        RunState::Running => Some("running"),
        RunState::Failed => Some("failed"),
        RunState::Cancelled => Some("cancelled"),
        RunState::Succeeded => None,
    };
    let tone = run_tone(&run);
    let details = run.error.as_ref().map(|error| {
        let href = query::address("/application-log", &[("id", &error.log_id.to_string())]);
        view! { " " <a href=href>"details"</a> }.into_any()
    });
    view! {
        <tr>
            <td><When at=Some(run.started_at) seconds=true/></td>
            <th scope="row">{kind}</th>
            <td class="muted">{run.by.clone()}</td>
            <td>{state.map(|word| view! { <Badge tone=tone text=word/> " " }.into_any())}{words::run_result(&run)}{details}</td>
            <td class="number">{words::run_took(&run, live.now.get_untracked())}</td>
        </tr>
    }
    .into_any()
}
