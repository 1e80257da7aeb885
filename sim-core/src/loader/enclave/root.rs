//! The root of an enclave: an object that does nothing but need others. The first object of a namespace and what it
//! needs are the scope in which all objects of that namespace look first.

use std::ffi::CString;

use object::elf;

use super::data_object::{self, HEADERS};

pub(super) const NAME: &str = "libnpusim_enclave.so";

/// The bytes of an object that needs these, by their paths and in this order.
pub(super) fn needing(paths: &[CString]) -> Vec<u8> {
    let mut bytes = vec![0; HEADERS.next_multiple_of(8)];
    // One symbol, which stands for none, and a table in which it is not to be found.
    let symbols = bytes.len() as u64;
    bytes.extend([0; SYMBOL_SIZE]);
    let hashes = bytes.len() as u64;
    for word in [1_u32, 1, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    let strings = bytes.len() as u64;
    bytes.push(0);
    let mut name = |text: &[u8]| {
        let offset = bytes.len() as u64 - strings;
        bytes.extend(text);
        bytes.push(0);
        offset
    };
    let mut dynamic: Vec<_> = paths.iter().map(|path| (elf::DT_NEEDED, name(path.as_bytes()))).collect();
    dynamic.push((elf::DT_SONAME, name(NAME.as_bytes())));
    dynamic.extend([
        (elf::DT_STRTAB, strings),
        (elf::DT_STRSZ, bytes.len() as u64 - strings),
        (elf::DT_SYMTAB, symbols),
        (elf::DT_SYMENT, SYMBOL_SIZE as u64),
        (elf::DT_HASH, hashes),
    ]);
    data_object::finish(bytes, &dynamic)
}

const SYMBOL_SIZE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::image::CodeImage;

    #[test]
    fn what_does_a_root_need() {
        let paths = [c"/tmp/a.so".to_owned(), c"/b.so".to_owned()];
        let image = CodeImage::parse("root", &needing(&paths)).unwrap();
        assert_eq!(image.needed, ["/tmp/a.so", "/b.so"]);
        assert_eq!(image.soname.as_deref(), Some(NAME));
        assert_eq!((image.imports.len(), image.exports.len(), image.executable.len()), (0, 0, 0));
    }
}
