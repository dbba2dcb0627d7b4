//! A menu behind a button, which is also the context menu of what it belongs to.
//!
//! Without JavaScript it is a `<details>` with the same entries in it.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent, MouseEvent, PointerEvent};

use super::{Glyph, Icon};
use crate::browser::{self, Step};

/// How long a finger rests, in ms, until the menu opens.
const LONG_PRESS_MS: u64 = 550;

/// Where a menu was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    /// At its button.
    Button,
    /// At a place of the window, in px.
    At(f64, f64),
}

/// Connects a menu with what it belongs to.
#[derive(Clone, Copy)]
pub struct ContextHost {
    asked: RwSignal<Option<Asked>>,
    press: StoredValue<Option<TimeoutHandle>>,
}

impl ContextHost {
    /// Not open.
    #[must_use]
    pub fn new() -> Self {
        Self { asked: RwSignal::new(None), press: StoredValue::new(None) }
    }

    /// For `contextmenu`: right click, and the menu key or Shift+F10 in most browsers.
    pub fn on_context_menu(self, event: &MouseEvent) {
        event.prevent_default();
        event.stop_propagation();
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        // A key has no place: then the menu opens at its button.
        self.asked.set(Some(if x == 0.0 && y == 0.0 { Asked::Button } else { Asked::At(x, y) }));
    }

    /// For `keydown`: the menu key and Shift+F10.
    pub fn on_key(self, event: &KeyboardEvent) {
        if event.key() == "ContextMenu" || (event.key() == "F10" && event.shift_key()) {
            event.prevent_default();
            event.stop_propagation();
            self.asked.set(Some(Asked::Button));
        }
    }

    /// For `pointerdown`: a finger that rests opens the menu.
    pub fn on_pointer_down(self, event: &PointerEvent) {
        self.on_pointer_end();
        if event.pointer_type() != "touch" {
            return;
        }
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        let open = move || self.asked.set(Some(Asked::At(x, y)));
        let handle = set_timeout_with_handle(open, std::time::Duration::from_millis(LONG_PRESS_MS));
        self.press.set_value(handle.ok());
    }

    /// For `pointerup`, `pointermove` and `pointercancel`.
    pub fn on_pointer_end(self) {
        if let Some(handle) = self.press.get_value() {
            handle.clear();
            self.press.set_value(None);
        }
    }

    /// Closes the menu.
    pub fn close(self) {
        self.asked.set(None);
    }
}

impl Default for ContextHost {
    fn default() -> Self {
        Self::new()
    }
}

/// The button with its menu. Its entries have `role="menuitem"`.
#[component]
pub fn Menu(
    /// What the button is for, said and shown when pointed at.
    #[prop(into)]
    label: String,
    /// What the menu belongs to.
    host: ContextHost,
    /// The entries.
    children: Children,
) -> impl IntoView {
    let details = NodeRef::<html::Details>::new();
    let body = NodeRef::<html::Div>::new();
    let asked = host.asked;
    // Where the focus was before the menu opened.
    let before = browser::Held::<web_sys::Element>::new(None);

    Effect::new(move |open_before: Option<bool>| {
        let (Some(details), Some(body)) = (details.get(), body.get()) else { return false };
        let body: &HtmlElement = &body;
        match asked.get() {
            Some(place) => {
                if open_before != Some(true) {
                    browser::hold_focus(before);
                }
                details.set_open(true);
                match place {
                    Asked::Button => browser::unplace(body),
                    Asked::At(x, y) => browser::place(body, x, y),
                }
                browser::move_focus(body, "[role=menuitem]", Step::First);
                true
            }
            None => {
                details.set_open(false);
                // Only a focus that would be lost is given back.
                let inside = document().active_element().is_some_and(|active| body.contains(Some(&active)));
                if open_before == Some(true) && (inside || document().active_element().is_none()) {
                    browser::give_focus_back(before);
                }
                false
            }
        }
    });
    let outside = window_event_listener(ev::pointerdown, move |event| {
        let Some(details) = details.get_untracked() else { return };
        let inside =
            event.target().and_then(|t| t.dyn_into::<web_sys::Node>().ok()).is_some_and(|t| details.contains(Some(&t)));
        if asked.get_untracked().is_some() && !inside {
            asked.set(None);
        }
    });
    on_cleanup(move || outside.remove());

    let on_key = move |event: KeyboardEvent| {
        let Some(body) = body.get() else { return };
        if let Some(step) = Step::of_key(&event.key()) {
            event.prevent_default();
            event.stop_propagation();
            browser::move_focus(&body, "[role=menuitem]", step);
        } else if event.key() == "Escape" || event.key() == "Tab" {
            event.stop_propagation();
            asked.set(None);
        }
    };
    let on_summary = move |event: MouseEvent| {
        event.prevent_default();
        asked.update(|asked| *asked = if asked.is_some() { None } else { Some(Asked::Button) });
    };
    view! {
        <details node_ref=details class="menu">
            <summary class="icon-button" aria-haspopup="menu" aria-label=label.clone() title=label.clone() on:click=on_summary>
                <Icon glyph=Glyph::More/>
            </summary>
            <div node_ref=body class="menu-body" role="menu" aria-label=label on:keydown=on_key on:click=move |_| asked.set(None)>
                {children()}
            </div>
        </details>
    }
    .into_any()
}
