//! The table with its bulk actions, its menu and its pages.

use std::sync::Arc;

use leptos::{html, prelude::*};
use userlock_core::api::SessionAction;
use web_sys::KeyboardEvent;

use super::{
    actions::{Acting, ActionDialog, DetailsDialog, MenuAsked, SessionMenu},
    list::{Row, SessionList},
    row::RowView,
    wanted::{COLUMNS, Wanted},
};
use crate::{
    api::{Area, Right},
    browser::{self, Step},
    components::{Each, Glyph, Icon, If, Item, problem_text},
    live::Live,
    memo::Memo,
    present::number::grouped,
};

/// What the rows share.
#[derive(Clone, Copy)]
pub struct TableState {
    /// The rows.
    pub list: SessionList,
    /// Where the menu was asked for, and for which row.
    pub menu: RwSignal<Option<MenuAsked>>,
    /// The session whose details are shown.
    pub details: RwSignal<Option<String>>,
    /// What is about to be done.
    pub acting: RwSignal<Option<Acting>>,
}

/// The table.
#[component]
pub fn Table(
    /// The rows.
    list: SessionList,
    /// What is shown.
    wanted: Memo<Wanted>,
) -> impl IntoView {
    let live = Live::of_page();
    let state =
        TableState { list, menu: RwSignal::new(None), details: RwSignal::new(None), acting: RwSignal::new(None) };
    let body = NodeRef::<html::Tbody>::new();
    let may = Memo::new(move || live.may(Right::Write(Area::Sessions)));
    let empty = Memo::new(move || list.rows.with(Vec::is_empty));
    let row = move |row: Row| -> Item {
        (row.key.clone(), Arc::new(move || view! { <RowView row=row.clone() state=state may=may/> }.into_any()))
    };
    let rows = Signal::derive(move || list.rows.get().into_iter().map(row).collect());
    let on_key = move |event: KeyboardEvent| on_key(&event, state, body);
    view! {
        <form class="panel sessions" method="post" action="/fn/session-actions" on:submit=move |event| event.prevent_default()>
            <Bulk state=state may=may/>
            <p class="list-problem" role="status">
                {move || list.problem.get().map(|p| format!("The list could not be brought up to date. {}", problem_text(&p)))}
            </p>
            <div class="table-wrap">
                <table class="data" class:loading=move || list.loading.get() aria-describedby="sessions-keys">
                    <caption class="visually-hidden">"User sessions"</caption>
                    <Head list=list wanted=wanted may=may/>
                    <tbody node_ref=body on:keydown=on_key>
                        <Each items=rows/>
                    </tbody>
                </table>
            </div>
            <p id="sessions-keys" class="visually-hidden">
                "Arrow keys move between rows, space selects, Enter opens the details, Shift and F10 the menu."
            </p>
            <If when=empty><Empty wanted=wanted/></If>
            <Pages list=list wanted=wanted/>
        </form>
        <SessionMenu state=state may=may/>
        <ActionDialog state=state/>
        <DetailsDialog state=state/>
    }
    .into_any()
}

fn on_key(event: &KeyboardEvent, state: TableState, body: NodeRef<html::Tbody>) {
    let (Some(body), Some(target)) = (body.get_untracked(), browser::target(event)) else { return };
    let Some(key) = target.closest("tr").ok().flatten().and_then(|row| row.get_attribute("data-key")) else { return };
    let on_row = target.tag_name() == "TR";
    let pressed = event.key();
    if let Some(step) = Step::of_key(&pressed) {
        event.prevent_default();
        browser::move_focus(&body, "tr", step);
    } else if pressed == " " && on_row {
        event.prevent_default();
        state.list.toggle(&key);
    } else if pressed == "Enter" && on_row {
        event.prevent_default();
        state.details.set(Some(key));
    } else if pressed == "ContextMenu" || (pressed == "F10" && event.shift_key()) {
        event.prevent_default();
        let place = target.get_bounding_client_rect();
        state.menu.set(Some(MenuAsked { key, x: place.left() + 40.0, y: place.bottom() }));
    } else if pressed == "Escape" && state.list.selected.with_untracked(|s| !s.is_empty()) {
        state.list.select_all(false);
    }
}

/// The names of the columns, which sort.
#[component]
fn Head(list: SessionList, wanted: Memo<Wanted>, may: Memo<bool>) -> impl IntoView {
    let all = Memo::new(move || {
        let count = list.rows.with(Vec::len);
        count > 0 && list.selected.with(|s| s.len() == count)
    });
    let some = Memo::new(move || !all.get() && list.selected.with(|s| !s.is_empty()));
    let column = move |(slug, name): (&'static str, &'static str)| {
        let sorted = Memo::new(move || wanted.with(|w| (w.sorted().0 == slug).then(|| w.sorted().1)));
        let order = move || sorted.get().map(|reversed| if reversed { "descending" } else { "ascending" });
        view! {
            <th scope="col" class=format!("column-{slug}") aria-sort=order>
                <a href=move || wanted.with(|w| w.sort_by(slug))>
                    {name}
                    <If when=move || sorted.get().is_some()>
                        <Icon glyph=Signal::derive(move || if sorted.get() == Some(true) { Glyph::ArrowDown } else { Glyph::Up })/>
                    </If>
                </a>
            </th>
        }.into_any()
    };
    view! {
        <thead>
            <tr>
                <th scope="col" class="column-select">
                    <If when=may>
                        <input
                            r#type="checkbox"
                            class="with-script"
                            aria-label="Select all rows of this page"
                            prop:checked=move || all.get()
                            prop:indeterminate=move || some.get()
                            on:change=move |event| list.select_all(event_target_checked(&event))
                        />
                    </If>
                </th>
                {COLUMNS.map(column).collect_view()}
                <th scope="col" class="column-duration">"Duration"</th>
                <th scope="col" class="column-menu"><span class="visually-hidden">"Actions"</span></th>
            </tr>
        </thead>
    }
    .into_any()
}

/// What can be done with the selected rows. Without JavaScript it asks for the reason itself.
#[component]
fn Bulk(state: TableState, may: Memo<bool>) -> impl IntoView {
    let count = Memo::new(move || state.list.selected.with(|s| s.len() as u64));
    let act =
        move |action| move |_| state.acting.set(Some(Acting { action, sessions: state.list.selected_sessions() }));
    view! {
        <If when=may>
            <div class="bulk without-script">
                <label>"Reason, kept with what is done " <input name="reason" maxlength="500"/></label>
                <button name="action" value="logoff">"Log off the selected"</button>
                <button name="action" value="reset" class="danger">"Reset the selected"</button>
            </div>
        </If>
        <If when=move || { count.get() > 0 }>
            <div class="bulk with-script" role="group" aria-label="Actions on the selected sessions">
                <strong role="status">{move || format!("{} selected", grouped(count.get()))}</strong>
                <button r#type="button" on:click=act(SessionAction::Logoff)>"Log off…"</button>
                <button r#type="button" on:click=act(SessionAction::Reset)>"Reset…"</button>
                <button r#type="button" class="quiet" on:click=move |_| state.list.select_all(false)>"Clear selection"</button>
            </div>
        </If>
    }
    .into_any()
}

/// What to do about an empty list.
#[component]
fn Empty(wanted: Memo<Wanted>) -> impl IntoView {
    view! {
        <div class="empty">
            <If
                when=move || wanted.with(Wanted::filtered)
                otherwise=|| view! {
                    <h2>"No sessions yet"</h2>
                    <p>"A session appears here as soon as an enrolled machine reports a logon. Enrol the first machine on it, with the enrolment string in a file that only root can read:"</p>
                    <code class="command">"userlock-agent enrol --string-file enrolment.txt --state-dir /var/lib/userlock-agent"</code>
                }.into_any()
            >
                <h2>"No session fits"</h2>
                <p>"No session of this zone is as you ask for."</p>
                <p class="buttons"><a class="button" href="/sessions">"Show all open sessions"</a></p>
            </If>
        </div>
    }
    .into_any()
}

/// Which rows these are, and the way to the others.
#[component]
fn Pages(list: SessionList, wanted: Memo<Wanted>) -> impl IntoView {
    let range = Memo::new(move || {
        let rows = list.count.get();
        let from = wanted.with(|w| w.from);
        let of = list.total.get().map(|total| format!(" of {}", grouped(total))).unwrap_or_default();
        if rows == 0 { String::new() } else { format!("{}–{}{of}", grouped(from), grouped(from + rows - 1)) }
    });
    let next = Memo::new(move || list.next.get().map(|cursor| wanted.with(|w| w.next(&cursor, list.count.get()))));
    let later = Memo::new(move || wanted.with(|w| !w.cursor.is_empty()));
    view! {
        <nav class="pages" aria-label="Pages of the list">
            <span class="muted">{move || range.get()}</span>
            <If when=later>
                <a class="button" href=move || wanted.with(|w| w.with(|_| {}))>"First page"</a>
            </If>
            {move || next.get().map(|href| view! { <a class="button" href=href rel="next">"Next page"</a> }.into_any())}
        </nav>
    }
    .into_any()
}
