//! The Configuration wizard: plain pages and plain forms, rendered by the server alone. They need no script, and the
//! browser gets none.

mod account;
mod finish;
mod model;
mod parts;
mod server_type;
mod welcome;
mod zone;

use leptos::prelude::*;

pub use finish::START;
pub use model::*;
use parts::Alert;

/// The policy for what a page of the wizard may load: its style, its icon and its font.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page as a document. `server` is the server's name.
#[must_use]
pub fn document(page: &WizardPage, server: &str) -> String {
    let owner = Owner::new();
    let html = owner.with(|| whole(page, server).to_html());
    owner.cleanup();
    html
}

fn whole(page: &WizardPage, server: &str) -> impl IntoView {
    let step = page.contents.step();
    let title = format!("{} · UserLock", step.title());
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                // As text it would come with a mark for the script that is not there.
                <title inner_html=title></title>
                <link rel="preload" href="/fonts/inter-latin.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous"/>
                <link rel="stylesheet" href="/style.css"/>
                <link rel="icon" r#type="image/svg+xml" href="/favicon.svg"/>
            </head>
            <body>
                <div class="wizard">
                    <header class="wizard-head">
                        <div class="brand">
                            <img src="/favicon.svg" alt="" width="32" height="32"/>
                            <p class="wizard-name">"UserLock"</p>
                        </div>
                        <p class="muted">"Configuration wizard of "<strong>{server.to_owned()}</strong></p>
                    </header>
                    <div class="panel wizard-panel">
                        <Steps now=step finished=is_done(page)/>
                        <main class="wizard-main">
                            <Alert trouble=page.trouble.clone() fields=fields(&page.contents)/>
                            {contents(page)}
                        </main>
                    </div>
                </div>
            </body>
        </html>
    }
}

fn is_done(page: &WizardPage) -> bool {
    matches!(&page.contents, Contents::Finish(Finish { progress: Progress::Done(_), .. }))
}

/// The fields of a page: a trouble with one of these is shown beside it, any other above the form.
fn fields(contents: &Contents) -> &'static [&'static str] {
    match contents {
        Contents::Welcome { .. } => &["code"],
        Contents::ServerType(_) => &["role", "primary"],
        Contents::Zone(_) => &["zone", "name", "public_url", "admin", "password", "again"],
        Contents::Account(_) => &["account", "password"],
        Contents::Finish(_) => &[],
    }
}

fn contents(page: &WizardPage) -> AnyView {
    let trouble = page.trouble.as_ref();
    match &page.contents {
        Contents::Welcome { opened } => welcome::view(*opened, trouble),
        Contents::ServerType(step) => server_type::view(step, trouble),
        Contents::Zone(step) => zone::view(step, &page.warnings, trouble),
        Contents::Account(step) => account::view(step, trouble),
        Contents::Finish(step) => finish::view(step, &page.warnings),
    }
}

/// Where one is. It leads nowhere: what was typed and not sent would be lost.
#[component]
fn Steps(
    /// The step that is open.
    now: Step,
    /// Whether all is done.
    finished: bool,
) -> impl IntoView {
    let step = move |(index, step): (usize, Step)| {
        let (class, word) = match step.cmp(&now) {
            std::cmp::Ordering::Less => ("step done", "done"),
            std::cmp::Ordering::Equal if finished => ("step done", "done"),
            std::cmp::Ordering::Equal => ("step now", "open"),
            std::cmp::Ordering::Greater => ("step", "to come"),
        };
        view! {
            <li class=class aria-current=(step == now).then_some("step")>
                <span class="step-mark" aria-hidden="true">{index + 1}</span>
                <span class="step-name">{step.title()}<span class="visually-hidden">{format!(", {word}")}</span></span>
            </li>
        }
    };
    view! {
        <nav class="steps" aria-label="Steps">
            <ol>{Step::ALL.into_iter().enumerate().map(step).collect_view()}</ol>
        </nav>
    }
    .into_any()
}
