//! Is whatever cannot be run refused with one clear line and exit code 2, before anything is done?

mod support;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use npusim::bundled::{self, ObjectKind};
use serde_json::{Value, json};
use sim_core::profile::Arch;
use support::{Scratch, command, entries};

/// Collects refusals, one under each question, for one snapshot.
struct Refusals {
    scratch: Scratch,
    text: String,
}

impl Refusals {
    fn new() -> Self {
        Refusals { scratch: Scratch::new(), text: String::new() }
    }

    /// The command refuses these arguments: exit code 2, one line, nothing on standard output, nothing left behind.
    #[track_caller]
    fn add(&mut self, what: &str, arguments: &[&str]) {
        let temporary = Scratch::new();
        let child = &mut command();
        child.args(arguments).current_dir(self.scratch.path()).env("TMPDIR", temporary.path());
        let outcome = support::outcome_of(child, support::FAULT_PATIENCE);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{what}: {outcome}");
        let first = outcome.stderr.strip_prefix("npusim: ").unwrap_or_else(|| panic!("{what}: {outcome}"));
        assert!(!first.contains("npusim: "), "{what}: {outcome}");
        assert_eq!(entries(temporary.path()), [""; 0], "{what}: left in TMPDIR");
        writeln!(self.text, "# {what}\n{}", self.scratch.hide(first)).expect("a string takes all text");
    }

    /// As [`Refusals::add`], and the refusal is one line.
    #[track_caller]
    fn add_line(&mut self, what: &str, arguments: &[&str]) {
        let before = self.text.lines().count();
        self.add(what, arguments);
        // The question, the line, and the empty line after it.
        assert_eq!(self.text.lines().count() - before, 3, "{what}: {}", self.text);
    }

    /// The case `chain`, changed, is refused.
    #[track_caller]
    fn add_case(&mut self, what: &str, change: impl FnOnce(&mut Value)) {
        let mut case = chain();
        change(&mut case);
        let text = serde_json::to_string_pretty(&case).expect("a value is JSON");
        self.scratch.file("case.json", text);
        self.add_line(what, &["run", "./case.json"]);
    }

    /// The case `chain` with this file as its kernel is refused.
    #[track_caller]
    fn add_kernel(&mut self, what: &str, bytes: &[u8]) {
        self.scratch.file("own.so", bytes);
        self.add_case(what, with_own_kernel);
    }

    #[track_caller]
    fn assert(self, snapshot: &str) {
        let _snapshots = support::snapshots();
        insta::assert_snapshot!(snapshot, self.text);
    }
}

/// The bundled case of that name, as a file of one's own would have it.
fn chain() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/chain.json");
    serde_json::from_str(&fs::read_to_string(path).expect("it is part of the source")).expect("it is JSON")
}

fn with_own_kernel(case: &mut Value) {
    case["kernels"][0] = json!({"func_id": 0, "path": "own.so", "core": "aiv", "signature": ["inout"]});
}

fn kernel() -> &'static [u8] {
    bundled::object(ObjectKind::Kernel, "increment").expect("it is bundled").bytes
}

/// A NumPy file of 32-bit floats.
fn npy(shape: &str, values: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a short header");
    [b"\x93NUMPY\x01\x00", length.to_le_bytes().as_slice(), header.as_bytes(), &vec![0; 4 * values]].concat()
}

#[test]
fn are_objects_that_cannot_be_loaded_refused() {
    let mut refusals = Refusals::new();
    refusals.add_case("a kernel that is not there", with_own_kernel);
    refusals.add_kernel("a kernel that is no ELF file", b"#!/bin/sh\n");
    refusals.add_kernel("an empty kernel", b"");
    let mut foreign = kernel().to_vec();
    foreign[18] = 0xb7; // e_machine: AArch64
    refusals.add_kernel("a kernel for another machine", &foreign);
    // Cut within its header: where its segments are depends on the compiler.
    refusals.add_kernel("a truncated kernel", &kernel()[..40]);
    refusals.add_kernel("a kernel without its entry", bundled::SHIM);
    refusals.assert("refused_objects");
}

#[test]
fn are_directories_without_artifacts_of_a_runtime_refused() {
    let mut refusals = Refusals::new();
    let arguments = ["run", "chain", "--runtime-dir", "."];
    refusals.add_line("no artifacts", &arguments);
    refusals.add_line("no directory", &["run", "chain", "--runtime-dir", "missing"]);
    let runtime = bundled::runtime(Arch::A2a3, "tensormap_and_ringbuffer").expect("it is bundled");
    refusals.scratch.file("libhost_runtime.so", runtime.host);
    refusals.scratch.file("libaicpu_kernel.so", runtime.aicpu);
    refusals.add_line("one artifact missing", &arguments);
    refusals.scratch.file("libaicore_kernel.so", "text");
    refusals.add_line("an artifact that is no object", &arguments);
    refusals.scratch.file("libaicore_kernel.so", runtime.aicore);
    refusals.scratch.file("libhost_runtime.so", runtime.aicpu);
    refusals.add_line("an artifact in the place of another", &arguments);
    refusals.scratch.file("libhost_runtime.so", runtime.host);
    let stock = [&arguments as &[_], &["--engine", "threads"]].concat();
    refusals.add_line("the bundled runtime, which needs a device of npusim's own", &stock);
    refusals.assert("refused_artifacts");
}

#[test]
fn are_cases_that_make_no_sense_refused() {
    let mut refusals = Refusals::new();
    refusals.add_line("a case that is not bundled", &["run", "vector_exampel"]);
    refusals.add_line("a case file that is not there", &["run", "./missing.json"]);
    refusals.scratch.file("case.json", "{\n  \"arch\": \"a2a3\",\n  \"runtime\"\n}\n");
    refusals.add_line("a case file that is no JSON", &["run", "./case.json"]);
    refusals.add_case("a wrong type", |case| case["kernels"][0]["func_id"] = json!("zero"));
    refusals.add_case("an unknown key", |case| case["kernels"][0]["signatur"] = json!([]));
    refusals.add_case("an unknown kernel", |case| case["kernels"][0]["bundled"] = json!("incremnt"));
    refusals.add_case("a missing key", |case| drop(case.as_object_mut().expect("an object").remove("orchestration")));
    refusals.add_case("a callable id out of range", |case| case["callable_id"] = json!(64));
    refusals.add_case("a negative callable id", |case| case["callable_id"] = json!(-1));
    refusals.add_case("an allowance of no kind", |case| case["allow"] = json!(["first_win:a64l"]));
    refusals.add_case("an allowance without a symbol", |case| case["allow"] = json!(["vdso:time", "vdso"]));
    refusals.add_case("an unknown reference", |case| case["golden"] = json!({"reference": "chian"}));
    refusals.add_case("an unknown key of the profile", |case| case["profile"] = json!({"mmio.laod": "95ns"}));
    refusals.assert("refused_cases");
}

#[test]
fn are_tensors_that_do_not_match_their_files_refused() {
    let mut refusals = Refusals::new();
    let mut add = |what: &str, bytes: Option<&[u8]>| {
        if let Some(bytes) = bytes {
            refusals.scratch.file("counter.npy", bytes);
        }
        refusals.add_case(what, |case| {
            let tensor = case["tensors"][0].as_object_mut().expect("an object");
            tensor.remove("generator");
            tensor.insert("npy".to_owned(), json!("counter.npy"));
        });
    };
    add("a tensor whose file is not there", None);
    add("a tensor of another shape than its file", Some(&npy("(512, 2)", 1024)));
    add("a tensor with too few bytes in its file", Some(&npy("(1024,)", 1000)));
    add("a tensor whose file is something else", Some(b"1, 2, 3\n"));
    refusals.assert("refused_tensors");
}

#[test]
fn are_options_that_cannot_be_met_refused() {
    let mut refusals = Refusals::new();
    let mut add = |what: &str, options: &[&str]| refusals.add(what, &[&["run", "vector_example"], options].concat());
    add("an unknown key of the profile", &["--set", "mmio.laod=95ns"]);
    add("a unit of another kind", &["--set", "mmio.load=95GiB"]);
    add("an unknown instruction", &["--set", "instructions.vector.vadd.slope=4"]);
    add("an instruction in another unit", &["--set", "instructions.vector.add.slope=4ns"]);
    add("an instruction of the other generation", &["--set", "instructions.vector.ln.latency=4"]);
    add("a value that is no number", &["--set", "mmio.load=fast"]);
    add("an override without its value", &["--set", "mmio.load"]);
    add("no size", &["--hbm", "8 apples"]);
    add("no memory at all", &["--hbm", "0"]);
    add("no time", &["--kernel-limit", "soon"]);
    add("an unknown fill", &["--hbm-fill", "ones"]);
    add("an unknown engine", &["--engine", "real"]);
    add("no workers", &["--workers", "0"]);
    add("more clusters than there can be", &["--clusters", "100000"]);
    add("a parameter of another case", &["--param", "tasks=10"]);
    add("an unknown option", &["--worker", "1"]);
    add("an unknown runtime", &["--runtime", "host_build_grap"]);
    let wrong = ["--set", "instructions.vector.vadd.slope=4"];
    refusals.add_line("validate: an unknown instruction", &[&["validate"], &wrong[..]].concat());
    let of_a2a3 = ["--set", "instructions.vector.add.slope=4"];
    refusals.add_line("validate: an instruction of one generation", &[&["validate"], &of_a2a3[..]].concat());
    refusals.assert("refused_options");
}

#[test]
fn are_places_that_cannot_be_written_refused() {
    let mut refusals = Refusals::new();
    refusals.scratch.file("file", "");
    refusals.add_line("an output directory that is a file", &["run", "vector_example", "--out", "file"]);
    refusals.add_line("an output directory under a file", &["run", "vector_example", "--out", "file/out"]);
    refusals.add_line("an output directory that nobody may make", &["run", "vector_example", "--out", "/proc/out"]);
    refusals.add_line("a place for objects that is a file", &["run", "vector_example", "--keep-so", "file"]);
    refusals.assert("refused_places");
}

#[test]
fn is_a_file_that_cannot_be_inspected_refused() {
    let mut refusals = Refusals::new();
    refusals.add_line("a file that is not there", &["inspect", "missing.so"]);
    refusals.scratch.file("text.so", "#!/bin/sh\n");
    refusals.add_line("a file that is no object", &["inspect", "text.so"]);
    refusals.assert("refused_inspections");
}
