//! Namespaces: one per runtime, so that runtimes in one process share nothing.
//!
//! # Lifecycle
//!
//! [`Namespace::open`] makes a new namespace of the dynamic linker and loads two objects into it: the **shim** first,
//! since the first object's symbols win over those of all others, libstdc++ included; then a copy of **libstdc++**
//! whose unique symbols were made global, since one that is bound to a unique symbol can never be unloaded again. Then
//! guests are loaded with [`Namespace::prepare`]. Objects are closed in reverse order: guests by [`Namespace::remove`] or
//! when the namespace goes, then libstdc++, the shim last; the dynamic linker then frees the namespace for the next.
//! [`Namespace::reset`] closes the guests alone: the next device's go into the same namespace.
//!
//! There can be 15 namespaces at once. A namespace whose guest crashed must not run that guest's destructors: it is
//! abandoned ([`Namespace::abandon`]) and stays allocated until the process ends.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use libloading::os::unix::Library;

use super::audit::{Examination, OwnObject, Peers};
use super::heap::Heap;
use super::image::CodeImage;
use super::ledger::FailedStrategy;
use super::libstdcxx::{LIBSTDCXX, libstdcxx};
use super::link::{self, Handle, LinkStep, LinkedObject, NamespaceId};
use super::load_error::LoadError;
use super::loaded_object::{CodeSite, CodeSites, LoadedObject, address_range};
use super::staging::{Staged, StagingArea};
use super::unique::without_unique;
use crate::engine::{GuestCall, wait_trap};
use crate::shim::{BIND, Bind, HOOK_ABI, HookTable, ShimFunctions};

/// The objects before are the shim and libstdc++.
const FIRST_GUEST: usize = 2;

/// A namespace of the dynamic linker with its shim and its libstdc++.
pub struct Namespace {
    id: NamespaceId,
    area: StagingArea,
    /// In order of loading: the shim, libstdc++, guests. Guests that were unloaded leave a hole.
    objects: Vec<Option<LoadedObject>>,
    /// Where those objects are, and the libraries that they need.
    peers: Peers,
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
            peers: Peers::default(),
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
        let made_global = image.unique_symbols;
        self.stage(CodeImage { made_global, ..CodeImage::parse(name, &bytes)? }, bytes)
    }

    /// Takes an object in whose linking call has been made.
    pub fn adopt(&mut self, linking: Linking) -> Result<ObjectId, LoadError> {
        let Linking { image, bytes, staged, step, fallbacks, begun } = linking;
        let failed = |message: String| LoadError::Link { name: image.name.clone(), message: staged.in_words(&message) };
        let raw = step.opened().map_err(failed)?;
        staged.give_name(raw);
        let load_address = link::load_address(raw).unwrap_or(0);
        if self.objects.is_empty() {
            self.id = link::namespace_of(raw).unwrap_or(self.id);
        }
        self.objects.push(Some(LoadedObject {
            range: address_range(load_address, &bytes),
            strategy: staged.strategy().clone(),
            opened_as: staged.name().to_string_lossy().into_owned(),
            bind_time: begun.elapsed(),
            image,
            bytes,
            // SAFETY: the handle was just opened, and this library is its only owner.
            library: unsafe { Library::from_raw(raw) },
            handle: Handle(raw),
            load_address,
            fallbacks,
            examination: None,
        }));
        Ok(ObjectId(self.objects.len() - 1))
    }

    /// Finds out what a guest was bound to, to be called before anything of it runs but its initialisers. Nobody may
    /// open or close objects of this namespace meanwhile.
    pub fn examine(&mut self, id: ObjectId) -> Result<(), LoadError> {
        let linked = self.linked();
        let own = self.objects.iter().flatten().map(|object| OwnObject {
            name: object.image.name.clone(),
            range: object.range(),
            handle: object.handle.0,
        });
        self.peers.update(linked, own);
        if let Some(Some(object)) = self.objects.get_mut(id.0) {
            // SAFETY: the object is loaded there, and everything is bound when it is opened.
            let examination =
                unsafe { Examination::of(&object.image.name, &object.bytes, object.load_address, &self.peers)? };
            object.examination = Some(Arc::new(examination));
        }
        Ok(())
    }

    /// Everything that the dynamic linker has in this namespace.
    pub(super) fn linked(&self) -> Vec<LinkedObject> {
        self.object(ObjectId::SHIM).map_or_else(Vec::new, |shim| link::objects_beside(shim.handle.0))
    }

    /// The guests that are loaded.
    pub fn guests(&self) -> impl Iterator<Item = (ObjectId, &LoadedObject)> {
        let numbered = self.objects.iter().enumerate().skip(FIRST_GUEST);
        numbered.filter_map(|(index, object)| Some((ObjectId(index), object.as_ref()?)))
    }

    /// One object, unless it was removed.
    pub fn object(&self, id: ObjectId) -> Option<&LoadedObject> {
        self.objects.get(id.0)?.as_ref()
    }

    /// All objects that are loaded, the shim first.
    pub fn objects(&self) -> impl Iterator<Item = &LoadedObject> {
        self.objects.iter().flatten()
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

    /// Closes the guest that was loaded last, on this thread. The namespace's own threads have ended by then.
    /// Gives it and where it was.
    pub fn close_last_guest(&mut self) -> Option<(ObjectId, Arc<CodeImage>, usize)> {
        let (id, _) = self.guests().last()?;
        let object = self.objects.get_mut(id.0)?.take()?;
        let (image, load_address) = (Arc::clone(&object.image), object.load_address);
        close(object);
        Some((id, image, load_address))
    }

    /// Whether the dynamic linker still has an object with this image, which was at `load_address`.
    pub fn has_kept(&self, image: &CodeImage, load_address: usize) -> bool {
        let at = self.linked().into_iter().find(|object| object.load_address == load_address);
        let is_own = self.objects().any(|object| object.load_address == load_address);
        // Its file is called after it.
        let name = image.name.rsplit('/').next().unwrap_or_default();
        at.is_some_and(|object| !is_own && object.path.to_string_lossy().contains(name))
    }

    /// A guest crashed: nothing of this namespace is run or unloaded any more.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Closes every guest, in reverse order, so that the namespace is as it was after [`Namespace::open`]; what comes
    /// next is staged in `area`. Its threads have ended by then. Memory that guests did not give back stays in the heap
    /// until the namespace goes.
    ///
    /// A namespace that was abandoned cannot be used again.
    pub fn reset(&mut self, area: StagingArea) {
        assert!(!self.abandoned, "nothing of an abandoned namespace is unloaded");
        let guests = self.objects.split_off(FIRST_GUEST);
        close_all(guests);
        self.area = area;
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
            .stage(LIBSTDCXX)
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

impl CodeSites for Namespace {
    fn site(&self, address: usize) -> Option<CodeSite> {
        self.objects().find_map(|object| object.site(address))
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
        let objects = std::mem::take(&mut self.objects);
        if self.abandoned {
            for object in objects.into_iter().flatten() {
                let _ = object.library.into_raw();
            }
        } else {
            close_all(objects);
            // SAFETY: the heap is not used again; every object that could hold some of it is gone.
            unsafe { ManuallyDrop::drop(&mut self.heap) };
        }
    }
}

/// Closes objects in reverse order.
fn close_all(objects: Vec<Option<LoadedObject>>) {
    objects.into_iter().rev().flatten().for_each(close);
}

fn close(object: LoadedObject) {
    // First, while the addresses are the object's: as soon as it is closed, another thread's object may lie there, with
    // traps of its own.
    wait_trap::remove(object.range());
    LinkStep::close(object.library.into_raw()).run();
}

fn staging_error(name: &str, fallbacks: &[FailedStrategy]) -> LoadError {
    let tried: Vec<String> = fallbacks.iter().map(|tried| format!("{}: {}", tried.strategy, tried.reason)).collect();
    LoadError::Staging { name: name.to_owned(), tried: tried.join("; ") }
}

/// Reads an object from a file.
pub fn read_object(path: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let name = path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from);
    Ok((name.to_string_lossy().into_owned(), std::fs::read(path)?))
}
