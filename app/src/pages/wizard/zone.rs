//! Protected zone: its name, this server in it, and the first administrator.

use leptos::prelude::*;

use super::{
    Step, Trouble, Zone,
    parts::{Input, buttons, heading, warnings},
};

pub(super) fn view(step: &Zone, notes: &[String], trouble: Option<&Trouble>) -> AnyView {
    let lead = if step.backup {
        format!("{} is the Primary of this zone. Settings and accounts come from it.", step.primary)
    } else {
        "The machines and accounts that the pair watches.".to_owned()
    };
    view! {
        {heading("Protected zone", lead)}
        {warnings(notes)}
        <form method="post" action=Step::Zone.path() class="wizard-form">
            {if step.backup { told("Protected zone", &step.zone, "As the Primary tells.") } else { zone(step).view(trouble) }}
            {if step.name_given {
                told("Name of this server", &step.name, "From the configuration of this server.")
            } else {
                name(step).view(trouble)
            }}
            {if step.url_given {
                told("Public address", &step.public_url, "From the configuration of this server.")
            } else {
                public_url(step).view(trouble)
            }}
            {(!step.backup).then(|| administrator(step, trouble))}
            {buttons("Continue", true)}
        </form>
    }
    .into_any()
}

fn zone(step: &Zone) -> Input {
    Input {
        name: "zone",
        label: "Name of the protected zone",
        hint: "For people; such as the name of the site or of the domain. It can be changed later.".to_owned(),
        value: step.zone.clone(),
        kind: "text",
        autocomplete: "off",
        most: 64,
        required: true,
        first: true,
    }
}

fn name(step: &Zone) -> Input {
    Input {
        name: "name",
        label: "Name of this server",
        hint: "For people, as lists and events show it.".to_owned(),
        value: step.name.clone(),
        kind: "text",
        autocomplete: "off",
        most: 64,
        required: true,
        first: step.backup,
    }
}

fn public_url(step: &Zone) -> Input {
    Input {
        name: "public_url",
        label: "Public address",
        hint: "How machines, browsers and the other server reach this one: https://NAME:PORT, without a path."
            .to_owned(),
        value: step.public_url.clone(),
        kind: "text",
        autocomplete: "url",
        most: 512,
        required: true,
        first: false,
    }
}

fn administrator(step: &Zone, trouble: Option<&Trouble>) -> AnyView {
    let admin = Input {
        name: "admin",
        label: "Name",
        value: step.admin.clone(),
        kind: "text",
        autocomplete: "username",
        most: 64,
        required: true,
        ..Input::default()
    };
    let hint = if step.has_password {
        "A password was given. Leave both empty to keep it."
    } else {
        "At least 8 characters. Only its hash is kept."
    };
    let password = Input {
        name: "password",
        label: "Password",
        hint: hint.to_owned(),
        kind: "password",
        autocomplete: "new-password",
        most: 1024,
        required: !step.has_password,
        ..Input::default()
    };
    let again = Input { name: "again", label: "Password again", hint: String::new(), ..password.clone() };
    view! {
        <fieldset class="group">
            <legend>"First administrator"</legend>
            {admin.view(trouble)}
            {password.view(trouble)}
            {again.view(trouble)}
        </fieldset>
    }
    .into_any()
}

/// What cannot be changed here, and why.
fn told(label: &'static str, value: &str, why: &'static str) -> AnyView {
    view! {
        <div class="field">
            <p class="told-label">{label}</p>
            <p class="told">{value.to_owned()}</p>
            <p class="hint">{why}</p>
        </div>
    }
    .into_any()
}
