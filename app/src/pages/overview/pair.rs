//! The picture of the pair.

use leptos::{html, prelude::*};
use userlock_core::api::{ServerRole, Tone};

use crate::{
    components::{ContextHost, Glyph, Icon, If, ServerMenu, tone_class},
    live::Live,
    memo::Memo,
    present::{
        number::grouped,
        picture::{AgentLine, Note, Picture, ServerBox, Stroke, picture},
    },
};

/// The picture: who the agents use, how both servers are, whether their lists are equal.
#[component]
pub fn Pair() -> impl IntoView {
    let live = Live::of_page();
    let drawn = Memo::new(move || {
        let now = live.now.get();
        live.zone.with(|zone| live.read(|o| Some(picture(o, zone, now))))
    });
    let part = move |what: fn(&Picture) -> &Note| {
        Memo::new(move || drawn.with(|d| d.as_ref().map(|picture| what(picture).clone()).unwrap_or_default()))
    };
    let agents = part(|p| &p.agents);
    let link = part(|p| &p.link);
    let certificate = part(|p| &p.certificate);
    let lines = Memo::new(move || drawn.with(|d| d.as_ref().map(|p| (p.to_primary, p.to_backup)).unwrap_or_default()));
    let link_stroke = Memo::new(move || drawn.with(|d| d.as_ref().map(|p| p.link_stroke).unwrap_or_default()));
    let primary = Memo::new(move || drawn.with(|d| d.as_ref().map(|p| p.primary.clone())));
    let backup = Memo::new(move || drawn.with(|d| d.as_ref().and_then(|p| p.backup.clone())));
    view! {
        <section class="panel picture" aria-label="The pair">
            <Answers drawn=drawn/>
            <div class="pair">
                <div class=move || format!("agents-box {}", tone_class(agents.get().tone))>
                    <strong>{move || agents.get().title}</strong>
                    <Lines lines=Signal::derive(move || agents.get().lines)/>
                </div>
                <Ways lines=lines/>
                <div class="primary-place"><Server server=primary role=ServerRole::Primary/></div>
                <div class=move || format!("link {}", tone_class(link.get().tone))>
                    <svg class="link-line" viewBox="0 0 8 100" preserveAspectRatio="none" aria-hidden="true">
                        <path class=move || match link_stroke.get() {
                            Stroke::Thick => "way link-way",
                            other => way(other),
                        } d="M4 0V100"/>
                    </svg>
                    <div>
                        <span class="link-title">{move || link.get().title}</span>
                        <Lines lines=Signal::derive(move || link.get().lines)/>
                    </div>
                </div>
                <div class="backup-place"><Server server=backup role=ServerRole::Backup/></div>
                <div class=move || format!("certificate {}", tone_class(certificate.get().tone))>
                    <strong><Icon glyph=Signal::derive(move || Glyph::of(certificate.get().tone))/>{move || certificate.get().title}</strong>
                    <Lines lines=Signal::derive(move || certificate.get().lines)/>
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// The three questions.
#[component]
fn Answers(
    /// The picture.
    drawn: Memo<Option<Picture>>,
) -> impl IntoView {
    let answers = Memo::new(move || drawn.with(|d| d.as_ref().map(|p| p.answers.clone())));
    view! {
        <dl class="answers">
            {move || answers.get().into_iter().flatten().map(|answer| view! {
                <div class=tone_class(answer.tone)>
                    <dt>{answer.question}</dt>
                    <dd><Icon glyph=Glyph::of(answer.tone)/><span>{answer.answer}</span></dd>
                    <dd class="line">{answer.detail}</dd>
                </div>
            }.into_any()).collect_view()}
        </dl>
    }
    .into_any()
}

/// Lines of small text.
#[component]
fn Lines(
    /// The lines.
    lines: Signal<Vec<String>>,
) -> impl IntoView {
    view! { {move || lines.get().into_iter().map(|line| view! { <span class="line">{line}</span> }.into_any()).collect_view()} }.into_any()
}

fn way(stroke: Stroke) -> &'static str {
    match stroke {
        Stroke::Thick => "way thick-way",
        Stroke::Thin | Stroke::Unknown => "way faint-way",
        Stroke::Broken => "way broken-way",
        Stroke::Absent => "way absent-way",
    }
}

/// The lines from the agents to both servers: across on wide screens, down on narrow ones.
#[component]
fn Ways(
    /// To the Primary, to the Backup.
    lines: Memo<(AgentLine, AgentLine)>,
) -> impl IntoView {
    let count = |line: AgentLine, to: &str| {
        let said = format!("{} the {to}", if line.agents == 1 { "agent uses" } else { "agents use" });
        (matches!(line.stroke, Stroke::Thick | Stroke::Thin) || line.agents > 0).then(|| {
            view! { {grouped(line.agents)}<span class="visually-hidden">{format!(" {said}")}</span> }.into_any()
        })
    };
    // The line that is thick is drawn last, on top.
    view! {
        <div class="ways">
            <svg class="across" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
                <path class=move || way(lines.get().0.stroke) d="M0 48C50 48 45 18.500 100 18.500"/>
                <path class=move || way(lines.get().1.stroke) d="M0 52C50 52 45 81.500 100 81.500"/>
            </svg>
            <svg class="down" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
                <path class=move || way(lines.get().0.stroke) d="M66 0V14Q66 18 100 18"/>
                <path class=move || way(lines.get().1.stroke) d="M24 0V78Q24 82 100 82"/>
            </svg>
            <span class="way-count to-primary">{move || count(lines.get().0, "Primary")}</span>
            <span class="way-count to-backup">{move || count(lines.get().1, "Backup")}</span>
        </div>
    }
    .into_any()
}

/// A server's box. This server's has its context menu; the other's links to its dashboard.
#[component]
fn Server(
    /// The server; absent when the zone has none in this role.
    server: Memo<Option<ServerBox>>,
    /// The role.
    role: ServerRole,
) -> impl IntoView {
    let host = ContextHost::new();
    let element = NodeRef::<html::Div>::new();
    let exists = Memo::new(move || server.with(Option::is_some));
    let here = Memo::new(move || server.with(|s| s.as_ref().is_some_and(|s| s.here)));
    let tone = Signal::derive(move || server.with(|s| s.as_ref().map_or(Tone::Neutral, |s| s.tone)));
    let state = Memo::new(move || server.with(|s| s.as_ref().map(|s| s.state.clone()).unwrap_or_default()));
    let name = Memo::new(move || server.with(|s| s.as_ref().map(|s| s.name.clone()).unwrap_or_default()));
    let dashboard = Memo::new(move || server.with(|s| s.as_ref().and_then(|s| s.dashboard.clone())));
    let lines = Signal::derive(move || server.with(|s| s.as_ref().map(|s| s.lines.clone()).unwrap_or_default()));
    let age = Memo::new(move || server.with(|s| s.as_ref().and_then(|s| s.age.clone())));
    let title = move || format!("{} server \u{2014} {}", role.title(), state.get());
    let inside = move || {
        view! {
            <div class="box-head">
                <span class="state-mark" aria-hidden="true"><Icon glyph=Signal::derive(move || Glyph::of(tone.get()))/></span>
                <strong>{move || title()}</strong>
            </div>
            <p class="box-name">
                {move || match dashboard.get() {
                    Some(href) => view! { <a href=href rel="external">{name.get()}<Icon glyph=Glyph::External/></a> }.into_any(),
                    None => view! { <span>{name.get()}</span> }.into_any(),
                }}
                <If when=here><span class="muted">" (this server)"</span></If>
            </p>
            <Lines lines=lines/>
            <If when=move || age.get().is_some()><span class="line age">{move || age.get()}</span></If>
        }.into_any()
    };
    let class = move || format!("server-box {}", tone_class(tone.get()));
    let server = move || {
        if !exists.get() {
            return view! { <NoBackup/> }.into_any();
        }
        if !here.get() {
            return view! { <div class=class role="group" aria-label=title>{inside()}</div> }.into_any();
        }
        view! {
            <div
                node_ref=element
                class=move || format!("{} here", class())
                role="group"
                aria-label=title
                tabindex="0"
                on:contextmenu=move |event| host.on_context_menu(&event)
                on:keydown=move |event| host.on_key(&event)
                on:pointerdown=move |event| host.on_pointer_down(&event)
                on:pointerup=move |_| host.on_pointer_end()
                on:pointermove=move |_| host.on_pointer_end()
                on:pointercancel=move |_| host.on_pointer_end()
            >
                {inside()}
                <ServerMenu host=host/>
            </div>
        }
        .into_any()
    };
    view! { {move || server()} }.into_any()
}

/// What to do about a zone without a Backup.
#[component]
fn NoBackup() -> impl IntoView {
    view! {
        <div class="server-box neutral missing" role="group" aria-label="Backup server">
            <div class="box-head"><strong>"No Backup server yet"</strong></div>
            <p class="line">"If the Primary died now, agents would follow their offline policy. Set up a Backup on another machine:"</p>
            <code class="command">"userlock setup --role backup --primary …"</code>
        </div>
    }
    .into_any()
}
