//! What the preloaded object has told this process so far.

use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use super::listener::{Listen, Listener, Told, VERSION};
use super::report::{ExecReport, ReportedError};

/// Runs and failures as they were told. Clones share them.
#[derive(Clone, Debug)]
pub struct Account(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    runs: Vec<ExecReport>,
    failures: Vec<ReportedError>,
    /// So many of the failures were taken.
    taken: usize,
    loads: Option<Box<RawValue>>,
}

impl Account {
    /// Listens to the object of which this is the function. `None`: it speaks another version.
    ///
    /// # Safety
    ///
    /// The function must be [`LISTEN`](super::listener::LISTEN) of the preloaded object.
    pub unsafe fn open(listen: Listen) -> Option<Account> {
        let account = Account(Arc::default());
        // One count of it stays with the listener, which can be called for as long as the process lives.
        let data = Arc::into_raw(Arc::clone(&account.0)) as usize;
        // SAFETY: the function is of this type, and `hear` can be called with this data from any thread.
        unsafe { listen(VERSION, Listener { tell: hear, data }) }.then_some(account)
    }

    /// The runs that are over, in order.
    pub fn runs(&self) -> Vec<ExecReport> {
        self.heard().runs.clone()
    }

    /// The ledger of the last device that is gone.
    pub fn loads(&self) -> Option<Box<RawValue>> {
        self.heard().loads.clone()
    }

    /// What ended the last run early.
    pub fn fault(&self) -> Option<ReportedError> {
        self.heard().runs.last()?.error.clone()
    }

    /// How it looked when only polling was left in the last run.
    pub fn stall(&self) -> Option<ReportedError> {
        self.heard().runs.last()?.stalled.clone()
    }

    /// The last failure that was not the end of a run, unless it was taken.
    pub fn take_failure(&self) -> Option<ReportedError> {
        let mut heard = self.heard();
        let known = heard.failures.len();
        let taken = std::mem::replace(&mut heard.taken, known);
        heard.failures.last().filter(|_| known > taken).cloned()
    }

    /// All failures that were not the end of a run, in order.
    pub fn failures(&self) -> Vec<ReportedError> {
        self.heard().failures.clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function of the listener.
unsafe extern "C" fn hear(data: usize, json: *const u8, size: usize) {
    // SAFETY: the data is what `open` passed, and its count was never given back.
    let heard = unsafe { &*(data as *const Mutex<Heard>) };
    // SAFETY: the text lives during this call.
    let json = unsafe { slice::from_raw_parts(json, size) };
    let told = serde_json::from_slice(json)
        .unwrap_or_else(|error| unreachable!("both sides of version {VERSION} have the same types: {error}"));
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    match told {
        Told::Run(report) => heard.runs.push(*report),
        Told::Failure(error) => heard.failures.push(error),
        Told::Loads(ledger) => heard.loads = Some(ledger),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use crate::client::status::FailureClass;

    fn error(message: &str) -> ReportedError {
        ReportedError {
            message: message.into(),
            class: FailureClass::Fault,
            device_code: Some(507_015),
            details: vec!["at once".into()],
        }
    }

    /// Tells the listener a few things at once.
    unsafe extern "C" fn eager(version: u32, listener: Listener) -> bool {
        let told = [
            Told::Run(Box::new(report())),
            Told::Failure(error("no memory")),
            Told::Run(Box::new(ExecReport { run: 2, error: Some(error("crash")), ..report() })),
            Told::Loads(RawValue::from_string("{\n  \"version\": 1\n}\n".into()).unwrap()),
        ];
        for told in &told {
            let json = serde_json::to_vec(told).unwrap();
            // SAFETY: as whoever passed the listener says.
            unsafe { (listener.tell)(listener.data, json.as_ptr(), json.len()) };
        }
        version == VERSION
    }

    unsafe extern "C" fn deaf(_version: u32, _listener: Listener) -> bool {
        false
    }

    #[test]
    fn is_everything_that_was_told_there_afterwards() {
        // SAFETY: it calls the listener as the preloaded object does.
        let account = unsafe { Account::open(eager) }.unwrap();
        assert_eq!(account.runs().iter().map(|report| report.run).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((account.fault(), account.stall()), (Some(error("crash")), None));
        assert_eq!((account.take_failure(), account.take_failure()), (Some(error("no memory")), None));
        assert_eq!(account.failures(), [error("no memory")]);
        assert_eq!(account.loads().unwrap().get(), "{\n  \"version\": 1\n}");
    }

    #[test]
    fn is_an_object_of_another_version_refused() {
        // SAFETY: it does nothing.
        assert!(unsafe { Account::open(deaf) }.is_none());
    }
}
