//! Who calls a hook: an actor on its fiber, or somebody else.

use std::cell::Cell;
use std::sync::Arc;

use sim_core::engine::{CurrentActor, Standing, calling_actor, on_host};

use crate::device::{Device, Rooms};
use crate::process::Process;

/// Serves the actor that calls from its fiber, with the host's thread control block. `None`: no such actor calls.
#[inline(always)]
pub(crate) fn on_actor<R>(function: impl FnOnce(&CurrentActor<'_>, &Rooms) -> R) -> Option<R> {
    on_host(|actor| actor.engine().rooms::<Rooms>().map(|rooms| function(actor, rooms))).flatten()
}

/// Whether an actor calls from its fiber: then nothing may wait in the kernel.
#[inline(always)]
pub(crate) fn is_actor() -> bool {
    calling_actor().is_some_and(|context| context.standing() == Standing::Fiber)
}

/// Whoever calls, with the host's thread control block while the hook works.
pub(crate) enum Caller<'a> {
    /// An actor on its fiber, and its device.
    Actor(&'a CurrentActor<'a>, &'a Rooms),
    /// A thread of the process, or a kernel that runs natively.
    Other,
}

impl Caller<'_> {
    /// Runs a piece of the guest's code for it.
    pub(crate) fn as_guest<R>(&self, function: impl FnOnce() -> R) -> R {
        match self {
            Caller::Actor(actor, _) => actor.as_guest(function),
            Caller::Other => function(),
        }
    }

    /// The device for which the caller works.
    pub(crate) fn device(&self) -> Option<Arc<Device>> {
        match self {
            Caller::Actor(_, rooms) => rooms.device(),
            Caller::Other => current_device(),
        }
    }
}

/// Runs a hook that anybody may call.
pub(crate) fn with_caller<R>(function: impl FnOnce(Caller<'_>) -> R) -> R {
    if is_actor() {
        on_actor(|actor, rooms| function(Caller::Actor(actor, rooms)))
            .unwrap_or_else(|| unreachable!("an actor of this process has the rooms of its device"))
    } else {
        function(Caller::Other)
    }
}

thread_local! {
    /// The context that the calling thread named last in a call of a host runtime.
    static CONTEXT: Cell<usize> = const { Cell::new(0) };
}

/// From now on the calling thread works for this context.
pub(crate) fn enter_context(context: usize) {
    CONTEXT.set(context);
}

/// The device for which the calling thread works: not to be asked by an actor.
pub(crate) fn current_device() -> Option<Arc<Device>> {
    let context = CONTEXT.get();
    if context == 0 { None } else { Process::get().device(context) }
}
