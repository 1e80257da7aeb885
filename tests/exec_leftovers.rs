//! Does device code under `npusim exec` leave anything behind: in directories, or in a process that runs it all day?

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sim_core::profile::Arch;
use support::exec::{Artifacts, PATIENCE, reports};
use support::footprint::Footprint;
use support::sim_shaped::PASSED;
use support::{Outcome, Scratch, entries, outcome_of};

#[test]
fn does_a_process_stay_as_it_is_over_a_thousand_runs() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let executed = artifacts.run(&[], "mix", &["--rounds", "1000", "--footprint", "100"]);
    let outcome = executed.outcome.clone().success();
    let footprints = Footprint::parse_all(outcome.stdout.strip_suffix(PASSED).expect("it passed"));
    let hashes = executed.hashes();
    assert_eq!((hashes.len(), BTreeSet::from_iter(&hashes).len()), (1000, 1));
    Footprint::assert_steady(&footprints);
}

/// How long files of other processes may be there.
const OTHERS: Duration = Duration::from_secs(20);

/// What is in the directories where something could be left, by path. Other processes use some of them too.
struct Places(Vec<PathBuf>);

impl Places {
    /// The common ones, and this one.
    fn with(own: &Path) -> Self {
        let common = ["/tmp", "/var/tmp", "/dev/shm", "/run/shm"].map(PathBuf::from);
        Places(common.into_iter().filter(|path| path.is_dir()).chain([own.to_owned()]).collect())
    }

    /// What is new by the names that npusim and artifacts use, and stays: other processes of theirs come and go.
    fn left(&self, before: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let deadline = Instant::now() + OTHERS;
        let mut left = self.new_since(before);
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            left = left.intersection(&self.all()).cloned().collect();
        }
        left
    }

    fn new_since(&self, before: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        const NAMES: [&str; 6] = ["npusim", "aicpu_sim", "aicore_sim", "kernel_", "libdevice_orch", "pto"];
        let of_ours = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            NAMES.iter().any(|ours| name.starts_with(ours))
        };
        self.all().difference(before).filter(of_ours).cloned().collect()
    }

    fn all(&self) -> BTreeSet<PathBuf> {
        self.0.iter().flat_map(|place| entries(place).into_iter().map(|name| place.join(name))).collect()
    }
}

/// Runs something with a TMPDIR of its own, and sees that nothing is left there or elsewhere.
#[track_caller]
fn assert_leaves_nothing(artifacts: &Artifacts, run: impl FnOnce(&Path) -> Outcome) -> Outcome {
    let temporary = Scratch::new();
    let artifacts_before = entries(&artifacts.directory());
    let places = Places::with(temporary.path());
    let before = places.all();
    let outcome = run(temporary.path());
    assert_eq!(entries(temporary.path()), [""; 0], "{outcome}");
    assert_eq!(places.left(&before), BTreeSet::new(), "{outcome}");
    assert_eq!(entries(&artifacts.directory()), artifacts_before, "{outcome}");
    outcome
}

#[track_caller]
fn leaves_nothing(exec: &[&str], case: &str, options: &[&str]) -> Outcome {
    let artifacts = Artifacts::new(Arch::A2a3);
    let run = |temporary: &Path| outcome_of(artifacts.command(exec, case, options).env("TMPDIR", temporary), PATIENCE);
    assert_leaves_nothing(&artifacts, run)
}

#[test]
fn is_anything_left_after_success() {
    assert_eq!(leaves_nothing(&[], "vector", &["--rounds", "3"]).success().stdout, PASSED);
    assert_eq!(leaves_nothing(&[], "mix", &["--fork", "--threads", "2"]).success().stdout, PASSED);
}

#[test]
fn is_anything_left_after_a_failure() {
    let crashed = leaves_nothing(&["--hbm-fill", "poison"], "stale_memory", &[]);
    assert_eq!(crashed.exit, Some(1), "{crashed}");
    let timed_out = leaves_nothing(&[], "timeout", &[]);
    assert_eq!(timed_out.exit, Some(1), "{timed_out}");
}

/// Sends SIGINT, as a terminal does.
fn interrupt(child: &Child) {
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.expect("there is a shell").success(), "the child is there");
}

#[test]
fn is_anything_left_after_an_interrupt() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let out = artifacts.new_out();
    fs::create_dir(&out).expect("it can be made");
    let outcome = assert_leaves_nothing(&artifacts, |temporary| {
        let exec = artifacts.command(&[], "mix", &["--rounds", "1000000"]);
        // Whoever started the tests may ignore the signal, as a shell does for what it runs in the background.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(exec.get_program()).args(exec.get_args());
        command.envs(exec.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TMPDIR", temporary).env("NPUSIM_OUT", &out).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it can be started");
        let deadline = Instant::now() + PATIENCE;
        // It is in the middle of its runs.
        while entries(&out).first().is_none_or(|process| entries(&out.join(process)).len() < 5) {
            assert!(Instant::now() < deadline, "no runs");
            std::thread::sleep(Duration::from_millis(10));
        }
        interrupt(&child);
        let exit = child.wait().expect("it ends");
        Outcome { exit: exit.code(), stdout: String::new(), stderr: String::new() }
    });
    // The signal ended it: it had no handler.
    assert_eq!(outcome.exit, None);
    // What was reported until then is whole.
    let process = out.join(&entries(&out)[0]);
    let interrupted = entries(&process).pop().expect("there are runs");
    if !process.join(&interrupted).join("report.json").exists() {
        fs::remove_dir_all(process.join(interrupted)).expect("it can be removed");
    }
    assert!(!reports(&out).is_empty());
}
