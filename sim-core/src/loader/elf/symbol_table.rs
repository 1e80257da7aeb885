//! Symbols as the file has them, and the table and strings they are from.

use object::elf;

use super::{LE, RawSymbol};

const MOST_NAME_BYTES_PER_STRING_BYTE: usize = 16;

/// A symbol, with its name not yet read.
#[derive(Clone, Copy)]
pub(in crate::loader) struct Symbol {
    pub(in crate::loader) name_offset: u32,
    pub(in crate::loader) bind: elf::SymbolBind,
    pub(in crate::loader) kind: elf::SymbolType,
    pub(in crate::loader) visibility: elf::SymbolVisibility,
    pub(in crate::loader) defined: bool,
    pub(in crate::loader) value: u64,
    pub(in crate::loader) size: u64,
}

impl Symbol {
    pub(super) fn new(raw: &RawSymbol) -> Self {
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

/// A symbol table and its strings.
#[derive(Clone, Copy)]
pub(in crate::loader) struct SymbolTable<'data> {
    pub(super) symbols: &'data [RawSymbol],
    pub(super) strings: &'data [u8],
    /// Where it begins in the file.
    pub(in crate::loader) start: u64,
}

impl<'data> SymbolTable<'data> {
    pub(super) const EMPTY: Self = SymbolTable { symbols: &[], strings: &[], start: 0 };

    pub(in crate::loader) fn iter(self) -> impl Iterator<Item = Symbol> + 'data {
        self.symbols.iter().map(Symbol::new)
    }

    /// How many bytes the names of this table may have together. Names share their ends, but a table in which they
    /// overlap more than this is made to exhaust memory.
    pub(in crate::loader) fn name_budget(self) -> usize {
        self.strings.len().saturating_mul(MOST_NAME_BYTES_PER_STRING_BYTE)
    }

    /// The name of a symbol of this table, `None` if it lies outside the strings.
    pub(in crate::loader) fn name(self, symbol: &Symbol) -> Option<&'data [u8]> {
        string_at(self.strings, u64::from(symbol.name_offset))
    }
}

/// The string that begins at `index` and ends with a zero byte.
pub(super) fn string_at(strings: &[u8], index: u64) -> Option<&[u8]> {
    let tail = strings.get(usize::try_from(index).ok()?..)?;
    tail.get(..tail.iter().position(|byte| *byte == 0)?)
}
