//! What the build leaves behind: the Rust source that embeds the objects.

use std::fmt::Write as _;

use crate::Guests;
use crate::compiler::Linkage;
use crate::families::NamedObject;
use crate::layout::Object;
use crate::runtimes::{OnboardObjects, RuntimeObjects};
use crate::sim_shaped::SimShapedFile;

/// The tables of `src/bundled.rs`.
pub(crate) fn tables(guests: &Guests) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "/// The shim: the first object of every namespace.")?;
    writeln!(text, "pub static SHIM: &[u8] = {};", bytes(&guests.shim))?;
    writeln!(text, "/// The program in which objects are tried out.")?;
    writeln!(text, "pub static SANDBOX: &[u8] = {};", bytes(&guests.sandbox))?;
    writeln!(text, "/// Every bundled runtime.\npub static RUNTIMES: &[BundledRuntime] = &[")?;
    for RuntimeObjects { arch, name, host, aicpu, aicore, faulty } in &guests.runtimes {
        let (arch, host, aicpu, aicore) = (arch.variant(), bytes(host), bytes(aicpu), bytes(aicore));
        let faulty: Vec<_> = faulty.iter().map(|(name, object)| format!("({name:?}, {})", bytes(object))).collect();
        writeln!(
            text,
            "    BundledRuntime {{ arch: Arch::{arch}, name: {name:?}, host: {host}, aicpu: {aicpu}, aicore: {aicore}, \
             faulty_aicores: &[{}] }},",
            faulty.join(", ")
        )?;
    }
    writeln!(text, "];\n/// The same for the board.\npub static ONBOARD: &[OnboardRuntime] = &[")?;
    for OnboardObjects { arch, name, host, aicpu } in &guests.onboard {
        let (arch, host, aicpu) = (arch.variant(), bytes(host), bytes(aicpu));
        writeln!(text, "    OnboardRuntime {{ arch: Arch::{arch}, name: {name:?}, host: {host}, aicpu: {aicpu} }},")?;
    }
    writeln!(text, "];\n/// Every other bundled object.\npub static OBJECTS: &[BundledObject] = &[")?;
    for NamedObject { kind, name, object } in &guests.objects {
        let bytes = bytes(object);
        writeln!(text, "    BundledObject {{ kind: ObjectKind::{kind}, name: {name:?}, bytes: {bytes} }},")?;
    }
    writeln!(text, "];\n/// Every file of the sim-shaped artifacts.\npub static SIM_SHAPED: &[SimShapedFile] = &[")?;
    for SimShapedFile { arch, path, object } in &guests.sim_shaped {
        let arch = arch.map_or("None".to_owned(), |arch| format!("Some(Arch::{})", arch.variant()));
        let (is_program, bytes) = (matches!(object.linkage, Linkage::Program), bytes(object));
        writeln!(
            text,
            "    SimShapedFile {{ arch: {arch}, path: {path:?}, is_program: {is_program}, bytes: {bytes} }},"
        )?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

fn bytes(object: &Object) -> String {
    format!("include_bytes!({:?})", object.output)
}
