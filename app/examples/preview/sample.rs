//! Ports over made-up data.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use userlock_app::{
    api::{Caller, RuleId},
    ports::{Answer, Ports},
};
use userlock_core::{
    api::*,
    event::SessionKey,
    id::{Digest, Epoch, LogId, RunId, ServerId},
    settings::{General, Limits, ProtectedAccount, ProtectedAccountInput, Subject, SubjectKind},
};

use crate::data::{events_run, log, now, revision, session, sessions_run};

const TOTAL: usize = 1284;

pub struct Sample {
    scene: String,
    started: i64,
    ticks: AtomicU64,
    rules: Mutex<Vec<ProtectedAccount>>,
}

fn ready<'a, T: Send + 'a>(value: Result<T, Problem>) -> Answer<'a, T> {
    Box::pin(async move { value })
}

fn problem(status: u16, code: &str, title: &str, detail: &str) -> Problem {
    Problem { status, code: code.into(), title: title.into(), detail: detail.into(), field: None }
}

impl Sample {
    pub fn new(scene: &str) -> Self {
        let rule = |n: u8, kind, name: &str, limits| ProtectedAccount {
            id: userlock_core::id::DecisionId([n; 16]),
            subject: Subject { kind, name: name.into() },
            limits,
        };
        let rules = vec![
            rule(1, SubjectKind::User, "a.okafor", Limits { total: Some(2), terminal: Some(1), ..Limits::default() }),
            rule(
                2,
                SubjectKind::User,
                "svc-backup",
                Limits { total: Some(1), workstation: Some(0), ..Limits::default() },
            ),
            rule(3, SubjectKind::Group, "contractors", Limits { total: Some(2), vpn: Some(0), ..Limits::default() }),
            rule(
                4,
                SubjectKind::Everybody,
                "",
                Limits { workstation: Some(2), vpn: Some(1), wifi: Some(3), ..Limits::default() },
            ),
        ];
        Self { scene: scene.into(), started: now(), ticks: AtomicU64::new(0), rules: Mutex::new(rules) }
    }

    fn role(&self) -> ServerRole {
        if matches!(self.scene.as_str(), "backup" | "primary-down") { ServerRole::Backup } else { ServerRole::Primary }
    }

    pub fn tick(&self) -> Overview {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.overview_now()
    }

    fn read_only(&self) -> Option<ReadOnly> {
        (self.role() == ServerRole::Backup).then(|| ReadOnly {
            reason: "These settings come from the Primary and are read-only on a Backup.".into(),
            primary_url: Some("https://srv-a.corp.example:8443".into()),
            primary_name: Some("srv-a.corp.example".into()),
        })
    }

    fn overview_now(&self) -> Overview {
        let ticks = self.ticks.load(Ordering::Relaxed);
        let down = matches!(self.scene.as_str(), "primary-down" | "backup-down");
        let role = self.role();
        let phase = match self.scene.as_str() {
            "backup" => Phase::Standby,
            "primary-down" => Phase::Takeover,
            "returning" => Phase::Returning,
            _ => Phase::Serving,
        };
        let phase_view = |phase| PhaseView {
            phase,
            since: self.started,
            reason: String::new(),
            waits_for: if phase == Phase::Returning { "the Backup's records".into() } else { String::new() },
        };
        let other = if role == ServerRole::Backup { ServerRole::Primary } else { ServerRole::Backup };
        let peer = (self.scene != "alone").then(|| PeerView {
            role: other,
            name: if role == ServerRole::Backup { "srv-a.corp.example".into() } else { "srv-b.corp.example".into() },
            address: Some("https://srv-a.corp.example:8443".into()),
            state: if down { PeerState::Down } else { PeerState::Up },
            since: self.started - 125_000,
            phase: Some(phase_view(if role == ServerRole::Backup { Phase::Serving } else { Phase::Standby })),
            last_contact: Some(if down { self.started - 125_000 } else { now() - 700 }),
            last_error: down.then(|| "connection refused".into()),
            open_sessions: Some(1284),
            position: Some(1_902_114 + ticks),
            held_digest: None,
            state_digest: None,
            settings_revision: Some(revision()),
            lag_events: Some(0),
            lag_seconds: Some(0.2),
            clock_skew_ms: Some(12),
        });
        let at_backup = role == ServerRole::Backup;
        let sample_down = self.scene == "primary-down";
        Overview {
            server: ServerView {
                server_id: ServerId([1; 16]),
                role,
                name: if at_backup { "srv-b.corp.example".into() } else { "srv-a.corp.example".into() },
                phase,
                phase_detail: phase_view(phase),
                epoch: Epoch { number: 3, ..Epoch::default() },
                log_id: LogId([2; 16]),
                position: 1_902_145 + ticks,
                settings_revision: revision(),
                held_digest: Digest([3; 16]),
                state_digest: Digest([0x7c; 16]),
                open_sessions: TOTAL as u64,
                peer,
                sessions_version: ticks / 3,
                now: now(),
                version: "0.1.0".into(),
            },
            zone: "corp".into(),
            agents: AgentsSummary {
                total: 214,
                in_touch: 214,
                on_primary: if sample_down { 0 } else { 212 },
                on_backup: if sample_down { 208 } else if self.scene == "backup-down" || self.scene == "alone" { 0 } else { 2 },
                spooling: if sample_down { 6 } else { 0 },
                waiting: if sample_down { 31 } else { 0 },
                reach_backup: 214,
            },
            certificate: Certificate {
                equal: (!down).then_some(true),
                alarm: false,
                digest: Digest([0x7c; 16]),
                peer_digest: Some(Digest([0x7c; 16])),
                compared_at: Some(now() - 1_100),
                equal_at: Some(self.started - 126_000),
                ahead: if down { 31 } else { 0 },
            },
            figures: Figures {
                open_sessions: TOTAL as u64,
                users: 1102,
                logons_per_minute: 42.0,
                denied_last_hour: 5,
                unconfirmed: 3,
                decision_ms: Some(1.8),
                protected_accounts: self.rules.lock().expect("not poisoned").len() as u64,
            },
            activity: (0..60u32).map(|m| Activity { logons: 30 + (m * 13 % 17) + if (22..28).contains(&m) { 25 } else { 0 }, denied: u32::from(matches!(m, 10 | 21 | 22 | 38 | 52)) * (1 + m % 3) }).collect(),
            synchronization: at_backup.then(|| self.view()),
            readiness: vec![
                Readiness { tone: Tone::Ok, text: "0 events would be lost".into() },
                Readiness { tone: Tone::Ok, text: "214 of 214 agents reach the Backup".into() },
                Readiness { tone: Tone::Ok, text: "rules of revision 3.41 are there".into() },
                Readiness { tone: Tone::Attention, text: "e-mail is not set on the Backup: nobody would be told".into() },
                Readiness { tone: Tone::Neutral, text: "the Database is off on the Backup".into() },
            ],
            banners: sample_down.then(|| Banner { tone: Tone::Attention, text: "The Primary does not answer since {time}. This Backup watches and decides for the zone. Nothing to do: agents and events go back by themselves.".into(), at: Some(self.started - 125_000) }).into_iter().collect(),
            log_alerts: 3,
        }
    }

    fn view(&self) -> SynchronizationView {
        let t = now();
        SynchronizationView {
            enabled: true,
            interval_seconds: 60,
            continuous: true,
            last_events: Some(events_run(1, t - 12_000, "schedule", RunState::Succeeded)),
            last_sessions: Some(sessions_run(9, self.started - 6_000_000, false)),
            next_run_at: Some(t + 48_000),
            cursor: 1_902_145,
            running: Vec::new(),
            history: vec![
                events_run(1, t - 12_000, "schedule", RunState::Succeeded),
                events_run(2, t - 71_000, "admin", RunState::Succeeded),
                sessions_run(9, self.started - 6_000_000, false),
                events_run(3, self.started - 6_480_000, "schedule", RunState::Failed),
            ],
        }
    }

    fn on_backup<T>(&self, value: T) -> Result<T, Problem> {
        if self.role() == ServerRole::Backup {
            Ok(value)
        } else {
            Err(problem(409, "not_on_primary", "This belongs to the Backup", "Synchronization is started there."))
        }
    }
}

impl Ports for Sample {
    fn overview(&self) -> Answer<'_, Overview> {
        ready(Ok(self.overview_now()))
    }

    fn sessions(&self, query: SessionQuery) -> Answer<'_, Page<SessionView>> {
        let version = self.ticks.load(Ordering::Relaxed) / 3;
        let needle = query.q.unwrap_or_default();
        let mut all: Vec<_> = (0..TOTAL)
            .filter(|n| !(*n as u64).wrapping_add(version).is_multiple_of(97))
            .map(session)
            .filter(|s| s.user.contains(&needle) || s.machine.contains(&needle))
            .filter(|s| query.user.as_ref().is_none_or(|u| s.user == *u))
            .filter(|s| query.machine.as_ref().is_none_or(|m| s.machine == *m))
            .filter(|s| query.session_type.is_none_or(|t| s.session_type == Some(t)))
            .filter(|s| match query.state {
                Some(StateFilter::Open) => s.state == SessionState::Open,
                Some(StateFilter::Locked) => s.state == SessionState::Locked,
                Some(StateFilter::Disconnected) => s.state == SessionState::Disconnected,
                Some(StateFilter::Closed) => false,
                Some(StateFilter::Any) | None => true,
            })
            .collect();
        let sort = query.sort.unwrap_or_default();
        match sort.trim_start_matches('-') {
            "machine" => all.sort_by(|a, b| a.machine.cmp(&b.machine)),
            "since" => all.sort_by_key(|s| s.since),
            "" => {}
            _ => all.sort_by(|a, b| a.user.cmp(&b.user)),
        }
        if sort.starts_with('-') {
            all.reverse();
        }
        let from = query.cursor.and_then(|c| c.parse().ok()).unwrap_or(0usize);
        let limit = query.limit.unwrap_or(50) as usize;
        let total = all.len();
        let items: Vec<_> = all.into_iter().skip(from).take(limit).collect();
        let next = (from + limit < total).then(|| (from + limit).to_string());
        ready(Ok(Page { total: Some(total as u64), items, next }))
    }

    fn act_on_session(&self, _: Caller, key: SessionKey, _: ActionRequest) -> Answer<'_, ActionResponse> {
        ready(Ok(ActionResponse {
            command_id: None,
            message: format!("The agent on {} is told to end the session.", key.machine),
        }))
    }

    fn synchronization(&self) -> Answer<'_, SynchronizationView> {
        ready(self.on_backup(self.view()))
    }

    fn synchronize_events(&self, _: Caller) -> Answer<'_, RunStarted> {
        ready(self.on_backup(RunStarted { run: RunId([1; 16]), joined: false }))
    }

    fn synchronize_sessions(&self, _: Caller, preview: bool) -> Answer<'_, RunStarted> {
        ready(self.on_backup(RunStarted { run: RunId([if preview { 10 } else { 9 }; 16]), joined: false }))
    }

    fn run(&self, run: RunId, wait_seconds: u32) -> Answer<'_, RunView> {
        Box::pin(async move {
            tokio::time::sleep(std::time::Duration::from_millis(700.min(u64::from(wait_seconds) * 1000))).await;
            Ok(match run.0[0] {
                9 => sessions_run(9, now() - 700, false),
                10 => sessions_run(10, now() - 700, true),
                n => events_run(n, now() - 700, "admin", RunState::Succeeded),
            })
        })
    }

    fn cancel_run(&self, _: Caller, run: RunId) -> Answer<'_, RunView> {
        self.run(run, 0)
    }

    fn test_connection(&self, _: Caller) -> Answer<'_, TestReport> {
        let names = [
            "resolve",
            "connect",
            "tls",
            "authenticate",
            "is_primary",
            "same_zone",
            "is_administrator",
            "version",
            "clock_skew",
        ];
        let broken = self.scene == "primary-down";
        let check = |(n, name): (usize, &&str)| Check {
            name: (*name).into(),
            ok: if !broken || n == 0 {
                Some(true)
            } else if n == 1 {
                Some(false)
            } else {
                None
            },
            detail: if broken && n == 1 {
                "10.4.0.2:8443 refused the connection. Is the Primary started?".into()
            } else {
                "srv-a.corp.example:8443".into()
            },
        };
        ready(self.on_backup(TestReport { ok: !broken, checks: names.iter().enumerate().map(check).collect() }))
    }

    fn general(&self) -> Answer<'_, Section<GeneralFields>> {
        let value = General {
            zone_name: "corp".into(),
            time_zone: "Europe/Paris".into(),
            realms: userlock_core::account::Realms(vec![vec!["CORP".into(), "corp.example".into()]]),
            ..General::default()
        };
        ready(Ok(Section { value, etag: "\"3.41\"".into(), read_only: self.read_only() }))
    }

    fn change_general(
        &self,
        _: Caller,
        _: String,
        fields: GeneralFields,
        _: Option<String>,
    ) -> Answer<'_, Section<GeneralFields>> {
        let mut problem = problem(
            422,
            "invalid_field",
            "This value cannot be used",
            "general.time_zone: must be the name of a time zone, such as Europe/Paris",
        );
        problem.field = Some("general.time_zone".into());
        let good = fields.time_zone.contains('/');
        ready(if good { Ok(Section { value: fields, etag: "\"3.42\"".into(), read_only: None }) } else { Err(problem) })
    }

    fn synchronization_section(&self) -> Answer<'_, Section<SynchronizationSection>> {
        let value = SynchronizationSection {
            primary_url: "https://srv-a.corp.example:8443".into(),
            primary_fingerprint: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            enabled: true,
            interval_seconds: 60,
            continuous: true,
            service_account: "userlock-sync".into(),
        };
        ready(self.on_backup(Section { value, etag: "\"7\"".into(), read_only: None }))
    }

    fn change_synchronization_section(
        &self,
        _: Caller,
        _: String,
        section: SynchronizationSection,
        _: Option<String>,
    ) -> Answer<'_, Section<SynchronizationSection>> {
        ready(Ok(Section { value: section, etag: "\"8\"".into(), read_only: None }))
    }

    fn protected_accounts(&self, _: u32, _: Option<String>) -> Answer<'_, Section<Page<ProtectedAccountView>>> {
        let rules = self.rules.lock().expect("not poisoned").clone();
        let items: Vec<_> =
            rules.into_iter().map(|account| ProtectedAccountView { account, etag: "\"3.41\"".into() }).collect();
        ready(Ok(Section {
            value: Page { total: Some(items.len() as u64), items, next: None },
            etag: "\"3.41\"".into(),
            read_only: self.read_only(),
        }))
    }

    fn protected_account(&self, id: RuleId) -> Answer<'_, Section<ProtectedAccountView>> {
        let found = self.rules.lock().expect("not poisoned").iter().find(|r| r.id == id).cloned();
        let found =
            found.ok_or_else(|| problem(404, "no_such_rule", "There is no such rule", "It may have been deleted."));
        ready(found.map(|account| Section {
            value: ProtectedAccountView { account, etag: "\"3.41\"".into() },
            etag: "\"3.41\"".into(),
            read_only: self.read_only(),
        }))
    }

    fn create_protected_account(&self, _: Caller, input: ProtectedAccountInput) -> Answer<'_, ProtectedAccountView> {
        let mut rules = self.rules.lock().expect("not poisoned");
        let account = ProtectedAccount {
            id: userlock_core::id::DecisionId([rules.len() as u8 + 40; 16]),
            subject: input.subject,
            limits: input.limits,
        };
        rules.push(account.clone());
        ready(Ok(ProtectedAccountView { account, etag: "\"3.42\"".into() }))
    }

    fn change_protected_account(
        &self,
        _: Caller,
        id: RuleId,
        _: String,
        input: ProtectedAccountInput,
    ) -> Answer<'_, ProtectedAccountView> {
        ready(Ok(ProtectedAccountView {
            account: ProtectedAccount { id, subject: input.subject, limits: input.limits },
            etag: "\"3.42\"".into(),
        }))
    }

    fn delete_protected_account(&self, _: Caller, id: RuleId, _: String, _: Option<String>) -> Answer<'_, ()> {
        self.rules.lock().expect("not poisoned").retain(|r| r.id != id);
        ready(Ok(()))
    }

    fn application_log(&self, query: LogQuery) -> Answer<'_, Page<LogEvent>> {
        let items: Vec<_> = (0..60)
            .map(log)
            .filter(|e| query.level.is_none_or(|l| e.level >= l))
            .filter(|e| query.id.is_none_or(|id| e.id == id))
            .collect();
        ready(Ok(Page { total: None, items, next: None }))
    }
}
