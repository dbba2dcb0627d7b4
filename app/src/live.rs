//! The one live stream: it reconnects, backs off, and says since when the page is stale.
//!
//! Every page reads the pair from [`Live`]; the first value comes with the page itself.

use leptos::{prelude::*, task::spawn_local};
use userlock_core::api::Overview;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent};

use crate::{
    api::{self, Caller, Frame, Right},
    browser,
    present::time::Zone,
};

/// Without a sign of life for so long, in ms, the stream counts as lost: the server sends one each 5 s.
const SILENCE_MS: i64 = 12_000;
/// The longest wait before another attempt, in ms.
const MAX_BACK_OFF_MS: u32 = 15_000;

/// How the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The page has just been opened.
    Starting,
    /// What is shown is as it is.
    Live,
    /// What is shown is as it was then, in ms since 1970 UTC by the server's clock.
    Lost {
        /// The last sign of life.
        since: i64,
    },
}

/// What every page knows. A context of all pages.
#[derive(Clone, Copy)]
pub struct Live {
    overview: RwSignal<Option<Overview>>,
    caller: RwSignal<Option<Caller>>,
    /// How the stream is.
    pub stream: RwSignal<Stream>,
    /// The zone in which times are shown: UTC until the browser says which.
    pub zone: RwSignal<Zone>,
    /// The server's clock, in ms since 1970 UTC; moves on each second.
    pub now: RwSignal<i64>,
    /// Times, in the browser's clock, and how the server's differs.
    clock: StoredValue<Clock>,
    source: browser::Held<Source>,
    visited: StoredValue<bool>,
}

#[derive(Clone, Copy, Default)]
struct Clock {
    /// The server's less the browser's.
    difference: i64,
    last_event: i64,
    back_off: u32,
}

/// An open stream with what listens to it.
struct Source {
    stream: EventSource,
    _listeners: [Closure<dyn FnMut(MessageEvent)>; 2],
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stream.set_onerror(None);
        self.stream.close();
    }
}

impl Live {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            overview: RwSignal::new(None),
            caller: RwSignal::new(None),
            stream: RwSignal::new(Stream::Starting),
            zone: RwSignal::new(Zone::default()),
            now: RwSignal::new(0),
            clock: StoredValue::new(Clock::default()),
            source: StoredValue::new(None),
            visited: StoredValue::new(false),
        }
    }

    /// The context of this page.
    #[must_use]
    pub fn of_page() -> Self {
        use_context().unwrap_or_else(Self::new)
    }

    /// Takes over what came with the page.
    pub fn begin(self, frame: Frame) {
        self.now.set(frame.overview.server.now);
        self.caller.set(Some(frame.caller));
        self.overview.set(Some(frame.overview));
    }

    /// Something of the pair, read with a subscription; the default before the page is begun.
    pub fn read<T: Default>(self, what: impl FnOnce(&Overview) -> T) -> T {
        self.overview.with(|overview| overview.as_ref().map(what).unwrap_or_default())
    }

    /// Who is signed in.
    #[must_use]
    pub fn caller(self) -> Option<Caller> {
        self.caller.get()
    }

    /// Whether who is signed in has a right.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        self.caller.with(|caller| caller.as_ref().is_some_and(|c| c.may(right)))
    }

    /// The same as [`Self::may`] as it is now, for what is decided once.
    #[must_use]
    pub fn may_now(self, right: Right) -> bool {
        self.caller.with_untracked(|caller| caller.as_ref().is_some_and(|c| c.may(right)))
    }

    /// Whether another page was shown before this one, without loading the document anew. Asked once by each page.
    pub fn came_from_another_page(self) -> bool {
        let before = self.visited.get_value();
        self.visited.set_value(true);
        before
    }

    /// Opens the stream and starts the clock. In the browser, once.
    pub fn start(self) {
        self.zone.set(Zone::east(browser::minutes_east()));
        let local = browser::now();
        self.clock.set_value(Clock { difference: self.now.get_untracked() - local, last_event: local, back_off: 500 });
        self.connect();
        let tick = set_interval_with_handle(move || self.tick(), std::time::Duration::from_secs(1));
        on_cleanup(move || {
            if let Ok(tick) = tick {
                tick.clear();
            }
            browser::hold(self.source, None);
        });
    }

    fn tick(self) {
        let local = browser::now();
        let clock = self.clock.get_value();
        self.now.set(local + clock.difference);
        if self.stream.get_untracked() == Stream::Live && local - clock.last_event > SILENCE_MS {
            self.lose();
        }
    }

    fn connect(self) {
        let Ok(stream) = EventSource::new("/live") else { return self.lose() };
        let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(text) = event.data().as_string() else { return };
            if let Ok(overview) = api::read::<Overview>(&text) {
                self.hear(overview);
            }
        });
        let failed = Closure::<dyn FnMut(MessageEvent)>::new(move |_| self.lose());
        let listened = stream.add_event_listener_with_callback("overview", heard.as_ref().unchecked_ref());
        stream.set_onerror(Some(failed.as_ref().unchecked_ref()));
        browser::hold(self.source, Some(Source { stream, _listeners: [heard, failed] }));
        if listened.is_err() {
            self.lose();
        }
    }

    fn hear(self, overview: Overview) {
        let local = browser::now();
        self.clock.set_value(Clock { difference: overview.server.now - local, last_event: local, back_off: 500 });
        self.now.set(overview.server.now);
        self.overview.set(Some(overview));
        self.stream.set(Stream::Live);
    }

    /// Says since when, and tries again after a while: first with a plain call, which tells when the sign-in is over.
    fn lose(self) {
        let mut clock = self.clock.get_value();
        if !matches!(self.stream.get_untracked(), Stream::Lost { .. }) {
            self.stream.set(Stream::Lost { since: clock.last_event + clock.difference });
        }
        let wait = clock.back_off;
        clock.back_off = wait.saturating_mul(2).min(MAX_BACK_OFF_MS);
        self.clock.set_value(clock);
        set_timeout(
            move || {
                // The old stream may be the one whose callback called here, so it is closed only now.
                browser::hold(self.source, None);
                spawn_local(async move {
                    match api::ask(api::GetFrame {}).await {
                        Ok(frame) => {
                            self.begin(frame);
                            self.connect();
                        }
                        Err(refused) if refused.needs_sign_in() => browser::sign_in_again(),
                        Err(_) => self.lose(),
                    }
                });
            },
            std::time::Duration::from_millis(wait.into()),
        );
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}
