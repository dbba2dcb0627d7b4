//! The program `userlock-agent`.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use userlock_agent::{
    daemon, enrol,
    hook::{Answer, DEFAULT_SOCKET, DEFAULT_STATE_DIR, IGNORED_SERVICES, Request},
    pam,
    reporter::Status,
    system::{host_name, wall_ms},
};
use userlock_core::settings::OfflinePolicy;

/// The agent of UserLock on a machine: asks for and reports sessions.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Enrol this machine with the enrolment string that the server shows.
    Enrol {
        /// The file with the enrolment string; `-` reads standard input.
        #[arg(long)]
        string_file: PathBuf,
        /// Where the agent keeps its files.
        #[arg(long, default_value = DEFAULT_STATE_DIR)]
        state_dir: PathBuf,
        /// The machine's name [default: its host name].
        #[arg(long)]
        machine: Option<String>,
    },
    /// Trust a server by another certificate, after you have compared it: for a machine that was away while it was
    /// replaced.
    Trust {
        /// The server's address, as the agent knows it.
        #[arg(long)]
        url: String,
        /// The SHA-256 of its certificate, as its dashboard tells it under Properties > Certificate.
        #[arg(long)]
        fingerprint: String,
        /// Where the agent keeps its files.
        #[arg(long, default_value = DEFAULT_STATE_DIR)]
        state_dir: PathBuf,
    },
    /// Run the daemon.
    Daemon {
        /// Where the agent keeps its files.
        #[arg(long, default_value = DEFAULT_STATE_DIR)]
        state_dir: PathBuf,
        /// Where the daemon listens.
        #[arg(long, default_value = DEFAULT_SOCKET)]
        socket: PathBuf,
        /// A service of PAM that is let pass and not reported; may be repeated, and then replaces the usual ones.
        #[arg(long = "ignore-service", default_values = IGNORED_SERVICES)]
        ignored_services: Vec<String>,
    },
    /// What PAM runs at each logon, by `pam_exec`.
    Pam {
        /// Where the daemon listens.
        #[arg(long, default_value = DEFAULT_SOCKET)]
        socket: PathBuf,
        /// Where the agent keeps its files.
        #[arg(long, default_value = DEFAULT_STATE_DIR)]
        state_dir: PathBuf,
    },
    /// Show which server the agent uses and what it has not delivered yet.
    Status {
        /// Where the daemon listens.
        #[arg(long, default_value = DEFAULT_SOCKET)]
        socket: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Pam { socket, state_dir } => hook(&socket, &state_dir),
        Command::Status { socket, json } => status(&socket, json),
        Command::Enrol { string_file, state_dir, machine } => {
            done(in_runtime(enrol_machine(&string_file, &state_dir, machine)))
        }
        Command::Trust { url, fingerprint, state_dir } => {
            let trusted = enrol::trust(&state_dir, &url, &fingerprint).map_err(|error| error.to_string());
            done(trusted.map(|()| {
                let _ = writeln!(std::io::stdout(), "{url} is trusted by that certificate. Start the daemon.");
            }))
        }
        Command::Daemon { state_dir, socket, ignored_services } => {
            log_to_stderr();
            let options = daemon::Options { state_dir, socket, ignored_services };
            done(in_runtime(async { daemon::run(options, stopped()?).await.map_err(|error| error.to_string()) }))
        }
    }
}

/// Without a phase of ours there is nothing to do, and nobody is refused for it.
fn hook(socket: &Path, state_dir: &Path) -> ExitCode {
    let Some(call) = pam::call_from_environment() else { return ExitCode::SUCCESS };
    let outcome = pam::run(&call, socket, state_dir);
    if let Some(text) = outcome.say {
        // Nobody may read it; the answer is the exit code.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    if outcome.allow { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn in_runtime<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    runtime.map_err(|error| format!("cannot start: {error}"))?.block_on(future)
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "userlock-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("USERLOCK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}

/// Ends when the program is told to end.
fn stopped() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn enrol_machine(string_file: &Path, state_dir: &Path, machine: Option<String>) -> Result<(), String> {
    let machine = match machine {
        Some(machine) => machine,
        None => host_name().map_err(|error| format!("{error}: give it with --machine"))?,
    };
    let enrolment = enrol::read_string(string_file).map_err(|error| error.to_string())?;
    let name = enrol::enrol(enrolment, &machine, state_dir).await.map_err(|error| error.to_string())?;
    let _ = writeln!(std::io::stdout(), "This machine is enrolled as {name}.");
    Ok(())
}

fn status(socket: &Path, json: bool) -> ExitCode {
    let deadline = Instant::now() + Duration::from_secs(3);
    let told = match pam::ask(socket, &Request::Status, deadline) {
        Ok(Answer::Status { agent, sessions }) => show(&agent, sessions, json),
        Ok(other) => Err(format!("the daemon answered something else: {other:?}")),
        Err(error) => Err(format!("no daemon answers at {}: {error}", socket.display())),
    };
    done(told.map(|text| {
        let _ = writeln!(std::io::stdout(), "{text}");
    }))
}

fn offline(policy: OfflinePolicy) -> String {
    match policy {
        OfflinePolicy::Allow => "allow".to_owned(),
        OfflinePolicy::Deny => "deny".to_owned(),
        OfflinePolicy::AllowSeen(days) => format!("allow users seen on this machine in the last {days} days"),
    }
}

fn show(agent: &Status, sessions: usize, json: bool) -> Result<String, String> {
    if json {
        let mut value = serde_json::to_value(agent).map_err(|error| error.to_string())?;
        if let Some(object) = value.as_object_mut() {
            object.insert("sessions".into(), sessions.into());
        }
        return Ok(value.to_string());
    }
    let contact = match agent.last_contact {
        Some(at) => format!("{} s ago", wall_ms().saturating_sub(at).max(0) / 1000),
        None => "never".into(),
    };
    let mut lines = vec![
        format!("machine         {} ({})", agent.machine, agent.version),
        format!("connected       {}", if agent.connected { "yes" } else { "no" }),
        format!("server          {} ({})", agent.server.as_deref().unwrap_or("none"), agent.why),
        format!("last contact    {contact}"),
        format!("open sessions   {sessions}"),
        format!("to deliver      {}", agent.waiting),
        format!("offline policy  {}", offline(agent.offline_policy)),
    ];
    for server in &agent.servers {
        lines.push(format!("{:15} {}", server.url, server.failure.as_deref().unwrap_or("good")));
    }
    if agent.dropped + agent.lost > 0 {
        lines.push(format!("spool was full  {} dropped that one server has, {} lost", agent.dropped, agent.lost));
    }
    Ok(lines.join("\n"))
}
