//! Protected accounts: who may have how many sessions.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use leptos_router::hooks::{use_navigate, use_params_map};
use userlock_core::{
    api::{Page, Problem, ProtectedAccountView, Section, Tone},
    settings::{Limits, Subject, SubjectKind},
};

use super::{FormProblem, WithQuickAccess, form_problem, invalid, loading, query_value, shown};
use crate::{
    api::{self, Area, Right, RuleId, SaveProtectedAccount},
    components::{Dialog, Glyph, Icon, Notices, PageHead, ReadOnlyNote, problem_text},
    live::Live,
    memo::Memo,
    present::{number::grouped, query},
    reading::Reading,
};

/// The limits, by field and word.
const LIMITS: [(&str, &str); 6] = [
    ("total", "In total"),
    ("workstation", "Workstation"),
    ("terminal", "Terminal"),
    ("vpn", "VPN"),
    ("wifi", "Wi-Fi"),
    ("web", "Web"),
];

fn limit_of(limits: &Limits, field: &str) -> Option<u32> {
    limits.each().find(|(name, _)| *name == field).and_then(|(_, limit)| limit)
}

fn subject_text(subject: &Subject) -> String {
    if subject.kind == SubjectKind::Everybody { "Everybody".into() } else { subject.name.clone() }
}

fn kind_text(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Everybody => "each account for itself",
        SubjectKind::User => "user",
        SubjectKind::Group => "group",
        SubjectKind::Ou => "organizational unit",
    }
}

fn may_change(live: Live) -> bool {
    live.may_now(Right::Write(Area::ProtectedAccounts))
}

/// The list.
#[component]
pub fn RulesPage() -> impl IntoView {
    let live = Live::of_page();
    let cursor = query_value("cursor");
    let rules = Reading::new(
        move || cursor.get(),
        |cursor| api::ask(api::GetProtectedAccounts { cursor: (!cursor.is_empty()).then_some(cursor) }),
    );
    let count = Memo::new(move || grouped(live.read(|o| o.figures.protected_accounts)));
    view! {
        <PageHead title="Protected accounts" count=count/>
        <WithQuickAccess>
            <Suspense fallback=loading>
                {move || Suspend::new(async move { shown(rules.done().await, |section| view! { <Rules section=section/> }.into_any()) })}
            </Suspense>
        </WithQuickAccess>
    }
    .into_any()
}

#[component]
fn Rules(section: Section<Page<ProtectedAccountView>>) -> impl IntoView {
    let live = Live::of_page();
    let editable = section.read_only.is_none() && may_change(live);
    let note = section.read_only.map(|reason| view! { <ReadOnlyNote reason=reason/> }.into_any());
    let empty = section.value.items.is_empty();
    let next = section.value.next.map(|cursor| {
        view! { <nav class="pages"><a class="button" rel="next" href=query::address("/protected-accounts", &[("cursor", &cursor)])>"Next page"</a></nav> }.into_any()
    });
    let rows: Vec<_> = section.value.items.into_iter().map(|rule| {
        let account = rule.account;
        let name = subject_text(&account.subject);
        let href = format!("/protected-accounts/{}", account.id);
        let cells = LIMITS.map(|(field, word)| match limit_of(&account.limits, field) {
            None => view! { <td class="number muted" data-label=word>"\u{2014}"<span class="visually-hidden">" not configured"</span></td> }.into_any(),
            Some(0) => view! { <td class="number" data-label=word><span class="badge bad">"none"</span></td> }.into_any(),
            Some(n) => view! { <td class="number" data-label=word>{grouped(n.into())}</td> }.into_any(),
        });
        view! {
            <tr>
                <th scope="row">{if editable { view! { <a href=href>{name}</a> }.into_any() } else { view! { {name} }.into_any() }}</th>
                <td class="muted" data-label="Subject">{kind_text(account.subject.kind)}</td>
                {cells.into_iter().collect_view()}
            </tr>
        }.into_any()
    }).collect();
    view! {
        {note}
        <section class="panel stack" aria-labelledby="rules">
            <header class="panel-head">
                <div>
                    <h2 id="rules">"Limits of simultaneous sessions"</h2>
                    <p class="muted">"A user's own rule comes before a group's, and that before everybody's. —: not configured, so no limit by this rule. none (0): no such session at all."</p>
                </div>
                {editable.then(|| view! { <a class="button primary" href="/protected-accounts/new"><Icon glyph=Glyph::Plus/>"New rule"</a> }.into_any())}
            </header>
            {if empty {
                view! {
                    <div class="empty">
                        <h2>"No rules yet"</h2>
                        <p>"Without a rule every user may have any number of sessions. The first rule is often one for everybody: two workstations, one VPN."</p>
                    </div>
                }.into_any()
            } else {
                view! {
                    <div class="table-wrap">
                        <table class="rules">
                            <caption class="visually-hidden">"Rules with their limits"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Account"</th>
                                    <th scope="col">"Subject"</th>
                                    {LIMITS.map(|(_, word)| view! { <th scope="col" class="number">{word}</th> }.into_any()).collect_view()}
                                </tr>
                            </thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </div>
                }.into_any()
            }}
            {next}
        </section>
    }
    .into_any()
}

/// A new rule.
#[component]
pub fn NewRulePage() -> impl IntoView {
    let live = Live::of_page();
    let rules = Reading::new(|| (), |()| api::ask(api::GetProtectedAccounts { cursor: None }));
    view! {
        <PageHead title="New rule"/>
        <WithQuickAccess>
            <Suspense fallback=loading>
                {move || Suspend::new(async move {
                    shown(rules.done().await, |section| match section.read_only {
                        Some(reason) => view! { <ReadOnlyNote reason=reason/> }.into_any(),
                        None if may_change(live) => view! { <RuleForm rule=None/> }.into_any(),
                        None => view! { <p class="muted">"Only administrators make rules."</p> }.into_any(),
                    })
                })}
            </Suspense>
        </WithQuickAccess>
    }
    .into_any()
}

/// One rule.
#[component]
pub fn EditRulePage() -> impl IntoView {
    let live = Live::of_page();
    let params = use_params_map();
    let id = Memo::new(move || params.with(|p| p.get("id")).unwrap_or_default());
    let rule = Reading::new(
        move || id.get(),
        |id| async move {
            match id.parse::<RuleId>() {
                Ok(id) => api::ask(api::GetProtectedAccount { id }).await.map(Some),
                Err(_) => Ok(None),
            }
        },
    );
    view! {
        <PageHead title="Protected account"/>
        <WithQuickAccess>
            <Suspense fallback=loading>
                {move || Suspend::new(async move {
                    shown(rule.done().await, |section| match section {
                        None => view! { <super::NotFound/> }.into_any(),
                        Some(Section { read_only: Some(reason), value, .. }) => view! {
                            <ReadOnlyNote reason=reason/>
                            <RuleText rule=value/>
                        }.into_any(),
                        Some(Section { value, .. }) if may_change(live) => view! { <RuleForm rule=Some(value)/> }.into_any(),
                        Some(Section { value, .. }) => view! { <RuleText rule=value/> }.into_any(),
                    })
                })}
            </Suspense>
        </WithQuickAccess>
    }
    .into_any()
}

#[component]
fn RuleText(rule: ProtectedAccountView) -> impl IntoView {
    view! {
        <section class="panel">
            <h2>{subject_text(&rule.account.subject)}</h2>
            <p>{crate::present::words::limits(&rule.account.limits)}</p>
        </section>
    }
    .into_any()
}

#[component]
fn RuleForm(rule: Option<ProtectedAccountView>) -> impl IntoView {
    let notices = Notices::of_page();
    let navigate = StoredValue::new(use_navigate());
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let account = rule.as_ref().map(|r| r.account.clone());
    let id = account.as_ref().map(|a| a.id.to_string()).unwrap_or_default();
    let etag = rule.as_ref().map(|r| r.etag.clone()).unwrap_or_default();
    let kind = account.as_ref().map_or(SubjectKind::User, |a| a.subject.kind);
    let name = account.as_ref().map(|a| a.subject.name.clone()).unwrap_or_default();
    let everybody = RwSignal::new(kind == SubjectKind::Everybody);
    let limits = account.as_ref().map(|a| a.limits.clone()).unwrap_or_default();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            match api::submit::<SaveProtectedAccount>(event).await {
                Ok(view) => {
                    navigate.with_value(|go| go("/protected-accounts", leptos_router::NavigateOptions::default()));
                    tell_later(
                        notices,
                        format!("The rule for {} is saved. It holds from the next logon.", view.account.subject),
                    );
                }
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
        });
    };
    let option = move |value: &'static str, word: &'static str, of: SubjectKind| {
        view! { <option value=value selected=kind == of>{word}</option> }.into_any()
    };
    view! {
        <form class="panel stack" method="post" action="/fn/save-protected-account" on:submit=submit>
            <input r#type="hidden" name="form[id]" value=id/>
            <input r#type="hidden" name="form[etag]" value=etag/>
            <h2>"Whom it is about"</h2>
            <label class="row">
                <span>"Subject"</span>
                <select name="form[kind]" aria-invalid=invalid(problem, "kind") on:change=move |event| everybody.set(event_target_value(&event) == "everybody")>
                    {option("user", "a user", SubjectKind::User)}
                    {option("group", "each member of a group", SubjectKind::Group)}
                    {option("everybody", "everybody, each account for itself", SubjectKind::Everybody)}
                </select>
            </label>
            <label class="row" class:with-script-hidden=move || everybody.get()>
                <span>"Name"<small class="muted">"As it is typed at logon; CORP\\alice and alice@corp are one where the zone maps them."</small></span>
                <input name="form[name]" maxlength="256" autocapitalize="none" spellcheck="false" value=name aria-invalid=invalid(problem, "name")/>
            </label>
            <h2>"Simultaneous sessions"</h2>
            <p class="muted">"Empty: not configured. 0: none at all."</p>
            <div class="limits">
                {LIMITS.map(|(field, word)| {
                    let value = limit_of(&limits, field).map(|n| n.to_string()).unwrap_or_default();
                    view! {
                        <label>
                            <span>{word}</span>
                            <input name=format!("form[{field}]") r#type="number" min="0" max="100000" placeholder="\u{2014}" value=value aria-invalid=invalid(problem, field)/>
                        </label>
                    }.into_any()
                }).collect_view()}
            </div>
            <label class="row">
                <span>"Reason"<small class="muted">"Kept with the revision."</small></span>
                <input name="form[reason]" maxlength="500" autocomplete="off"/>
            </label>
            <FormProblem problem=problem/>
            <div class="buttons">
                <button class="primary" disabled=move || busy.get()>{move || (if busy.get() { "Saving…" } else { "Save rule" }).to_owned()}</button>
                <a class="button" href="/protected-accounts">"Cancel"</a>
            </div>
        </form>
        {rule.map(|rule| view! { <DeleteRule rule=rule/> }.into_any())}
    }
    .into_any()
}

/// The page after this one begins without notices; what was done here is told there.
fn tell_later(notices: Notices, text: String) {
    set_timeout(move || notices.tell(Tone::Ok, text), std::time::Duration::from_millis(50));
}

#[component]
fn DeleteRule(rule: ProtectedAccountView) -> impl IntoView {
    let notices = Notices::of_page();
    let navigate = StoredValue::new(use_navigate());
    let open = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let reason = RwSignal::new(String::new());
    let id = rule.account.id;
    let etag = StoredValue::new(rule.etag.clone());
    let subject = subject_text(&rule.account.subject);
    let delete = move |event: SubmitEvent| {
        event.prevent_default();
        busy.set(true);
        problem.set(None);
        let delete = api::DeleteProtectedAccount { id, etag: etag.get_value(), reason: reason.get_untracked() };
        spawn_local(async move {
            match api::ask(delete).await {
                Ok(()) => {
                    open.set(false);
                    navigate.with_value(|go| go("/protected-accounts", leptos_router::NavigateOptions::default()));
                    tell_later(notices, "The rule is deleted. It holds no longer from the next logon.".into());
                }
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
        });
    };
    let title = format!("Delete the rule for {subject}");
    view! {
        <form class="panel stack" method="post" action="/fn/delete-protected-account" on:submit=move |event| {
            event.prevent_default();
            open.set(true);
        }>
            <h2>"Delete this rule"</h2>
            <p class="muted">"Sessions that are open stay open; the next logon is decided by the rules that remain."</p>
            <input r#type="hidden" name="id" value=id.to_string()/>
            <input r#type="hidden" name="etag" value=etag.get_value()/>
            <div class="buttons"><button class="danger"><Icon glyph=Glyph::Delete/>"Delete rule…"</button></div>
        </form>
        <Dialog open=open title=title>
            <form class="stack" on:submit=delete>
                <p>"The next logon is decided by the rules that remain."</p>
                <label>
                    <span>"Reason"</span>
                    <input maxlength="500" autocomplete="off" autofocus on:input=move |event| reason.set(event_target_value(&event))/>
                </label>
                <div role="alert">{move || problem.get().map(|p| view! { <p class="job-text bad">{problem_text(&p)}</p> }.into_any())}</div>
                <div class="buttons">
                    <button class="danger-fill" disabled=move || busy.get()>"Delete rule"</button>
                    <button r#type="button" on:click=move |_| open.set(false)>"Cancel"</button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
