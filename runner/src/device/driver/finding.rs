//! What a host does that works, here or for a while, and is a mistake all the same.

use serde::Serialize;
use sim_core::trace::ContentHash;

/// Something odd that the driver noticed. It changes no code and no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, displaydoc::Display)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Finding {
    /// the AICore binary {content} ({bytes} bytes) is registered again while an earlier handle of it lives: each one that is launched keeps a copy of its own on the device; keep the first handle
    RegisteredAgain {
        /// The binary.
        content: ContentHash,
        /// Its size.
        bytes: u64,
    },
    /// {name} was not written: this process has created {first} before, and the server on the device creates one object per process
    NotWritten {
        /// What was to be written.
        name: String,
        /// What had been written.
        first: String,
    },
    /// {name} was written although this process had created {first} before: the server on a real device creates one object per process (--faithful shows what happens then)
    WrittenPastLatch {
        /// What was written.
        name: String,
        /// What had been written before.
        first: String,
    },
    /// the first launch of the AICore binary {content} came while an AICPU task was running: loading it takes far longer then; launch the AICore first
    LoadedWhileAicpuSpins {
        /// The binary.
        content: ContentHash,
    },
    /// an AICPU task could not begin: {reason}
    NoAicpuFunction {
        /// Why not.
        reason: String,
    },
    /// a stream was to be destroyed while its task was running; wait for it first
    StreamDestroyedBusy,
    /// {what} had to give back {streams} streams, {binaries} AICore binaries and {blocks} blocks of memory that the host had left
    LeftBehind {
        /// What found it.
        what: &'static str,
        /// Streams that were not destroyed.
        streams: usize,
        /// Binaries that were not unregistered.
        binaries: usize,
        /// Blocks that were not freed.
        blocks: usize,
    },
}
