//! The program `userlock`.

use std::process::ExitCode;

fn main() -> ExitCode {
    userlock_service::cli::main()
}
