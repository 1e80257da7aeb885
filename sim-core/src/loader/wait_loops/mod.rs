//! Loops that wait for memory without calling anything.
//!
//! `while (!ready.load()) {}` compiles into a few instructions that load, compare and branch. No hook is called, so
//! under virtual time, where the actor that would store runs only when this one gives way, such a loop never ends. It
//! is made to give way by a trap on the branch that closes it: whoever handles the trap lets others run, and goes on at
//! [`BackEdge::destination`]. This module finds the loops in the bytes of an object; it changes nothing.
//!
//! What counts as a waiting loop:
//! - at most [`MOST_INSTRUCTIONS`] instructions between its head and the branch back, all of them moves, comparisons,
//!   branches or arithmetic in registers; no store, no call;
//! - the branch back can be reached from the head inside the loop (code placed behind the hot path of a function, that
//!   ends with a jump back into it, looks like a loop and is none);
//! - no register depends on its own value of an iteration before: loops that count or walk along a list make progress.
//!   Addresses are the same in every iteration, or pointers that the same iteration loaded.
//!
//! Loads of what is constant once the object is loaded, like the addresses of variables, do not count.
//! A loop that loads nothing else, or only stack slots whose address the function never takes, cannot be ended by anybody.
//! It is no wait but a hang waiting to happen, most often a flag that is not atomic; see [`HopelessLoop`]. Whether a
//! function takes an address can be told only if all of it is known; where it is not, a loop counts as a wait.
//!
//! Code is searched by function, with the ranges from the symbol tables; code between functions, and all code of an
//! object without symbols, from start to end. Only x86-64 code can be searched: on aarch64 the result is empty and says
//! so ([`Search::Unsupported`]), and such loops are left to the watchdog.

mod body;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
mod values;

use std::fmt;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, Mnemonic, Register, UsedMemory};
use serde::Serialize;

use self::body::Body;
use self::values::{Iteration, Load, general_purpose};
use super::condition::Condition;
use super::elf::{Code, Elf};
use super::image_error::{ImageError, Machine};
use super::symbols::{SymbolMap, SymbolOffset};

/// The longest body of a waiting loop.
pub const MOST_INSTRUCTIONS: usize = 14;
/// The body may jump over instructions that are not part of it; so many in total lie between head and branch.
const MOST_INSTRUCTIONS_SPANNED: usize = 48;
/// An object whose address a function takes is assumed to extend this far: it may be shared with somebody who stores.
const SHARED_STACK_OBJECT: i64 = 64;

/// The waiting loops of an object, by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitLoops {
    /// How the code was searched.
    pub search: Search,
    /// Loops that wait for somebody's store.
    pub waits: Vec<WaitLoop>,
    /// Loops that nobody can end.
    pub hopeless: Vec<HopelessLoop>,
}

/// How code was searched for loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Function by function.
    Functions,
    /// From start to end, because the object has no symbols.
    Sections,
    /// Not at all: there is no search for this machine.
    Unsupported,
}

/// A loop that ends when somebody changes what it loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitLoop {
    /// Where it is.
    pub site: LoopSite,
    /// What it loads.
    pub watches: Vec<Watch>,
}

/// A loop that never ends once it has gone round, since nobody can change what it looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HopelessLoop {
    /// Where it is.
    pub site: LoopSite,
    /// Why nobody can.
    pub reason: HopelessReason,
    /// What it loads.
    pub watches: Vec<Watch>,
}

/// Why nobody can end a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HopelessReason {
    /// It loads nothing: what it compares was loaded before the loop.
    LoadsNothing,
    /// It loads only stack slots whose address is never taken.
    StackSlot,
}

impl fmt::Display for HopelessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HopelessReason::LoadsNothing => "loads nothing, so nobody can end it; is a flag not atomic?",
            HopelessReason::StackSlot => "loads only its own stack, so nobody can end it; is a flag not atomic?",
        })
    }
}

/// A loop in the code of an object. Addresses are relative to the object's load address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoopSite {
    /// The branch that closes it.
    pub back_edge: BackEdge,
    /// The function that the branch is in.
    pub symbol: Option<SymbolOffset>,
    /// Its instructions from head to branch, disassembled.
    pub body: Vec<String>,
}

impl fmt::Display for LoopSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some(symbol) => symbol.fmt(f),
            None => write!(f, "{:#x}", self.back_edge.address),
        }
    }
}

/// The branch that closes a loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackEdge {
    /// Where the instruction is.
    pub address: u64,
    /// The instruction. A trap replaces its first byte.
    pub bytes: Vec<u8>,
    /// When it is taken.
    pub condition: Condition,
    /// Where it goes when taken: the head of the loop.
    pub target: u64,
    /// Where it goes otherwise.
    pub fall_through: u64,
}

impl BackEdge {
    /// Where execution goes on after the branch with these flags.
    pub fn destination(&self, rflags: u64) -> u64 {
        if self.condition.holds(rflags) { self.target } else { self.fall_through }
    }
}

/// Memory that a loop loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// What is loaded, for a reader: `4 bytes at rbx+0x40`, or by symbol.
    pub text: String,
    /// How many bytes.
    pub size: u32,
    /// How to find the address, if it is the same in each iteration and depends on registers alone.
    pub address: Option<WatchAddress>,
}

/// Where watched memory is, in terms of the registers of whoever is in the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WatchAddress {
    /// In the object, so far from its load address.
    InObject(u64),
    /// Relative to registers.
    InRegisters {
        /// A general-purpose register, numbered as in the encoding (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8…).
        base: Option<u8>,
        /// Another one, and its factor.
        index: Option<(u8, u8)>,
        /// Added to both.
        displacement: u64,
    },
}

impl WatchAddress {
    /// The address for an object loaded at `load_address`, with these general-purpose registers.
    pub fn resolve(self, load_address: u64, registers: &[u64; 16]) -> u64 {
        let value = |register: u8| registers[usize::from(register & 15)];
        match self {
            WatchAddress::InObject(offset) => load_address.wrapping_add(offset),
            WatchAddress::InRegisters { base, index, displacement } => {
                let index = index.map_or(0, |(register, scale)| value(register).wrapping_mul(u64::from(scale)));
                base.map_or(0, value).wrapping_add(index).wrapping_add(displacement)
            }
        }
    }
}

/// Finds the waiting loops of the object in `bytes`; refuses one that could not be loaded.
pub fn find(name: &str, bytes: &[u8]) -> Result<WaitLoops, ImageError> {
    let elf = Elf::open(name, bytes)?;
    let symbols = SymbolMap::of(&elf)?;
    if elf.machine() != Machine::X86_64 {
        return Ok(WaitLoops { search: Search::Unsupported, waits: Vec::new(), hopeless: Vec::new() });
    }
    let search = if symbols.functions().is_empty() { Search::Sections } else { Search::Functions };
    let mut found = WaitLoops { search, waits: Vec::new(), hopeless: Vec::new() };
    let mut finder = Finder::new(&symbols, elf.constant());
    for code in elf.code() {
        for function in functions(code, &symbols) {
            finder.search(function, &mut found);
        }
    }
    found.waits.sort_by_key(|wait| wait.site.back_edge.address);
    found.hopeless.sort_by_key(|hopeless| hopeless.site.back_edge.address);
    Ok(found)
}

/// Cuts code at the boundaries of functions. No two pieces overlap, whatever sizes the symbols claim.
pub(super) fn functions<'data>(code: Code<'data>, symbols: &SymbolMap) -> Vec<Code<'data>> {
    let end = code.address + code.bytes.len() as u64;
    let mut cuts = vec![code.address, end];
    for function in symbols.functions().iter().filter(|function| (code.address..end).contains(&function.address)) {
        cuts.push(function.address);
        if function.size > 0 {
            cuts.push(function.address.saturating_add(function.size).min(end));
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let piece = |from: u64, to: u64| Code {
        address: from,
        bytes: &code.bytes[(from - code.address) as usize..(to - code.address) as usize],
    };
    cuts.windows(2).map(|cut| piece(cut[0], cut[1])).collect()
}

/// Searches one function after another.
struct Finder<'symbols> {
    symbols: &'symbols SymbolMap,
    /// Addresses of the object that nobody can write to.
    constant: Vec<Range<u64>>,
    instructions: Vec<Instruction>,
    formatter: IntelFormatter,
}

impl<'symbols> Finder<'symbols> {
    fn new(symbols: &'symbols SymbolMap, constant: Vec<Range<u64>>) -> Self {
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_space_after_operand_separator(true);
        options.set_branch_leading_zeros(false);
        options.set_show_branch_size(false);
        Finder { symbols, constant, instructions: Vec::new(), formatter }
    }

    fn search(&mut self, function: Code<'_>, found: &mut WaitLoops) {
        self.instructions.clear();
        self.instructions.extend(&mut Decoder::with_ip(64, function.bytes, function.address, DecoderOptions::NONE));
        for last in 0..self.instructions.len() {
            let Some((mut iteration, body)) = waiting_loop(&self.instructions, last) else { continue };
            iteration.loads.retain(|load| !self.is_constant(&load.memory));
            let branch = self.instructions[last];
            let symbol = self.symbols.function_at(branch.ip());
            let hopeless = self.hopeless(&iteration, symbol.as_ref().is_some_and(is_whole_function));
            // Ends by itself after a few iterations, or may be data between functions that reads like code.
            if hopeless.is_some() && (iteration.uses_its_own_values || symbol.is_none()) {
                continue;
            }
            let bytes = function.bytes[(branch.ip() - function.address) as usize..][..branch.len()].to_vec();
            let site = LoopSite {
                back_edge: back_edge(&branch, bytes),
                symbol,
                body: body.iter().map(|one| self.disassemble(one)).collect(),
            };
            let watches = iteration.loads.iter().map(|load| watch(load, self.symbols)).collect();
            match hopeless {
                Some(reason) => found.hopeless.push(HopelessLoop { site, reason, watches }),
                None => found.waits.push(WaitLoop { site, watches }),
            }
        }
    }

    fn is_constant(&self, memory: &UsedMemory) -> bool {
        is_in_object(memory) && self.constant.iter().any(|range| range.contains(&memory.displacement()))
    }

    fn disassemble(&mut self, instruction: &Instruction) -> String {
        let mut text = String::new();
        self.formatter.format(instruction, &mut text);
        text
    }

    /// Why nobody can end the loop, if nobody can.
    fn hopeless(&self, iteration: &Iteration, whole_function: bool) -> Option<HopelessReason> {
        if iteration.loads.is_empty() {
            return Some(HopelessReason::LoadsNothing);
        }
        let private = |load: &Load| is_private_stack_slot(&load.memory, &self.instructions);
        (whole_function && iteration.loads.iter().all(private)).then_some(HopelessReason::StackSlot)
    }
}

/// Whether the code with this symbol is a function, not the unlikely part that a compiler has split off one.
fn is_whole_function(symbol: &SymbolOffset) -> bool {
    !symbol.symbol.contains(".cold")
}

/// The loop that the instruction at `last` closes, if it is one that waits.
fn waiting_loop(instructions: &[Instruction], last: usize) -> Option<(Iteration, Vec<Instruction>)> {
    let branch = &instructions[last];
    if !branch.is_jcc_short_or_near() && !branch.is_jmp_short_or_near() {
        return None;
    }
    let target = branch.near_branch_target();
    if target > branch.ip() {
        return None;
    }
    let window = &instructions[(last + 1).saturating_sub(MOST_INSTRUCTIONS_SPANNED)..=last];
    let head = window.binary_search_by_key(&target, Instruction::ip).ok()?;
    let body = Body::of(&window[head..])?;
    if body.instructions.len() > MOST_INSTRUCTIONS {
        return None;
    }
    let iteration = values::iteration(&body)?;
    Some((iteration, body.instructions.into_iter().copied().collect()))
}

fn back_edge(branch: &Instruction, bytes: Vec<u8>) -> BackEdge {
    // The decoder numbers condition codes from 1; 0 is no condition.
    let code = (branch.condition_code() as usize).checked_sub(1);
    BackEdge {
        address: branch.ip(),
        bytes,
        condition: code.map_or(Condition::Always, |code| Condition::BY_CODE[code]),
        target: branch.near_branch_target(),
        fall_through: branch.next_ip(),
    }
}

/// Whether memory is in the stack frame of the function and its address is not taken in it.
fn is_private_stack_slot(memory: &UsedMemory, function: &[Instruction]) -> bool {
    let base = memory.base();
    let in_frame = match base {
        Register::RSP => true,
        // Without a frame pointer it is a register like any other.
        Register::RBP => function.iter().any(sets_frame_pointer),
        _ => false,
    };
    let slot = memory.displacement() as i64;
    let covers = |address: i64| address <= slot && slot - address < SHARED_STACK_OBJECT;
    in_frame && !function.iter().filter_map(|one| taken_address(one, base)).any(covers)
}

fn sets_frame_pointer(instruction: &Instruction) -> bool {
    match instruction.mnemonic() {
        Mnemonic::Mov => instruction.op0_register() == Register::RBP && instruction.op1_register() == Register::RSP,
        Mnemonic::Lea => instruction.op0_register() == Register::RBP && instruction.memory_base() == Register::RSP,
        _ => false,
    }
}

/// Which address relative to `base` the instruction puts into a register, for others to use.
fn taken_address(instruction: &Instruction, base: Register) -> Option<i64> {
    match instruction.mnemonic() {
        _ if sets_frame_pointer(instruction) => None,
        Mnemonic::Lea if instruction.memory_base() == base && instruction.op0_register() != Register::RSP => {
            Some(instruction.memory_displacement64() as i64)
        }
        Mnemonic::Mov if instruction.op1_register() == base && instruction.op0_register() != Register::RSP => Some(0),
        _ => None,
    }
}

/// Whether an address is fixed relative to the object. The decoder has added the instruction's own address to it.
fn is_in_object(memory: &UsedMemory) -> bool {
    let thread_local = matches!(memory.segment(), Register::FS | Register::GS);
    !memory.base().is_gpr() && !memory.index().is_gpr() && !thread_local
}

fn watch(load: &Load, symbols: &SymbolMap) -> Watch {
    let memory = &load.memory;
    let size = memory.memory_size().size() as u32;
    let displacement = memory.displacement();
    let number = |register| general_purpose(register).map(|number| number as u8);
    let (base, index) = (number(memory.base()), number(memory.index()));
    let in_object = is_in_object(memory);
    let name = |register: Register| format!("{register:?}").to_lowercase();

    let place = if in_object {
        let symbol = symbols.data_at(displacement).map(|symbol| format!("{symbol} "));
        format!("{}({displacement:#x})", symbol.unwrap_or_default())
    } else {
        let mut terms = Vec::new();
        terms.extend(base.map(|_| name(memory.base())));
        terms.extend(index.map(|_| format!("{}*{}", name(memory.index()), memory.scale())));
        let displacement = displacement as i64;
        let sign = if displacement < 0 { "-" } else { "+" };
        let offset =
            if displacement == 0 { String::new() } else { format!("{sign}{:#x}", displacement.unsigned_abs()) };
        format!("{}{offset}", terms.join("+"))
    };
    let segment = match memory.segment() {
        segment @ (Register::FS | Register::GS) => format!("{}:", name(segment)),
        _ => String::new(),
    };
    let address = if in_object {
        WatchAddress::InObject(displacement)
    } else {
        let index = index.map(|register| (register, memory.scale() as u8));
        WatchAddress::InRegisters { base, index, displacement }
    };
    let wide = memory.address_size() == iced_x86::CodeSize::Code64;
    let unit = if size == 1 { "byte" } else { "bytes" };
    Watch {
        text: format!("{size} {unit} at {segment}{place}"),
        size,
        address: (load.invariant && segment.is_empty() && wide).then_some(address),
    }
}
