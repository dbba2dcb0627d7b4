//! What is asked of the browser. Nothing here may be called while a page is rendered on the server.

use leptos::{
    __reexports::send_wrapper::SendWrapper,
    prelude::{GetValue, SetValue, StoredValue, document, window},
};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlFormElement, HtmlInputElement};

use crate::present::query;

/// The browser's clock, in ms since 1970 UTC.
#[must_use]
pub fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// The browser's zone, in minutes east of UTC.
#[must_use]
pub fn minutes_east() -> i32 {
    -(js_sys::Date::new_0().get_timezone_offset() as i32)
}

/// A place for something of the browser's, empty while a page is rendered on the server: there it may be dropped by
/// another thread.
pub type Held<T> = StoredValue<Option<SendWrapper<T>>>;

/// Keeps something of the browser's.
pub fn hold<T: 'static>(place: Held<T>, value: Option<T>) {
    place.set_value(value.map(SendWrapper::new));
}

/// Remembers which element has the focus.
pub fn hold_focus(place: Held<Element>) {
    hold(place, document().active_element());
}

/// Gives the focus back to the element that had it.
pub fn give_focus_back(place: Held<Element>) {
    if let Some(element) = place.get_value() {
        focus_element(&element);
    }
}

/// Goes to the sign-in page, and back here afterwards.
pub fn sign_in_again() {
    let location = window().location();
    let here = format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
    leave_for(&query::address("/sign-in", &[("next", &here)]));
}

/// Goes to a page that is none of the dashboard's.
pub fn leave_for(address: &str) {
    // Where the browser refuses to go elsewhere, the page stays and still says that it is stale.
    let _ = window().location().assign(address);
}

/// Where a form is sent to: its button may have an address of its own.
#[must_use]
pub fn sent_to(event: &web_sys::SubmitEvent) -> String {
    let by_button = event.submitter().and_then(|button| button.get_attribute("formaction"));
    let by_form = || target(event)?.get_attribute("action");
    by_button.or_else(by_form).unwrap_or_default()
}

/// Whether a form is submitted by Enter in a field of this part of it, and not by a click. Then its first button is the
/// submitter, which nobody sees.
#[must_use]
pub fn is_entered_in(event: &web_sys::SubmitEvent, part: &str) -> bool {
    let by_enter = event.submitter().is_some_and(|button| button.get_attribute("name").as_deref() == Some("by_enter"));
    let field = || document().active_element()?.closest(part).ok().flatten();
    by_enter && field().is_some()
}

/// Empties the fields of a form that fit.
pub fn empty(form: Option<Element>, fields: &str) {
    let Some(found) = form.and_then(|form| form.query_selector_all(fields).ok()) else { return };
    for field in (0..found.length()).filter_map(|index| found.item(index)) {
        if let Ok(field) = field.dyn_into::<HtmlInputElement>() {
            field.set_value("");
        }
    }
}

/// Sends a form as it would be without a script: another page follows. Whether it is one.
pub fn send_plainly(form: Option<Element>) -> bool {
    form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()).is_some_and(|form| form.submit().is_ok())
}

/// The element that an event is about.
#[must_use]
pub fn target(event: &web_sys::Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// Whether keys typed at this element are meant for it.
#[must_use]
pub fn takes_text(element: &Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") || element.has_attribute("contenteditable")
}

/// Moves the focus to the first element that fits.
pub fn focus(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector) {
        focus_element(&element);
    }
}

/// Moves the focus to an element.
pub fn focus_element(element: &Element) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        // An element that cannot have the focus leaves it where it is.
        let _ = element.focus();
    }
}

/// Whether no element has the focus: what had it is gone.
#[must_use]
pub fn focus_is_lost() -> bool {
    document().active_element().is_none_or(|element| element.tag_name() == "BODY")
}

/// How a row with a key is found. Keys are letters, digits and a few signs that mean nothing in a quoted text.
#[must_use]
pub fn row_selector(key: &str) -> String {
    format!("tr[data-key=\"{key}\"]")
}

/// Whether the focus is in the row with this key.
#[must_use]
pub fn row_has_focus(key: &str) -> bool {
    let row = document().active_element().and_then(|element| element.closest("tr[data-key]").ok().flatten());
    row.and_then(|row| row.get_attribute("data-key")).is_some_and(|of| of == key)
}

/// The elements under `root` that fit, in their order.
#[must_use]
pub fn all(root: &Element, selector: &str) -> Vec<Element> {
    let Ok(list) = root.query_selector_all(selector) else { return Vec::new() };
    (0..list.length()).filter_map(|index| list.item(index)?.dyn_into().ok()).collect()
}

/// Moves the focus among the elements under `root` that fit: by `step` from the one that has it, or to an end.
pub fn move_focus(root: &Element, selector: &str, step: Step) {
    let elements = all(root, selector);
    let active = document().active_element();
    let at = active
        .and_then(|active| elements.iter().position(|e| e.is_same_node(Some(&active)) || e.contains(Some(&active))));
    let last = elements.len().saturating_sub(1);
    let next = match (step, at) {
        (Step::First, _) | (Step::Next, None) => 0,
        (Step::Last, _) | (Step::Before, None) => last,
        (Step::Next, Some(at)) => (at + 1).min(last),
        (Step::Before, Some(at)) => at.saturating_sub(1),
    };
    if let Some(element) = elements.get(next) {
        focus_element(element);
    }
}

/// Where to move the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the one after.
    Next,
    /// To the one before.
    Before,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Step {
    /// What an arrow key, Home or End asks for.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        match key {
            "ArrowDown" => Some(Self::Next),
            "ArrowUp" => Some(Self::Before),
            "Home" => Some(Self::First),
            "End" => Some(Self::Last),
            _ => None,
        }
    }
}

/// Puts an element at a place of the window, inside of it. Set through the style object, which the content security
/// policy allows.
pub fn place(element: &HtmlElement, x: f64, y: f64) {
    let size = element.get_bounding_client_rect();
    let room = |name: Result<wasm_bindgen::JsValue, wasm_bindgen::JsValue>| {
        name.ok().and_then(|v| v.as_f64()).unwrap_or(f64::MAX)
    };
    let left = x.min(room(window().inner_width()) - size.width() - 8.0).max(8.0);
    let top = y.min(room(window().inner_height()) - size.height() - 8.0).max(8.0);
    let style = element.style();
    for (name, value) in [
        ("position", "fixed".into()),
        ("left", format!("{}px", left as i32)),
        ("top", format!("{}px", top as i32)),
        ("right", "auto".into()),
    ] {
        // A property that is refused leaves the element at its place in the page.
        let _ = style.set_property(name, &value);
    }
}

/// Undoes [`place`].
pub fn unplace(element: &HtmlElement) {
    for name in ["position", "left", "top", "right"] {
        let _ = element.style().remove_property(name);
    }
}
