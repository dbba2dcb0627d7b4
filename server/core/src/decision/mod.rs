//! "May this user open this session?"

mod rules;

use crate::{
    account::Account,
    agent_api::OpenElsewhere,
    event::{SessionType, Who},
    fold::State,
    settings::ZoneSettings,
};

pub use rules::{AppliedLimit, limits_for};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who, from where, for which type of session.
    pub who: &'a Who,
    /// The groups of the user.
    pub groups: &'a [String],
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the session may be opened.
    pub allow: bool,
    /// Why, for people.
    pub reason: String,
    /// The rule that decided, if one did.
    pub rule: Option<String>,
    /// The sessions that count, for a denial; at most [`MAX_NAMED`].
    pub open: Vec<OpenElsewhere>,
}

/// The most sessions that a denial names.
pub const MAX_NAMED: usize = 10;

/// Decides by the rules of `settings` on the sessions and grants of `state`, at `now` (this server's clock, ms since
/// 1970 UTC, which only says which grants still count).
#[must_use]
pub fn decide(state: &State, settings: &ZoneSettings, question: Question<'_>, now: i64) -> Verdict {
    let account = Account::parse(&question.who.user);
    let asked = question.who.session_type;
    for limit in limits_for(settings, state.realms(), &account, question.groups, asked) {
        if limit.limit == 0 {
            let reason = format!("{} may have no {} ({})", question.who.user, noun(limit.of, 2), limit.rule);
            return Verdict { allow: false, reason, rule: Some(limit.rule), open: Vec::new() };
        }
        let (count, mut open) = counted(state, &account, limit.of, now);
        if count < u64::from(limit.limit) {
            continue;
        }
        open.sort_by_key(|o| (o.since.is_none(), o.since, o.machine.clone()));
        let where_open = describe(&open, count);
        let reason = format!("{count} of {} {}: {where_open}", limit.limit, noun(limit.of, limit.limit));
        return Verdict { allow: false, reason, rule: Some(limit.rule), open };
    }
    Verdict { allow: true, reason: "no rule is against it".into(), rule: None, open: Vec::new() }
}

/// How many sessions and grants of an account count against a limit, and the first of them.
fn counted(state: &State, account: &Account, of: Option<SessionType>, now: i64) -> (u64, Vec<OpenElsewhere>) {
    let mut count = 0;
    let mut open = Vec::new();
    let mut add = |machine: &str, session_type, since| {
        if of.is_none_or(|t| t == session_type) {
            count += 1;
            if open.len() < MAX_NAMED {
                open.push(OpenElsewhere { machine: machine.to_owned(), session_type, since });
            }
        }
    };
    for (key, session) in state.of_account(account) {
        if let Some((_, who, since)) = &session.who {
            add(&key.machine, who.session_type, Some(*since));
        }
    }
    for grant in state.decisions.grants(account, now) {
        add(&grant.machine, grant.decision.who.session_type, None);
    }
    (count, open)
}

fn noun(of: Option<SessionType>, count: u32) -> String {
    let noun = if count == 1 { "session" } else { "sessions" };
    of.map_or_else(|| noun.to_owned(), |t| format!("{} {noun}", t.as_str()))
}

/// `PC-014 since 08:12 UTC, PC-020 being opened, and 3 more`.
fn describe(open: &[OpenElsewhere], count: u64) -> String {
    let mut parts: Vec<String> = open
        .iter()
        .map(|o| match o.since.and_then(chrono::DateTime::from_timestamp_millis) {
            Some(since) => format!("{} since {}", o.machine, since.format("%Y-%m-%d %H:%M UTC")),
            None => format!("{} being opened", o.machine),
        })
        .collect();
    let more = count.saturating_sub(open.len() as u64);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}
