//! What can be done with sessions: the menu of a row, the dialog that asks why, the details.

use leptos::{ev, html, prelude::*, task::spawn_local};
use userlock_core::api::{Problem, SessionAction, SessionState, SessionView, Tone};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};

use super::{table::TableState, wanted::Wanted};
use crate::{
    api,
    browser::{self, Step},
    components::{Badge, Dialog, Fact, If, Notices, When, problem_text, state_tone},
    live::Live,
    memo::Memo,
    pages::form_problem,
    present::{
        number::{counted, grouped},
        time, words,
    },
};

/// The most sessions that the dialog names.
const MAX_NAMED: usize = 8;

/// A menu that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct MenuAsked {
    /// The row's key.
    pub key: String,
    /// The place in the window, in px.
    pub x: f64,
    /// The same.
    pub y: f64,
}

/// What is about to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Acting {
    /// What.
    pub action: SessionAction,
    /// With which.
    pub sessions: Vec<SessionView>,
}

/// The menu of the row that it was asked for: for all selected rows when that is one of them.
#[component]
pub fn SessionMenu(state: TableState, may: Memo<bool>) -> impl IntoView {
    let body = NodeRef::<html::Div>::new();
    let before = browser::Held::<web_sys::Element>::new(None);
    Effect::new(move |was_open: Option<bool>| {
        let Some(body) = body.get() else { return false };
        match state.menu.get() {
            Some(asked) => {
                if was_open != Some(true) {
                    browser::hold_focus(before);
                }
                let body: &HtmlElement = &body;
                browser::place(body, asked.x, asked.y);
                browser::move_focus(body, "[role=menuitem]", Step::First);
                true
            }
            None => {
                let inside =
                    document().active_element().is_none_or(|a| body.contains(Some(&a)) || a.tag_name() == "BODY");
                if was_open == Some(true) && inside {
                    browser::give_focus_back(before);
                }
                false
            }
        }
    });
    let outside = window_event_listener(ev::pointerdown, move |event| {
        let node = event.target().and_then(|t| t.dyn_into::<web_sys::Node>().ok());
        let inside = body.get_untracked().is_some_and(|body| body.contains(node.as_ref()));
        if !inside && state.menu.get_untracked().is_some() {
            state.menu.set(None);
        }
    });
    on_cleanup(move || outside.remove());
    let on_key = move |event: KeyboardEvent| {
        let Some(body) = body.get_untracked() else { return };
        if let Some(step) = Step::of_key(&event.key()) {
            event.prevent_default();
            browser::move_focus(&body, "[role=menuitem]", step);
        } else if event.key() == "Escape" || event.key() == "Tab" {
            event.stop_propagation();
            event.prevent_default();
            state.menu.set(None);
        }
    };
    let sessions = Memo::new(move || {
        let Some(asked) = state.menu.get() else { return Vec::new() };
        if state.list.selected.with(|s| s.contains(&asked.key)) {
            state.list.selected_sessions()
        } else {
            state.list.session(&asked.key).into_iter().collect()
        }
    });
    let one = Memo::new(move || state.menu.get().and_then(|asked| state.list.session(&asked.key)));
    let act = move |action| move |_| state.acting.set(Some(Acting { action, sessions: sessions.get_untracked() }));
    let many = move || {
        if sessions.with(|s| s.len() > 1) { format!(" {} sessions", sessions.with(Vec::len)) } else { String::new() }
    };
    let only = move |wanted: fn(&SessionView) -> Wanted| move || one.get().map(|s| wanted(&s).address());
    view! {
        <div
            node_ref=body
            class="menu-body floating"
            class:open=move || state.menu.get().is_some()
            role="menu"
            aria-label="Actions on the session"
            on:keydown=on_key
            on:click=move |_| state.menu.set(None)
        >
            <If when=move || state.menu.get().is_some()>
                <button
                    r#type="button"
                    role="menuitem"
                    on:click=move |_| state.details.set(state.menu.get_untracked().map(|asked| asked.key))
                >
                    "Details"<kbd>"Enter"</kbd>
                </button>
                <If when=may>
                    <hr/>
                    <button r#type="button" role="menuitem" on:click=act(SessionAction::Logoff)>{move || format!("Log off{}…", many())}</button>
                    <button r#type="button" role="menuitem" on:click=act(SessionAction::Reset)>{move || format!("Reset{}…", many())}</button>
                </If>
                <hr/>
                <a role="menuitem" href=only(|s| Wanted { user: s.user.clone(), from: 1, ..Wanted::default() })>
                    {move || one.get().map(|s| format!("Only {}", s.user))}
                </a>
                <a role="menuitem" href=only(|s| Wanted { machine: s.machine.clone(), from: 1, ..Wanted::default() })>
                    {move || one.get().map(|s| format!("Only on {}", s.machine))}
                </a>
            </If>
        </div>
    }
    .into_any()
}

fn verb(action: SessionAction) -> &'static str {
    match action {
        SessionAction::Logoff => "Log off",
        SessionAction::Reset => "Reset",
        SessionAction::Lock => "Lock",
        SessionAction::Message => "Send message",
    }
}

fn meaning(action: SessionAction) -> &'static str {
    match action {
        SessionAction::Logoff => {
            "The agent on the machine ends the session, and work that is not saved there is lost. \
             An agent that cannot be reached within 60 seconds does nothing."
        }
        SessionAction::Reset => {
            "UserLock forgets the session: for a machine that is dead. It ends nothing on the machine; \
             if the machine reports the session again, it comes back."
        }
        SessionAction::Lock => "The agent on the machine locks the screen.",
        SessionAction::Message => "The agent on the machine shows the message.",
    }
}

/// Asks why, then does it and says what became of it.
#[component]
pub fn ActionDialog(state: TableState) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(state.acting.with(Option::is_some)));
    on_closed(open, state, move || state.acting.set(None));
    let title = Signal::derive(move || state.acting.with(|acting| acting.as_ref().map(heading).unwrap_or_default()));
    view! {
        <Dialog open=open title=title>
            {move || state.acting.get().map(|acting| view! { <ActionForm acting=acting state=state/> }.into_any())}
        </Dialog>
    }
    .into_any()
}

/// Does something when a dialog has closed. What opened it may have been an entry of a menu, which is gone: then the row
/// gets the focus.
fn on_closed(open: RwSignal<bool>, state: TableState, then: impl Fn() + 'static) {
    Effect::new(move |was_open: Option<bool>| {
        let is_open = open.get();
        if was_open == Some(true) && !is_open {
            then();
            request_animation_frame(move || state.list.focus_row());
        }
        is_open
    });
}

fn heading(acting: &Acting) -> String {
    format!("{} {}", verb(acting.action), counted(acting.sessions.len() as u64, "session", "sessions"))
}

#[component]
fn ActionForm(acting: Acting, state: TableState) -> impl IntoView {
    let notices = Notices::of_page();
    let reason = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Problem>);
    let named: Vec<_> = acting
        .sessions
        .iter()
        .take(MAX_NAMED)
        .map(|s| {
            let kind = s.session_type.map(|t| format!(", {}", t.as_str())).unwrap_or_default();
            view! { <li><strong>{s.user.clone()}</strong>{format!(" on {}{kind}", s.machine)}</li> }.into_any()
        })
        .collect();
    let more = acting.sessions.len().saturating_sub(MAX_NAMED) as u64;
    let more = (more > 0).then(|| view! { <li class="muted">{format!("and {} more", grouped(more))}</li> }.into_any());
    let button = heading(&acting);
    let action = acting.action;
    let keys: Vec<_> = acting.sessions.iter().map(|s| s.key.to_string()).collect();
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let keys = keys.clone();
        spawn_local(async move {
            match api::ask(api::ActOnSessions { keys, action, reason: reason.get_untracked() }).await {
                Ok(outcomes) => {
                    let tone = if outcomes.iter().all(|o| o.done.is_some()) { Tone::Ok } else { Tone::Attention };
                    notices.tell(tone, words::action_result(action, &outcomes));
                    state.list.select_all(false);
                    state.acting.set(None);
                }
                Err(refused) => form_problem(refused, problem),
            }
            busy.set(false);
        });
    };
    view! {
        <form class="stack" on:submit=submit>
            <p>{meaning(action)}</p>
            <ul class="named">{named}{more}</ul>
            <label>
                <span>"Reason"</span>
                <input
                    name="reason"
                    required
                    maxlength="500"
                    autocomplete="off"
                    autofocus
                    prop:value=move || reason.get()
                    on:input=move |event| reason.set(event_target_value(&event))
                />
                <small class="muted">"It is kept with what is done."</small>
            </label>
            <div role="alert">{move || problem.get().map(|p| view! { <p class="job-text bad">{problem_text(&p)}</p> }.into_any())}</div>
            <div class="buttons">
                <button class="danger-fill" disabled=move || busy.get()>
                    {move || if busy.get() { "Working…".to_owned() } else { button.clone() }}
                </button>
                <button r#type="button" on:click=move |_| state.acting.set(None)>"Cancel"</button>
            </div>
        </form>
    }
    .into_any()
}

/// All that is known of a session.
#[component]
pub fn DetailsDialog(state: TableState) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(state.details.with(Option::is_some)));
    on_closed(open, state, move || state.details.set(None));
    let session = Memo::new(move || {
        let key = state.details.get()?;
        state.list.rows.with(|rows| rows.iter().find(|r| r.key == key).map(|r| r.session.get()))
    });
    let title = Signal::derive(move || {
        session.with(|s| s.as_ref().map(|s| format!("{} on {}", s.user, s.machine)).unwrap_or_default())
    });
    view! {
        <Dialog open=open title=title>
            {move || match session.get() {
                Some(session) => view! { <Details session=session/> }.into_any(),
                None => view! { <p class="muted">"This session is not in the list any more."</p> }.into_any(),
            }}
        </Dialog>
    }
    .into_any()
}

#[component]
fn Details(session: SessionView) -> impl IntoView {
    let live = Live::of_page();
    let text = |value: Option<String>| value.unwrap_or_else(|| "\u{2014}".to_owned());
    let confirmed = match (session.unconfirmed, session.silent_since) {
        (false, _) => "yes".to_owned(),
        (true, Some(since)) => {
            format!("no: the machine is silent for {}", time::coarse(live.now.get_untracked() - since))
        }
        (true, None) => "no: the machine is silent".to_owned(),
    };
    let ended = (session.state == SessionState::Closed).then(|| {
        let by = text(session.closed_by.clone());
        view! { <Fact name="Ended"><When at=session.closed_at seconds=true/>{format!(" by {by}")}</Fact> }.into_any()
    });
    view! {
        <dl class="facts">
            <Fact name="User">{session.user.clone()}</Fact>
            <Fact name="Name">{text(session.display_name.clone())}</Fact>
            <Fact name="Type">{text(session.session_type.map(|t| t.as_str().to_owned()))}</Fact>
            <Fact name="State"><Badge tone=state_tone(session.state) text=session.state.as_str()/></Fact>
            <Fact name="Machine">{session.machine.clone()}</Fact>
            <Fact name="Client">{text(session.client_name.clone())}</Fact>
            <Fact name="Address">{text(session.client_address.clone())}</Fact>
            <Fact name="Logon"><When at=session.since seconds=true/></Fact>
            <Fact name="Last activity"><When at=session.last_activity seconds=true/></Fact>
            {ended}
            <Fact name="Confirmed">{confirmed}</Fact>
            <Fact name="Key"><code>{session.key.to_string()}</code></Fact>
        </dl>
    }
    .into_any()
}
