//! What is wrong with a configuration, and where.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A key or a value in the file is wrong.
    #[error("{}, line {line}: {}{reason}", path.display(), in_key(key))]
    InFile {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key, where the line has one.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A variable of the environment has a wrong value.
    #[error("environment, {variable}: {reason}")]
    InEnvironment {
        /// The variable.
        variable: String,
        /// What is wrong.
        reason: String,
    },
    /// A variable of the environment begins like ours and is none of them.
    #[error(
        "environment, {variable}: there is no such setting; there are USERLOCK_ with LISTEN, DIR, NAME, PUBLIC_URL, \
         PLAIN_HTTP, TLS_CERT, TLS_KEY, LOG_FILTER, LOG_FORMAT, LOG_JOURNALD and LOG_SYSLOG"
    )]
    UnknownVariable {
        /// The variable.
        variable: String,
    },
    /// A key that must be there is not.
    #[error("`{key}` is missing from the configuration; write for example: {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// A line that sets it.
        example: &'static str,
    },
    /// Plain HTTP where others could listen in.
    #[error(
        "`plain_http` is for a loopback address (127.0.0.1 or [::1]) and `listen` is {listen}: passwords and tokens \
         would travel in clear"
    )]
    PlainHttp {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// A public address by which the server does not answer.
    #[error("`public_url` {must}: it is {url}{}", from_told(*told))]
    Scheme {
        /// The address.
        url: String,
        /// What it must be.
        must: &'static str,
        /// Whether it is not in the configuration but what the Configuration wizard was told.
        told: bool,
    },
}

fn from_told(told: bool) -> &'static str {
    if told { ", as the Configuration wizard was told (server.toml of the data directory)" } else { "" }
}

fn in_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("key `{key}`: ") }
}

impl ConfigError {
    /// Tells an error of the TOML reader by its line and key.
    pub(super) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let key = match line.split_once('=') {
            Some((key, _)) => format!("{}{}", table_of(before), key.trim()),
            None => String::new(),
        };
        let reason = error.message().trim().replace('\n', ", ");
        Self::InFile { path: path.to_owned(), line: before.matches('\n').count() + 1, key, reason }
    }
}

/// The table that the end of `text` lies in, as a prefix: `tls.`.
fn table_of(text: &str) -> String {
    let header = text.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'));
    header.map(|name| format!("{name}.")).unwrap_or_default()
}
