//! Properties: how soon their pages begin, and how soon a change of a setting is on the Backup.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Options,
    failure::{Failure, Result},
    figures::{Line, Spread, Target},
    measures::{Lines, first_bytes},
    servers::Server,
};

/// The pages of Properties.
const PAGES: [&str; 11] = [
    "general",
    "agents",
    "messages",
    "email",
    "database",
    "notifications",
    "security",
    "retention",
    "certificate",
    "history",
    "role",
];
/// A change that is not there by then does not come.
const AT_MOST: Duration = Duration::from_secs(30);

/// The time until the first byte of each page of Properties: of the slowest one.
pub async fn pages(options: &Options, server: &Server, lines: &mut Lines) -> Result<()> {
    let mut slowest: Option<(&str, Spread)> = None;
    for page in PAGES {
        let times = Spread::ms(first_bytes(server, &format!("/properties/{page}"), options.runs * 4).await?);
        if slowest.as_ref().is_none_or(|(_, known)| times.median() > known.median()) {
            slowest = Some((page, times));
        }
    }
    let (page, times) = slowest.ok_or_else(|| Failure::new("no page"))?;
    let what = format!("first byte of the slowest of {} pages of Properties ({page})", PAGES.len());
    lines.add(Line::new(what, "ms", times, Target::Under(30.0)));
    Ok(())
}

/// From the answer to a change on the Primary until the Backup has it, in continuous mode.
pub async fn reach_the_backup(options: &Options, primary: &Server, backup: &Server, lines: &mut Lines) -> Result<()> {
    backup.change("settings/synchronization", json!({ "continuous": true })).await?;
    let mut times = Vec::new();
    for turn in 0..options.runs.max(2) * 2 {
        let wanted = json!(30 + turn % 2);
        primary.change("settings/agents", json!({ "heartbeat_seconds": wanted })).await?;
        let began = Instant::now();
        loop {
            let section: Value = backup.get("settings/agents").await?;
            if section.get("heartbeat_seconds") == Some(&wanted) {
                break;
            }
            if began.elapsed() > AT_MOST {
                return Err(Failure::new("a change of a setting did not reach the Backup"));
            }
            sleep(Duration::from_millis(2)).await;
        }
        times.push(began.elapsed());
    }
    lines.add(Line::new(
        "a changed setting is on the Backup, continuous, after",
        "ms",
        Spread::ms(times),
        Target::Under(2000.0),
    ));
    Ok(())
}
