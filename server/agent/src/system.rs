//! What the operating system knows: clocks, randomness, the boot, processes.

use std::{
    fs, io,
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use userlock_core::event::{BootId, LogonId};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The machine's clock, in ms since 1970 UTC.
#[must_use]
pub fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// Milliseconds on a clock that only goes forward, from about the start of the process.
#[must_use]
pub fn monotonic_ms() -> u64 {
    u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Sixteen random bytes.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_id() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// A random number of milliseconds below `limit`; 0 when there is no randomness.
#[must_use]
pub fn jitter(limit: u64) -> u64 {
    random_id().map_or(0, |id| id.iter().take(4).fold(0, |sum, byte| (sum << 8) | u64::from(*byte)) % limit.max(1))
}

/// The present boot.
///
/// # Errors
/// The kernel does not tell it.
pub fn boot_id() -> io::Result<BootId> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    text.trim().replace('-', "").parse().map_err(io::Error::other)
}

/// The machine's own name.
///
/// # Errors
/// It has none.
pub fn host_name() -> io::Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned();
    if name.is_empty() { Err(io::Error::other("this machine has no name")) } else { Ok(name) }
}

/// A process, told from all others of this boot by its start as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which may be used again after its end.
    pub pid: u32,
    /// When it started, in clock ticks since the boot.
    pub start: u64,
}

/// What `/proc/PID/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub process: Process,
    /// The number of the process that started it, or adopted it.
    pub parent: u32,
    /// Whether it has ended and only waits to be collected.
    pub dead: bool,
}

impl Process {
    /// The process that has this number now, if any.
    #[must_use]
    pub fn with_pid(pid: u32) -> Option<Self> {
        stat(pid).filter(|stat| !stat.dead).map(|stat| stat.process)
    }

    /// Whether it still lives. A process that has ended and was not collected does not.
    #[must_use]
    pub fn lives(self) -> bool {
        Self::with_pid(self.pid) == Some(self)
    }

    /// The name of the session that it opened.
    #[must_use]
    pub fn logon_id(self) -> Option<LogonId> {
        LogonId::new(&format!("{}.{}", self.pid, self.start)).ok()
    }

    /// Itself and the processes that it comes from, the nearest first; at most `limit`. The first of all is left out.
    #[must_use]
    pub fn line(self, limit: usize) -> Vec<Self> {
        let mut line = vec![self];
        let mut next = stat(self.pid).map(|stat| stat.parent);
        while let Some(stat) = next.filter(|pid| *pid > 1 && line.len() < limit).and_then(stat) {
            line.push(stat.process);
            next = Some(stat.parent);
        }
        line
    }
}

/// Reads `/proc/PID/stat`.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of the program stands in parentheses and may contain anything, so what follows the last one counts.
fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split(' ').next()?.parse().ok()?;
    let mut rest = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = rest.next()?;
    let parent = rest.next()?.parse().ok()?;
    // The state is field 3 and the parent field 4; the start is field 22.
    let start = rest.nth(17)?.parse().ok()?;
    Some(Stat { process: Process { pid, start }, parent, dead: matches!(state, "Z" | "X" | "x") })
}

/// Every process of the machine.
///
/// # Errors
/// `/proc` cannot be read.
pub fn all_processes() -> io::Result<Vec<Stat>> {
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(stat).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let text = "4242 (a) Z 1 (b)) S 17 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 99887766 18 19";
        let stat = parse_stat(text).unwrap();
        assert_eq!(stat, Stat { process: Process { pid: 4242, start: 99_887_766 }, parent: 17, dead: false });
        assert_eq!(parse_stat("1 (x) S"), None);
    }

    #[test]
    fn a_process_is_told_by_its_start_and_is_gone_when_it_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::with_pid(child.id()).unwrap();
        assert!(process.lives());
        assert!(!Process { start: process.start + 1, ..process }.lives());
        assert_eq!(process.line(8).get(1).map(|p| p.pid), Some(std::process::id()));
        assert!(process.line(8).len() > 1 && process.line(1).len() == 1);
        child.kill().unwrap();
        while stat(child.id()).is_some_and(|stat| !stat.dead) {
            std::thread::yield_now();
        }
        assert!(!process.lives(), "nobody has collected it yet");
        child.wait().unwrap();
        assert!(boot_id().is_ok_and(|boot| !boot.is_nil()) && host_name().is_ok());
    }
}
