//! Links the unwinder into the preloaded object instead of leaving `libgcc_s.so.1` to the dynamic linker: every process
//! of a command would load that, whether it has device code or not.
//!
//! The standard library asks the linker for `gcc_s`. It finds a linker script of that name first, which leads to the
//! static archives that come with every gcc.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let script = directory.join("libgcc_s.so");
    if let Err(error) = fs::write(&script, "INPUT(-lgcc_eh -lgcc)\n") {
        println!("cargo::error={} cannot be written: {error}", script.display());
    }
    println!("cargo::rustc-cdylib-link-arg=-L{}", directory.display());
}
