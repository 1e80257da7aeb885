//! What a row measures.

use std::collections::BTreeMap;

use serde::Deserialize;
use sim_aicore::pipes::{Element, Path, Pipe, VectorOp};

use crate::case::Runtime;

/// What a published figure is of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Measure {
    /// Instructions on a core that has the memory system for itself.
    Program(CoreProgram),
    /// Reading a matrix from global memory with many cores.
    GmCopy(GmCopy),
    /// Register accesses of AICPU threads and AICores.
    Mmio(Mmio),
    /// What an AICPU thread pays for its work.
    Aicpu(AicpuWork),
    /// What a core pays around a kernel.
    Executor(ExecutorWork),
    /// What the host pays for a call of the driver.
    Host(HostCall),
    /// A bundled case, run.
    Case(CaseRun),
    /// Nothing that the model has.
    Unmodelled {
        /// What is missing.
        why: String,
    },
}

impl Measure {
    /// One instruction by itself.
    pub(super) fn of_step(step: Step) -> Measure {
        let steps = vec![step];
        Measure::Program(CoreProgram { steps, repeat: 1, pipe: None, each: false, from: None, times: 1, cores: 1 })
    }
}

/// Instructions of one core.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoreProgram {
    /// In their order.
    pub(super) steps: Vec<Step>,
    /// They are done so often one after the other, and the figure is of one turn, on average.
    #[serde(default = "one")]
    pub(super) repeat: u64,
    /// The figure is how long this pipe works; else, how long the program takes.
    #[serde(default, with = "optional_pipe")]
    pub(super) pipe: Option<Pipe>,
    /// The figure is the sum of what the steps take each by itself.
    #[serde(default)]
    pub(super) each: bool,
    /// Where the core finds what it reads, if its ports to the memory count; else, its engine alone does.
    #[serde(default)]
    pub(super) from: Option<MemoryLevel>,
    /// The figure is of so many such programs…
    #[serde(default = "one")]
    pub(super) times: u64,
    /// …over so many cores.
    #[serde(default = "one")]
    pub(super) cores: u64,
}

/// A level of the memory that cores read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MemoryLevel {
    /// Device memory.
    Hbm,
    /// The cache before it.
    L2,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// A vector operation on a tile.
    Vector {
        /// What it does.
        op: VectorOp,
        /// The elements that it reads.
        #[serde(with = "ElementName")]
        element: Element,
        /// Those that it writes, if they are others.
        #[serde(default, with = "optional_element")]
        to: Option<Element>,
        /// Rows of the tile.
        rows: u32,
        /// Its columns.
        cols: u32,
        /// Elements from one row to the next, if more than the columns.
        width: Option<u32>,
        /// Where in UB its tiles are, if that is published.
        #[serde(default)]
        places: Option<Places>,
    },
    /// Repeats of 256 bytes of a hardware instruction.
    Repeats {
        /// What it does.
        op: VectorOp,
        /// Its elements.
        #[serde(with = "ElementName")]
        element: Element,
        /// How many.
        repeats: u32,
    },
    /// A product of m × k and k × n.
    Mad {
        /// Rows of the product.
        m: u32,
        /// What is summed over.
        k: u32,
        /// Its columns.
        n: u32,
        /// Of the factors.
        #[serde(with = "ElementName")]
        element: Element,
    },
    /// Bytes from one memory to another.
    Transfer {
        /// From where to where.
        #[serde(with = "PathName")]
        path: Path,
        /// How many rows.
        rows: u32,
        /// Bytes of each.
        row_bytes: u32,
        /// Bytes from one row in global memory to the next, if more than that.
        stride: Option<u64>,
        /// Into the cube's fractal layout.
        #[serde(default)]
        nd2nz: bool,
    },
    /// A product leaves L0C.
    Drain {
        /// Where to.
        #[serde(with = "PathName")]
        path: Path,
        /// Its rows.
        m: u32,
        /// Its columns.
        n: u32,
        /// What its elements are made into.
        #[serde(with = "ElementName")]
        element: Element,
    },
}

/// Where the tiles of a vector operation are: bytes from the beginning of UB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Places {
    /// The first operand.
    pub(super) first: u32,
    /// The second one.
    #[serde(default)]
    pub(super) second: Option<u32>,
    /// The result.
    pub(super) result: u32,
}

/// A matrix in global memory is read by all cores at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GmCopy {
    /// To UB by vector cores, or to L1 by cube cores in the cube's layout.
    pub(super) to: CopyTarget,
    /// Rows of the matrix.
    pub(super) rows: u32,
    /// Bytes of a row.
    pub(super) row_bytes: u32,
    /// Rows of the matrix that one instruction copies.
    pub(super) tile_rows: u32,
    /// Bytes of each of them.
    pub(super) tile_row_bytes: u32,
    /// How many cores take part.
    pub(super) cores: u32,
    /// Who reads what, and how often.
    pub(super) sharing: Sharing,
    /// So many instructions follow each other; then the core waits for what they bring. If not given, it never does.
    #[serde(default)]
    pub(super) in_flight: Option<u32>,
}

/// Where a copy ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CopyTarget {
    /// Unified buffer.
    Ub,
    /// L1 buffer.
    L1,
}

/// Who reads what of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Sharing {
    /// Each core its own rows; columns in `slices` one after the other, each `passes` times.
    Split {
        /// Parts of the columns.
        slices: u32,
        /// How often each is read.
        passes: u32,
    },
    /// Each core all of it, from the same place at the same time.
    Lockstep,
    /// Each core all of it, from places of their own.
    Staggered,
}

/// Accesses of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Mmio {
    /// A thread posts so many stores.
    StoreBurst {
        /// How many.
        stores: u32,
    },
    /// A thread loads from each of so many cores.
    Sweep {
        /// How many.
        cores: u32,
    },
    /// A thread stores and loads at once.
    StoreThenLoad,
    /// From a thread's store until the core sees it.
    ToCore,
    /// A core stores to its COND until a thread that looked at the right moment has the value.
    FromCore,
    /// The same with a thread that loads over and over and reads the clock, on average, from when the core read the
    /// clock to write that out for the thread.
    FromCorePolled,
    /// A core's store to COND and load of DATA_MAIN_BASE.
    CoreStoreAndLoad,
}

/// Work of an AICPU thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum AicpuWork {
    /// Submits a task.
    Submit,
    /// Dispatches so many tasks or blocks.
    Dispatch {
        /// How many.
        tasks: u32,
    },
    /// Releases so many consumers of a task.
    Resolve {
        /// How many.
        consumers: u32,
    },
    /// A scheduler's iteration that loads so many COND registers and finds nothing.
    Idle {
        /// How many.
        loads: u32,
    },
    /// A thread's part in the handshake.
    Handshake,
    /// A scheduler's first touch of its cores' payloads.
    AssignClusters,
    /// Fills device memory.
    Memset {
        /// How much.
        bytes: u64,
    },
    /// Loads an orchestration's object.
    LoadObject,
}

/// Work of a core around a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ExecutorWork {
    /// From a task's arrival to its kernel's start.
    Setup,
    /// From the end of a kernel until it may be reported.
    Flush,
    /// Reads the clock.
    CounterRead,
    /// From the first store of a burst of so many dispatches to a kernel's start, on average.
    HeadOverhead {
        /// Cores that are given a task.
        cores: u32,
    },
    /// The same of the first task of each core in a launch, on average over many devices.
    FirstHeadOverhead {
        /// Cores that are given a task.
        cores: u32,
    },
}

/// A call of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum HostCall {
    /// Copies to the device from memory that may be paged out.
    ToDevice {
        /// How much.
        bytes: u64,
        /// In so many copies, one after the other.
        #[serde(default = "one")]
        copies: u64,
    },
    /// The same from memory that the device reaches.
    ToDevicePinned {
        /// How much.
        bytes: u64,
    },
    /// Copies from the device.
    FromDevice {
        /// How much.
        bytes: u64,
    },
    /// Allocates memory that nobody had before.
    AllocateCold {
        /// How much.
        bytes: u64,
    },
    /// Allocates memory that somebody had before.
    AllocateWarm {
        /// How much.
        bytes: u64,
    },
    /// Allocates memory that nobody had before and fills it.
    AllocateAndFill {
        /// How much.
        bytes: u64,
    },
    /// Allocates memory that somebody had before and copies to it.
    AllocateAndCopy {
        /// How much.
        bytes: u64,
    },
    /// Creates a stream.
    StreamCreate,
    /// Destroys one.
    StreamDestroy,
    /// Launches and waits for the end, device time not included.
    LaunchAndWait,
    /// The first launch of an AICore binary; late if an AICPU task runs already.
    LoadModule {
        /// Whether one does.
        late: bool,
    },
    /// Writes an AICPU object into the preinstall directory.
    Bootstrap,
    /// A reset by force.
    Reset,
}

/// A run of a bundled case in timing mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseRun {
    /// Its name.
    pub(super) case: String,
    /// The runtime; the case's own if none is named.
    #[serde(default)]
    pub(super) runtime: Option<Runtime>,
    /// Values of its scalars.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    /// Clusters of the device, if not all that the profile has.
    #[serde(default)]
    pub(super) clusters: Option<u32>,
    /// What of the run the figure is.
    pub(super) quantity: CaseQuantity,
}

/// A time of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseQuantity {
    /// From the first to the last event of AICPU and AICores.
    DeviceTime,
    /// The same without start-up and shutdown: from the first thread that orchestrates or schedules to the last.
    Effective,
    /// Start-up and handshake.
    Preamble,
    /// The orchestration.
    Orchestration,
    /// The same for each task.
    OrchestrationPerTask,
    /// The schedulers' loop.
    Scheduling,
    /// Shutdown.
    PostOrchestration,
    /// How long the busiest core worked: a kernel by itself.
    BusiestCore,
    /// How long cores of the busiest one's kind worked on average, without those that had no kernel: what profilers call
    /// `aicore_time` and `aiv_time`.
    AverageCore,
    /// The busiest core, and what a kernel takes beside it that is launched by itself: what profilers call task duration.
    Launched,
    /// The busiest core, and what the host takes to launch it and to see that it has ended.
    Synchronised,
}

const fn one() -> u64 {
    1
}

/// Names of elements in files of rows.
#[derive(Deserialize)]
#[serde(remote = "Element", rename_all = "lowercase")]
pub(super) enum ElementName {
    Fp32,
    Fp16,
    Int32,
    Int16,
    Int8,
    Uint8,
    Bf16,
    Int64,
    Uint64,
    Uint16,
    Uint32,
    Bool,
    Fp8,
}

/// Names of paths in files of rows.
#[derive(Deserialize)]
#[serde(remote = "Path", rename_all = "snake_case")]
enum PathName {
    GmToUb,
    GmToL1,
    UbToGm,
    L1ToGm,
    L1ToL0a,
    L1ToL0b,
    L1ToUb,
    UbToL1,
    UbToUb,
    L0cToGm,
    L0cToUb,
    L0cToL1,
    L1ToL0Scales,
}

/// Names of pipes in files of rows.
#[derive(Deserialize)]
#[serde(remote = "Pipe", rename_all = "lowercase")]
enum PipeName {
    S,
    V,
    M,
    Mte1,
    Mte2,
    Mte3,
    Fix,
}

pub(super) mod optional_element {
    use serde::{Deserialize, Deserializer};
    use sim_aicore::pipes::Element;

    #[derive(Deserialize)]
    struct Named(#[serde(with = "super::ElementName")] Element);

    pub(in crate::validate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Element>, D::Error> {
        Ok(Option::<Named>::deserialize(from)?.map(|Named(element)| element))
    }
}

mod optional_pipe {
    use serde::{Deserialize, Deserializer};
    use sim_aicore::pipes::Pipe;

    #[derive(Deserialize)]
    struct Named(#[serde(with = "super::PipeName")] Pipe);

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pipe>, D::Error> {
        Ok(Option::<Named>::deserialize(from)?.map(|Named(pipe)| pipe))
    }
}
