//! The command line. No secret is ever an argument: those come in files, and go out to files or standard output.

mod certificate;
mod local;
mod offline;
mod secrets;
mod serve;
mod setup;
mod setup_backup;
mod status;
mod sync;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{config::ConfigError, demo, http::openapi, log::catalogue};

/// What goes wrong, for people, on standard error.
type Failure = Box<dyn std::error::Error + Send + Sync>;
/// What a command gives.
type Outcome = Result<(), Failure>;

/// Watches and controls who is logged on where, and keeps doing so when a server dies.
#[derive(Debug, Parser)]
#[command(name = "userlock", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the server's configuration is.
#[derive(Debug, Clone, clap::Args)]
struct ConfigArg {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        env = "USERLOCK_CONFIG",
        default_value = "/etc/userlock/userlock.toml",
        global = true
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server until it is told to stop; where none is set up, its Configuration wizard first
    Serve(ConfigArg),
    /// Set up a server without a browser: its state, its certificate and its configuration
    Setup(setup::SetupArgs),
    /// Make an API token, on a Primary
    Token(TokenArgs),
    /// Make a new zone key, and print what machines are enrolled with; on a Primary
    Enrolment(OutArgs),
    /// Show or replace the certificate of the running server
    Certificate(certificate::CertificateArgs),
    /// Show how the server and its pair are
    Status(status::StatusArgs),
    /// Start a synchronization on a Backup, and wait for its end
    Sync(sync::SyncArgs),
    /// Run a Primary, a Backup and a zone of played machines to look at
    Demo(demo::DemoArgs),
    /// Print the description of the HTTP interface (OpenAPI)
    Openapi,
    /// Print the events of the application log, as the documentation has them
    Events,
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    #[command(name = "demo-zone", hide = true)]
    DemoZone(demo::DemoZoneArgs),
    #[command(name = demo::BOUND, hide = true)]
    DemoChild(demo::DemoChildArgs),
}

/// `userlock token`.
#[derive(Debug, clap::Args)]
struct TokenArgs {
    #[command(flatten)]
    out: OutArgs,
    /// What it is for; another token of that name is replaced
    #[arg(long)]
    name: String,
    /// What it may do: read_only, operator, administrator, or a role of the zone's own
    #[arg(long, default_value = "administrator")]
    role: String,
    /// Days after which it ends [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3660))]
    expires_days: Option<u32>,
}

/// A command that tells a secret.
#[derive(Debug, clap::Args)]
struct OutArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The file to write it to, readable by you alone; standard output when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let said = format!("userlock: {}\n", in_full(&*failure));
            // Where standard error is closed there is nobody to tell.
            _ = std::io::stderr().write_all(said.as_bytes());
            // As clap does: what is wrong with how the program was called, and what went wrong then, differ.
            if failure.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::serve(&args.config),
        Command::Setup(args) => quietly(setup::setup(args)),
        Command::Token(args) => quietly(local::token(args)),
        Command::Enrolment(args) => quietly(local::enrolment(args)),
        Command::Certificate(args) => quietly(certificate::certificate(args)),
        Command::Status(args) => quietly(status::status(args)),
        Command::Sync(args) => quietly(sync::sync(args)),
        Command::Demo(args) => quietly(async { Ok(Box::pin(demo::run(args)).await?) }),
        Command::Openapi => print(&format!("{:#}\n", openapi::document())),
        Command::Events => print(&catalogue::as_markdown()),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "userlock", &mut text);
            Ok(std::io::stdout().write_all(&text)?)
        }
        Command::DemoZone(args) => quietly(async move { Ok(Box::pin(demo::play(&args.play)).await?) }),
        Command::DemoChild(args) => Err(demo::become_bound(args.parent, &args.args).into()),
    }
}

/// Runs a command that is no server: only warnings go to standard error.
fn quietly(work: impl Future<Output = Outcome>) -> Outcome {
    serve::start_tracing("warn", crate::config::LogFormat::Text);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn print(text: &str) -> Outcome {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// An error with all its causes, in one line.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_hang_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_is_an_argument() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let secret = ["password", "token", "key", "secret"].iter().any(|word| id.contains(word));
                assert!(!secret || id.ends_with("file"), "{} of {}", id, command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
