//! Measures real servers and agents, as processes of their own over loopback sockets, and writes the figures into
//! `docs/PERFORMANCE.md`. `make bench` runs it.

mod agent;
mod agents;
mod decisions;
mod failure;
mod figures;
mod fleet;
mod machine;
mod measures;
mod servers;
mod settings;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, ValueEnum};

use failure::{During as _, Failure, Result};
use figures::{Line, Target};
use measures::Lines;

/// Between these lines of the document the figures stand.
const BEGIN: &str = "<!-- figures: written by make bench -->";
/// See [`BEGIN`].
const END: &str = "<!-- end of figures -->";

/// A part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Decisions and events at a Primary.
    Primary,
    /// Events synchronization.
    Events,
    /// Sessions synchronization.
    Sessions,
    /// Memory, start and page of a server with many sessions.
    Many,
    /// The agent.
    Agent,
    /// What the browser gets.
    Site,
}

/// What to measure, and with what.
#[derive(Debug, Parser)]
#[command(about)]
struct Options {
    /// The parts to measure [default: all]
    parts: Vec<Part>,
    /// The folder of the two programs
    #[arg(long)]
    bin_dir: PathBuf,
    /// The folder of what the browser gets
    #[arg(long)]
    site: Option<PathBuf>,
    /// How often each thing is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// A twentieth of everything: whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Where the servers keep their state while they are measured [default: a temporary folder]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The document to write the figures into
    #[arg(long, conflicts_with = "quick")]
    write: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn userlock(&self) -> PathBuf {
        self.bin_dir.join("userlock")
    }

    fn agent(&self) -> PathBuf {
        self.bin_dir.join("userlock-agent")
    }

    fn scaled(&self, number: u64) -> u64 {
        if self.quick { (number / 20).max(2) } else { number }
    }

    fn seconds(&self, seconds: u64) -> Duration {
        if self.quick { Duration::from_secs(seconds.min(2)) } else { Duration::from_secs(seconds) }
    }

    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == "opener" => agent::opener(rest),
        _ => in_runtime(Options::parse()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// One thread, so that the servers have the most of the two cores.
fn in_runtime(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(all(&options));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn all(options: &Options) -> Result<()> {
    let made = options.dir.is_none();
    let dir = options
        .dir
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("userlock-bench-{}", std::process::id())));
    fs::create_dir_all(&dir).during("making the folder")?;
    let result = measured(options, &dir).await;
    if made && result.is_ok() {
        fs::remove_dir_all(&dir)?;
    }
    result.during(&format!("(what the servers said is in {})", dir.display()))
}

async fn measured(options: &Options, dir: &Path) -> Result<()> {
    let machine = machine::described(dir)?;
    println!("{machine}");
    let mut lines = Lines::default();
    let mut failed = Vec::new();
    for (part, name) in [
        (Part::Primary, "a Primary"),
        (Part::Events, "Events synchronization"),
        (Part::Sessions, "Sessions synchronization"),
        (Part::Many, "a server with many sessions"),
        (Part::Agent, "the agent"),
        (Part::Site, "what the browser gets"),
    ] {
        if !options.wants(part) {
            continue;
        }
        println!("{name}");
        let result = match part {
            Part::Primary => Box::pin(measures::primary(options, dir, &mut lines)).await,
            Part::Events => Box::pin(measures::events_synchronization(options, dir, &mut lines)).await,
            Part::Sessions => Box::pin(measures::sessions_synchronization(options, dir, &mut lines)).await,
            Part::Many => Box::pin(measures::many_sessions(options, dir, &mut lines)).await,
            Part::Agent => Box::pin(agent::measure(options, dir, &mut lines)).await,
            Part::Site => site(options, &mut lines),
        };
        if let Err(error) = result {
            println!("  NOT MEASURED: {error}");
            failed.push(format!("{name}: {error}"));
        }
    }
    if !failed.is_empty() {
        return Err(Failure::new(failed.join("\n")));
    }
    match &options.write {
        Some(document) => write(document, &format!("{machine}\n{}", lines.table())),
        None => Ok(()),
    }
}

/// How much of script and WebAssembly the browser gets, as it is sent.
fn site(options: &Options, lines: &mut Lines) -> Result<()> {
    let site = options.site.as_ref().ok_or_else(|| Failure::new("--site is missing"))?;
    let mut bytes = 0;
    for entry in fs::read_dir(site.join("pkg")).during("the site")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".js.br") || name.ends_with(".wasm.br") {
            bytes += entry.metadata()?.len();
        }
    }
    if bytes == 0 {
        return Err(Failure::new("there is nothing compressed in the site's folder"));
    }
    #[expect(clippy::cast_precision_loss, reason = "the size of a file")]
    let kilobytes = bytes as f64 / 1000.0;
    lines.add(Line::one(
        "the dashboard's WebAssembly and JavaScript together, with brotli",
        "kB",
        kilobytes,
        Target::Under(350.0),
    ));
    Ok(())
}

/// Puts the figures into the document, between its marks.
fn write(document: &Path, figures: &str) -> Result<()> {
    let text = fs::read_to_string(document).during(&document.display().to_string())?;
    let missing = || Failure::new(format!("{} has no place for the figures", document.display()));
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    fs::write(document, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?;
    println!("written to {}", document.display());
    Ok(())
}
