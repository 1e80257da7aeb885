//! Builds the device-side programs in `guest/` with the system's compilers and embeds them: every object ends up as a
//! byte string in `$OUT_DIR/guests.rs`, which `src/bundled.rs` includes.
//!
//! What is built is data: the tables of [`runtimes`], [`families`] and [`sim_shaped`]. Objects must not depend on where
//! they were built, since the identity of a kernel is the hash of its bytes.

mod arch;
mod compiler;
mod embed;
mod error;
mod families;
mod layout;
mod runtimes;
mod sim_shaped;
mod toolchain;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use compiler::{Language, Linkage};
use error::BuildError;
use families::NamedObject;
use layout::{Layout, Object};
use runtimes::{OnboardObjects, RuntimeObjects};
use sim_shaped::SimShapedFile;
use toolchain::Toolchain;

/// Everything that is embedded.
struct Guests {
    shim: Object,
    sandbox: Object,
    runtimes: Vec<RuntimeObjects>,
    onboard: Vec<OnboardObjects>,
    objects: Vec<NamedObject>,
    sim_shaped: Vec<SimShapedFile>,
}

impl Guests {
    fn plan(layout: &Layout) -> Result<Self, BuildError> {
        let sources = ["shim/shim.c", "shim/driver.c"].map(PathBuf::from).into();
        let shim = layout.object("shim".to_owned(), Language::C, ["-O2"], sources);
        let sandbox = layout.object("sandbox".to_owned(), Language::C, ["-O2"], vec!["sandbox/sandbox.c".into()]);
        Ok(Self {
            shim,
            sandbox: Object { linkage: Linkage::CProgram, ..sandbox },
            runtimes: runtimes::plan(layout)?,
            onboard: runtimes::plan_onboard(layout)?,
            objects: families::plan(layout)?,
            sim_shaped: sim_shaped::plan(layout)?,
        })
    }

    fn all(&self) -> Vec<&Object> {
        let runtimes = self.runtimes.iter().flat_map(RuntimeObjects::all);
        let onboard = self.onboard.iter().flat_map(OnboardObjects::all);
        let named = self.objects.iter().map(|named| &named.object);
        let sim_shaped = self.sim_shaped.iter().map(|file| &file.object);
        runtimes.chain(onboard).chain([&self.shim, &self.sandbox]).chain(named).chain(sim_shaped).collect()
    }
}

fn build() -> Result<(), BuildError> {
    let layout = Layout::from_environment();
    println!("cargo::rerun-if-changed=../guest");
    println!("cargo::rerun-if-changed=build");
    let toolchain = Toolchain::find(&layout)?;
    let guests = Guests::plan(&layout)?;
    toolchain.compile_all(&guests.all())?;
    let path = layout.out.join("guests.rs");
    let text = embed::tables(&guests).expect("a string takes all text");
    fs::write(&path, text).map_err(|source| BuildError::File { path, source })
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("npusim: {error}");
            ExitCode::FAILURE
        }
    }
}
