//! The `npusim` command.

mod process_heap;

use std::process::ExitCode;

use npusim::run::exit::ExitStatus;
use sim_core::loader::tunables;

fn main() -> ExitCode {
    if let Err(error) = tunables::apply_by_restart() {
        eprintln!("npusim: cannot start again with the settings that namespaces need: {error}");
        return ExitStatus::DeviceFault.into();
    }
    npusim::cli::main()
}
