//! Sections, which may be missing: code by itself, and the full symbol table.

use object::elf;
use object::read::ReadRef;

use super::symbol_table::{SymbolTable, string_at};
use super::{Code, Elf, Header, LE, SYMBOL_SIZE, SectionHeader, truncated};
use crate::loader::image_error::ImageError;
use crate::loader::symbols::printable;

impl<'data> Elf<'data> {
    pub(super) fn read_sections(&self, header: &Header) -> Result<&'data [SectionHeader], ImageError> {
        let start = header.e_shoff.get(LE);
        if start == 0 {
            return Ok(&[]);
        }
        let entry = header.e_shentsize.get(LE);
        if usize::from(entry) != size_of::<SectionHeader>() {
            return Err(self.malformed("file header", 0x3a, format!("section headers of {entry} bytes, not 64")));
        }
        let what = "the section header table";
        let first = self.slice(what, start, u64::from(entry))?;
        let count = match header.e_shnum.get(LE) {
            // Too many for the field: the first section has the number.
            0 => first.read_at::<SectionHeader>(0).map_or(0, |section| section.sh_size.get(LE)),
            count => u64::from(count),
        };
        let bytes = self.slice(what, start, count.saturating_mul(u64::from(entry)))?;
        Ok(bytes.read_slice_at(0, count as usize).unwrap_or(&[]))
    }

    pub(super) fn read_section_names(&self, header: &Header) -> &'data [u8] {
        let index = usize::from(header.e_shstrndx.get(LE).0);
        let section = self.sections.get(index).filter(|section| section.sh_type.get(LE) == elf::SHT_STRTAB);
        section.and_then(|section| self.section_bytes(section)).unwrap_or(&[])
    }

    pub(super) fn check_sections(&self, header: &Header) -> Result<(), ImageError> {
        for (index, section) in self.sections.iter().enumerate() {
            if [elf::SHT_NOBITS, elf::SHT_NULL].contains(&section.sh_type.get(LE)) {
                continue;
            }
            let (start, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
            if self.section_bytes(section).is_none() {
                let name = string_at(self.section_names, u64::from(section.sh_name.get(LE))).unwrap_or_default();
                let header = header.e_shoff.get(LE) + (index * size_of::<SectionHeader>()) as u64;
                let what = match String::from_utf8_lossy(name) {
                    name if name.is_empty() => format!("section {index} (header at {header:#x})"),
                    name => format!("section {} (header at {header:#x})", printable(&name)),
                };
                return Err(truncated(self.name, self.bytes, &what, start, size));
            }
        }
        Ok(())
    }

    pub(super) fn section_bytes(&self, section: &SectionHeader) -> Option<&'data [u8]> {
        self.bytes.read_bytes_at(section.sh_offset.get(LE), section.sh_size.get(LE)).ok()
    }

    /// The sections that hold code; the executable segments where there are no section headers.
    pub(in crate::loader) fn code(&self) -> Vec<Code<'data>> {
        let executable = |section: &&SectionHeader| {
            section.sh_type.get(LE) == elf::SHT_PROGBITS && section.sh_flags.get(LE).contains(elf::SHF_EXECINSTR)
        };
        let code = |section: &SectionHeader| {
            // Only what will be mapped, and where it will be mapped.
            let (address, size) = (section.sh_addr.get(LE), section.sh_size.get(LE));
            let range = self.loaded(address, size)?;
            (range.start as u64 == section.sh_offset.get(LE)).then(|| Code { address, bytes: &self.bytes[range] })
        };
        let sections: Vec<_> = self.sections.iter().filter(executable).filter_map(code).collect();
        if sections.is_empty() { self.executable_segments() } else { sections }
    }

    /// The full symbol table, which a stripped object does not have.
    pub(in crate::loader) fn symbol_table(&self) -> Option<SymbolTable<'data>> {
        let section = self.sections.iter().find(|section| section.sh_type.get(LE) == elf::SHT_SYMTAB)?;
        let strings = self.sections.get(section.sh_link.get(LE) as usize)?;
        let bytes = self.section_bytes(section)?;
        let symbols = bytes.read_slice_at(0, bytes.len() / SYMBOL_SIZE as usize).ok()?;
        Some(SymbolTable { symbols, strings: self.section_bytes(strings)?, start: section.sh_offset.get(LE) })
    }
}
