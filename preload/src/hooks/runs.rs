//! Waiting for a run: the host's thread is where the device runs.

use sim_core::loader::thunk::Arguments;

use crate::caller::current_device;
use crate::runtime::{enter, function};

/// `SIMPLER_NATIVE_RUN_POLL_*`
const NOT_READY: i32 = 0;
const ERROR: i32 = -1;

/// What a run returns that the device did not survive, unless the runtime knows better: silicon's code for a stream
/// that has ended with an error.
const DEVICE_LOST: i32 = -507_046;

/// `simpler_poll_run(context, run)`: lets the device run until there is an answer.
///
/// The answer can only change when one of the run's threads ends, so that is what is waited for between two polls.
pub(crate) extern "C" fn poll(data: usize, arguments: &Arguments) -> u64 {
    enter(arguments);
    let function = function(data);
    loop {
        let answer = function.call(arguments) as i32;
        let Some(device) = current_device().filter(|_| answer == NOT_READY) else { return answer as u64 };
        let (went_on, lost) = device.with_engine(|engine, _| (engine.run_until_an_end(), engine.fault().is_some()));
        if lost {
            return ERROR as u64;
        }
        if !went_on {
            return answer as u64;
        }
    }
}

/// `simpler_wait_run(context, run)` and `simpler_run(context, run, ...)`: success is none on a device that was lost.
pub(crate) extern "C" fn wait(data: usize, arguments: &Arguments) -> u64 {
    enter(arguments);
    let result = function(data).call(arguments) as i32;
    let lost = || current_device().is_some_and(|device| device.with_engine(|engine, _| engine.fault().is_some()));
    (if result == 0 && lost() { DEVICE_LOST } else { result }) as u64
}
