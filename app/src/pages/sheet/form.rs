//! The form of a page of Properties: sent by the script where there is one, and told of in place.

use leptos::{ev::SubmitEvent, html, prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use userlock_core::api::{Problem, Tone};

use super::{Anew, heading, small};
use crate::{
    api, browser,
    components::{Notices, checks_of},
    pages::{ProblemView, form_problem},
    present::words,
    sheet::{Again, Field, Form, Group, Kind, Test},
};

/// The form, its test, and what came of both. Without JavaScript the page that follows comes with that.
#[component]
pub fn FormView(
    /// The form.
    form: Form,
    /// What tests what stands in it.
    test: Option<Test>,
    /// What came of it before this page.
    again: Again,
) -> impl IntoView {
    let notices = Notices::of_page();
    let anew = use_context::<Anew>();
    let pressed = NodeRef::<html::Button>::new();
    if let Some(Anew { saved, .. }) = anew.filter(|anew| anew.saved.get_value()) {
        // The button that was pressed went with the form before this one.
        Effect::new(move || {
            if let Some(button) = pressed.get() {
                saved.set_value(false);
                browser::focus_element(&button);
            }
        });
    }
    let navigate = use_navigate();
    let go = StoredValue::new(move |to: String| navigate(&to, NavigateOptions::default()));
    let busy = RwSignal::new(false);
    let testing = RwSignal::new(false);
    let problem = RwSignal::new(again.problem);
    let report = RwSignal::new(again.report);
    let secret = RwSignal::new(None::<String>);
    let etag = RwSignal::new(form.etag);
    // A button that is disabled would lose the focus.
    let is_busy = move || busy.get().then_some("true");
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let address = if browser::is_entered_in(&event, "#test") { TEST.to_owned() } else { browser::sent_to(&event) };
        let form = browser::target(&event);
        busy.set(true);
        testing.set(address == TEST);
        problem.set(None);
        report.set(None);
        // What was told before is not of this.
        notices.clear();
        spawn_local(async move {
            match api::submit_to(&address, event).await {
                Ok(saved) if saved.report.is_some() => report.set(saved.report),
                Ok(saved) => {
                    etag.set(saved.etag);
                    // They were of this change.
                    browser::empty(form, "[name=reason], [type=password]");
                    if saved.secret.is_some() {
                        secret.set(saved.secret);
                    }
                    if saved.to.is_empty() {
                        notices.tell(Tone::Ok, saved.text);
                        if let Some(Anew { turn, saved }) = anew.filter(|_| secret.with_untracked(Option::is_none)) {
                            saved.set_value(true);
                            turn.update(|turn| *turn += 1);
                        }
                    } else if saved.to == WIZARD {
                        browser::leave_for(WIZARD);
                    } else {
                        go.with_value(|go| go(saved.to));
                        // The page after this one begins without notices.
                        set_timeout(move || notices.tell(Tone::Ok, saved.text), std::time::Duration::from_millis(50));
                    }
                }
                // What somebody else has made of it comes with a page of its own, beside what was typed here.
                Err(refused) if refused.0.status == 412 && browser::send_plainly(form) => return,
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
            testing.set(false);
        });
    };
    // A form that does one thing is called by that.
    let heading = form.groups.iter().map(|group| &group.heading).find(|heading| !heading.is_empty());
    let name = heading.filter(|_| form.button == "Save").unwrap_or(&form.button).clone();
    let reason = Field {
        name: "reason".into(),
        label: "Reason".into(),
        help: if form.reason_required { "Required. Kept with what is done." } else { "Kept with the change." }.into(),
        value: again.reason,
        min: u32::from(form.reason_required),
        max: 500,
        ..Field::default()
    };
    let fields = form.groups.iter().flat_map(|group| &group.fields);
    let fields = fields.chain(test.iter().flat_map(|test| &test.fields)).chain([&reason]);
    let names = StoredValue::new(fields.map(|field| field.name.clone()).collect::<Vec<_>>());
    // A problem of a field is told there.
    let rest = move || {
        let rest =
            problem.get().filter(|problem| !names.with_value(|names| names.iter().any(|name| is_of(problem, name))));
        rest.map(|problem| view! { <ProblemView problem/> }.into_any())
    };
    let groups = form.groups.into_iter().map(|group| group_of(group, problem)).collect_view();
    let (button, class) = (form.button, if form.danger { "danger" } else { "primary" });
    let at_work = if form.busy.is_empty() { "Saving\u{2026}".to_owned() } else { form.busy };
    // Enter presses the first button of a form, in whichever field it is typed: that must not be Save where a field is the
    // test's.
    let by_enter = test.as_ref().is_some_and(|test| !test.fields.is_empty()).then(|| {
        view! { <button class="visually-hidden" name="by_enter" value="true" tabindex="-1" aria-hidden="true">"Enter"</button> }
            .into_any()
    });
    let test = test.map(|test| {
        let checks = move || match (report.get(), testing.get()) {
            (Some(report), _) => {
                // Which one failed stands above.
                let told = if report.ok { words::checks_result(&report) } else { "Not all checks passed.".to_owned() };
                Some(checks_of(report, told))
            }
            (None, true) => Some(view! { <p class="muted">"Testing…"</p> }.into_any()),
            (None, false) => None,
        };
        let group = Group { heading: "Test".into(), note: test.note, fields: test.fields };
        view! {
            <section id="test" class="stack form-test">
                {group_of(group, problem)}
                <div class="buttons"><button formaction=test.action aria-disabled=is_busy>{test.button}</button></div>
                <div class="stack" role="status" aria-live="polite">{checks}</div>
            </section>
        }
        .into_any()
    });
    view! {
        <form class="panel stack" method="post" action=form.action aria-label=name on:submit=submit>
            <input r#type="hidden" name="slug" value=form.slug/>
            <input r#type="hidden" name="etag" prop:value=move || etag.get() value=etag.get_untracked()/>
            {by_enter}
            {groups}
            {field_of(reason, "", problem)}
            <div>{rest}</div>
            <div role="status">
                {move || secret.get().map(|secret| view! {
                    <p class="banner ok"><span>"Shown once: "<code class="fingerprint">{secret}</code></span></p>
                }.into_any())}
            </div>
            <div class="buttons">
                <button node_ref=pressed class=class aria-disabled=is_busy>
                    {move || if busy.get() && !testing.get() { at_work.clone() } else { button.clone() }}
                </button>
            </div>
            {test}
        </form>
    }
    .into_any()
}

/// What is served in the dashboard's place once a server has left its zone.
const WIZARD: &str = "/wizard";
/// The server function of all tests.
const TEST: &str = "/fn/test-section";

fn group_of(group: Group, problem: RwSignal<Option<Problem>>) -> AnyView {
    let name = (!group.heading.is_empty()).then(|| group.heading.clone());
    view! {
        <div class="stack" role=name.is_some().then_some("group") aria-label=name>
            {heading(group.heading)}
            {(!group.note.is_empty()).then(|| view! { <p class="muted">{group.note}</p> }.into_any())}
            {group.fields.into_iter().map(|field| field_of(field, "form", problem)).collect_view()}
        </div>
    }
    .into_any()
}

/// Whether a problem is of a field. The server may name it with what it is in before it (`limits.vpn`).
fn is_of(problem: &Problem, name: &str) -> bool {
    let named = problem.field.as_deref().unwrap_or_default();
    named == name || named.split(['.', '[']).next_back() == Some(name)
}

/// One field with its label, and with its problem below it.
fn field_of(field: Field, within: &str, problem: RwSignal<Option<Problem>>) -> AnyView {
    let Field { name, label, help, note, kind, value, text, min, max, options } = field;
    let id = format!("field-{name}");
    let message_id = format!("wrong-{name}");
    let describes = message_id.clone();
    let key = StoredValue::new(name.clone());
    let detail = move || {
        problem.with(|problem| {
            let problem = problem.as_ref()?;
            key.with_value(|key| is_of(problem, key)).then(|| problem.detail.clone())
        })
    };
    let invalid = move || detail().map(|_| "true");
    // On a page that follows a form the first thing to do is here.
    let autofocus = untrack(detail).is_some();
    let message = move || detail().map(|text| view! { <p class="wrong" role="alert">{text}</p> }.into_any());
    let name = if within.is_empty() { name } else { format!("{within}[{name}]") };
    let number = kind == Kind::Number;
    let required = !number && min > 0;
    let input = match kind {
        Kind::Text | Kind::Secret | Kind::Number => {
            let (of, value) = match kind {
                Kind::Secret => ("password", None),
                Kind::Number => ("number", Some(value)),
                _ => ("text", Some(value)),
            };
            let autocomplete = match kind {
                // One that the browser may know.
                Kind::Secret if name == "form[current]" => "current-password",
                Kind::Secret => "new-password",
                _ => "off",
            };
            view! {
                <input
                    r#type=of
                    name=name
                    value=value
                    min=number.then(|| min.to_string())
                    max=number.then(|| max.to_string())
                    maxlength=(!number).then(|| max.to_string())
                    required=required
                    class=if number { "short" } else { "" }
                    autocomplete=autocomplete
                    autofocus=autofocus
                    aria-invalid=invalid
                    aria-describedby=describes
                />
            }
            .into_any()
        }
        Kind::Lines => view! {
            <textarea name=name rows="3" maxlength=max.to_string() autofocus=autofocus aria-invalid=invalid aria-describedby=describes>{value}</textarea>
        }
        .into_any(),
        Kind::Choice => view! {
            <select name=name autofocus=autofocus aria-invalid=invalid aria-describedby=describes>
                {options.into_iter().map(|(option, word)| {
                    let selected = option == value;
                    view! { <option value=option selected=selected>{word}</option> }.into_any()
                }).collect_view()}
            </select>
        }
        .into_any(),
        Kind::Check => {
            let meaning = options.into_iter().next().map(|(_, word)| word).unwrap_or_default();
            // The box is called by what stands before it, and by what it means.
            let called = (!label.is_empty()).then(|| format!("{id}-label {id}-meaning"));
            let describes = format!("{id}-help {describes}");
            view! {
                <label class="check">
                    <input r#type="checkbox" name=name value="true" checked=value == "true" autofocus=autofocus aria-invalid=invalid aria-labelledby=called aria-describedby=describes/>
                    <span id=format!("{id}-meaning")>{meaning}</span>
                </label>
            }
            .into_any()
        }
        Kind::Fact => view! { <span class="given">{text}</span> }.into_any(),
    };
    let told = view! {
        <span><span id=format!("{id}-label")>{label}</span><span id=format!("{id}-help")>{small(help)}{small(note)}</span></span>
    }
    .into_any();
    // A box has a label of its own.
    let row = match kind {
        Kind::Check | Kind::Fact => view! { <div class="row">{told}{input}</div> }.into_any(),
        _ => view! { <label class="row">{told}{input}</label> }.into_any(),
    };
    view! { <div>{row}<div id=message_id class="row-message">{message}</div></div> }.into_any()
}
