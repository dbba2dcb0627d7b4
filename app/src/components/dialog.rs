//! A dialog. The browser keeps the focus inside, closes it with Escape and gives the focus back.

use leptos::{html, prelude::*};

use super::{Glyph, Icon, If};
use crate::browser;

/// Opens it and puts the focus where the work begins: in the field that is marked for it, else on the main button.
fn begin(dialog: NodeRef<html::Dialog>, open: RwSignal<bool>) {
    let Some(element) = dialog.get_untracked() else { return };
    if !open.get_untracked() || element.open() {
        return;
    }
    // It fails only for an element that is not in the page.
    let _ = element.show_modal();
    let first = |selector| browser::all(&element, selector).into_iter().next();
    if let Some(target) =
        first("[autofocus]").or_else(|| first(".dialog-body .primary:not(:disabled)")).or_else(|| first("button"))
    {
        browser::focus_element(&target);
    }
}

/// A modal dialog, open while `open` is true.
#[component]
pub fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its heading.
    #[prop(into)]
    title: Signal<String>,
    /// What is in it; made anew each time that it is opened.
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(element) = dialog.get() else { return };
        if open.get() && !element.open() {
            // By then a menu that was opened from has given the focus back to where it goes after the dialog, and
            // what is in the dialog is rendered.
            request_animation_frame(move || begin(dialog, open));
        } else if !open.get() && element.open() {
            element.close();
        }
    });
    let children = StoredValue::new(children);
    view! {
        <dialog node_ref=dialog class="dialog" aria-label=move || title.get() on:close=move |_| open.set(false)>
            <If when=open>
                <header class="dialog-head">
                    <h2>{move || title.get()}</h2>
                    <button r#type="button" class="icon-button" aria-label="Close" on:click=move |_| open.set(false)>
                        <Icon glyph=Glyph::Close/>
                    </button>
                </header>
                <div class="dialog-body">{children.with_value(|children| children())}</div>
            </If>
        </dialog>
    }
    .into_any()
}
