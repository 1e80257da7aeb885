//! Which object satisfied each import, read from the words that the dynamic linker wrote.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use serde::{Serialize, Serializer};

use super::super::elf::{Elf, Relocation};
use super::super::image_error::ImageError;
use super::super::link::{self, LinkedObject};

/// Who serves an import.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// An object of the same namespace.
    Peer(String),
    /// The kernel's own library, which every process has.
    Vdso,
    /// An object of another namespace, or memory of no object.
    Outside(String),
    /// A block of each thread, which the dynamic linker reaches by a number of its own.
    ThreadLocal,
    /// Nobody: the import is weak, and null.
    Nobody,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Provider::Peer(name) => f.write_str(name),
            Provider::Vdso => f.write_str("vdso"),
            Provider::Outside(name) => write!(f, "{name} (outside)"),
            Provider::ThreadLocal => f.write_str("thread-local"),
            Provider::Nobody => f.write_str("nobody"),
        }
    }
}

/// The imports of an object, each with who serves it. As JSON: how many each serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// By symbol. A symbol that the object defines and reaches by name is an import, too.
    symbols: BTreeMap<String, Provider>,
}

impl Bindings {
    /// Reads the bindings of the object that is loaded at `load_address`.
    ///
    /// # Safety
    ///
    /// The object must be loaded there and bound, and nobody may open or close objects of its namespace meanwhile.
    pub(super) unsafe fn read(elf: &Elf<'_>, load_address: usize, peers: &Peers) -> Result<Bindings, ImageError> {
        let names: BTreeMap<usize, &[u8]> =
            elf.dynamic_symbols()?.into_iter().map(|symbol| (symbol.index, symbol.name)).collect();
        let mut bindings = Bindings::default();
        let word = |relocation: &Relocation| relocation.symbol != 0 && elf.occupies(relocation.offset, 8);
        for relocation in elf.relocations()?.filter(word) {
            let Some(name) = names.get(&(relocation.symbol as usize)) else { continue };
            let Some(kind) = Reference::of(relocation) else { continue };
            // SAFETY: the dynamic linker has written this word of the object.
            let word = unsafe { ((load_address + relocation.offset as usize) as *const usize).read_unaligned() };
            bindings.add(&String::from_utf8_lossy(name), peers.provider(kind, word));
        }
        Ok(bindings)
    }

    /// Of several words for one symbol, one that points to somebody counts more than one that does not.
    fn add(&mut self, symbol: &str, provider: Provider) {
        match self.symbols.get_mut(symbol) {
            Some(known) if *known == Provider::Nobody => *known = provider,
            Some(_) => {}
            None => drop(self.symbols.insert(symbol.to_owned(), provider)),
        }
    }

    /// The imports by symbol.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Provider)> {
        self.symbols.iter().map(|(symbol, provider)| (symbol.as_str(), provider))
    }

    /// Who serves `symbol`; `None` if the object does not reach it by name.
    pub fn provider(&self, symbol: &str) -> Option<&Provider> {
        self.symbols.get(symbol)
    }

    /// How many imports each provider serves.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for provider in self.symbols.values() {
            *counts.entry(provider.to_string()).or_default() += 1;
        }
        counts
    }

    /// The imports of each provider.
    pub fn by_provider(&self) -> BTreeMap<String, Vec<&str>> {
        let mut symbols: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (symbol, provider) in self.iter() {
            symbols.entry(provider.to_string()).or_default().push(symbol);
        }
        symbols
    }
}

impl Serialize for Bindings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts().serialize(serializer)
    }
}

/// How a word refers to a symbol.
#[derive(Clone, Copy)]
enum Reference {
    /// It is the address, plus this.
    Address(i64),
    /// It is the number of the object whose thread-local block is meant.
    Module,
    /// It is an offset, or an argument of the dynamic linker's own function.
    ThreadLocal,
}

impl Reference {
    fn of(relocation: Relocation) -> Option<Reference> {
        let kind = elf::RelocationType(relocation.kind);
        #[cfg(target_arch = "x86_64")]
        let reference = match kind {
            elf::R_X86_64_64 => Reference::Address(relocation.addend),
            elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT => Reference::Address(0),
            elf::R_X86_64_DTPMOD64 => Reference::Module,
            elf::R_X86_64_TPOFF64 | elf::R_X86_64_TLSDESC => Reference::ThreadLocal,
            _ => return None,
        };
        #[cfg(target_arch = "aarch64")]
        let reference = match kind {
            elf::R_AARCH64_ABS64 | elf::R_AARCH64_GLOB_DAT => Reference::Address(relocation.addend),
            elf::R_AARCH64_JUMP_SLOT => Reference::Address(0),
            elf::R_AARCH64_TLS_DTPMOD => Reference::Module,
            elf::R_AARCH64_TLS_TPREL | elf::R_AARCH64_TLSDESC => Reference::ThreadLocal,
            _ => return None,
        };
        Some(reference)
    }
}

/// The objects of a namespace, as far as their addresses go.
#[derive(Clone, Debug, Default)]
pub(in crate::loader) struct Peers {
    objects: Vec<Peer>,
    vdso: Range<usize>,
}

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    path: PathBuf,
    load_address: usize,
    range: Range<usize>,
    /// The number of its thread-local block; 0 if that is not known.
    module: usize,
}

impl Peer {
    fn new(object: LinkedObject, own: &[OwnObject]) -> Peer {
        let LinkedObject { load_address, path, inside } = object;
        match own.iter().find(|own| own.range.start == load_address) {
            Some(own) => Peer {
                name: own.name.clone(),
                path,
                load_address,
                range: own.range.clone(),
                module: link::thread_local_module(own.handle),
            },
            None => Peer { name: file_name(&path), path, load_address, range: range_around(inside), module: 0 },
        }
    }
}

impl Peers {
    /// Brings this up to date: what is linked now, the namespace's own objects by their names.
    pub(in crate::loader) fn update(&mut self, linked: Vec<LinkedObject>, own: impl Iterator<Item = OwnObject>) {
        if self.vdso.is_empty() {
            self.vdso = vdso();
        }
        let own: Vec<OwnObject> = own.collect();
        let mut known = std::mem::take(&mut self.objects);
        for object in linked {
            // Another object may be at the place of one that went.
            let same = |peer: &Peer| peer.load_address == object.load_address && peer.path == object.path;
            let peer = match known.iter().position(same) {
                Some(index) => known.swap_remove(index),
                None => Peer::new(object, &own),
            };
            self.objects.push(peer);
        }
    }

    fn provider(&self, reference: Reference, word: usize) -> Provider {
        let address = match reference {
            Reference::Address(addend) => (word as i64).wrapping_sub(addend) as usize,
            Reference::Module => {
                let peer = self.objects.iter().find(|peer| word != 0 && peer.module == word);
                return peer.map_or(Provider::ThreadLocal, |peer| Provider::Peer(peer.name.clone()));
            }
            Reference::ThreadLocal => return Provider::ThreadLocal,
        };
        if address == 0 {
            return Provider::Nobody;
        }
        if let Some(peer) = self.objects.iter().find(|peer| peer.range.contains(&address)) {
            return Provider::Peer(peer.name.clone());
        }
        if self.vdso.contains(&address) {
            return Provider::Vdso;
        }
        Provider::Outside(match link::location_of(address) {
            Some((_, path)) if path.as_os_str().is_empty() => "the program".to_owned(),
            Some((_, path)) => file_name(&path),
            None => "no object".to_owned(),
        })
    }
}

/// An object that the namespace has opened itself.
pub(in crate::loader) struct OwnObject {
    pub(in crate::loader) name: String,
    pub(in crate::loader) range: Range<usize>,
    pub(in crate::loader) handle: *mut c_void,
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The addresses of the object that has `inside` in it.
fn range_around(inside: usize) -> Range<usize> {
    link::start_of(inside).map_or(0..0, |(start, load_address)| {
        // SAFETY: an object is mapped from the start of its file on.
        unsafe { mapped_range(start, load_address) }
    })
}

fn vdso() -> Range<usize> {
    // SAFETY: getauxval only looks up a number.
    match unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize {
        0 => 0..0,
        // SAFETY: the kernel maps it as a whole; its first segment is at address 0.
        start => unsafe { mapped_range(start, start) },
    }
}

/// The addresses that the segments of a mapped object take. Empty if its headers are not mapped with it.
///
/// # Safety
///
/// An object must be mapped at `start`.
unsafe fn mapped_range(start: usize, load_address: usize) -> Range<usize> {
    type Header = elf::FileHeader64<object::NativeEndian>;
    const FIRST_PAGE: usize = 4096;
    // SAFETY: mappings are whole pages, and the headers are in the first one.
    let page = unsafe { std::slice::from_raw_parts(start as *const u8, FIRST_PAGE) };
    let segments = Header::parse(page).and_then(|header| {
        let endian = header.endian()?;
        let segments = header.program_headers(endian, page)?.iter();
        Ok(segments
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .map(|segment| segment.p_vaddr(endian).saturating_add(segment.p_memsz(endian)))
            .max())
    });
    match segments {
        Ok(Some(end)) => start..load_address.saturating_add(end as usize),
        _ => start..start,
    }
}
