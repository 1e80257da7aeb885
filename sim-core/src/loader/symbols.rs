//! Which symbol an address of an object lies in.
//!
//! Taken from the full symbol table where there is one, so that functions with internal linkage have names too, and
//! from the dynamic symbols. Addresses are relative to the object's load address.

use std::borrow::Cow;
use std::fmt;

use object::elf;
use serde::Serialize;

use super::elf::{Elf, Symbol, SymbolTable};
use super::image_error::ImageError;

/// The functions and the data of an object, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolMap {
    functions: Vec<NamedRange>,
    data: Vec<NamedRange>,
}

/// A symbol and what it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedRange {
    pub(super) address: u64,
    /// 0 if not known.
    pub(super) size: u64,
    pub(super) name: String,
}

/// The most bytes of a name that help a reader. The encoding can blow up a short symbol to any length.
const MOST_READABLE: usize = 512;

/// A symbol as its source says it, if it is one of C++: `tmr::Scheduler::poll_cores()`.
pub fn readable(symbol: &str) -> Cow<'_, str> {
    // Results say little about a place, and most symbols have none.
    let options = cpp_demangle::DemangleOptions::default().no_return_type();
    demangled(symbol, &options).map_or_else(|| printable(symbol), Cow::Owned)
}

/// A name from a file as it can be shown: names may hold anything, also what moves the cursor of a terminal, and be of
/// any length.
pub fn printable(name: &str) -> Cow<'_, str> {
    let short = name.len() <= MOST_READABLE;
    if short && !name.contains(char::is_control) {
        return Cow::Borrowed(name);
    }
    let escaped = |letter: char| -> Box<dyn Iterator<Item = char>> {
        if letter.is_control() { Box::new(letter.escape_default()) } else { Box::new(std::iter::once(letter)) }
    };
    let shown = name.chars().take(MOST_READABLE).flat_map(escaped);
    Cow::Owned(shown.chain((!short).then_some('…')).collect())
}

/// The text that a C++ symbol stands for, unless it is longer than helps a reader.
pub(crate) fn demangled(symbol: &str, options: &cpp_demangle::DemangleOptions) -> Option<String> {
    if !symbol.starts_with("_Z") {
        // A function of C. The decoder would take `f` for the type float.
        return None;
    }
    let mut text = ShortText(String::new());
    cpp_demangle::Symbol::new(symbol).ok()?.structured_demangle(&mut text, options).ok()?;
    (!text.0.contains(char::is_control)).then_some(text.0)
}

/// Text that refuses to become longer than [`MOST_READABLE`].
struct ShortText(String);

impl fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MOST_READABLE {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// A place in an object, told by a symbol. Its text has the symbol as its source says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SymbolOffset {
    /// The symbol, as it is in the symbol table.
    pub symbol: String,
    /// Bytes from its start.
    pub offset: u64,
}

impl fmt::Display for SymbolOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = readable(&self.symbol);
        match self.offset {
            0 => f.write_str(&symbol),
            offset => write!(f, "{symbol}+{offset:#x}"),
        }
    }
}

impl SymbolMap {
    /// Reads the symbols of the object in `bytes`; refuses one that could not be loaded.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, ImageError> {
        SymbolMap::of(&Elf::open(name, bytes)?)
    }

    pub(super) fn of(elf: &Elf<'_>) -> Result<Self, ImageError> {
        let mut map = SymbolMap::default();
        for table in [elf.symbol_table(), Some(elf.dynamic_symbol_table()?)].into_iter().flatten() {
            map.add(elf, table)?;
        }
        for ranges in [&mut map.functions, &mut map.data] {
            // Of several names for one address the widest stays, and of those the first in the alphabet.
            ranges.sort_by(|a, b| (a.address, b.size, &a.name).cmp(&(b.address, a.size, &b.name)));
            ranges.dedup_by_key(|range| range.address);
        }
        Ok(map)
    }

    fn add(&mut self, elf: &Elf<'_>, table: SymbolTable<'_>) -> Result<(), ImageError> {
        let mut budget = table.name_budget();
        for symbol in table.iter().filter(is_placed) {
            let ranges = match symbol.kind {
                elf::STT_FUNC | elf::STT_GNU_IFUNC => &mut self.functions,
                elf::STT_OBJECT => &mut self.data,
                _ => continue,
            };
            let Some(name) = table.name(&symbol) else { continue };
            budget = budget
                .checked_sub(name.len())
                .ok_or_else(|| elf.malformed("symbol table", table.start, "its names overlap too much"))?;
            let name = String::from_utf8_lossy(name).into_owned();
            ranges.push(NamedRange { address: symbol.value, size: symbol.size, name });
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn with_functions(functions: Vec<NamedRange>) -> Self {
        SymbolMap { functions, data: Vec::new() }
    }

    pub(super) fn functions(&self) -> &[NamedRange] {
        &self.functions
    }

    /// The function that `address` lies in. A function of unknown size extends to the next one.
    pub fn function_at(&self, address: u64) -> Option<SymbolOffset> {
        locate(&self.functions, address)
    }

    /// The data that `address` lies in.
    pub fn data_at(&self, address: u64) -> Option<SymbolOffset> {
        locate(&self.data, address)
    }
}

fn is_placed(symbol: &Symbol) -> bool {
    symbol.defined && symbol.value != 0
}

fn locate(ranges: &[NamedRange], address: u64) -> Option<SymbolOffset> {
    let range = ranges[..ranges.partition_point(|range| range.address <= address)].last()?;
    let offset = address - range.address;
    let inside = range.size == 0 || offset < range.size;
    inside.then(|| SymbolOffset { symbol: range.name.clone(), offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_place_in_cxx_code_told_as_in_its_source() {
        let place = |symbol: &str, offset| SymbolOffset { symbol: symbol.to_owned(), offset }.to_string();
        assert_eq!(place("_ZN3tmr9Scheduler10poll_coresEv", 0x6f), "tmr::Scheduler::poll_cores()+0x6f");
        assert_eq!(place("_Z16reg_load_acquirePVKj", 0), "reg_load_acquire(unsigned int const volatile*)");
        assert_eq!(place("kernel_entry", 0xe), "kernel_entry+0xe");
        assert_eq!(place("f", 2), "f+0x2");
        assert_eq!(place("_Znonsense", 1), "_Znonsense+0x1");
    }

    #[test]
    fn does_a_hostile_name_reach_a_terminal_as_it_is() {
        assert_eq!(printable("a\n\x1b[2Jb"), "a\\n\\u{1b}[2Jb");
        assert_eq!(readable("f\tg"), "f\\tg");
        assert_eq!(printable("é+0x1"), "é+0x1");
        let long = "x".repeat(MOST_READABLE + 1);
        assert_eq!(printable(&long), format!("{}…", &long[1..]));
    }

    #[test]
    fn does_a_symbol_that_stands_for_endless_text_stay_as_it_is() {
        // Each level names the one before twice.
        let nested = |levels: &str| {
            let level = |(index, name): (usize, char)| format!("1{name}IS{0:X}_S{0:X}_E", 2 * index);
            format!("_Z1f1aIiiE{}", levels.chars().enumerate().map(level).collect::<String>())
        };
        assert_eq!(readable(&nested("b")), "f(a<int, int>, b<a<int, int>, a<int, int> >)");
        let endless = nested("bcdefgh");
        assert_eq!(readable(&endless), endless);
    }
}
