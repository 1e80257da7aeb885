//! The functions of a host runtime, found by name.

use std::fmt;

use super::abi::{CallConfig, ChipStorageTaskArgs, NativeRunDescriptor, PipelineContract};
use super::status::{FailureClass, Status};
use crate::device::error::DeviceError;
use crate::device::host_calls::HostCalls;

/// A function of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFunction {
    /// Makes a device context.
    CreateDeviceContext,
    /// Frees it.
    DestroyDeviceContext,
    /// Attaches it to a device and hands over the AICPU and AICore objects.
    Init,
    /// Releases everything on the device.
    FinalizeDevice,
    /// Bytes of a prepared run.
    RuntimeSize,
    /// Their alignment.
    RuntimeAlignment,
    /// What the runtime needs per run.
    PipelineContract,
    /// Stages a callable under an id.
    RegisterCallable,
    /// Drops it.
    UnregisterCallable,
    /// Builds a run in the caller's memory.
    PrepareRun,
    /// Starts it.
    LaunchRun,
    /// Waits until the device is done with it.
    WaitRun,
    /// Copies results back and releases it.
    FinalizeRun,
}

impl ApiFunction {
    /// The exported name.
    pub const fn name(self) -> &'static str {
        match self {
            ApiFunction::CreateDeviceContext => "create_device_context",
            ApiFunction::DestroyDeviceContext => "destroy_device_context",
            ApiFunction::Init => "simpler_init",
            ApiFunction::FinalizeDevice => "finalize_device",
            ApiFunction::RuntimeSize => "get_runtime_size",
            ApiFunction::RuntimeAlignment => "get_runtime_alignment",
            ApiFunction::PipelineContract => "get_pipeline_contract",
            ApiFunction::RegisterCallable => "simpler_register_callable",
            ApiFunction::UnregisterCallable => "simpler_unregister_callable",
            ApiFunction::PrepareRun => "simpler_prepare_run",
            ApiFunction::LaunchRun => "simpler_launch_run",
            ApiFunction::WaitRun => "simpler_wait_run",
            ApiFunction::FinalizeRun => "simpler_finalize_run",
        }
    }

    /// Whether the device executes a run in it, so that its codes are those of the runtime on the device.
    pub const fn executes(self) -> bool {
        matches!(self, ApiFunction::LaunchRun | ApiFunction::WaitRun | ApiFunction::FinalizeRun)
    }
}

impl fmt::Display for ApiFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ApiFunction {
    /// Every function, in order of declaration.
    const ALL: [ApiFunction; 13] = [
        ApiFunction::CreateDeviceContext,
        ApiFunction::DestroyDeviceContext,
        ApiFunction::Init,
        ApiFunction::FinalizeDevice,
        ApiFunction::RuntimeSize,
        ApiFunction::RuntimeAlignment,
        ApiFunction::PipelineContract,
        ApiFunction::RegisterCallable,
        ApiFunction::UnregisterCallable,
        ApiFunction::PrepareRun,
        ApiFunction::LaunchRun,
        ApiFunction::WaitRun,
        ApiFunction::FinalizeRun,
    ];
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum CallError {
    /// {function} returned {status}{cause}
    Refused {
        /// The function.
        function: ApiFunction,
        /// What it returned.
        status: Status,
        /// What the device knows about it.
        cause: Cause,
    },
    /// {function} returned null{cause}
    Null {
        /// The function.
        function: ApiFunction,
        /// What the device knows about it.
        cause: Cause,
    },
    /// {function} did not return: {error}
    Stopped {
        /// The function.
        function: ApiFunction,
        /// What stopped it. No guest code can run any more.
        error: Box<DeviceError>,
    },
}

impl CallError {
    /// What the device knows about it.
    pub fn cause(&self) -> Option<&DeviceError> {
        match self {
            CallError::Refused { cause, .. } | CallError::Null { cause, .. } => cause.0.as_deref(),
            CallError::Stopped { error, .. } => Some(error),
        }
    }

    /// What kind of failure this is: that of its cause, or else what its code stands for.
    pub fn class(&self) -> FailureClass {
        match (self.cause(), self) {
            (Some(error), _) => FailureClass::of(error),
            (None, CallError::Refused { status, .. }) => status.class(),
            (None, _) => FailureClass::Fault,
        }
    }
}

/// What the device knows about a failure that a return value cannot tell, if it knows anything.
#[derive(Debug)]
pub struct Cause(Option<Box<DeviceError>>);

impl Cause {
    /// What is behind a failure that a runtime has just returned: what ended the device's work, else the last request
    /// of this call that the device refused, else, if the runtime gave up waiting, how it looked when nothing went on any more.
    fn find(device: &dyn HostCalls, status: Option<Status>) -> Self {
        let stalled = || {
            let gave_up = status.is_some_and(|status| status.class() == FailureClass::Deadlock);
            gave_up.then(|| device.stall()).flatten()
        };
        Cause(device.fault().or_else(|| device.take_error()).or_else(stalled).map(Box::new))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// the host runtime does not export {0}: is it a runtime of another version, or no host runtime at all?
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct MissingSymbols(pub String);

/// The opaque handle of a device context; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(u64);

/// The address of the memory of a prepared run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStorage(pub u64);

/// Every function of a host runtime that a session calls, on the device where it is loaded.
pub struct HostRuntime<'d> {
    device: &'d dyn HostCalls,
    functions: [usize; ApiFunction::ALL.len()],
}

impl<'d> HostRuntime<'d> {
    /// Finds every function, or names all that are missing.
    pub fn resolve(device: &'d dyn HostCalls) -> Result<Self, MissingSymbols> {
        let mut missing = Vec::new();
        let functions = ApiFunction::ALL.map(|function| {
            device.symbol(function.name()).unwrap_or_else(|_| {
                missing.push(function.name());
                0
            })
        });
        if missing.is_empty() { Ok(HostRuntime { device, functions }) } else { Err(MissingSymbols(missing.join(", "))) }
    }

    /// `create_device_context()`
    pub fn create_device_context(&self) -> Result<Context, CallError> {
        let function = ApiFunction::CreateDeviceContext;
        match self.call(function, &[])? {
            0 => Err(CallError::Null { function, cause: Cause::find(self.device, None) }),
            handle => Ok(Context(handle)),
        }
    }

    /// `destroy_device_context(context)`
    pub fn destroy_device_context(&self, context: Context) -> Result<(), CallError> {
        self.call(ApiFunction::DestroyDeviceContext, &[context.0]).map(drop)
    }

    /// `simpler_init(context, device 0, aicpu, aicore, no dispatcher, ring sizes)`
    pub fn init(&self, context: Context, aicpu: &[u8], aicore: &[u8], config: &CallConfig) -> Result<(), CallError> {
        let bytes = |object: &[u8]| [address(object.as_ptr()), object.len() as u64];
        let ([aicpu, aicpu_size], [aicore, aicore_size]) = (bytes(aicpu), bytes(aicore));
        let args = [context.0, 0, aicpu, aicpu_size, aicore, aicore_size, 0, 0, address(config)];
        self.call_checked(ApiFunction::Init, &args)
    }

    /// `finalize_device(context)`
    pub fn finalize_device(&self, context: Context) -> Result<(), CallError> {
        self.call_checked(ApiFunction::FinalizeDevice, &[context.0])
    }

    /// `get_runtime_size()` and `get_runtime_alignment()`
    pub fn run_layout(&self) -> Result<(u64, u64), CallError> {
        let size = self.call(ApiFunction::RuntimeSize, &[])?;
        let alignment = self.call(ApiFunction::RuntimeAlignment, &[])?;
        Ok((size, alignment))
    }

    /// `get_pipeline_contract()`
    pub fn pipeline_contract(&self) -> Result<PipelineContract, CallError> {
        let function = ApiFunction::PipelineContract;
        let contract = self.call(function, &[])? as usize as *const PipelineContract;
        if contract.is_null() || !contract.is_aligned() {
            return Err(CallError::Null { function, cause: Cause::find(self.device, None) });
        }
        // SAFETY: the host runtime returns the address of its constant contract, in this process and of this layout;
        // no guest code runs between the call and this copy.
        Ok(unsafe { contract.read() })
    }

    /// `simpler_register_callable(context, id, callable)`
    pub fn register_callable(&self, context: Context, callable_id: u32, callable: &[u8]) -> Result<(), CallError> {
        let args = [context.0, u64::from(callable_id), address(callable.as_ptr())];
        self.call_checked(ApiFunction::RegisterCallable, &args)
    }

    /// `simpler_unregister_callable(context, id)`
    pub fn unregister_callable(&self, context: Context, callable_id: u32) -> Result<(), CallError> {
        self.call_checked(ApiFunction::UnregisterCallable, &[context.0, u64::from(callable_id)])
    }

    /// `simpler_prepare_run(context, storage, id, args, config, descriptor)`
    pub fn prepare_run(
        &self,
        context: Context,
        storage: RunStorage,
        callable_id: u32,
        run: &RunRequest<'_>,
    ) -> Result<(), CallError> {
        let id = u64::from(callable_id);
        let args = [context.0, storage.0, id, address(run.args), address(run.config), address(run.descriptor)];
        self.call_checked(ApiFunction::PrepareRun, &args)
    }

    /// `simpler_launch_run(context, storage)`
    pub fn launch_run(&self, context: Context, run: RunStorage) -> Result<(), CallError> {
        self.call_checked(ApiFunction::LaunchRun, &[context.0, run.0])
    }

    /// `simpler_wait_run(context, storage)`
    pub fn wait_run(&self, context: Context, run: RunStorage) -> Result<(), CallError> {
        self.call_checked(ApiFunction::WaitRun, &[context.0, run.0])
    }

    /// `simpler_finalize_run(context, storage)`
    pub fn finalize_run(&self, context: Context, run: RunStorage) -> Result<(), CallError> {
        self.call_checked(ApiFunction::FinalizeRun, &[context.0, run.0])
    }

    /// Calls a function whose result is a 32-bit code that is negative after an error.
    fn call_checked(&self, function: ApiFunction, args: &[u64]) -> Result<(), CallError> {
        let code = self.call(function, args)? as u32 as i32;
        match Status::of(code, function.executes()) {
            None => Ok(()),
            Some(status) => Err(CallError::Refused { function, status, cause: Cause::find(self.device, Some(status)) }),
        }
    }

    fn call(&self, function: ApiFunction, args: &[u64]) -> Result<u64, CallError> {
        // What went wrong in an earlier call, and was dealt with there, is not the cause of what goes wrong in this one.
        drop(self.device.take_error());
        // SAFETY: the host runtime exports this address under the name of a function that takes these arguments; what
        // they point to lives as long as the call.
        let result = unsafe { self.device.call(self.functions[function as usize], args) };
        result.map_err(|error| CallError::Stopped { function, error: Box::new(error) })
    }
}

/// What a run is prepared from.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest<'a> {
    /// Its arguments, copied by the runtime.
    pub args: &'a ChipStorageTaskArgs,
    /// How it is carried out, copied by the runtime.
    pub config: &'a CallConfig,
    /// Its identity, copied by the runtime.
    pub descriptor: &'a NativeRunDescriptor,
}

/// An address as an argument; the guest may read what it points to for as long as the call lasts.
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_each_function_found_at_its_own_place() {
        for (index, function) in ApiFunction::ALL.into_iter().enumerate() {
            assert_eq!(function as usize, index, "{function}");
        }
    }

    fn refused(code: i32, cause: Option<DeviceError>) -> CallError {
        let function = ApiFunction::WaitRun;
        let status = Status::of(code, function.executes()).unwrap();
        CallError::Refused { function, status, cause: Cause(cause.map(Box::new)) }
    }

    #[test]
    fn does_the_class_come_from_the_cause_before_the_code() {
        assert_eq!(refused(-8, None).class(), FailureClass::Deadlock);
        assert_eq!(refused(-8, Some(DeviceError::Poisoned)).class(), FailureClass::Fault);
        assert_eq!(refused(-1, Some(DeviceError::FreeRunTimeout { seconds: 1 })).class(), FailureClass::Deadlock);
    }

    #[test]
    fn does_the_message_name_call_code_meaning_and_cause() {
        assert_eq!(
            refused(-507899, Some(DeviceError::Poisoned)).to_string(),
            "simpler_wait_run returned -507899 (DRV_INTERNAL_ERROR: an earlier fault had ended the device): this \
             device ended with an earlier fault; make a new one"
        );
        assert_eq!(refused(-4242, None).to_string(), "simpler_wait_run returned -4242 (no known code)");
    }
}
