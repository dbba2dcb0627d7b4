//! The rows that are shown. A row's data is a signal, so a change touches only what changed.

use leptos::{prelude::*, task::spawn_local};
use userlock_core::api::{Page, Problem, SessionView};

use super::wanted::Wanted;
use crate::{
    api, browser,
    present::rows::{Mark, merge},
};

/// How long, in ms, a row that came or went is marked.
const MARKED_MS: u64 = 1_200;

/// A row.
#[derive(Clone)]
pub struct Row {
    /// The session's key, as text.
    pub key: String,
    /// The session as it is now.
    pub session: ArcRwSignal<SessionView>,
    /// Whether it has just come or gone.
    pub mark: ArcRwSignal<Mark>,
}

/// All rows, and what belongs to them.
#[derive(Clone, Copy)]
pub struct SessionList {
    /// The rows in their order.
    pub rows: RwSignal<Vec<Row>>,
    /// How many sessions there are on all pages.
    pub total: RwSignal<Option<u64>>,
    /// Where the next page begins.
    pub next: RwSignal<Option<String>>,
    /// How many there are on this page, without those that have just gone.
    pub count: RwSignal<u64>,
    /// Which are selected.
    pub selected: RwSignal<Vec<String>>,
    /// The row that has or last had the focus: the arrow keys start from it.
    pub active: RwSignal<Option<String>>,
    /// Why the rows could not be brought up to date.
    pub problem: RwSignal<Option<Problem>>,
    /// Whether another page or order is on its way.
    pub loading: RwSignal<bool>,
    /// The number of the last request, and of the last answer that counts.
    turn: StoredValue<u64>,
}

impl SessionList {
    pub fn new() -> Self {
        Self {
            rows: RwSignal::new(Vec::new()),
            total: RwSignal::new(None),
            next: RwSignal::new(None),
            count: RwSignal::new(0),
            selected: RwSignal::new(Vec::new()),
            active: RwSignal::new(None),
            problem: RwSignal::new(None),
            loading: RwSignal::new(false),
            turn: StoredValue::new(0),
        }
    }

    /// Takes over the first page.
    pub fn begin(self, page: Page<SessionView>) {
        self.total.set(page.total);
        self.next.set(page.next);
        self.count.set(page.items.len() as u64);
        let rows = page.items.into_iter().map(|session| Row {
            key: session.key.to_string(),
            session: ArcRwSignal::new(session),
            mark: ArcRwSignal::new(Mark::None),
        });
        self.rows.set(rows.collect());
    }

    /// Asks for the page again. With `replaced` it is another page or order, and nothing is marked.
    pub fn refresh(self, wanted: Wanted, replaced: bool) {
        // Another page that is still on its way stays another page, whoever asks again.
        let replaced = replaced || self.loading.get_untracked();
        let turn = self.turn.get_value() + 1;
        self.turn.set_value(turn);
        if replaced {
            self.loading.set(true);
        }
        spawn_local(async move {
            let answer = api::ask(api::GetSessions { query: wanted.query() }).await;
            // A later request has been made: its answer counts.
            if self.turn.get_value() != turn {
                return;
            }
            self.loading.set(false);
            match answer {
                Ok(page) => {
                    self.problem.set(None);
                    self.take(page, replaced);
                }
                Err(refused) if refused.needs_sign_in() => browser::sign_in_again(),
                Err(refused) => self.problem.set(Some(refused.0)),
            }
        });
    }

    fn take(self, page: Page<SessionView>, replaced: bool) {
        self.total.set(page.total);
        self.next.set(page.next);
        self.count.set(page.items.len() as u64);
        let old = self.rows.get_untracked();
        let old_keys: Vec<_> =
            old.iter().filter(|row| row.mark.get_untracked() != Mark::Gone).map(|row| row.key.clone()).collect();
        let new_keys: Vec<_> = page.items.iter().map(|session| session.key.to_string()).collect();
        let order = if replaced {
            new_keys.iter().map(|key| (key.clone(), Mark::None)).collect()
        } else {
            merge(&old_keys, &new_keys)
        };
        // A page is short: to look through it costs less than a tree does.
        let mut sessions: Vec<_> = new_keys.into_iter().zip(page.items).collect();
        let mut rows = Vec::with_capacity(order.len());
        let mut marked = false;
        for (key, mark) in order {
            marked |= mark != Mark::None;
            let at = sessions.iter().position(|(k, _)| *k == key);
            let session = at.map(|at| sessions.swap_remove(at).1);
            match (old.iter().find(|row| row.key == key).cloned(), session) {
                (Some(row), session) => {
                    if let Some(session) = session
                        && row.session.with_untracked(|old| *old != session)
                    {
                        row.session.set(session);
                    }
                    if row.mark.get_untracked() != mark {
                        row.mark.set(mark);
                    }
                    rows.push(row);
                }
                (None, Some(session)) => {
                    rows.push(Row { key, session: ArcRwSignal::new(session), mark: ArcRwSignal::new(mark) });
                }
                (None, None) => {}
            }
        }
        let stays = |key: &String| rows.iter().any(|r| r.key == *key && r.mark.get_untracked() != Mark::Gone);
        if self.selected.with_untracked(|selected| !selected.iter().all(stays)) {
            self.selected.update(|selected| selected.retain(stays));
        }
        self.show(rows);
        if marked {
            set_timeout(move || self.unmark(), std::time::Duration::from_millis(MARKED_MS));
        }
    }

    /// The moment is over: what has gone goes, what is new is like the others.
    fn unmark(self) {
        let gone = |row: &Row| row.mark.get_untracked() == Mark::Gone;
        self.rows.with_untracked(|rows| {
            for row in rows.iter().filter(|row| row.mark.get_untracked() == Mark::New) {
                row.mark.set(Mark::None);
            }
        });
        if !self.rows.with_untracked(|rows| rows.iter().any(gone)) {
            return;
        }
        let rows = self.rows.with_untracked(|rows| rows.iter().filter(|row| !gone(row)).cloned().collect());
        self.show(rows);
    }

    /// Shows these rows. When the active row is not among them, one near it is active, and has the focus if that was there.
    fn show(self, rows: Vec<Row>) {
        let active = self.active.get_untracked();
        let near = active.as_deref().and_then(|active| self.rows.with_untracked(|old| neighbour(old, &rows, active)));
        let focused = near.is_some() && active.as_deref().is_some_and(browser::row_has_focus);
        self.rows.set(rows);
        if let Some(near) = near {
            self.active.set(near);
            if focused {
                request_animation_frame(move || self.focus_row());
            }
        }
    }

    /// Moves a focus that nothing has to the row that last had it, or to the heading when there is none.
    pub fn focus_row(self) {
        if browser::focus_is_lost() {
            let selector = match self.active.get_untracked() {
                Some(key) => browser::row_selector(&key),
                None => "h1".to_owned(),
            };
            browser::focus(&selector);
        }
    }

    /// Selects a row or not.
    pub fn toggle(self, key: &str) {
        self.selected.update(|selected| match selected.iter().position(|k| k == key) {
            Some(at) => _ = selected.swap_remove(at),
            None => selected.push(key.to_owned()),
        });
    }

    /// Selects all rows of the page or none.
    pub fn select_all(self, all: bool) {
        let keys = if all {
            self.rows.with_untracked(|rows| rows.iter().map(|r| r.key.clone()).collect())
        } else {
            Vec::new()
        };
        self.selected.set(keys);
    }

    /// A row's session.
    pub fn session(self, key: &str) -> Option<SessionView> {
        self.rows.with_untracked(|rows| rows.iter().find(|r| r.key == key).map(|r| r.session.get_untracked()))
    }

    /// The sessions that are selected, in the order of the rows.
    pub fn selected_sessions(self) -> Vec<SessionView> {
        let selected = self.selected.get_untracked();
        self.rows.with_untracked(|rows| {
            rows.iter().filter(|r| selected.contains(&r.key)).map(|r| r.session.get_untracked()).collect()
        })
    }
}

/// Which row is the active one when `new` rows take the place of `old` ones: the one that was, which is answered by
/// nothing; else the next of the old ones that stays, else the one before, else the first; none of an empty list.
fn neighbour(old: &[Row], new: &[Row], active: &str) -> Option<Option<String>> {
    let stays = |row: &&Row| new.iter().any(|n| n.key == row.key);
    if new.iter().any(|row| row.key == active) {
        return None;
    }
    let at = old.iter().position(|row| row.key == active).unwrap_or(0);
    let near = old.iter().skip(at).find(stays).or_else(|| old.iter().take(at).rev().find(stays)).or(new.first());
    Some(near.map(|row| row.key.clone()))
}
