//! Small parts: badges, times, the heading of a page.

use leptos::{html, prelude::*};
use userlock_core::api::{ReadOnly, SessionState, Tone};

use super::{Glyph, Icon};
use crate::{
    browser,
    live::{Live, Stream},
    memo::Memo,
    present::{query, time},
};

/// The class of a tone.
#[must_use]
pub fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "ok",
        Tone::Attention => "warn",
        Tone::Down => "bad",
        Tone::Neutral => "neutral",
    }
}

/// A word on the tint of its state.
#[component]
pub fn Badge(
    /// The state.
    #[prop(into)]
    tone: Signal<Tone>,
    /// The word.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    view! { <span class=move || format!("badge {}", tone_class(tone.get()))>{move || text.get()}</span> }.into_any()
}

/// The tone of a session's state.
#[must_use]
pub fn state_tone(state: SessionState) -> Tone {
    match state {
        SessionState::Open => Tone::Ok,
        SessionState::Locked | SessionState::Closed => Tone::Neutral,
        SessionState::Disconnected => Tone::Attention,
    }
}

/// A time of day, with its day where that is another one; in full when pointed at.
#[component]
pub fn When(
    /// In ms since 1970 UTC.
    #[prop(into)]
    at: Signal<Option<i64>>,
    /// With its seconds.
    #[prop(optional)]
    seconds: bool,
) -> impl IntoView {
    let live = Live::of_page();
    // The day matters, not the second: re-rendered at most once an hour.
    let hour = Memo::new(move || live.now.get() / 3_600_000 * 3_600_000);
    let text = move || {
        let Some(at) = at.get() else { return "\u{2014}".to_owned() };
        live.zone.with(|zone| if seconds { zone.exact(at, hour.get()) } else { zone.near(at, hour.get()) })
    };
    let full = move || at.get().map(|at| live.zone.with(|zone| zone.full(at)));
    view! { <time datetime=move || at.get().map(time::iso) title=full>{move || text()}</time> }.into_any()
}

/// How long ago.
#[component]
pub fn Ago(
    /// In ms since 1970 UTC.
    #[prop(into)]
    at: Signal<Option<i64>>,
) -> impl IntoView {
    let live = Live::of_page();
    let text = Memo::new(move || match at.get() {
        Some(at) => time::ago(at, live.now.get()),
        None => "\u{2014}".to_owned(),
    });
    let full = move || at.get().map(|at| live.zone.with(|zone| zone.full(at)));
    view! { <time datetime=move || at.get().map(time::iso) title=full>{move || text.get()}</time> }.into_any()
}

/// The heading of a page, with how fresh the page is.
#[component]
pub fn PageHead(
    /// The page's name.
    #[prop(into)]
    title: Signal<String>,
    /// Beside the name: how many there are.
    #[prop(optional, into)]
    count: MaybeProp<String>,
    /// Buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    let live = Live::of_page();
    // After a link was followed the focus would be lost with the page that it was on.
    Effect::new(move |done: Option<bool>| {
        let Some(heading) = heading.get() else { return false };
        if done != Some(true) && live.came_from_another_page() {
            browser::focus_element(&heading);
        }
        true
    });
    view! {
        // The page's name is asked for once more when a page makes room for the next one, whose head it then was in.
        <leptos_meta::Title text=move || title.try_get().unwrap_or_default()/>
        <header class="page-head">
            <h1 node_ref=heading tabindex="-1">{move || title.get()}</h1>
            <span class="count">{move || count.get()}</span>
            <div class="page-actions">
                {children.map(|children| children())}
                <Freshness/>
            </div>
        </header>
    }
    .into_any()
}

/// Whether what is shown is as it is, and in which zone times are.
#[component]
fn Freshness() -> impl IntoView {
    let live = Live::of_page();
    let zone = move || live.zone.with(|zone| zone.name.clone());
    let class = move || match live.stream.get() {
        Stream::Starting => "freshness",
        Stream::Live => "freshness ok",
        Stream::Lost { .. } => "freshness warn",
    };
    let word = move || match live.stream.get() {
        Stream::Starting => "as of",
        Stream::Live => "live",
        Stream::Lost { .. } => "not live since",
    };
    // The clock runs for the eye; a screen reader is told only when the stream is lost or back.
    let clock = move || {
        let at = match live.stream.get() {
            Stream::Lost { since } => since,
            Stream::Starting | Stream::Live => live.now.get(),
        };
        live.zone.with(|zone| zone.clock(at))
    };
    view! {
        <p class=class>
            <span class="dot" aria-hidden="true"></span>
            <span role="status">{move || word().to_owned()}</span>
            <span class="clock">{move || clock()}</span>
            <span class="zone">{move || format!("({})", zone())}</span>
        </p>
    }
    .into_any()
}

/// Why a section cannot be changed here, with the way to where it can.
#[component]
pub fn ReadOnlyNote(
    /// Why.
    reason: ReadOnly,
) -> impl IntoView {
    // The same page has the same path on the Primary.
    let path = leptos_router::hooks::use_location().pathname.get_untracked();
    let link = reason.primary_url.as_deref().and_then(|url| query::elsewhere(url, &path)).map(|href| {
        let name = reason.primary_name.clone().unwrap_or_else(|| "the Primary".into());
        view! { " " <a href=href rel="external">{format!("Open this page on {name}")}<Icon glyph=Glyph::External/></a> }
            .into_any()
    });
    view! {
        <div class="banner info" role="note">
            <Icon glyph=Glyph::Info/>
            <p>{reason.reason.clone()}{link}</p>
        </div>
    }
    .into_any()
}

/// A line of a form or of a list of facts: a name and what it is.
#[component]
pub fn Fact(
    /// The name.
    #[prop(into)]
    name: String,
    /// What it is.
    children: Children,
) -> impl IntoView {
    view! { <div class="fact"><dt>{name}</dt><dd>{children()}</dd></div> }.into_any()
}

/// Shows something while a condition holds. Unlike `Show` it does not make code anew for each thing that is shown.
#[component]
pub fn If(
    /// The condition.
    #[prop(into)]
    when: Signal<bool>,
    /// What is shown else.
    #[prop(optional, into)]
    otherwise: ViewFn,
    /// What is shown.
    children: ChildrenFn,
) -> impl IntoView {
    let when = Memo::new(move || when.get());
    view! { {move || if when.get() { children() } else { otherwise.run() }} }.into_any()
}
