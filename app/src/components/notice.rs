//! What just happened, told above the page until it is closed.

use std::sync::Arc;

use leptos::prelude::*;
use userlock_core::api::{Problem, Tone};

use super::{Each, Glyph, Icon, Item, tone_class};
use crate::api::Flash;

/// The most notices at a time: an older one makes room.
const MAX_NOTICES: usize = 4;

/// What just happened. A context of all pages.
#[derive(Clone, Copy)]
pub struct Notices {
    list: RwSignal<Vec<(u64, Tone, String)>>,
    next: StoredValue<u64>,
}

impl Notices {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { list: RwSignal::new(Vec::new()), next: StoredValue::new(1) }
    }

    /// The context of this page.
    #[must_use]
    pub fn of_page() -> Self {
        use_context().unwrap_or_else(Self::new)
    }

    /// Tells something.
    pub fn tell(self, tone: Tone, text: impl Into<String>) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        let text = text.into();
        self.list.update(|list| {
            list.push((id, tone, text));
            let surplus = list.len().saturating_sub(MAX_NOTICES);
            list.drain(..surplus);
        });
    }

    /// Tells what a form did before this page.
    pub fn tell_flash(self, flash: Flash) {
        self.tell(if flash.ok { Tone::Ok } else { Tone::Down }, flash.text);
    }

    /// Forgets all: another page is shown.
    pub fn clear(self) {
        self.list.update(Vec::clear);
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self::new()
    }
}

/// A problem in one text.
#[must_use]
pub fn problem_text(problem: &Problem) -> String {
    format!("{}. {}", problem.title, problem.detail)
}

/// Shows the notices.
#[component]
pub fn NoticesView() -> impl IntoView {
    let notices = Notices::of_page();
    let list = notices.list;
    let notice = move |(id, tone, text): (u64, Tone, String)| -> Item {
        let view = move || {
            view! {
                <div class=format!("banner {}", tone_class(tone))>
                    <Icon glyph=Glyph::of(tone)/>
                    <p>{text.clone()}</p>
                    <button
                        r#type="button"
                        class="icon-button with-script"
                        aria-label="Close this message"
                        on:click=move |_| list.update(|list| list.retain(|(other, ..)| *other != id))
                    >
                        <Icon glyph=Glyph::Close/>
                    </button>
                </div>
            }
            .into_any()
        };
        (id.to_string(), Arc::new(view))
    };
    let items = Signal::derive(move || list.get().into_iter().map(notice).collect());
    view! {
        <div class="notices" role="status" aria-live="polite"><Each items=items/></div>
    }
    .into_any()
}
