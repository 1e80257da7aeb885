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
//!  that did not return, nothing is called any more.

use super::abi::{CallConfig, NativeRunDescriptor, PIPELINE_ABI};
use super::args::{self, ArgsError};
use super::c_api::{CallError, Context, HostRuntime, MissingSymbols, RunRequest, RunStorage};
use super::status::FailureClass;
use crate::device::Device;
use crate::device::error::DeviceError;
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
    pub fn open(device: &'d Device, program: &Program<'_>) -> Result<Self, SessionError> {
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
        self.attempt(|runtime, context| runtime.launch_run(context, storage))?;
        self.attempt(|runtime, context| runtime.wait_run(context, storage))?;
        self.state = State::Registered;
        self.attempt(|runtime, context| runtime.finalize_run(context, storage))?;
        Ok(())
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
