//! A checked view of the tables in an ELF file: the one place that turns untrusted bytes into tables.
//!
//! [`Elf::open`] checks everything that the dynamic linker will later use without a check of its own: the headers,
//! that all segments lie inside the file and in order, and that the tables named by the dynamic segment lie inside
//! loaded segments. Symbols are taken from the dynamic segment, as the dynamic linker does it, and not from the
//! section headers, which may be missing.

mod dynamic;
mod dynamic_symbols;
mod identity;
mod sections;
mod segments;
mod symbol_table;

use object::LittleEndian;
use object::elf;
use object::read::ReadRef;

use self::dynamic::DynamicEntry;
pub(super) use self::dynamic_symbols::{DynamicSymbol, Relocation};
use self::identity::check_identity;
pub(super) use self::identity::check_machine;
pub(super) use self::segments::Code;
pub(super) use self::symbol_table::{Symbol, SymbolTable};
use super::image_error::{ImageError, Machine};

pub(super) type Header = elf::FileHeader64<LittleEndian>;
type ProgramHeader = elf::ProgramHeader64<LittleEndian>;
type SectionHeader = elf::SectionHeader64<LittleEndian>;
type RawSymbol = elf::Sym64<LittleEndian>;

const LE: LittleEndian = LittleEndian;
pub(super) const HEADER_SIZE: u64 = size_of::<Header>() as u64;
const SYMBOL_SIZE: u64 = size_of::<RawSymbol>() as u64;

/// A little-endian 64-bit shared object for this machine, with its tables checked.
pub(super) struct Elf<'data> {
    name: &'data str,
    bytes: &'data [u8],
    segments: &'data [ProgramHeader],
    sections: &'data [SectionHeader],
    section_names: &'data [u8],
    dynamic: Vec<DynamicEntry>,
    strings: &'data [u8],
}

impl<'data> Elf<'data> {
    pub(super) fn open(name: &'data str, bytes: &'data [u8]) -> Result<Self, ImageError> {
        let header = check_identity(name, bytes)?;
        let mut elf =
            Elf { name, bytes, segments: &[], sections: &[], section_names: &[], dynamic: Vec::new(), strings: &[] };
        elf.segments = elf.read_segments(header)?;
        elf.check_segments(header)?;
        elf.sections = elf.read_sections(header)?;
        elf.section_names = elf.read_section_names(header);
        elf.check_sections(header)?;
        elf.dynamic = elf.read_dynamic(header)?;
        elf.check_dynamic()?;
        elf.strings = elf.dynamic_table("string table", elf::DT_STRTAB, elf::DT_STRSZ)?.unwrap_or(&[]);
        Ok(elf)
    }

    pub(super) fn machine(&self) -> Machine {
        Machine::HOST
    }

    pub(super) fn malformed(&self, what: &'static str, offset: u64, detail: impl Into<String>) -> ImageError {
        ImageError::Malformed { name: self.name.to_owned(), what, offset, detail: detail.into() }
    }

    fn slice(&self, what: &str, start: u64, size: u64) -> Result<&'data [u8], ImageError> {
        self.bytes.read_bytes_at(start, size).map_err(|()| truncated(self.name, self.bytes, what, start, size))
    }
}

fn truncated(name: &str, bytes: &[u8], what: &str, start: u64, size: u64) -> ImageError {
    let end = start.saturating_add(size);
    ImageError::Truncated { name: name.to_owned(), what: what.to_owned(), start, end, file_size: bytes.len() as u64 }
}
