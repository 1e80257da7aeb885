//! Turns sources into objects, several at once.

use std::env;
use std::ffi::OsString;
use std::num::NonZero;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::compiler::{Compiler, Language};
use crate::error::BuildError;
use crate::layout::{Layout, Object};

const OBJECT_FLAGS: &[&str] = &["-g1", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Wl,--build-id=sha1"];

/// The compilers and what they are told about every object.
pub(crate) struct Toolchain<'a> {
    layout: &'a Layout,
    cxx: Compiler,
    c: Compiler,
}

impl<'a> Toolchain<'a> {
    pub(crate) fn find(layout: &'a Layout) -> Result<Self, BuildError> {
        Ok(Self { layout, cxx: Compiler::find(Language::Cxx)?, c: Compiler::find(Language::C)? })
    }

    pub(crate) fn compile_all(&self, objects: &[&Object]) -> Result<(), BuildError> {
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
