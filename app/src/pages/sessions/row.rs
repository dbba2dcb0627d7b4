//! One row. On narrow screens it is two lines.

use leptos::prelude::*;
use userlock_core::api::{SessionState, Tone};

use super::{actions::MenuAsked, list::Row, table::TableState};
use crate::{
    components::{Ago, Badge, Glyph, Icon, If, When, state_tone},
    live::Live,
    memo::Memo,
    present::{rows::Mark, time},
};

const DASH: &str = "\u{2014}";

/// A row.
#[component]
pub fn RowView(
    /// The row.
    row: Row,
    /// What the rows share.
    state: TableState,
    /// Whether it may be selected.
    may: Memo<bool>,
) -> impl IntoView {
    let live = Live::of_page();
    let key = StoredValue::new(row.key);
    let session = row.session;
    let field = {
        let session = session.clone();
        move |what: fn(&userlock_core::api::SessionView) -> Option<String>| {
            let session = session.clone();
            Memo::new(move || session.with(what).unwrap_or_else(|| DASH.to_owned()))
        }
    };
    let user = field(|s| Some(if s.user.is_empty() { "not known".into() } else { s.user.clone() }));
    let display = field(|s| s.display_name.clone());
    let session_type = field(|s| s.session_type.map(|t| t.as_str().to_owned()));
    let machine = field(|s| Some(s.machine.clone()));
    let client = field(|s| s.client_name.clone());
    let address = field(|s| s.client_address.clone());
    let state_word = field(|s| Some(s.state.as_str().to_owned()));
    let times = {
        let session = session.clone();
        Memo::new(move || session.with(|s| (s.since, s.last_activity, s.closed_at, Some(s.state))))
    };
    let silent = {
        let session = session.clone();
        Memo::new(move || session.with(|s| s.unconfirmed.then_some(s.silent_since)))
    };
    let tone = Signal::derive(move || times.get().3.map_or(Tone::Neutral, state_tone));
    let silent_text = move || match silent.get() {
        Some(Some(since)) => format!("machine silent for {}", time::coarse(live.now.get() - since)),
        Some(None) => "machine silent".to_owned(),
        None => String::new(),
    };
    let duration = Memo::new(move || match times.get() {
        (Some(since), _, closed, _) => time::duration(closed.unwrap_or_else(|| live.now.get()) - since),
        _ => DASH.to_owned(),
    });
    let selected = Memo::new(move || key.with_value(|key| state.list.selected.with(|s| s.contains(key))));
    // One row can be reached by Tab: the one that was last, or else the first.
    let reachable = Memo::new(move || {
        key.with_value(|key| match state.list.active.get() {
            Some(active) => active == *key,
            None => state.list.rows.with(|rows| rows.first().is_some_and(|first| first.key == *key)),
        })
    });
    let mark = row.mark;
    let class = move || {
        let mark = match mark.get() {
            Mark::None => "",
            Mark::New => "new",
            Mark::Gone => "gone",
        };
        format!("{mark}{}", if selected.get() { " selected" } else { "" })
    };
    let label = move || format!("{} on {}", user.get(), machine.get());
    view! {
        <tr
            data-key=key.get_value()
            class=class
            tabindex=move || if reachable.get() { "0" } else { "-1" }
            aria-selected=move || if selected.get() { "true" } else { "false" }
            on:focusin=move |_| state.list.active.set(Some(key.get_value()))
            on:dblclick=move |_| state.details.set(Some(key.get_value()))
            on:contextmenu=move |event| {
                event.prevent_default();
                let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
                state.menu.set(Some(MenuAsked { key: key.get_value(), x, y }));
            }
        >
            <td class="column-select">
                <If when=may>
                    <input
                        r#type="checkbox"
                        name="keys[]"
                        value=key.get_value()
                        tabindex="-1"
                        aria-label=move || format!("Select {}", label())
                        prop:checked=move || selected.get()
                        on:change=move |_| key.with_value(|key| state.list.toggle(key))
                    />
                </If>
            </td>
            <th scope="row" class="column-user" title=move || display.get()>{move || user.get()}</th>
            <td class="column-type">{move || session_type.get()}</td>
            <td class="column-state">
                <Badge tone=tone text=state_word/>
                <If when=move || silent.get().is_some()>
                    <span class="badge warn" title=silent_text>"unconfirmed"<span class="visually-hidden">", "{move || silent_text()}</span></span>
                </If>
            </td>
            <td class="column-machine" data-type=move || session_type.get()>{move || machine.get()}</td>
            <td class="column-client_name">{move || client.get()}</td>
            <td class="column-client_address">{move || address.get()}</td>
            <td class="column-since"><When at=Signal::derive(move || times.get().0)/></td>
            <td class="column-last_activity"><Ago at=Signal::derive(move || times.get().1)/></td>
            <td class="column-duration">
                {move || if times.get().3 == Some(SessionState::Closed) { format!("{}, closed", duration.get()) } else { duration.get() }}
            </td>
            <td class="column-menu">
                <button
                    r#type="button"
                    class="icon-button with-script"
                    tabindex="-1"
                    aria-haspopup="menu"
                    aria-label=move || format!("Actions for {}", label())
                    on:click=move |event| {
                        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
                        state.menu.set(Some(MenuAsked { key: key.get_value(), x, y }));
                    }
                >
                    <Icon glyph=Glyph::More/>
                </button>
            </td>
        </tr>
    }
    .into_any()
}
