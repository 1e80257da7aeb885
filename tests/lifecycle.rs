//! Does a process that makes, uses and destroys one device after the other stay as it was?
//!
//! `npusim bench lifecycle` is the same over 1,000 cycles.

mod support;

use serde_json::Value;
use support::npusim;

const CYCLES: &str = "200";
/// Mappings that may come or go: heaps grow and shrink by whole mappings.
const MAPPINGS: u64 = 4;
/// Resident memory that may come, far below what one namespace takes.
const RSS_BYTES: u64 = 1 << 20;

fn count(footprint: &Value, key: &str) -> u64 {
    footprint[key].as_u64().unwrap_or_else(|| panic!("{footprint} has no `{key}`"))
}

#[test]
fn do_devices_leave_anything_in_their_process() {
    let report = npusim(["bench", "lifecycle", "--cycles", CYCLES, "--json"]).success().json();
    let (settled, last) = (&report["settled"], &report["last"]);
    assert_ne!(count(last, "namespace"), 0, "{report}");
    assert_eq!(last["namespace"], settled["namespace"], "{report}");
    assert_eq!(last["fds"], settled["fds"], "{report}");
    assert!(count(last, "mappings").abs_diff(count(settled, "mappings")) <= MAPPINGS, "{report}");
    assert!(count(last, "rss_bytes") < count(settled, "rss_bytes") + RSS_BYTES, "{report}");
}
