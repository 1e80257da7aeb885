//! Which revision of the interface a host runtime has, told by the symbols that it exports.
//!
//! A host runtime exports every function of its revision, those that its platform cannot serve as well. So the set of
//! exported names tells revisions apart, wherever functions came or went; `CHANGES` is that history. What it cannot
//! tell is a layout that changed while no name did: between the two commits of [`KNOWN`] none has.

use std::collections::BTreeSet;
use std::fmt;

/// A commit of hw-native-sys/simpler and its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its first digits.
    pub hash: &'static str,
    /// Its day.
    pub day: &'static str,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.hash, self.day)
    }
}

/// The newest commit whose layouts are those of [`abi`](crate::client::abi).
pub const KNOWN: Commit = Commit { hash: "6ebaf771", day: "2026-08-22" };

/// The names of [`KNOWN`].
pub(super) const FUNCTIONS: [&str; 43] = [
    "comm_alloc_domain_windows",
    "comm_alloc_windows",
    "comm_barrier",
    "comm_derive_context",
    "comm_destroy",
    "comm_get_local_window_base",
    "comm_get_window_size",
    "comm_global_domain_import",
    "comm_global_domain_prepare",
    "comm_global_domain_release",
    "comm_init",
    "comm_release_domain_windows",
    "committed_device_memory_ctx",
    "copy_from_device_ctx",
    "copy_to_device_ctx",
    "create_comm_stream_ctx",
    "create_device_context",
    "destroy_comm_stream_ctx",
    "destroy_device_context",
    "device_free_ctx",
    "device_malloc_ctx",
    "ensure_acl_ready_ctx",
    "finalize_device",
    "get_aicpu_dlopen_count",
    "get_arena_bank_gm_heap_base_ctx",
    "get_host_dlopen_count",
    "get_pipeline_contract",
    "get_retained_temp_addr_ctx",
    "get_run_stream_set_create_count",
    "get_runtime_alignment",
    "get_runtime_size",
    "simpler_finalize_run",
    "simpler_host_log_bind_state",
    "simpler_init",
    "simpler_launch_run",
    "simpler_poll_run",
    "simpler_prepare_run",
    "simpler_provision_dma_workspace",
    "simpler_register_callable",
    "simpler_run",
    "simpler_unregister_callable",
    "simpler_wait_run",
    "supports_concurrent_native_prepare_ctx",
];

/// A commit that changed the set of names.
struct Change {
    commit: Commit,
    came: &'static [&'static str],
    went: &'static [&'static str],
}

const fn change(
    hash: &'static str,
    day: &'static str,
    came: &'static [&'static str],
    went: &'static [&'static str],
) -> Change {
    Change { commit: Commit { hash, day }, came, went }
}

/// What changed the names, from the newest to the oldest.
const CHANGES: [Change; 16] = [
    change("f4cd9cba", "2026-08-18", &["simpler_host_log_bind_state"], &[]),
    change(
        "60ab6ab9",
        "2026-08-08",
        &["comm_global_domain_import", "comm_global_domain_prepare", "comm_global_domain_release"],
        &[],
    ),
    change(
        "c2b97cc9",
        "2026-08-05",
        &[],
        &[
            "select_arena_bank_ctx",
            "select_pipeline_slot_ctx",
            "set_native_run_identity_ctx",
            "set_task_accepted_state_ctx",
        ],
    ),
    change("2a650f2d", "2026-08-03", &["set_native_run_identity_ctx", "supports_concurrent_native_prepare_ctx"], &[]),
    change(
        "87dce627",
        "2026-08-02",
        &[
            "get_runtime_alignment",
            "simpler_finalize_run",
            "simpler_launch_run",
            "simpler_poll_run",
            "simpler_prepare_run",
            "simpler_wait_run",
        ],
        &[],
    ),
    change("ce81c973", "2026-07-30", &["committed_device_memory_ctx"], &[]),
    change(
        "e51c3aee",
        "2026-07-29",
        &[
            "get_arena_bank_gm_heap_base_ctx",
            "get_retained_temp_addr_ctx",
            "select_arena_bank_ctx",
            "select_pipeline_slot_ctx",
        ],
        &[],
    ),
    change("b072b5b9", "2026-07-28", &["set_task_accepted_state_ctx"], &[]),
    change("0ded81c7", "2026-07-26", &["get_run_stream_set_create_count"], &[]),
    change("05c76c0c", "2026-07-26", &["get_pipeline_contract"], &[]),
    change("717d703f", "2026-07-22", &["simpler_provision_dma_workspace"], &[]),
    change("4a803de5", "2026-07-17", &[], &["l3_l2_orch_comm_init_ctx", "l3_l2_orch_comm_shutdown_ctx"]),
    change(
        "11d03d9b",
        "2026-06-30",
        &["simpler_register_callable", "simpler_run", "simpler_unregister_callable"],
        &["prepare_callable", "run_prepared", "unregister_callable"],
    ),
    change("815822cc", "2026-06-26", &["l3_l2_orch_comm_init_ctx", "l3_l2_orch_comm_shutdown_ctx"], &[]),
    change("7b97dfde", "2026-05-20", &["comm_alloc_domain_windows", "comm_release_domain_windows"], &[]),
    change("5fd3f10a", "2026-05-19", &["comm_derive_context"], &["comm_create_subcomm"]),
];

/// Why a host runtime is not one that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum RevisionError {
    /// the runtime ABI from {since} to before {until}, which is not spoken here: {difference}
    Other {
        /// The commit that brought it.
        since: Commit,
        /// The commit that ended it.
        until: Commit,
        /// How it differs from the known one.
        difference: Difference,
    },
    /// unknown revision of the runtime ABI: {difference}
    Unknown {
        /// How it differs from the known one.
        difference: Difference,
    },
}

/// How a set of names differs from that of [`KNOWN`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it has not.
    pub lacks: Vec<String>,
    /// What it has beyond.
    pub has: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("lacks", &self.lacks), ("has", &self.has)];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<String> = parts.map(|(verb, names)| format!("{verb} {}", Names(names))).collect();
        write!(f, "{} (known: {KNOWN})", parts.join("; "))
    }
}

/// A few names; the rest is counted.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Whether an object with these exports has the known interface.
pub fn check<'e>(exports: impl IntoIterator<Item = &'e str>) -> Result<Commit, RevisionError> {
    let found: BTreeSet<&str> = exports.into_iter().filter(|name| belongs(name)).collect();
    let mut names = BTreeSet::from(FUNCTIONS);
    if found == names {
        return Ok(KNOWN);
    }
    let difference = Difference {
        lacks: names.difference(&found).map(|name| (*name).to_owned()).collect(),
        has: found.difference(&names).map(|name| (*name).to_owned()).collect(),
    };
    for pair in CHANGES.windows(2) {
        let [until, since] = pair else { continue };
        names.retain(|name| !until.came.contains(name));
        names.extend(until.went);
        if found == names {
            return Err(RevisionError::Other { since: since.commit, until: until.commit, difference });
        }
    }
    Err(RevisionError::Unknown { difference })
}

/// Whether a name is one of the interface: one that it has or had, or one like them. A host runtime exports many others,
/// because nothing in it is hidden.
fn belongs(name: &str) -> bool {
    let like = name.starts_with("simpler_") || name.starts_with("comm_") || name.ends_with("_ctx");
    like && !name.starts_with("_Z")
        || FUNCTIONS.contains(&name)
        || CHANGES.iter().any(|change| change.came.contains(&name) || change.went.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without<'a>(removed: &[&str]) -> Vec<&'a str> {
        FUNCTIONS.into_iter().filter(|name| !removed.contains(name)).collect()
    }

    fn refusal(exports: &[&str]) -> String {
        check(exports.iter().copied()).unwrap_err().to_string()
    }

    #[test]
    fn is_the_known_revision_recognised_among_other_exports() {
        let others = ["bind_callable_to_runtime_impl", "get_platform", "_ZN6DeviceC1Ev", "_Z5f_ctx"];
        assert_eq!(check(FUNCTIONS.into_iter().chain(others)), Ok(KNOWN));
    }

    #[test]
    fn is_an_older_revision_told_by_its_commits() {
        assert_eq!(
            refusal(&without(&["simpler_host_log_bind_state"])),
            "the runtime ABI from 60ab6ab9, 2026-08-08 to before f4cd9cba, 2026-08-18, which is not spoken here: lacks \
             simpler_host_log_bind_state (known: 6ebaf771, 2026-08-22)"
        );
    }

    #[test]
    fn is_a_runtime_from_before_split_runs_told_by_its_commits() {
        let mut july = without(&[
            "comm_global_domain_import",
            "comm_global_domain_prepare",
            "comm_global_domain_release",
            "get_runtime_alignment",
            "simpler_finalize_run",
            "simpler_host_log_bind_state",
            "simpler_launch_run",
            "simpler_poll_run",
            "simpler_prepare_run",
            "simpler_wait_run",
            "supports_concurrent_native_prepare_ctx",
        ]);
        july.extend(["select_arena_bank_ctx", "select_pipeline_slot_ctx", "set_task_accepted_state_ctx"]);
        assert_eq!(
            refusal(&july),
            "the runtime ABI from ce81c973, 2026-07-30 to before 87dce627, 2026-08-02, which is not spoken here: lacks \
             comm_global_domain_import, comm_global_domain_prepare, comm_global_domain_release, get_runtime_alignment and \
             7 more; has select_arena_bank_ctx, select_pipeline_slot_ctx, set_task_accepted_state_ctx (known: 6ebaf771, \
             2026-08-22)"
        );
    }

    #[test]
    fn is_an_unknown_revision_refused_by_what_differs() {
        let mut names = without(&["simpler_prepare_run"]);
        names.extend(["simpler_begin_run", "pause_ctx"]);
        assert_eq!(
            refusal(&names),
            "unknown revision of the runtime ABI: lacks simpler_prepare_run; has pause_ctx, simpler_begin_run (known: \
             6ebaf771, 2026-08-22)"
        );
    }

    #[test]
    fn does_an_object_that_is_no_host_runtime_lack_everything() {
        assert_eq!(
            refusal(&["main"]),
            "unknown revision of the runtime ABI: lacks comm_alloc_domain_windows, comm_alloc_windows, comm_barrier, \
             comm_derive_context and 39 more (known: 6ebaf771, 2026-08-22)"
        );
    }

    #[test]
    fn is_each_change_possible_after_the_one_before() {
        let mut names = BTreeSet::from(FUNCTIONS);
        for change in &CHANGES {
            assert!(change.came.iter().all(|name| names.remove(name)), "{}", change.commit);
            assert!(change.went.iter().all(|name| names.insert(name)), "{}", change.commit);
        }
    }
}
