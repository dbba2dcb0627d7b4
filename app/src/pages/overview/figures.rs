//! The tiles, the last hour, and "If the Primary died now".

use leptos::prelude::*;
use userlock_core::api::{PeerState, ServerRole, Tone};

use crate::{
    components::{Glyph, Icon, tone_class},
    live::Live,
    memo::Memo,
    present::{
        number::{counted, grouped, measure},
        spark,
    },
};

/// Figures of sessions.
#[component]
pub fn Tiles() -> impl IntoView {
    let live = Live::of_page();
    let figures = Memo::new(move || live.read(|o| o.figures.clone()));
    let tile = |href: Option<&'static str>, number: Signal<String>, label: Signal<String>, alert: Signal<bool>| {
        let inner = move || {
            view! {
                <strong class="figure" class:warn=move || alert.get()>{move || number.get()}</strong>
                <span class="muted">{move || label.get()}</span>
            }
            .into_any()
        };
        match href {
            Some(href) => view! { <a class="panel tile" href=href>{inner()}</a> }.into_any(),
            None => view! { <div class="panel tile">{inner()}</div> }.into_any(),
        }
    };
    let never = Signal::derive(|| false);
    let users = move || {
        figures.with(|f| {
            format!(
                "open {} · {}",
                if f.open_sessions == 1 { "session" } else { "sessions" },
                counted(f.users, "user", "users")
            )
        })
    };
    view! {
        <section class="tiles" aria-label="Figures">
            {tile(Some("/sessions"), Signal::derive(move || figures.with(|f| grouped(f.open_sessions))), Signal::derive(users), never)}
            {tile(
                None,
                Signal::derive(move || figures.with(|f| format!("{}/min", measure(f.logons_per_minute)))),
                Signal::derive(|| "logons, last 5 minutes".to_owned()),
                never,
            )}
            {tile(
                None,
                Signal::derive(move || figures.with(|f| grouped(f.denied_last_hour))),
                Signal::derive(|| "denied in the last hour".to_owned()),
                never,
            )}
            {tile(
                None,
                Signal::derive(move || figures.with(|f| grouped(f.unconfirmed))),
                Signal::derive(move || figures.with(|f| if f.unconfirmed == 1 { "session unconfirmed" } else { "sessions unconfirmed" }.to_owned())),
                Signal::derive(move || figures.with(|f| f.unconfirmed > 0)),
            )}
        </section>
    }
    .into_any()
}

/// Logons and denials of the last hour.
#[component]
pub fn Activity() -> impl IntoView {
    let live = Live::of_page();
    let chart = Memo::new(move || live.read(|o| spark::chart(&o.activity)));
    view! {
        <section class="panel activity" aria-labelledby="activity">
            <header>
                <h2 id="activity">"Logons and denials, last hour"</h2>
                <p class="legend muted" aria-hidden="true">
                    <span class="key logons"></span>"logons a minute"
                    <span class="key denied"></span>"denials"
                </p>
            </header>
            <figure>
                <p class="axis-top muted" aria-hidden="true">{move || chart.with(|c| grouped(c.top.into()))}</p>
                <svg class="spark" viewBox="0 0 6000 1200" preserveAspectRatio="none" role="img" aria-label=move || chart.with(|c| c.summary.clone())>
                    <line class="grid" x1="0" y1="40" x2="6000" y2="40"/>
                    <line class="grid" x1="0" y1="900" x2="6000" y2="900"/>
                    <path class="area" d=move || chart.with(|c| c.area.clone())/>
                    <path class="line" d=move || chart.with(|c| c.line.clone())/>
                    <path class="denials" d=move || chart.with(|c| c.denials.clone())/>
                </svg>
                <figcaption class="muted" aria-hidden="true"><span>"60 min ago"</span><span>"30 min"</span><span>"now"</span></figcaption>
            </figure>
        </section>
    }
    .into_any()
}

/// What a failure of the Primary would mean now.
#[component]
pub fn Readiness() -> impl IntoView {
    let live = Live::of_page();
    let lines = Memo::new(move || live.read(|o| o.readiness.clone()));
    let backup = Memo::new(move || live.read(|o| o.server.role == ServerRole::Backup));
    let down_since = Memo::new(move || {
        live.read(|o| {
            let primary =
                o.server.peer.as_ref().filter(|p| p.role == ServerRole::Primary && p.state == PeerState::Down)?;
            let since = primary.last_contact.unwrap_or(primary.since);
            Some(live.zone.with(|zone| zone.exact(since, o.server.now)))
        })
    });
    view! {
        <section class="panel readiness" aria-labelledby="readiness">
            <h2 id="readiness">{move || if down_since.with(Option::is_some) { "While the Primary is down" } else { "If the Primary died now" }}</h2>
            <ul class="checks">
                {move || lines.get().into_iter().map(|line| {
                    let tone = line.tone;
                    let said = match tone {
                        Tone::Ok => "In order: ",
                        Tone::Attention => "Attention: ",
                        Tone::Down => "Not in order: ",
                        Tone::Neutral => "",
                    };
                    view! {
                        <li class=tone_class(tone)>
                            <Icon glyph=Glyph::of(tone)/>
                            <div><span class="visually-hidden">{said}</span>{line.text}</div>
                        </li>
                    }.into_any()
                }).collect_view()}
            </ul>
            <p class="muted small">{move || match down_since.get() {
                Some(since) => format!("Since {since}, as this Backup knows it."),
                None => format!("As this {} knows it.", if backup.get() { "Backup" } else { "Primary" }),
            }}</p>
        </section>
    }
    .into_any()
}
