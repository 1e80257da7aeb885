//! Whoever wants to be told what becomes of runs, in place of lines on standard error.

use npusim::exec::listener::{Listener, Told, VERSION};
use npusim::exec::report::ReportedError;
use npusim::report::output;
use serde_json::value::RawValue;
use sim_core::loader::ledger::LoadLedger;

use crate::process::Process;

/// Takes a listener, in place of one before it. `false`: another version of the conversation is spoken here.
///
/// # Safety
///
/// The listener's function must be sound to call with its data for as long as the process lives, from any thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn npusim_listen(version: u32, listener: Listener) -> bool {
    if version == VERSION {
        Process::get().listen(listener);
    }
    version == VERSION
}

impl Process {
    /// Tells the listener; `false` if there is none.
    pub(crate) fn tell(&self, told: &Told) -> bool {
        let Some(Listener { tell, data }) = self.listener() else { return false };
        let json = serde_json::to_vec(told).unwrap_or_else(|error| unreachable!("plain data: {error}"));
        // SAFETY: whoever passed the listener vouches for its function; the text lives during the call.
        unsafe { tell(data, json.as_ptr(), json.len()) };
        true
    }

    /// Something failed that is not the end of a run.
    pub(crate) fn complain(&self, error: ReportedError) {
        let told = Told::Failure(error);
        if !self.tell(&told)
            && let Told::Failure(error) = told
        {
            print(&error);
        }
    }

    /// A device is gone, with everything that it had loaded.
    pub(crate) fn tell_loads(&self, ledger: &LoadLedger) {
        if self.listener().is_none() {
            return;
        }
        let mut json = Vec::new();
        let written = output::write_json(&mut json, ledger).map(|()| String::from_utf8(json));
        let text =
            written.ok().and_then(Result::ok).unwrap_or_else(|| unreachable!("JSON is text, and memory takes it"));
        let raw = RawValue::from_string(text).unwrap_or_else(|error| unreachable!("it was just written: {error}"));
        self.tell(&Told::Loads(raw));
    }
}

/// For a process in which nobody listens.
pub(crate) fn print(error: &ReportedError) {
    let details: String = error.details.iter().map(|line| format!("\n{line}")).collect();
    eprintln!("npusim: {error}{details}");
}
