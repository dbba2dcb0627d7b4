//! What the pages of the wizard are made of.

use leptos::prelude::*;

use super::Trouble;
use crate::components::{Glyph, Icon};

/// The trouble above the form: one that belongs to none of its fields.
#[component]
pub(super) fn Alert(
    /// What stands against going on.
    trouble: Option<Trouble>,
    /// The fields that show theirs themselves.
    fields: &'static [&'static str],
) -> impl IntoView {
    let above = trouble.filter(|trouble| trouble.field.is_none_or(|field| !fields.contains(&field)));
    above.map(|trouble| {
        view! {
            <div class="banner bad" role="alert" data-code=trouble.code>
                <Icon glyph=Glyph::Down/>
                <p>{trouble.text}</p>
            </div>
        }
        .into_any()
    })
}

/// What to know before going on.
pub(super) fn warnings(warnings: &[String]) -> AnyView {
    let warning = |text: &String| {
        view! {
            <div class="banner warn" role="note">
                <Icon glyph=Glyph::Attention/>
                <p>{text.clone()}</p>
            </div>
        }
    };
    warnings.iter().map(warning).collect_view().into_any()
}

/// The heading of a step, and what it is about.
pub(super) fn heading(title: &'static str, lead: String) -> AnyView {
    view! {
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
    }
    .into_any()
}

/// A field of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct Input {
    /// Its name in the form.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// What to know about it.
    pub hint: String,
    /// What is in it. Of a password never anything.
    pub value: String,
    /// `text`, `password` or `url`.
    pub kind: &'static str,
    /// What the browser may fill in.
    pub autocomplete: &'static str,
    /// The most characters.
    pub most: u32,
    /// Whether it must be filled in.
    pub required: bool,
    /// Whether one begins here.
    pub first: bool,
}

impl Input {
    /// The field with its label, its hint, and what is wrong with it beside it.
    pub(super) fn view(self, trouble: Option<&Trouble>) -> AnyView {
        let wrong = trouble.filter(|trouble| trouble.field == Some(self.name)).cloned();
        let (hint_id, wrong_id) = (format!("{}-hint", self.name), format!("{}-wrong", self.name));
        let described = match (&wrong, self.hint.is_empty()) {
            (Some(_), false) => Some(format!("{wrong_id} {hint_id}")),
            (Some(_), true) => Some(wrong_id.clone()),
            (None, false) => Some(hint_id.clone()),
            (None, true) => None,
        };
        let focus = self.first && trouble.is_none() || wrong.is_some();
        let hint = (!self.hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{self.hint}</p> });
        let value = (self.kind != "password" && !self.value.is_empty()).then_some(self.value);
        view! {
            <div class="field">
                <label for=self.name>{self.label}</label>
                <input
                    id=self.name
                    name=self.name
                    r#type=self.kind
                    value=value
                    autocomplete=self.autocomplete
                    autocapitalize="none"
                    spellcheck="false"
                    maxlength=self.most
                    required=self.required
                    autofocus=focus
                    aria-invalid=wrong.is_some().then_some("true")
                    aria-describedby=described
                />
                {wrong.map(|trouble| wrong_view(&trouble, wrong_id))}
                {hint}
            </div>
        }
        .into_any()
    }
}

/// What is wrong with a field, beside it.
pub(super) fn wrong_view(trouble: &Trouble, id: String) -> AnyView {
    view! {
        <p class="wrong" id=id role="alert" data-code=trouble.code.clone()>
            <Icon glyph=Glyph::Down/>
            <span>{trouble.text.clone()}</span>
        </p>
    }
    .into_any()
}

/// A fingerprint, in groups that are easy to compare.
pub(super) fn fingerprint(digits: &str) -> AnyView {
    let groups: Vec<String> =
        digits.as_bytes().chunks(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    view! { <code class="fingerprint compare">{groups.join(" ")}</code> }.into_any()
}

/// The buttons of a step: on, which is what Enter does, and back, which keeps what was typed as it is.
pub(super) fn buttons(on: &'static str, back: bool) -> AnyView {
    view! {
        <div class="buttons wizard-buttons">
            <button class="primary" name="go" value="on">{on}</button>
            {back.then(|| view! { <button name="go" value="back" formnovalidate>"Back"</button> })}
        </div>
    }
    .into_any()
}
