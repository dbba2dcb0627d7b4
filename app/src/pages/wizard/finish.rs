//! Finish: the summary, the work, and what it told.

use leptos::prelude::*;

use super::{
    Finish, Progress, Step, Task, TaskState, Told,
    parts::{fingerprint, heading, warnings},
};
use crate::components::{Glyph, Icon};

/// Where the server goes on.
pub const START: &str = "/wizard/start";

pub(super) fn view(step: &Finish, notes: &[String]) -> AnyView {
    match &step.progress {
        Progress::Ready => summary(step, notes, "Is this right?", "Nothing has been made yet."),
        Progress::Failed => {
            summary(step, notes, "Not finished", "What was done stays: trying again goes on from where it failed.")
        }
        Progress::Working => working(step),
        Progress::Done(told) => done(step, told),
    }
}

fn summary(step: &Finish, notes: &[String], title: &'static str, lead: &'static str) -> AnyView {
    let fact = |(name, value, at): &(&'static str, String, Step)| {
        view! {
            <div class="fact">
                <dt>{*name}</dt>
                <dd>
                    <span>{value.clone()}</span>
                    <a href=at.path()>"Change"<span class="visually-hidden">{format!(" {}", name.to_lowercase())}</span></a>
                </dd>
            </div>
        }
    };
    let failed = step.progress == Progress::Failed;
    view! {
        {heading(title, lead.to_owned())}
        {warnings(notes)}
        <dl class="facts summary">{step.summary.iter().map(fact).collect_view()}</dl>
        {failed.then(|| tasks(&step.tasks))}
        <form method="post" action=Step::Finish.path() class="wizard-form">
            <div class="buttons wizard-buttons">
                <button class="primary" name="go" value="on" autofocus>{if failed { "Try again" } else { step.verb }}</button>
                <button name="go" value="back">"Back"</button>
            </div>
        </form>
    }
    .into_any()
}

fn working(step: &Finish) -> AnyView {
    view! {
        {heading("Setting up", "This page shows how far it is. You can leave it: the work goes on.".to_owned())}
        <div role="status">{tasks(&step.tasks)}</div>
    }
    .into_any()
}

fn tasks(tasks: &[Task]) -> AnyView {
    let task = |task: &Task| {
        let (class, glyph, word) = match task.state {
            TaskState::Waiting => ("neutral", Glyph::Neutral, "to come"),
            TaskState::Working => ("working", Glyph::Sync, "at work"),
            TaskState::Done => ("ok", Glyph::Ok, "done"),
            TaskState::Failed => ("bad", Glyph::Down, "failed"),
        };
        let detail = if task.detail.is_empty() { word.to_owned() } else { task.detail.clone() };
        view! {
            <li class=class data-state=word>
                <Icon glyph=glyph/>
                <div>
                    <strong>{task.name}</strong>
                    <span class="muted">{detail}</span>
                </div>
            </li>
        }
    };
    view! { <ul class="checks tasks">{tasks.iter().map(task).collect_view()}</ul> }.into_any()
}

fn done(step: &Finish, told: &Told) -> AnyView {
    let certificate = (!told.fingerprint.is_empty()).then(|| {
        view! {
            <div class="fact">
                <dt>"Certificate (SHA-256)"</dt>
                <dd>{fingerprint(&told.fingerprint)}</dd>
            </div>
        }
    });
    let primary = told.enrolment.is_some();
    let lead = if primary {
        "The Primary is set up. Note what is below: the enrolment string is shown once. The server starts when you press the button, or by itself after ten minutes."
    } else {
        "The Backup is set up, and holds what the Primary holds. It starts now and leads you to its sign-in page; the accounts are those of the Primary."
    };
    let enrolment = told.enrolment.clone().map(|text| {
        view! {
            <div class="field">
                <p class="told-label">"Enrolment string for machines"</p>
                <code class="command wrap">{text}</code>
                <p class="hint">
                    "Put it into a file on each machine: userlock-agent enrol --string-file FILE. Whoever has it can enrol machines; a new one can be made at any time (userlock enrolment)."
                </p>
            </div>
            <p class="hint">"For its Backup you need the address and the fingerprint of the certificate above."</p>
        }
    });
    view! {
        {heading("Set up", lead.to_owned())}
        {tasks(&step.tasks)}
        <dl class="facts">
            <div class="fact">
                <dt>"Address"</dt>
                <dd>{told.url.clone()}</dd>
            </div>
            {certificate}
        </dl>
        {enrolment}
        <form method="post" action=START class="wizard-form">
            <div class="buttons wizard-buttons">
                <button class="primary" autofocus>"Start the server and sign in"</button>
            </div>
        </form>
    }
    .into_any()
}
