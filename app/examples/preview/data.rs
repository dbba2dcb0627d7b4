//! Made-up sessions, runs and events of the application log.

use std::collections::BTreeMap;

use userlock_core::{
    api::*,
    event::{LogonId, SessionKey, SessionType},
    id::{Digest, RunId},
    settings::Revision,
};

const USERS: [&str; 12] = [
    "m.lindqvist",
    "a.okafor",
    "svc-backup",
    "j.tanaka",
    "p.rossi",
    "k.nowak",
    "s.ahmed",
    "t.berg",
    "d.kim",
    "l.moreau",
    "CORP\\e.vandenberghe",
    "r.silva",
];
const NAMES: [&str; 4] = ["Maria Lindqvist", "Ada Okafor", "Jun Tanaka", "Paolo Rossi"];

pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// Always the same sessions, by number.
pub fn session(n: usize) -> SessionView {
    let kind = SessionType::ALL[(n * 7 + n / 3) % 5];
    let machine = match kind {
        SessionType::Workstation => format!("pc-{:04}", 100 + n % 400),
        SessionType::Terminal => format!("rds-{:02}", 1 + n % 4),
        SessionType::Vpn => "vpn-gw1".into(),
        SessionType::Wifi => format!("ap-3f-{:02}", 1 + n % 20),
        SessionType::Web => "vault.corp.example".into(),
    };
    let remote = kind != SessionType::Workstation && kind != SessionType::Web;
    let since = now() - 60_000 * (7 + (n as i64 * 37) % 600);
    let unconfirmed = n % 31 == 6;
    SessionView {
        key: SessionKey {
            machine: machine.as_str().into(),
            boot: Digest([n as u8; 16]),
            logon: LogonId::new(&format!("{n}")).expect("a name"),
        },
        user: USERS[n % USERS.len()].into(),
        display_name: NAMES.get(n % 7).map(|name| (*name).to_owned()),
        session_type: Some(kind),
        state: [
            SessionState::Open,
            SessionState::Open,
            SessionState::Open,
            SessionState::Locked,
            SessionState::Open,
            SessionState::Disconnected,
        ][(n * 5 + n / 4) % 6],
        machine,
        client_name: remote.then(|| format!("pc-{:04}", 300 + n % 90)),
        client_address: (!n.is_multiple_of(5)).then(|| format!("10.4.{}.{}", n % 9, 10 + n % 200)),
        since: Some(since),
        last_activity: Some(now() - 1_000 * (3 + (n as i64 * 53) % 900)),
        closed_at: None,
        closed_by: None,
        unconfirmed,
        silent_since: unconfirmed.then(|| now() - 16 * 60_000),
        evidence: Default::default(),
    }
}

pub fn events_run(n: u8, at: i64, by: &str, state: RunState) -> RunView {
    RunView {
        run: RunId([n; 16]),
        kind: SyncKind::Events,
        preview: false,
        by: by.into(),
        state,
        started_at: at,
        ended_at: (state != RunState::Running).then_some(at + 18),
        stage: "fetching events".into(),
        progress: Progress { done: 4, of: Some(17) },
        events: (state == RunState::Succeeded).then(|| EventsResult {
            applied: 4 * u64::from(n),
            applied_by_kind: BTreeMap::new(),
            pushed: 0,
            settings_revision: revision(),
            settings_changed: false,
            duration_ms: 18,
        }),
        sessions: None,
        error: (state == RunState::Failed).then(|| RunError {
            log_id: 1204,
            stage: "connect".into(),
            message: "The Primary refused the connection.".into(),
            advice: "Tried again at the next run.".into(),
        }),
    }
}

pub fn sessions_run(n: u8, at: i64, preview: bool) -> RunView {
    let difference = |difference, n: usize, here: Option<SessionState>, there: Option<SessionState>| {
        let s = session(n);
        let side = |state: SessionState| SessionSide { state, since: Some(now() - 3_600_000) };
        SessionDifference {
            difference,
            key: s.key,
            user: s.user,
            machine: s.machine,
            here: here.map(side),
            there: there.map(side),
        }
    };
    RunView {
        kind: SyncKind::Sessions,
        preview,
        events: None,
        sessions: Some(SessionsResult {
            added: 1,
            changed: 1,
            closed: 1,
            unchanged: 1_281,
            position: 1_902_145,
            digest: Digest([7; 16]),
            duration_ms: 212,
            items: vec![
                difference(Difference::Add, 7, None, Some(SessionState::Open)),
                difference(Difference::Change, 1, Some(SessionState::Open), Some(SessionState::Locked)),
                difference(Difference::Close, 5, Some(SessionState::Open), Some(SessionState::Closed)),
            ],
        }),
        ..events_run(n, at, "admin", RunState::Succeeded)
    }
}

pub fn revision() -> Revision {
    Revision { epoch: userlock_core::id::Epoch { number: 3, ..Default::default() }, n: 41, ..Default::default() }
}

pub fn log(n: u64) -> LogEvent {
    let (id, level, message) = match n % 5 {
        0 => (
            1204,
            Level::Error,
            "Events synchronization failed: the Primary refused the connection. What was fetched before stays; the next attempt is in 60 s.",
        ),
        1 => (1000, Level::Information, "The server has started as Backup of srv-a.corp.example."),
        2 => (
            1310,
            Level::Warning,
            "E-mail is not set on this Backup: nobody would be told during a takeover. Set it in Properties.",
        ),
        3 => (1201, Level::Information, "Sessions synchronization is done: 1 added, 2 changed, 0 closed."),
        _ => (1410, Level::Information, "admin changed the limits of user a.okafor: 2 in total."),
    };
    let details = [
        ("server", "srv-b.corp.example"),
        ("other server", "srv-a.corp.example"),
        ("operation", "synchronize_events"),
        ("stage", "connect"),
        ("address", "10.4.0.2:8443"),
        ("error", "connection refused (os error 111)"),
        ("position", "1902114"),
    ];
    LogEvent {
        number: 900 - n,
        id,
        source: "UserLock".into(),
        level,
        at: now() - (n as i64) * 740_000,
        message: message.into(),
        details: details.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
    }
}
