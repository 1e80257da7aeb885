//! Are host runtimes of one process, under `npusim exec --isolate`, as if each had the process to itself?

mod support;

use std::collections::BTreeSet;

use sim_core::profile::Arch;
use support::exec::{Artifacts, Executed, PATIENCE, reports};
use support::footprint::Footprint;
use support::sim_shaped::PASSED;
use support::{outcome_of, sim_shaped};

/// The artifacts of both generations. They define the same symbols; some are unique and differ in what they hold.
struct Both {
    a2a3: Artifacts,
    a5: Artifacts,
}

impl Both {
    fn new() -> Self {
        Both { a2a3: Artifacts::new(Arch::A2a3), a5: Artifacts::new(Arch::A5) }
    }

    /// Runs a case on both in one process.
    #[track_caller]
    fn run(&self, exec: &[&str], case: &str, options: &[&str]) -> Executed {
        let beside = self.a5.directory();
        let beside = ["--beside", beside.to_str().expect("a path of text")];
        self.a2a3.run(exec, case, &[&beside as &[_], options].concat())
    }

    /// The hash of a case on each by itself, without isolation.
    #[track_caller]
    fn hashes_alone(&self, case: &str) -> [String; 2] {
        [&self.a2a3, &self.a5].map(|artifacts| artifacts.run(&[], case, &[]).passed().hash())
    }
}

const CASES: [&str; 4] = ["vector", "mix", "core_memory", "build"];

#[test]
fn do_two_runtimes_of_a_process_run_in_turns_as_each_alone() {
    let both = Both::new();
    for case in CASES {
        let [first, second] = both.hashes_alone(case);
        let hashes = both.run(&["--isolate"], case, &["--rounds", "3"]).passed().hashes();
        assert_eq!(hashes, [first.as_str(), &second].repeat(3), "{case}");
    }
}

#[test]
fn do_two_runtimes_of_a_process_run_at_once_as_each_alone() {
    let both = Both::new();
    for case in CASES {
        let alone = BTreeSet::from(both.hashes_alone(case));
        let executed = both.run(&["--isolate"], case, &["--at-once", "--threads", "2", "--rounds", "3"]).passed();
        let hashes = executed.hashes();
        assert_eq!((hashes.len(), BTreeSet::from_iter(hashes)), (12, alone), "{case}");
    }
}

/// The kernels of the case have symbols of which a namespace has one.
#[test]
fn do_two_runtimes_meet_in_a_namespace_that_they_share() {
    let both = Both::new();
    let together = both.run(&[], "build", &[]).outcome;
    // The kernel of the second build has added what both unique symbols are off by.
    assert_eq!(together.exit, Some(1), "{together}");
    assert!(together.stderr.ends_with("argument 1[0] is -32.000000 instead of 1.000000\n"), "{together}");
}

#[test]
fn does_the_variable_isolate_as_well() {
    let both = Both::new();
    let out = both.a2a3.new_out();
    let mut command = both.a2a3.command(&[], "build", &["--beside"]);
    command.arg(both.a5.directory()).env("NPUSIM_ISOLATE", "1").env("NPUSIM_OUT", &out);
    let outcome = outcome_of(&mut command, PATIENCE);
    let executed = Executed { outcome, reports: reports(&out) }.passed();
    assert_eq!(executed.hashes(), both.hashes_alone("build"));
}

#[test]
fn are_runtimes_isolated_in_a_forked_child() {
    let both = Both::new();
    assert_eq!(both.run(&["--isolate"], "build", &["--fork"]).passed().hashes(), both.hashes_alone("build"));
}

/// Copies of the artifacts, each in a directory of its own: options that name all but the first.
fn copies(first: &Artifacts, count: usize) -> Vec<String> {
    let copy = |number: usize| {
        let directory = first.scratch().path().join(number.to_string()).join(Arch::A2a3.as_str());
        sim_shaped::install(Arch::A2a3, &directory);
        ["--beside".to_owned(), directory.to_str().expect("a path of text").to_owned()]
    };
    (1..count).flat_map(copy).collect()
}

#[track_caller]
fn run_copies(count: usize, case: &str, options: &[&str]) -> Executed {
    let first = Artifacts::new(Arch::A2a3);
    let copies = copies(&first, count);
    let copies = copies.iter().map(String::as_str);
    first.run(&["--isolate"], case, &copies.chain(options.iter().copied()).collect::<Vec<_>>())
}

/// The dynamic linker has 16 namespaces, of which the process has the first.
const MOST: usize = 15;

#[test]
fn how_many_runtimes_can_be_open_at_once() {
    let all = run_copies(MOST, "build", &[]).passed().hashes();
    assert_eq!((all.len(), BTreeSet::from_iter(all).len()), (MOST, 1));
    let outcome = run_copies(MOST + 1, "build", &[]).outcome;
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    let expected = "libhost_runtime.so\" gets no namespace of its own: 15 other host runtimes have one and are open; \
                    close one of them (";
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(expected)), "{outcome}");
}

#[test]
fn do_namespaces_come_free_when_runtimes_are_closed() {
    let hashes = run_copies(MOST + 5, "vector", &["--in-turn", "1"]).passed().hashes();
    assert_eq!((hashes.len(), BTreeSet::from_iter(hashes).len()), (MOST + 5, 1));
}

#[test]
fn does_a_process_stay_as_it_is_when_runtimes_are_opened_and_closed() {
    let both = Both::new();
    let executed = both.run(&["--isolate"], "mix", &["--in-turn", "100", "--footprint", "10"]);
    let outcome = executed.outcome.clone().success();
    let footprints = Footprint::parse_all(outcome.stdout.strip_suffix(PASSED).expect("it passed"));
    Footprint::assert_steady(&footprints);
    let hashes = executed.hashes();
    assert_eq!((hashes.len(), BTreeSet::from_iter(hashes).len()), (200, 2));
}
