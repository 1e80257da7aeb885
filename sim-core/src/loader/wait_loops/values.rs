//! What a loop computes: whether going round once more can make a difference.
//!
//! A loop waits if an iteration does nothing but read memory and registers, and if the registers after an iteration
//! are decided by memory and by registers that the loop does not write. Then only somebody else's store can end it.
//! So each register that the loop writes is followed back to the registers it was computed from, as they were when
//! the iteration began. Two kinds of loops make progress by themselves and do not wait: those in which a register
//! depends on its own old value (a counter, a walk along a list), and those that use a register before setting it to
//! something that was not loaded (a step from one state to the next).
//!
//! Addresses are invariant, or pointers loaded in the same iteration. An address computed from what was loaded, like
//! the slot of a queue at its current position, belongs to an operation that is tried again when somebody else was
//! faster: its branch back is passed each time and seldom taken, and does not wait.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, RflagsBits, UsedMemory};

use super::body::Body;

/// General-purpose registers are numbered as in the encoding; the flags come after them.
const FLAGS: usize = 16;
const VALUES: usize = 17;
/// The origin of what was loaded in the same iteration.
const MEMORY: Set = 1 << VALUES;
/// The origin of what was computed from that, or is no whole pointer.
const COMPUTED: Set = MEMORY << 1;
const ALL_FLAGS: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// A set of registers, one bit each.
type Set = u32;

/// What one iteration of a pure loop does.
pub(super) struct Iteration {
    /// What it loads, in the order of the instructions.
    pub(super) loads: Vec<Load>,
    /// A register that the loop writes is used before it is written, so that the first iteration may differ.
    pub(super) uses_its_own_values: bool,
}

/// A load in a loop.
pub(super) struct Load {
    pub(super) memory: UsedMemory,
    /// The address is the same in each iteration, whatever is in memory.
    pub(super) invariant: bool,
}

/// What an instruction does to registers and memory.
#[derive(Default)]
struct Effect {
    reads: Set,
    writes: Set,
    /// Written registers that keep a part of their old value.
    keeps: Set,
    /// It moves a pointer, and computes nothing.
    moves_pointer: bool,
    /// The registers used, by the names under which they are used.
    names: Vec<Register>,
    loads: Vec<UsedMemory>,
}

/// Follows the values through one iteration of a loop. `None` if it does anything but wait.
pub(super) fn iteration(body: &Body<'_>) -> Option<Iteration> {
    let mut factory = InstructionInfoFactory::new();
    let effects: Option<Vec<Effect>> = body.instructions.iter().map(|one| effect(one, &mut factory)).collect();
    let mut effects = effects?;
    forget_unseen_parts(&mut effects);
    let written = effects.iter().fold(0, |set, effect| set | effect.writes);
    let (before, after) = origins(body, &effects);
    let depends_on = after.map(|origins| origins & written);
    if !settles(written, &depends_on) {
        return None;
    }
    let carried = body.instructions.iter().zip(&effects).zip(&before).fold(0, |carried, ((one, effect), before)| {
        let flags = if one.is_jcc_short_or_near() { 1 << FLAGS } else { 0 };
        members(effect.reads | flags).fold(carried, |carried, register| carried | before[register] & written)
    });
    if members(carried).any(|register| after[register] & MEMORY == 0) {
        return None;
    }
    let at_computed_address = |(effect, before): (&Effect, &[Set; VALUES])| {
        let registers = effect.loads.iter().fold(0, |set, memory| set | address_registers(memory));
        members(registers).any(|register| before[register] & COMPUTED != 0)
    };
    if effects.iter().zip(&before).any(at_computed_address) {
        return None;
    }
    let load = |memory: UsedMemory| Load { memory, invariant: address_registers(&memory) & written == 0 };
    Some(Iteration {
        uses_its_own_values: carried != 0,
        loads: effects.into_iter().flat_map(|effect| effect.loads).map(load).collect(),
    })
}

/// A register of which the loop only ever uses one and the same part is like one that has no other part.
fn forget_unseen_parts(effects: &mut [Effect]) {
    let mut seen = [Register::None; FLAGS];
    let mut mixed: Set = 1 << FLAGS;
    for name in effects.iter().flat_map(|effect| &effect.names) {
        let Some(register) = general_purpose(*name) else { continue };
        if ![Register::None, *name].contains(&seen[register]) {
            mixed |= 1 << register;
        }
        seen[register] = *name;
    }
    effects.iter_mut().for_each(|effect| effect.keeps &= mixed);
}

/// For each instruction, and for the end of the iteration: which registers' values from before the iteration each
/// register may have been computed from.
fn origins(body: &Body<'_>, effects: &[Effect]) -> (Vec<[Set; VALUES]>, [Set; VALUES]) {
    let mut before = vec![[0; VALUES]; effects.len()];
    before[0] = std::array::from_fn(|register| 1 << register);
    // Sets only grow, and jumps inside the body may go backwards, so repeat until nothing changes.
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for (index, effect) in effects.iter().enumerate() {
            let after = apply(&before[index], effect);
            for next in &body.next[index] {
                for (known, new) in before[*next].iter_mut().zip(after) {
                    changed |= *known | new != *known;
                    *known |= new;
                }
            }
        }
    }
    let last = effects.len() - 1;
    let after = apply(&before[last], &effects[last]);
    (before, after)
}

fn apply(before: &[Set; VALUES], effect: &Effect) -> [Set; VALUES] {
    let loaded = if effect.loads.is_empty() { 0 } else { MEMORY };
    let mut inputs = members(effect.reads).fold(loaded, |set, register| set | before[register]);
    if inputs & MEMORY != 0 && !effect.moves_pointer {
        inputs |= COMPUTED;
    }
    let mut after = *before;
    for register in members(effect.writes) {
        after[register] = inputs | if effect.keeps & (1 << register) != 0 { before[register] } else { 0 };
    }
    after
}

/// Whether no register of `written` depends on itself, directly or through others.
fn settles(written: Set, depends_on: &[Set]) -> bool {
    let mut open = written;
    loop {
        let settled = members(open).filter(|register| depends_on[*register] & open == 0);
        let settled = settled.fold(0, |set, register| set | 1 << register);
        if settled == 0 {
            return open == 0;
        }
        open &= !settled;
    }
}

/// What one instruction does, `None` if that is more than a waiting loop may do.
fn effect(instruction: &Instruction, factory: &mut InstructionInfoFactory) -> Option<Effect> {
    let mut effect = Effect::default();
    if instruction.is_jcc_short_or_near() || instruction.is_jmp_short_or_near() {
        return Some(effect);
    }
    if !may_wait(instruction) {
        return None;
    }
    if matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Pause | Mnemonic::Endbr64 | Mnemonic::Lfence) {
        return Some(effect);
    }
    effect.moves_pointer = instruction.mnemonic() == Mnemonic::Mov && instruction.op0_register().is_gpr64();
    let info = factory.info(instruction);
    for memory in info.used_memory() {
        match memory.access() {
            OpAccess::Read | OpAccess::CondRead => effect.loads.push(*memory),
            OpAccess::None | OpAccess::NoMemAccess => {}
            _ => return None,
        }
    }
    for used in info.used_registers() {
        let register = used.register();
        if register.is_segment_register() || register.is_ip() {
            continue;
        }
        let bit = 1 << general_purpose(register)?;
        effect.names.push(register);
        let (reads, writes) = match used.access() {
            OpAccess::Read | OpAccess::CondRead => (true, false),
            OpAccess::Write => (false, true),
            OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite => (true, true),
            OpAccess::None | OpAccess::NoMemAccess => continue,
        };
        effect.reads |= if reads { bit } else { 0 };
        effect.writes |= if writes { bit } else { 0 };
        // Writing a half or a quarter of a register leaves the rest; writing 32 bits clears the rest.
        effect.keeps |= if writes && register.size() < 4 { bit } else { 0 };
    }
    let (read, modified) = (instruction.rflags_read(), instruction.rflags_modified());
    effect.reads |= if read != 0 { 1 << FLAGS } else { 0 };
    effect.writes |= if modified != 0 { 1 << FLAGS } else { 0 };
    effect.keeps |= if modified != 0 && modified & ALL_FLAGS != ALL_FLAGS { 1 << FLAGS } else { 0 };
    Some(effect)
}

/// Instructions that a waiting loop is made of: moves, comparisons, and arithmetic on what was loaded.
fn may_wait(instruction: &Instruction) -> bool {
    match instruction.mnemonic() {
        Mnemonic::Mov
        | Mnemonic::Movzx
        | Mnemonic::Movsx
        | Mnemonic::Movsxd
        | Mnemonic::Cbw
        | Mnemonic::Cwde
        | Mnemonic::Cdqe
        | Mnemonic::Lea
        | Mnemonic::Cmp
        | Mnemonic::Test
        | Mnemonic::Bt
        | Mnemonic::And
        | Mnemonic::Or
        | Mnemonic::Xor
        | Mnemonic::Not
        | Mnemonic::Neg
        | Mnemonic::Add
        | Mnemonic::Sub
        | Mnemonic::Nop
        | Mnemonic::Pause
        | Mnemonic::Endbr64
        | Mnemonic::Lfence => true,
        // A shift by a register leaves the flags alone if that is zero.
        Mnemonic::Shl | Mnemonic::Shr | Mnemonic::Sar => instruction.op1_kind() == OpKind::Immediate8,
        other => is_set_on_condition(other),
    }
}

fn is_set_on_condition(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Seto
            | Mnemonic::Setno
            | Mnemonic::Setb
            | Mnemonic::Setae
            | Mnemonic::Sete
            | Mnemonic::Setne
            | Mnemonic::Setbe
            | Mnemonic::Seta
            | Mnemonic::Sets
            | Mnemonic::Setns
            | Mnemonic::Setp
            | Mnemonic::Setnp
            | Mnemonic::Setl
            | Mnemonic::Setge
            | Mnemonic::Setle
            | Mnemonic::Setg
    )
}

/// The number of a general-purpose register of any width.
pub(super) fn general_purpose(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.full_register().number())
}

/// The registers that an address is computed from.
fn address_registers(memory: &UsedMemory) -> Set {
    let registers = [memory.base(), memory.index()].into_iter().filter_map(general_purpose);
    registers.fold(0, |set, register| set | 1 << register)
}

fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..VALUES).filter(move |register| set & (1 << register) != 0)
}
