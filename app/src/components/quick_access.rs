//! Quick access: the actions of the server, on every page.

use leptos::prelude::*;
use leptos_router::components::A;
use userlock_core::api::{Overview, ServerRole};

use super::{Dialog, Glyph, Icon, If, Job, JobView, Runs, SessionsSync, TestView, last_line};
use crate::{
    api::{Area, Right},
    live::Live,
    memo::Memo,
    present::{query, time},
};

/// Where synchronization is started, when it is not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// In words.
    text: String,
    /// The Backup's name and the address of its dashboard.
    link: Option<(String, String)>,
}

/// Why a Primary has no synchronization to start, with the way to where it is.
pub(super) fn elsewhere(overview: &Overview) -> Option<Elsewhere> {
    if overview.server.role == ServerRole::Backup {
        return None;
    }
    let Some(peer) = &overview.server.peer else {
        return Some(Elsewhere {
            text: "Synchronization belongs to a Backup. This zone has none yet.".into(),
            link: None,
        });
    };
    let name = if peer.name.is_empty() { "the Backup".to_owned() } else { peer.name.clone() };
    let link = peer.address.as_deref().and_then(|a| query::elsewhere(a, "/")).map(|href| (name, href));
    Some(Elsewhere { text: "Synchronization belongs to the Backup and is started there.".into(), link })
}

/// The words and the link for it.
#[component]
pub(super) fn ElsewhereView(
    /// What to show.
    #[prop(into)]
    what: Signal<Elsewhere>,
) -> impl IntoView {
    view! {
        <p class="muted">
            {move || what.get().text}
            {move || what.get().link.map(|(name, href)| view! {
                " " <a href=href rel="external">{format!("Open {name}")}<Icon glyph=Glyph::External/></a>
            }.into_any())}
        </p>
    }
    .into_any()
}

/// The panel.
#[component]
pub fn QuickAccess() -> impl IntoView {
    let live = Live::of_page();
    let runs = Runs::of_page();
    let away = Memo::new(move || live.read(elsewhere));
    let forbidden = Memo::new(move || !live.may(Right::Write(Area::Synchronization)));
    let events_line = Memo::new(move || {
        let now = live.now.get();
        live.read(|o| {
            let Some(s) = &o.synchronization else { return String::new() };
            let last = s.last_events.as_ref().map_or_else(|| "never yet".to_owned(), |run| last_line(run, now));
            let next = match s.next_run_at {
                Some(at) if at > now => format!(" · next {}", time::ago(at, now)),
                Some(_) => " · next now".into(),
                None => " · not scheduled".into(),
            };
            format!("{last}{next}")
        })
    });
    let sessions_line = Memo::new(move || {
        let now = live.now.get();
        live.read(|o| {
            let last = o.synchronization.as_ref().and_then(|s| s.last_sessions.as_ref());
            last.map_or_else(|| "never yet".to_owned(), |run| last_line(run, now))
        })
    });
    let events_busy = Memo::new(move || runs.events.with(Job::busy));
    let alerts = Memo::new(move || live.read(|o| o.log_alerts));
    view! {
        <section class="panel quick-access" aria-labelledby="quick-access">
            <h2 id="quick-access">"Quick access"</h2>
            <If
                when=move || away.get().is_none()
                otherwise=move || view! { <ElsewhereView what=Signal::derive(move || away.get().unwrap_or_default())/> }.into_any()
            >
                <form method="post" action="/fn/synchronize-events" on:submit=move |event| {
                    event.prevent_default();
                    runs.synchronize_events(false);
                }>
                    <button class="primary wide" disabled=move || events_busy.get() || forbidden.get()>
                        <Icon glyph=Glyph::Sync/>
                        "Synchronize events"
                    </button>
                </form>
                <p class="under">{move || events_line.get()}</p>
                <JobView job=runs.events/>
                <form method="post" action="/fn/synchronize-sessions" on:submit=move |event| {
                    event.prevent_default();
                    runs.open_sessions();
                }>
                    <input r#type="hidden" name="preview" value="true"/>
                    <button class="wide" disabled=move || forbidden.get()>
                        <Icon glyph=Glyph::Compare/>
                        "Synchronize sessions…"
                    </button>
                </form>
                <p class="under">{move || sessions_line.get()}</p>
                <form method="post" action="/fn/test-connection" on:submit=move |event| {
                    event.prevent_default();
                    runs.test_connection();
                }>
                    <button class="wide" disabled=move || forbidden.get()>
                        <Icon glyph=Glyph::Plug/>
                        "Test connection"
                    </button>
                </form>
                <If when=forbidden>
                    <p class="under">"Your account may see this and not start it."</p>
                </If>
            </If>
            <hr/>
            <A href="/properties/general" attr:class="button wide">
                <Icon glyph=Glyph::Settings/>
                "Properties"
            </A>
            <A href="/application-log" attr:class="button wide">
                <Icon glyph=Glyph::Log/>
                "Application log"
                <If when=move || { alerts.get() > 0 }>
                    <span class="badge warn">{move || alerts.get().to_string()}<span class="visually-hidden">" warnings and errors"</span></span>
                </If>
            </A>
        </section>
    }
    .into_any()
}

/// The dialogs that the panel and the menus open.
#[component]
pub fn QuickDialogs() -> impl IntoView {
    let runs = Runs::of_page();
    view! {
        <Dialog open=runs.sessions_dialog title="Synchronize sessions">
            <p>
                "Makes the list of sessions of this Backup the same as the Primary's. \
                 What this Backup alone has recorded is sent to the Primary first, so nothing is lost."
            </p>
            <SessionsSync/>
        </Dialog>
        <Dialog open=runs.test_dialog title="Test connection">
            <TestView/>
        </Dialog>
    }
    .into_any()
}
