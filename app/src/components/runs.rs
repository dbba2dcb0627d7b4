//! Runs of synchronizations: started from anywhere on a page, followed until they end, shown in place.

use leptos::{prelude::*, task::spawn_local};
use userlock_core::{
    api::{Check, Difference, Problem, RunStarted, RunState, RunView, TestReport, Tone},
    id::RunId,
};

use super::{Badge, Glyph, Icon, If, Notices, problem_text};
use crate::{
    api::{self, Refused},
    browser,
    live::Live,
    memo::Memo,
    present::{
        number::{counted, grouped},
        time, words,
    },
};

/// Calls that failed in a row before a run is given up as unreachable.
const MAX_FAILURES: u32 = 3;
/// The most rows of a difference that are drawn.
const MAX_ROWS: usize = 200;

/// What is known of a run that was started here.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// None was.
    Idle,
    /// The server has been asked.
    Starting,
    /// It is at work, or has ended.
    At(Box<RunView>),
    /// It could not be started or followed.
    Refused(Problem),
}

impl Job {
    /// Whether it is at work.
    #[must_use]
    pub fn busy(&self) -> bool {
        match self {
            Self::Starting => true,
            Self::At(run) => run.state == RunState::Running,
            Self::Idle | Self::Refused(_) => false,
        }
    }
}

/// The runs that were started on this page. A context of all pages, so that each place shows the same.
#[derive(Clone, Copy)]
pub struct Runs {
    /// Events synchronization.
    pub events: RwSignal<Job>,
    /// The preview of Sessions synchronization.
    pub preview: RwSignal<Job>,
    /// Sessions synchronization.
    pub sessions: RwSignal<Job>,
    /// The test of the connection: absent before it, then what it found.
    pub test: RwSignal<Option<Result<TestReport, Problem>>>,
    /// Whether the test is being made.
    pub testing: RwSignal<bool>,
    /// Whether the dialog of Sessions synchronization is open.
    pub sessions_dialog: RwSignal<bool>,
    /// Whether the dialog of the test is open.
    pub test_dialog: RwSignal<bool>,
    notices: Notices,
}

impl Runs {
    /// None yet.
    #[must_use]
    pub fn new(notices: Notices) -> Self {
        Self {
            events: RwSignal::new(Job::Idle),
            preview: RwSignal::new(Job::Idle),
            sessions: RwSignal::new(Job::Idle),
            test: RwSignal::new(None),
            testing: RwSignal::new(false),
            sessions_dialog: RwSignal::new(false),
            test_dialog: RwSignal::new(false),
            notices,
        }
    }

    /// The context of this page.
    #[must_use]
    pub fn of_page() -> Self {
        use_context().unwrap_or_else(|| Self::new(Notices::of_page()))
    }

    /// Synchronizes events. `tell` for a place that has no room for the result: then it is told above the page.
    pub fn synchronize_events(self, tell: bool) {
        if self.events.with_untracked(Job::busy) {
            return;
        }
        self.events.set(Job::Starting);
        spawn_local(async move {
            follow(self.events, api::ask(api::SynchronizeEvents {}).await).await;
            if tell {
                self.tell(self.events);
            }
        });
    }

    /// Compares the lists; nothing is changed.
    pub fn preview_sessions(self) {
        if self.preview.with_untracked(Job::busy) {
            return;
        }
        self.sessions.set(Job::Idle);
        self.preview.set(Job::Starting);
        spawn_local(
            async move { follow(self.preview, api::ask(api::SynchronizeSessions { preview: true }).await).await },
        );
    }

    /// Makes this list the same as the Primary's.
    pub fn synchronize_sessions(self) {
        if self.sessions.with_untracked(Job::busy) {
            return;
        }
        self.sessions.set(Job::Starting);
        spawn_local(async move {
            follow(self.sessions, api::ask(api::SynchronizeSessions { preview: false }).await).await;
            self.preview.set(Job::Idle);
        });
    }

    /// Opens the dialog of Sessions synchronization with a fresh preview.
    pub fn open_sessions(self) {
        self.sessions.update(|job| {
            if !job.busy() {
                *job = Job::Idle;
            }
        });
        self.sessions_dialog.set(true);
        self.preview_sessions();
    }

    /// Asks a run to stop.
    pub fn cancel(self, run: RunId) {
        spawn_local(async move {
            if let Err(refused) = api::ask(api::CancelRun { run }).await {
                self.notices.tell(Tone::Down, problem_text(&refused.0));
            }
        });
    }

    /// Tests the connection, in its dialog.
    pub fn test_connection(self) {
        self.test_dialog.set(true);
        if self.testing.get_untracked() {
            return;
        }
        self.testing.set(true);
        self.test.set(None);
        spawn_local(async move {
            let report = api::ask(api::TestConnection {}).await;
            if let Err(refused) = &report
                && refused.needs_sign_in()
            {
                browser::sign_in_again();
            }
            self.test.set(Some(report.map_err(|refused| refused.0)));
            self.testing.set(false);
        });
    }

    fn tell(self, job: RwSignal<Job>) {
        job.with_untracked(|job| match job {
            Job::At(run) => {
                self.notices.tell(run_tone(run), format!("{}: {}", words::run_kind(run), words::run_result(run)))
            }
            Job::Refused(problem) => self.notices.tell(Tone::Down, problem_text(problem)),
            Job::Idle | Job::Starting => {}
        });
    }
}

/// Follows a run until it ends: each call waits up to a second for that on the server.
async fn follow(job: RwSignal<Job>, started: Result<RunStarted, Refused>) {
    let mut failures = 0;
    let id = match started {
        Ok(started) => started.run,
        Err(refused) => return give_up(job, refused),
    };
    loop {
        match api::ask(api::GetRun { run: id, wait: 1 }).await {
            Ok(run) => {
                failures = 0;
                let ended = run.state != RunState::Running;
                job.set(Job::At(Box::new(run)));
                if ended {
                    return;
                }
            }
            Err(refused) => {
                failures += 1;
                if refused.0.status != 0 || failures >= MAX_FAILURES {
                    return give_up(job, refused);
                }
            }
        }
    }
}

fn give_up(job: RwSignal<Job>, refused: Refused) {
    if refused.needs_sign_in() {
        browser::sign_in_again();
    }
    job.set(Job::Refused(refused.0));
}

/// The tone of a run.
#[must_use]
pub fn run_tone(run: &RunView) -> Tone {
    match run.state {
        RunState::Running => Tone::Neutral,
        RunState::Succeeded => Tone::Ok,
        RunState::Failed => Tone::Down,
        RunState::Cancelled => Tone::Attention,
    }
}

/// A run's progress while it works, then what it did: in the place where it was started.
#[component]
pub fn JobView(
    /// The run.
    job: RwSignal<Job>,
) -> impl IntoView {
    let runs = Runs::of_page();
    let live = Live::of_page();
    let text = move || {
        job.with(|job| match job {
            Job::Idle => String::new(),
            Job::Starting => "Asking the server…".to_owned(),
            Job::At(run) if run.state == RunState::Running => words::run_result(run),
            Job::At(run) => format!("{} · {}", words::run_result(run), words::run_took(run, live.now.get_untracked())),
            Job::Refused(problem) => problem_text(problem),
        })
    };
    let tone = Signal::derive(move || {
        job.with(|job| match job {
            Job::At(run) => run_tone(run),
            Job::Refused(_) => Tone::Down,
            Job::Idle | Job::Starting => Tone::Neutral,
        })
    });
    let shown = Memo::new(move || job.with(|job| *job != Job::Idle));
    let busy = Memo::new(move || job.with(Job::busy));
    let progress = move || {
        job.with(|job| match job {
            Job::At(run) => run.progress.of.filter(|of| *of > 0).map(|of| (run.progress.done, of)),
            _ => None,
        })
    };
    let cancel = move |_| {
        if let Job::At(run) = job.get_untracked() {
            runs.cancel(run.run);
        }
    };
    view! {
        <div class="job" role="status" aria-live="polite">
            <If when=shown>
                <p class=move || format!("job-text {}", super::tone_class(tone.get()))>
                    <If when=move || !busy.get()>
                        <Icon glyph=Signal::derive(move || Glyph::of(tone.get()))/>
                    </If>
                    {move || text()}
                </p>
                <If when=busy>
                    <div class="job-progress">
                        <progress aria-label="Progress" value=move || progress().map(|p| p.0.to_string()) max=move || progress().map(|p| p.1.to_string())></progress>
                        <button r#type="button" class="small" on:click=cancel>"Cancel"</button>
                    </div>
                </If>
            </If>
        </div>
    }
    .into_any()
}

/// The difference that a preview found or a run made, session by session.
#[component]
pub fn DifferenceTable(
    /// The run.
    run: RunView,
) -> impl IntoView {
    let Some(result) = run.sessions else { return ().into_any() };
    let live = Live::of_page();
    let total = result.added + result.changed + result.closed;
    let compared = format!("Compared with the Primary at position {}.", grouped(result.position));
    let equal = format!("{} equal.", counted(result.unchanged, "session is", "sessions are"));
    if total == 0 {
        return view! { <p class="muted">{format!("{compared} The lists do not differ: {equal}")}</p> }.into_any();
    }
    let shown = result.items.len().min(MAX_ROWS) as u64;
    let more = (total > shown).then(|| format!("And {} more.", grouped(total - shown)));
    let head = if run.preview { format!("Nothing has changed yet. {compared}") } else { compared };
    let rows = result.items.into_iter().take(MAX_ROWS).map(|item| {
        let tone = match item.difference {
            Difference::Add => Tone::Ok,
            Difference::Change => Tone::Attention,
            Difference::Close => Tone::Down,
        };
        let side = move |side| move || live.zone.with(|zone| words::side(side, zone, live.now.get_untracked()));
        let (here, there) = (side(item.here), side(item.there));
        view! {
            <tr>
                <td><Badge tone=tone text=words::difference(item.difference)/></td>
                <th scope="row">{item.user}</th>
                <td>{item.machine}</td>
                <td>{move || here()}</td>
                <td>{move || there()}</td>
            </tr>
        }
        .into_any()
    });
    let rows: Vec<_> = rows.collect();
    view! {
        <p class="muted">{head}</p>
        <div class="table-wrap" tabindex="0" role="region" aria-label="Differences">
            <table class="difference">
                <caption class="visually-hidden">"The difference, session by session"</caption>
                <thead>
                    <tr>
                        <th scope="col"><span class="visually-hidden">"What"</span></th>
                        <th scope="col">"User"</th>
                        <th scope="col">"Machine"</th>
                        <th scope="col">"Here"</th>
                        <th scope="col">"On the Primary"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="muted">{more}" "{equal}</p>
    }
    .into_any()
}

/// Sessions synchronization: first what would change, then the change, in the same place.
#[component]
pub fn SessionsSync() -> impl IntoView {
    let runs = Runs::of_page();
    let live = Live::of_page();
    let difference = move || {
        let done = runs.sessions.get();
        let job =
            if matches!(&done, Job::At(run) if run.state == RunState::Succeeded) { done } else { runs.preview.get() };
        match job {
            Job::At(run) if run.state == RunState::Succeeded => Some(view! { <DifferenceTable run=*run/> }.into_any()),
            _ => None,
        }
    };
    let previewed = Memo::new(move || matches!(runs.preview.get(), Job::At(run) if run.state == RunState::Succeeded));
    let comparing = Memo::new(move || runs.preview.with(Job::busy));
    let busy = Memo::new(move || runs.sessions.with(Job::busy));
    let forbidden = move || !live.may(api::Right::Write(api::Area::Synchronization));
    view! {
        <div class="sessions-sync">
            <If when=move || !previewed.get()>
                <JobView job=runs.preview/>
            </If>
            {move || difference()}
            <JobView job=runs.sessions/>
            <div class="buttons">
                <button
                    r#type="button"
                    class="primary"
                    disabled=move || busy.get() || comparing.get() || forbidden()
                    on:click=move |_| runs.synchronize_sessions()
                >
                    "Synchronize sessions"
                </button>
                <button
                    r#type="button"
                    disabled=move || comparing.get() || busy.get() || forbidden()
                    on:click=move |_| runs.preview_sessions()
                >
                    {move || (if previewed.get() { "Compare again" } else { "Preview" }).to_owned()}
                </button>
            </div>
        </div>
    }
    .into_any()
}

/// What the test of the connection found, check by check.
#[component]
pub fn TestView() -> impl IntoView {
    let runs = Runs::of_page();
    let report = move || match runs.test.get() {
        None => view! { <p class="muted" role="status">"Testing…"</p> }.into_any(),
        Some(Err(problem)) => view! { <p class="job-text bad" role="status">{problem_text(&problem)}</p> }.into_any(),
        Some(Ok(report)) => {
            let summary = words::test_result(&report);
            checks_of(report, summary)
        }
    };
    view! {
        {move || report()}
        <div class="buttons">
            <button r#type="button" disabled=move || runs.testing.get() on:click=move |_| runs.test_connection()>"Test again"</button>
        </div>
    }
    .into_any()
}

/// What a test found, check by check, and in sum.
#[must_use]
pub fn checks_of(report: TestReport, summary: String) -> AnyView {
    let check = |check: Check| {
        let (tone, said) = match check.ok {
            Some(true) => (Tone::Ok, "passed"),
            Some(false) => (Tone::Down, "failed"),
            None => (Tone::Neutral, "not made"),
        };
        view! {
            <li class=super::tone_class(tone)>
                <Icon glyph=Glyph::of(tone)/>
                <div>
                    <strong>{words::check_name(&check.name).to_owned()}</strong>
                    <span class="visually-hidden">{format!(" {said}")}</span>
                    <span class="muted">{check.detail}</span>
                </div>
            </li>
        }
        .into_any()
    };
    let checks: Vec<_> = report.checks.into_iter().map(check).collect();
    view! { <ul class="checks">{checks}</ul><p role="status" class="muted">{summary}</p> }.into_any()
}

/// When a run of each kind last did what it should, in a line.
#[must_use]
pub fn last_line(run: &RunView, now: i64) -> String {
    let at = run.ended_at.unwrap_or(run.started_at);
    let what = match (&run.events, &run.sessions) {
        (Some(events), _) => format!(" · {} applied", grouped(events.applied)),
        (_, Some(s)) => {
            format!(" · {} equal, {} changed", grouped(s.unchanged), grouped(s.added + s.changed + s.closed))
        }
        _ => String::new(),
    };
    format!("last {}{what}", time::ago(at, now))
}
