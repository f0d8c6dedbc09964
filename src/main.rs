//! The program: everything it can do is a command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotline::commands::main()
}
