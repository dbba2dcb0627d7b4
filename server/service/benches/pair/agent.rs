//! The agent on a machine: the hook that PAM runs, the daemon, the program's size.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    Options,
    failure::{During as _, Failure, Result},
    figures::{Line, Spread, Target},
    measures::Lines,
    servers::{Server, resident_mb, run, text},
};

/// The phases of a logon for which PAM runs the hook, in their order.
const PHASES: [&str; 3] = ["account", "open_session", "close_session"];

/// A daemon that ends with this.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All of it.
pub async fn measure(options: &Options, dir: &Path, lines: &mut Lines) -> Result<()> {
    let program = options.agent();
    let server = Server::primary(&options.userlock(), &dir.join("agents-primary")).await?;
    let (state, socket, enrolment) = (dir.join("agent"), dir.join("agent.sock"), dir.join("enrolment"));
    fs::write(&enrolment, server.enrolment())?;
    run(&program, &["enrol", "--string-file", &text(&enrolment), "--state-dir", &text(&state), "--machine", "bench"])?;
    let daemon = Command::new(&program)
        .args(["daemon", "--state-dir", &text(&state), "--socket", &text(&socket)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .during("starting the daemon")?;
    let daemon = Daemon(daemon);
    let begin = Instant::now();
    while !run(&program, &["status", "--json", "--socket", &text(&socket)])
        .is_ok_and(|said| said.contains("\"connected\":true"))
    {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err(Failure::new("the daemon does not reach its server"));
        }
        sleep(Duration::from_millis(50)).await;
    }

    let nothing = spawn_times(options.runs * 20)?;
    let mut times: Vec<Vec<Duration>> = PHASES.iter().map(|_| Vec::new()).collect();
    for logon in 0..options.runs * 20 {
        for (times, took) in times.iter_mut().zip(one_logon(&program, &socket, &state, logon)?) {
            times.push(took);
        }
    }
    let what = "the pam hook adds to a logon";
    let both: Vec<Duration> = match times.as_slice() {
        [account, open, ..] => account.iter().zip(open).map(|(a, b)| *a + *b).collect(),
        _ => Vec::new(),
    };
    lines.add(Line::new(
        format!("{what}: account and open_session together"),
        "ms",
        Spread::ms(both),
        Target::Under(20.0),
    ));
    for (phase, times) in PHASES.iter().zip(times) {
        lines.add(Line::new(format!("… {phase}"), "ms", Spread::ms(times), Target::None));
    }
    lines.add(Line::new(
        "… to start a program that does nothing, for comparison",
        "ms",
        Spread::ms(nothing),
        Target::None,
    ));
    lines.add(Line::one(
        "the agent's daemon: memory after that",
        "MB",
        resident_mb(daemon.0.id())?,
        Target::Under(20.0),
    ));
    #[expect(clippy::cast_precision_loss, reason = "the size of a file")]
    let size = fs::metadata(&program)?.len() as f64 / 1e6;
    lines.add(Line::one("the agent's program", "MB", size, Target::Under(10.0)));
    Ok(())
}

fn spawn_times(count: usize) -> Result<Vec<Duration>> {
    (0..count)
        .map(|_| {
            let begin = Instant::now();
            Command::new("/bin/true").status()?;
            Ok(begin.elapsed())
        })
        .collect()
}

/// A session is the process that opened it, so each logon has one of its own: this program again, which tells what each
/// phase took.
fn one_logon(program: &Path, socket: &Path, state: &Path, logon: usize) -> Result<Vec<Duration>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["opener", &text(program), &text(socket), &text(state), &format!("user{:03}", logon % 50)])
        .output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("the hook refused: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().map(|word| Ok(Duration::from_micros(word.parse()?))).collect()
}

/// What `opener` does: runs the hook as PAM does for one logon.
pub fn opener(args: &[String]) -> Result<()> {
    let [program, socket, state, user] = args else { return Err(Failure::new("opener PROGRAM SOCKET STATE USER")) };
    let mut told = String::new();
    for phase in PHASES {
        let begin = Instant::now();
        let status = Command::new(program)
            .args(["pam", "--socket", socket, "--state-dir", state])
            .env("PAM_TYPE", phase)
            .env("PAM_USER", user)
            .env("PAM_SERVICE", "sshd")
            .env("PAM_RHOST", "192.0.2.7")
            .env("PAM_TTY", "ssh")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(Failure::new(format!("{phase}: {status}")));
        }
        told.push_str(&format!("{} ", begin.elapsed().as_micros()));
    }
    println!("{told}");
    Ok(())
}
