//! Which sessions are wanted: what the address says, and addresses for what else may be wanted.

use userlock_core::{
    api::{SessionQuery, StateFilter},
    event::SessionType,
};

use crate::present::query;

/// Rows on a page.
pub const PAGE: u32 = 50;

/// What the address says. Anything that it cannot say is as if it were absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The text that is searched for.
    pub q: String,
    /// One user's.
    pub user: String,
    /// One machine's.
    pub machine: String,
    /// `workstation`, …; empty for any.
    pub session_type: String,
    /// `open`, …, `any`; empty for all that are not closed.
    pub state: String,
    /// A column, with `-` before it to reverse.
    pub sort: String,
    /// Where the page begins.
    pub cursor: String,
    /// The number of its first row, for people.
    pub from: u64,
}

/// The columns that can be sorted by, as the interface names them.
pub const COLUMNS: [(&str, &str); 8] = [
    ("user", "User"),
    ("type", "Type"),
    ("state", "State"),
    ("machine", "Machine"),
    ("client_name", "Client"),
    ("client_address", "Address"),
    ("since", "Logon"),
    ("last_activity", "Last activity"),
];

impl Wanted {
    /// Reads the address.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| value(name).unwrap_or_default();
        Self {
            q: text("q"),
            user: text("user"),
            machine: text("machine"),
            session_type: text("type"),
            state: text("state"),
            sort: text("sort"),
            cursor: text("cursor"),
            from: text("from").parse().unwrap_or(1).max(1),
        }
    }

    /// The address of this.
    pub fn address(&self) -> String {
        let from = if self.cursor.is_empty() { String::new() } else { self.from.to_string() };
        query::address(
            "/sessions",
            &[
                ("q", &self.q),
                ("user", &self.user),
                ("machine", &self.machine),
                ("type", &self.session_type),
                ("state", &self.state),
                ("sort", &self.sort),
                ("cursor", &self.cursor),
                ("from", &from),
            ],
        )
    }

    /// The address after a change; it begins with the first page.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut wanted = Self { cursor: String::new(), from: 1, ..self.clone() };
        change(&mut wanted);
        wanted.address()
    }

    /// The address of the page that begins at `cursor`.
    pub fn next(&self, cursor: &str, rows: u64) -> String {
        Self { cursor: cursor.to_owned(), from: self.from.saturating_add(rows), ..self.clone() }.address()
    }

    /// The column that the list is sorted by, and whether it is reversed.
    pub fn sorted(&self) -> (&str, bool) {
        match self.sort.strip_prefix('-') {
            Some(column) => (column, true),
            None if self.sort.is_empty() => ("user", false),
            None => (&self.sort, false),
        }
    }

    /// The address of the list sorted by a column: once more on the same one reverses it.
    pub fn sort_by(&self, column: &str) -> String {
        let reverse = self.sorted() == (column, false);
        self.with(|w| w.sort = format!("{}{column}", if reverse { "-" } else { "" }))
    }

    /// Whether anything but the whole list is wanted.
    pub fn filtered(&self) -> bool {
        [&self.q, &self.user, &self.machine, &self.session_type, &self.state].iter().any(|text| !text.is_empty())
    }

    /// The word after the count.
    pub fn state_word(&self) -> &'static str {
        match self.state.as_str() {
            "" => "open",
            "any" => "in all",
            "open" => "in use",
            "locked" => "locked",
            "disconnected" => "disconnected",
            "closed" => "closed",
            _ => "found",
        }
    }

    /// The question for the server.
    pub fn query(&self) -> SessionQuery {
        let given = |text: &String| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let state = match self.state.as_str() {
            "open" => Some(StateFilter::Open),
            "locked" => Some(StateFilter::Locked),
            "disconnected" => Some(StateFilter::Disconnected),
            "closed" => Some(StateFilter::Closed),
            "any" => Some(StateFilter::Any),
            _ => None,
        };
        SessionQuery {
            user: given(&self.user),
            machine: given(&self.machine),
            session_type: SessionType::ALL.into_iter().find(|t| t.as_str() == self.session_type),
            state,
            q: given(&self.q),
            sort: given(&self.sort),
            limit: Some(PAGE),
            cursor: given(&self.cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Wanted {
        let pairs: Vec<_> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Wanted::read(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn a_column_is_reversed_by_asking_again() {
        assert_eq!(read("").sort_by("user"), "/sessions?sort=-user");
        assert_eq!(read("sort=-user").sort_by("user"), "/sessions?sort=user");
        assert_eq!(read("sort=-user&cursor=x&from=51&q=a").sort_by("since"), "/sessions?q=a&sort=since");
    }

    #[test]
    fn the_next_page_knows_its_first_row() {
        assert_eq!(read("type=vpn").next("c1", 50), "/sessions?type=vpn&cursor=c1&from=51");
        assert_eq!(read("cursor=c1&from=51").next("c2", 50), "/sessions?cursor=c2&from=101");
    }

    #[test]
    fn what_is_not_understood_is_absent() {
        let wanted = read("type=nonsense&state=nonsense&from=x");
        let query = wanted.query();
        assert_eq!((query.session_type, query.state, wanted.from), (None, None, 1));
        assert_eq!(read("state=any&type=vpn").query().session_type, Some(SessionType::Vpn));
    }
}
