//! Does device code of a command that fails under `npusim exec` fail in the same way every time, with a report that
//! says who, where and when?

mod support;

use std::fmt::Write;

use sim_core::profile::Arch;
use support::exec::Artifacts;
use support::without_offsets;

#[test]
fn is_stale_memory_found_with_poison_and_hidden_by_zero() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.run(&["--hbm-fill", "zero"], "stale_memory", &[]).passed();
    let fail = |exec: &[&str]| {
        let executed = artifacts.run(&[&["--hbm-fill", "poison"], exec].concat(), "stale_memory", &[]);
        assert_eq!((executed.outcome.exit, executed.outcome.stdout.as_str()), (Some(1), ""), "{}", executed.outcome);
        let error = executed.report()["error"].clone();
        let message = error["message"].as_str().expect("a run that failed says why").to_owned();
        assert!(executed.outcome.stderr.contains(&format!("npusim: {message}\n")), "{}", executed.outcome);
        (executed.hash(), error, executed.outcome.stderr)
    };
    let first = fail(&[]);
    for _ in 0..4 {
        assert_eq!(fail(&[]), first);
    }
    assert_eq!(fail(&["--engine", "naive"]), first);
    assert_eq!(fail(&["--workers", "1"]), first);
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_stale_memory", without_offsets(&first.2));
}

/// The seeds that find it are those under which the lock is 0 and the count is more.
#[test]
fn is_a_stale_list_behind_a_lock_found_with_memory_that_is_partly_zero_alone() {
    let artifacts = Artifacts::new(Arch::A2a3);
    for fill in ["zero", "random:1", "random:2"] {
        artifacts.run(&["--hbm-fill", fill], "stale_list", &[]).passed();
    }
    let sparse = (1..=16).map(|seed| format!("sparse:{seed}"));
    let outcomes = sparse.chain(["poison".to_owned()]).map(|fill| {
        let executed = artifacts.run(&["--hbm-fill", &fill], "stale_list", &[]);
        let message = executed.report()["error"]["message"].as_str().map(without_offsets);
        format!("{fill}: {}\n", message.as_deref().unwrap_or("passed"))
    });
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_stale_list", outcomes.collect::<String>());
}

#[test]
fn does_random_memory_fail_by_its_seed() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let fail = |fill: &str| {
        let executed = artifacts.run(&["--hbm-fill", fill], "stale_memory", &[]);
        assert_eq!(executed.outcome.exit, Some(1), "{}", executed.outcome);
        executed.hash()
    };
    assert_eq!(fail("random:7"), fail("random:7"));
}

#[test]
fn does_a_device_of_the_same_process_survive_the_fault_of_another() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let executed = artifacts.run(&["--hbm-fill", "poison"], "stale_memory", &["--threads", "2"]);
    assert_eq!(executed.outcome.exit, Some(1), "{}", executed.outcome);
    let mut messages = String::new();
    for report in &executed.reports {
        writeln!(messages, "{}", report["error"]["device_code"]).expect("text");
    }
    assert_eq!(messages, "507018\n507018\n", "{}", executed.outcome);
}
