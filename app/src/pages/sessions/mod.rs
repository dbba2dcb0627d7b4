//! User sessions: filtered, sorted and paged by the server, live in the browser.

mod actions;
mod list;
mod row;
mod table;
mod toolbar;
mod wanted;

use leptos::{ev, prelude::*};

use super::{WithQuickAccess, loading, shown};
use crate::{api, browser, components::PageHead, live::Live, memo::Memo, present::number::grouped, reading::Reading};
use leptos_router::hooks::use_query_map;
use list::SessionList;
use wanted::Wanted;

/// The page.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let live = Live::of_page();
    let query = use_query_map();
    let wanted = Memo::new(move || query.with(|query| Wanted::read(|name| query.get(name))));
    let list = SessionList::new();
    let first = Reading::new(|| (), move |()| api::ask(api::GetSessions { query: wanted.get_untracked().query() }));
    let version = Memo::new(move || live.read(|o| o.server.sessions_version));

    Effect::new(move |before: Option<(Wanted, u64)>| {
        let now = (wanted.get(), version.get());
        if let Some(before) = before
            && before != now
        {
            list.refresh(now.0.clone(), before.0 != now.0);
        }
        now
    });
    let slash = window_event_listener_if_browser();
    on_cleanup(move || drop(slash));

    let count = Memo::new(move || {
        // Until the list has told its own count, that of the whole zone stands for the whole list.
        let all = (!wanted.with(Wanted::filtered)).then(|| live.read(|o| o.figures.open_sessions));
        let total = list.total.get().or(all);
        total.map(|n| format!("{} {}", grouped(n), wanted.with(Wanted::state_word))).unwrap_or_default()
    });
    view! {
        <PageHead title="User sessions" count=count/>
        <WithQuickAccess>
            <toolbar::Toolbar wanted=wanted/>
            <Suspense fallback=loading>
                {move || Suspend::new(async move {
                    shown(first.done().await, |page| {
                        list.begin(page);
                        view! { <table::Table list=list wanted=wanted/> }.into_any()
                    })
                })}
            </Suspense>
        </WithQuickAccess>
    }
    .into_any()
}

/// `/` moves to the search, wherever the focus is but in a field.
fn window_event_listener_if_browser() -> Option<Listening> {
    if cfg!(feature = "ssr") {
        return None;
    }
    let handle = window_event_listener(ev::keydown, |event| {
        let typing = browser::target(&event).is_some_and(|element| browser::takes_text(&element));
        if event.key() == "/" && !typing && !event.ctrl_key() && !event.meta_key() {
            event.prevent_default();
            browser::focus("#search");
        }
    });
    Some(Listening(Some(handle)))
}

/// Listens until it is dropped.
struct Listening(Option<WindowListenerHandle>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.remove();
        }
    }
}
