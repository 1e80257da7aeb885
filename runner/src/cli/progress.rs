//! A sign of life on a terminal while a run goes on.
//!
//! The run has the main thread; a thread of its own draws, from counters that the run's events move. It shows nothing
//! for runs that are over soon, and nothing at all if nobody is looking.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::run::pulse::Pulse;

/// Runs that are shorter need no bar.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// A bar that lives until it is dropped.
pub(super) struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to watch a run of `case`, if standard error is a terminal. The bar is full at `expected` tasks, if it is
    /// known how many there will be.
    pub(super) fn watch(case: &str, pulse: Arc<Pulse>, expected: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Progress { end: None, thread: None };
        }
        let (end, ended) = mpsc::channel();
        let case = case.to_owned();
        let drawing = move || {
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = bar_of(case, expected);
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(pulse.tasks());
                bar.set_message(format!("{} tasks, {:.3} ms on the device", HumanCount(pulse.tasks()), pulse.ms()));
                bar.tick();
            }
            bar.finish_and_clear();
        };
        // A run without a bar is better than none.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(drawing).ok();
        Progress { end: Some(end), thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It only draws; whatever happened to it happened on the terminal.
            let _ = thread.join();
        }
    }
}

fn bar_of(case: String, expected: Option<u64>) -> ProgressBar {
    let template = match expected {
        Some(_) => "{spinner} {prefix} {elapsed} [{bar:24}] {msg}",
        None => "{spinner} {prefix} {elapsed} {msg}",
    };
    let bar = expected.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.with_style(style.progress_chars("=> ")).with_prefix(case)
}
