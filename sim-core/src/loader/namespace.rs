//! Namespaces: one per runtime, so that runtimes in one process share nothing.
//!
//! # Lifecycle
//!
//! [`Namespace::open`] makes a new namespace of the dynamic linker and loads two objects into it: the **shim** first,
//! since the first object's symbols win over those of all others, libstdc++ included; then a copy of **libstdc++**
//! whose unique symbols were made global, since one that is bound to a unique symbol can never be unloaded again. Then
//! guests are loaded with [`Namespace::prepare`]. Objects are closed in reverse order: guests by [`Namespace::remove`] or
//! when the namespace goes, then libstdc++, the shim last; the dynamic linker then frees the namespace for the next.
//!
//! There can be 15 namespaces at once. A namespace whose guest crashed must not run that guest's destructors: it is
//! abandoned ([`Namespace::abandon`]) and stays allocated until the process ends.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use libloading::os::unix::Library;

use super::heap::Heap;
use super::image::CodeImage;
use super::image_error::ImageError;
use super::ledger::{FailedStrategy, LoadStrategy};
use super::link::{self, LinkStep, NamespaceId};
use super::staging::{SealedBytes, Staged, StagingArea};
use super::symbols::{SymbolMap, SymbolOffset};
use super::unique::without_unique;
use crate::engine::{GuestCall, WaitTrap};
use crate::loader::wait_loops::{self, WaitLoop};
use crate::shim::{BIND, Bind, HOOK_ABI, HookTable, ShimFunctions};

/// Where distributions keep libstdc++.
const LIBRARY_DIRECTORIES: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
];

const LIBSTDCXX: &str = "libstdc++.so.6";

/// The objects before are the shim and libstdc++.
const FIRST_GUEST: usize = 2;

/// Why an object could not be loaded.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum LoadError {
    /// {0}
    Image(#[from] ImageError),
    /// {name}: no way to stage it worked ({tried}); set TMPDIR to a directory that can be written to
    Staging {
        /// The object.
        name: String,
        /// Every strategy and why it failed.
        tried: String,
    },
    /// the shim does not fit this program: it speaks another version of the hook table; build both together
    ShimVersion,
    /// {name}: {message}
    Link {
        /// The object.
        name: String,
        /// What the dynamic linker said.
        message: String,
    },
    /// {name} has no symbol {symbol}; it exports {exports} functions, check that it is the right object
    MissingSymbol {
        /// The object.
        name: String,
        /// What was looked for.
        symbol: String,
        /// How many symbols it has.
        exports: usize,
    },
    /// libstdc++.so.6 was not found in {searched}; install libstdc++6
    NoLibstdcxx {
        /// The directories.
        searched: String,
    },
    /// {name}: its code cannot be made writable to put a trap into a wait loop: {error}
    Protect {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A loaded object.
#[derive(Debug)]
pub struct LoadedObject {
    /// Facts about its bytes.
    pub image: Arc<CodeImage>,
    bytes: Arc<[u8]>,
    library: Library,
    load_address: usize,
    /// The address range of its code and data.
    range: Range<usize>,
    /// How it was staged, and what was tried before.
    pub strategy: LoadStrategy,
    /// What was tried in vain.
    pub fallbacks: Vec<FailedStrategy>,
    /// Host time that staging and linking took.
    pub bind_time: Duration,
    /// The name it was opened with.
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

    /// Puts traps into the object's call-free wait loops, and says where.
    pub fn trap_wait_loops(&self) -> Result<Vec<WaitTrap>, LoadError> {
        let loops = wait_loops::find(&self.image.name, &self.bytes)?;
        loops.waits.iter().map(|wait| self.trap(wait)).collect()
    }

    fn trap(&self, wait: &WaitLoop) -> Result<WaitTrap, LoadError> {
        let edge = &wait.site.back_edge;
        let absolute = |address: u64| self.load_address + address as usize;
        let at = absolute(edge.address);
        poke(at, TRAP_INSTRUCTION).map_err(|error| LoadError::Protect { name: self.image.name.clone(), error })?;
        Ok(WaitTrap { at, condition: edge.condition, target: absolute(edge.target), next: absolute(edge.fall_through) })
    }
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

/// A namespace of the dynamic linker with its shim and its libstdc++.
pub struct Namespace {
    id: NamespaceId,
    area: StagingArea,
    /// In order of loading: the shim, libstdc++, guests. Guests that were unloaded leave a hole.
    objects: Vec<Option<LoadedObject>>,
    abandoned: bool,
    /// Goes after the last object; guests of an abandoned namespace may still hold some of it.
    heap: ManuallyDrop<Box<Heap>>,
}

/// Which object of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(usize);

impl ObjectId {
    /// The first object of every namespace.
    pub const SHIM: ObjectId = ObjectId(0);

    /// As a number that is never 0, for guests.
    pub fn to_handle(self) -> u64 {
        self.0 as u64 + 1
    }

    /// From [`ObjectId::to_handle`].
    pub fn from_handle(handle: u64) -> Option<ObjectId> {
        Some(ObjectId(usize::try_from(handle).ok()?.checked_sub(1)?))
    }
}

impl Namespace {
    /// A new namespace with this shim in it, tied to `hooks`.
    pub fn open(
        shim: &[u8],
        hooks: &'static HookTable,
        area: StagingArea,
    ) -> Result<(Namespace, ShimFunctions), LoadError> {
        let mut namespace = Namespace {
            id: libc::LM_ID_NEWLM,
            area,
            objects: Vec::new(),
            abandoned: false,
            heap: ManuallyDrop::new(Box::default()),
        };
        let mut linking = namespace.prepare("libnpusim_shim.so", shim)?;
        linking.step.run();
        let shim = namespace.adopt(linking)?;
        // Before libstdc++, so that what that allocates for itself comes from the namespace's heap already.
        let functions = namespace.bind(shim, hooks)?;
        namespace.load_libstdcxx()?;
        Ok((namespace, functions))
    }

    fn bind(&self, shim: ObjectId, hooks: &'static HookTable) -> Result<ShimFunctions, LoadError> {
        let object = self.object(shim).ok_or(LoadError::ShimVersion)?;
        let bind = object.symbol(BIND)?;
        // SAFETY: the shim's function of this name has this type; table and heap outlive the shim.
        let functions = unsafe { std::mem::transmute::<usize, Bind>(bind)(hooks, &raw const **self.heap).as_ref() };
        functions.copied().filter(|functions| functions.abi == HOOK_ABI).ok_or(LoadError::ShimVersion)
    }

    /// The dynamic linker's number for it.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Prepares an object to be linked into this namespace.
    ///
    /// Then the call that [`Linking::call`] gives has to be made as guest code, since it runs the object's
    /// initialisers, and the object handed to [`Namespace::adopt`]. The namespace can be used meanwhile.
    pub fn prepare(&self, name: &str, bytes: &[u8]) -> Result<Linking, LoadError> {
        let image = CodeImage::parse(name, bytes)?;
        if image.unique_symbols.is_empty() {
            return self.stage(image, Arc::from(bytes));
        }
        let bytes: Arc<[u8]> = without_unique(name, bytes)?.bytes.into();
        self.stage(CodeImage::parse(name, &bytes)?, bytes)
    }

    /// Takes an object in whose linking call has been made.
    pub fn adopt(&mut self, linking: Linking) -> Result<ObjectId, LoadError> {
        let Linking { image, bytes, staged, step, fallbacks, begun } = linking;
        let failed = |message| LoadError::Link { name: image.name.clone(), message };
        let raw = step.opened().map_err(failed)?;
        let load_address = link::load_address(raw).unwrap_or(0);
        if self.objects.is_empty() {
            self.id = link::namespace_of(raw).unwrap_or(self.id);
        }
        self.objects.push(Some(LoadedObject {
            range: address_range(load_address, &bytes),
            strategy: staged.strategy().clone(),
            opened_as: staged.path().to_string_lossy().into_owned(),
            bind_time: begun.elapsed(),
            image,
            bytes,
            // SAFETY: the handle was just opened, and this library is its only owner.
            library: unsafe { Library::from_raw(raw) },
            load_address,
            fallbacks,
        }));
        Ok(ObjectId(self.objects.len() - 1))
    }

    /// The shim, to be tied to the simulator.
    pub fn object(&self, id: ObjectId) -> Option<&LoadedObject> {
        self.objects.get(id.0)?.as_ref()
    }

    /// All objects that are loaded, the shim first.
    pub fn objects(&self) -> impl Iterator<Item = &LoadedObject> {
        self.objects.iter().flatten()
    }

    /// Where an address is, if it is in an object of this namespace.
    pub fn site(&self, address: usize) -> Option<CodeSite> {
        self.objects().find_map(|object| object.site(address))
    }

    /// Gives up a guest. The call that [`Unlinking::call`] gives has to be made as guest code, since it runs the
    /// object's finalisers. `None`: there is no such guest.
    pub fn remove(&mut self, id: ObjectId) -> Option<Unlinking> {
        if id.0 < FIRST_GUEST {
            return None;
        }
        let object = self.objects.get_mut(id.0)?.take()?;
        Some(Unlinking { step: Box::new(LinkStep::close(object.library.into_raw())) })
    }

    /// A guest crashed: nothing of this namespace is run or unloaded any more.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    fn stage(&self, image: CodeImage, bytes: Arc<[u8]>) -> Result<Linking, LoadError> {
        let begun = Instant::now();
        let mut fallbacks = Vec::new();
        let staged = self
            .area
            .stage(&image.name, &bytes, &mut fallbacks)
            .map_err(|()| staging_error(&image.name, &fallbacks))?;
        let step = Box::new(LinkStep::open(self.id, staged.path()));
        Ok(Linking { image: Arc::new(image), bytes, staged, step, fallbacks, begun })
    }

    /// Every namespace gets its own libstdc++ from the same sealed memory.
    fn load_libstdcxx(&mut self) -> Result<(), LoadError> {
        let source = libstdcxx()?;
        let begun = Instant::now();
        let staged = source
            .sealed
            .stage(&self.area, LIBSTDCXX)
            .map_err(|error| LoadError::Staging { name: LIBSTDCXX.to_owned(), tried: error.to_string() })?;
        let mut linking = Linking {
            image: Arc::clone(&source.image),
            bytes: Arc::clone(&source.bytes),
            step: Box::new(LinkStep::open(self.id, staged.path())),
            staged,
            fallbacks: Vec::new(),
            begun,
        };
        linking.step.run();
        self.adopt(linking).map(|_| ())
    }
}

/// An object on its way into a namespace. What it left in a file system goes when this goes.
pub struct Linking {
    image: Arc<CodeImage>,
    bytes: Arc<[u8]>,
    staged: Staged,
    step: Box<LinkStep>,
    fallbacks: Vec<FailedStrategy>,
    begun: Instant,
}

impl Linking {
    /// The call that links the object, to be made once, while this lives.
    pub fn call(&mut self) -> GuestCall {
        self.step.as_guest_call()
    }
}

/// An object on its way out of a namespace.
pub struct Unlinking {
    step: Box<LinkStep>,
}

impl Unlinking {
    /// The call that closes the object, to be made once, while this lives.
    pub fn call(&mut self) -> GuestCall {
        self.step.as_guest_call()
    }
}

impl Drop for Namespace {
    /// Closes what is still open, in reverse order. The namespace's threads have ended by then.
    fn drop(&mut self) {
        for object in self.objects.drain(..).rev().flatten() {
            let handle = object.library.into_raw();
            if !self.abandoned {
                LinkStep::close(handle).run();
            }
        }
        if !self.abandoned {
            // SAFETY: the heap is not used again; every object that could hold some of it is gone.
            unsafe { ManuallyDrop::drop(&mut self.heap) };
        }
    }
}

fn staging_error(name: &str, fallbacks: &[FailedStrategy]) -> LoadError {
    let tried: Vec<String> = fallbacks.iter().map(|tried| format!("{}: {}", tried.strategy, tried.reason)).collect();
    LoadError::Staging { name: name.to_owned(), tried: tried.join("; ") }
}

/// The addresses that the segments of an object take.
fn address_range(load_address: usize, bytes: &[u8]) -> Range<usize> {
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

/// The system's libstdc++ without unique symbols.
struct Libstdcxx {
    image: Arc<CodeImage>,
    bytes: Arc<[u8]>,
    sealed: SealedBytes,
}

/// Made once a process: it is the same for every namespace and never changes.
fn libstdcxx() -> Result<&'static Libstdcxx, LoadError> {
    static COPY: OnceLock<Libstdcxx> = OnceLock::new();
    if let Some(copy) = COPY.get() {
        return Ok(copy);
    }
    let directories = LIBRARY_DIRECTORIES.map(|directory| Path::new(directory).join(LIBSTDCXX));
    let found = directories.iter().find_map(|path| std::fs::read(path).ok());
    let original = found.ok_or_else(|| LoadError::NoLibstdcxx { searched: LIBRARY_DIRECTORIES.join(", ") })?;
    let bytes: Arc<[u8]> = without_unique(LIBSTDCXX, &original)?.bytes.into();
    let image = Arc::new(CodeImage::parse(LIBSTDCXX, &bytes)?);
    let sealed = SealedBytes::new(LIBSTDCXX, &bytes)
        .map_err(|error| LoadError::Staging { name: LIBSTDCXX.to_owned(), tried: error.to_string() })?;
    Ok(COPY.get_or_init(|| Libstdcxx { image, bytes, sealed }))
}

/// Reads an object from a file.
pub fn read_object(path: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let name = path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from);
    Ok((name.to_string_lossy().into_owned(), std::fs::read(path)?))
}
