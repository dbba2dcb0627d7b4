//! Making an enrolment string: what new machines are enrolled with.

use super::{Outcome, Pages, Sent, nothing, titled};
use crate::{
    api::Caller,
    ports::SharedPorts,
    present::words,
    sheet::{Form, Saved, Sheet, Table},
};

/// The page, and its form.
pub const SLUG: &str = "agents/enrolment";

const BUTTON: &str = "Make a new enrolment string";

/// On the page of Agents, what leads to it.
pub fn table() -> Table {
    Table {
        heading: "Enrolment string".into(),
        add: Some((format!("/properties/{SLUG}"), BUTTON.to_owned())),
        empty: "For new machines. It was shown once, when it was made: who does not have it makes a new one.".into(),
        ..Table::default()
    }
}

/// The page.
pub async fn sheet(ports: SharedPorts, caller: Caller) -> Outcome<Sheet> {
    let read_only = ports.read_only();
    if !caller.may(Pages::Enrolment.right()) {
        return Err(nothing());
    }
    let form = Form {
        action: Pages::Enrolment.action().into(),
        slug: SLUG.into(),
        editable: true,
        button: BUTTON.into(),
        busy: "Making it\u{2026}".into(),
        danger: true,
        ..Form::default()
    };
    Ok(Sheet {
        title: titled("New enrolment string"),
        note: "For new machines: with both servers, their certificates as they are now, and a new key. It is shown once. Strings from before no longer work from then on; machines that are enrolled stay so.".into(),
        form: read_only.is_none().then_some(form),
        read_only,
        ..Sheet::default()
    })
}

/// Makes a new zone key, and tells the string to enrol machines with, once.
///
/// # Errors
/// 409, 422 for the reason, 503.
pub async fn make(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    let enrolment = ports.make_enrolment_key(caller, words::given(&sent.reason)).await?;
    let text = "The new enrolment string, for userlock-agent enrol. It is not shown again:";
    Ok(Saved { text: text.into(), secret: Some(enrolment), ..Saved::default() })
}
