//! Is whatever `npusim exec` cannot run refused with one clear line and exit code 2?

mod support;

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sim_core::profile::Arch;
use support::exec::Artifacts;
use support::{FAULT_PATIENCE, Scratch, command, outcome_of};

/// Collects refusals, one under each question, for one snapshot.
struct Refusals {
    scratch: Scratch,
    text: String,
}

impl Refusals {
    fn new() -> Self {
        Refusals { scratch: Scratch::new(), text: String::new() }
    }

    /// `exec` refuses these arguments.
    #[track_caller]
    fn add<S: AsRef<OsStr>>(&mut self, what: &str, arguments: impl IntoIterator<Item = S>) {
        self.add_command(what, command().arg("exec").args(arguments));
    }

    /// A command refuses: exit code 2, nothing on standard output, and one line.
    #[track_caller]
    fn add_command(&mut self, what: &str, command: &mut Command) {
        let outcome = outcome_of(command.current_dir(self.scratch.path()), FAULT_PATIENCE);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{what}: {outcome}");
        let line = outcome.stderr.strip_prefix("npusim: ").unwrap_or_else(|| panic!("{what}: {outcome}"));
        assert_eq!(line.lines().count(), 1, "{what}: {outcome}");
        writeln!(self.text, "# {what}\n{}", self.scratch.hide(line)).expect("a string takes all text");
    }

    /// A file with this mode.
    fn file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) {
        let path = self.scratch.file(name, content);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode can be set");
    }

    #[track_caller]
    fn assert(self, snapshot: &str) {
        let _snapshots = support::snapshots();
        insta::assert_snapshot!(snapshot, self.text);
    }
}

/// A program that could be run: this one.
fn program() -> Vec<u8> {
    fs::read(std::env::current_exe().expect("a test has a path")).expect("it can be read")
}

/// Compiles a program that is linked statically.
fn compile_static(to: &Path) {
    let source = to.with_extension("c");
    fs::write(&source, "int main(void) { return 0; }").expect("a file can be written");
    let status = Command::new("cc").arg("-static").arg(&source).arg("-o").arg(to).status();
    assert!(status.expect("npusim needs a compiler to be built").success());
}

/// Says of an object that it is for another machine.
fn make_foreign(path: &Path) {
    /// Where the header has the machine, and that of AArch64 and of x86-64.
    const MACHINE: usize = 18;
    let other = if cfg!(target_arch = "x86_64") { 0xb7 } else { 0x3e };
    let mut bytes = fs::read(path).expect("it is there");
    bytes[MACHINE] = other;
    fs::write(path, bytes).expect("it can be written");
}

#[test]
fn are_commands_refused_into_which_nothing_can_be_preloaded() {
    let mut refusals = Refusals::new();
    refusals.add("a command that is nowhere", ["--", "no-such-command"]);
    refusals.add("an empty command", ["--", ""]);
    refusals.add("a path where nothing is", ["--", "./missing"]);
    refusals.add("a directory", ["--", "/"]);
    refusals.file("data", "1, 2, 3\n", 0o644);
    refusals.add("a file that is not executable", ["--", "./data"]);
    refusals.file("noise", "1, 2, 3\n", 0o755);
    refusals.add("a file that is no program", ["--", "./noise"]);
    refusals.file("script", "#!/no/such/python3\nimport os\n", 0o755);
    refusals.add("a script whose interpreter is nowhere", ["--", "./script"]);
    refusals.file("setuid", program(), 0o4755);
    refusals.add("a program that runs as its owner", ["--", "./setuid"]);
    refusals.file("setgid", program(), 0o2755);
    refusals.add("a program that runs as its group", ["--", "./setgid"]);
    compile_static(&refusals.scratch.path().join("static"));
    refusals.add("a program that is linked statically", ["--", "./static"]);
    refusals.file("foreign", program(), 0o755);
    make_foreign(&refusals.scratch.path().join("foreign"));
    refusals.add("a program for another machine", ["--", "./foreign"]);
    refusals.file("script", "#!./static\n", 0o755);
    refusals.add("a script for a program that is linked statically", ["--", "./script"]);
    refusals.assert("exec_refused_commands");
}

#[test]
fn are_options_refused_that_no_device_can_meet() {
    let mut refusals = Refusals::new();
    refusals.add("an unknown key of the profile", ["--set", "mmio.laod=95ns", "--", "true"]);
    refusals.add("a unit of another kind", ["--set", "mmio.load=95GiB", "--", "true"]);
    refusals.add("an unknown instruction", ["--set", "instructions.vector.vadd.slope=4", "--", "true"]);
    refusals.add("no memory at all", ["--hbm", "0", "--", "true"]);
    let threads = ["--isolate", "--engine", "threads", "--", "true"];
    refusals.add("isolation of runtimes that are left alone", threads);
    refusals.file("file", "", 0o644);
    refusals.add("an output directory that is a file", ["--out", "file", "--", "true"]);
    refusals.add("an output directory under a file", ["--out", "file/out", "--", "true"]);
    refusals.add("a charge file that is not there", ["--charges", "missing.json", "--", "true"]);
    refusals.file("charges.json", "{\"for\": \"me\", \"charges\": [", 0o644);
    refusals.add("a charge file that is no JSON", ["--charges", "charges.json", "--", "true"]);
    refusals.file("charges.json", "{\"for\": \"me\", \"charges\": [{\"symbl\": \"f\"}]}", 0o644);
    refusals.add("a charge file with an unknown key", ["--charges", "charges.json", "--", "true"]);
    refusals.assert("exec_refused_options");
}

#[test]
fn are_variables_refused_that_make_no_sense() {
    let mut refusals = Refusals::new();
    for (variable, value) in [
        ("NPUSIM_ARCH", "a3"),
        ("NPUSIM_ENGINE", "real"),
        ("NPUSIM_WORKERS", "0"),
        ("NPUSIM_HBM", "8 apples"),
        ("NPUSIM_HBM_FILL", "ones"),
        ("NPUSIM_SET", "mmio.load"),
        ("NPUSIM_ISOLATE", "yes"),
        ("NPUSIM_EXTERNAL_WAIT", "soon"),
        ("NPUSIM_KERNEL_LIMIT", "0s"),
    ] {
        refusals.add_command(variable, command().args(["exec", "--", "true"]).env(variable, value));
    }
    refusals.assert("exec_refused_variables");
}

#[test]
fn are_artifacts_for_another_machine_refused() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let mut refusals = Refusals::new();
    for file in ["libaicpu_kernel.so", "libaicore_kernel.so", "kernels/add.so", "orchestrations/vector.so"] {
        let path = artifacts.directory().join(file);
        let good = fs::read(&path).expect("it is there");
        make_foreign(&path);
        refusals.add_command(file, &mut artifacts.command(&[], "vector", &[]));
        fs::write(&path, good).expect("it can be written");
    }
    refusals.assert("exec_refused_artifacts");
}

#[test]
fn does_a_runtime_learn_why_an_artifact_that_is_broken_cannot_be_opened() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let path = artifacts.directory().join("kernels/add.so");
    let whole = fs::read(&path).expect("it is there");
    fs::write(&path, &whole[..40]).expect("it can be written");
    let outcome = artifacts.run(&[], "vector", &[]).outcome;
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    let line = outcome.stderr.lines().find(|line| line.starts_with("npusim: ")).unwrap_or_else(|| panic!("{outcome}"));
    assert!(line.contains("truncated"), "{outcome}");
    // The runtime has the same reason from `dlerror`, and goes on as it would without npusim.
    assert_eq!(outcome.stderr.matches("truncated").count(), 2, "{outcome}");
    assert!(outcome.stderr.ends_with("simpler_register_callable returned -1\n"), "{outcome}");
}
