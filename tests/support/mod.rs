//! What tests of the whole device share: the command as a child process that cannot outlast its test, and places that
//! go with it.

#![allow(dead_code, reason = "each test uses its own part")]

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) mod driver;
pub(crate) mod exec;
pub(crate) mod footprint;
pub(crate) mod own_process;
pub(crate) mod sim_shaped;

/// How long a child may take before it counts as stuck: many times what it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same for a fault, which is to end soon by itself.
pub(crate) const FAULT_PATIENCE: Duration = Duration::from_secs(20);

/// How a child ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The exit code; none if a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Its standard output as the one JSON object that it is to be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON object: {error}\n{self}"))
    }

    /// This outcome, if the child succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exit {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        write!(f, "--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// The command, to be given arguments.
pub(crate) fn command() -> Command {
    Command::new(program())
}

/// The program. Cargo tells tests of its own package where it is; for those of other packages it lies where they do.
pub(crate) fn program() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_npusim") {
        return path.into();
    }
    let program = target_directory().join("npusim");
    let profile = if cfg!(debug_assertions) { "" } else { " --release" };
    assert!(program.is_file(), "there is no {}: build it with `cargo build{profile} -p npusim`", program.display());
    program
}

/// Where programs are built: tests are in `deps` below it.
pub(crate) fn target_directory() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("cargo puts tests two directories deep").to_owned()
}

/// Runs the command with these arguments.
#[track_caller]
pub(crate) fn npusim<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Outcome {
    outcome_of(command().args(arguments), PATIENCE)
}

/// Runs a child to its end; panics if it takes longer than `patience`.
#[track_caller]
pub(crate) fn outcome_of(command: &mut Command, patience: Duration) -> Outcome {
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()), patience);
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let out = thread::spawn(move || read_all(&mut out));
    let err = thread::spawn(move || read_all(&mut err));
    let exit = wait(&mut child, patience);
    let (stdout, stderr) = (out.join().expect("reads"), err.join().expect("reads"));
    match exit {
        Some(exit) => Outcome { exit: exit.code(), stdout, stderr },
        None => panic!("{command:?} did not end within {patience:?}\n--- stdout\n{stdout}--- stderr\n{stderr}"),
    }
}

/// Starts a child. A program that was just written may still be open for writing in a child that another test is
/// starting, from its fork to its exec.
#[track_caller]
fn spawn(command: &mut Command, patience: Duration) -> Child {
    let deadline = Instant::now() + patience;
    loop {
        match command.spawn() {
            Ok(child) => return child,
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("{command:?}: {error}"),
        }
    }
}

fn read_all(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("a pipe can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a child, or ends it when patience is over.
fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a child can be ended");
    child.wait().expect("a child can be waited for");
    None
}

/// A new directory that is removed when the test is done with it.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Scratch(tempfile::tempdir().expect("a directory can be made"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// What a text says, with this directory called `DIR`.
    pub(crate) fn hide(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "DIR")
    }
}

/// The names in a directory, sorted.
pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory can be read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A report without what depends on the compiler of the guests: offsets in functions, and functions of C++, which may be
/// inlined.
pub(crate) fn without_offsets(report: &str) -> String {
    let word = |word: &str| {
        let (symbol, rest) = word.split_once("+0x").unwrap_or((word, ""));
        let symbol = if symbol.starts_with("_Z") { "FUNCTION" } else { symbol };
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
        format!("{symbol}{rest}")
    };
    report.split_inclusive([' ', '\n']).map(word).collect()
}

/// Settings for snapshots beside the tests.
pub(crate) fn snapshots() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind_to_scope()
}
