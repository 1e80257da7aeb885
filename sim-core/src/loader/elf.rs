//! A checked view of the tables in an ELF file: the one place that turns untrusted bytes into tables.
//!
//! [`Elf::open`] checks everything that the dynamic linker will later use without a check of its own: the headers,
//! that all segments lie inside the file and in order, and that the tables named by the dynamic segment lie inside
//! loaded segments. Symbols are taken from the dynamic segment, as the dynamic linker does it, and not from the
//! section headers, which may be missing.

use std::collections::HashMap;
use std::ops::Range;

use object::LittleEndian;
use object::elf;
use object::read::elf::{GnuHashTable, HashTable, NoteIterator};
use object::read::{ReadRef, elf::ProgramHeader as _};

use super::image_error::{ImageError, Machine};
use super::symbols::printable;

pub(super) type Header = elf::FileHeader64<LittleEndian>;
type ProgramHeader = elf::ProgramHeader64<LittleEndian>;
type SectionHeader = elf::SectionHeader64<LittleEndian>;
type RawSymbol = elf::Sym64<LittleEndian>;

const LE: LittleEndian = LittleEndian;
pub(super) const HEADER_SIZE: u64 = size_of::<Header>() as u64;
const SYMBOL_SIZE: u64 = size_of::<RawSymbol>() as u64;
/// Where `st_info` lies in a symbol.
const SYMBOL_INFO: usize = 4;
/// Version indexes have 15 bits.
const MOST_VERSIONS: usize = 1 << 15;
const MOST_NAME_BYTES_PER_STRING_BYTE: usize = 16;

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

/// An entry of the dynamic segment.
#[derive(Clone, Copy)]
pub(super) struct DynamicEntry {
    tag: elf::DynamicTag,
    pub(super) value: u64,
    pub(super) offset: u64,
}

/// A symbol, with its name not yet read.
#[derive(Clone, Copy)]
pub(super) struct Symbol {
    pub(super) name_offset: u32,
    pub(super) bind: elf::SymbolBind,
    pub(super) kind: elf::SymbolType,
    pub(super) visibility: elf::SymbolVisibility,
    pub(super) defined: bool,
    pub(super) value: u64,
    pub(super) size: u64,
}

impl Symbol {
    fn new(raw: &RawSymbol) -> Self {
        Symbol {
            name_offset: raw.st_name.get(LE),
            bind: raw.st_bind(),
            kind: raw.st_type(),
            visibility: raw.st_visibility(),
            defined: raw.st_shndx.get(LE) != elf::SHN_UNDEF,
            value: raw.st_value.get(LE),
            size: raw.st_size.get(LE),
        }
    }
}

/// A symbol of the dynamic symbol table.
pub(super) struct DynamicSymbol<'data> {
    pub(super) index: usize,
    pub(super) name: &'data [u8],
    pub(super) symbol: Symbol,
    /// Where its binding and type are in the file.
    pub(super) info_offset: usize,
}

/// Which version of which library a symbol is taken from.
#[derive(Clone, Copy)]
pub(super) struct NeededVersion<'data> {
    pub(super) version: &'data [u8],
    pub(super) library: &'data [u8],
}

/// A range of code: where it will be, relative to the object's load address, and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Code<'data> {
    pub(super) address: u64,
    pub(super) bytes: &'data [u8],
}

/// A word that the dynamic linker fills in.
#[derive(Clone, Copy)]
pub(super) struct Relocation {
    /// Where the word is, from the load address.
    pub(super) offset: u64,
    /// What is written; the numbers are the machine's own.
    pub(super) kind: u32,
    /// The index of the symbol whose address is meant, 0 for none.
    pub(super) symbol: u32,
    /// Added to it.
    pub(super) addend: i64,
}

/// A symbol table and its strings.
#[derive(Clone, Copy)]
pub(super) struct SymbolTable<'data> {
    symbols: &'data [RawSymbol],
    strings: &'data [u8],
    /// Where it begins in the file.
    pub(super) start: u64,
}

impl<'data> SymbolTable<'data> {
    const EMPTY: Self = SymbolTable { symbols: &[], strings: &[], start: 0 };

    pub(super) fn iter(self) -> impl Iterator<Item = Symbol> + 'data {
        self.symbols.iter().map(Symbol::new)
    }

    /// How many bytes the names of this table may have together. Names share their ends, but a table in which they
    /// overlap more than this is made to exhaust memory.
    pub(super) fn name_budget(self) -> usize {
        self.strings.len().saturating_mul(MOST_NAME_BYTES_PER_STRING_BYTE)
    }

    /// The name of a symbol of this table, `None` if it lies outside the strings.
    pub(super) fn name(self, symbol: &Symbol) -> Option<&'data [u8]> {
        string_at(self.strings, u64::from(symbol.name_offset))
    }
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

    // ---- segments ---------------------------------------------------------------------------------------------------

    fn read_segments(&self, header: &Header) -> Result<&'data [ProgramHeader], ImageError> {
        let (start, count) = (header.e_phoff.get(LE), header.e_phnum.get(LE));
        let entry = header.e_phentsize.get(LE);
        if usize::from(entry) != size_of::<ProgramHeader>() {
            return Err(self.malformed("file header", 0x36, format!("program headers of {entry} bytes, not 56")));
        }
        let bytes = self.slice("the program header table", start, u64::from(count) * u64::from(entry))?;
        // The table has just been read, and the entries need no alignment.
        Ok(bytes.read_slice_at(0, usize::from(count)).unwrap_or(&[]))
    }

    fn check_segments(&self, header: &Header) -> Result<(), ImageError> {
        let table = header.e_phoff.get(LE);
        let offset = |index| table + (index * size_of::<ProgramHeader>()) as u64;
        let of_kind =
            |kind| self.segments.iter().enumerate().filter(move |(_, segment)| segment.p_type.get(LE) == kind);
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.p_type.get(LE) != elf::PT_NULL {
                let (start, size) = (segment.p_offset.get(LE), segment.p_filesz.get(LE));
                self.slice(&format!("segment {index} (header at {:#x})", offset(index)), start, size)?;
            }
        }
        let mut free_from = 0;
        for (index, segment) in of_kind(elf::PT_LOAD) {
            free_from = self.check_load_segment(segment, offset(index), free_from)?;
        }
        if free_from == 0 {
            return Err(self.malformed("program header table", table, "nothing to load (no PT_LOAD)"));
        }
        for (index, segment) in of_kind(elf::PT_TLS) {
            self.check_tls_segment(segment, offset(index))?;
        }
        Ok(())
    }

    /// Checks one segment against those before it, which end at `free_from`; returns where it ends.
    fn check_load_segment(&self, segment: &ProgramHeader, offset: u64, free_from: u64) -> Result<u64, ImageError> {
        let (address, file) = (segment.p_vaddr.get(LE), segment.p_offset.get(LE));
        let (memory_size, file_size) = (segment.p_memsz.get(LE), segment.p_filesz.get(LE));
        let align = segment.p_align.get(LE).max(1);
        let what = "program header (PT_LOAD)";
        if file_size > memory_size {
            let detail = format!("{file_size:#x} bytes in the file and only {memory_size:#x} in memory");
            return Err(self.malformed(what, offset, detail));
        }
        if !align.is_power_of_two() || address % align != file % align {
            let detail = format!("address {address:#x} and file offset {file:#x} do not agree modulo {align:#x}");
            return Err(self.malformed(what, offset, detail));
        }
        // The lower half of the address space is all that a process has.
        match address.checked_add(memory_size) {
            Some(end) if end < 1 << 47 && address >= free_from => Ok(end.max(1)),
            _ => {
                let detail = format!("{memory_size:#x} bytes at {address:#x} after segments up to {free_from:#x}");
                Err(self.malformed(what, offset, detail))
            }
        }
    }

    fn check_tls_segment(&self, segment: &ProgramHeader, offset: u64) -> Result<(), ImageError> {
        let (size, file_size) = (segment.p_memsz.get(LE), segment.p_filesz.get(LE));
        let align = segment.p_align.get(LE);
        if file_size > size || !align.max(1).is_power_of_two() || size >= 1 << 47 {
            let detail = format!("{file_size:#x} initial bytes of {size:#x}, aligned to {align:#x}");
            return Err(self.malformed("program header (PT_TLS)", offset, detail));
        }
        let address = segment.p_vaddr.get(LE);
        if file_size > 0 && self.loaded(address, file_size).is_none() {
            let detail = format!("its initial bytes at address {address:#x} are not in a loaded segment");
            return Err(self.malformed("program header (PT_TLS)", offset, detail));
        }
        Ok(())
    }

    fn segments_of(&self, kind: elf::ProgramType) -> impl Iterator<Item = &'data ProgramHeader> + use<'data> {
        self.segments.iter().filter(move |segment| segment.p_type.get(LE) == kind)
    }

    /// The loaded segment in whose part of the file `size` bytes at `address` lie, and where they begin in the file.
    fn segment_at(&self, address: u64, size: u64) -> Option<(&'data ProgramHeader, usize)> {
        let end = address.checked_add(size)?;
        let segment = self.segments_of(elf::PT_LOAD).find(|segment| {
            let start = segment.p_vaddr.get(LE);
            start <= address && end <= start + segment.p_filesz.get(LE)
        })?;
        Some((segment, (segment.p_offset.get(LE) + (address - segment.p_vaddr.get(LE))) as usize))
    }

    /// Where `size` bytes at `address` lie in the file, if they lie within one loaded segment.
    fn loaded(&self, address: u64, size: u64) -> Option<Range<usize>> {
        let (_, start) = self.segment_at(address, size)?;
        Some(start..start + size as usize)
    }

    /// The bytes from `address` to the end of its segment.
    fn loaded_from(&self, address: u64) -> Option<&'data [u8]> {
        let (segment, start) = self.segment_at(address, 1)?;
        self.bytes.get(start..(segment.p_offset.get(LE) + segment.p_filesz.get(LE)) as usize)
    }

    /// Size and alignment of the thread-local block.
    pub(super) fn tls(&self) -> Option<(u64, u64)> {
        let segment = self.segments_of(elf::PT_TLS).next()?;
        Some((segment.p_memsz.get(LE), segment.p_align.get(LE).max(1)))
    }

    /// Whether `size` bytes at `address` are within one loaded segment.
    pub(super) fn occupies(&self, address: u64, size: u64) -> bool {
        let holds = |segment: &ProgramHeader| {
            let start = segment.p_vaddr.get(LE);
            address >= start && address.saturating_add(size) <= start.saturating_add(segment.p_memsz.get(LE))
        };
        self.segments_of(elf::PT_LOAD).any(holds)
    }

    /// The segments that are mapped executable.
    pub(super) fn executable_segments(&self) -> Vec<Code<'data>> {
        let executable = |segment: &&ProgramHeader| segment.p_flags.get(LE).contains(elf::PF_X);
        let code = |segment: &ProgramHeader| {
            let start = segment.p_offset.get(LE) as usize;
            let bytes = self.bytes.get(start..start + segment.p_filesz.get(LE) as usize)?;
            Some(Code { address: segment.p_vaddr.get(LE), bytes })
        };
        self.segments_of(elf::PT_LOAD).filter(executable).filter_map(code).collect()
    }

    /// The addresses that nobody can write to once the object is loaded.
    pub(super) fn constant(&self) -> Vec<Range<u64>> {
        let read_only = |segment: &&ProgramHeader| match segment.p_type.get(LE) {
            elf::PT_LOAD => !segment.p_flags.get(LE).contains(elf::PF_W),
            kind => kind == elf::PT_GNU_RELRO,
        };
        let range = |segment: &ProgramHeader| {
            let start = segment.p_vaddr.get(LE);
            start..start.saturating_add(segment.p_memsz.get(LE))
        };
        self.segments.iter().filter(read_only).map(range).collect()
    }

    /// The GNU build id, if there is one.
    pub(super) fn build_id(&self) -> Option<&'data [u8]> {
        for segment in self.segments_of(elf::PT_NOTE) {
            let data = self.slice("", segment.p_offset.get(LE), segment.p_filesz.get(LE)).ok()?;
            let Ok(mut notes) = NoteIterator::<Header>::new(LE, segment.p_align(LE), data) else { continue };
            while let Ok(Some(note)) = notes.next() {
                if note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID {
                    return Some(note.desc());
                }
            }
        }
        None
    }

    // ---- sections ---------------------------------------------------------------------------------------------------

    fn read_sections(&self, header: &Header) -> Result<&'data [SectionHeader], ImageError> {
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

    fn read_section_names(&self, header: &Header) -> &'data [u8] {
        let index = usize::from(header.e_shstrndx.get(LE).0);
        let section = self.sections.get(index).filter(|section| section.sh_type.get(LE) == elf::SHT_STRTAB);
        section.and_then(|section| self.section_bytes(section)).unwrap_or(&[])
    }

    fn check_sections(&self, header: &Header) -> Result<(), ImageError> {
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

    fn section_bytes(&self, section: &SectionHeader) -> Option<&'data [u8]> {
        self.bytes.read_bytes_at(section.sh_offset.get(LE), section.sh_size.get(LE)).ok()
    }

    /// The sections that hold code; the executable segments where there are no section headers.
    pub(super) fn code(&self) -> Vec<Code<'data>> {
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
    pub(super) fn symbol_table(&self) -> Option<SymbolTable<'data>> {
        let section = self.sections.iter().find(|section| section.sh_type.get(LE) == elf::SHT_SYMTAB)?;
        let strings = self.sections.get(section.sh_link.get(LE) as usize)?;
        let bytes = self.section_bytes(section)?;
        let symbols = bytes.read_slice_at(0, bytes.len() / SYMBOL_SIZE as usize).ok()?;
        Some(SymbolTable { symbols, strings: self.section_bytes(strings)?, start: section.sh_offset.get(LE) })
    }

    // ---- the dynamic segment ----------------------------------------------------------------------------------------

    fn read_dynamic(&self, header: &Header) -> Result<Vec<DynamicEntry>, ImageError> {
        let Some(segment) = self.segments_of(elf::PT_DYNAMIC).next() else {
            return Err(ImageError::NotDynamic { name: self.name.to_owned(), offset: header.e_phoff.get(LE) });
        };
        let (start, address) = (segment.p_offset.get(LE), segment.p_vaddr.get(LE));
        let size = segment.p_filesz.get(LE);
        // The dynamic linker reads it where it is mapped, so that has to be the same place.
        if self.loaded(address, size).map(|range| range.start as u64) != Some(start) {
            let detail = format!("it is not loaded at its address {address:#x}");
            return Err(self.malformed("dynamic segment", start, detail));
        }
        let entry = size_of::<elf::Dyn64<LittleEndian>>() as u64;
        let entries: &[elf::Dyn64<LittleEndian>] =
            self.bytes.read_slice_at(start, (size / entry) as usize).unwrap_or(&[]);
        let Some(end) = entries.iter().position(|entry| entry.d_tag.get(LE) == elf::DT_NULL) else {
            return Err(self.malformed("dynamic segment", start, "it has no end (no DT_NULL)"));
        };
        let read = |(index, raw): (usize, &elf::Dyn64<LittleEndian>)| DynamicEntry {
            tag: raw.d_tag.get(LE),
            value: raw.d_val.get(LE),
            offset: start + index as u64 * entry,
        };
        Ok(entries[..end].iter().enumerate().map(read).collect())
    }

    /// Checks that every table named by the dynamic segment is loaded, and of the kind expected.
    fn check_dynamic(&self) -> Result<(), ImageError> {
        if let Some(flags) = self.entry(elf::DT_FLAGS_1)
            && elf::DynamicFlags1(flags.value).contains(elf::DF_1_PIE)
        {
            return Err(ImageError::Executable { name: self.name.to_owned(), offset: flags.offset });
        }
        for (what, tag, expected) in [
            ("dynamic symbol size (DT_SYMENT)", elf::DT_SYMENT, SYMBOL_SIZE),
            ("relocation size (DT_RELAENT)", elf::DT_RELAENT, size_of::<elf::Rela64<LittleEndian>>() as u64),
        ] {
            if let Some(entry) = self.entry(tag).filter(|entry| entry.value != expected) {
                return Err(self.malformed(what, entry.offset, format!("{} instead of {expected}", entry.value)));
            }
        }
        for (what, table, size) in [
            ("string table (DT_STRTAB)", elf::DT_STRTAB, elf::DT_STRSZ),
            ("relocation table (DT_RELA)", elf::DT_RELA, elf::DT_RELASZ),
            ("relocation table (DT_JMPREL)", elf::DT_JMPREL, elf::DT_PLTRELSZ),
            ("initialisers (DT_INIT_ARRAY)", elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ),
            ("finalisers (DT_FINI_ARRAY)", elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ),
        ] {
            self.dynamic_table(what, table, size)?;
        }
        if self.entry(elf::DT_SYMTAB).is_none() || self.entry(elf::DT_STRTAB).is_none() {
            let offset = self.dynamic.first().map_or(0, |entry| entry.offset);
            return Err(self.malformed("dynamic segment", offset, "no symbol table or no string table"));
        }
        Ok(())
    }

    pub(super) fn entry(&self, tag: elf::DynamicTag) -> Option<DynamicEntry> {
        self.dynamic.iter().rev().find(|entry| entry.tag == tag).copied()
    }

    pub(super) fn dynamic_table(
        &self,
        what: &'static str,
        table: elf::DynamicTag,
        size: elf::DynamicTag,
    ) -> Result<Option<&'data [u8]>, ImageError> {
        let Some(table) = self.entry(table) else { return Ok(None) };
        let size = self.entry(size).map_or(0, |entry| entry.value);
        if size == 0 {
            return Ok(Some(&[]));
        }
        match self.loaded(table.value, size) {
            Some(range) => Ok(Some(&self.bytes[range])),
            None => {
                let detail = format!("{size:#x} bytes at address {:#x} are not in a loaded segment", table.value);
                Err(self.malformed(what, table.offset, detail))
            }
        }
    }

    /// Whether the object may only be loaded at start (`DF_STATIC_TLS`).
    pub(super) fn static_tls(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS).map_or(0, |entry| entry.value);
        elf::DynamicFlags(flags).contains(elf::DF_STATIC_TLS)
    }

    /// Whether its own definitions serve its references before anybody else's (`DF_SYMBOLIC`).
    pub(super) fn symbolic(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS).map_or(0, |entry| entry.value);
        elf::DynamicFlags(flags).contains(elf::DF_SYMBOLIC) || self.entry(elf::DT_SYMBOLIC).is_some()
    }

    /// Whether the object asks never to be unloaded.
    pub(super) fn no_delete(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS_1).map_or(0, |entry| entry.value);
        elf::DynamicFlags1(flags).contains(elf::DF_1_NODELETE)
    }

    /// The libraries it needs, in order.
    pub(super) fn needed(&self) -> Result<Vec<&'data [u8]>, ImageError> {
        let needed = self.dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
        needed.map(|entry| self.string("name of a needed library (DT_NEEDED)", entry.value, entry.offset)).collect()
    }

    /// Its own name.
    pub(super) fn soname(&self) -> Result<Option<&'data [u8]>, ImageError> {
        let name = |entry: DynamicEntry| self.string("object's own name (DT_SONAME)", entry.value, entry.offset);
        self.entry(elf::DT_SONAME).map(name).transpose()
    }

    fn string(&self, what: &'static str, index: u64, offset: u64) -> Result<&'data [u8], ImageError> {
        string_at(self.strings, index).ok_or_else(|| {
            let detail = format!("string {index:#x} of a table of {:#x} bytes", self.strings.len());
            self.malformed(what, offset, detail)
        })
    }

    // ---- dynamic symbols --------------------------------------------------------------------------------------------

    /// The dynamic symbols, without the first, which stands for none.
    pub(super) fn dynamic_symbols(&self) -> Result<Vec<DynamicSymbol<'data>>, ImageError> {
        let table = self.dynamic_symbol_table()?;
        let start = table.start as usize;
        let mut budget = table.name_budget();
        let mut read = Vec::with_capacity(table.symbols.len());
        for (index, raw) in table.symbols.iter().enumerate().skip(1) {
            let offset = start + index * SYMBOL_SIZE as usize;
            let symbol = Symbol::new(raw);
            let name = self.string("dynamic symbol", u64::from(symbol.name_offset), offset as u64)?;
            budget = budget
                .checked_sub(name.len())
                .ok_or_else(|| self.malformed("dynamic symbol", offset as u64, "its name overlaps too many others"))?;
            read.push(DynamicSymbol { index, name, symbol, info_offset: offset + SYMBOL_INFO });
        }
        Ok(read)
    }

    /// The dynamic symbol table and its strings.
    pub(super) fn dynamic_symbol_table(&self) -> Result<SymbolTable<'data>, ImageError> {
        let strings = self.strings;
        let Some(table) = self.entry(elf::DT_SYMTAB) else { return Ok(SymbolTable::EMPTY) };
        let count = self.dynamic_symbol_count(table)?;
        match self.loaded(table.value, u64::from(count) * SYMBOL_SIZE) {
            Some(range) => {
                let symbols = self.bytes[range.clone()].read_slice_at(0, count as usize).unwrap_or(&[]);
                Ok(SymbolTable { symbols, strings, start: range.start as u64 })
            }
            None => {
                let detail = format!("{count} symbols at address {:#x} are not in a loaded segment", table.value);
                Err(self.malformed("dynamic symbol table (DT_SYMTAB)", table.offset, detail))
            }
        }
    }

    /// How many dynamic symbols there are. The dynamic segment does not say; a hash table does, unless it is a GNU one
    /// of an object that exports nothing. Then the section header does, or what the relocations refer to.
    fn dynamic_symbol_count(&self, table: DynamicEntry) -> Result<u32, ImageError> {
        if let Some(hash) = self.entry(elf::DT_HASH) {
            let parsed = self.loaded_from(hash.value).and_then(|data| HashTable::<Header>::parse(LE, data).ok());
            let Some(parsed) = parsed else {
                return Err(self.malformed("hash table (DT_HASH)", hash.offset, "it does not fit into its segment"));
            };
            return Ok(parsed.symbol_table_length());
        }
        if let Some(hash) = self.entry(elf::DT_GNU_HASH) {
            let parsed = self.loaded_from(hash.value).and_then(|data| GnuHashTable::<Header>::parse(LE, data).ok());
            let Some(parsed) = parsed else {
                let detail = "it does not fit into its segment";
                return Err(self.malformed("hash table (DT_GNU_HASH)", hash.offset, detail));
            };
            if let Some(count) = parsed.symbol_table_length(LE) {
                return Ok(count);
            }
        }
        let section = self
            .sections
            .iter()
            .find(|section| section.sh_type.get(LE) == elf::SHT_DYNSYM && section.sh_addr.get(LE) == table.value);
        match section {
            Some(section) => Ok(u32::try_from(section.sh_size.get(LE) / SYMBOL_SIZE).unwrap_or(u32::MAX)),
            None => self.last_relocated_symbol().map(|last| last.saturating_add(1)),
        }
    }

    fn last_relocated_symbol(&self) -> Result<u32, ImageError> {
        Ok(self.relocations()?.map(|relocation| relocation.symbol).fold(0, u32::max))
    }

    /// What the dynamic linker writes once it knows where everything is: data first, then words for calls.
    pub(super) fn relocations(&self) -> Result<impl Iterator<Item = Relocation> + use<'data>, ImageError> {
        let table = |table, size| -> Result<&'data [elf::Rela64<LittleEndian>], ImageError> {
            let bytes = self.dynamic_table("relocation table", table, size)?.unwrap_or(&[]);
            let count = bytes.len() / size_of::<elf::Rela64<LittleEndian>>();
            Ok(bytes.read_slice_at(0, count).unwrap_or(&[]))
        };
        let (data, calls) = (table(elf::DT_RELA, elf::DT_RELASZ)?, table(elf::DT_JMPREL, elf::DT_PLTRELSZ)?);
        Ok(data.iter().chain(calls).map(|raw| Relocation {
            offset: raw.r_offset.get(LE),
            kind: raw.r_type(LE, false).0,
            symbol: raw.r_sym(LE, false),
            addend: raw.r_addend.get(LE),
        }))
    }

    /// For each dynamic symbol, the index of its version; shorter than the symbol table or empty if there are none.
    pub(super) fn symbol_versions(&self) -> Result<Vec<u16>, ImageError> {
        let Some(versions) = self.entry(elf::DT_VERSYM) else { return Ok(Vec::new()) };
        let size = self.dynamic_symbol_table()?.symbols.len() as u64 * 2;
        let Some(range) = self.loaded(versions.value, size) else {
            let detail = format!("{size:#x} bytes at address {:#x} are not in a loaded segment", versions.value);
            return Err(self.malformed("symbol versions (DT_VERSYM)", versions.offset, detail));
        };
        let index = |bytes: &[u8; 2]| u16::from_le_bytes(*bytes) & elf::VERSYM_VERSION;
        Ok(self.bytes[range].as_chunks().0.iter().map(index).collect())
    }

    /// The versions it needs of other libraries, by version index.
    pub(super) fn needed_versions(&self) -> Result<HashMap<u16, NeededVersion<'data>>, ImageError> {
        let mut versions = HashMap::new();
        let Some(first) = self.entry(elf::DT_VERNEED) else { return Ok(versions) };
        let what = "needed versions (DT_VERNEED)";
        let broken = |detail: &str| self.malformed(what, first.offset, detail);
        let outside = || broken("an entry is not in a loaded segment");
        let (mut address, mut entries) = (first.value, 0);
        for _ in 0..self.entry(elf::DT_VERNEEDNUM).map_or(0, |entry| entry.value) {
            let need: &elf::Verneed<LittleEndian> = self.read_loaded(address).ok_or_else(outside)?;
            let library = self.string(what, u64::from(need.vn_file.get(LE)), first.offset)?;
            let mut aux_address = address + u64::from(need.vn_aux.get(LE));
            for _ in 0..need.vn_cnt.get(LE) {
                let aux: &elf::Vernaux<LittleEndian> = self.read_loaded(aux_address).ok_or_else(outside)?;
                let version = self.string(what, u64::from(aux.vna_name.get(LE)), first.offset)?;
                versions.insert(aux.vna_other.get(LE).0 & elf::VERSYM_VERSION, NeededVersion { version, library });
                entries += 1;
                if entries > MOST_VERSIONS {
                    return Err(broken("more versions than there are indexes"));
                }
                match aux.vna_next.get(LE) {
                    0 => break,
                    next => aux_address += u64::from(next),
                }
            }
            match need.vn_next.get(LE) {
                0 => break,
                next => address += u64::from(next),
            }
        }
        Ok(versions)
    }

    fn read_loaded<T: object::pod::Pod>(&self, address: u64) -> Option<&'data T> {
        let range = self.loaded(address, size_of::<T>() as u64)?;
        self.bytes.read_at(range.start as u64).ok()
    }
}

/// Checks what a shared object says of itself in its first 64 bytes.
fn check_identity<'data>(name: &str, bytes: &'data [u8]) -> Result<&'data Header, ImageError> {
    let header = check_machine(name, bytes)?;
    let found = match header.e_type.get(LE) {
        elf::ET_DYN => return Ok(header),
        elf::ET_REL => "an unlinked object file".to_owned(),
        elf::ET_EXEC => "an executable".to_owned(),
        elf::ET_CORE => "a core dump".to_owned(),
        other => format!("file type {}", other.0),
    };
    Err(ImageError::NotSharedObject { name: name.to_owned(), found })
}

/// Checks that the first 64 bytes of a file are those of something for this machine.
pub(super) fn check_machine<'data>(name: &str, bytes: &'data [u8]) -> Result<&'data Header, ImageError> {
    let owned = || name.to_owned();
    let host = Machine::HOST;
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ImageError::NotElf { name: owned(), found: describe_beginning(bytes) });
    }
    let Ok(header) = bytes.read_at::<Header>(0) else {
        return Err(truncated(name, bytes, "the file header", 0, HEADER_SIZE));
    };
    match header.e_ident.class {
        elf::ELFCLASS64 => {}
        elf::ELFCLASS32 => return Err(ImageError::WrongClass { name: owned(), found: "32-bit".to_owned(), host }),
        other => return Err(ImageError::WrongClass { name: owned(), found: format!("class {}", other.0), host }),
    }
    match header.e_ident.data {
        elf::ELFDATA2LSB => {}
        elf::ELFDATA2MSB => {
            return Err(ImageError::WrongByteOrder { name: owned(), found: "a big-endian object".to_owned(), host });
        }
        other => {
            let found = format!("byte order {}", other.0);
            return Err(ImageError::WrongByteOrder { name: owned(), found, host });
        }
    }
    let found = Machine(header.e_machine.get(LE).0);
    if found != host {
        return Err(ImageError::WrongMachine { name: owned(), found, host });
    }
    Ok(header)
}

/// What a file that is no ELF file begins with, in the words that help most.
fn describe_beginning(bytes: &[u8]) -> String {
    match bytes {
        [] => "it is empty".to_owned(),
        bytes if bytes.starts_with(b"!<arch>\n") => "a static library".to_owned(),
        bytes if bytes.starts_with(b"#!") => "a script".to_owned(),
        bytes => {
            let first: Vec<_> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("bytes {}", first.join(" "))
        }
    }
}

fn truncated(name: &str, bytes: &[u8], what: &str, start: u64, size: u64) -> ImageError {
    let end = start.saturating_add(size);
    ImageError::Truncated { name: name.to_owned(), what: what.to_owned(), start, end, file_size: bytes.len() as u64 }
}

/// The string that begins at `index` and ends with a zero byte.
fn string_at(strings: &[u8], index: u64) -> Option<&[u8]> {
    let tail = strings.get(usize::try_from(index).ok()?..)?;
    tail.get(..tail.iter().position(|byte| *byte == 0)?)
}
