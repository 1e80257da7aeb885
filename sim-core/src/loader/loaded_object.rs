//! An object in a namespace: its symbols, what lies at an address of it, and the traps in its wait loops.

use std::ffi::{CStr, c_void};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use libloading::os::unix::Library;

use super::audit::Examination;
use super::elf::Elf;
use super::image::CodeImage;
use super::image_error::ImageError;
use super::ledger::{FailedStrategy, LoadStrategy};
use super::link::Handle;
use super::load_error::LoadError;
use super::symbols::{SymbolMap, SymbolOffset};
use super::wait_loops::{self, WaitLoop};
use crate::engine::wait_trap::{self, WaitTrap};

/// A loaded object.
#[derive(Debug)]
pub struct LoadedObject {
    /// Facts about its bytes.
    pub image: Arc<CodeImage>,
    pub(super) bytes: Arc<[u8]>,
    pub(super) library: Library,
    /// What `library` owns.
    pub(super) handle: Handle,
    pub(super) load_address: usize,
    /// The address range of its code and data.
    pub(super) range: Range<usize>,
    /// How it was staged, and what was tried before.
    pub strategy: LoadStrategy,
    /// What was tried in vain.
    pub fallbacks: Vec<FailedStrategy>,
    /// Host time that staging and linking took.
    pub bind_time: Duration,
    /// The name it was opened with.
    pub opened_as: String,
    /// What it was bound to; only of guests.
    pub examination: Option<Arc<Examination>>,
}

/// A place in an object, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CodeSite {
    /// The object.
    pub object: String,
    /// The function and the offset in it, if the object says.
    pub symbol: Option<SymbolOffset>,
    /// The offset in the object.
    pub offset: u64,
}

impl std::fmt::Display for CodeSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.symbol {
            Some(symbol) => write!(f, "{}: {symbol}", self.object),
            None => write!(f, "{}+{:#x}", self.object, self.offset),
        }
    }
}

/// Whoever knows which code lies where.
pub trait CodeSites {
    /// Where an address is, if it is in an object that is known.
    fn site(&self, address: usize) -> Option<CodeSite>;
}

impl LoadedObject {
    /// The address of an exported symbol.
    pub fn symbol(&self, name: &str) -> Result<usize, LoadError> {
        // SAFETY: only the address is taken; a data symbol is as good as a function here.
        let found = unsafe { self.library.get::<*const c_void>(name) };
        let address = found.map(|symbol| symbol.into_raw() as usize).unwrap_or(0);
        if address == 0 {
            return Err(LoadError::MissingSymbol {
                name: self.image.name.clone(),
                symbol: name.to_owned(),
                exports: self.image.exports.len(),
            });
        }
        Ok(address)
    }

    /// The address of an exported symbol for the thread whose thread control block is in use: thread-local data is
    /// somewhere else for each. 0 if there is none. It neither allocates nor panics, so a guest can call it.
    pub fn address_for_thread(&self, name: &CStr) -> usize {
        // SAFETY: the object is open, and the name a string.
        unsafe { libc::dlsym(self.handle.0, name.as_ptr()) as usize }
    }

    /// The addresses it occupies.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Where an address is in this object, if it is.
    pub fn site(&self, address: usize) -> Option<CodeSite> {
        if !self.range.contains(&address) {
            return None;
        }
        let offset = (address - self.load_address) as u64;
        let symbols = SymbolMap::parse(&self.image.name, &self.bytes).ok();
        let symbol = symbols.and_then(|symbols| symbols.function_at(offset));
        Some(CodeSite { object: self.image.name.clone(), symbol, offset })
    }

    /// Puts traps into the object's call-free wait loops.
    pub fn trap_wait_loops(&self) -> Result<(), LoadError> {
        let loops = wait_loops::find(&self.image.name, &self.bytes)?;
        trap_wait_loops(&self.image.name, &loops.waits, self.load_address)
    }
}

/// Puts traps into the call-free wait loops of an object at `load_address`. They are to be forgotten with it
/// ([`wait_trap::remove`]).
pub fn trap_wait_loops(name: &str, waits: &[WaitLoop], load_address: usize) -> Result<(), LoadError> {
    let absolute = |address: u64| load_address + address as usize;
    let trap = |wait: &WaitLoop| {
        let edge = &wait.site.back_edge;
        let (at, target, next) = (absolute(edge.address), absolute(edge.target), absolute(edge.fall_through));
        WaitTrap { at, condition: edge.condition, target, next }
    };
    let traps: Vec<WaitTrap> = waits.iter().map(trap).collect();
    wait_trap::add(&traps).map_err(|error| LoadError::Traps { name: name.to_owned(), error })?;
    for trap in &traps {
        poke(trap.at, TRAP_INSTRUCTION).map_err(|error| LoadError::Protect { name: name.to_owned(), error })?;
    }
    Ok(())
}

/// Whether the code at `load_address` is that of the object with these bytes: the dynamic linker may have known
/// another object by the same name.
pub fn has_code(name: &str, bytes: &[u8], load_address: usize) -> Result<bool, ImageError> {
    Ok(Elf::open(name, bytes)?.executable_segments().iter().all(|code| {
        // SAFETY: the segment of a loaded object is mapped, and nobody writes to it meanwhile.
        let found = unsafe {
            std::slice::from_raw_parts((load_address + code.address as usize) as *const u8, code.bytes.len())
        };
        found == code.bytes
    }))
}

/// `int3`
const TRAP_INSTRUCTION: u8 = 0xcc;

/// Overwrites one byte of code.
fn poke(address: usize, byte: u8) -> std::io::Result<()> {
    let page_size = rustix::param::page_size();
    let page = (address & !(page_size - 1)) as *mut c_void;
    let protect = |flags| {
        // SAFETY: the page belongs to the code of an object that is loaded and privately mapped.
        let status = unsafe { libc::mprotect(page, page_size, flags) };
        if status == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    protect(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
    // SAFETY: the page is writable now; no guest code runs while the host loads objects.
    unsafe { (address as *mut u8).write_volatile(byte) };
    protect(libc::PROT_READ | libc::PROT_EXEC)
}

/// The addresses that the segments of an object take.
pub fn address_range(load_address: usize, bytes: &[u8]) -> Range<usize> {
    use object::read::elf::{FileHeader, ProgramHeader};
    let header = object::elf::FileHeader64::<object::Endianness>::parse(bytes);
    let segments = header.and_then(|header| {
        let endian = header.endian()?;
        Ok(header
            .program_headers(endian, bytes)?
            .iter()
            .filter(|segment| segment.p_type(endian) == object::elf::PT_LOAD)
            .map(|segment| segment.p_vaddr(endian).saturating_add(segment.p_memsz(endian)))
            .max()
            .unwrap_or(0))
    });
    load_address..load_address.saturating_add(segments.unwrap_or(0) as usize)
}
