//! The Overview: the picture of the pair, figures, and what a failure would mean.

mod figures;
mod pair;

use leptos::prelude::*;

use crate::components::{PageHead, QuickAccess};

/// The page.
#[component]
pub fn OverviewPage() -> impl IntoView {
    view! {
        <PageHead title="Overview"/>
        <div class="overview">
            <pair::Pair/>
            <aside class="overview-side"><QuickAccess/></aside>
            <figures::Tiles/>
            <figures::Activity/>
            <figures::Readiness/>
        </div>
    }
    .into_any()
}
