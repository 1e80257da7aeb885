//! Builds the device-side programs in `guest/` with the system's compilers and embeds them: every object ends up as a
//! byte string in `$OUT_DIR/guests.rs`, which `src/bundled.rs` includes.
//!
//! What is built is data: [`RUNTIMES`], [`FAULTY_AICORES`], [`FAMILIES`], [`SIM_SHAPED_PARTS`] and
//! [`SIM_SHAPED_FAMILIES`]. A source in the directory of a family is an object of its own; a runtime consists of three
//! objects, each of all sources in its directory. Objects must not depend on where they were built, since the identity
//! of a kernel is the hash of its bytes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

// ---- what is built

/// A device generation that runtimes are built for.
#[derive(Clone, Copy)]
enum Arch {
    A2a3,
    A5,
}

impl Arch {
    /// The variant of `sim_core::profile::Arch`.
    const fn variant(self) -> &'static str {
        match self {
            Arch::A2a3 => "A2a3",
            Arch::A5 => "A5",
        }
    }

    /// What tells `npusim/registers.h` the generation.
    const fn define(self) -> &'static str {
        match self {
            Arch::A2a3 => "-DNPUSIM_ARCH_A2A3",
            Arch::A5 => "-DNPUSIM_ARCH_A5",
        }
    }
}

/// A runtime: `guest/runtime/<name>/{host,aicpu,aicore}`.
struct Runtime {
    arch: Arch,
    name: &'static str,
}

/// An AICore object of a runtime with a fault compiled in.
struct FaultyAicore {
    arch: Arch,
    runtime: &'static str,
    name: &'static str,
    define: &'static str,
}

/// A directory of `guest/` in which every source is an object of its own.
struct Family {
    /// The variant of `bundled::ObjectKind`.
    kind: &'static str,
    directory: &'static str,
    flags: &'static [&'static str],
    /// Sources that belong to each of its objects.
    common: &'static [&'static str],
}

/// A file of the sim-shaped artifacts, from all sources in a directory of `guest/sim_shaped/`.
struct SimShapedPart {
    directory: &'static str,
    file: &'static str,
    linkage: Linkage,
    /// None: it is the same for each.
    arch: Option<Arch>,
    /// Sources from elsewhere.
    common: &'static [&'static str],
}

/// A directory of `guest/sim_shaped/` in which every source is an object of its own, for every architecture.
struct SimShapedFamily {
    directory: &'static str,
    flags: &'static [&'static str],
    /// Sources that belong to each of its objects.
    common: &'static [&'static str],
}

const RUNTIMES: &[Runtime] = &[Runtime { arch: Arch::A2a3, name: "tensormap_and_ringbuffer" }];

const FAULTY_AICORES: &[FaultyAicore] = &[FaultyAicore {
    arch: Arch::A2a3,
    runtime: "tensormap_and_ringbuffer",
    name: "lossy",
    define: "-DNPUSIM_LOSE_COMPLETION=3",
}];

const FAMILIES: &[Family] = &[
    Family {
        kind: "Orchestration",
        directory: "orchestrations",
        flags: ORCHESTRATION_FLAGS,
        common: &["orchestrations/common/bind.cpp"],
    },
    Family {
        kind: "Orchestration",
        directory: "orchestrations/faults",
        flags: ORCHESTRATION_FLAGS,
        common: &["orchestrations/common/bind.cpp"],
    },
    Family { kind: "Kernel", directory: "kernels", flags: KERNEL_FLAGS, common: &[] },
    Family { kind: "Kernel", directory: "kernels/faults", flags: KERNEL_FLAGS, common: &[] },
    Family { kind: "Trait", directory: "traits", flags: &["-O2"], common: &[] },
];

const SIM_SHAPED_PARTS: &[SimShapedPart] = &[
    SimShapedPart::host(Arch::A2a3),
    SimShapedPart::device("aicpu", "libaicpu_kernel.so", Arch::A2a3),
    SimShapedPart::device("aicore", "libaicore_kernel.so", Arch::A2a3),
    SimShapedPart::host(Arch::A5),
    SimShapedPart::device("aicpu", "libaicpu_kernel.so", Arch::A5),
    SimShapedPart::device("aicore", "libaicore_kernel.so", Arch::A5),
    SimShapedPart {
        directory: "context",
        file: "libcpu_sim_context.so",
        linkage: Linkage::Shared,
        arch: None,
        common: &[],
    },
    SimShapedPart { directory: "process", file: "host_process", linkage: Linkage::Program, arch: None, common: &[] },
];

impl SimShapedPart {
    const fn device(directory: &'static str, file: &'static str, arch: Arch) -> Self {
        Self { directory, file, linkage: Linkage::Shared, arch: Some(arch), common: &[] }
    }

    const fn host(arch: Arch) -> Self {
        let common = &["runtime/tensormap_and_ringbuffer/host/comm.cpp"];
        Self { common, ..Self::device("host", "libhost_runtime.so", arch) }
    }
}

const SIM_SHAPED_FAMILIES: &[SimShapedFamily] = &[
    // Their unique symbols are part of what makes them like real ones.
    SimShapedFamily { directory: "kernels", flags: &["-fgnu-unique", "-ffp-contract=off"], common: &[] },
    SimShapedFamily { directory: "orchestrations", flags: &[], common: &["sim_shaped/orchestrations/common/bind.cpp"] },
];

const OBJECT_FLAGS: &[&str] = &["-g1", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Wl,--build-id=sha1"];
// As real ones are built. Everything is visible, so that what is found earlier can take the place of any function.
const SIM_SHAPED_FLAGS: &[&str] = &["-O3", "-I", "sim_shaped"];
const RUNTIME_FLAGS: &[&str] = &["-O2"];
const ORCHESTRATION_FLAGS: &[&str] = &["-O2", "-fvisibility=hidden"];
// Without contraction, and for the baseline processor, results are the same on every machine.
const KERNEL_FLAGS: &[&str] = &["-O3", "-ffp-contract=off", "-fvisibility=hidden"];

// ---- how it is built

/// Why the guests could not be built.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
enum BuildError {
    /// no {language} compiler: '{program}' not found; install {package} or set {variable}
    NoCompiler { language: &'static str, program: String, package: &'static str, variable: &'static str },
    /// cannot run '{program}': {source}
    Run { program: String, source: io::Error },
    /// cannot compile {object}: {status}{output}
    Compile { object: String, status: String, output: String },
    /// no sources (*.cpp) in {0}
    NoSources(PathBuf),
    /// {path}: {source}
    File { path: PathBuf, source: io::Error },
}

#[derive(Clone, Copy)]
enum Language {
    C,
    Cxx,
}

impl Language {
    const fn name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::Cxx => "C++",
        }
    }

    /// The environment variable that names the compiler.
    const fn variable(self) -> &'static str {
        match self {
            Language::C => "CC",
            Language::Cxx => "CXX",
        }
    }

    const fn default_program(self) -> &'static str {
        match self {
            Language::C => "cc",
            Language::Cxx => "c++",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Language::C => "gcc",
            Language::Cxx => "g++",
        }
    }

    /// Unique symbols would bind across namespaces, and keep an object from ever being unloaded.
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Language::C => &["-std=c11"],
            Language::Cxx => &["-std=c++17", "-fno-gnu-unique"],
        }
    }
}

/// What a linker makes of an object.
#[derive(Clone, Copy)]
enum Linkage {
    Shared,
    Program,
    CProgram,
}

impl Linkage {
    /// A program brings its C++ library with it, and so has none that the objects it loads could find.
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Linkage::Shared => &["-shared"],
            Linkage::CProgram => &["-Wl,--no-as-needed,-ldl"],
            Linkage::Program => &["-static-libstdc++", "-static-libgcc", "-Wl,--no-as-needed,-ldl"],
        }
    }
}

/// A compiler with the arguments that the environment gives it, as in `CXX="ccache g++"`.
struct Compiler {
    program: String,
    arguments: Vec<String>,
}

impl Compiler {
    /// Takes the compiler from the environment or the system's default, and makes sure that it can be run.
    fn find(language: Language) -> Result<Self, BuildError> {
        let variable = language.variable();
        println!("cargo::rerun-if-env-changed={variable}");
        let words = env::var(variable).unwrap_or_default();
        let mut words = words.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_else(|| language.default_program().to_owned());
        let compiler = Self { program, arguments: words.collect() };
        match compiler.command().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(_) => Ok(compiler),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BuildError::NoCompiler {
                language: language.name(),
                program: compiler.program,
                package: language.package(),
                variable,
            }),
            Err(source) => Err(BuildError::Run { program: compiler.program, source }),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// One file to build.
struct Object {
    name: String,
    language: Language,
    linkage: Linkage,
    flags: Vec<OsString>,
    /// Relative to `guest/`.
    sources: Vec<PathBuf>,
    output: PathBuf,
}

/// Where sources are and objects go.
struct Layout {
    guest: PathBuf,
    out: PathBuf,
}

impl Layout {
    fn from_environment() -> Self {
        let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
        let root = manifest.parent().expect("the package lies in the workspace").to_owned();
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        Self { guest: root.join("guest"), out }
    }

    /// The C++ sources in a directory of `guest/`, in order of their names.
    fn sources(&self, directory: &Path) -> Result<Vec<PathBuf>, BuildError> {
        let path = self.guest.join(directory);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BuildError::NoSources(path)),
            Err(source) => return Err(BuildError::File { path, source }),
        };
        let mut sources = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| BuildError::File { path: path.clone(), source })?.file_name();
            if Path::new(&name).extension() == Some(OsStr::new("cpp")) {
                sources.push(directory.join(name));
            }
        }
        sources.sort();
        if sources.is_empty() { Err(BuildError::NoSources(path)) } else { Ok(sources) }
    }

    fn object<F: AsRef<OsStr>>(
        &self,
        name: String,
        language: Language,
        flags: impl IntoIterator<Item = F>,
        sources: Vec<PathBuf>,
    ) -> Object {
        let output = self.out.join(format!("{name}.so"));
        let flags = flags.into_iter().map(|flag| flag.as_ref().to_owned()).collect();
        Object { name, language, linkage: Linkage::Shared, flags, sources, output }
    }
}

/// The three objects of a runtime.
struct RuntimeObjects {
    runtime: &'static Runtime,
    host: Object,
    aicpu: Object,
    aicore: Object,
}

/// An object outside a runtime.
struct NamedObject {
    /// The variant of `bundled::ObjectKind`.
    kind: &'static str,
    name: String,
    object: Object,
}

/// Everything that is embedded.
struct Guests {
    shim: Object,
    sandbox: Object,
    runtimes: Vec<RuntimeObjects>,
    objects: Vec<NamedObject>,
    sim_shaped: Vec<SimShapedFile>,
}

/// A file of the sim-shaped artifacts.
struct SimShapedFile {
    arch: Option<Arch>,
    /// Where it lies in the directory that they are put into.
    path: String,
    object: Object,
}

impl Guests {
    fn plan(layout: &Layout) -> Result<Self, BuildError> {
        let shim = layout.object("shim".to_owned(), Language::C, ["-O2"], vec![PathBuf::from("shim/shim.c")]);
        let sandbox = layout.object("sandbox".to_owned(), Language::C, ["-O2"], vec!["sandbox/sandbox.c".into()]);
        let sandbox = Object { linkage: Linkage::CProgram, ..sandbox };
        let runtimes = RUNTIMES.iter().map(|runtime| plan_runtime(layout, runtime)).collect::<Result<_, _>>()?;
        let mut objects = Vec::new();
        for faulty in FAULTY_AICORES {
            objects.push(plan_faulty_aicore(layout, faulty)?);
        }
        for family in FAMILIES {
            objects.extend(plan_family(layout, family)?);
        }
        let mut sim_shaped = Vec::new();
        for part in SIM_SHAPED_PARTS {
            sim_shaped.push(plan_sim_shaped_part(layout, part)?);
        }
        for family in SIM_SHAPED_FAMILIES {
            sim_shaped.extend(plan_sim_shaped_family(layout, family)?);
        }
        Ok(Self { shim, sandbox, runtimes, objects, sim_shaped })
    }

    fn all(&self) -> Vec<&Object> {
        let runtimes = self.runtimes.iter().flat_map(|runtime| [&runtime.host, &runtime.aicpu, &runtime.aicore]);
        let named = self.objects.iter().map(|named| &named.object);
        let sim_shaped = self.sim_shaped.iter().map(|file| &file.object);
        runtimes.chain([&self.shim, &self.sandbox]).chain(named).chain(sim_shaped).collect()
    }
}

fn plan_runtime(layout: &Layout, runtime: &'static Runtime) -> Result<RuntimeObjects, BuildError> {
    let part = |part| plan_runtime_part(layout, runtime.arch, runtime.name, part, part, None);
    Ok(RuntimeObjects { runtime, host: part("host")?, aicpu: part("aicpu")?, aicore: part("aicore")? })
}

fn plan_faulty_aicore(layout: &Layout, faulty: &FaultyAicore) -> Result<NamedObject, BuildError> {
    let object = plan_runtime_part(layout, faulty.arch, faulty.runtime, "aicore", faulty.name, Some(faulty.define))?;
    Ok(NamedObject { kind: "Aicore", name: faulty.name.to_owned(), object })
}

/// One object of a runtime, from all sources of the directory `part`.
fn plan_runtime_part(
    layout: &Layout,
    arch: Arch,
    runtime: &str,
    part: &str,
    name: &str,
    define: Option<&'static str>,
) -> Result<Object, BuildError> {
    let directory = Path::new("runtime").join(runtime);
    let sources = layout.sources(&directory.join(part))?;
    let mut include = OsString::from("-I");
    include.push(layout.guest.join(&directory));
    let flags = RUNTIME_FLAGS.iter().copied().chain([arch.define()]).chain(define).map(OsString::from).chain([include]);
    Ok(layout.object(format!("{}-{runtime}-{name}", arch.variant()), Language::Cxx, flags, sources))
}

fn plan_family(layout: &Layout, family: &Family) -> Result<Vec<NamedObject>, BuildError> {
    let sources = layout.sources(Path::new(family.directory))?;
    let plan = |source: PathBuf| {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = format!("{}-{name}", family.kind);
        let sources = [source].into_iter().chain(family.common.iter().map(PathBuf::from)).collect();
        NamedObject { kind: family.kind, object: layout.object(file, Language::Cxx, family.flags, sources), name }
    };
    Ok(sources.into_iter().map(plan).collect())
}

fn plan_sim_shaped_part(layout: &Layout, part: &SimShapedPart) -> Result<SimShapedFile, BuildError> {
    let mut sources = layout.sources(&Path::new("sim_shaped").join(part.directory))?;
    sources.extend(part.common.iter().map(PathBuf::from));
    let flags = SIM_SHAPED_FLAGS.iter().copied().chain(part.arch.map(Arch::define));
    let name = format!("SimShaped-{}-{}", part.arch.map_or("any", Arch::variant), part.directory);
    let object = Object { linkage: part.linkage, ..layout.object(name, Language::Cxx, flags, sources) };
    Ok(SimShapedFile { arch: part.arch, path: part.file.to_owned(), object })
}

fn plan_sim_shaped_family(layout: &Layout, family: &SimShapedFamily) -> Result<Vec<SimShapedFile>, BuildError> {
    let directory = family.directory;
    let plan = |source: PathBuf| {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let flags = SIM_SHAPED_FLAGS.iter().chain(family.flags);
        let sources = [source].into_iter().chain(family.common.iter().map(PathBuf::from)).collect();
        let object = layout.object(format!("SimShaped-{directory}-{stem}"), Language::Cxx, flags, sources);
        SimShapedFile { arch: None, path: format!("{directory}/{stem}.so"), object }
    };
    Ok(layout.sources(&Path::new("sim_shaped").join(directory))?.into_iter().map(plan).collect())
}

/// The compilers and what they are told about every object.
struct Toolchain<'a> {
    layout: &'a Layout,
    cxx: Compiler,
    c: Compiler,
}

impl<'a> Toolchain<'a> {
    fn find(layout: &'a Layout) -> Result<Self, BuildError> {
        Ok(Self { layout, cxx: Compiler::find(Language::Cxx)?, c: Compiler::find(Language::C)? })
    }

    fn compile_all(&self, objects: &[&Object]) -> Result<(), BuildError> {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(object) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.compile(object)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..worker_count()).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })
    }

    /// Builds one object. Warnings go to the user as cargo's.
    fn compile(&self, object: &Object) -> Result<(), BuildError> {
        let compiler = match object.language {
            Language::C => &self.c,
            Language::Cxx => &self.cxx,
        };
        let output = compiler
            .command()
            .current_dir(&self.layout.guest)
            .args(object.language.flags())
            .args(OBJECT_FLAGS)
            .args(object.linkage.flags())
            .arg(self.forget_place())
            .args(["-I", "include", "-I", "."])
            .args(&object.flags)
            .args(&object.sources)
            .arg("-o")
            .arg(&object.output)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| BuildError::Run { program: compiler.program.clone(), source })?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let (object, status) = (object.name.clone(), output.status.to_string());
            return Err(BuildError::Compile { object, status, output: format!("\n{text}") });
        }
        text.lines().for_each(|line| println!("cargo::warning={line}"));
        Ok(())
    }

    /// Keeps the directory of the checkout out of debug information.
    fn forget_place(&self) -> OsString {
        let mut flag = OsString::from("-ffile-prefix-map=");
        flag.push(&self.layout.guest);
        flag.push("=guest");
        flag
    }
}

/// As many as cargo allows.
fn worker_count() -> usize {
    let allowed = env::var("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok());
    allowed.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}

// ---- what is left behind

/// The Rust source that embeds the objects.
fn embed(guests: &Guests) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "/// The shim: the first object of every namespace.")?;
    writeln!(text, "pub static SHIM: &[u8] = {};", bytes(&guests.shim))?;
    writeln!(text, "/// The program in which objects are tried out.")?;
    writeln!(text, "pub static SANDBOX: &[u8] = {};", bytes(&guests.sandbox))?;
    writeln!(text, "/// Every bundled runtime.\npub static RUNTIMES: &[BundledRuntime] = &[")?;
    for RuntimeObjects { runtime, host, aicpu, aicore } in &guests.runtimes {
        let (arch, name) = (runtime.arch.variant(), runtime.name);
        let (host, aicpu, aicore) = (bytes(host), bytes(aicpu), bytes(aicore));
        writeln!(
            text,
            "    BundledRuntime {{ arch: Arch::{arch}, name: {name:?}, host: {host}, aicpu: {aicpu}, aicore: {aicore} }},"
        )?;
    }
    writeln!(text, "];\n/// Every other bundled object.\npub static OBJECTS: &[BundledObject] = &[")?;
    for NamedObject { kind, name, object } in &guests.objects {
        let bytes = bytes(object);
        writeln!(text, "    BundledObject {{ kind: ObjectKind::{kind}, name: {name:?}, bytes: {bytes} }},")?;
    }
    writeln!(text, "];\n/// Every file of the sim-shaped artifacts.\npub static SIM_SHAPED: &[SimShapedFile] = &[")?;
    for SimShapedFile { arch, path, object } in &guests.sim_shaped {
        let arch = arch.map_or("None".to_owned(), |arch| format!("Some(Arch::{})", arch.variant()));
        let (is_program, bytes) = (matches!(object.linkage, Linkage::Program), bytes(object));
        writeln!(
            text,
            "    SimShapedFile {{ arch: {arch}, path: {path:?}, is_program: {is_program}, bytes: {bytes} }},"
        )?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

fn bytes(object: &Object) -> String {
    format!("include_bytes!({:?})", object.output)
}

fn build() -> Result<(), BuildError> {
    let layout = Layout::from_environment();
    println!("cargo::rerun-if-changed=../guest");
    let toolchain = Toolchain::find(&layout)?;
    let guests = Guests::plan(&layout)?;
    toolchain.compile_all(&guests.all())?;
    let path = layout.out.join("guests.rs");
    let text = embed(&guests).expect("a string takes all text");
    fs::write(&path, text).map_err(|source| BuildError::File { path, source })
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("npusim: {error}");
            ExitCode::FAILURE
        }
    }
}
