//! Calls of kernels that may leave traces of their tile instructions (`sim_aicore::tile_trace`).
//!
//! Nobody says here what a kernel's arguments are: there is only the array that it is called with. It begins with pointers
//! to tensors in device memory, and what comes behind the arguments of this call is left from earlier ones. So a kind of
//! call is told by all that stands there; addresses, which differ from run to run, count as addresses and no more.

use std::ffi::c_void;

use sim_aicore::pipes::CoreKind;
use sim_aicore::pipes::library::{CallPart, ProgramKey};
use sim_aicore::task::TensorDescriptor;
use sim_aicore::tile_trace::Places;
use sim_core::actor::ActorKind;
use sim_core::engine::CurrentActor;
use sim_core::guest_memory::{Fetched, OwnMemory, Ticket, Wanted};

use crate::device::Device;
use crate::interposed::real_dlsym;
use crate::objects::Kernel;

/// The argument array: up to 48 arguments, then the contexts of the call.
const ARGUMENTS: usize = 48;
const SLOTS: usize = 50;

/// Where an address stood.
const ADDRESS: u64 = u64::MAX;

/// Data types of tensors are numbers below this.
const DATA_TYPES: u8 = 15;

/// What can be told of the arguments of a call.
#[derive(Debug, Default)]
pub(crate) struct SeenArguments {
    /// The tensors that it begins with.
    pub(crate) tensors: Vec<TensorDescriptor>,
    words: Vec<u64>,
    part: CallPart,
}

impl SeenArguments {
    /// Those in an argument array; what cannot be read is not there.
    pub(crate) fn of(device: &Device, array: u64) -> SeenArguments {
        let mut wanted = Wanted::default();
        let all = wanted.add(array, SLOTS * 8);
        let Ok(fetched) = wanted.fetch(&OwnMemory) else { return SeenArguments::default() };
        let slots = words(&fetched, &all);
        let pointers = slots[..ARGUMENTS].iter().take_while(|slot| device.holds(**slot as usize));
        let tensors: Vec<TensorDescriptor> = pointers.map_while(|pointer| tensor(device, *pointer)).collect();
        let is_address = |slot: u64| device.holds(slot as usize) || (1 << 40..1 << 47).contains(&slot);
        let word = |slot: &u64| if is_address(*slot) { ADDRESS } else { *slot };
        let words = slots[tensors.len()..ARGUMENTS].iter().map(word).collect();
        SeenArguments { tensors, words, part: part(slots[ARGUMENTS], slots[ARGUMENTS + 1]) }
    }

    /// The kind of call that this is.
    pub(crate) fn key(&self, kernel: &Kernel, core: CoreKind) -> ProgramKey {
        ProgramKey::new(kernel.content, core, &self.tensors, &self.words, self.part)
    }
}

fn words(fetched: &Fetched, ticket: &Ticket) -> Vec<u64> {
    let chunks = fetched.bytes(ticket).chunks_exact(8);
    chunks.map(|word| word.try_into().map_or(0, u64::from_le_bytes)).collect()
}

/// The tensor that a pointer leads to, if it looks like one: in device memory, with a buffer there.
fn tensor(device: &Device, pointer: u64) -> Option<TensorDescriptor> {
    let mut wanted = Wanted::default();
    let ticket = wanted.add(pointer, size_of::<TensorDescriptor>());
    let fetched = wanted.fetch(&OwnMemory).ok()?;
    let tensor = TensorDescriptor::from_bytes(fetched.bytes(&ticket))?;
    let last = tensor.buffer.checked_add(tensor.buffer_bytes.checked_sub(1)?)?;
    let is_tensor = device.holds(tensor.buffer as usize)
        && device.holds(last as usize)
        && (1..=tensor.shape.len()).contains(&(tensor.dimensions as usize))
        && tensor.data_type < DATA_TYPES;
    is_tensor.then_some(tensor)
}

/// Which part of its task a call is, from its contexts.
fn part(local: u64, global: u64) -> CallPart {
    let mut wanted = Wanted::default();
    let (block, sub_block) = (wanted.add(local, 8), wanted.add(global, 4));
    let Ok(fetched) = wanted.fetch(&OwnMemory) else { return CallPart::default() };
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i32::from_le_bytes);
    let block = fetched.bytes(&block);
    CallPart {
        block_idx: number(&block[..4]),
        block_num: number(&block[4..]),
        sub_block_id: number(fetched.bytes(&sub_block)),
    }
}

/// Where the core that calls has the trace of a kernel.
pub(crate) fn places(actor: &CurrentActor<'_>, kernel: &Kernel) -> Option<Places> {
    let handle = kernel.traced?;
    Places::find(actor, |symbol| real_dlsym(handle as *mut c_void, symbol))
}

/// The kind of the core that calls.
pub(crate) fn kind_of(actor: &CurrentActor<'_>) -> CoreKind {
    match actor.kind() {
        ActorKind::Aic(_) => CoreKind::Aic,
        _ => CoreKind::Aiv,
    }
}
