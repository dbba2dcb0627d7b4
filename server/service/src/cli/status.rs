//! `userlock status`.

use std::{fmt::Write as _, path::PathBuf};

use userlock_core::api::{PeerState, ServerView};

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

fn describe(view: &ServerView) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String never fails.
        _ = writeln!(text, "{name:<14}{value}");
    };
    line("server", format!("{} ({})", view.name, view.role.title()));
    line("phase", format!("{}: {}", view.phase.title(), view.phase_detail.reason));
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
                PeerState::Down => "down",
                PeerState::Unknown => "not known yet",
            };
            line("other server", format!("{} ({}), {state}", peer.name, peer.role.title()));
            if let Some(error) = &peer.last_error {
                line("", error.clone());
            }
            let equal = peer.state_digest.map(|digest| digest == view.state_digest);
            line(
                "lists",
                match equal {
                    Some(true) => "equal".to_owned(),
                    Some(false) => "different".to_owned(),
                    None => "not compared yet".to_owned(),
                },
            );
            if let Some(lag) = peer.lag_events {
                line("lag", format!("{lag} events"));
            }
        }
    }
    text
}
