//! Instruction traces of kernels that are written with the reference's tile library: what a call did becomes a
//! [`Program`](crate::pipes::Program) of the pipes.
//!
//! Such a kernel, compiled with `PTO_CPU_SIM_TRACE_MODE=1`, appends a record for each tile instruction to an object in
//! its thread-local storage. After the call:
//!
//! ```text
//!   memory of the kernel's thread             [reader]        Recording: records, and the blocks that hold them
//!   (may be anything at all)        ───────►  [memories]      Memories: where UB, L1, L0A, ... of the core are
//!                                                  │
//!                                             [translate]     each record by its opcode and by where its tiles are
//!                                             [dependencies]  flags and barriers, from the addresses of operands
//!                                                  ▼
//!                                              Program
//! ```
//!
//! The records lack what does nothing in that library: flags and barriers. So they are put where the operands ask for
//! them, as a careful programmer would. Nothing is guessed in silence: an opcode, a type or a place that is not known
//! makes the whole trace a [`TraceFinding`], and the kernel costs what it would without one.
//!
//! Layouts are those of libstdc++ on 64-bit machines. Source of names and fields: hw-native-sys/pto-isa cd4a3d3f,
//! include/pto/cpu/trace.hpp and NPUMemoryModel.hpp.

mod call;
mod dependencies;
mod finding;
mod layout;
mod memories;
mod opcodes;
mod reader;
mod record;
mod room;
#[cfg(test)]
mod test_memory;
mod translate;

pub use call::{Begun, Places, Prices, TracedCall, may_leave_traces};
pub use finding::{Malformed, OpcodeCounts, OperandProblem, TraceFinding};
pub use memories::{CoreMemory, Memories};
pub use reader::{Recording, read};
pub use record::{TileOperand, TileRecord};
pub use room::{KernelTraceReport, TileTraces};
pub use translate::program_of;

/// The symbols of a kernel that keep its trace, as its compiler calls them; all are thread-local.
pub mod symbols {
    use std::ffi::CStr;

    /// `pto::cpu_sim::g_instruction_trace_state`
    pub const STATE: &CStr = c"_ZN3pto7cpu_sim25g_instruction_trace_stateE";
    /// The `instance` in `pto::NPUMemoryModel::Instance()`: the core's memories.
    pub const MEMORIES: &CStr = c"_ZZN3pto14NPUMemoryModel8InstanceEvE8instance";
    /// `operator delete(void *)`, which every block of a trace has to go back to.
    pub const RELEASE: &CStr = c"_ZdlPv";
}
