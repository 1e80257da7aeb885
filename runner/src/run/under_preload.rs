//! Where `run --runtime-dir` will leave the stock simulator's threads for the deterministic engine.

/// Makes sure that the device code which this process is going to load runs on the deterministic engine.
///
/// This is the place to start the process again with the object that does so preloaded. There is none yet: device code
/// runs in the threads of the stock simulator, and the summary says so.
pub fn under_preload() {}
