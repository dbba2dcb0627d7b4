//! "Test connection": each step to the Primary by name, with what was found and what to do.

use std::time::Duration;

use userlock_core::{
    api::{Check, Phase, TestReport},
    id::LogId,
    sync::Hello,
};

use super::{Client, SyncError, heartbeat::own_hello};
use crate::{clock, config::host_of, log::catalogue, zone::Zone};

/// A step that takes longer has failed.
const STEP: Duration = Duration::from_secs(5);
/// The names of the checks, in order.
const NAMES: [&str; 9] = [
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

/// Checks the connection of a Backup to its Primary. Nothing is changed.
pub async fn test_connection(zone: &Zone) -> TestReport {
    let mut done: Vec<Check> = Vec::new();
    let failed = run(zone, &mut done).await;
    if let Err((name, detail)) = failed {
        done.push(Check { name: name.to_owned(), ok: Some(false), detail });
    }
    for name in NAMES {
        if !done.iter().any(|check| check.name == name) {
            let detail = "not checked: one before it failed".to_owned();
            done.push(Check { name: name.to_owned(), ok: None, detail });
        }
    }
    done.sort_by_key(|check| NAMES.iter().position(|name| *name == check.name));
    TestReport { ok: done.iter().all(|check| check.ok == Some(true)), checks: done }
}

type Step = (&'static str, String);

async fn run(zone: &Zone, done: &mut Vec<Check>) -> Result<(), Step> {
    let mut pass = |name: &str, detail: String| done.push(Check { name: name.to_owned(), ok: Some(true), detail });
    let own = zone.own().synchronization.ok_or(("resolve", "this server has no Primary".to_owned()))?;
    let url = reqwest::Url::parse(&own.primary.url).map_err(|e| ("resolve", format!("{}: {e}", own.primary.url)))?;
    let host = host_of(url.as_str()).unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(8443);
    let addresses: Vec<_> = tokio::time::timeout(STEP, tokio::net::lookup_host((host.as_str(), port)))
        .await
        .map_err(|_| ("resolve", format!("no name server answered for {host} within 5 s")))?
        .map_err(|e| ("resolve", format!("{host} does not resolve: {e}. Check the name, or enter an address.")))?
        .collect();
    let first = addresses.first().ok_or(("resolve", format!("{host} has no address")))?;
    pass("resolve", format!("{host} is {}", first.ip()));

    let connect = tokio::time::timeout(STEP, tokio::net::TcpStream::connect(first)).await;
    connect
        .map_err(|_| {
            ("connect", format!("{first} did not answer within 5 s: check the firewall between the two servers"))
        })?
        .map_err(|e| ("connect", format!("{first}: {e}. Check that the Primary runs and listens there.")))?;
    pass("connect", format!("{first} accepts connections"));

    let client = Client::of_zone(zone).map_err(|e| ("tls", e.message))?;
    let pushed_to = LogId::NIL;
    let sent = clock::now_ms();
    let hello = match client.hello(&own_hello(zone, pushed_to)).await {
        Ok(hello) => hello,
        Err(error) => return Err(explain(done, error, url.scheme() == "https")),
    };
    judge(zone, done, &hello, sent, url.scheme() == "https")
}

/// Which step an error of the hello belongs to; those before it passed.
fn explain(done: &mut Vec<Check>, error: SyncError, https: bool) -> Step {
    let steps = ["tls", "authenticate", "is_primary", "same_zone", "is_administrator", "version"];
    let kind = error.kind;
    let name = if kind == catalogue::SYNC_AUTHENTICATION {
        "authenticate"
    } else if kind == catalogue::SYNC_NOT_PRIMARY {
        "is_primary"
    } else if kind == catalogue::SYNC_OTHER_ZONE {
        "same_zone"
    } else if kind == catalogue::SYNC_NOT_ADMINISTRATOR {
        "is_administrator"
    } else if kind == catalogue::SYNC_VERSION {
        "version"
    } else {
        "tls"
    };
    // The Primary judges the version first, then whether it is one, then who asks; its token is good in its zone alone.
    let passed: &[&str] = match name {
        "authenticate" => &["tls", "version", "is_primary"],
        "is_administrator" => &["tls", "version", "is_primary", "authenticate", "same_zone"],
        "is_primary" => &["tls", "version"],
        "same_zone" => &["tls", "version", "authenticate", "is_administrator", "is_primary"],
        "version" => &["tls"],
        _ => &[],
    };
    for step in steps.iter().filter(|step| passed.contains(step)) {
        let detail = if *step == "tls" && !https { "plain HTTP on this machine" } else { "as it should be" };
        done.push(Check { name: (*step).to_owned(), ok: Some(true), detail: detail.to_owned() });
    }
    (name, format!("{}. {}", error.message.trim_end_matches('.'), kind.advice))
}

fn judge(zone: &Zone, done: &mut Vec<Check>, hello: &Hello, sent: i64, https: bool) -> Result<(), Step> {
    let mut pass = |name: &str, detail: String| done.push(Check { name: name.to_owned(), ok: Some(true), detail });
    pass(
        "tls",
        if https { "the certificate is the one that was confirmed" } else { "plain HTTP on this machine" }.to_owned(),
    );
    pass("authenticate", "this server's token is valid".to_owned());
    if hello.phase.phase == Phase::Superseded {
        return Err(("is_primary", format!("{} was superseded by another Primary", hello.name)));
    }
    pass("is_primary", format!("{} is the Primary, {}", hello.name, hello.phase.phase.title()));
    if hello.zone_id != zone.read(|s| s.identity.zone_id) {
        return Err(("same_zone", format!("{} belongs to another protected zone", hello.name)));
    }
    pass("same_zone", "both belong to one protected zone".to_owned());
    let account = zone.own().synchronization.map(|s| s.service_account).unwrap_or_default();
    pass("is_administrator", format!("{account} is an administrator there"));
    pass("version", format!("{} runs version {}", hello.name, hello.version));
    let skew = hello.clock.saturating_sub(i64::midpoint(sent, clock::now_ms()));
    if skew.abs() >= 60_000 {
        return Err((
            "clock_skew",
            format!("the clocks are {skew} ms apart: set them right; nothing is decided by them"),
        ));
    }
    pass("clock_skew", format!("{skew} ms"));
    Ok(())
}
