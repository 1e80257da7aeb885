//! What the dynamic linker binds: symbols, the words it fills in, and versions.

use std::collections::HashMap;

use object::LittleEndian;
use object::elf;
use object::read::ReadRef;
use object::read::elf::{GnuHashTable, HashTable};

use super::symbol_table::{Symbol, SymbolTable};
use super::{DynamicEntry, Elf, Header, LE, SYMBOL_SIZE};
use crate::loader::image_error::ImageError;

/// Where `st_info` lies in a symbol.
const SYMBOL_INFO: usize = 4;
/// Version indexes have 15 bits.
const MOST_VERSIONS: usize = 1 << 15;

/// A symbol of the dynamic symbol table.
pub(in crate::loader) struct DynamicSymbol<'data> {
    pub(in crate::loader) index: usize,
    pub(in crate::loader) name: &'data [u8],
    pub(in crate::loader) symbol: Symbol,
    /// Where its binding and type are in the file.
    pub(in crate::loader) info_offset: usize,
}

/// Which version of which library a symbol is taken from.
#[derive(Clone, Copy)]
pub(in crate::loader) struct NeededVersion<'data> {
    pub(in crate::loader) version: &'data [u8],
    pub(in crate::loader) library: &'data [u8],
}

/// A word that the dynamic linker fills in.
#[derive(Clone, Copy)]
pub(in crate::loader) struct Relocation {
    /// Where the word is, from the load address.
    pub(in crate::loader) offset: u64,
    /// What is written; the numbers are the machine's own.
    pub(in crate::loader) kind: u32,
    /// The index of the symbol whose address is meant, 0 for none.
    pub(in crate::loader) symbol: u32,
    /// Added to it.
    pub(in crate::loader) addend: i64,
}

impl<'data> Elf<'data> {
    /// The dynamic symbols, without the first, which stands for none.
    pub(in crate::loader) fn dynamic_symbols(&self) -> Result<Vec<DynamicSymbol<'data>>, ImageError> {
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
    pub(in crate::loader) fn dynamic_symbol_table(&self) -> Result<SymbolTable<'data>, ImageError> {
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
    pub(super) fn dynamic_symbol_count(&self, table: DynamicEntry) -> Result<u32, ImageError> {
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

    pub(super) fn last_relocated_symbol(&self) -> Result<u32, ImageError> {
        Ok(self.relocations()?.map(|relocation| relocation.symbol).fold(0, u32::max))
    }

    /// What the dynamic linker writes once it knows where everything is: data first, then words for calls.
    pub(in crate::loader) fn relocations(&self) -> Result<impl Iterator<Item = Relocation> + use<'data>, ImageError> {
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
    pub(in crate::loader) fn symbol_versions(&self) -> Result<Vec<u16>, ImageError> {
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
    pub(in crate::loader) fn needed_versions(&self) -> Result<HashMap<u16, NeededVersion<'data>>, ImageError> {
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

    pub(super) fn read_loaded<T: object::pod::Pod>(&self, address: u64) -> Option<&'data T> {
        let range = self.loaded(address, size_of::<T>() as u64)?;
        self.bytes.read_at(range.start as u64).ok()
    }
}
