//! Ending a session: asking its processes to end, and ending those that do not.

use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};

use crate::system::{Process, Stat, all_processes};

/// How long the processes of a session have to end by themselves.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long a process may take to be gone after it was killed.
const AFTER_KILL: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// Ends the process that opened a session and all that come from it: asks them, and kills after `grace` what is left.
/// Whether that process is gone.
///
/// # Errors
/// The processes of the machine cannot be listed.
pub async fn end_session(opener: Process, grace: Duration) -> std::io::Result<bool> {
    let asked = family(opener, &all_processes()?);
    for process in &asked {
        send(*process, Signal::HUP);
        send(*process, Signal::TERM);
    }
    let deadline = Instant::now() + grace;
    while asked.iter().any(|process| process.lives()) && Instant::now() < deadline {
        sleep(POLL).await;
    }
    let mut left = family(opener, &all_processes()?);
    left.extend(asked.iter().filter(|process| process.lives()));
    for process in left {
        send(process, Signal::KILL);
    }
    let deadline = Instant::now() + AFTER_KILL;
    while opener.lives() && Instant::now() < deadline {
        sleep(POLL).await;
    }
    Ok(!opener.lives())
}

/// The opener and all that come from it, without ourselves. Empty when the opener is gone.
fn family(opener: Process, all: &[Stat]) -> Vec<Process> {
    let mut family = Vec::new();
    let mut next: Vec<Process> = all.iter().filter(|s| s.process == opener && !s.dead).map(|s| s.process).collect();
    while let Some(process) = next.pop() {
        // A process number names one process at a time, so that nobody is met twice; the bound is for a list that
        // changed while it was read.
        if family.len() >= all.len() {
            break;
        }
        next.extend(all.iter().filter(|s| s.parent == process.pid && !s.dead).map(|s| s.process));
        if process.pid != std::process::id() {
            family.push(process);
        }
    }
    family
}

/// Sends a signal to exactly this process: its number is held while its start is checked, so that it cannot become
/// another's in between.
fn send(process: Process, signal: Signal) {
    let Some(pid) = i32::try_from(process.pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw) else { return };
    let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if process.lives()
        && let Err(error) = pidfd_send_signal(&fd, signal)
    {
        tracing::debug!(process.pid = process.pid, %error, "a signal was not sent");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    async fn started(script: &str) -> (tokio::process::Child, Process) {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let process = Process::with_pid(child.id().unwrap()).unwrap();
        for _ in 0..200 {
            if family(process, &all_processes().unwrap()).len() >= 2 {
                return (child, process);
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the script started nothing");
    }

    #[tokio::test]
    async fn a_session_that_obeys_ends_with_all_that_it_started() {
        let (mut child, process) = started("sleep 300 & sleep 300; true").await;
        let family = family(process, &all_processes().unwrap());
        let begun = Instant::now();
        let (ended, _) = tokio::join!(end_session(process, GRACE), child.wait());
        assert!(ended.unwrap() && begun.elapsed() < GRACE);
        assert!(family.iter().all(|process| !process.lives()));
    }

    #[tokio::test]
    async fn one_that_does_not_obey_is_killed() {
        let (mut child, process) = started("trap '' HUP TERM; while :; do sleep 1; done").await;
        let (ended, _) = tokio::join!(end_session(process, Duration::from_millis(300)), child.wait());
        assert!(ended.unwrap());
    }

    #[tokio::test]
    async fn another_process_of_the_same_number_is_left_alone() {
        let (mut child, process) = started("sleep 300 & wait").await;
        let other = Process { start: process.start + 1, ..process };
        assert!(end_session(other, Duration::from_millis(100)).await.unwrap(), "that one is gone");
        assert!(process.lives());
        let (ended, _) = tokio::join!(end_session(process, GRACE), child.wait());
        assert!(ended.unwrap());
    }
}
