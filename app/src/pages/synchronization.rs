//! Properties > Synchronization of a Backup: its own settings, both synchronizations by hand, and the last runs.

mod history;

use leptos::prelude::*;
use userlock_core::{
    api::{RunState, RunView, SyncKind, SynchronizationView, TestReport},
    id::RunId,
};

use super::{WithQuickAccess, loading, query_value, shown};
use crate::{
    api::{self, Area, Refused, Right},
    components::{
        Ago, DifferenceTable, Fact, Glyph, Icon, Job, JobView, PageHead, Runs, SessionsSync, When, checks_of, run_tone,
    },
    live::Live,
    memo::Memo,
    present::{
        number::{counted, grouped, measure},
        query, words,
    },
    reading::Reading,
    sheet::Sheet,
};
use history::History;

/// What the page reads.
type Read = Result<(Sheet, SynchronizationView, Option<RunView>), Refused>;

async fn read(run: String) -> Read {
    let sheet = api::ask(api::GetSheet { slug: "synchronization".to_owned() }).await?;
    let view = api::ask(api::GetSynchronization {}).await?;
    // Without JavaScript the address names the run to show: waited for a while, so that most are shown as they ended.
    let run = match run.parse::<RunId>() {
        Ok(run) => api::ask(api::GetRun { run, wait: 5 }).await.ok(),
        Err(_) => None,
    };
    Ok((sheet, view, run))
}

/// The page.
#[component]
pub fn SynchronizationPage() -> impl IntoView {
    let run = query_value("run");
    let first = Reading::new(move || run.get(), read);
    view! {
        <PageHead title="Properties · Synchronization"/>
        <WithQuickAccess>
            <Suspense fallback=loading>
                {move || Suspend::new(async move {
                    match first.done().await {
                        Err(refused) if refused.0.status == 404 || refused.0.status == 409 => view! { <OnPrimary/> }.into_any(),
                        read => shown(read, |(mut sheet, view, run)| {
                            let report = sheet.again.report.take();
                            view! {
                                <OwnNote/>
                                {super::sheet::contents(sheet)}
                                <Connection report=report/>
                                <State/>
                                <ByHand run=run/>
                                <History first=view/>
                            }
                            .into_any()
                        }),
                    }
                })}
            </Suspense>
        </WithQuickAccess>
    }
    .into_any()
}

/// What a Primary says here.
#[component]
fn OnPrimary() -> impl IntoView {
    let live = Live::of_page();
    let link = move || {
        live.read(|o| {
            let peer = o.server.peer.as_ref()?;
            let href = query::elsewhere(peer.address.as_deref()?, "/properties/synchronization")?;
            Some((href, peer.name.clone()))
        })
    };
    view! {
        <div class="banner info" role="note">
            <Icon glyph=Glyph::Info/>
            <p>
                "Synchronization belongs to the Backup: it calls this Primary, and has these settings. "
                {move || link().map(|(href, name)| view! { <a href=href rel="external">{format!("Open this page on {name}")}<Icon glyph=Glyph::External/></a> }.into_any())}
            </p>
        </div>
    }
    .into_any()
}

/// Whose settings these are.
#[component]
fn OwnNote() -> impl IntoView {
    let live = Live::of_page();
    let link = Memo::new(move || {
        live.read(|o| {
            let peer = o.server.peer.as_ref()?;
            Some((query::elsewhere(peer.address.as_deref()?, "/properties/general")?, peer.name.clone()))
        })
    });
    view! {
        <div class="banner info" role="note">
            <Icon glyph=Glyph::Info/>
            <p>
                "This section belongs to this server. The others come from the Primary and are read-only here"
                {move || link.get().map(|(href, name)| view! { ": " <a href=href rel="external">{format!("open them on {name}")}<Icon glyph=Glyph::External/></a> }.into_any())}
                "."
            </p>
        </div>
    }
    .into_any()
}

/// The test of the connection, by the settings that are saved. Without JavaScript the page comes with what it found.
#[component]
fn Connection(report: Option<TestReport>) -> impl IntoView {
    let live = Live::of_page();
    let runs = Runs::of_page();
    let checks = report.map(|report| {
        let summary = words::test_result(&report);
        checks_of(report, summary)
    });
    view! {
        <section class="panel stack" aria-labelledby="connection">
            <h2 id="connection">"Connection"</h2>
            <p class="muted">"Tests the connection to the Primary as it is saved, check by check."</p>
            <form method="post" action="/fn/test-connection" class="buttons" on:submit=move |event| {
                event.prevent_default();
                runs.test_connection();
            }>
                <button disabled=move || !live.may(Right::Write(Area::Synchronization))>"Test connection"</button>
            </form>
            {checks}
        </section>
    }
    .into_any()
}

/// How both synchronizations stand.
#[component]
fn State() -> impl IntoView {
    let live = Live::of_page();
    let at = move |what: fn(&SynchronizationView) -> Option<i64>| {
        Signal::derive(move || live.read(|o| o.synchronization.as_ref().and_then(what)))
    };
    let cursor = Memo::new(move || live.read(|o| o.synchronization.as_ref().map(|s| s.cursor)));
    let lag = Memo::new(move || {
        live.read(|o| {
            let peer = o.server.peer.as_ref()?;
            let events = peer.lag_events.map(|n| format!("{} behind", counted(n, "event", "events")))?;
            let seconds = peer.lag_seconds.map(|s| format!(" · {} s", measure(s))).unwrap_or_default();
            Some((format!("{events}{seconds}"), peer.last_contact))
        })
    });
    view! {
        <section class="panel" aria-labelledby="state">
            <h2 id="state">"State"</h2>
            <dl class="facts columns">
                <Fact name="Last Events synchronization">
                    <When at=at(|s| s.last_events.as_ref().map(|r| r.ended_at.unwrap_or(r.started_at))) seconds=true/>
                    " · "
                    <Ago at=at(|s| s.last_events.as_ref().map(|r| r.ended_at.unwrap_or(r.started_at)))/>
                </Fact>
                <Fact name="Last Sessions synchronization">
                    <When at=at(|s| s.last_sessions.as_ref().map(|r| r.ended_at.unwrap_or(r.started_at))) seconds=true/>
                    " · "
                    <Ago at=at(|s| s.last_sessions.as_ref().map(|r| r.ended_at.unwrap_or(r.started_at)))/>
                </Fact>
                <Fact name="Next scheduled run"><Ago at=at(|s| s.next_run_at)/></Fact>
                <Fact name="Position of the Primary's log"><span>{move || cursor.get().map(grouped)}</span></Fact>
                <Fact name="Lag">
                    <span>{move || lag.get().map_or_else(|| "not known".to_owned(), |l| l.0)}</span>
                    <span class="muted">" · told " <Ago at=Signal::derive(move || lag.get().and_then(|l| l.1))/></span>
                </Fact>
            </dl>
        </section>
    }
    .into_any()
}

/// Both synchronizations by hand. Without JavaScript the run that the address names is shown.
#[component]
fn ByHand(run: Option<RunView>) -> impl IntoView {
    let live = Live::of_page();
    let runs = Runs::of_page();
    let forbidden = Memo::new(move || !live.may(Right::Write(Area::Synchronization)));
    let events_busy = Memo::new(move || runs.events.with(Job::busy));
    // A run that the address names is shown where it would be shown had it been started here.
    if let Some(run) = run {
        let place = match (run.kind, run.preview) {
            (SyncKind::Events, _) => runs.events,
            (SyncKind::Sessions, true) => runs.preview,
            (SyncKind::Sessions, false) => runs.sessions,
        };
        place.set(Job::At(Box::new(run)));
    }
    view! {
        <section class="panel stack" aria-labelledby="sync-events">
            <h2 id="sync-events">"Synchronize events"</h2>
            <p class="muted">"Brings all settings and every event that the Primary has audited since last time, and sends it what it lacks."</p>
            <form method="post" action="/fn/synchronize-events" class="buttons" on:submit=move |event| {
                event.prevent_default();
                runs.synchronize_events(false);
            }>
                <button class="primary" disabled=move || events_busy.get() || forbidden.get()>"Synchronize events"</button>
            </form>
            <JobView job=runs.events/>
        </section>
        <section class="panel stack" aria-labelledby="sync-sessions">
            <h2 id="sync-sessions">"Synchronize sessions"</h2>
            <p class="muted">"Makes the list of sessions of this Backup the same as the Primary's. Preview first: nothing changes by it."</p>
            <div class="with-script"><SessionsSync/></div>
            <NoScriptSessions/>
        </section>
    }
    .into_any()
}

/// The same without JavaScript: two forms, and what the run found.
#[component]
fn NoScriptSessions() -> impl IntoView {
    let runs = Runs::of_page();
    let shown = move || match (runs.sessions.get(), runs.preview.get()) {
        (Job::At(run), _) | (_, Job::At(run)) => Some(*run),
        _ => None,
    };
    view! {
        <div class="without-script stack">
            {move || shown().map(|run| view! {
                <p class=format!("job-text {}", crate::components::tone_class(run_tone(&run)))>{words::run_result(&run)}</p>
                {(run.state == RunState::Succeeded).then(|| view! { <DifferenceTable run=run.clone()/> }.into_any())}
            }.into_any())}
            <div class="buttons">
                <form method="post" action="/fn/synchronize-sessions"><button class="primary">"Synchronize sessions"</button></form>
                <form method="post" action="/fn/synchronize-sessions">
                    <input r#type="hidden" name="preview" value="true"/>
                    <button>"Preview"</button>
                </form>
            </div>
        </div>
    }
    .into_any()
}
