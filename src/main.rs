//! The program: everything it can do is a command.

use std::process::ExitCode;

/// Calls are born on one thread and their facts die on another, thousands of small pieces a second: this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hotline::commands::main()
}
