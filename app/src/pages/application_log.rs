//! The application log: what happened to the product itself.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use userlock_core::api::{Level, LogEvent, LogQuery, Page, Tone};

use super::{WithQuickAccess, loading, shown};
use crate::{
    api,
    components::{Glyph, Icon, If, PageHead, When, tone_class},
    live::Live,
    memo::Memo,
    present::{query, words},
    reading::Reading,
};

/// What the address says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Wanted {
    level: String,
    id: String,
    cursor: String,
}

impl Wanted {
    fn address(&self) -> String {
        query::address("/application-log", &[("level", &self.level), ("id", &self.id), ("cursor", &self.cursor)])
    }

    fn query(&self) -> LogQuery {
        let level = match self.level.as_str() {
            "information" => Some(Level::Information),
            "warning" => Some(Level::Warning),
            "error" => Some(Level::Error),
            _ => None,
        };
        LogQuery {
            level,
            id: self.id.trim().parse().ok(),
            limit: Some(50),
            cursor: (!self.cursor.is_empty()).then(|| self.cursor.clone()),
            ..LogQuery::default()
        }
    }
}

/// The page.
#[component]
pub fn ApplicationLogPage() -> impl IntoView {
    let live = Live::of_page();
    let address = use_query_map();
    let wanted = Memo::new(move || {
        address.with(|q| {
            let text = |name: &str| q.get(name).unwrap_or_default();
            Wanted { level: text("level"), id: text("id"), cursor: text("cursor") }
        })
    });
    // A new warning or error is one more of what is counted: then the page is read again.
    let alerts = Memo::new(move || live.read(|o| o.log_alerts));
    let events = Reading::new(
        move || (wanted.get(), alerts.get()),
        |(wanted, _)| api::ask(api::GetApplicationLog { query: wanted.query() }),
    );
    view! {
        <PageHead title="Application log"/>
        <WithQuickAccess>
            <Filters wanted=wanted/>
            <Transition fallback=loading>
                {move || Suspend::new(async move { shown(events.done().await, |page| view! { <Events page=page wanted=wanted.get_untracked()/> }.into_any()) })}
            </Transition>
        </WithQuickAccess>
    }
    .into_any()
}

#[component]
fn Filters(wanted: Memo<Wanted>) -> impl IntoView {
    let navigate = use_navigate();
    let go = StoredValue::new(move |address: String| {
        navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    let changed = move |change: fn(&mut Wanted, String)| {
        move |event: leptos::ev::Event| {
            let mut next = Wanted { cursor: String::new(), ..wanted.get_untracked() };
            change(&mut next, event_target_value(&event));
            go.with_value(|go| go(next.address()));
        }
    };
    view! {
        <form class="toolbar" role="search" method="get" action="/application-log">
            <label class="filter">
                <span>"Level"</span>
                <select name="level" on:change=changed(|w, value| w.level = value)>
                    {[("", "all"), ("warning", "warnings and errors"), ("error", "errors")].map(|(value, word)| view! {
                        <option value=value selected=move || wanted.with(|w| w.level == value)>{word}</option>
                    }.into_any()).collect_view()}
                </select>
            </label>
            <label class="filter">
                <span>"Id"</span>
                <input name="id" r#type="number" min="1" max="999999" class="short" prop:value=move || wanted.with(|w| w.id.clone()) value=wanted.get_untracked().id on:change=changed(|w, value| w.id = value)/>
            </label>
            <button class="without-script">"Filter"</button>
            <If when=move || wanted.with(|w| *w != Wanted::default())>
                <a class="button quiet" href="/application-log">"Show all, newest first"</a>
            </If>
        </form>
    }
    .into_any()
}

fn level_tone(level: Level) -> Tone {
    match level {
        Level::Information => Tone::Neutral,
        Level::Warning => Tone::Attention,
        Level::Error => Tone::Down,
    }
}

#[component]
fn Events(page: Page<LogEvent>, wanted: Wanted) -> impl IntoView {
    let empty = page.items.is_empty();
    let next = page.next.map(|cursor| {
        let href = Wanted { cursor, ..wanted.clone() }.address();
        view! { <a class="button" rel="next" href=href>"Older events"</a> }.into_any()
    });
    let none = if wanted == Wanted::default() {
        "Nothing has been logged yet. Starts, synchronizations that fail, a silent server and changes of settings are."
    } else {
        "No event fits. Show all, or another level."
    };
    view! {
        <section class="panel log" aria-label="Events, the newest first">
            {page.items.into_iter().map(|event| view! { <EventRow event=event/> }.into_any()).collect_view()}
            {empty.then(|| view! { <div class="empty"><h2>"No events"</h2><p>{none}</p></div> }.into_any())}
            <nav class="pages" aria-label="Pages of the log">{next}</nav>
        </section>
    }
    .into_any()
}

/// One event; its details open below it.
#[component]
fn EventRow(event: LogEvent) -> impl IntoView {
    let live = Live::of_page();
    let tone = level_tone(event.level);
    let glyph = if event.level == Level::Information { Glyph::Info } else { Glyph::of(tone) };
    let at = event.at;
    let details: Vec<_> = event
        .details
        .into_iter()
        .map(|(name, value)| view! { <div class="fact"><dt>{name}</dt><dd>{value}</dd></div> }.into_any())
        .collect();
    view! {
        <details class=format!("event {}", tone_class(tone))>
            <summary>
                <span class="event-level"><Icon glyph=glyph/><span class="visually-hidden">{words::level(event.level)}</span></span>
                <span class="event-time"><When at=Some(at) seconds=true/></span>
                <span class="event-id">{event.id}</span>
                <span class="event-text">{event.message}</span>
                <Icon glyph=Glyph::Chevron/>
            </summary>
            <dl class="facts">
                <div class="fact"><dt>"time"</dt><dd>{move || live.zone.with(|zone| zone.full(at))}</dd></div>
                <div class="fact"><dt>"level"</dt><dd>{words::level(event.level)}</dd></div>
                <div class="fact"><dt>"source"</dt><dd>{event.source}</dd></div>
                <div class="fact"><dt>"number"</dt><dd>{event.number}</dd></div>
                {details}
            </dl>
        </details>
    }
    .into_any()
}
