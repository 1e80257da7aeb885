//! The sandbox: a child process in which an object is tried out before this process loads it.
//!
//! The object's sealed memory is handed to the child as its standard input. There the dynamic linker links it, and its
//! initialisers and finalisers run, where they may change no file, start nothing and use little time
//! (`guest/sandbox`). An initialiser that throws, crashes or never returns, which would end a device, ends only the
//! child. What passes is loaded here from the same pages: sealed, so nobody can have changed them in between.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use super::super::preparation::{Functions, Preparation};
use super::memory::writable_memory;

/// The program that is the child, and what it loads before each object.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    /// `guest/sandbox`, compiled.
    pub program: &'static [u8],
    /// A shared object with the symbols that others need: the shim.
    pub before: Option<&'static [u8]>,
}

/// What came of a trial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Linked, initialised and finalised.
    Passed,
    /// The object did not get through.
    Refused(String),
    /// There was no trial.
    Impossible(String),
}

impl Sandbox {
    /// Tries an object out in a child.
    pub(super) fn try_out(self, object: BorrowedFd<'_>, preparation: &Preparation) -> Trial {
        match self.run(object, preparation) {
            Ok((said, status)) => judge(&said, status, &identity(object)),
            Err(error) => Trial::Impossible(format!("the sandbox cannot be started: {error}")),
        }
    }

    fn run(self, object: BorrowedFd<'_>, preparation: &Preparation) -> io::Result<(String, ExitStatus)> {
        let program = in_memory("npusim-sandbox", self.program)?;
        let before = self.before.map(|bytes| in_memory("npusim-before", bytes)).transpose()?;
        let of_this_process = |file: &File| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let mut command = Command::new(of_this_process(&program));
        command.arg(before.as_ref().map_or_else(|| "-".to_owned(), of_this_process)).env_clear();
        for functions in [preparation.initialisers, preparation.finalisers] {
            let Functions { address, count } = functions.unwrap_or(Functions { address: 0, count: 0 });
            command.args([address.to_string(), count.to_string()]);
        }
        let object = object.try_clone_to_owned()?;
        let mut child = command.stdin(Stdio::from(object)).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said = Vec::new();
        // The child's own limits end it.
        let read = child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut said));
        let status = child.wait()?;
        read?;
        Ok((String::from_utf8_lossy(&said).into_owned(), status))
    }
}

fn in_memory(name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(writable_memory(name)?);
    file.write_all(bytes)?;
    // A program that is open for writing cannot be started.
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A file as the kernel's map of a process names it: device and inode.
fn identity(file: BorrowedFd<'_>) -> String {
    let stat = rustix::fs::fstat(file);
    stat.map_or_else(
        |_| String::new(),
        |stat| format!("{}:{} {}", libc::major(stat.st_dev), libc::minor(stat.st_dev), stat.st_ino),
    )
}

/// What the child's lines and its end mean.
fn judge(said: &str, status: ExitStatus, identity: &str) -> Trial {
    let ended = match (status.signal(), status.code()) {
        (Some(libc::SIGXCPU | libc::SIGKILL | libc::SIGALRM), _) => "did not return in time".to_owned(),
        (Some(libc::SIGABRT), _) => "aborted (an uncaught exception?)".to_owned(),
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("ended the process with code {code}"),
        (None, None) => "ended the process".to_owned(),
    };
    let mut lines = said.lines();
    if lines.next() != Some("sandboxed") {
        return Trial::Impossible(format!("the sandbox cannot be set up: it {ended}"));
    }
    match lines.next().and_then(|line| line.split_once(' ')) {
        Some(("refused", message)) => return Trial::Refused(format!("in the sandbox: {message}")),
        Some(("linked", code)) if code == identity => {}
        Some(("linked", code)) => {
            return Trial::Impossible(format!("the sandbox ran the code of file {code}, not of {identity}"));
        }
        _ => return Trial::Refused(format!("in the sandbox: its initialisers {ended}")),
    }
    match lines.next() {
        Some("closed") if status.success() => Trial::Passed,
        _ => Trial::Refused(format!("in the sandbox: its finalisers {ended}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::OnceLock;

    use super::*;
    use crate::loader::test_objects::{Language, compile, shared_object};

    fn sandbox() -> Sandbox {
        static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
        let source = include_str!("../../../../guest/sandbox/sandbox.c");
        let program = PROGRAM.get_or_init(|| compile(Language::C, source, &["-std=gnu11"]));
        Sandbox { program, before: None }
    }

    fn trial(language: Language, source: &str) -> Trial {
        trial_of(&shared_object(language, source, &[]))
    }

    /// Tries out the copy that would be loaded.
    fn trial_of(bytes: &[u8]) -> Trial {
        let preparation = Preparation::of("object", bytes).unwrap();
        let mut bytes = bytes.to_vec();
        preparation.apply(&mut bytes);
        let mut file = File::from(writable_memory("object").unwrap());
        file.write_all(&bytes).unwrap();
        sandbox().try_out(file.as_fd(), &preparation)
    }

    fn refused(reason: &str) -> Trial {
        Trial::Refused(format!("in the sandbox: {reason}"))
    }

    #[test]
    fn does_an_object_that_does_no_harm_pass() {
        assert_eq!(trial(Language::C, "int answer(void) { return 42; }"), Trial::Passed);
    }

    #[test]
    fn is_an_initialiser_that_throws_found_out() {
        let throws = "struct Throws { Throws() { throw 1; } } throws;";
        assert_eq!(trial(Language::Cxx, throws), refused("its initialisers aborted (an uncaught exception?)"));
    }

    #[test]
    fn is_a_finaliser_that_never_returns_found_out() {
        let hangs = "__attribute__((destructor)) static void hang(void) { for (volatile int i = 0;; i++) {} }";
        assert_eq!(trial(Language::C, hangs), refused("its finalisers did not return in time"));
    }

    #[test]
    fn is_an_object_without_its_symbols_refused_by_the_linker_there() {
        let Trial::Refused(reason) = trial(Language::C, "int missing(void); int f(void) { return missing(); }") else {
            panic!("it cannot be linked");
        };
        assert!(reason.ends_with("undefined symbol: missing"), "{reason}");
    }

    #[test]
    fn can_an_initialiser_change_files_or_start_programs_there() {
        let tries = "#include <fcntl.h>
            #include <stdlib.h>
            #include <unistd.h>
            __attribute__((constructor)) static void tries(void) {
                if (open(\"/dev/shm/npusim-left-behind\", O_WRONLY | O_CREAT, 0600) >= 0) abort();
                if (unlink(\"/dev/shm\") == 0) abort();
                if (execl(\"/bin/true\", \"true\", (char *)0) == 0) abort();
                if (open(\"/proc/self/maps\", O_RDONLY) < 0) abort();
            }";
        assert_eq!(trial(Language::C, tries), Trial::Passed);
        assert!(!std::path::Path::new("/dev/shm/npusim-left-behind").exists());
    }

    #[test]
    fn is_a_program_that_is_none_told_from_an_object_that_fails() {
        let file = File::from(writable_memory("object").unwrap());
        let broken = Sandbox { program: b"no program", before: None };
        assert!(matches!(broken.try_out(file.as_fd(), &Preparation::default()), Trial::Impossible(_)));
    }
}
