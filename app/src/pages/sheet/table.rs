//! The tables of a page of Properties, and what can be done with their rows.

use leptos::prelude::*;

use super::heading;
use crate::{
    components::When,
    sheet::{Action, Cell, Row, Table},
};

/// A button that is a form of its own.
fn action_of(action: Action) -> AnyView {
    view! {
        <form method="post" action=action.action>
            {action.hidden.into_iter().map(|(name, value)| view! { <input r#type="hidden" name=name value=value/> }.into_any()).collect_view()}
            <button class="danger small">{action.button}</button>
        </form>
    }
    .into_any()
}

/// A table, or where it is folded its heading until it is opened.
pub fn table_of(table: Table) -> AnyView {
    let Table { heading: title, folded, note, add, columns, rows, empty, next } = table;
    let acts = rows.iter().any(|row| row.link.is_some() || row.action.is_some());
    let is_empty = rows.is_empty();
    let labels = columns.clone();
    let row = move |row: Row| {
        let Row { href, cells, link, action } = row;
        let mut cells = cells.into_iter().zip(labels.clone());
        let first = cells.next().map(|(cell, _)| match href {
            Some(href) => view! { <th scope="row"><a href=href>{cell_of(cell)}</a></th> }.into_any(),
            None => view! { <th scope="row">{cell_of(cell)}</th> }.into_any(),
        });
        let rest = cells.map(|(cell, label)| view! { <td data-label=label>{cell_of(cell)}</td> }.into_any());
        view! {
            <tr>
                {first}
                {rest.collect_view()}
                {acts.then(|| view! { <td class="row-action">{link.map(|(href, word)| link_of(href, word, "button small"))}{action.map(action_of)}</td> }.into_any())}
            </tr>
        }
        .into_any()
    };
    let head = columns.into_iter().map(|column| view! { <th scope="col">{column}</th> }.into_any()).collect_view();
    let last = acts.then(|| view! { <th scope="col"><span class="visually-hidden">"Action"</span></th> }.into_any());
    let contents = if is_empty {
        view! { <p class="muted">{empty}</p> }.into_any()
    } else {
        view! {
            <div class="table-wrap" tabindex="0" role="region" aria-label=title.clone()>
                <table class="sheet">
                    <caption class="visually-hidden">{title.clone()}</caption>
                    <thead><tr>{head}{last}</tr></thead>
                    <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    if folded {
        return view! { <details class="panel"><summary>{title}</summary>{contents}</details> }.into_any();
    }
    view! {
        <section class="panel stack">
            <header class="panel-head">
                <div>{heading(title)}{(!note.is_empty()).then(|| view! { <p class="muted">{note}</p> }.into_any())}</div>
                {add.map(|(href, word)| link_of(href, word, "button"))}
            </header>
            {contents}
            {next.map(|(href, word)| view! { <nav class="pages"><a class="button" rel="next" href=href>{word}</a></nav> }.into_any())}
        </section>
    }
    .into_any()
}

fn link_of(href: String, word: String, class: &'static str) -> AnyView {
    view! { <a class=class href=href>{word}</a> }.into_any()
}

fn cell_of(cell: Cell) -> AnyView {
    match cell.at {
        Some(at) => view! { <When at=Some(at)/> }.into_any(),
        None => view! { {cell.text} }.into_any(),
    }
}
