//! Mirrors: the names of an object that is loaded, without its code. Each leads to where it is in the base namespace.
//!
//! A mirror has the tables of the original as they are, with every version of every symbol; only the symbols' values
//! are other ones: absolute addresses of this process. What the process would find first under a name, such as an
//! allocator of its own, is what the name leads to.

use std::ffi::{CStr, CString, c_void};

use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, elf};

use super::super::load_error::LoadError;
use super::data_object;

type Header = elf::FileHeader64<LittleEndian>;

const LE: LittleEndian = LittleEndian;
const SYMBOL_SIZE: u64 = 24;

/// The dynamic linker calls it in every C library that it loads. The one of this process has had its call.
const INITIALISER: &[u8] = b"__libc_early_init";

extern "C" fn initialised_already(_initial: bool) {}

/// The bytes of a mirror of the object that is open as `handle`, whose file has these bytes.
pub(super) fn mirror(name: &str, bytes: &[u8], handle: *mut c_void) -> Result<Vec<u8>, LoadError> {
    let unusual = |detail: &str| LoadError::Mirror { name: name.to_owned(), detail: detail.to_owned() };
    let broken = |error: object::Error| LoadError::Mirror { name: name.to_owned(), detail: error.to_string() };
    let header = Header::parse(bytes).map_err(broken)?;
    let segments = header.program_headers(LE, bytes).map_err(broken)?;
    let first = segments.iter().find(|segment| segment.p_type(LE) == elf::PT_LOAD);
    let first = first.filter(|first| first.p_offset(LE) == 0 && first.p_vaddr(LE) == 0);
    let first = first.ok_or_else(|| unusual("its first segment is not the beginning of the file"))?;
    let end = first.p_filesz(LE) as usize;
    let mut mirror = bytes.get(..end).ok_or_else(|| unusual("it is shorter than its first segment"))?.to_vec();

    let sections = header.sections(LE, bytes).map_err(broken)?;
    let symbols = sections.symbols(LE, bytes, elf::SHT_DYNSYM).map_err(broken)?;
    let versions = sections.versions(LE, bytes).map_err(broken)?.unwrap_or_default();
    let table = sections.iter().find(|section| section.sh_type(LE) == elf::SHT_DYNSYM);
    let table = table.map(|table| table.sh_offset(LE)).filter(|table| {
        let size = symbols.len() as u64 * SYMBOL_SIZE;
        table.checked_add(size).is_some_and(|after| after <= end as u64)
    });
    let table = table.ok_or_else(|| unusual("its symbols are not in its first segment"))?;
    // Those of versions are no addresses.
    let has_address =
        |symbol: &elf::Sym64<LittleEndian>| ![elf::SHN_UNDEF, elf::SHN_ABS].contains(&symbol.st_shndx(LE));
    for (index, symbol) in symbols.enumerate().filter(|(_, symbol)| has_address(symbol)) {
        let text = symbol.name(LE, symbols.strings()).map_err(broken)?;
        let version = versions.version_index(LE, index);
        let address = if symbol.st_type() == elf::STT_TLS {
            // Storage of threads has no address. Only parts of the C library share some with one another.
            0
        } else if text == INITIALISER {
            initialised_already as *const () as usize
        } else {
            let version_name = versions.version(version.index()).map_err(broken)?.map(|version| version.name());
            address_of(handle, text, version_name, version.is_hidden())
        };
        let at = (table + index.0 as u64 * SYMBOL_SIZE) as usize;
        write_symbol(&mut mirror[at..at + SYMBOL_SIZE as usize], symbol, address);
    }

    let dynamic = dynamic_entries(header, bytes).map_err(broken)?;
    Ok(data_object::finish(mirror, &dynamic))
}

/// What a name of the object leads to in this process; 0 if to nothing.
fn address_of(handle: *mut c_void, name: &[u8], version: Option<&[u8]>, hidden: bool) -> usize {
    let Ok(name) = CString::new(name) else { return 0 };
    let found = |handle: *mut c_void, version: Option<&CStr>| {
        // SAFETY: the handle is open, and the names are strings.
        let address = unsafe {
            match version {
                Some(version) => libc::dlvsym(handle, name.as_ptr(), version.as_ptr()),
                None => libc::dlsym(handle, name.as_ptr()),
            }
        };
        address as usize
    };
    let everybodys = if hidden { 0 } else { found(libc::RTLD_DEFAULT, None) };
    if everybodys != 0 {
        return everybodys;
    }
    let version = version.and_then(|version| CString::new(version).ok());
    found(handle, version.as_deref())
}

/// Makes a symbol an absolute one, or one that is not defined.
fn write_symbol(raw: &mut [u8], symbol: &elf::Sym64<LittleEndian>, address: usize) {
    // What finds the best of several functions has done so.
    let kind = if symbol.st_type() == elf::STT_GNU_IFUNC { elf::STT_FUNC } else { symbol.st_type() };
    let (kind, section) = if address == 0 { (elf::STT_NOTYPE, elf::SHN_UNDEF) } else { (kind, elf::SHN_ABS) };
    raw[4] = symbol.st_bind().0 << 4 | kind.0;
    raw[6..8].copy_from_slice(&section.0.to_le_bytes());
    raw[8..16].copy_from_slice(&(address as u64).to_le_bytes());
}

/// What the dynamic section says of names.
fn dynamic_entries(header: &Header, bytes: &[u8]) -> object::Result<Vec<(elf::DynamicTag, u64)>> {
    const OF_NAMES: [elf::DynamicTag; 10] = [
        elf::DT_SONAME,
        elf::DT_STRTAB,
        elf::DT_STRSZ,
        elf::DT_SYMTAB,
        elf::DT_SYMENT,
        elf::DT_HASH,
        elf::DT_GNU_HASH,
        elf::DT_VERSYM,
        elf::DT_VERDEF,
        elf::DT_VERDEFNUM,
    ];
    let mut kept = Vec::new();
    for segment in header.program_headers(LE, bytes)? {
        for entry in segment.dynamic(LE, bytes)?.unwrap_or_default() {
            let tag = entry.d_tag.get(LE);
            if OF_NAMES.contains(&tag) {
                kept.push((tag, entry.d_val.get(LE)));
            }
        }
    }
    Ok(kept)
}
