//! Objects for tests, compiled on the spot.

use std::process::Command;

/// What a source is written in.
#[derive(Clone, Copy)]
pub(super) enum Language {
    C,
    Cxx,
    #[cfg(target_arch = "x86_64")]
    Assembly,
}

/// Compiles `source` into a shared object and returns its bytes. The project needs a compiler to be built, so a test
/// without one fails.
pub(super) fn shared_object(language: Language, source: &str, flags: &[&str]) -> Vec<u8> {
    compile(language, source, &[&["-shared", "-fPIC"], flags].concat())
}

/// Compiles `source` with `flags` alone.
pub(super) fn compile(language: Language, source: &str, flags: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("create a directory for the test");
    let (compiler, extension) = match language {
        Language::C => ("cc", "c"),
        Language::Cxx => ("c++", "cpp"),
        #[cfg(target_arch = "x86_64")]
        Language::Assembly => ("cc", "s"),
    };
    let (input, output) = (directory.path().join(format!("source.{extension}")), directory.path().join("object"));
    std::fs::write(&input, source).expect("write the source");
    let result = Command::new(compiler).args(flags).arg(&input).arg("-o").arg(&output).output();
    let result = result.unwrap_or_else(|error| panic!("these tests need the compiler {compiler}: {error}"));
    assert!(result.status.success(), "{compiler}: {}", String::from_utf8_lossy(&result.stderr));
    std::fs::read(&output).expect("read the object")
}
