//! What kernels say they do: their recorders, the programs that follow, and calls that did something else.

use std::cell::{RefCell, UnsafeCell};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sim_aicore::pipes::PipeError;
use sim_aicore::pipes::library::ProgramLibrary;
use sim_aicore::pipes::record::{CoreRecorder, MalformedRecord};
use sim_core::profile::Arch;
use sim_core::trace::ContentHash;

/// Whether kernels compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Mode {
    /// They do, and the time it takes is modelled.
    #[default]
    #[serde(rename = "functional+timing")]
    Functional,
    /// Those that say what they do compute nothing: results mean nothing, times are the same.
    #[serde(rename = "timing")]
    Timing,
}

/// Why a kernel that says what it does cannot be run.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub(super) enum ProgramError {
    /// {0}
    Malformed(#[from] MalformedRecord),
    /// {0}
    Pipes(#[from] PipeError),
}

/// A kernel did something else on a call that looks like one before, so its times are those of the first: what it does
/// depends on what is in its tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, displaydoc::Display)]
#[displaydoc(
    "kernel {name} did something else in task {task:#x} than in the first call of that kind: its time is that of the first call; hand over as a scalar what the difference comes from"
)]
pub struct DifferingProgram {
    /// The kernel.
    pub name: String,
    /// The task in which it was noticed first.
    pub task: u64,
    /// The program that the times are of.
    pub first: ContentHash,
    /// What it did instead.
    pub other: ContentHash,
}

/// The programs of a device.
pub(super) struct Programs {
    pub(super) mode: Mode,
    pub(super) library: RefCell<ProgramLibrary>,
    /// By physical core id. A kernel that is running writes into its core's.
    recorders: Box<[Box<UnsafeCell<CoreRecorder>>]>,
    /// Memory of the host whose content nobody looks at.
    without_values: RefCell<Vec<Range<usize>>>,
    differing: RefCell<Vec<DifferingProgram>>,
}

impl Programs {
    pub(super) fn new(arch: Arch, cores: u16, mode: Mode) -> Self {
        let recorder = |_| Box::new(UnsafeCell::new(CoreRecorder::new(arch)));
        let recorders = (0..cores).map(recorder).collect();
        Programs {
            mode,
            library: RefCell::default(),
            recorders,
            without_values: RefCell::default(),
            differing: RefCell::default(),
        }
    }

    /// The recorder of a core, for a call that begins.
    pub(super) fn begin(&self, core: u16, arithmetic: bool) -> *mut CoreRecorder {
        let recorder = self.recorders[usize::from(core)].get();
        // SAFETY: no kernel of this core is running.
        unsafe { (*recorder).begin(arithmetic) };
        recorder
    }

    /// What the last call on a core wrote.
    pub(super) fn recorded(&self, core: u16) -> &CoreRecorder {
        // SAFETY: the kernel has returned, and the next begins only after this borrow: both are the engine's thread.
        unsafe { &*self.recorders[usize::from(core)].get() }
    }

    /// A call did something else than the first one like it. Told once for each kernel.
    pub(super) fn differs(&self, finding: DifferingProgram) {
        let mut differing = self.differing.borrow_mut();
        if differing.iter().all(|known| known.name != finding.name) {
            differing.push(finding);
        }
    }

    /// Nobody looks at what is in this memory of the host.
    pub(super) fn ignore_values(&self, memory: Vec<Range<usize>>) {
        *self.without_values.borrow_mut() = memory;
    }

    /// Whether nobody looks at what is in these bytes of the host.
    pub(super) fn ignores(&self, host: usize, size: usize) -> bool {
        let inside = |memory: &Range<usize>| memory.start <= host && size <= memory.end.saturating_sub(host);
        size > 0 && self.without_values.borrow().iter().any(inside)
    }

    pub(super) fn differing(&self) -> Vec<DifferingProgram> {
        self.differing.borrow().clone()
    }
}
