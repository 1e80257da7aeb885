//! Objects that can be unloaded: unique symbols made global.
//!
//! The process has one definition of a symbol with binding `STB_GNU_UNIQUE`, shared by all namespaces, and the object
//! that defines it is never unloaded, nor is anything it needs. The C++ compiler gives this binding to static data of
//! templates and inline functions; libstdc++ has over a hundred. A namespace with such an object is lost for good, and
//! there are only fifteen. As a global symbol each namespace has its own definition and can be closed.

use object::elf;

use super::elf::Elf;
use super::image_error::ImageError;

/// A copy of an object in which no symbol is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutUnique {
    /// The bytes of the copy.
    pub bytes: Vec<u8>,
    /// How many symbols were made global.
    pub changed: usize,
}

/// Copies the object in `bytes` with its unique symbols made global; refuses one that could not be loaded.
pub fn without_unique(name: &str, bytes: &[u8]) -> Result<WithoutUnique, ImageError> {
    let elf = Elf::open(name, bytes)?;
    let mut copy = WithoutUnique { bytes: bytes.to_vec(), changed: 0 };
    for symbol in elf.dynamic_symbols()? {
        if symbol.symbol.bind == elf::STB_GNU_UNIQUE {
            copy.bytes[symbol.info_offset] = elf::STB_GLOBAL.0 << 4 | symbol.symbol.kind.0;
            copy.changed += 1;
        }
    }
    Ok(copy)
}
