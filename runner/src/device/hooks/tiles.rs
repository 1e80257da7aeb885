//! Hooks of kernels that say what they do, and what the device makes of that.
//!
//! The first call of a kind is run when the kernel begins, before its time is known: its program gives the time. Later
//! calls of that kind have their time already. They run while it passes, as any kernel does, and what they say is
//! compared; where nothing is computed they do not run at all.

use std::ffi::c_void;
use std::rc::Rc;

use sim_aicore::pipes::library::{CallPart, KnownProgram, ProgramKey};
use sim_aicore::pipes::record::CoreRecorder;
use sim_aicore::pipes::{CoreKind, Program};
use sim_aicore::task::TensorDescriptor;
use sim_core::actor::ActorKind;
use sim_core::engine::{CurrentActor, NativeBody, calling_actor};
use sim_core::shim::KernelCall;
use sim_core::trace::ContentHash;

use super::super::programs::{DifferingProgram, Mode, ProgramError};
use super::super::rooms::Rooms;

/// Where the argument array has the contexts of the call.
const LOCAL_CONTEXT: usize = 48;
const GLOBAL_CONTEXT: usize = 49;

pub(super) extern "C" fn recorder() -> *mut c_void {
    calling_actor().map_or(std::ptr::null_mut(), |context| context.recorder())
}

pub(super) extern "C" fn recorder_grow() {
    let Some(context) = calling_actor() else { return };
    let recorder: *mut CoreRecorder = context.recorder().cast();
    if !recorder.is_null() {
        // SAFETY: what was lent to the kernel that calls; nobody else touches it while the kernel runs.
        context.at_home(|| unsafe { (*recorder).grow() });
    }
}

/// A call of a kernel that says what it does.
pub(super) struct TiledCall<'a> {
    pub(super) core: u16,
    pub(super) kernel: ContentHash,
    pub(super) name: &'a str,
    pub(super) call: &'a KernelCall,
    pub(super) tensors: &'a [TensorDescriptor],
    pub(super) body: &'a NativeBody,
    pub(super) caller: usize,
}

impl TiledCall<'_> {
    /// What the call does, and what of its body is left to be run.
    pub(super) fn program(&self, actor: &CurrentActor<'_>, rooms: &Rooms) -> (Rc<KnownProgram>, BodyLeft) {
        let programs = &rooms.programs;
        let key = self.key(actor);
        let known = programs.library.borrow().get(&key);
        match known {
            Some(known) if programs.mode == Mode::Timing => (known, BodyLeft::Nothing),
            Some(known) => (known, BodyLeft::Compared),
            None => {
                self.lend(actor, rooms);
                // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
                unsafe { actor.run_body_first(self.body, self.caller) };
                actor.lend_recorder(std::ptr::null_mut());
                match self.written(actor, rooms, key) {
                    Ok(program) => (program, BodyLeft::Nothing),
                    Err(error) => self.refuse(actor, &error),
                }
            }
        }
    }

    /// What a call does that hands tiles to other cores. Its body is run later in any case: it waits for what others
    /// compute. So where the program is not known, the kernel is run once more, before, and only says what it would do.
    pub(super) fn program_of_part(&self, actor: &CurrentActor<'_>, rooms: &Rooms) -> (Rc<KnownProgram>, BodyLeft) {
        let programs = &rooms.programs;
        let left = if programs.mode == Mode::Timing { BodyLeft::Nothing } else { BodyLeft::Compared };
        let key = self.key(actor);
        let known = programs.library.borrow().get(&key);
        if let Some(known) = known {
            return (known, left);
        }
        actor.lend_recorder(programs.begin(self.core, false).cast());
        // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
        unsafe { actor.run_body_first(self.body, self.caller) };
        actor.lend_recorder(std::ptr::null_mut());
        match self.written(actor, rooms, key) {
            Ok(program) => (program, left),
            Err(error) => self.refuse(actor, &error),
        }
    }

    /// The call cannot be run.
    pub(super) fn refuse(&self, actor: &CurrentActor<'_>, error: &dyn std::fmt::Display) -> ! {
        actor.refuse(format!("kernel {}, task {:#x}: {error}", self.name, self.call.task_id), self.caller)
    }

    /// Which block of its task it is.
    pub(super) fn block(&self, actor: &CurrentActor<'_>) -> i32 {
        self.part(actor).block_idx
    }

    /// The call that comes writes into the recorder of its core.
    pub(super) fn lend(&self, actor: &CurrentActor<'_>, rooms: &Rooms) {
        let recorder = rooms.programs.begin(self.core, rooms.programs.mode == Mode::Functional);
        actor.lend_recorder(recorder.cast());
    }

    /// The call has ended: did it do what `known` says?
    pub(super) fn compare(&self, actor: &CurrentActor<'_>, rooms: &Rooms, known: &KnownProgram) {
        actor.lend_recorder(std::ptr::null_mut());
        let records = rooms.programs.recorded(self.core).records();
        let other = Program::from_records(records, self.tensors).map_or(ContentHash(0), |program| program.content());
        if other != known.content() {
            let (name, task, first) = (self.name.to_owned(), self.call.task_id, known.content());
            rooms.programs.differs(DifferingProgram { name, task, first, other });
        }
    }

    fn written(
        &self,
        actor: &CurrentActor<'_>,
        rooms: &Rooms,
        key: ProgramKey,
    ) -> Result<Rc<KnownProgram>, ProgramError> {
        let recorder = rooms.programs.recorded(self.core);
        let pipes = rooms.costs.pipes(kind_of(actor));
        pipes.check_memory(recorder.used())?;
        let program = Program::from_records(recorder.records(), self.tensors)?;
        Ok(rooms.programs.library.borrow_mut().add(key, &program, pipes)?)
    }

    pub(super) fn key(&self, actor: &CurrentActor<'_>) -> ProgramKey {
        let (args, tensors, scalars) =
            (self.call.args, self.call.tensor_count as usize, self.call.scalar_count as usize);
        let words = LOCAL_CONTEXT.saturating_sub(tensors).min(scalars);
        let mut values = [0_u64; LOCAL_CONTEXT];
        let to = &mut values;
        actor.as_guest(|| {
            for (index, value) in to.iter_mut().enumerate().take(words) {
                // SAFETY: the array has that many arguments; a bad pointer ends the guest.
                *value = unsafe { *args.add(tensors + index) } as u64;
            }
        });
        ProgramKey::new(self.kernel, kind_of(actor), self.tensors, &values[..words], self.part(actor))
    }

    /// Which part of its task it is.
    fn part(&self, actor: &CurrentActor<'_>) -> CallPart {
        let args = self.call.args;
        let mut part = CallPart::default();
        let part_of = &mut part;
        actor.as_guest(|| {
            // SAFETY: the executor's array has the contexts at their fixed places; a bad pointer ends the guest.
            let (local, global) =
                unsafe { (*args.add(LOCAL_CONTEXT) as *const i32, *args.add(GLOBAL_CONTEXT) as *const i32) };
            if !local.is_null() {
                // SAFETY: block_idx and block_num.
                (part_of.block_idx, part_of.block_num) = unsafe { (*local, *local.add(1)) };
            }
            if !global.is_null() {
                // SAFETY: sub_block_id.
                part_of.sub_block_id = unsafe { *global };
            }
        });
        part
    }
}

/// What of a call's body is left to be run while its time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLeft {
    /// All of it was run, or nothing is to be computed.
    Nothing,
    /// All of it; what it says is compared with what is known.
    Compared,
}

/// The kind of the core that calls.
pub(super) fn kind_of(actor: &CurrentActor<'_>) -> CoreKind {
    match actor.kind() {
        ActorKind::Aic(_) => CoreKind::Aic,
        _ => CoreKind::Aiv,
    }
}
