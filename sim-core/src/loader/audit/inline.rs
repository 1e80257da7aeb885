//! Instructions by which code reads a clock or enters the kernel without calling anything.
//!
//! Most objects have none, so their bytes are searched for the encodings first; only a function in which one could be is
//! decoded. On aarch64 every instruction is a word, and the words are compared.

use std::collections::BTreeSet;

use iced_x86::{Code as X86, Decoder, DecoderOptions, Instruction, Mnemonic, Register};

use super::super::elf::{Code, Elf};
use super::super::image_error::{ImageError, Machine};
use super::super::symbols::SymbolMap;
use super::super::wait_loops::functions;
use super::FindingKind;

/// An instruction in the code of an object, or several of them in one function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InlineUse {
    /// What it does.
    pub kind: FindingKind,
    /// The function it is in; where it is, if that has no name.
    pub function: String,
    /// What it is.
    pub instruction: &'static str,
}

/// `AT_SYSINFO_EHDR`: asks the auxiliary vector for the kernel's own library.
const ADDRESS_OF_VDSO: u32 = 33;
/// How many instructions later it is asked at most.
const MOST_INSTRUCTIONS_TO_CALL: usize = 4;

/// Finds them in the code of the object in `bytes`, in the order of kind and function; refuses one that could not be
/// loaded.
pub fn find(name: &str, bytes: &[u8]) -> Result<Vec<InlineUse>, ImageError> {
    find_in(&Elf::open(name, bytes)?)
}

pub(super) fn find_in(elf: &Elf<'_>) -> Result<Vec<InlineUse>, ImageError> {
    let search = match elf.machine() {
        Machine::X86_64 => in_x86,
        Machine::AARCH64 => in_aarch64,
        _ => return Ok(Vec::new()),
    };
    let asks_for_vdso = elf.dynamic_symbols()?.iter().any(|symbol| symbol.name == b"getauxval");
    let suspicious: Vec<Code<'_>> = elf.code().into_iter().filter(|code| may_have_any(code.bytes)).collect();
    if suspicious.is_empty() && elf.machine() == Machine::X86_64 {
        return Ok(Vec::new());
    }
    let symbols = SymbolMap::of(elf)?;
    let mut uses = BTreeSet::new();
    for code in suspicious {
        for function in functions(code, &symbols) {
            search(function, &mut |address, kind, instruction| {
                if kind == FindingKind::Vdso && !asks_for_vdso {
                    return;
                }
                let function = symbols.function_at(address).map(|place| place.symbol);
                let function = function.unwrap_or_else(|| format!("+{address:#x}"));
                uses.insert(InlineUse { kind, function, instruction });
            });
        }
    }
    Ok(uses.into_iter().collect())
}

/// Encodings on x86-64: `rdtsc`, `rdtscp`, `syscall`, `sysenter`, `int 0x80`, `mov edi, 33`.
fn may_have_any(bytes: &[u8]) -> bool {
    if cfg!(target_arch = "aarch64") {
        return true;
    }
    let pair = |pair: &[u8]| matches!(pair, [0x0f, 0x31 | 0x01 | 0x05 | 0x34] | [0xcd, 0x80] | [0xbf, 0x21]);
    bytes.windows(2).any(pair)
}

fn in_x86(function: Code<'_>, found: &mut dyn FnMut(u64, FindingKind, &'static str)) {
    if !may_have_any(function.bytes) {
        return;
    }
    let mut asked: Option<(u64, usize)> = None;
    let decoder = Decoder::with_ip(64, function.bytes, function.address, DecoderOptions::NONE);
    for (index, instruction) in decoder.into_iter().enumerate() {
        let at = instruction.ip();
        match instruction.mnemonic() {
            Mnemonic::Rdtsc => found(at, FindingKind::InlineClock, "rdtsc"),
            Mnemonic::Rdtscp => found(at, FindingKind::InlineClock, "rdtscp"),
            Mnemonic::Syscall => found(at, FindingKind::InlineSyscall, "syscall"),
            Mnemonic::Sysenter => found(at, FindingKind::InlineSyscall, "sysenter"),
            Mnemonic::Int if instruction.immediate8() == 0x80 => found(at, FindingKind::InlineSyscall, "int 0x80"),
            Mnemonic::Mov if is_question_for_vdso(&instruction) => asked = Some((at, index)),
            Mnemonic::Call | Mnemonic::Jmp => match asked.take() {
                Some((at, since)) if index - since <= MOST_INSTRUCTIONS_TO_CALL => {
                    found(at, FindingKind::Vdso, "getauxval(AT_SYSINFO_EHDR)");
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn is_question_for_vdso(instruction: &Instruction) -> bool {
    instruction.code() == X86::Mov_r32_imm32
        && instruction.op0_register() == Register::EDI
        && instruction.immediate32() == ADDRESS_OF_VDSO
}

fn in_aarch64(function: Code<'_>, found: &mut dyn FnMut(u64, FindingKind, &'static str)) {
    const REGISTER: u32 = 0x1f;
    const SVC_IMMEDIATE: u32 = 0xffff << 5;
    let (words, _) = function.bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let at = function.address + 4 * index as u64;
        let word = u32::from_le_bytes(*word);
        match (word & !REGISTER, word & !SVC_IMMEDIATE, word) {
            // mrs x<n>, cntpct_el0
            (0xd53b_e020, ..) => found(at, FindingKind::InlineClock, "cntpct_el0"),
            (0xd53b_e040, ..) => found(at, FindingKind::InlineClock, "cntvct_el0"),
            (_, 0xd400_0001, _) => found(at, FindingKind::InlineSyscall, "svc"),
            // mov w0, #33 or mov x0, #33
            (.., 0x5280_0420 | 0xd280_0420) => found(at, FindingKind::Vdso, "getauxval(AT_SYSINFO_EHDR)"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        search: fn(Code<'_>, &mut dyn FnMut(u64, FindingKind, &'static str)),
        bytes: &[u8],
    ) -> Vec<(u64, &'static str)> {
        let mut uses = Vec::new();
        search(Code { address: 0x1000, bytes }, &mut |at, _, instruction| uses.push((at, instruction)));
        uses
    }

    #[test]
    fn which_instructions_of_x86_are_found() {
        let code: [&[u8]; 8] = [
            &[0x0f, 0x31],                            // rdtsc
            &[0x0f, 0x01, 0xf9],                      // rdtscp
            &[0x0f, 0x05],                            // syscall
            &[0xcd, 0x80],                            // int 0x80
            &[0xcd, 0x03],                            // int 3
            &[0xbf, 0x21, 0, 0, 0, 0xe8, 0, 0, 0, 0], // mov edi, 33; call
            &[0xbf, 0x22, 0, 0, 0, 0xe8, 0, 0, 0, 0], // mov edi, 34; call
            &[0xb8, 0x0f, 0x31, 0x0f, 0x05],          // mov eax, 0x050f310f: not in sight of a decoder
        ];
        let expected = [
            (0x1000, "rdtsc"),
            (0x1002, "rdtscp"),
            (0x1005, "syscall"),
            (0x1007, "int 0x80"),
            (0x100b, "getauxval(AT_SYSINFO_EHDR)"),
        ];
        assert_eq!(found(in_x86, &code.concat()), expected);
    }

    #[test]
    fn which_instructions_of_aarch64_are_found() {
        let words: [u32; 5] = [0xd53b_e043, 0xd503_201f, 0xd53b_e021, 0xd400_0001, 0xd53b_d040];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(found(in_aarch64, &bytes), [(0x1000, "cntvct_el0"), (0x1008, "cntpct_el0"), (0x100c, "svc")]);
    }
}
