//! Which page is at which address. Every page is rendered whole before it is sent, so that it is complete without
//! JavaScript.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Redirect, Route, Router, Routes},
    path,
};

use crate::pages::{
    AccountPage, ApplicationLogPage, FramePage, NotFound, NotFoundPage, OverviewPage, RulesPage, SessionsPage,
    SheetPage, SignInPage, SynchronizationPage,
};

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|title: String| format!("{title} · UserLock") text="Overview"/>
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                <ParentRoute path=path!("/") view=FramePage ssr=SsrMode::Async>
                    <Route path=path!("/") view=OverviewPage/>
                    <Route path=path!("/sessions") view=SessionsPage/>
                    <Route path=path!("/protected-accounts/*slug") view=RulesPage/>
                    <Route path=path!("/application-log") view=ApplicationLogPage/>
                    <Route path=path!("/account") view=AccountPage/>
                    <Route path=path!("/properties") view=|| view! { <Redirect path="/properties/general"/> }/>
                    <Route path=path!("/properties/synchronization") view=SynchronizationPage/>
                    <Route path=path!("/properties/*slug") view=SheetPage/>
                    <Route path=path!("/*any") view=NotFound/>
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}
