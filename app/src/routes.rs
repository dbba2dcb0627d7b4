//! Which page is at which address. Every page is rendered whole before it is sent, so that it is complete without
//! JavaScript.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|title: String| format!("{title} · UserLock") text="Overview"/>
        <Router>
            <Routes fallback=|| "No such page">
                <Route path=path!("/") view=|| "Overview" ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}
