//! Properties > General: of the zone; on a Backup it is read, not changed.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use userlock_core::{
    api::{GeneralFields, Problem, Section, Tone},
    settings::{OfflinePolicy, Policy},
};

use super::{FormProblem, WithQuickAccess, form_problem, invalid, loading, shown};
use crate::{
    api::{self, ChangeGeneral, Right},
    components::{Fact, Notices, PageHead, ReadOnlyNote},
    live::Live,
    memo::Memo,
    present::words,
    reading::Reading,
};

/// The page.
#[component]
pub fn GeneralPage() -> impl IntoView {
    let section = Reading::new(|| (), |()| api::ask(api::GetGeneral {}));
    view! {
        <PageHead title="Properties · General"/>
        <WithQuickAccess>
            <ThisServer/>
            <Suspense fallback=loading>
                {move || Suspend::new(async move { shown(section.done().await, |section| view! { <Zone section=section/> }.into_any()) })}
            </Suspense>
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

/// The zone's part: a form where it can be changed, else text with the reason.
#[component]
fn Zone(section: Section<GeneralFields>) -> impl IntoView {
    let live = Live::of_page();
    match section.read_only.clone() {
        Some(reason) => view! {
            <ReadOnlyNote reason=reason path="/properties/general"/>
            <ZoneText fields=section.value/>
        }
        .into_any(),
        None if !live.may_now(Right::Administer) => view! {
            <p class="muted">"Only administrators change these settings."</p>
            <ZoneText fields=section.value/>
        }
        .into_any(),
        None => view! { <ZoneForm section=section/> }.into_any(),
    }
}

#[component]
fn ZoneText(fields: GeneralFields) -> impl IntoView {
    let realms = fields.realms.0.iter().map(|set| set.join(", ")).collect::<Vec<_>>().join("; ");
    view! {
        <section class="panel" aria-labelledby="zone">
            <h2 id="zone">"Protected zone"</h2>
            <dl class="facts">
                <Fact name="Name">{fields.zone_name}</Fact>
                <Fact name="Policy between rules">{words::policy(fields.policy)}</Fact>
                <Fact name="Offline policy of agents">{words::offline(fields.offline_policy)}</Fact>
                <Fact name="Sessions that become disallowed">
                    {if fields.log_off_disallowed { "are to be logged off" } else { "stay" }} <NoEffect/>
                </Fact>
                <Fact name="Time zone">{fields.time_zone} <NoEffect/></Fact>
                <Fact name="Realms that are one">{if realms.is_empty() { "none".to_owned() } else { realms }}</Fact>
            </dl>
        </section>
    }
    .into_any()
}

/// Beside what is kept for a version that will act on it.
#[component]
fn NoEffect() -> impl IntoView {
    view! { <small class="muted">" Kept and shown; nothing acts on it yet."</small> }.into_any()
}

#[component]
fn ZoneForm(section: Section<GeneralFields>) -> impl IntoView {
    let notices = Notices::of_page();
    let etag = RwSignal::new(section.etag);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let fields = section.value;
    let days = match fields.offline_policy {
        OfflinePolicy::AllowSeen(days) => days.to_string(),
        OfflinePolicy::Allow | OfflinePolicy::Deny => "30".to_owned(),
    };
    let offline = match fields.offline_policy {
        OfflinePolicy::Allow => "allow",
        OfflinePolicy::Deny => "deny",
        OfflinePolicy::AllowSeen(_) => "allow_seen",
    };
    let seen = RwSignal::new(offline == "allow_seen");
    let realms = fields.realms.0.iter().map(|set| set.join(", ")).collect::<Vec<_>>().join("\n");
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            match api::submit::<ChangeGeneral>(event).await {
                Ok(section) => {
                    etag.set(section.etag);
                    notices.tell(Tone::Ok, "Saved. The Backup has it within seconds.");
                }
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
        });
    };
    view! {
        <form class="panel stack" method="post" action="/fn/change-general" aria-labelledby="zone" on:submit=submit>
            <h2 id="zone">"Protected zone"</h2>
            <input r#type="hidden" name="etag" prop:value=move || etag.get() value=etag.get_untracked()/>
            <label class="row">
                <span>"Name"</span>
                <input name="form[zone_name]" required maxlength="64" value=fields.zone_name aria-invalid=invalid(problem, "zone_name")/>
            </label>
            <label class="row">
                <span>"Policy between rules"</span>
                <select name="form[policy]" aria-invalid=invalid(problem, "policy")>
                    <option value="most_restrictive" selected=fields.policy == Policy::MostRestrictive>"most restrictive: the lower limit wins"</option>
                    <option value="least_restrictive" selected=fields.policy == Policy::LeastRestrictive>"least restrictive: the higher limit wins"</option>
                </select>
            </label>
            <label class="row">
                <span>"Offline policy of agents"<small class="muted">"When no server answers."</small></span>
                <select name="form[offline_policy]" aria-invalid=invalid(problem, "offline_policy") on:change=move |event| seen.set(event_target_value(&event) == "allow_seen")>
                    <option value="allow" selected=offline == "allow">"allow everybody"</option>
                    <option value="deny" selected=offline == "deny">"deny everybody"</option>
                    <option value="allow_seen" selected=offline == "allow_seen">"allow users seen on the machine"</option>
                </select>
            </label>
            <label class="row" class:with-script-hidden=move || !seen.get()>
                <span>"Seen in the last days"</span>
                <input name="form[offline_days]" r#type="number" min="1" max="365" class="short" value=days aria-invalid=invalid(problem, "offline_days")/>
            </label>
            <div class="row">
                <span>"Sessions that become disallowed"<NoEffect/></span>
                <label class="check">
                    <input r#type="checkbox" name="form[log_off_disallowed]" value="true" checked=fields.log_off_disallowed/>
                    "are logged off when a rule changes"
                </label>
            </div>
            <label class="row">
                <span>"Time zone"<small class="muted">"Its name, such as Europe/Paris."</small><NoEffect/></span>
                <input name="form[time_zone]" required maxlength="64" value=fields.time_zone aria-invalid=invalid(problem, "time_zone")/>
            </label>
            <label class="row">
                <span>"Realms that are one"<small class="muted">"One set a line, with commas: CORP, corp.example"</small></span>
                <textarea name="form[realms]" rows="3" maxlength="20000" aria-invalid=invalid(problem, "realms")>{realms}</textarea>
            </label>
            <label class="row">
                <span>"Reason"<small class="muted">"Kept with the revision."</small></span>
                <input name="form[reason]" maxlength="500" autocomplete="off"/>
            </label>
            <FormProblem problem=problem/>
            <div class="buttons">
                <button class="primary" disabled=move || busy.get()>{move || (if busy.get() { "Saving…" } else { "Save" }).to_owned()}</button>
            </div>
        </form>
    }
    .into_any()
}
