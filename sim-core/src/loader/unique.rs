//! Objects that can be unloaded: unique symbols made global.
//!
//! A namespace has one definition of a symbol with binding `STB_GNU_UNIQUE`, shared by all its objects, and the object
//! that defines it is never unloaded, nor is anything it needs. The C++ compiler gives this binding to static data of
//! templates and inline functions; libstdc++ has over a hundred. A namespace with such an object is lost for good, and
//! there are only fifteen. As a global symbol each namespace has its own definition and can be closed.

use object::elf;

use super::elf::{DynamicSymbol, Elf};
use super::image_error::ImageError;
use super::preparation::Patch;

/// What makes global symbols of the unique ones among an object's.
pub(super) fn unique_bindings(symbols: &[DynamicSymbol<'_>]) -> Vec<Patch> {
    let unique = symbols.iter().filter(|symbol| symbol.symbol.bind == elf::STB_GNU_UNIQUE);
    unique.map(|symbol| (symbol.info_offset, elf::STB_GLOBAL.0 << 4 | symbol.symbol.kind.0)).collect()
}

/// Refuses a copy that the changes have made another object: tables of a hostile one lie on top of each other.
pub(super) fn check(name: &str, copy: &[u8]) -> Result<(), ImageError> {
    let changed = Elf::open(name, copy)?;
    match changed.dynamic_symbols()?.iter().find(|symbol| symbol.symbol.bind == elf::STB_GNU_UNIQUE) {
        None => Ok(()),
        Some(symbol) => {
            let detail = "it lies on top of what says where it is";
            Err(changed.malformed("dynamic symbol table", symbol.info_offset as u64, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::image::CodeImage;
    use crate::loader::test_objects::{Language, shared_object};

    /// A copy without unique symbols, and how many there were.
    fn without_unique(name: &str, bytes: &[u8]) -> Result<(Vec<u8>, usize), ImageError> {
        let (patches, mut copy) = (unique_bindings(&Elf::open(name, bytes)?.dynamic_symbols()?), bytes.to_vec());
        patches.iter().for_each(|(at, byte)| copy[*at] = *byte);
        Ok((copy, patches.len()))
    }

    const COUNTERS: &str = "template <int N> struct Counter { static int value; };
        template <int N> int Counter<N>::value = N;
        extern \"C\" int sum() { return ++Counter<1>::value + ++Counter<2>::value; }";

    #[test]
    fn are_unique_symbols_made_global_and_nothing_else_changed() {
        let bytes = shared_object(Language::Cxx, COUNTERS, &["-fgnu-unique"]);
        let before = CodeImage::parse("c.so", &bytes).expect("a loadable object");
        assert_eq!(before.unique_symbols, ["_ZN7CounterILi1EE5valueE", "_ZN7CounterILi2EE5valueE"]);

        let (copy, changed) = without_unique("c.so", &bytes).expect("a loadable object");
        assert_eq!(changed, 2);
        let after = CodeImage::parse("c.so", &copy).expect("a loadable object");
        assert_eq!(after.unique_symbols, [] as [&str; 0]);
        assert_eq!((after.exports, after.imports), (before.exports, before.imports));
        let changed: Vec<_> = bytes.iter().zip(&copy).filter(|(old, new)| old != new).collect();
        // Unique data to global data.
        assert_eq!(changed, [(&0xa1, &0x11), (&0xa1, &0x11)]);
    }

    #[test]
    fn is_an_object_without_unique_symbols_copied_as_it_is() {
        let bytes = shared_object(Language::Cxx, COUNTERS, &["-fno-gnu-unique"]);
        assert_eq!(without_unique("c.so", &bytes), Ok((bytes, 0)));
    }

    #[test]
    fn is_a_symbol_with_a_name_outside_the_strings_refused() {
        let bytes = shared_object(Language::Cxx, COUNTERS, &["-fgnu-unique"]);
        let unique = Elf::open("c.so", &bytes).and_then(|elf| elf.dynamic_symbols()).expect("a loadable object");
        let info =
            unique.iter().find(|symbol| symbol.symbol.bind == elf::STB_GNU_UNIQUE).expect("a symbol").info_offset;
        let mut broken = bytes.clone();
        broken[info - 4..info].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = without_unique("c.so", &broken).expect_err("it is malformed").to_string();
        let expected =
            format!("c.so: malformed dynamic symbol at offset {:#x}: string 0xffffffff of a table", info - 4);
        assert!(error.starts_with(&expected), "{error}");
    }
}
