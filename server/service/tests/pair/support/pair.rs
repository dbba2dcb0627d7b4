//! Two servers that are one.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use userlock_core::agent_api::{Enrolment, ServerAddress};

use super::{Node, is, until};

/// The account that sets up.
pub const ADMIN: &str = "admin";
/// Its password.
const PASSWORD: &str = "correct horse battery staple 7";

/// A pair in a folder of its own, which goes with it.
pub struct Pair {
    pub primary: Node,
    pub backup: Node,
    /// The zone key.
    pub key: String,
    folder: tempfile::TempDir,
}

/// How a pair is set up.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The account that the Backup joins with. One that is not [`ADMIN`] is made first.
    pub account: &'static str,
    /// Seconds between two scheduled runs; none: as it is set up.
    pub interval_seconds: Option<u32>,
    /// Whether the Primary is tailed.
    pub continuous: bool,
    /// Whether they speak TLS.
    pub tls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { account: ADMIN, interval_seconds: None, continuous: true, tls: false }
    }
}

impl Pair {
    /// Sets up and starts a pair, and waits until both are at work.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        let (mut primary, told) = Node::set_up(
            "primary",
            &folder.path().join("primary"),
            options.tls,
            &["--admin-password-file", password.to_str().unwrap()],
        )
        .unwrap();
        let key = Enrolment::from_text(told["enrolment"].as_str().unwrap()).unwrap().key;
        primary.up().await;
        if options.account != ADMIN {
            let changed = primary.change("/api/v1/settings/security", |section| {
                let account = json!({ "name": options.account, "roles": ["administrator"], "password": PASSWORD });
                section["accounts"].as_array_mut().unwrap().push(account);
            });
            changed.await.expect(200);
        }
        let mut backup = join(&primary, folder.path(), "backup", options.account, &[]).unwrap();
        backup.up().await;
        let pair = Self { primary, backup, key, folder };
        pair.at_work(Duration::from_secs(20)).await;
        if options.interval_seconds.is_some() || !options.continuous {
            pair.backup.schedule(options.interval_seconds.unwrap_or(60), options.continuous).await;
        }
        pair
    }

    /// Sets up another Backup in this pair's folder. It is not started.
    pub fn another_backup(&self, name: &str, more: &[&str]) -> Result<Node, String> {
        join(&self.primary, self.folder.path(), name, ADMIN, more)
    }

    /// Where images of data directories can be kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the Primary serves and the Backup stands by.
    pub async fn at_work(&self, at_most: Duration) {
        until("both are at work", at_most, || async {
            let (primary, backup) = (self.primary.view().await, self.backup.view().await);
            let phases = (primary["phase"].as_str(), backup["phase"].as_str());
            is(phases == (Some("serving"), Some("standby")), format!("{phases:?}\n{}", self.backup.said()))
        })
        .await;
    }

    /// Waits until both hold the same records and show the same sessions. What the Primary tells of itself then.
    pub async fn equal(&self, at_most: Duration) -> Value {
        until("both servers are equal", at_most, || async {
            let (primary, backup) = (self.primary.view().await, self.backup.view().await);
            for field in ["held_digest", "state_digest", "settings_revision"] {
                is(
                    primary[field] == backup[field],
                    format!("{field}: {} and {}\n{primary}\n{backup}", primary[field], backup[field]),
                )?;
            }
            Ok(primary)
        })
        .await
    }

    /// The events of both servers, by their identity; panics when one is there twice or the servers' differ.
    pub async fn events(&self) -> std::collections::BTreeMap<String, Value> {
        let by_id = |events: Vec<Value>, name: &str| {
            let mut found = std::collections::BTreeMap::new();
            for mut event in events {
                event.as_object_mut().unwrap().remove("position");
                // The user of a logoff is looked up in the list, which forgets.
                event.as_object_mut().unwrap().remove("summary");
                event.as_object_mut().unwrap().remove("user");
                let id = event["id"].to_string();
                if let Some(before) = found.insert(id.clone(), event) {
                    panic!("the {name} has {id} twice: {before}");
                }
            }
            found
        };
        let primary = by_id(self.primary.all("/api/v1/events").await, "Primary");
        let backup = by_id(self.backup.all("/api/v1/events").await, "Backup");
        let differ = |a: &std::collections::BTreeMap<String, Value>,
                      b: &std::collections::BTreeMap<String, Value>|
         -> Vec<Value> {
            a.iter().filter(|(id, event)| b.get(*id) != Some(event)).map(|(_, event)| event.clone()).collect()
        };
        let (more, less) = (differ(&primary, &backup), differ(&backup, &primary));
        assert!(more.is_empty() && less.is_empty(), "only on the Primary: {more:#?}\nonly on the Backup: {less:#?}");
        primary
    }
}

/// Sets up a Backup. The Primary must run.
fn join(primary: &Node, folder: &Path, name: &str, account: &str, more: &[&str]) -> Result<Node, String> {
    let password = folder.join("password");
    let ServerAddress { url, fingerprint, .. } = &primary.address;
    let mut args = vec!["--primary", url, "--account", account, "--password-file", password.to_str().unwrap()];
    if !fingerprint.is_empty() {
        args.extend(["--fingerprint", fingerprint]);
    }
    args.extend_from_slice(more);
    Node::set_up("backup", &folder.join(name), !fingerprint.is_empty(), &args).map(|(node, _)| node)
}

/// A rule for everybody.
pub fn everybody(limits: Value) -> Value {
    json!({ "subject": { "kind": "everybody" }, "limits": limits })
}
