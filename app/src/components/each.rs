//! A list whose items keep their elements while others come and go.

use std::sync::Arc;

use leptos::prelude::*;

/// An item: what tells it from the others, and what is shown of it.
pub type Item = (String, Arc<dyn Fn() -> AnyView + Send + Sync>);

/// Shows each item. `For` would make code anew for each type of item.
#[component]
pub fn Each(
    /// The items in their order.
    items: Signal<Vec<Item>>,
) -> impl IntoView {
    view! { <For each=move || items.get() key=|(key, _)| key.clone() children=|(_, view)| view()/> }.into_any()
}
