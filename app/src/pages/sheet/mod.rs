//! A page of Properties: what the server laid out, as a form where it can be changed, else as text with the reason.

mod form;
mod table;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{ProblemView, WithQuickAccess, loading};
use crate::{
    api,
    components::{Each, Fact, Item, PageHead, ReadOnlyNote},
    live::Live,
    memo::Memo,
    reading::Reading,
    sheet::{Field, Form, Group, Sheet},
};
use form::FormView;
use table::table_of;

/// A page of Properties.
#[component]
pub fn SheetPage() -> impl IntoView {
    read_sheet("/properties")
}

/// A page of Protected accounts.
#[component]
pub fn RulesPage() -> impl IntoView {
    read_sheet("/protected-accounts")
}

/// The page of one's own account.
#[component]
pub fn AccountPage() -> impl IntoView {
    read_sheet("/account")
}

fn read_sheet(home: &'static str) -> AnyView {
    let params = use_params_map();
    let slug = Memo::new(move || params.with(|p| p.get("slug")).unwrap_or_default());
    let turn = RwSignal::new(0);
    provide_context(Anew { turn, saved: StoredValue::new(false) });
    let sheet = Reading::new(
        move || (slug.get(), turn.get()),
        move |(slug, turn)| async move {
            let key = format!("{turn} {slug}");
            let sheet = if home == "/protected-accounts" {
                api::ask(api::GetRulesSheet { slug }).await
            } else if home == "/account" {
                api::ask(api::GetAccountSheet {}).await
            } else if slug.starts_with("security") {
                api::ask(api::GetSecuritySheet { slug }).await
            } else {
                api::ask(api::GetSheet { slug }).await
            };
            sheet.map(|sheet| (key, sheet))
        },
    );
    view! {
        <Transition fallback=loading>
            {move || Suspend::new(async move {
                match sheet.done().await {
                    Ok((key, sheet)) => alone(key, sheet),
                    Err(refused) if refused.0.status == 404 => view! { <super::NotFound/> }.into_any(),
                    Err(refused) => view! { <PageHead title="Properties"/><ProblemView problem=refused.0/> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

/// A page whose elements are of no other page, nor of the same one before it was saved: what was typed into a field would
/// stand in the one that takes its place.
fn alone(key: String, sheet: Sheet) -> AnyView {
    let general = key.ends_with(" general");
    let item: Item = (key, Arc::new(move || view! { <SheetView sheet=sheet.clone() general=general/> }.into_any()));
    view! { <Each items=Signal::stored(vec![item])/> }.into_any()
}

/// Reads the page anew when it changes: what is shown beside a form may be another after it was saved.
#[derive(Clone, Copy)]
struct Anew {
    /// How often it was.
    turn: RwSignal<u32>,
    /// Whether it is after a form was saved.
    saved: StoredValue<bool>,
}

#[component]
fn SheetView(sheet: Sheet, general: bool) -> impl IntoView {
    view! {
        <PageHead title=sheet.title.clone() count=sheet.count.clone()/>
        <WithQuickAccess>
            {general.then(|| view! { <ThisServer/> }.into_any())}
            {contents(sheet)}
        </WithQuickAccess>
    }
    .into_any()
}

/// All of a page but its head.
pub(super) fn contents(sheet: Sheet) -> AnyView {
    let Sheet { read_only, note, form, form_last, test, again, tables, .. } = sheet;
    let no_right = read_only.is_none() && form.as_ref().is_some_and(|form| !form.editable);
    let form = form.map(|form| match form.editable {
        true => view! { <FormView form=form test=test again=again/> }.into_any(),
        false => text_of(form),
    });
    let (first, last) = if form_last { (None, form) } else { (form, None) };
    view! {
        {read_only.map(|reason| view! { <ReadOnlyNote reason=reason/> }.into_any())}
        {no_right.then(|| view! { <p class="muted">"Your account may see this, and not change it."</p> }.into_any())}
        {(!note.is_empty()).then(|| view! { <p class="muted">{note}</p> }.into_any())}
        {first}
        {tables.into_iter().map(table_of).collect_view()}
        {last}
    }
    .into_any()
}

/// What each server has for itself.
#[component]
fn ThisServer() -> impl IntoView {
    let live = Live::of_page();
    let fact = move |what: fn(&userlock_core::api::Overview) -> String| {
        let text = Memo::new(move || live.read(what));
        view! { {move || text.get()} }.into_any()
    };
    // The reason is of the time at which the state began.
    let state = Memo::new(move || {
        live.read(|o| {
            let phase = &o.server.phase_detail;
            let since = live.zone.with(|zone| zone.exact(phase.since, o.server.now));
            let reason = if phase.reason.is_empty() { String::new() } else { format!(": {}", phase.reason) };
            format!("{}, since {since}{reason}", phase.phase.title())
        })
    });
    view! {
        <section class="panel" aria-labelledby="this-server">
            <h2 id="this-server">"This server"</h2>
            <dl class="facts">
                <Fact name="Name">{fact(|o| o.server.name.clone())}</Fact>
                <Fact name="Role">{fact(|o| format!("{} server", o.server.role.title()))}</Fact>
                <Fact name="State">{move || state.get()}</Fact>
                <Fact name="Epoch">{fact(|o| o.server.epoch.number.to_string())}</Fact>
                <Fact name="Settings revision">{fact(|o| o.server.settings_revision.to_string())}</Fact>
                <Fact name="Version">{fact(|o| o.server.version.clone())}</Fact>
            </dl>
        </section>
    }
    .into_any()
}

/// A form that cannot be changed here.
fn text_of(form: Form) -> AnyView {
    let fact = |field: Field| {
        (!field.text.is_empty()).then(|| {
            let name = if field.label.is_empty() {
                field.options.into_iter().next().map(|o| o.1).unwrap_or_default()
            } else {
                field.label
            };
            view! { <Fact name=name>{field.text}{small(field.note)}</Fact> }.into_any()
        })
    };
    let group = |group: Group| {
        view! {
            <section class="panel">
                {heading(group.heading)}
                <dl class="facts">{group.fields.into_iter().filter_map(fact).collect_view()}</dl>
            </section>
        }
        .into_any()
    };
    form.groups.into_iter().map(group).collect_view().into_any()
}

fn heading(text: String) -> Option<AnyView> {
    (!text.is_empty()).then(|| view! { <h2>{text}</h2> }.into_any())
}

fn small(text: String) -> Option<AnyView> {
    (!text.is_empty()).then(|| view! { <small class="muted">" "{text}</small> }.into_any())
}
