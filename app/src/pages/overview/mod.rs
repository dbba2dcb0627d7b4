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
            <div class="overview-side">
                <QuickAccess/>
                <figures::Readiness/>
            </div>
            <figures::Tiles/>
            <figures::Activity/>
        </div>
    }
    .into_any()
}
