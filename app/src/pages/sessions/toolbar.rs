//! Search and filters: a plain form, which the browser follows as soon as something changes.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};
use userlock_core::event::SessionType;

use super::wanted::Wanted;
use crate::{
    components::{Glyph, Icon, If},
    memo::Memo,
};

/// How long, in ms, typing must rest until it is searched for.
const REST_MS: u64 = 250;

const STATES: [(&str, &str); 6] = [
    ("", "all that are open"),
    ("open", "in use"),
    ("locked", "locked"),
    ("disconnected", "disconnected"),
    ("closed", "closed"),
    ("any", "closed too"),
];

/// The toolbar.
#[component]
pub fn Toolbar(
    /// What is shown.
    wanted: Memo<Wanted>,
) -> impl IntoView {
    let navigate = use_navigate();
    let go = StoredValue::new(move |address: String| {
        navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    let go = move |address: String| go.with_value(|go| go(address));
    let rest = StoredValue::new(None::<TimeoutHandle>);
    let typed = move |event| {
        let text = event_target_value(&event);
        if let Some(handle) = rest.get_value() {
            handle.clear();
        }
        let search = move || go(wanted.get_untracked().with(|w| w.q = text));
        rest.set_value(set_timeout_with_handle(search, Duration::from_millis(REST_MS)).ok());
    };
    let chip = move |name: &'static str, value: fn(&Wanted) -> &String, clear: fn(&mut Wanted)| {
        move || {
            let text = wanted.with(|w| value(w).clone());
            (!text.is_empty()).then(|| {
                let label = format!("{name} {text}: remove this filter");
                view! {
                    <a class="chip on" href=wanted.with(|w| w.with(clear)) aria-label=label>
                        {format!("{name}: {text}")}
                        <Icon glyph=Glyph::Close/>
                    </a>
                }
                .into_any()
            })
        }
    };
    let user = chip("user", |w| &w.user, |w| w.user.clear());
    let machine = chip("machine", |w| &w.machine, |w| w.machine.clear());
    view! {
        <form class="toolbar" role="search" action="/sessions" method="get" on:submit=move |event| event.prevent_default()>
            <label class="search">
                <span class="visually-hidden">"Search user, machine, client"</span>
                <Icon glyph=Glyph::Search/>
                <input
                    id="search"
                    name="q"
                    r#type="search"
                    placeholder="Search user, machine, client"
                    maxlength="200"
                    autocomplete="off"
                    aria-keyshortcuts="/"
                    value=wanted.get_untracked().q
                    on:input=typed
                />
                <kbd aria-hidden="true">"/"</kbd>
            </label>
            <label class="filter">
                <span>"Type"</span>
                <select name="type" on:change=move |event| go(wanted.get_untracked().with(|w| w.session_type = event_target_value(&event)))>
                    <option value="">"any"</option>
                    {SessionType::ALL.map(|t| view! {
                        <option value=t.as_str() selected=move || wanted.with(|w| w.session_type == t.as_str())>{t.as_str()}</option>
                    }.into_any()).collect_view()}
                </select>
            </label>
            <label class="filter">
                <span>"State"</span>
                <select name="state" on:change=move |event| go(wanted.get_untracked().with(|w| w.state = event_target_value(&event)))>
                    {STATES.map(|(value, word)| view! {
                        <option value=value selected=move || wanted.with(|w| w.state == value)>{word}</option>
                    }.into_any()).collect_view()}
                </select>
            </label>
            {move || user()}
            {move || machine()}
            <input r#type="hidden" name="sort" value=move || wanted.with(|w| w.sort.clone())/>
            <button class="without-script">"Search"</button>
            <If when=move || wanted.with(Wanted::filtered)>
                <a class="button quiet" href="/sessions">"Clear"</a>
            </If>
        </form>
    }
    .into_any()
}
