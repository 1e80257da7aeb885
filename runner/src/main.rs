//! The `npusim` command.

mod process_heap;

use std::process::ExitCode;

fn main() -> ExitCode {
    npusim::cli::main()
}
