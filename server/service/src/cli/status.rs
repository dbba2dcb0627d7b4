//! `userlock status`.

use std::{fmt::Write as _, path::PathBuf};

use userlock_core::api::{PeerState, PeerView, ServerView};

use super::{ConfigArg, Outcome, local::Local, print, secrets};
use crate::config::Config;

/// `userlock status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// A file with an API token; without it, the server's own for this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the JSON of `GET /api/v1/server`
    #[arg(long)]
    json: bool,
}

/// Shows how the server and its pair are.
pub async fn status(args: StatusArgs) -> Outcome {
    let config = Config::load(&args.config.config)?;
    let token = args.token_file.as_deref().map(secrets::read).transpose()?;
    let local = Local::new(&config, token)?;
    if args.json {
        let view: serde_json::Value = local.get("/api/v1/server").await?;
        return print(&format!("{view:#}\n"));
    }
    let view: ServerView = local.get("/api/v1/server").await?;
    print(&describe(&view))
}

/// Whether the lists are equal, by what the other server told last.
fn lists(view: &ServerView, peer: &PeerView) -> String {
    let told = match peer.last_contact {
        Some(at) => format!("{} s ago", view.now.saturating_sub(at).max(0) / 1000),
        None => return "not compared yet".to_owned(),
    };
    match (peer.state_digest, peer.state) {
        (None, _) => "not compared yet".to_owned(),
        (Some(digest), PeerState::Up) if digest == view.state_digest => format!("equal, as told {told}"),
        (Some(_), PeerState::Up) if peer.lag_seconds.is_none_or(|seconds| seconds <= LAGS_AFTER_SECONDS) => {
            format!("events are on their way (compared {told})")
        }
        (Some(_), PeerState::Up) => format!("different, as told {told}"),
        (Some(_), _) => format!("may differ: the other server told of its own {told}"),
    }
}

/// A lag that lasts for longer is told as a difference.
const LAGS_AFTER_SECONDS: f64 = 5.0;

fn describe(view: &ServerView) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String never fails.
        _ = writeln!(text, "{name:<14}{value}");
    };
    line("server", format!("{} ({})", view.name, view.role.title()));
    // The reason is of the time at which the phase began.
    let since = chrono::DateTime::from_timestamp_millis(view.phase_detail.since);
    let since = since.map(|at| at.format(", since %Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    line("phase", format!("{}{since}: {}", view.phase.title(), view.phase_detail.reason));
    if !view.phase_detail.waits_for.is_empty() {
        line("waits for", view.phase_detail.waits_for.clone());
    }
    line("sessions", view.open_sessions.to_string());
    line("settings", format!("revision {}", view.settings_revision));
    line("position", view.position.to_string());
    match &view.peer {
        None => line("other server", "none".to_owned()),
        Some(peer) => {
            let state = match peer.state {
                PeerState::Up => "up",
                PeerState::Refused => "refused",
                PeerState::Down => "down",
                PeerState::Unknown => "not known yet",
            };
            line("other server", format!("{} ({}), {state}", peer.name, peer.role.title()));
            if let Some(error) = &peer.last_error {
                line("", error.clone());
            }
            line("lists", lists(view, peer));
            if let Some(lag) = peer.lag_events {
                let seconds = peer.lag_seconds.filter(|_| lag > 0).map(|s| format!(", {s:.1} s")).unwrap_or_default();
                line("lag", format!("{lag} {}{seconds}", if lag == 1 { "event" } else { "events" }));
            }
        }
    }
    text
}
