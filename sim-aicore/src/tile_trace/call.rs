//! One call of a kernel that may leave a trace: what it costs, and what becomes of the trace.
//!
//! What a call does is only known once it has been made, and what it costs has to be known before. So the first call of
//! a kind is made when the kernel begins, and its time passes afterwards. Later calls of that kind have their time
//! already: they run while it passes, as any kernel does, and what they leave is compared.
//!
//! A trace belongs to the thread of the core that ran the kernel, and grows until somebody takes it. So it is taken after
//! every call, whatever the call cost: its blocks go back to the kernel's own allocator, and the thread finds it empty.
//! One that cannot be read is emptied as well, since the thread destroys it in the end; what it had is lost, and the
//! kernel's traces are not read again.

use std::ffi::CStr;
use std::rc::Rc;

use sim_core::engine::{BodyPlace, CurrentActor, GuestCall, NativeBody};
use sim_core::guest_memory::OwnMemory;
use sim_core::loader::image::{CodeImage, ExportKind};
use sim_core::trace::{ContentHash, CostSource};

use crate::cost::{CostModel, KernelCost};
use crate::pipes::library::{KnownProgram, ProgramKey};
use crate::pipes::{CoreKind, Program};
use crate::task::TensorDescriptor;

use super::finding::{Malformed, TraceFinding};
use super::memories::Memories;
use super::reader::{self, Recording};
use super::room::{Habit, TileTraces};
use super::translate::program_of;
use super::{layout, symbols};

/// Whether calls of this object may leave traces.
pub fn may_leave_traces(image: &CodeImage) -> bool {
    image.export(symbols::STATE.to_str().unwrap_or_default()).is_some_and(|it| it.kind == ExportKind::ThreadLocal)
}

/// Where the thread of a core has what a kernel leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    state: u64,
    /// None: the kernel does not say.
    memories: Option<u64>,
    /// The function that takes a block back.
    release: usize,
}

impl Places {
    /// Asks `find` for the symbols of a kernel, as the guest: each thread has its own. `find` gives 0 for none, and must
    /// neither allocate nor panic.
    pub fn find(actor: &CurrentActor<'_>, find: impl Fn(&CStr) -> usize) -> Option<Places> {
        let [state, memories, release] =
            actor.as_guest(|| [symbols::STATE, symbols::MEMORIES, symbols::RELEASE].map(|symbol| find(symbol)));
        let memories = (memories != 0).then_some(memories as u64);
        (state != 0 && release != 0).then_some(Places { state: state as u64, memories, release })
    }

    /// The trace of the last call, if it is one.
    fn read(&self) -> Result<Recording, Malformed> {
        reader::read(&OwnMemory, self.state)
    }

    /// Gives the blocks of a trace back and leaves an empty one.
    fn clear(&self, actor: &CurrentActor<'_>, recording: &Recording) {
        for block in &recording.blocks {
            let call = GuestCall::new(self.release, &[*block]);
            // SAFETY: `operator delete`, as the kernel itself would call it; a block that is none ends the guest.
            actor.as_guest(|| unsafe { call.invoke() });
        }
        self.abandon(actor);
    }

    /// Leaves an empty trace, whatever it was: the thread destroys it when it ends. Its blocks are lost.
    fn abandon(&self, actor: &CurrentActor<'_>) {
        let words = self.state as *mut u64;
        actor.as_guest(|| {
            // SAFETY: the guest's own object, of which that is the head: the number of the next instruction, and a vector
            // of which all words are zero if it is empty.
            unsafe { std::ptr::write_bytes(words, 0, layout::state::SIZE / size_of::<u64>()) }
        });
    }
}

/// A call of a kernel that may leave a trace.
pub struct TracedCall<'a> {
    /// The kernel.
    pub kernel: ContentHash,
    /// What it is called.
    pub name: &'a str,
    /// The kind of core that calls.
    pub core: CoreKind,
    /// The tensors among its arguments, as far as they are known.
    pub tensors: &'a [TensorDescriptor],
    /// Where its trace will be.
    pub places: Places,
    /// What is to be run.
    pub body: &'a NativeBody,
    /// For messages: who calls.
    pub caller: usize,
}

/// What a call costs without its trace, and what it needs to be priced with it.
pub struct Prices<'a> {
    /// The model.
    pub costs: &'a CostModel,
    /// What the call costs if there is no trace.
    pub otherwise: KernelCost,
    /// Cores at work, this one included.
    pub active_cores: u32,
}

/// A call that has its cost.
pub struct Begun {
    /// What it costs.
    pub cost: KernelCost,
    /// Its body was not run yet.
    pub body_is_left: bool,
    after: After,
}

/// What to do with the trace once the body has run.
enum After {
    /// It was taken.
    Nothing,
    /// It is none.
    Abandon,
    /// There should be none.
    Watch,
    /// Its cost is known otherwise.
    Unwanted,
    /// It is no use.
    Discard,
    /// It should be this.
    Compare(Rc<KnownProgram>),
}

impl TracedCall<'_> {
    /// What the call costs, while so many cores are at work. Its body is run if nothing else can tell.
    pub fn begin(
        &self,
        actor: &CurrentActor<'_>,
        traces: &TileTraces,
        prices: &Prices<'_>,
        key: impl FnOnce() -> ProgramKey,
    ) -> Begun {
        let later = |after| Begun { cost: prices.otherwise, body_is_left: true, after };
        let habit = traces.habit(self.kernel);
        if prices.otherwise.source == CostSource::Table && habit != Habit::Malformed {
            return later(After::Unwanted);
        }
        match habit {
            Habit::Malformed => return later(After::Abandon),
            Habit::Silent => return later(After::Watch),
            Habit::Useless => return later(After::Discard),
            Habit::Unknown | Habit::Recorded => {}
        }
        if self.body.place != BodyPlace::Worker {
            traces.found(self.kernel, self.name, Habit::Useless, TraceFinding::Waits);
            return later(After::Discard);
        }
        let key = key();
        let known = traces.library.borrow().get(&key);
        if let Some(known) = known {
            let cost = prices.costs.program(&known, prices.active_cores);
            return Begun { cost, body_is_left: true, after: After::Compare(known) };
        }
        // SAFETY: whoever made the body vouches for it.
        unsafe { actor.run_body_first(self.body, self.caller) };
        let program = self.taken(actor, traces).and_then(|recording| self.priced(traces, prices, key, &recording));
        let done = |cost| Begun { cost, body_is_left: false, after: After::Nothing };
        let Some(program) = program else {
            if traces.habit(self.kernel) != Habit::Silent {
                traces.count(self.kernel, self.name, false);
            }
            return done(prices.otherwise);
        };
        traces.count(self.kernel, self.name, true);
        done(prices.costs.program(&program, prices.active_cores))
    }

    /// The call has ended.
    pub fn end(&self, actor: &CurrentActor<'_>, traces: &TileTraces, begun: Begun) {
        match begun.after {
            After::Nothing => {}
            After::Abandon => {
                self.places.abandon(actor);
                traces.count(self.kernel, self.name, false);
            }
            After::Watch => match reader::has_begun(&OwnMemory, self.places.state) {
                Ok(false) => {}
                _ => self.discard(actor, traces, Habit::Recorded),
            },
            After::Unwanted => drop(self.taken(actor, traces)),
            After::Discard => self.discard(actor, traces, traces.habit(self.kernel)),
            After::Compare(known) => {
                traces.count(self.kernel, self.name, true);
                let Some(recording) = self.taken(actor, traces) else { return };
                let program = self.program(&recording);
                if program.map(|program| program.content()) != Ok(known.content()) {
                    traces.found(self.kernel, self.name, Habit::Recorded, TraceFinding::AnotherWay);
                }
            }
        }
    }

    /// Takes a trace that nobody wants; the kernel is known for `habit` from now on, if there was one.
    fn discard(&self, actor: &CurrentActor<'_>, traces: &TileTraces, habit: Habit) {
        if let Some(recording) = self.taken(actor, traces)
            && !recording.records.is_empty()
        {
            traces.set_habit(self.kernel, self.name, habit);
            traces.count(self.kernel, self.name, false);
        }
    }

    /// The trace that the call has left; none if it cannot be read.
    fn taken(&self, actor: &CurrentActor<'_>, traces: &TileTraces) -> Option<Recording> {
        match self.places.read() {
            Ok(recording) => {
                self.places.clear(actor, &recording);
                Some(recording)
            }
            Err(malformed) => {
                self.places.abandon(actor);
                traces.found(self.kernel, self.name, Habit::Malformed, malformed.into());
                None
            }
        }
    }

    /// The program of a first call, with its prices.
    fn priced(
        &self,
        traces: &TileTraces,
        prices: &Prices<'_>,
        key: ProgramKey,
        recording: &Recording,
    ) -> Option<Rc<KnownProgram>> {
        if recording.records.is_empty() && traces.habit(self.kernel) == Habit::Unknown {
            traces.set_habit(self.kernel, self.name, Habit::Silent);
            return None;
        }
        let pipes = prices.costs.pipes(self.core);
        let known = self.program(recording).and_then(|program| {
            let mut library = traces.library.borrow_mut();
            Ok(library.add(key, &program, pipes)?)
        });
        match known {
            Ok(known) => {
                traces.set_habit(self.kernel, self.name, Habit::Recorded);
                Some(known)
            }
            Err(finding) => {
                traces.found(self.kernel, self.name, Habit::Useless, finding);
                None
            }
        }
    }

    fn program(&self, recording: &Recording) -> Result<Program, TraceFinding> {
        if recording.records.is_empty() {
            return Ok(Program::default());
        }
        let memories = self.places.memories.ok_or(TraceFinding::NoMemories)?;
        let memories = Memories::read(&OwnMemory, memories)?;
        program_of(&recording.records, &memories, self.tensors)
    }
}
