//! Welcome: what is needed, and the one-time code.

use leptos::prelude::*;

use super::{
    Step, Trouble,
    parts::{Input, buttons, heading},
};
use crate::components::{Glyph, Icon};

/// What to have at hand: for what, and what.
const NEEDED: [(Glyph, &str, &str); 3] = [
    (
        Glyph::Server,
        "For a Primary server",
        "A name for the protected zone, and a name and a password for its first administrator.",
    ),
    (
        Glyph::Both,
        "For a Backup server",
        "The running Primary's address, the fingerprint of its certificate as its own set-up told it, and an account that is \
         an administrator there.",
    ),
    (
        Glyph::Monitor,
        "For both",
        "The name or address at which machines, browsers and the other server reach this one. Both servers need the same: \
         one TCP port, and about half a kilobyte of disk an event.",
    ),
];

pub(super) fn view(opened: bool, trouble: Option<&Trouble>) -> AnyView {
    let lead = "UserLock watches and controls who is logged on where. A Primary and a Backup server do so together: \
                when one dies, the other goes on. This sets up one of them.";
    let needed = NEEDED.map(|(glyph, name, text)| {
        view! {
            <li>
                <Icon glyph=glyph/>
                <div>
                    <strong>{name}</strong>
                    <p class="muted">{text}</p>
                </div>
            </li>
        }
    });
    let code = Input {
        name: "code",
        label: "One-time code",
        hint: "It stands in the journal of this machine (journalctl -u userlock) and where the server was started: \
               whoever reads it there may set this server up."
            .to_owned(),
        kind: "text",
        autocomplete: "off",
        most: 32,
        required: true,
        first: true,
        ..Input::default()
    };
    view! {
        {heading("Set up this server", lead.to_owned())}
        <ul class="needed">{needed.collect_view()}</ul>
        <form method="post" action=Step::Welcome.path() class="wizard-form">
            {(!opened).then(|| code.view(trouble))}
            {buttons(if opened { "Continue" } else { "Begin" }, false)}
        </form>
    }
    .into_any()
}
