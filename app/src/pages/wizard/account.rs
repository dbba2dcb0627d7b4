//! Service account: who a Backup is on its Primary.

use leptos::prelude::*;

use super::{
    Account, Step, Trouble,
    parts::{Input, buttons, heading},
};
use crate::components::{Glyph, Icon};

pub(super) fn view(step: &Account, trouble: Option<&Trouble>) -> AnyView {
    if !step.backup {
        return for_primary();
    }
    let lead = format!(
        "The account that this Backup uses on {}. It must be an administrator there, and stay one; the Primary looks at \
         each exchange.",
        step.primary
    );
    let account = Input {
        name: "account",
        label: "Account",
        value: step.account.clone(),
        kind: "text",
        autocomplete: "username",
        most: 256,
        required: true,
        first: true,
        ..Input::default()
    };
    let hint = if step.has_password {
        "A password was given. Leave it empty to keep it."
    } else {
        "It is used once, to join, and not kept: this server gets a token of its own."
    };
    let password = Input {
        name: "password",
        label: "Password",
        hint: hint.to_owned(),
        kind: "password",
        autocomplete: "current-password",
        most: 1024,
        required: !step.has_password,
        ..Input::default()
    };
    view! {
        {heading("Service account", lead)}
        <form method="post" action=Step::Account.path() class="wizard-form">
            {account.view(trouble)}
            {password.view(trouble)}
            {step.offer_replace.then(|| replace(step.replace))}
            {buttons("Sign in and continue", true)}
        </form>
    }
    .into_any()
}

fn replace(chosen: bool) -> AnyView {
    view! {
        <label class="check">
            <input r#type="checkbox" name="replace" value="yes" checked=chosen/>
            <span>"This server takes the place of that Backup. The token of that one is void then."</span>
        </label>
    }
    .into_any()
}

fn for_primary() -> AnyView {
    let lead = "A Backup uses a service account on its Primary.";
    view! {
        {heading("Service account", lead.to_owned())}
        <div class="banner ok" role="note">
            <Icon glyph=Glyph::Ok/>
            <p>"Nothing is needed here: a Primary uses no account. When you set up its Backup, it will ask for an administrator of this server."</p>
        </div>
        <form method="post" action=Step::Account.path() class="wizard-form">{buttons("Continue", true)}</form>
    }
    .into_any()
}
