//! Does a file export a symbol? For whoever has to know that of many files: little of each is read.

use std::io::{Read, Seek};

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};
use object::read::{ReadCache, ReadRef, SectionIndex};

use super::elf::{HEADER_SIZE, check_machine};

const LE: LittleEndian = LittleEndian;

/// Whether a file is an object for this machine that defines a symbol for others. One without section headers is
/// taken for none.
pub fn exports(file: impl Read + Seek, symbol: &[u8]) -> bool {
    find(&ReadCache::new(file), symbol).is_some()
}

fn find<R: Read + Seek>(file: &ReadCache<R>, symbol: &[u8]) -> Option<()> {
    let size = file.len().ok()?;
    let header = check_machine("", file.read_bytes_at(0, size.min(HEADER_SIZE)).ok()?).ok()?;
    let sections = header.sections(LE, file).ok()?;
    let table = sections.iter().find(|section| section.sh_type(LE) == elf::SHT_DYNSYM)?;
    let strings = sections.section(SectionIndex(table.sh_link(LE) as usize)).ok()?.data(LE, file).ok()?;
    // Nearly no object has the name at all.
    let text = [b"\0", symbol, b"\0"].concat();
    let name = strings.windows(text.len()).position(|window| window == text)? + 1;
    let symbols: &[elf::Sym64<LittleEndian>] = table.data_as_array(LE, file).ok()?;
    let mut named = symbols.iter().filter(|entry| entry.st_name(LE) as usize == name);
    named.any(|entry| entry.st_shndx(LE) != elf::SHN_UNDEF).then_some(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    #[test]
    fn which_symbols_does_a_file_export() {
        let source = "int used(void); int made(void) { return used(); } static int own(void) { return 1; }
            int (*table[])(void) = {own};";
        let bytes = shared_object(Language::C, source, &[]);
        let exported = |symbol: &str| exports(Cursor::new(&bytes), symbol.as_bytes());
        assert_eq!(["made", "table", "used", "own", "mad", ""].map(exported), [true, true, false, false, false, false]);
    }

    #[test]
    fn is_a_broken_file_taken_for_none() {
        let bytes = shared_object(Language::C, "int made(void) { return 1; }", &[]);
        for size in [0, 3, 63, 64, 500, bytes.len() - 1] {
            assert!(!exports(Cursor::new(&bytes[..size]), b"made"), "{size}");
        }
        assert!(!exports(Cursor::new(b"#!/bin/sh\necho made\n"), b"made"));
    }
}
