//! One conversation with a host runtime.
//!
//! ```text
//!   open ── create context ─▶ init ─▶ register callable
//!   run  ── prepare ─▶ launch ─▶ wait ─▶ finalise            any number of times
//!   close ─ unregister callable ─▶ finalise device ─▶ destroy context
//! ```
//!
//! Whatever fails, what had been done is undone in reverse as far as the device still runs code: a session that is
//! dropped without [`Session::close`] undoes it silently, because the first error is the one that counts. After a call
//! that did not return, nothing is called any more.

use std::time::{Duration, Instant};

use super::abi::{CallConfig, NativeRunDescriptor, PIPELINE_ABI};
use super::args::{self, ArgsError};
use super::c_api::{CallError, Context, HostRuntime, MissingSymbols, RunRequest, RunStorage};
use super::status::FailureClass;
use crate::device::error::DeviceError;
use crate::device::host_calls::HostCalls;
use crate::tensor::HostTensor;

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The object is no host runtime.
    #[error(transparent)]
    MissingSymbols(#[from] MissingSymbols),
    /// A call did not succeed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The arguments of a run are not possible.
    #[error(transparent)]
    Args(#[from] ArgsError),
    /// The runtime speaks another version of the interface.
    #[error("the host runtime declares version {0} of the pipeline contract, {PIPELINE_ABI} is known")]
    Contract(u32),
    /// The runtime asks for memory that cannot be.
    #[error("the host runtime asks for {size} bytes at alignment {alignment} to hold a run")]
    RunLayout {
        /// Bytes it asks for.
        size: u64,
        /// Alignment it asks for.
        alignment: u64,
    },
}

impl SessionError {
    /// What kind of failure this is.
    pub fn class(&self) -> FailureClass {
        match self {
            SessionError::Call(error) => error.class(),
            SessionError::MissingSymbols(_)
            | SessionError::Args(_)
            | SessionError::Contract(_)
            | SessionError::RunLayout { .. } => FailureClass::Input,
        }
    }

    /// What the device knows about it.
    pub fn cause(&self) -> Option<&DeviceError> {
        match self {
            SessionError::Call(error) => error.cause(),
            _ => None,
        }
    }
}

/// What a session is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The AICPU object.
    pub aicpu: &'a [u8],
    /// The AICore object.
    pub aicore: &'a [u8],
    /// The callable, as [`chip_callable`](super::callable::chip_callable) makes it.
    pub callable: &'a [u8],
    /// The id under which it is registered.
    pub callable_id: u32,
    /// How runs are carried out.
    pub config: &'a CallConfig,
}

/// Open: a callable is registered and can be run.
pub struct Session<'d> {
    runtime: HostRuntime<'d>,
    context: Context,
    callable_id: u32,
    config: CallConfig,
    storage: RunMemory,
    runs: u64,
    elapsed: Duration,
    state: State,
}

/// How far a session has come, and so what is left to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Nothing, or nothing that could still be called.
    Closed,
    /// There is a context.
    Created,
    /// It is attached to the device.
    Initialised,
    /// The callable is registered.
    Registered,
    /// A run is prepared or launched.
    Prepared,
}

impl<'d> Session<'d> {
    /// Brings the device up and registers the callable.
    pub fn open(device: &'d dyn HostCalls, program: &Program<'_>) -> Result<Self, SessionError> {
        let runtime = HostRuntime::resolve(device)?;
        let contract = runtime.pipeline_contract()?;
        if contract.abi_version != PIPELINE_ABI {
            return Err(SessionError::Contract(contract.abi_version));
        }
        let (size, alignment) = runtime.run_layout()?;
        let storage = RunMemory::new(size, alignment).ok_or(SessionError::RunLayout { size, alignment })?;
        let context = runtime.create_device_context()?;
        let mut session = Session {
            runtime,
            context,
            callable_id: program.callable_id,
            config: *program.config,
            storage,
            runs: 0,
            elapsed: Duration::ZERO,
            state: State::Created,
        };
        session.attempt(|runtime, context| runtime.init(context, program.aicpu, program.aicore, program.config))?;
        session.state = State::Initialised;
        session
            .attempt(|runtime, context| runtime.register_callable(context, program.callable_id, program.callable))?;
        session.state = State::Registered;
        Ok(session)
    }

    /// Runs the callable once. Outputs are in the tensors afterwards.
    pub fn run(&mut self, tensors: &mut [HostTensor], scalars: &[u64]) -> Result<(), SessionError> {
        let args = args::task_args(tensors, scalars)?;
        let (config, callable_id, storage) = (self.config, self.callable_id, self.storage.address());
        self.runs += 1;
        let descriptor = NativeRunDescriptor {
            pipeline_slot: 0,
            arena_bank: 0,
            run_id: self.runs,
            generation: self.runs,
            dispatch_id: self.runs,
            run_epoch: self.runs,
            accepted_state: 0,
            accepted_value: 0,
        };
        let request = RunRequest { args: &args, config: &config, descriptor: &descriptor };
        self.attempt(|runtime, context| runtime.prepare_run(context, storage, callable_id, &request))?;
        self.state = State::Prepared;
        let launched = Instant::now();
        let ended = self
            .attempt(|runtime, context| runtime.launch_run(context, storage))
            .and_then(|()| self.attempt(|runtime, context| runtime.wait_run(context, storage)));
        self.elapsed += launched.elapsed();
        if self.state == State::Prepared {
            // Also after an error: this may write to the tensors, which are lent for this call only.
            self.state = State::Registered;
            let finalised = self.attempt(|runtime, context| runtime.finalize_run(context, storage));
            ended.and(finalised)?;
        } else {
            ended?;
        }
        Ok(())
    }

    /// Host time that launching and waiting has taken so far, over all runs.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Undoes everything, in reverse.
    pub fn close(mut self) -> Result<(), SessionError> {
        self.undo().map_err(SessionError::from)
    }

    /// Makes one call; if it does not return, the session is over.
    fn attempt(
        &mut self,
        call: impl FnOnce(&HostRuntime<'_>, Context) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let result = call(&self.runtime, self.context);
        if let Err(CallError::Stopped { .. }) = result {
            self.state = State::Closed;
        }
        result
    }

    /// Undoes what is left to undo and returns the first error. Every step is tried while code can run at all.
    fn undo(&mut self) -> Result<(), CallError> {
        let (callable_id, storage) = (self.callable_id, self.storage.address());
        let mut first = Ok(());
        while self.state > State::Closed {
            let state = self.state;
            let step = self.attempt(|runtime, context| match state {
                State::Prepared => runtime.finalize_run(context, storage),
                State::Registered => runtime.unregister_callable(context, callable_id),
                State::Initialised => runtime.finalize_device(context),
                State::Created => runtime.destroy_device_context(context),
                State::Closed => Ok(()),
            });
            self.state = self.state.min(state.before());
            first = first.and(step);
        }
        first
    }
}

impl State {
    /// The state that undoing this one leads to.
    fn before(self) -> State {
        match self {
            State::Prepared => State::Registered,
            State::Registered => State::Initialised,
            State::Initialised => State::Created,
            State::Created | State::Closed => State::Closed,
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // The error that led here has been reported; what undoing it meets would only hide it.
        let _ = self.undo();
    }
}

/// Memory for a prepared run: zeroed once, never moved.
#[derive(Debug)]
struct RunMemory {
    bytes: Box<[u8]>,
    alignment: usize,
}

impl RunMemory {
    /// More than any runtime needs; a larger size is nonsense from an object that is no host runtime.
    const MOST: u64 = 1 << 30;

    fn new(size: u64, alignment: u64) -> Option<Self> {
        let possible = (1..=Self::MOST).contains(&size) && alignment.is_power_of_two() && alignment <= Self::MOST;
        possible.then(|| RunMemory {
            bytes: vec![0; (size + alignment - 1) as usize].into_boxed_slice(),
            alignment: alignment as usize,
        })
    }

    fn address(&mut self) -> RunStorage {
        RunStorage(self.bytes.as_mut_ptr().expose_provenance().next_multiple_of(self.alignment) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::client::abi::{ChipStorageTaskArgs, PipelineContract, PipelineResource, RuntimeEnv};
    use crate::tensor::DType;

    /// What the stand-in does at one call, instead of succeeding.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Trouble {
        /// It returns this code.
        Code(i32),
        /// It never returns.
        Stop,
    }

    /// A host runtime that keeps a record of its calls, and adds 1 to the first byte of the first tensor of each run.
    struct Recorder {
        exports: &'static [&'static str],
        contract: Box<PipelineContract>,
        alignment: u64,
        trouble: Option<(&'static str, Trouble)>,
        /// The call during which the device refuses something.
        refusal: Option<&'static str>,
        refused: Cell<bool>,
        calls: RefCell<Vec<(&'static str, Vec<u64>)>>,
    }

    const EXPORTS: [&str; 13] = [
        "create_device_context",
        "destroy_device_context",
        "simpler_init",
        "finalize_device",
        "get_runtime_size",
        "get_runtime_alignment",
        "get_pipeline_contract",
        "simpler_register_callable",
        "simpler_unregister_callable",
        "simpler_prepare_run",
        "simpler_launch_run",
        "simpler_wait_run",
        "simpler_finalize_run",
    ];
    const CONTEXT: u64 = 0xc0de;

    impl Recorder {
        fn new() -> Self {
            let resources = [PipelineResource::default(); 8];
            let contract = PipelineContract { abi_version: 1, resource_count: 0, pipeline_depth: 1, resources };
            Recorder {
                exports: &EXPORTS,
                contract: Box::new(contract),
                alignment: 64,
                trouble: None,
                refusal: None,
                refused: Cell::new(false),
                calls: RefCell::default(),
            }
        }

        fn with_trouble(function: &'static str, trouble: Trouble) -> Self {
            Recorder { trouble: Some((function, trouble)), ..Recorder::new() }
        }

        /// The names of the calls from the creation of a context on.
        fn names(&self) -> Vec<&'static str> {
            let calls = self.calls.borrow();
            let names = calls.iter().map(|(name, _)| *name);
            names.skip_while(|name| *name != "create_device_context").collect()
        }

        /// The arguments of the first call of a function.
        fn arguments(&self, function: &str) -> Vec<u64> {
            self.calls.borrow().iter().find(|(name, _)| *name == function).unwrap().1.clone()
        }

        fn run(&self, args: *const ChipStorageTaskArgs) {
            // SAFETY: the session hands over its arguments for the length of this call.
            let address = unsafe { (*args).tensors[0].address };
            let byte = address as usize as *mut u8;
            // SAFETY: the first tensor is that of `session`, which lives and is not looked at during the call.
            unsafe { *byte += 1 };
        }
    }

    impl HostCalls for Recorder {
        fn symbol(&self, name: &str) -> Result<usize, DeviceError> {
            self.exports.iter().position(|export| *export == name).ok_or(DeviceError::Poisoned)
        }

        unsafe fn call(&self, function: usize, arguments: &[u64]) -> Result<u64, DeviceError> {
            let name = self.exports[function];
            self.calls.borrow_mut().push((name, arguments.to_vec()));
            if self.refusal == Some(name) {
                self.refused.set(true);
            }
            match self.trouble {
                Some((at, Trouble::Code(code))) if at == name => return Ok(u64::from(code as u32)),
                Some((at, Trouble::Stop)) if at == name => return Err(DeviceError::FreeRunTimeout { seconds: 1 }),
                _ => {}
            }
            Ok(match name {
                "create_device_context" => CONTEXT,
                "get_pipeline_contract" => (&raw const *self.contract).expose_provenance() as u64,
                "get_runtime_size" => 100,
                "get_runtime_alignment" => self.alignment,
                "simpler_prepare_run" => {
                    self.run(arguments[3] as usize as *const ChipStorageTaskArgs);
                    0
                }
                _ => 0,
            })
        }

        fn fault(&self) -> Option<DeviceError> {
            None
        }

        fn take_error(&self) -> Option<DeviceError> {
            self.refused.take().then_some(DeviceError::Poisoned)
        }

        fn stall(&self) -> Option<DeviceError> {
            None
        }
    }

    /// One session with `runs` runs; returned are the tensor and how it ended.
    fn session(recorder: &Recorder, runs: usize) -> (HostTensor, Result<(), SessionError>) {
        let mut tensors = [HostTensor::zeros(DType::U8, &[4])];
        let config = args::call_config(RuntimeEnv::default());
        let program = Program { aicpu: b"cpu", aicore: b"core", callable: b"all", callable_id: 63, config: &config };
        let mut converse = || {
            let mut session = Session::open(recorder, &program)?;
            for _ in 0..runs {
                session.run(&mut tensors, &[7])?;
            }
            session.close()
        };
        let ended = converse();
        let [tensor] = tensors;
        (tensor, ended)
    }

    /// The message of a session that does not succeed.
    fn failure(recorder: &Recorder) -> String {
        session(recorder, 1).1.unwrap_err().to_string()
    }

    #[test]
    fn is_everything_done_and_undone_in_order() {
        let recorder = Recorder::new();
        let (tensor, ended) = session(&recorder, 2);
        ended.unwrap();
        assert_eq!(tensor.bytes(), [2, 0, 0, 0]);
        let run = ["simpler_prepare_run", "simpler_launch_run", "simpler_wait_run", "simpler_finalize_run"];
        let up = ["create_device_context", "simpler_init", "simpler_register_callable"];
        let down = ["simpler_unregister_callable", "finalize_device", "destroy_device_context"];
        assert_eq!(recorder.names(), [up.as_slice(), &run, &run, &down].concat());
    }

    #[test]
    fn does_each_call_get_its_arguments() {
        let recorder = Recorder::new();
        session(&recorder, 1).1.unwrap();
        let [context, device, _, aicpu_size, _, aicore_size, dispatcher, dispatcher_size, _] =
            recorder.arguments("simpler_init")[..]
        else {
            panic!("simpler_init takes nine arguments")
        };
        assert_eq!((context, device, aicpu_size, aicore_size), (CONTEXT, 0, 3, 4));
        assert_eq!((dispatcher, dispatcher_size), (0, 0));
        assert_eq!(recorder.arguments("simpler_register_callable")[..2], [CONTEXT, 63]);
        let prepared = recorder.arguments("simpler_prepare_run");
        assert_eq!((prepared[0], prepared[1] % 64, prepared[2], prepared.len()), (CONTEXT, 0, 63, 6));
        for phase in ["simpler_launch_run", "simpler_wait_run", "simpler_finalize_run"] {
            assert_eq!(recorder.arguments(phase), [CONTEXT, prepared[1]], "{phase}");
        }
    }

    #[test]
    fn is_what_was_done_undone_after_each_refusal() {
        let undone = |at| {
            let recorder = Recorder::with_trouble(at, Trouble::Code(-2));
            session(&recorder, 1).1.unwrap_err();
            let after = recorder.names().into_iter().skip_while(|name| *name != at).skip(1);
            after.collect::<Vec<_>>()
        };
        let device = ["finalize_device", "destroy_device_context"];
        assert_eq!(undone("simpler_init"), ["destroy_device_context"]);
        assert_eq!(undone("simpler_register_callable"), device);
        let callable = ["simpler_unregister_callable", device[0], device[1]];
        assert_eq!(undone("simpler_prepare_run"), callable);
        assert_eq!(undone("simpler_finalize_run"), callable);
        let run = ["simpler_finalize_run", callable[0], callable[1], callable[2]];
        assert_eq!(undone("simpler_launch_run"), run);
        assert_eq!(undone("simpler_wait_run"), run);
        assert_eq!(undone("simpler_unregister_callable"), device);
        assert_eq!(undone("finalize_device"), ["destroy_device_context"]);
    }

    #[test]
    fn is_a_run_that_failed_finalised_while_its_tensors_are_lent() {
        let recorder = Recorder::with_trouble("simpler_wait_run", Trouble::Code(-2));
        let config = args::call_config(RuntimeEnv::default());
        let program = Program { aicpu: b"cpu", aicore: b"core", callable: b"all", callable_id: 63, config: &config };
        let mut session = Session::open(&recorder, &program).unwrap();
        session.run(&mut [HostTensor::zeros(DType::U8, &[4])], &[]).unwrap_err();
        assert_eq!(recorder.names().last(), Some(&"simpler_finalize_run"));
    }

    #[test]
    fn is_nothing_called_after_a_call_that_did_not_return() {
        let recorder = Recorder::with_trouble("simpler_wait_run", Trouble::Stop);
        let stopped = DeviceError::FreeRunTimeout { seconds: 1 };
        assert_eq!(failure(&recorder), format!("simpler_wait_run did not return: {stopped}"));
        assert_eq!(recorder.names().last(), Some(&"simpler_wait_run"));
    }

    #[test]
    fn is_a_failure_explained_by_what_the_device_refused_in_the_same_call_alone() {
        let code = "simpler_wait_run returned -100 (SCHEDULER_TIMEOUT: the schedulers saw no progress)";
        let refusal_in = |refusal| Recorder {
            refusal: Some(refusal),
            ..Recorder::with_trouble("simpler_wait_run", Trouble::Code(-100))
        };
        assert_eq!(failure(&refusal_in("simpler_wait_run")), format!("{code}: {}", DeviceError::Poisoned));
        assert_eq!(failure(&refusal_in("simpler_launch_run")), code);
    }

    #[test]
    fn are_objects_that_are_no_host_runtime_refused_before_any_context() {
        let refusal = |recorder: Recorder| {
            let error = failure(&recorder);
            assert_eq!(recorder.names(), [""; 0]);
            error
        };
        assert_eq!(
            refusal(Recorder { exports: &EXPORTS[..11], ..Recorder::new() }),
            "the host runtime does not export simpler_wait_run, simpler_finalize_run: is it a runtime of another \
             version, or no host runtime at all?"
        );
        let mut other_version = Recorder::new();
        other_version.contract.abi_version = 9;
        assert_eq!(refusal(other_version), "the host runtime declares version 9 of the pipeline contract, 1 is known");
        assert_eq!(
            refusal(Recorder { alignment: 3, ..Recorder::new() }),
            "the host runtime asks for 100 bytes at alignment 3 to hold a run"
        );
        let no_contract = Recorder::with_trouble("get_pipeline_contract", Trouble::Code(0));
        assert_eq!(refusal(no_contract), "get_pipeline_contract returned null");
    }

    #[test]
    fn is_a_null_context_named() {
        let recorder = Recorder::with_trouble("create_device_context", Trouble::Code(0));
        assert_eq!(failure(&recorder), "create_device_context returned null");
        assert_eq!(recorder.names(), ["create_device_context"]);
    }
}
