//! A page of Properties: what the server laid out, as a form where it can be changed, else as text with the reason.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};
use userlock_core::api::{Problem, Tone};

use super::{FormProblem, ProblemView, WithQuickAccess, form_problem, loading};
use crate::{
    api,
    components::{Fact, Notices, PageHead, ReadOnlyNote, When},
    live::Live,
    memo::Memo,
    reading::Reading,
    sheet::{Action, Cell, Field, Form, Group, Kind, Row, Sheet, Table},
};

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
    let sheet = Reading::new(
        move || slug.get(),
        move |slug| async move {
            if home == "/protected-accounts" {
                api::ask(api::GetRulesSheet { slug }).await
            } else if home == "/account" {
                api::ask(api::GetAccountSheet {}).await
            } else if slug.starts_with("security") {
                api::ask(api::GetSecuritySheet { slug }).await
            } else {
                api::ask(api::GetSheet { slug }).await
            }
        },
    );
    view! {
        <Suspense fallback=loading>
            {move || Suspend::new(async move {
                match sheet.done().await {
                    Ok(sheet) => view! { <SheetView sheet=sheet general=slug.get_untracked() == "general"/> }.into_any(),
                    Err(refused) if refused.0.status == 404 => view! { <super::NotFound/> }.into_any(),
                    Err(refused) => view! { <PageHead title="Properties"/><ProblemView problem=refused.0/> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn SheetView(sheet: Sheet, general: bool) -> impl IntoView {
    let Sheet { title, count, note, read_only, form, actions, tables } = sheet;
    let no_right = read_only.is_none() && form.as_ref().is_some_and(|form| !form.editable);
    view! {
        <PageHead title=title count=count/>
        <WithQuickAccess>
            {general.then(|| view! { <ThisServer/> }.into_any())}
            {read_only.map(|reason| view! { <ReadOnlyNote reason=reason/> }.into_any())}
            {no_right.then(|| view! { <p class="muted">"Your account may see this, and not change it."</p> }.into_any())}
            {(!note.is_empty()).then(|| view! { <p class="muted">{note}</p> }.into_any())}
            {form.map(|form| if form.editable { view! { <FormView form=form/> }.into_any() } else { text_of(form) })}
            {actions.into_iter().map(|action| view! { <section class="panel stack">{action_of(action, false)}</section> }.into_any()).collect_view()}
            {tables.into_iter().map(table_of).collect_view()}
        </WithQuickAccess>
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

#[component]
fn FormView(form: Form) -> impl IntoView {
    let notices = Notices::of_page();
    let navigate = use_navigate();
    let go = StoredValue::new(move |to: String| navigate(&to, NavigateOptions::default()));
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let secret = RwSignal::new(None::<String>);
    let etag = RwSignal::new(form.etag.clone());
    let action = StoredValue::new(form.action.clone());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            match api::submit_to(&action.get_value(), event).await {
                Ok(saved) => {
                    etag.set(saved.etag);
                    if saved.secret.is_some() {
                        secret.set(saved.secret);
                    }
                    if saved.to.is_empty() {
                        notices.tell(Tone::Ok, saved.text);
                    } else {
                        go.with_value(|go| go(saved.to));
                        // The page after this one begins without notices.
                        set_timeout(move || notices.tell(Tone::Ok, saved.text), std::time::Duration::from_millis(50));
                    }
                }
                Err(refused) => {
                    form_problem(refused, problem);
                }
            }
            busy.set(false);
        });
    };
    let name = form.groups.iter().map(|group| &group.heading).find(|heading| !heading.is_empty());
    let name = name.unwrap_or(&form.button).clone();
    let groups = form.groups.into_iter().map(|group| {
        view! {
            {heading(group.heading)}
            {(!group.note.is_empty()).then(|| view! { <p class="muted">{group.note}</p> }.into_any())}
            {group.fields.into_iter().map(|field| field_of(field, "form", problem)).collect_view()}
        }
        .into_any()
    });
    let groups = groups.collect_view();
    let button = form.button;
    view! {
        <form class="panel stack" method="post" action=form.action aria-label=name on:submit=submit>
            <input r#type="hidden" name="slug" value=form.slug/>
            <input r#type="hidden" name="etag" prop:value=move || etag.get() value=etag.get_untracked()/>
            {groups}
            <label class="row">
                <span>"Reason"<small class="muted">"Kept with the revision."</small></span>
                <input name="reason" maxlength="500" autocomplete="off"/>
            </label>
            <FormProblem problem=problem/>
            <div role="status">
                {move || secret.get().map(|secret| view! {
                    <p class="banner ok"><span>"Shown once: "<code class="fingerprint">{secret}</code></span></p>
                }.into_any())}
            </div>
            <div class="buttons">
                <button class="primary" disabled=move || busy.get()>{move || if busy.get() { "Saving…".to_owned() } else { button.clone() }}</button>
            </div>
        </form>
    }
    .into_any()
}

/// One field with its label, and with its problem below it.
fn field_of(field: Field, within: &str, problem: RwSignal<Option<Problem>>) -> AnyView {
    let Field { name, label, help, note, kind, value, text, min, max, options } = field;
    let key = name.clone();
    let wrong = move || {
        problem.with(|problem| {
            let named = problem.as_ref()?.field.as_deref()?;
            (named.split(['.', '[']).next_back() == Some(&key) || named == key).then_some("true")
        })
    };
    let name = if within.is_empty() { name } else { format!("{within}[{name}]") };
    let (least, most) = (min.to_string(), max.to_string());
    let invalid = wrong.clone();
    let input = match kind {
        Kind::Text => view! { <input name=name maxlength=most value=value autocomplete="off" aria-invalid=invalid/> }.into_any(),
        Kind::Secret => {
            // The present password is one that the browser may know.
            let known = if name == "form[current]" { "current-password" } else { "new-password" };
            view! { <input r#type="password" name=name maxlength=most autocomplete=known aria-invalid=invalid/> }.into_any()
        }
        Kind::Number => {
            view! { <input r#type="number" name=name min=least max=most class="short" value=value aria-invalid=invalid/> }.into_any()
        }
        Kind::Lines => view! { <textarea name=name rows="3" maxlength=most aria-invalid=invalid>{value}</textarea> }.into_any(),
        Kind::Choice => view! {
            <select name=name aria-invalid=invalid>
                {options.into_iter().map(|(option, word)| {
                    let selected = option == value;
                    view! { <option value=option selected=selected>{word}</option> }.into_any()
                }).collect_view()}
            </select>
        }
        .into_any(),
        Kind::Check => {
            let meaning = options.into_iter().next().map(|(_, word)| word).unwrap_or_default();
            return view! {
                <div class="row">
                    <span>{label}{small(help)}{small(note)}</span>
                    <label class="check"><input r#type="checkbox" name=name value="true" checked=value == "true"/>{meaning}</label>
                </div>
            }
            .into_any();
        }
        Kind::Fact => {
            return view! { <div class="row"><span>{label}{small(help)}{small(note)}</span><span>{text}</span></div> }.into_any();
        }
    };
    view! { <label class="row"><span>{label}{small(help)}{small(note)}</span>{input}</label> }.into_any()
}

/// A button that is a form of its own.
fn action_of(action: Action, small_one: bool) -> AnyView {
    let class = match (action.danger, small_one) {
        (true, true) => "danger small",
        (true, false) => "danger",
        (false, true) => "small",
        (false, false) => "",
    };
    let none = RwSignal::new(None);
    view! {
        <form method="post" class=if small_one { "" } else { "stack" } action=action.action>
            {action.hidden.into_iter().map(|(name, value)| view! { <input r#type="hidden" name=name value=value/> }.into_any()).collect_view()}
            {(!action.note.is_empty()).then(|| view! { <p class="muted">{action.note}</p> }.into_any())}
            {action.field.map(|field| field_of(field, "", none))}
            <div class="buttons"><button class=class>{action.button}</button></div>
        </form>
    }
    .into_any()
}

fn table_of(table: Table) -> AnyView {
    let Table { heading: title, note, add, columns, rows, empty, next } = table;
    let acts = rows.iter().any(|row| row.action.is_some());
    let is_empty = rows.is_empty();
    let labels = columns.clone();
    let row = move |row: Row| {
        let Row { href, cells, action } = row;
        let mut cells = cells.into_iter().zip(labels.clone());
        let first = cells.next().map(|(cell, _)| match href {
            Some(href) => view! { <th scope="row"><a href=href>{cell_of(cell)}</a></th> }.into_any(),
            None => view! { <th scope="row">{cell_of(cell)}</th> }.into_any(),
        });
        let rest = cells.map(|(cell, label)| view! { <td data-label=label>{cell_of(cell)}</td> }.into_any());
        view! {
            <tr>
                {first}
                {rest.collect_view()}
                {acts.then(|| view! { <td class="row-action">{action.map(|action| action_of(action, true))}</td> }.into_any())}
            </tr>
        }
        .into_any()
    };
    let head = columns.into_iter().map(|column| view! { <th scope="col">{column}</th> }.into_any()).collect_view();
    let last = acts.then(|| view! { <th scope="col"><span class="visually-hidden">"Action"</span></th> }.into_any());
    view! {
        <section class="panel stack">
            <header class="panel-head">
                <div>{heading(title.clone())}{(!note.is_empty()).then(|| view! { <p class="muted">{note}</p> }.into_any())}</div>
                {add.map(|(href, word)| view! { <a class="button" href=href>{word}</a> }.into_any())}
            </header>
            {if is_empty {
                view! { <p class="muted">{empty}</p> }.into_any()
            } else {
                view! {
                    <div class="table-wrap" tabindex="0" role="region" aria-label=title.clone()>
                        <table class="sheet">
                            <caption class="visually-hidden">{title.clone()}</caption>
                            <thead><tr>{head}{last}</tr></thead>
                            <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                        </table>
                    </div>
                }.into_any()
            }}
            {next.map(|(href, word)| view! { <nav class="pages"><a class="button" rel="next" href=href>{word}</a></nav> }.into_any())}
        </section>
    }
    .into_any()
}

fn cell_of(cell: Cell) -> AnyView {
    match cell.at {
        Some(at) => view! { <When at=Some(at)/> }.into_any(),
        None => view! { {cell.text} }.into_any(),
    }
}
