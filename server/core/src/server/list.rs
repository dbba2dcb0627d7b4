//! A page of the list of sessions, out of a snapshot: one pass that keeps only the page's rows, and copies only those.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    account::fold_case,
    api::{DEFAULT_PAGE, MAX_PAGE, Page, SessionColumn, SessionQuery, SessionState, SessionView, StateFilter},
    event::{BootId, LogonId, SessionKey, SessionType, SubState},
    fold::{Bucket, Ending, MachineState, Session},
    id::{Digest, hash128},
    settings::FieldError,
};

/// The longest text to search for, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// The columns by which the list is sorted.
const COLUMNS: &str = "user, type, state, machine, client_name, client_address, since, last_activity";

/// Why a page cannot be made.
pub type ListError = FieldError;

/// The sessions at one moment.
#[derive(Debug, Clone)]
pub struct Listing {
    /// From [`crate::fold::State::snapshot`].
    pub buckets: Vec<Arc<Bucket>>,
}

/// One session with where it is.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    machine: &'a Arc<str>,
    boot: BootId,
    logon: &'a LogonId,
    session: &'a Session,
    ending: Option<Ending>,
}

/// What the next page begins after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The list that it is of: the hash of its filters and its order.
    list: Digest,
    value: Value,
    key: SessionKey,
}

/// What a row is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Value {
    Text(String),
    Number(i64),
}

impl<'a> Row<'a> {
    fn user(&self) -> &'a str {
        self.session.who.as_ref().map_or("", |(_, who, _)| &who.user)
    }

    fn client_name(&self) -> &'a str {
        self.session.who.as_ref().and_then(|(_, who, _)| who.client_name.as_deref()).unwrap_or("")
    }

    fn client_address(&self) -> &'a str {
        self.session.who.as_ref().and_then(|(_, who, _)| who.client_address.as_deref()).unwrap_or("")
    }

    fn session_type(&self) -> Option<SessionType> {
        self.session.who.as_ref().map(|(_, who, _)| who.session_type)
    }

    fn state(&self) -> SessionState {
        if self.ending.is_some() {
            return SessionState::Closed;
        }
        match self.session.sub_state.map(|(_, s)| s).unwrap_or_default() {
            SubState::Open => SessionState::Open,
            SubState::Locked => SessionState::Locked,
            SubState::Disconnected => SessionState::Disconnected,
        }
    }

    fn number(&self, column: SessionColumn) -> Option<i64> {
        match column {
            SessionColumn::Type => Some(self.session_type().map_or(-1, |t| t as i64)),
            SessionColumn::State => Some(self.state() as i64),
            SessionColumn::Since => Some(self.session.who.as_ref().map_or(0, |(_, _, since)| *since)),
            SessionColumn::LastActivity => Some(self.session.evidence.map_or(0, |(_, _, at)| at)),
            _ => None,
        }
    }

    fn text(&self, column: SessionColumn) -> &'a str {
        match column {
            SessionColumn::User => self.user(),
            SessionColumn::Machine => self.machine,
            SessionColumn::ClientName => self.client_name(),
            SessionColumn::ClientAddress => self.client_address(),
            _ => "",
        }
    }

    fn compare(&self, other: &Self, column: SessionColumn) -> Ordering {
        let by_value = match (self.number(column), other.number(column)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => compare_folded(self.text(column), other.text(column)),
        };
        by_value.then_with(|| self.compare_key(other.machine, other.boot, other.logon))
    }

    fn compare_key(&self, machine: &str, boot: BootId, logon: &LogonId) -> Ordering {
        (&**self.machine, self.boot, self.logon).cmp(&(machine, boot, logon))
    }

    fn compare_mark(&self, mark: &Mark, column: SessionColumn) -> Ordering {
        let by_value = match (&mark.value, self.number(column)) {
            (Value::Number(value), Some(number)) => number.cmp(value),
            (Value::Text(value), None) => compare_folded(self.text(column), value),
            _ => Ordering::Equal,
        };
        by_value.then_with(|| self.compare_key(&mark.key.machine, mark.key.boot, &mark.key.logon))
    }

    fn key(&self) -> SessionKey {
        SessionKey { machine: self.machine.clone(), boot: self.boot, logon: self.logon.clone() }
    }

    fn mark(&self, list: Digest, column: SessionColumn) -> Mark {
        let value = self.number(column).map_or_else(|| Value::Text(self.text(column).to_owned()), Value::Number);
        Mark { list, value, key: self.key() }
    }
}

/// Compares without regard to case, and without making a copy.
fn compare_folded(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase()));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

/// Whether `text` has `part`, which is case-folded, in any case.
fn contains_folded(text: &str, part: &str) -> bool {
    if text.is_ascii() && part.is_ascii() {
        return part.is_empty()
            || text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
    }
    text.to_lowercase().contains(part)
}

/// A row in the heap: the greatest is the last of the page.
struct Ranked<'a> {
    row: Row<'a>,
    column: SessionColumn,
    reverse: bool,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.row.compare(&other.row, self.column);
        if self.reverse { order.reverse() } else { order }
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked<'_> {}

/// A query, checked.
struct Plan {
    list: Digest,
    user: Option<String>,
    machine: Option<String>,
    q: Option<String>,
    column: SessionColumn,
    reverse: bool,
    limit: usize,
    mark: Option<Mark>,
}

impl Plan {
    fn new(query: &SessionQuery) -> Result<Self, ListError> {
        let text = |field: &str, value: &Option<String>| match value.as_deref() {
            Some(v) if v.len() > MAX_QUERY_BYTES => {
                Err(FieldError::new(field, format!("must have at most {MAX_QUERY_BYTES} characters")))
            }
            Some(v) if !v.trim().is_empty() => Ok(Some(fold_case(v))),
            _ => Ok(None),
        };
        let sort = query.sort.as_deref().unwrap_or_default();
        let (reverse, column) = sort.strip_prefix('-').map_or((false, sort), |column| (true, column));
        let column = match column {
            "" => SessionColumn::default(),
            name => serde_json::from_value(name.into()).map_err(|_| {
                FieldError::new("sort", format!("must be one of {COLUMNS}, with - before it to reverse"))
            })?,
        };
        let limit = query.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(FieldError::new("limit", format!("must be from 1 to {MAX_PAGE}")));
        }
        let mark = match query.cursor.as_deref() {
            None | Some("") => None,
            Some(text) => Some(read_cursor(text).ok_or_else(|| FieldError::new("cursor", "is not one of this list"))?),
        };
        let (user, machine, q) = (text("user", &query.user)?, text("machine", &query.machine)?, text("q", &query.q)?);
        // A page continues only a list of the same filters in the same order.
        let filters = (&user, &machine, &q, query.session_type, query.state, column, reverse);
        let list = Digest(hash128("userlock list 1", &[&serde_json::to_vec(&filters).unwrap_or_default()]));
        if mark.as_ref().is_some_and(|m| m.list != list) {
            return Err(FieldError::new("cursor", "belongs to a list with other filters or another order"));
        }
        let limit = usize::try_from(limit).unwrap_or(0);
        Ok(Self { list, user, machine, q, column, reverse, limit, mark })
    }

    fn takes(&self, row: &Row<'_>, query: &SessionQuery) -> bool {
        let state = row.state();
        let in_state = match query.state {
            None => state != SessionState::Closed,
            Some(StateFilter::Any) => true,
            Some(StateFilter::Open) => state == SessionState::Open,
            Some(StateFilter::Locked) => state == SessionState::Locked,
            Some(StateFilter::Disconnected) => state == SessionState::Disconnected,
            Some(StateFilter::Closed) => state == SessionState::Closed,
        };
        let same =
            |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|w| compare_folded(w, text).is_eq());
        in_state
            && query.session_type.is_none_or(|t| row.session_type() == Some(t))
            && same(&self.user, row.user())
            && same(&self.machine, row.machine)
            && self.q.as_deref().is_none_or(|q| {
                [row.user(), row.machine, row.client_name(), row.client_address()].iter().any(|t| contains_folded(t, q))
            })
    }
}

impl Listing {
    /// One page. `silent_since` tells of a machine since when it has been silent, if for too long
    /// (ms since 1970 UTC).
    ///
    /// # Errors
    /// [`ListError`] names the part of the query that cannot be.
    pub fn page(
        &self,
        query: &SessionQuery,
        silent_since: impl Fn(&str) -> Option<i64>,
    ) -> Result<Page<SessionView>, ListError> {
        let plan = Plan::new(query)?;
        let mut total = 0;
        let mut more = false;
        let mut page: BinaryHeap<Ranked<'_>> = BinaryHeap::with_capacity(plan.limit + 1);
        for (name, machine) in self.buckets.iter().flat_map(|bucket| &bucket.machines) {
            for ((boot, logon), session) in &machine.sessions {
                let ending = machine.ending(*boot, session);
                let row = Row { machine: name, boot: *boot, logon, session, ending };
                if !plan.takes(&row, query) {
                    continue;
                }
                total += 1;
                if let Some(mark) = &plan.mark {
                    let order = row.compare_mark(mark, plan.column);
                    let order = if plan.reverse { order.reverse() } else { order };
                    if order.is_le() {
                        continue;
                    }
                }
                let ranked = Ranked { row, column: plan.column, reverse: plan.reverse };
                if page.len() < plan.limit {
                    page.push(ranked);
                } else {
                    more = true;
                    if page.peek().is_some_and(|last| ranked < *last) {
                        page.pop();
                        page.push(ranked);
                    }
                }
            }
        }
        let rows = page.into_sorted_vec();
        let next = rows.last().filter(|_| more).map(|last| write_cursor(&last.row.mark(plan.list, plan.column)));
        let items = rows
            .iter()
            .map(|r| {
                let silent = silent_since(r.row.machine).filter(|_| r.row.ending.is_none());
                view_of(r.row.key(), r.row.session, r.row.ending, silent)
            })
            .collect();
        Ok(Page { total: Some(total), items, next })
    }
}

/// A session as it is shown. `silent_since` is given when its machine has been silent for too long.
#[must_use]
pub fn view(key: SessionKey, machine: &MachineState, session: &Session, silent_since: Option<i64>) -> SessionView {
    let ending = machine.ending(key.boot, session);
    view_of(key, session, ending, silent_since)
}

fn view_of(key: SessionKey, session: &Session, ending: Option<Ending>, silent_since: Option<i64>) -> SessionView {
    let row = Row { machine: &key.machine, boot: key.boot, logon: &key.logon, session, ending };
    let who = session.who.as_ref().map(|(_, who, since)| (who, *since));
    SessionView {
        user: row.user().to_owned(),
        display_name: who.and_then(|(who, _)| who.display_name.clone()),
        session_type: row.session_type(),
        state: row.state(),
        machine: key.machine.to_string(),
        client_name: who.and_then(|(who, _)| who.client_name.clone()),
        client_address: who.and_then(|(who, _)| who.client_address.clone()),
        since: who.map(|(_, since)| since),
        last_activity: session.evidence.map(|(_, _, at)| at),
        closed_at: ending.and_then(|_| MachineState::ended_at(session)),
        closed_by: ending.map(|e| e.as_str().to_owned()),
        unconfirmed: silent_since.is_some(),
        silent_since,
        evidence: session.evidence.map(|(order, _, _)| order).unwrap_or_default(),
        key,
    }
}

/// A mark as text that can stand in an address.
fn write_cursor(mark: &Mark) -> String {
    let json = serde_json::to_vec(mark).unwrap_or_default();
    json.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_cursor(text: &str) -> Option<Mark> {
    if text.len() > 8192 || !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let json: Option<Vec<u8>> = text.as_bytes().chunks_exact(2).map(byte).collect();
    serde_json::from_slice(&json?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Event, Logon, Who},
        fold::State,
        id::{AgentId, Chain, OriginId},
        record::{Entry, Record},
    };

    fn listing() -> Listing {
        let mut state = State::default();
        for n in 0..200u32 {
            let who = Who {
                user: format!("{}ser{:03}", if n % 2 == 0 { 'U' } else { 'u' }, n % 50),
                display_name: None,
                session_type: SessionType::ALL[(n % 5) as usize],
                client_name: Some(format!("client{n}")),
                client_address: None,
            };
            let logon =
                Logon { boot: Digest([1; 16]), logon: LogonId::new(&format!("l{n}")).unwrap(), decision_id: None, who };
            let record = Record {
                origin: OriginId([(n % 7) as u8; 16]),
                rank: 1,
                seq: u64::from(n) + 1,
                machine: format!("pc{}", n % 7).into(),
                kind: 3,
                at: i64::from(n % 20),
                chain: Chain::NIL,
                payload: [].into(),
            };
            state.fold(&Entry { record, by: AgentId::NIL, rejected: None }, &Event::Logon(logon), 1);
        }
        Listing { buckets: state.snapshot() }
    }

    #[test]
    fn pages_in_every_order_list_each_session_once_in_order() {
        let listing = listing();
        for column in ["user", "type", "state", "machine", "client_name", "client_address", "since", "last_activity"] {
            for sort in [column.to_owned(), format!("-{column}")] {
                let mut query = SessionQuery { sort: Some(sort.clone()), limit: Some(17), ..SessionQuery::default() };
                let mut all = Vec::new();
                loop {
                    let page = listing.page(&query, |_| None).unwrap();
                    assert_eq!(page.total, Some(200));
                    all.extend(page.items);
                    query.cursor = page.next;
                    if query.cursor.is_none() {
                        break;
                    }
                }
                let keys: std::collections::BTreeSet<String> = all.iter().map(|s| s.key.to_string()).collect();
                assert_eq!((all.len(), keys.len()), (200, 200), "{sort}");
                let users: Vec<String> = all.iter().map(|s| s.user.to_lowercase()).collect();
                if sort == "user" {
                    assert!(users.is_sorted());
                } else if sort == "-since" {
                    assert!(all.iter().map(|s| s.since).rev().is_sorted());
                }
            }
        }
    }

    #[test]
    fn filters_find_in_any_case_and_bad_queries_are_named() {
        let listing = listing();
        let page = |query: SessionQuery| listing.page(&query, |_| None);
        let q = |q: &str| SessionQuery { q: Some(q.into()), ..SessionQuery::default() };
        assert_eq!(page(q("USER007")).unwrap().total, Some(4));
        assert_eq!(page(q("Client199")).unwrap().total, Some(1));
        assert_eq!(page(SessionQuery { user: Some("uSER007".into()), ..q("") }).unwrap().total, Some(4));
        assert_eq!(page(SessionQuery { state: Some(StateFilter::Closed), ..q("") }).unwrap().total, Some(0));
        for (query, field) in [
            (SessionQuery { limit: Some(0), ..q("") }, "limit"),
            (SessionQuery { limit: Some(501), ..q("") }, "limit"),
            (SessionQuery { sort: Some("colour".into()), ..q("") }, "sort"),
            (SessionQuery { cursor: Some("zz".into()), ..q("") }, "cursor"),
            (q(&"x".repeat(300)), "q"),
        ] {
            assert_eq!(page(query).unwrap_err().field, field);
        }
        let next = page(SessionQuery { limit: Some(1), ..q("") }).unwrap().next;
        let same = SessionQuery { limit: Some(7), cursor: next.clone(), ..q("") };
        assert_eq!(page(same).unwrap().items.len(), 7);
        for mixed in [
            SessionQuery { sort: Some("since".into()), ..q("") },
            SessionQuery { sort: Some("-user".into()), ..q("") },
            SessionQuery { state: Some(StateFilter::Any), ..q("") },
            q("user007"),
        ] {
            assert_eq!(page(SessionQuery { cursor: next.clone(), ..mixed }).unwrap_err().field, "cursor");
        }
    }
}
