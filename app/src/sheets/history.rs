//! The history of the zone's settings: which revisions there were, what each changed, and going back to one.

use userlock_core::api::RevisionView;

use super::{Outcome, Pages, Sent, cell, changes, columns, nothing, sections::title_of, titled};
use crate::{
    api::{Area, Caller, Right},
    ports::{Compared, SharedPorts},
    present::{query, words},
    sheet::{Cell, Form, Group, Row, Saved, Sheet, Table},
};

/// The list of revisions (an empty rest, or `before/CURSOR`), or the page of one (`N`; `N/M` to compare it with M;
/// `N/before/CURSOR` with others that it can be compared with).
pub async fn sheet(ports: SharedPorts, caller: Caller, rest: &str) -> Outcome<Sheet> {
    let steps: Vec<&str> = rest.split('/').filter(|step| !step.is_empty()).collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| nothing());
    match steps.as_slice() {
        [] => list(ports, caller, String::new()).await,
        ["before", cursor] => list(ports, caller, (*cursor).to_owned()).await,
        ["own", n] => super::own::change_sheet(ports, caller, number(n)?).await,
        [n] => one(ports, caller, number(n)?, None, String::new()).await,
        [n, "before", cursor] => one(ports, caller, number(n)?, None, (*cursor).to_owned()).await,
        [n, other] => one(ports, caller, number(n)?, Some(number(other)?), String::new()).await,
        _ => Err(nothing()),
    }
}

/// The heads of a list of revisions.
const COLUMNS: [&str; 5] = ["Revision", "When", "Who", "What", "Why"];
/// How many revisions one is offered to be compared with, on one page.
const OTHERS: u32 = 20;

fn row(href: String, view: RevisionView) -> Row {
    Row {
        href: Some(href),
        cells: vec![
            cell(view.n.to_string()),
            Cell { text: String::new(), at: Some(view.at) },
            cell(view.by),
            cell(title_of(&view.section)),
            cell(view.reason.unwrap_or_default()),
        ],
        ..Row::default()
    }
}

/// The link to the page of revisions before these.
fn older(home: &str, cursor: Option<String>) -> Option<(String, String)> {
    cursor.map(|cursor| (format!("{home}/before/{}", query::encode(&cursor)), "Older revisions".to_owned()))
}

/// A page of revisions, each with the way to compare one with it.
async fn others(ports: &SharedPorts, caller: Caller, n: u64, cursor: String) -> Outcome<Table> {
    let home = format!("/properties/history/{n}");
    let page = ports.revisions(caller, Some(OTHERS), cursor).await?;
    let other = page.items.into_iter().filter(|view| view.n != n);
    Ok(Table {
        heading: "Compare with another revision".into(),
        columns: columns(&COLUMNS),
        rows: other.map(|view| row(format!("{home}/{}", view.n), view)).collect(),
        empty: "There is no other.".into(),
        next: older(&home, page.next),
        ..Table::default()
    })
}

async fn list(ports: SharedPorts, caller: Caller, cursor: String) -> Outcome<Sheet> {
    let own = super::own::changes_table(&ports).await?;
    let page = ports.revisions(caller, None, cursor).await?;
    let table = Table {
        heading: "Revisions".into(),
        columns: columns(&COLUMNS),
        rows: page.items.into_iter().map(|view| row(format!("/properties/history/{}", view.n), view)).collect(),
        next: older("/properties/history", page.next),
        ..Table::default()
    };
    Ok(Sheet {
        title: titled("History"),
        note: "Every change of the zone's settings: who, when and why. A revision is never changed.".into(),
        tables: vec![table, own],
        ..Sheet::default()
    })
}

/// Who made a revision, of what, and why.
fn told(view: &RevisionView) -> String {
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} changed {}{reason}", view.by, title_of(&view.section))
}

async fn one(ports: SharedPorts, caller: Caller, n: u64, with: Option<u64>, cursor: String) -> Outcome<Sheet> {
    let Compared { revision: later, before: earlier, changes } = ports.revision(caller.clone(), n, with).await?;
    // What the page is of may be the earlier one of the two.
    let (revision, other) = match &earlier {
        Some(earlier) if later.n != n => (earlier, Some(&later)),
        earlier => (&later, earlier.as_ref()),
    };
    let general = ports.section("general".to_owned()).await?;
    let latest = ports.overview().await?.server.settings_revision.n;
    let what = title_of(&revision.section);
    let mut tables = changes::tables(changes, &ports.events(), earlier.is_none());
    if tables.is_empty() {
        tables.push(Table {
            heading: "Nothing differs".into(),
            empty: "Or nothing that you may see.".into(),
            ..Table::default()
        });
    }
    if let Some(table) = tables.first_mut() {
        table.note = match other {
            Some(other) if other.n > n => {
                format!("Compared with revision {}, which is the later one of the two.", other.n)
            }
            Some(other) => format!("Compared with revision {}.", other.n),
            None => "It is the first that this server knows.".to_owned(),
        };
        table.add = (latest > n)
            .then(|| (format!("/properties/history/{latest}/{n}"), "Compare the present one with it".to_owned()));
    }
    // To go back takes the right to do so at all, and the right to what it would change.
    let may = match revision.section.as_str() {
        "security" => false,
        "protected-accounts" => caller.may(Right::Write(Area::ProtectedAccounts)),
        _ => true,
    };
    let back = general.read_only.is_none() && caller.may(Right::Write(Area::Settings)) && may;
    let note =
        "Makes a new revision in which this section is what it was in this one. Other sections stay as they are.";
    let restore = Form {
        action: Pages::History.action().into(),
        slug: slug_of(n),
        etag: general.etag,
        editable: true,
        button: format!("Bring back {what} as of revision {n}"),
        busy: "Bringing it back\u{2026}".into(),
        groups: vec![Group { heading: "Bring it back".into(), note: note.into(), fields: Vec::new() }],
        ..Form::default()
    };
    tables.push(others(&ports, caller, n, cursor).await?);
    let (title, note) = match earlier.as_ref().filter(|_| with.is_some_and(|with| with != n)) {
        Some(earlier) => (
            format!("Revisions {} and {}", earlier.n, later.n),
            format!("{}: {}. {}: {}", earlier.n, told(earlier), later.n, told(&later)),
        ),
        None => (format!("Revision {n}"), told(revision)),
    };
    Ok(Sheet {
        title: titled(&title),
        note,
        read_only: general.read_only,
        tables,
        form: back.then_some(restore),
        form_last: true,
        ..Sheet::default()
    })
}

/// The name of the form to go back to a revision.
fn slug_of(n: u64) -> String {
    format!("history/{n}")
}

/// Goes back to a revision, or to a change of this server's own settings, as its form says.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub async fn restore(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    if sent.slug.starts_with("history/own/") {
        return super::own::restore(ports, caller, sent).await;
    }
    let n = sent.slug.rsplit('/').next().and_then(|n| n.parse::<u64>().ok()).filter(|n| slug_of(*n) == sent.slug);
    let n = n.ok_or_else(nothing)?;
    let etag = ports.restore(caller, n, sent.etag, words::given(&sent.reason)).await?;
    Ok(Saved {
        etag,
        text: format!("What revision {n} changed is back as it was then."),
        to: "/properties/history".into(),
        ..Saved::default()
    })
}
