//! Server type: Primary or Backup, and for a Backup the Primary's address.

use leptos::prelude::*;
use userlock_core::api::ServerRole;

use super::{
    ServerType, Step, Trouble,
    parts::{Input, buttons, fingerprint, heading, wrong_view},
};
use crate::components::{Glyph, Icon};

pub(super) fn view(step: &ServerType, trouble: Option<&Trouble>) -> AnyView {
    let lead = "A zone has one Primary and at most one Backup. The Primary is set up first.";
    let primary = Input {
        name: "primary",
        label: "Address of the Primary server",
        hint: "Such as https://primary.example:8443. It is checked at once.".to_owned(),
        value: step.primary.clone(),
        kind: "text",
        autocomplete: "url",
        most: 512,
        first: step.role == Some(ServerRole::Backup),
        ..Input::default()
    };
    // A certificate that nobody has compared yet is a question rather than a mistake: the box asks it.
    let asked = trouble.filter(|trouble| trouble.code == "certificate_unknown");
    let primary_wrong = trouble.filter(|_| asked.is_none());
    let role_wrong = trouble.filter(|trouble| trouble.field == Some("role"));
    view! {
        {heading("What is this server for?", lead.to_owned())}
        <form method="post" action=Step::ServerType.path() class="wizard-form">
            <fieldset
                class="choices"
                role="radiogroup"
                aria-invalid=role_wrong.map(|_| "true")
                aria-describedby=role_wrong.map(|_| "role-wrong")
            >
                <legend class="visually-hidden">"Server type"</legend>
                {choice(
                    step.role,
                    ServerRole::Primary,
                    "primary",
                    "Primary server",
                    "It holds the settings of the zone, and agents prefer it. Begin here.",
                )}
                {choice(
                    step.role,
                    ServerRole::Backup,
                    "backup",
                    "Backup server",
                    "It synchronizes from a Primary that runs, and carries on when that dies.",
                )}
            </fieldset>
            {role_wrong.map(|trouble| wrong_view(trouble, "role-wrong".to_owned()))}
            <div class="only-backup">
                {primary.view(primary_wrong)}
                {step.confirm.as_deref().map(|digits| confirm(digits, asked))}
                {step.confirm.is_none().then(|| step.confirmed.as_deref().map(confirmed))}
                {step.forget.as_deref().map(forget)}
            </div>
            {buttons("Continue", true)}
        </form>
    }
    .into_any()
}

fn choice(
    chosen: Option<ServerRole>,
    role: ServerRole,
    value: &'static str,
    name: &'static str,
    text: &'static str,
) -> AnyView {
    let checked = chosen == Some(role);
    let glyph = if role == ServerRole::Primary { Glyph::Server } else { Glyph::Both };
    view! {
        <label class="choice">
            <input r#type="radio" name="role" value=value id=format!("role-{value}") checked=checked required/>
            <Icon glyph=glyph/>
            <span>
                <strong>{name}</strong>
                <span class="muted">{text}</span>
            </span>
        </label>
    }
    .into_any()
}

/// A certificate that somebody must compare.
fn confirm(digits: &str, asked: Option<&Trouble>) -> AnyView {
    let code = asked.map(|trouble| trouble.code.clone());
    view! {
        <div class="banner warn confirm" role=asked.map(|_| "alert") data-code=code>
            <Icon glyph=Glyph::Attention/>
            <div>
                <p>"Nobody has confirmed the certificate of this address yet. The server there shows this one (SHA-256):"</p>
                {fingerprint(digits)}
                <p class="plain-text">
                    "Compare it with the one that the set-up of the Primary told. If they differ, somebody else answers: do not go on."
                </p>
                <label class="check">
                    <input r#type="checkbox" name="trust" value=digits.to_owned()/>
                    <span>"They are the same. This is the Primary."</span>
                </label>
            </div>
        </div>
    }
    .into_any()
}

fn confirmed(digits: &str) -> AnyView {
    view! {
        <div class="field">
            <p class="hint">"Certificate that was confirmed (SHA-256):"</p>
            {fingerprint(digits)}
        </div>
    }
    .into_any()
}

/// What an unfinished set-up left is in the way.
fn forget(zone: &str) -> AnyView {
    view! {
        <label class="check">
            <input r#type="checkbox" name="forget" value="yes"/>
            <span>{format!("Forget the unfinished set-up in the zone {zone}")}</span>
        </label>
    }
    .into_any()
}
