//! Compilers: which there are, and what they are told in each language.

use std::env;
use std::io;
use std::process::{Command, Stdio};

use crate::error::BuildError;

#[derive(Clone, Copy)]
pub(crate) enum Language {
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
    pub(crate) const fn flags(self) -> &'static [&'static str] {
        match self {
            Language::C => &["-std=c11"],
            Language::Cxx => &["-std=c++17", "-fno-gnu-unique"],
        }
    }
}

/// What a linker makes of an object.
#[derive(Clone, Copy)]
pub(crate) enum Linkage {
    Shared,
    Program,
    CProgram,
}

impl Linkage {
    /// A program brings its C++ library with it, and so has none that the objects it loads could find.
    pub(crate) const fn flags(self) -> &'static [&'static str] {
        match self {
            Linkage::Shared => &["-shared"],
            Linkage::CProgram => &["-Wl,--no-as-needed,-ldl"],
            Linkage::Program => &["-static-libstdc++", "-static-libgcc", "-Wl,--no-as-needed,-ldl"],
        }
    }
}

/// A compiler with the arguments that the environment gives it, as in `CXX="ccache g++"`.
pub(crate) struct Compiler {
    pub(crate) program: String,
    arguments: Vec<String>,
}

impl Compiler {
    /// Takes the compiler from the environment or the system's default, and makes sure that it can be run.
    pub(crate) fn find(language: Language) -> Result<Self, BuildError> {
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

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}
