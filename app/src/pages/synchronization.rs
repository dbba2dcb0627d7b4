//! Properties > Synchronization of a Backup: its own settings, both synchronizations by hand, and the last runs.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use userlock_core::{
    api::{Problem, RunState, RunView, Section, SyncKind, SynchronizationSection, SynchronizationView, Tone},
    id::RunId,
};

use super::{FormProblem, WithQuickAccess, form_problem, invalid, loading, query_value, shown};
use crate::{
    api::{self, Area, ChangeSynchronizationSection, Refused, Right},
    components::{
        Ago, Badge, DifferenceTable, Fact, Glyph, Icon, If, Job, JobView, Notices, PageHead, Runs, SessionsSync, When,
        run_tone,
    },
    live::Live,
    memo::Memo,
    present::{
        number::{counted, grouped, measure},
        query, time, words,
    },
    reading::Reading,
};

/// What the page reads.
type Read = Result<(Section<SynchronizationSection>, SynchronizationView, Option<RunView>), Refused>;

async fn read(run: String) -> Read {
    let section = api::ask(api::GetSynchronizationSection {}).await?;
    let view = api::ask(api::GetSynchronization {}).await?;
    // Without JavaScript the address names the run to show: waited for a while, so that most are shown as they ended.
    let run = match run.parse::<RunId>() {
        Ok(run) => api::ask(api::GetRun { run, wait: 5 }).await.ok(),
        Err(_) => None,
    };
    Ok((section, view, run))
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
                        read => shown(read, |(section, view, run)| view! {
                            <OwnNote/>
                            <Settings section=section/>
                            <State/>
                            <ByHand run=run/>
                            <History first=view/>
                        }.into_any()),
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

#[component]
fn Settings(section: Section<SynchronizationSection>) -> impl IntoView {
    let live = Live::of_page();
    let notices = Notices::of_page();
    let runs = Runs::of_page();
    let etag = RwSignal::new(section.etag);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let value = section.value;
    let locked = section.read_only.is_some() || !live.may_now(Right::Write(Area::Settings));
    let (count, unit) = time::interval(value.interval_seconds);
    let fingerprint = value.primary_fingerprint.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            match api::submit::<ChangeSynchronizationSection>(event).await {
                Ok(section) => {
                    etag.set(section.etag);
                    notices.tell(Tone::Ok, "Saved. It holds from now on.");
                }
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
        });
    };
    view! {
        <form class="panel stack" method="post" action="/fn/change-synchronization-section" aria-labelledby="primary-server" on:submit=submit>
            <h2 id="primary-server">"Primary server"</h2>
            <input r#type="hidden" name="etag" prop:value=move || etag.get() value=etag.get_untracked()/>
            <fieldset disabled=locked class="stack">
                <label class="row">
                    <span>"Address"</span>
                    <input name="form[primary_url]" r#type="url" required maxlength="512" value=value.primary_url aria-invalid=invalid(problem, "primary_url")/>
                </label>
                <div class="row">
                    <span>"Certificate"</span>
                    <span>{if fingerprint.is_empty() { "none: plain HTTP on a loopback address".to_owned() } else { String::new() }}<code class="fingerprint">{fingerprint.clone()}</code></span>
                </div>
                <div class="row"><span>"Service account"</span><span>{value.service_account}</span></div>
                <div class="row">
                    <span>"Scheduled synchronization"</span>
                    <span class="inline">
                        <label class="check">
                            <input r#type="checkbox" name="form[enabled]" value="true" checked=value.enabled/>
                            "enabled, every"
                        </label>
                        <input name="form[interval]" r#type="number" min="1" max="86400" required class="short" value=count.to_string() aria-label="Interval" aria-invalid=invalid(problem, "interval")/>
                        <select name="form[unit]" aria-label="Unit of the interval">
                            {["seconds", "minutes", "hours"].map(|u| view! { <option value=u selected=u == unit>{u}</option> }.into_any()).collect_view()}
                        </select>
                    </span>
                </div>
                <div class="row">
                    <span>"Continuous"</span>
                    <label class="check">
                        <input r#type="checkbox" name="form[continuous]" value="true" checked=value.continuous/>
                        "also between two runs"
                    </label>
                </div>
                <label class="row">
                    <span>"Reason"<small class="muted">"Kept with the change."</small></span>
                    <input name="form[reason]" maxlength="500" autocomplete="off"/>
                </label>
            </fieldset>
            <If when=move || locked><p class="muted">"Only administrators change these settings."</p></If>
            <FormProblem problem=problem/>
            <div class="buttons">
                <button class="primary" disabled=move || locked || busy.get()>{move || (if busy.get() { "Saving…" } else { "Save" }).to_owned()}</button>
                <button class="with-script" r#type="button" disabled=move || !live.may(Right::Write(Area::Synchronization)) on:click=move |_| runs.test_connection()>"Test connection"</button>
            </div>
        </form>
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
                <form method="post" action="/fn/test-connection"><button>"Test connection"</button></form>
            </div>
        </div>
    }
    .into_any()
}

/// The last runs: those of the live stream, and before it those that came with the page.
#[component]
fn History(first: SynchronizationView) -> impl IntoView {
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
