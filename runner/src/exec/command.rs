//! The command that `npusim exec` starts: where it is, and whether an object can be preloaded into it.
//!
//! The dynamic linker preloads objects, so a command that it does not start, or that it starts with another identity
//! than its caller's, would run as if npusim were not there. That is refused before anything is started.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, getxattr};
use sim_core::loader::image_error::ImageError;
use sim_core::loader::program::is_dynamically_linked;

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum CommandError {
    /// {name:?}: no such command in the directories of PATH; write its path if it is elsewhere
    NotInPath {
        /// The command.
        name: OsString,
    },
    /// {path:?} cannot be run: {reason}
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// {path:?} is a directory, not a command
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// {path:?} is not executable; try `chmod +x`, or name the program that reads it
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// {path:?} {how}, so nothing can be preloaded into it; name a copy that does not
    OtherIdentity {
        /// The file.
        path: PathBuf,
        /// What it does to its process.
        how: &'static str,
    },
    /// {path:?} is statically linked, so nothing can be preloaded into it; name a dynamically linked one
    Static {
        /// The file.
        path: PathBuf,
    },
    /// {0}
    NotForThisMachine(ImageError),
    /// {path:?} is neither a program nor a script that begins with `#!` and its interpreter
    NoProgram {
        /// The file.
        path: PathBuf,
    },
    /// {script:?} names its interpreter: {reason}
    Interpreter {
        /// The script.
        script: PathBuf,
        /// What is wrong with the interpreter.
        reason: Box<CommandError>,
    },
    /// {path:?}: its interpreters are scripts, one of the other
    TooManyInterpreters {
        /// The last of them.
        path: PathBuf,
    },
}

/// Where a command is looked for if there is no PATH, as the C library does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// What Linux reads of a script's first line.
const LONGEST_FIRST_LINE: usize = 256;
/// How often an interpreter may be a script, as in Linux.
const MOST_INTERPRETERS: usize = 4;
/// The attribute of a file that gives its process rights which its caller does not have.
const CAPABILITIES: &str = "security.capability";
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Finds a command as a shell would, in `search` (the value of PATH) unless it is a path, and checks it.
pub fn find(name: &OsStr, search: Option<&OsStr>) -> Result<PathBuf, CommandError> {
    let path = if name.as_bytes().contains(&b'/') { PathBuf::from(name) } else { find_in_path(name, search)? };
    check(&path, MOST_INTERPRETERS)?;
    Ok(path)
}

fn find_in_path(name: &OsStr, search: Option<&OsStr>) -> Result<PathBuf, CommandError> {
    let search = search.unwrap_or(OsStr::new(DEFAULT_PATH));
    let is_file = |path: &PathBuf| !name.is_empty() && path.is_file();
    let found: Vec<PathBuf> =
        std::env::split_paths(search).map(|entry| in_entry(&entry, name)).filter(is_file).collect();
    let executable = found.iter().find(|path| is_executable(path));
    let chosen = executable.or(found.first()).cloned();
    chosen.ok_or_else(|| CommandError::NotInPath { name: name.to_owned() })
}

/// An empty entry of PATH is the current directory.
fn in_entry(entry: &Path, name: &OsStr) -> PathBuf {
    if entry.as_os_str().is_empty() { Path::new(".").join(name) } else { entry.join(name) }
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Checks a program, or a script and the programs that read it.
fn check(path: &Path, interpreters: usize) -> Result<(), CommandError> {
    let unreadable = |reason| CommandError::Unreadable { path: path.to_owned(), reason };
    let facts = std::fs::metadata(path).map_err(unreadable)?;
    if facts.is_dir() {
        return Err(CommandError::Directory { path: path.to_owned() });
    }
    if !is_executable(path) {
        return Err(CommandError::NotExecutable { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let head = read_head(&mut file).map_err(unreadable)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let interpreter = interpreter(line).ok_or_else(|| CommandError::NoProgram { path: path.to_owned() })?;
        let left =
            interpreters.checked_sub(1).ok_or_else(|| CommandError::TooManyInterpreters { path: path.to_owned() })?;
        return check(interpreter, left)
            .map_err(|reason| CommandError::Interpreter { script: path.to_owned(), reason: Box::new(reason) });
    }
    if !head.starts_with(b"\x7fELF") {
        return Err(CommandError::NoProgram { path: path.to_owned() });
    }
    check_program(path, file, &facts)
}

fn read_head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(LONGEST_FIRST_LINE);
    file.take(LONGEST_FIRST_LINE as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

/// The interpreter that the first line of a script names behind `#!`.
fn interpreter(line: &[u8]) -> Option<&Path> {
    let line = line.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.next().map(|word| Path::new(OsStr::from_bytes(word)))
}

fn check_program(path: &Path, file: File, facts: &Metadata) -> Result<(), CommandError> {
    if let Some(how) = other_identity(path, facts) {
        return Err(CommandError::OtherIdentity { path: path.to_owned(), how });
    }
    match is_dynamically_linked(&path.display().to_string(), file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::Static { path: path.to_owned() }),
        Err(error) => Err(CommandError::NotForThisMachine(error)),
    }
}

/// What a program does to its process that makes the dynamic linker preload nothing.
fn other_identity(path: &Path, facts: &Metadata) -> Option<&'static str> {
    if facts.mode() & SET_USER != 0 {
        return Some("runs as its owner (setuid)");
    }
    if facts.mode() & SET_GROUP != 0 {
        return Some("runs as its group (setgid)");
    }
    let has_capabilities = getxattr(path, CAPABILITIES, &mut [0_u8; 64]).is_ok();
    has_capabilities.then_some("gives its process capabilities")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn file(directory: &TempDir, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn this_program() -> Vec<u8> {
        fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn is_the_first_executable_in_the_path_taken() {
        let scratch = tempfile::tempdir().unwrap();
        file(&scratch, "a/tool", "", 0o644);
        fs::create_dir_all(scratch.path().join("b/tool")).unwrap();
        let expected = file(&scratch, "c/tool", "#!/bin/sh\n", 0o755);
        file(&scratch, "d/tool", "#!/bin/sh\n", 0o755);
        let search = std::env::join_paths(["a", "b", "c", "d"].map(|name| scratch.path().join(name))).unwrap();
        assert_eq!(find(OsStr::new("tool"), Some(&search)).unwrap(), expected);
        let elsewhere = find(OsStr::new("tool"), Some(OsStr::new("/nowhere"))).unwrap_err();
        assert!(matches!(elsewhere, CommandError::NotInPath { .. }), "{elsewhere}");
        let only_a_file = find(OsStr::new("tool"), Some(scratch.path().join("a").as_os_str())).unwrap_err();
        assert!(matches!(only_a_file, CommandError::NotExecutable { .. }), "{only_a_file}");
    }

    #[test]
    fn is_a_script_judged_by_its_interpreter() {
        let scratch = tempfile::tempdir().unwrap();
        let program = file(&scratch, "program", this_program(), 0o755);
        let script = |name: &str, line: String| file(&scratch, name, line, 0o755);
        let good = script("good", format!("#! \t{} -x\nrest", program.display()));
        assert!(find(good.as_os_str(), None).is_ok());
        let by_script = script("by_script", format!("#!{}\n", good.display()));
        assert!(find(by_script.as_os_str(), None).is_ok());
        let broken = script("broken", "#!/nowhere/python\n".to_owned());
        let error = find(broken.as_os_str(), None).unwrap_err();
        assert!(matches!(error, CommandError::Interpreter { .. }), "{error}");
        let endless = script("endless", format!("#!{}\n", scratch.path().join("endless").display()));
        assert!(find(endless.as_os_str(), None).is_err());
        let nothing = script("nothing", "#! \n".to_owned());
        assert!(matches!(find(nothing.as_os_str(), None), Err(CommandError::NoProgram { .. })));
    }

    #[test]
    fn are_programs_refused_that_run_as_somebody_else() {
        let scratch = tempfile::tempdir().unwrap();
        for mode in [0o4755, 0o2755] {
            let program = file(&scratch, "program", this_program(), mode);
            let error = find(program.as_os_str(), None).unwrap_err();
            assert!(matches!(error, CommandError::OtherIdentity { .. }), "{error}");
        }
    }
}
