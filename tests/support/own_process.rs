//! Tests that use the library have a process of their own each.
//!
//! A device takes signal handlers, namespaces and settings of the C library, which a process gets as a whole. The test
//! starts its own program again for this one test; there the body runs.

use std::env;
use std::process::Command;
use std::time::Duration;

use sim_core::loader::tunables;

use super::outcome_of;

/// Names the test for which a process was started.
const VARIABLE: &str = "NPUSIM_TEST_BODY";

/// Runs `body` in a process of its own. `test` is the name of the calling test.
#[track_caller]
pub(crate) fn in_own_process(test: &str, patience: Duration, body: impl FnOnce()) {
    if env::var(VARIABLE).is_ok_and(|name| name == test) {
        tunables::apply_by_restart().expect("the program can start again");
        return body();
    }
    let program = env::current_exe().expect("the program knows where it is");
    let mut child = Command::new(program);
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(VARIABLE, test);
    let outcome = outcome_of(&mut child, patience);
    assert!(outcome.stdout.contains("1 passed"), "{outcome}");
    assert_eq!(outcome.exit, Some(0), "{outcome}");
}
