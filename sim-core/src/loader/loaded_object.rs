//! An object in a namespace: its symbols, what lies at an address of it, and the traps in its wait loops.

use std::ffi::{CStr, c_void};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use libloading::os::unix::Library;

use super::audit::Examination;
use super::elf::Elf;
use super::faults::{FaultPlan, LoadFault};
use super::image::CodeImage;
use super::image_error::ImageError;
use super::ledger::{CollisionEffect, FailedStrategy, LoadCollision, LoadStrategy};
use super::link::{LinkStep, Located};
use super::load_error::LoadError;
use super::snapshot::Snapshot;
use super::staging::aicpu_os::Claim;
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
    /// The dynamic linker's handle of it, which `library` owns.
    pub(super) handle: usize,
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
    /// The path that others may write to, while it is loaded from there.
    pub(super) claim: Option<Claim>,
    /// What it was like once it was ready, in that case.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) finalisers: Option<Located>,
    pub(super) faults: Arc<FaultPlan>,
}

/// Where an object was that is closed.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// Facts about its bytes.
    pub image: Arc<CodeImage>,
    /// Where it was.
    pub load_address: usize,
    /// The name by which the dynamic linker knew it.
    pub opened_as: String,
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
        if address == 0 || self.faults.strikes(LoadFault::MissingEntry) {
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
        unsafe { libc::dlsym(self.handle as *mut c_void, name.as_ptr()) as usize }
    }

    /// What somebody should know about it by now: whose file it overwrote, and who overwrote its own.
    pub fn collisions(&self) -> Vec<LoadCollision> {
        let Some(claim) = &self.claim else { return Vec::new() };
        let collision = |with, effect| LoadCollision::PathCollision { directory: claim.directory(), with, effect };
        let before = (claim.before().is_some() || claim.of_a_stranger())
            .then(|| collision(claim.before().cloned(), CollisionEffect::ReplacedTheOther));
        let after = claim.replaced_by().map(|by| collision(Some(by), CollisionEffect::WasReplaced));
        before.into_iter().chain(after).collect()
    }

    /// Whether somebody has written over the file that its code is in.
    pub fn is_damaged(&self) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.replaced_by().is_some())
    }

    /// The step that closes it. Finalisers of an object that was damaged are not run.
    pub(super) fn into_closing(self) -> LinkStep {
        let finalisers = if self.is_damaged() { None } else { self.finalisers };
        if let (true, Some(snapshot)) = (self.is_damaged(), &self.snapshot) {
            // SAFETY: it is still open, and whoever closes it does not use it any more.
            unsafe { snapshot.restore() };
        }
        LinkStep::close(self.library.into_raw(), finalisers)
    }

    /// Whether its code is what was loaded, traps aside.
    pub fn has_its_code(&self) -> bool {
        still_has_code(&self.image.name, &self.bytes, self.load_address).unwrap_or(false)
    }

    /// Where it is, for whoever closes it.
    pub fn whereabouts(&self) -> Whereabouts {
        let (image, opened_as) = (Arc::clone(&self.image), self.opened_as.clone());
        Whereabouts { image, load_address: self.load_address, opened_as }
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

/// The same as [`has_code`] where somebody may change the file under the code: such memory may not even be there.
/// Traps do not count.
pub(super) fn still_has_code(name: &str, bytes: &[u8], load_address: usize) -> Result<bool, ImageError> {
    let Ok(memory) = File::open("/proc/self/mem") else { return has_code(name, bytes, load_address) };
    Ok(Elf::open(name, bytes)?.executable_segments().iter().all(|code| {
        let mut found = vec![0; code.bytes.len()];
        let read = memory.read_exact_at(&mut found, load_address as u64 + code.address);
        let same = |(found, byte): (&u8, &u8)| found == byte || *found == TRAP_INSTRUCTION;
        read.is_ok() && found.iter().zip(code.bytes).all(same)
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
