//! An address that has no page.

use leptos::prelude::*;

/// What is shown of an address that has no page, inside of the frame.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    view! {
        <leptos_meta::Title text="No such page"/>
        <div class="empty">
            <h1 tabindex="-1">"There is no such page"</h1>
            <p>"Its address may have changed, or it was typed wrong. Nothing else happened."</p>
            <p class="buttons"><a class="button primary" href="/">"Go to the Overview"</a></p>
        </div>
    }
    .into_any()
}

/// The same as a page of its own.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <main class="plain"><NotFound/></main> }.into_any()
}
