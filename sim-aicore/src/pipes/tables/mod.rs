//! What instructions cost: the tables of `sim-aicore/instructions`, one file for each generation.
//!
//! Every entry says who says so. Numbers are cycles of the AICore, or bytes per cycle.

mod banks;
mod keys;
mod reduction;
mod vector;

pub use banks::Banks;
pub use keys::load_profile;
pub(super) use keys::tables_of;
pub use reduction::{ReducedShape, Reduction, ReductionStep};
pub use vector::{Fit, Function, FunctionOverhead, Hardware, VectorTable};

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer};
use sim_core::profile::{Arch, Confidence};

use super::cycles::MicroCycles;
use super::instruction::Path;

/// The costs of a generation's instructions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// How much a core can hold.
    pub memories: Memories,
    /// Vector operations.
    pub vector: VectorTable,
    /// The cube and what leaves it.
    pub cube: Cube,
    /// Which paths there are, and how fast those are that do not touch GM.
    pub paths: Vec<PathCost>,
    /// What transfers from and to GM pay beside the profile's constants.
    pub gm: Gm,
    /// What is between the cores of a cluster.
    pub cluster: ClusterCost,
}

/// Sizes of a core's memories in bytes.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each is named for the memory")]
pub struct Memories {
    pub ub: u64,
    pub l1: u64,
    pub l0a: u64,
    pub l0b: u64,
    pub l0c: u64,
    #[serde(flatten)]
    pub origin: Origin,
}

impl Memories {
    /// The sizes, by `NpusimMemory`.
    pub const fn by_code(&self) -> [u64; 5] {
        [self.ub, self.l1, self.l0a, self.l0b, self.l0c]
    }
}

/// Who says so.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    /// How far it can be trusted.
    #[serde(deserialize_with = "confidence")]
    pub confidence: Confidence,
    /// Who says so.
    pub source: String,
    /// How it was arrived at.
    #[serde(default)]
    pub note: String,
}

/// The cube.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cube {
    /// Products of matrices.
    pub mad: MadCost,
    /// What leaves L0C.
    pub drain: DrainCost,
}

/// `head + passes · ⌈m/16⌉ · ⌈k/(32 B)⌉ · ⌈n/16⌉` cycles, and `start` where the cube had nothing to do before.
#[derive(Debug, Deserialize)]
pub struct MadCost {
    /// Of a product that the cube had to wait for.
    pub start: MicroCycles,
    /// Of every product.
    pub head: MicroCycles,
    /// Of elements of four bytes; smaller ones take one.
    pub slow_element_passes: u64,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// `scale · (head + m · (max(row_floor, bytes of a row / row_bytes_per_cycle) + odd · (odd part of the row's blocks − 1)))`,
/// of bytes and blocks in L0C.
#[derive(Debug, Deserialize)]
pub struct DrainCost {
    /// Until the first row of a drain arrives; the next may begin meanwhile.
    pub head: MicroCycles,
    /// The least for a row.
    pub row_floor: MicroCycles,
    /// How fast a row leaves.
    pub row_bytes_per_cycle: u64,
    /// For a row of an odd number of blocks.
    pub odd: MicroCycles,
    /// What a correction makes of all that; 1 is none.
    pub scale: MicroCycles,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A path that the generation has.
#[derive(Debug, Deserialize)]
pub struct PathCost {
    /// Which.
    pub path: Path,
    /// How fast; none where something else says.
    #[serde(default)]
    pub bytes_per_cycle: Option<MicroCycles>,
    /// Of every transfer.
    #[serde(default)]
    pub head: MicroCycles,
    /// How many times as long it takes while the cube reads what L0 has.
    #[serde(default = "unchanged")]
    pub beside_cube: MicroCycles,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Transfers from and to GM.
#[derive(Debug, Deserialize)]
pub struct Gm {
    /// From the last byte that leaves the core until it has arrived.
    pub store_latency: MicroCycles,
    /// Rows whose addresses are no multiple of it are not aligned.
    pub row_alignment: u64,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Flags between the cores of a cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterCost {
    /// From the moment at which a core raises a flag until the other core goes on.
    pub flag_latency: MicroCycles,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

impl Tables {
    /// The tables of a generation.
    pub fn of(arch: Arch) -> &'static Tables {
        Tables::shared(arch)
    }

    fn shared(arch: Arch) -> &'static Arc<Tables> {
        static A2A3: LazyLock<Arc<Tables>> = LazyLock::new(|| parse(Arch::A2a3));
        static A5: LazyLock<Arc<Tables>> = LazyLock::new(|| parse(Arch::A5));
        match arch {
            Arch::A2a3 => &A2A3,
            Arch::A5 => &A5,
        }
    }

    /// The embedded file: its name and its text.
    const fn file(arch: Arch) -> (&'static str, &'static str) {
        match arch {
            Arch::A2a3 => ("instructions/a2a3.json", include_str!("../../../instructions/a2a3.json")),
            Arch::A5 => ("instructions/a5.json", include_str!("../../../instructions/a5.json")),
        }
    }

    /// What is known of a path; `None` if the generation does not have it.
    pub fn path(&self, path: Path) -> Option<&PathCost> {
        self.paths.iter().find(|known| known.path == path)
    }
}

const fn unchanged() -> MicroCycles {
    MicroCycles::whole(1)
}

fn parse(arch: Arch) -> Arc<Tables> {
    let (name, text) = Tables::file(arch);
    // The files are part of this crate: a mistake in one is a mistake in the code.
    Arc::new(serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Confidence, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = [
        Confidence::Measured,
        Confidence::Documented,
        Confidence::Simulated,
        Confidence::Inferred,
        Confidence::Placeholder,
        // No file says so, but what a user has changed in one.
        Confidence::Override,
    ];
    let found = known.into_iter().find(|confidence| confidence.as_str() == text);
    found.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no confidence")))
}

/// The same where it need not be stated.
fn own_confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Confidence>, D::Error> {
    confidence(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::instruction::{Element, VectorOp};
    use super::*;

    #[test]
    fn is_there_a_cost_for_every_operation_on_every_usual_element() {
        for arch in Arch::ALL {
            let tables = Tables::of(arch);
            for op in VectorOp::ALL {
                for element in [Element::Fp32, Element::Fp16, Element::Bf16, Element::Int32] {
                    let bytes = element.bytes();
                    assert!(tables.vector.knows(op, bytes, bytes), "{arch}: {op:?} of {element:?}");
                }
            }
        }
    }

    #[test]
    fn which_paths_has_which_generation() {
        let missing = |arch| -> Vec<Path> {
            // Those between GM and UB or L1 are priced by the profile.
            let by_profile = |path: &Path| matches!(path, Path::GmToUb | Path::GmToL1 | Path::UbToGm);
            Path::ALL.into_iter().filter(|path| !by_profile(path) && Tables::of(arch).path(*path).is_none()).collect()
        };
        assert_eq!(missing(Arch::A2a3), [Path::L1ToUb, Path::UbToL1, Path::L0cToUb, Path::L0cToUbs]);
        assert_eq!(missing(Arch::A5), []);
    }

    #[test]
    fn does_every_entry_say_who_says_so() {
        for arch in Arch::ALL {
            let tables = Tables::of(arch);
            let origins = tables.paths.iter().map(|path| &path.origin).chain(tables.vector.origins());
            for origin in origins.chain([&tables.cube.mad.origin, &tables.cube.drain.origin, &tables.gm.origin]) {
                assert!(!origin.source.is_empty());
            }
        }
    }
}
