//! The operating system's own log: journald where it is, else syslog.

use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

use userlock_core::api::{Level, LogEvent};

use super::{SOURCE, one_line};
use crate::config::{LogConfig, Switch};

/// The largest datagram that is sent; more of a message is cut off.
const MAX_DATAGRAM_BYTES: usize = 60 * 1024;

/// Where the system's logs listen.
#[derive(Debug, Clone)]
pub struct SystemLogPaths {
    /// journald's socket for its native protocol.
    pub journald: PathBuf,
    /// syslog's.
    pub syslog: PathBuf,
}

impl Default for SystemLogPaths {
    fn default() -> Self {
        Self { journald: "/run/systemd/journal/socket".into(), syslog: "/dev/log".into() }
    }
}

/// The system's log that is there, if any.
#[derive(Debug)]
pub enum SystemLog {
    /// journald, with the fields of its native protocol.
    Journald(UnixDatagram, PathBuf),
    /// syslog, as RFC 3164 has it.
    Syslog(UnixDatagram, PathBuf),
    /// There is none, or none is wanted.
    None,
}

impl SystemLog {
    /// Looks which one is there.
    #[must_use]
    pub fn find(config: &LogConfig, paths: &SystemLogPaths) -> Self {
        let open = |switch: Switch, path: &Path| {
            let wanted = switch == Switch::Auto && path.exists();
            let socket = wanted.then(UnixDatagram::unbound)?.ok()?;
            // A log that is not read must not stop the server.
            socket.set_nonblocking(true).ok()?;
            Some((socket, path.to_owned()))
        };
        if let Some((socket, path)) = open(config.journald, &paths.journald) {
            Self::Journald(socket, path)
        } else if let Some((socket, path)) = open(config.syslog, &paths.syslog) {
            Self::Syslog(socket, path)
        } else {
            Self::None
        }
    }

    /// Sends one event. A log that does not take it does without: the event is in the server's own table.
    pub fn send(&self, event: &LogEvent) {
        let sent = match self {
            Self::Journald(socket, path) => socket.send_to(&journald_datagram(event), path),
            Self::Syslog(socket, path) => socket.send_to(&syslog_datagram(event), path),
            Self::None => return,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the system's log does not take an event");
        }
    }
}

/// syslog's severities, which journald has too.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Information => 6,
    }
}

/// The fields of journald's native protocol.
fn journald_datagram(event: &LogEvent) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, "PRIORITY", &severity(event.level).to_string());
    field(&mut out, "SYSLOG_IDENTIFIER", SOURCE);
    field(&mut out, "USERLOCK_EVENT_ID", &event.id.to_string());
    field(&mut out, "MESSAGE", &format!("[{}] {}", event.id, event.message));
    for (name, value) in &event.details {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        if out.len() + name.len() + value.len() < MAX_DATAGRAM_BYTES - 64 {
            field(&mut out, &format!("USERLOCK_{name}"), value);
        }
    }
    out
}

/// One field; with its length before it where the value has a line's end.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = cut(value);
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// A line of RFC 3164, facility daemon.
fn syslog_datagram(event: &LogEvent) -> Vec<u8> {
    let priority = 3 * 8 + severity(event.level);
    let time = chrono::Local::now().format("%b %e %T");
    let details: String = event.details.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
    let text = format!("[{}] {}{details}", event.id, event.message);
    format!("<{priority}>{time} {SOURCE}[{}]: {}", std::process::id(), cut(&one_line(&text))).into_bytes()
}

/// At most as much as fits into half of a datagram.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_DATAGRAM_BYTES / 2);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> LogEvent {
        LogEvent {
            number: 1,
            id: 1202,
            source: SOURCE.into(),
            level: Level::Error,
            at: 0,
            message: "two\nlines".into(),
            details: [("address".to_owned(), "a:1".to_owned())].into(),
        }
    }

    fn receive(which: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let paths = SystemLogPaths { journald: dir.path().join("journald"), syslog: dir.path().join("syslog") };
        let listener = UnixDatagram::bind(dir.path().join(which)).unwrap();
        let config = LogConfig {
            filter: "info".into(),
            format: crate::config::LogFormat::Text,
            journald: Switch::Auto,
            syslog: Switch::Auto,
        };
        SystemLog::find(&config, &paths).send(&event());
        let mut buffer = [0; 4096];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn journald_gets_fields() {
        let said = receive("journald");
        assert!(
            said.starts_with("PRIORITY=3\nSYSLOG_IDENTIFIER=UserLock\nUSERLOCK_EVENT_ID=1202\nMESSAGE\n"),
            "{said:?}"
        );
        assert!(said.contains("\u{10}\0\0\0\0\0\0\0[1202] two\nlines\n"), "{said:?}");
        assert!(said.ends_with("USERLOCK_ADDRESS=a:1\n"), "{said:?}");
    }

    #[test]
    fn syslog_gets_a_line() {
        let said = receive("syslog");
        assert!(said.starts_with("<27>"), "{said:?}");
        assert!(said.contains(" UserLock["), "{said:?}");
        assert!(said.ends_with("]: [1202] two lines address=\"a:1\""), "{said:?}");
    }
}
