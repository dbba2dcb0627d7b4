//! Sign in: a plain form.

use leptos::prelude::*;
use leptos_meta::Title;

use super::query_value;
use crate::{
    components::{Glyph, Icon},
    present::query,
};

/// Why the last attempt failed.
fn reason(code: &str) -> Option<&'static str> {
    match code {
        "" => None,
        "invalid" => Some("This name and password do not go together. Check both and try again."),
        "locked" => {
            Some("Too many attempts have failed. No more are tried for up to 15 minutes: wait, then try again.")
        }
        "unavailable" => {
            Some("This server cannot check accounts at the moment. Try again, or sign in on the other server.")
        }
        _ => Some("You could not be signed in. Try again."),
    }
}

/// The page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let error = query_value("error");
    let next = query_value("next");
    let target = move || query::local(&next.get()).unwrap_or("/").to_owned();
    let failed = move || reason(&error.get());
    view! {
        <Title text="Sign in"/>
        <main class="sign-in">
            <div class="panel">
                <div class="brand">
                    <img src="/favicon.svg" alt="" width="36" height="36"/>
                    <h1>"UserLock"</h1>
                </div>
                <p class="muted">"Sign in to see and steer the protected zone."</p>
                <div role="alert">
                    {move || failed().map(|text| view! { <div class="banner bad"><Icon glyph=Glyph::Down/><p>{text}</p></div> }.into_any())}
                </div>
                <form method="post" action="/sign-in" class="stack">
                    <input r#type="hidden" name="next" value=target/>
                    <label>
                        <span>"Account"</span>
                        <input name="user" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="256" required autofocus/>
                    </label>
                    <label>
                        <span>"Password"</span>
                        <input name="password" r#type="password" autocomplete="current-password" maxlength="1024" required/>
                    </label>
                    <button class="primary wide">"Sign in"</button>
                </form>
            </div>
        </main>
    }
    .into_any()
}
