//! What is measured.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use userlock_core::api::{RunState, RunView};

use crate::{
    Options,
    decisions::{Asking, ask},
    failure::{Failure, Result},
    figures::{Line, Spread, Target, table},
    fleet::{AGENTS, BATCH, Fleet},
    servers::Server,
    settings,
    wire::Connection,
};

/// What was measured so far.
#[derive(Default)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// One more, told at once.
    pub fn add(&mut self, line: Line) {
        println!("  {}", line.told());
        self.0.push(line);
    }

    /// The table of them.
    pub fn table(&self) -> String {
        table(&self.0)
    }
}

/// The rule that decisions are counted by.
async fn limit_everybody(server: &Server) -> Result<()> {
    let rule = json!({ "subject": { "kind": "everybody" }, "limits": { "terminal": 30 } });
    server.post::<Value>("protected-accounts", &rule).await.map(|_| ())
}

/// Decisions, and events from many agents, at a Primary of its own.
pub async fn primary(options: &Options, dir: &Path, lines: &mut Lines) -> Result<()> {
    let server = Server::primary(&options.userlock(), &dir.join("alone")).await?;
    limit_everybody(&server).await?;
    let mut fleet = Fleet::at(&server).await?;
    let users = options.scaled(10_000);
    fleet.log_on(0, users).await?;
    let mut asking =
        Asking { server: server.address, tokens: fleet.tokens(32), users, lasts: Duration::from_secs(2), pace: None };
    ask(&asking).await?;
    asking.lasts = options.seconds(5);
    let (mut rates, mut p50, mut p99, mut allowed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let asked = ask(&asking).await?;
        rates.push(asked.rate);
        p50.push(asked.times.median());
        p99.push(asked.times.quantile(0.99));
        allowed.push(asked.allowed);
    }
    let what = format!("decisions, durable, 32 connections, {users} users with sessions open");
    lines.add(Line::new(&what, "a second", Spread::of(rates), Target::AtLeast(10_000.0)));
    lines.add(Line::new("… the time of one, median", "ms", Spread::of(p50), Target::None));
    lines.add(Line::new("… the time of one, p99", "ms", Spread::of(p99), Target::Under(25.0)));
    lines.add(Line::new(
        "… of which allowed (the others were over their limit)",
        "%",
        Spread::of(allowed),
        Target::None,
    ));

    let mut rates = Vec::new();
    let batches = options.scaled(40);
    for _ in 0..options.runs {
        rates.push(fleet.come_and_go(batches).await?);
    }
    let what = format!("events, durable, in batches of {BATCH} from {AGENTS} agents");
    lines.add(Line::new(what, "a second", Spread::of(rates), Target::AtLeast(50_000.0)));
    Ok(())
}

/// Starts a run of a synchronization and waits for its end.
async fn synchronize(backup: &Server, kind: &str) -> Result<RunView> {
    let started: Value = backup.post(&format!("synchronization/{kind}"), &json!({})).await?;
    let id = started.get("run").and_then(Value::as_str).ok_or_else(|| Failure::new("no run was started"))?;
    loop {
        let run: RunView = backup.get(&format!("synchronization/runs/{id}?wait=25")).await?;
        match run.state {
            RunState::Running => {}
            RunState::Succeeded => return Ok(run),
            RunState::Failed | RunState::Cancelled => {
                return Err(Failure::new(format!("the synchronization of {kind} did not succeed: {:?}", run.error)));
            }
        }
    }
}

/// Events synchronization of many missed events.
#[expect(clippy::cast_precision_loss, reason = "counts and durations")]
pub async fn events_synchronization(options: &Options, dir: &Path, lines: &mut Lines) -> Result<()> {
    let primary = Server::primary(&options.userlock(), &dir.join("events-primary")).await?;
    let backup = Server::backup_of(&primary, &dir.join("events-backup")).await?;
    let mut fleet = Fleet::at(&primary).await?;
    synchronize(&backup, "events").await?;
    let missed = options.scaled(1_000_000);
    let (mut rates, mut digests) = (Vec::new(), true);
    for _ in 0..options.runs.min(3) {
        fleet.come_and_go(missed.div_ceil(BATCH * AGENTS)).await?;
        let run = synchronize(&backup, "events").await?;
        let done = run.events.ok_or_else(|| Failure::new("a run without a result"))?;
        if done.applied < missed {
            return Err(Failure::new(format!("only {} of {missed} events were applied", done.applied)));
        }
        rates.push(done.applied as f64 / (done.duration_ms as f64 / 1000.0));
        let (one, other) = (primary.view().await?, backup.view().await?);
        digests &= one.held_digest == other.held_digest && one.state_digest == other.state_digest;
    }
    if !digests {
        return Err(Failure::new("the servers are not equal after an Events synchronization"));
    }
    let what = format!("Events synchronization of {missed} missed events");
    lines.add(Line::new(what, "a second", Spread::of(rates), Target::AtLeast(50_000.0)));
    settings::reach_the_backup(options, &primary, &backup, lines).await
}

/// Sessions synchronization of many sessions.
pub async fn sessions_synchronization(options: &Options, dir: &Path, lines: &mut Lines) -> Result<()> {
    let primary = Server::primary(&options.userlock(), &dir.join("sessions-primary")).await?;
    let backup = Server::backup_of(&primary, &dir.join("sessions-backup")).await?;
    limit_everybody(&primary).await?;
    let mut fleet = Fleet::at(&primary).await?;
    let sessions = options.scaled(100_000);
    fleet.log_on(0, sessions).await?;
    synchronizations(options, &primary, &backup, &mut fleet, sessions, lines).await
}

/// Memory, start and page of a server with many sessions.
pub async fn many_sessions(options: &Options, dir: &Path, lines: &mut Lines) -> Result<()> {
    let mut server = Server::primary(&options.userlock(), &dir.join("many")).await?;
    limit_everybody(&server).await?;
    let mut fleet = Fleet::at(&server).await?;
    let sessions = options.scaled(100_000);
    fleet.log_on(0, sessions).await?;
    drop(fleet);
    page(options, &server, sessions, lines).await?;
    settings::pages(options, &server, lines).await?;
    start(options, &mut server, sessions, lines).await
}

#[expect(clippy::cast_precision_loss, reason = "counts and durations")]
async fn synchronizations(
    options: &Options,
    primary: &Server,
    backup: &Server,
    fleet: &mut Fleet,
    sessions: u64,
    lines: &mut Lines,
) -> Result<()> {
    let asking = Asking {
        server: primary.address,
        tokens: fleet.tokens(8),
        users: 10_000.min(sessions),
        lasts: options.seconds(5),
        pace: Some(Duration::from_millis(8)),
    };
    let before = ask(&asking).await?;
    let (mut first, mut later, mut p99) = (None, Vec::new(), Vec::new());
    for turn in 0..options.runs as u64 {
        if turn > 0 {
            // A tenth of the list is another one.
            fleet.log_off(sessions / 10).await?;
            fleet.log_on(sessions + turn * (sessions / 10), sessions / 10).await?;
        }
        let load = tokio::spawn({
            let asking = asking.clone();
            async move { ask(&asking).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let run = synchronize(backup, "sessions").await?;
        p99.push(load.await??.times.quantile(0.99));
        let done = run.sessions.ok_or_else(|| Failure::new("a run without a result"))?;
        let touched = if turn == 0 { done.added } else { done.unchanged + done.added };
        if touched + AGENTS < sessions {
            return Err(Failure::new(format!("a run over {sessions} sessions told {done:?}")));
        }
        match first {
            None => first = Some(done.duration_ms as f64),
            Some(_) => later.push(done.duration_ms as f64),
        }
    }
    let what = format!("Sessions synchronization of {sessions} sessions");
    lines.add(Line::one(format!("{what}, all of them new"), "ms", first.unwrap_or(f64::NAN), Target::Under(2000.0)));
    lines.add(Line::new(
        format!("{what}, a tenth of them new and a tenth ended"),
        "ms",
        Spread::of(later),
        Target::Under(2000.0),
    ));
    let what = "the Primary's decisions meanwhile, 1,000 a second asked for, p99";
    lines.add(Line::new(what, "ms", Spread::of(p99), Target::Under(50.0)));
    lines.add(Line::one("… the same without a synchronization", "ms", before.times.quantile(0.99), Target::None));
    Ok(())
}

/// The times until the first byte of a page, each over a connection of its own.
pub async fn first_bytes(server: &Server, path: &str, times: usize) -> Result<Vec<Duration>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: text/html\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n",
        server.address, server.token
    );
    let mut found = Vec::new();
    for _ in 0..times {
        let (first, page) = Connection::open(server.address).await?.first_byte(request.as_bytes()).await?;
        let head: String = String::from_utf8_lossy(&page).chars().take(200).collect();
        if !head.starts_with("HTTP/1.1 200") {
            return Err(Failure::new(format!("the page {path} is not there: {head}")));
        }
        found.push(first);
    }
    Ok(found)
}

/// The time until the first byte of the page of all sessions.
async fn page(options: &Options, server: &Server, sessions: u64, lines: &mut Lines) -> Result<()> {
    let times = first_bytes(server, "/sessions", options.runs * 20).await?;
    let what = format!("first byte of the page of the sessions, of {sessions}");
    lines.add(Line::new(what, "ms", Spread::ms(times), Target::Under(50.0)));
    Ok(())
}

/// Memory after a start, and how long that takes.
async fn start(options: &Options, server: &mut Server, sessions: u64, lines: &mut Lines) -> Result<()> {
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        server.stop().await?;
        ready.push(server.start().await?);
        let open = server.view().await?.open_sessions;
        if open < sessions {
            return Err(Failure::new(format!("after a start {open} sessions are open, not {sessions}")));
        }
        memory.push(server.resident_mb()?);
    }
    let what = format!("a server with {sessions} open sessions");
    lines.add(Line::new(format!("{what}: memory after its start"), "MB", Spread::of(memory), Target::Under(200.0)));
    let what = format!("{what}: from its start until it is ready");
    lines.add(Line::new(what, "ms", Spread::ms(ready), Target::Under(1000.0)));
    Ok(())
}
