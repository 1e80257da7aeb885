//! What `npusim exec` costs a process that loads no device code: `python3 -c pass` by itself and with the object preloaded,
//! in turns, so that whatever else the machine does meets both. `cargo bench -p npusim-preload` runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PROCESSES: usize = 1000;

/// The interpreter itself: what is called `python3` may be a script that looks for it.
fn interpreter() -> PathBuf {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    String::from_utf8(output.expect("this needs python3").stdout).expect("its path is text").into()
}

/// A process that does nothing, under these variables.
fn time(python: &Path, variables: &[(&str, &Path)]) -> Duration {
    let mut command = Command::new(python);
    command.args(["-c", "pass"]).envs(variables.iter().copied());
    let begun = Instant::now();
    let status = command.status().expect("there is an interpreter");
    assert!(status.success(), "{status}");
    begun.elapsed()
}

/// The lower quartile, which other load on the machine hardly moves.
fn quartile_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 4].as_secs_f64() * 1e3
}

fn main() {
    let object = env::current_exe().expect("a bench has a path").with_file_name("libnpusim_preload.so");
    assert!(object.is_file(), "there is no {}", object.display());
    let python = interpreter();
    let preloaded = [("LD_PRELOAD", &*object), ("GLIBC_TUNABLES", Path::new("glibc.pthread.rseq=0"))];
    let (alone, preloaded): (Vec<_>, Vec<_>) =
        (0..PROCESSES).map(|_| (time(&python, &[]), time(&python, &preloaded))).unzip();
    let (alone, preloaded) = (quartile_ms(alone), quartile_ms(preloaded));
    let more = (preloaded / alone - 1.0) * 100.0;
    println!("{} -c pass: {alone:.3} ms by itself, {preloaded:.3} ms preloaded, {more:.1} % more", python.display());
}
