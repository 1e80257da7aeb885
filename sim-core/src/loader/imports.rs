//! Imports of an object that is loaded already: through which words it reaches them, and how to lead them elsewhere.
//!
//! Code that was built for another platform layer calls functions of the C library, of libstdc++ and of its own which
//! the simulator has to answer. Such an object is loaded as it is; then the words through which it calls (its global
//! offset table, and the tables of virtual functions) are pointed at the simulator's functions. Nobody else's calls
//! change, so the rest of the process pays nothing.

use std::ffi::c_void;
use std::io;
use std::ops::Range;

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, ObjectSymbolTable, RelocationFlags, RelocationTarget};

use super::image_error::ImageError;

/// A word of an object through which it reaches an imported symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSlot {
    /// The symbol. One that the object itself exports can be imported as well.
    pub symbol: String,
    /// Offset of the word from the load address.
    pub offset: u64,
    /// Whether the word serves calls alone, so that the symbol is a function. It is bound only by the first call, unless
    /// the object was opened with `RTLD_NOW`.
    pub call: bool,
}

/// The words through which an object reaches functions by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSlots {
    /// In the order of the object.
    pub slots: Vec<ImportSlot>,
    /// What the dynamic linker write-protects after relocation.
    protected: Range<u64>,
}

/// Whether a relocation makes a word the address of a symbol, and whether that serves calls alone.
fn slot_kind(flags: RelocationFlags) -> Option<bool> {
    let RelocationFlags::Elf { r_type } = flags else { return None };
    #[cfg(target_arch = "aarch64")]
    use object::elf::{R_AARCH64_ABS64 as ABSOLUTE, R_AARCH64_GLOB_DAT as DATA, R_AARCH64_JUMP_SLOT as CALL};
    #[cfg(target_arch = "x86_64")]
    use object::elf::{R_X86_64_64 as ABSOLUTE, R_X86_64_GLOB_DAT as DATA, R_X86_64_JUMP_SLOT as CALL};
    match r_type {
        ABSOLUTE | DATA => Some(false),
        CALL => Some(true),
        _ => None,
    }
}

impl ImportSlots {
    /// Those of the object with these bytes.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<ImportSlots, ImageError> {
        let malformed = |detail: object::Error| ImageError::Malformed {
            name: name.to_owned(),
            what: "dynamic relocations",
            offset: 0,
            detail: detail.to_string(),
        };
        let file: ElfFile64<'_, Endianness> = ElfFile64::parse(bytes).map_err(malformed)?;
        let protected = protected_range(&file, bytes).map_err(malformed)?;
        let (Some(relocations), Some(symbols)) = (file.dynamic_relocations(), file.dynamic_symbol_table()) else {
            return Ok(ImportSlots { slots: Vec::new(), protected });
        };
        let mut slots = Vec::new();
        for (offset, relocation) in relocations {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let (Some(call), 0) = (slot_kind(relocation.flags()), relocation.addend()) else { continue };
            let symbol = symbols.symbol_by_index(index).and_then(|symbol| symbol.name()).map_err(malformed)?;
            slots.push(ImportSlot { symbol: symbol.to_owned(), offset, call });
        }
        Ok(ImportSlots { slots, protected })
    }

    /// The symbols that it calls through words of their own: functions.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|slot| slot.call).map(|slot| slot.symbol.as_str())
    }

    /// Leads imports elsewhere: `redirect` is given each symbol and the address it is bound to, and says where it
    /// shall lead, if anywhere else. Returns how many words changed.
    ///
    /// # Safety
    ///
    /// The object with these slots must be loaded at `load_address`, no other thread may run its code meanwhile, and
    /// what `redirect` gives must be callable in place of the symbol.
    pub unsafe fn redirect(
        &self,
        load_address: usize,
        mut redirect: impl FnMut(&ImportSlot, usize) -> Option<usize>,
    ) -> io::Result<usize> {
        let mut changed = 0;
        for slot in &self.slots {
            let word = (load_address + slot.offset as usize) as *mut usize;
            // SAFETY: the slot is a word of the object's data, which is mapped.
            let bound = unsafe { word.read_volatile() };
            let Some(target) = redirect(slot, bound) else { continue };
            if target == bound {
                continue;
            }
            let page = Page::of(word as usize);
            page.protect(libc::PROT_READ | libc::PROT_WRITE)?;
            // SAFETY: as above; the page can be written to now.
            unsafe { word.write_volatile(target) };
            if self.protected.contains(&(slot.offset)) {
                page.protect(libc::PROT_READ)?;
            }
            changed += 1;
        }
        Ok(changed)
    }
}

/// The whole pages that are write-protected after relocation.
fn protected_range(file: &ElfFile64<'_, Endianness>, bytes: &[u8]) -> object::Result<Range<u64>> {
    let endian = file.endian();
    let segments = file.elf_header().program_headers(endian, bytes)?;
    let relro = segments.iter().find(|segment| segment.p_type(endian) == object::elf::PT_GNU_RELRO);
    Ok(relro.map_or(0..0, |segment| {
        let end = segment.p_vaddr(endian).saturating_add(segment.p_memsz(endian));
        segment.p_vaddr(endian)..end & !(rustix::param::page_size() as u64 - 1)
    }))
}

/// A page of an object's data.
struct Page(*mut c_void);

impl Page {
    fn of(address: usize) -> Page {
        Page((address & !(rustix::param::page_size() - 1)) as *mut c_void)
    }

    fn protect(&self, flags: i32) -> io::Result<()> {
        // SAFETY: the page belongs to the data of a loaded object, whose words stay readable.
        let status = unsafe { libc::mprotect(self.0, rustix::param::page_size(), flags) };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    const SOURCE: &str = "
        #include <unistd.h>
        int own(int x) { return x + 1; }
        int (*table[])(int) = {own};
        int calls_own(void) { return own(1); }
        int calls_libc(void) { return getpid(); }
        int calls_by_table(void) { return table[0](1); }";

    extern "C" fn forty_two() -> i32 {
        42
    }

    #[test]
    fn do_calls_lead_elsewhere_once_an_import_is_redirected() {
        for flags in [&["-O1", "-fPIC", "-Wl,-z,lazy"], &["-O1", "-fPIC", "-Wl,-z,now"]] {
            let bytes = shared_object(Language::C, SOURCE, flags);
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes).unwrap();
            // SAFETY: the object has no initialisers.
            let library = unsafe { libloading::os::unix::Library::new(file.path()) }.unwrap();
            // SAFETY: the functions have this type.
            let call = |name: &str| unsafe {
                let function: libloading::os::unix::Symbol<extern "C" fn() -> i32> = library.get(name).unwrap();
                function()
            };
            assert_eq!(["calls_own", "calls_by_table"].map(call), [2, 2]);
            // SAFETY: only the address is taken.
            let own = unsafe { library.get::<*const c_void>("own") }.unwrap().into_raw() as usize;
            let symbols = crate::loader::image::CodeImage::parse("x.so", &bytes).unwrap();
            let load_address = own - symbols.export("own").unwrap().address as usize;
            let slots = ImportSlots::parse("x.so", &bytes).unwrap();
            // SAFETY: the object is loaded there, and both functions take at most an argument they may ignore.
            let changed = unsafe {
                slots.redirect(load_address, |slot, _| {
                    ["own", "getpid"].contains(&slot.symbol.as_str()).then_some(forty_two as *const () as usize)
                })
            };
            assert_eq!(changed.unwrap(), 3);
            assert_eq!(["calls_own", "calls_libc", "calls_by_table"].map(call), [42, 42, 42]);
        }
    }
}
