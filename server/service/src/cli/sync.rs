//! `userlock sync`.

use std::path::PathBuf;

use clap::ValueEnum;
use reqwest::Method;
use userlock_core::api::{Difference, RunStarted, RunState, RunView, SessionsResult};

use super::{ConfigArg, Outcome, local::Local, print, secrets};
use crate::config::Config;

/// `userlock sync`.
#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    /// Which synchronization
    kind: Kind,
    /// Of sessions: only show what would change
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    config: ConfigArg,
    /// A file with an API token; without it, the server's own for this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the run as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Bring all settings and every event that the Primary has audited
    Events,
    /// Make the list of sessions the same as the Primary's
    Sessions,
}

/// Starts a synchronization and waits for its end.
pub async fn sync(args: SyncArgs) -> Outcome {
    if args.preview && args.kind == Kind::Events {
        return Err("--preview is for `sync sessions`".into());
    }
    let config = Config::load(&args.config.config)?;
    let token = args.token_file.as_deref().map(secrets::read).transpose()?;
    let local = Local::new(&config, token)?;
    let started: RunStarted = match args.kind {
        Kind::Events => local.call(Method::POST, "/api/v1/synchronization/events", None::<&()>).await?,
        Kind::Sessions => {
            let body = serde_json::json!({ "preview": args.preview });
            local.call(Method::POST, "/api/v1/synchronization/sessions", Some(&body)).await?
        }
    };
    let path = format!("/api/v1/synchronization/runs/{}?wait=25", started.run);
    let view: RunView = loop {
        let view: RunView = local.get(&path).await?;
        if view.state != RunState::Running {
            break view;
        }
    };
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&view)?))?;
    } else {
        print(&describe(&view))?;
    }
    match (view.state, view.error) {
        (RunState::Succeeded, _) => Ok(()),
        (_, Some(error)) => Err(format!("{} ({}). {}", error.message, error.log_id, error.advice).into()),
        _ => Err("the run was cancelled".into()),
    }
}

fn describe(view: &RunView) -> String {
    if let Some(events) = &view.events {
        return format!(
            "{} events applied, {} handed over, settings revision {}, {} ms\n",
            events.applied, events.pushed, events.settings_revision, events.duration_ms
        );
    }
    view.sessions.as_ref().map(|sessions| describe_sessions(view.preview, sessions)).unwrap_or_default()
}

fn describe_sessions(preview: bool, result: &SessionsResult) -> String {
    let would = if preview { "would be " } else { "" };
    let mut text = format!(
        "{} {would}added, {} {would}changed, {} {would}closed, {} as they should be, {} ms\n",
        result.added, result.changed, result.closed, result.unchanged, result.duration_ms
    );
    for item in &result.items {
        let sign = match item.difference {
            Difference::Add => '+',
            Difference::Change => '~',
            Difference::Close => '-',
        };
        text.push_str(&format!("{sign} {} on {}\n", item.user, item.machine));
    }
    text
}
