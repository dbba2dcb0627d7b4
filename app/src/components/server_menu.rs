//! The context menu of the server: the entries of Quick access.

use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    ContextHost, Glyph, Icon, If, Menu, Runs,
    quick_access::{ElsewhereView, elsewhere},
};
use crate::{
    api::{Area, Right},
    live::Live,
    memo::Memo,
};

/// The menu of this server.
#[component]
pub fn ServerMenu(
    /// What it belongs to.
    host: ContextHost,
) -> impl IntoView {
    let live = Live::of_page();
    let runs = Runs::of_page();
    let away = Memo::new(move || live.read(elsewhere));
    let forbidden = Memo::new(move || !live.may(Right::Write(Area::Synchronization)));
    view! {
        <Menu label="Actions of this server" host=host>
            <If
                when=move || away.get().is_none()
                otherwise=move || view! {
                    <div class="menu-note"><ElsewhereView what=Signal::derive(move || away.get().unwrap_or_default())/></div>
                }.into_any()
            >
                <form role="none" method="post" action="/fn/synchronize-events" on:submit=move |event| {
                    event.prevent_default();
                    runs.synchronize_events(true);
                }>
                    <button role="menuitem" disabled=move || forbidden.get()><Icon glyph=Glyph::Sync/>"Synchronize events"</button>
                </form>
                <form role="none" method="post" action="/fn/synchronize-sessions" on:submit=move |event| {
                    event.prevent_default();
                    runs.open_sessions();
                }>
                    <input r#type="hidden" name="preview" value="true"/>
                    <button role="menuitem" disabled=move || forbidden.get()><Icon glyph=Glyph::Compare/>"Synchronize sessions…"</button>
                </form>
                <form role="none" method="post" action="/fn/test-connection" on:submit=move |event| {
                    event.prevent_default();
                    runs.test_connection();
                }>
                    <button role="menuitem" disabled=move || forbidden.get()><Icon glyph=Glyph::Plug/>"Test connection"</button>
                </form>
            </If>
            <hr/>
            <A href="/properties/general" attr:role="menuitem"><Icon glyph=Glyph::Settings/>"Properties"</A>
            <A href="/application-log" attr:role="menuitem"><Icon glyph=Glyph::Log/>"Application log"</A>
        </Menu>
    }
    .into_any()
}
