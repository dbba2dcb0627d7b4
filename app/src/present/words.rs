//! Sentences: what was done, what is the state, what went wrong.

use userlock_core::api::{Difference, Level, RunState, RunView, SessionAction, SessionSide, SyncKind, TestReport};

use super::{
    number::{counted, grouped},
    time::{self, Zone},
};
use crate::api::ActionOutcome;

/// A text that was given, or nothing.
#[must_use]
pub fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What became of an action on one or more sessions.
#[must_use]
pub fn action_result(action: SessionAction, outcomes: &[ActionOutcome]) -> String {
    if let [only] = outcomes {
        if let Some(done) = &only.done {
            return done.message.clone();
        }
        if let Some(problem) = &only.refused {
            return format!("{}. {}", problem.title, problem.detail);
        }
    }
    let done = outcomes.iter().filter(|o| o.done.is_some()).count() as u64;
    let verb = match action {
        SessionAction::Logoff => "are told to end",
        SessionAction::Reset => "are forgotten",
        SessionAction::Lock => "are told to lock",
        SessionAction::Message => "get the message",
    };
    let mut text = format!("{} {verb}.", counted(done, "session", "sessions"));
    let refused = outcomes.iter().filter_map(|o| o.refused.as_ref());
    if let Some(first) = refused.clone().next() {
        text.push_str(&format!(" {} not: {}", grouped(refused.count() as u64), first.detail));
    }
    text
}

/// What the test of the connection found.
#[must_use]
pub fn test_result(report: &TestReport) -> String {
    if report.ok {
        return format!("The connection is in order: all {} checks passed.", report.checks.len());
    }
    checks_result(report)
}

/// What a test found: that all is in order, or which check failed.
#[must_use]
pub fn checks_result(report: &TestReport) -> String {
    if report.ok {
        return format!("All {} checks passed.", report.checks.len());
    }
    match report.checks.iter().find(|check| check.ok == Some(false)) {
        Some(check) => format!("The check \u{201c}{}\u{201d} failed. {}", check_name(&check.name), check.detail),
        None => "Not all checks were made.".into(),
    }
}

/// A check's name for people.
#[must_use]
pub fn check_name(name: &str) -> &str {
    match name {
        "resolve" => "Name is resolved",
        "connect" => "Connects",
        "tls" => "TLS and certificate",
        "authenticate" => "Authenticates",
        "is_primary" => "Is a Primary",
        "same_zone" => "Same protected zone",
        "is_administrator" => "Account is an administrator there",
        "version" => "Version fits",
        "clock_skew" => "Clocks agree",
        "accepted" => "Message is accepted",
        "reach" => "Database is reached",
        "own" => "Database is of no other server",
        "tables" => "Tables can be made",
        other => other,
    }
}

/// What a run is, for a heading.
#[must_use]
pub fn run_kind(run: &RunView) -> &'static str {
    match (run.kind, run.preview) {
        (SyncKind::Events, _) => "Synchronize events",
        (SyncKind::Sessions, false) => "Synchronize sessions",
        (SyncKind::Sessions, true) => "Preview of sessions",
    }
}

/// What a run did, is doing, or why it did not.
#[must_use]
pub fn run_result(run: &RunView) -> String {
    match run.state {
        RunState::Running => match run.progress.of {
            Some(of) => format!("{}: {} of {}", run.stage, grouped(run.progress.done), grouped(of)),
            None if run.progress.done > 0 => format!("{}: {}", run.stage, grouped(run.progress.done)),
            None => run.stage.clone(),
        },
        RunState::Cancelled => "Cancelled; what was done by then stays.".into(),
        RunState::Failed => match &run.error {
            Some(error) => format!("{} {} {}", error.log_id, error.message, error.advice),
            None => run.stage.clone(),
        },
        RunState::Succeeded => run_done(run),
    }
}

fn run_done(run: &RunView) -> String {
    if let Some(events) = &run.events {
        let settings = if events.settings_changed { "now at revision" } else { "unchanged at revision" };
        return format!(
            "{} applied, {} pushed, settings {settings} {}",
            counted(events.applied, "event", "events"),
            grouped(events.pushed),
            events.settings_revision
        );
    }
    if let Some(s) = &run.sessions {
        let would = if run.preview { "would be " } else { "" };
        let (added, changed, closed) = (grouped(s.added), grouped(s.changed), grouped(s.closed));
        return format!("{added} {would}added, {changed} changed, {closed} closed, {} equal", grouped(s.unchanged));
    }
    "Done".into()
}

/// How long a run took, or has taken.
#[must_use]
pub fn run_took(run: &RunView, now: i64) -> String {
    let reported = run.events.as_ref().map(|e| e.duration_ms).or(run.sessions.as_ref().map(|s| s.duration_ms));
    let measured = run.ended_at.unwrap_or(now).saturating_sub(run.started_at);
    time::took(reported.unwrap_or_else(|| u64::try_from(measured).unwrap_or(0)))
}

/// How a session differs, as a verb.
#[must_use]
pub fn difference(difference: Difference) -> &'static str {
    match difference {
        Difference::Add => "add",
        Difference::Change => "change",
        Difference::Close => "close",
    }
}

/// `open since 08:01`, or a dash.
#[must_use]
pub fn side(side: Option<SessionSide>, zone: &Zone, now: i64) -> String {
    match side {
        None => "\u{2014}".into(),
        Some(SessionSide { state, since: None }) => state.as_str().into(),
        Some(SessionSide { state, since: Some(since) }) => {
            format!("{} since {}", state.as_str(), zone.near(since, now))
        }
    }
}

/// A level of the application log.
#[must_use]
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Information => "information",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::api::{ActionResponse, Check, Problem};

    use super::*;

    fn outcome(done: bool) -> ActionOutcome {
        let problem =
            Problem { status: 404, code: "x".into(), title: "Gone".into(), detail: "It ended.".into(), field: None };
        ActionOutcome {
            key: "k".into(),
            done: done.then(|| ActionResponse { command_id: None, message: "Forgotten.".into() }),
            refused: (!done).then_some(problem),
        }
    }

    #[test]
    fn one_outcome_is_told_in_its_own_words_and_many_are_counted() {
        assert_eq!(action_result(SessionAction::Reset, &[outcome(true)]), "Forgotten.");
        assert_eq!(action_result(SessionAction::Reset, &[outcome(false)]), "Gone. It ended.");
        let many = [outcome(true), outcome(true), outcome(false)];
        assert_eq!(action_result(SessionAction::Logoff, &many), "2 sessions are told to end. 1 not: It ended.");
    }

    #[test]
    fn a_failed_test_names_its_check() {
        let check = |name: &str, ok| Check { name: name.into(), ok, detail: "Connection refused.".into() };
        let report =
            TestReport { ok: false, checks: vec![check("resolve", Some(true)), check("connect", Some(false))] };
        assert_eq!(test_result(&report), "The check \u{201c}Connects\u{201d} failed. Connection refused.");
    }
}
