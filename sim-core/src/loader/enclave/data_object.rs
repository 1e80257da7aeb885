//! Objects without code: what the dynamic linker needs to see of one, around tables that somebody else has made.

use object::elf;

/// Where the tables can begin: behind the file header and three program headers.
pub(super) const HEADERS: usize = FILE_HEADER + 3 * PROGRAM_HEADER;

const FILE_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const PAGE: u64 = 4096;
/// The dynamic linker turns offsets in the dynamic section into addresses, in place.
const READ_WRITE: u32 = 6;

/// One segment with these bytes, which begin with room for the headers, and a dynamic section behind them. Values of
/// the section that are addresses are offsets into the bytes.
pub(super) fn finish(mut bytes: Vec<u8>, dynamic: &[(elf::DynamicTag, u64)]) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    let start = bytes.len() as u64;
    for (tag, value) in dynamic.iter().chain([&(elf::DT_NULL, 0)]) {
        bytes.extend((tag.0 as u64).to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    let size = bytes.len() as u64;
    let headers = [
        program_header(elf::PT_LOAD.0, 0, size, PAGE),
        program_header(elf::PT_DYNAMIC.0, start, size - start, 8),
        // Without this one the stack would have to be executable.
        program_header(elf::PT_GNU_STACK.0, 0, 0, 16),
    ];
    bytes[..FILE_HEADER].copy_from_slice(&file_header(headers.len() as u16));
    bytes[FILE_HEADER..HEADERS].copy_from_slice(&headers.concat());
    bytes
}

fn file_header(program_headers: u16) -> [u8; FILE_HEADER] {
    let machine = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 };
    let mut header = [0; FILE_HEADER];
    let mut put = |offset: usize, value: &[u8]| header[offset..offset + value.len()].copy_from_slice(value);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &elf::ET_DYN.0.to_le_bytes());
    put(18, &machine.0.to_le_bytes());
    put(20, &1_u32.to_le_bytes());
    put(32, &(FILE_HEADER as u64).to_le_bytes());
    put(52, &(FILE_HEADER as u16).to_le_bytes());
    put(54, &(PROGRAM_HEADER as u16).to_le_bytes());
    put(56, &program_headers.to_le_bytes());
    put(58, &64_u16.to_le_bytes());
    header
}

fn program_header(kind: u32, offset: u64, size: u64, align: u64) -> [u8; PROGRAM_HEADER] {
    let mut header = [0; PROGRAM_HEADER];
    header[..4].copy_from_slice(&kind.to_le_bytes());
    header[4..8].copy_from_slice(&READ_WRITE.to_le_bytes());
    for (place, value) in [offset, offset, offset, size, size, align].into_iter().enumerate() {
        header[8 + 8 * place..][..8].copy_from_slice(&value.to_le_bytes());
    }
    header
}
