//! One module a page.

mod application_log;
mod frame;
mod not_found;
mod overview;
mod sessions;
mod sheet;
mod sign_in;
mod synchronization;
#[cfg(feature = "ssr")]
pub mod wizard;

pub use application_log::ApplicationLogPage;
pub use frame::FramePage;
pub use not_found::{NotFound, NotFoundPage};
pub use overview::OverviewPage;
pub use sessions::SessionsPage;
pub use sheet::{AccountPage, RulesPage, SheetPage};
pub use sign_in::SignInPage;
pub use synchronization::SynchronizationPage;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use userlock_core::api::Problem;

use crate::{
    api::Refused,
    browser,
    components::{Glyph, Icon, QuickAccess, problem_text},
    memo::Memo,
};

/// A page's contents with Quick access beside them, or below on small screens.
#[component]
fn WithQuickAccess(
    /// What is on the page.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="with-side">
            <div class="column">{children()}</div>
            <aside class="column side-column"><QuickAccess/></aside>
        </div>
    }
    .into_any()
}

/// One value of the address.
fn query_value(name: &'static str) -> Memo<String> {
    let query = use_query_map();
    Memo::new(move || query.with(|query| query.get(name)).unwrap_or_default())
}

/// What could not be shown, and why.
#[component]
fn ProblemView(
    /// Why.
    problem: Problem,
) -> impl IntoView {
    view! {
        <div class="banner bad" role="alert">
            <Icon glyph=Glyph::Down/>
            <p>{problem_text(&problem)}</p>
        </div>
    }
    .into_any()
}

/// What stands in the place of a page that is being read.
fn loading() -> AnyView {
    view! { <p class="loading">"Loading…"</p> }.into_any()
}

/// The view of what was read, or of why it was not. Without a sign-in the frame has already left for the sign-in page.
fn shown<T>(read: Result<T, Refused>, view: impl FnOnce(T) -> AnyView) -> AnyView {
    match read {
        Ok(value) => view(value),
        Err(refused) => view! { <ProblemView problem=refused.0/> }.into_any(),
    }
}

/// A problem of a form, shown in it. Without a sign-in goes to the sign-in page.
fn form_problem(refused: Refused, problem: RwSignal<Option<Problem>>) {
    if refused.needs_sign_in() {
        browser::sign_in_again();
    }
    // To the field, once it is marked: the message may be far from it.
    if refused.0.field.is_some() {
        set_timeout(|| browser::focus("form [aria-invalid=true]"), std::time::Duration::from_millis(50));
    }
    problem.set(Some(refused.0));
}
