//! The dynamic segment: where the tables are, and what the object asks for.

use object::LittleEndian;
use object::elf;
use object::read::ReadRef;

use super::symbol_table::string_at;
use super::{Elf, Header, LE, SYMBOL_SIZE};
use crate::loader::image_error::ImageError;

/// An entry of the dynamic segment.
#[derive(Clone, Copy)]
pub(in crate::loader) struct DynamicEntry {
    tag: elf::DynamicTag,
    pub(in crate::loader) value: u64,
    pub(in crate::loader) offset: u64,
}

impl<'data> Elf<'data> {
    pub(super) fn read_dynamic(&self, header: &Header) -> Result<Vec<DynamicEntry>, ImageError> {
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
    pub(super) fn check_dynamic(&self) -> Result<(), ImageError> {
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

    pub(in crate::loader) fn entry(&self, tag: elf::DynamicTag) -> Option<DynamicEntry> {
        self.dynamic.iter().rev().find(|entry| entry.tag == tag).copied()
    }

    pub(in crate::loader) fn dynamic_table(
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
    pub(in crate::loader) fn static_tls(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS).map_or(0, |entry| entry.value);
        elf::DynamicFlags(flags).contains(elf::DF_STATIC_TLS)
    }

    /// Whether its own definitions serve its references before anybody else's (`DF_SYMBOLIC`).
    pub(in crate::loader) fn symbolic(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS).map_or(0, |entry| entry.value);
        elf::DynamicFlags(flags).contains(elf::DF_SYMBOLIC) || self.entry(elf::DT_SYMBOLIC).is_some()
    }

    /// Whether the object asks never to be unloaded.
    pub(in crate::loader) fn no_delete(&self) -> bool {
        let flags = self.entry(elf::DT_FLAGS_1).map_or(0, |entry| entry.value);
        elf::DynamicFlags1(flags).contains(elf::DF_1_NODELETE)
    }

    /// The libraries it needs, in order.
    pub(in crate::loader) fn needed(&self) -> Result<Vec<&'data [u8]>, ImageError> {
        let needed = self.dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
        needed.map(|entry| self.string("name of a needed library (DT_NEEDED)", entry.value, entry.offset)).collect()
    }

    /// Its own name.
    pub(in crate::loader) fn soname(&self) -> Result<Option<&'data [u8]>, ImageError> {
        let name = |entry: DynamicEntry| self.string("object's own name (DT_SONAME)", entry.value, entry.offset);
        self.entry(elf::DT_SONAME).map(name).transpose()
    }

    pub(super) fn string(&self, what: &'static str, index: u64, offset: u64) -> Result<&'data [u8], ImageError> {
        string_at(self.strings, index).ok_or_else(|| {
            let detail = format!("string {index:#x} of a table of {:#x} bytes", self.strings.len());
            self.malformed(what, offset, detail)
        })
    }
}
