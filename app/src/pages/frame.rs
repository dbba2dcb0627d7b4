//! The frame of all pages behind the sign-in: the server, the navigation, what is wrong, what just happened.

use leptos::prelude::*;
use leptos_router::{
    components::{A, Outlet},
    hooks::{use_location, use_url},
};
use userlock_core::api::{Banner, ServerRole, Tone};

use super::{ProblemView, loading};
use crate::{
    api::{self, Area, Flash, Right},
    components::{
        Badge, ContextHost, Glyph, Icon, If, Notices, NoticesView, QuickDialogs, Runs, ServerMenu, tone_class,
    },
    live::Live,
    memo::Memo,
    present::{number::grouped, picture::own_state},
    reading::Reading,
};

/// What a form did before this page, taken from its cookie.
fn flash() -> Option<Flash> {
    #[cfg(feature = "ssr")]
    return api::take_flash();
    #[cfg(not(feature = "ssr"))]
    return None;
}

/// Without a sign-in, while a page is rendered: to the sign-in page, and back afterwards.
fn sign_in_first() {
    #[cfg(feature = "ssr")]
    if let Some(parts) = use_context::<axum::http::request::Parts>() {
        let here = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        leptos_axum::redirect(&crate::present::query::address("/sign-in", &[("next", here)]));
    }
    #[cfg(not(feature = "ssr"))]
    crate::browser::sign_in_again();
}

/// The frame.
#[component]
pub fn FramePage() -> impl IntoView {
    let live = Live::new();
    let notices = Notices::new();
    provide_context(live);
    provide_context(notices);
    provide_context(Runs::new(notices));

    let frame = Reading::new(|| (), |()| api::ask(api::GetFrame {}));
    let told = SharedValue::<_, api::Text>::new_with_encoding(flash).into_inner();
    if let Some(told) = told {
        notices.tell_flash(told);
    }
    // Another page: what the last one told is over.
    let path = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            notices.clear();
        }
        now
    });
    view! {
        <Suspense fallback=loading>
            {move || Suspend::new(async move {
                match frame.done().await {
                    Ok(frame) => {
                        live.begin(frame);
                        view! { <Framed/> }.into_any()
                    }
                    Err(refused) if refused.needs_sign_in() => {
                        sign_in_first();
                        view! { <p class="loading"><a href="/sign-in">"Sign in"</a></p> }.into_any()
                    }
                    Err(refused) => view! { <main class="main"><ProblemView problem=refused.0/></main> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Framed() -> impl IntoView {
    let live = Live::of_page();
    Effect::new(move |started: Option<()>| {
        if started.is_none() {
            live.start();
        }
    });
    let unfolded = RwSignal::new(false);
    let url = use_url();
    Effect::new(move |_| {
        url.track();
        unfolded.set(false);
    });
    view! {
        // Left to the browser, which moves the focus too.
        <a class="skip" href="#main" rel="external">"Skip to the contents"</a>
        <div class="app">
            <header class="side">
                <ServerName/>
                <input
                    r#type="checkbox"
                    id="fold"
                    class="visually-hidden"
                    aria-label="Show the navigation"
                    prop:checked=move || unfolded.get()
                    on:change=move |event| unfolded.set(event_target_checked(&event))
                />
                <label class="fold-button" for="fold" aria-hidden="true"><Icon glyph=Glyph::Menu/>"Menu"</label>
                <div class="side-body">
                    <Navigation/>
                    <SignedIn/>
                </div>
            </header>
            <main id="main" class="main" tabindex="-1">
                <Banners/>
                <NoticesView/>
                <Outlet/>
            </main>
        </div>
        <QuickDialogs/>
    }
    .into_any()
}

/// The server's name with its role and state; its context menu belongs to it.
#[component]
fn ServerName() -> impl IntoView {
    let live = Live::of_page();
    let host = ContextHost::new();
    let name = Memo::new(move || live.read(|o| o.server.name.clone()));
    let state = Memo::new(move || {
        live.read(|o| Some((o.server.role.title(), own_state(&o.server))))
            .map(|(role, (tone, state))| (tone, format!("{role} · {state}")))
    });
    let tone = Signal::derive(move || state.get().map_or(Tone::Neutral, |s| s.0));
    let text = Signal::derive(move || state.get().map(|s| s.1).unwrap_or_default());
    view! {
        <div
            class="server-name"
            on:contextmenu=move |event| host.on_context_menu(&event)
            on:keydown=move |event| host.on_key(&event)
            on:pointerdown=move |event| host.on_pointer_down(&event)
            on:pointerup=move |_| host.on_pointer_end()
            on:pointermove=move |_| host.on_pointer_end()
            on:pointercancel=move |_| host.on_pointer_end()
        >
            <div class="server-words">
                <a href="/" class="name" title=move || name.get()>{move || name.get()}</a>
                <Badge tone=tone text=text/>
            </div>
            <ServerMenu host=host/>
        </div>
    }
    .into_any()
}

/// The sections of Properties below General and Synchronization.
const PROPERTIES: [(&str, &str); 10] = [
    ("agents", "Agents"),
    ("messages", "Messages"),
    ("email", "E-mail"),
    ("database", "Database"),
    ("notifications", "Notifications"),
    ("security", "Security"),
    ("retention", "Retention"),
    ("history", "History"),
    ("certificate", "Certificate"),
    ("role", "Role"),
];

#[component]
fn Navigation() -> impl IntoView {
    let live = Live::of_page();
    let count = move |what: fn(&userlock_core::api::Overview) -> u64| Memo::new(move || grouped(live.read(what)));
    let sessions = count(|o| o.figures.open_sessions);
    let rules = count(|o| o.figures.protected_accounts);
    let alerts = Memo::new(move || live.read(|o| o.log_alerts));
    let backup = Memo::new(move || live.read(|o| o.server.role == ServerRole::Backup));
    // Rights change seldom, and never while a page is shown: what may not be seen is not linked.
    let sees = move |area: Area| live.may_now(Right::Read(area));
    let settings = sees(Area::Settings);
    view! {
        <nav aria-label="Pages">
            <A href="/" exact=true><Icon glyph=Glyph::Overview/>"Overview"</A>
            {sees(Area::Sessions).then(|| view! { <A href="/sessions"><Icon glyph=Glyph::Users/>"User sessions"<span class="number">{move || sessions.get()}</span></A> }.into_any())}
            {sees(Area::ProtectedAccounts).then(|| view! {
                <A href="/protected-accounts">
                    <Icon glyph=Glyph::Shield/>
                    "Protected accounts"
                    <span class="number">{move || rules.get()}</span>
                </A>
            }.into_any())}
            {sees(Area::Log).then(|| view! { <A href="/application-log">
                <Icon glyph=Glyph::Log/>
                "Application log"
                <span class="number" class:alert=move || { alerts.get() > 0 }>
                    {move || (alerts.get() > 0).then(|| grouped(alerts.get()))}
                    {move || (alerts.get() > 0).then(|| view! { <span class="visually-hidden">" warnings and errors"</span> }.into_any())}
                </span>
            </A> }.into_any())}
            {(settings || sees(Area::Security)).then(|| view! {
                <p class="nav-head" id="nav-properties">"Properties"</p>
                <ul aria-labelledby="nav-properties">
                    {settings.then(|| property("general", "General"))}
                    <If when=move || backup.get() && settings>
                        <li><A href="/properties/synchronization"><Icon glyph=Glyph::Both/>"Synchronization"</A></li>
                    </If>
                    {PROPERTIES.into_iter().filter(|(slug, _)| if *slug == "security" { sees(Area::Security) } else { settings }).map(|(slug, title)| property(slug, title)).collect_view()}
                </ul>
            }.into_any())}
        </nav>
    }
    .into_any()
}

fn property(slug: &'static str, title: &'static str) -> AnyView {
    view! { <li><A href=format!("/properties/{slug}")><Icon glyph=Glyph::Settings/>{title}</A></li> }.into_any()
}

#[component]
fn SignedIn() -> impl IntoView {
    let live = Live::of_page();
    let zone = Memo::new(move || live.read(|o| o.zone.clone()));
    let version = Memo::new(move || live.read(|o| o.server.version.clone()));
    view! {
        <div class="signed-in">
            <p>
                <a href="/account"><span class="visually-hidden">"Your account: "</span><strong>{move || live.caller().map(|c| c.name)}</strong></a>
                <span class="muted">{move || live.caller().map(|c| c.roles)}</span>
            </p>
            <form method="post" action="/sign-out">
                <button class="quiet"><Icon glyph=Glyph::SignOut/>"Sign out"</button>
            </form>
            <p class="muted small">{move || format!("UserLock {} · {}", version.get(), zone.get())}</p>
        </div>
    }
    .into_any()
}

/// What an administrator must know before anything else.
#[component]
fn Banners() -> impl IntoView {
    let live = Live::of_page();
    let banners = Memo::new(move || live.read(|o| o.banners.clone()));
    let text = move |banner: &Banner| {
        let Some(at) = banner.at else { return banner.text.clone() };
        banner.text.replace("{time}", &live.zone.with(|zone| zone.exact(at, live.now.get_untracked())))
    };
    view! {
        <div class="banners" role="status">
            {move || banners.get().into_iter().map(|banner| {
                let tone = banner.tone;
                view! {
                    <div class=format!("banner {}", tone_class(tone))>
                        <Icon glyph=Glyph::of(tone)/>
                        <p>{text(&banner)}</p>
                    </div>
                }.into_any()
            }).collect_view()}
        </div>
    }
    .into_any()
}
