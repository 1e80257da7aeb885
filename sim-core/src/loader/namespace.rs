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

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use libloading::os::unix::Library;

use super::audit::{Examination, OwnObject, Peers};
use super::faults::LoadFault;
use super::heap::Heap;
use super::image::CodeImage;
use super::ledger::{CollisionEffect, LoadCollision, LoadOrigin, LoadStrategy};
use super::libstdcxx::{LIBSTDCXX, libstdcxx, not_staged};
use super::link::{self, LinkStep, LinkedObject, Located, Mishap, NamespaceId};
use super::load_error::{LoadError, Tried};
use super::loaded_object::{CodeSite, CodeSites, LoadedObject, Whereabouts, address_range, still_has_code};
use super::preparation::{Functions, Preparation, PreparedObject};
use super::snapshot::Snapshot;
use super::staging::{Descent, FileView, Staged, Staging, StagingArea};
use crate::engine::{GuestCall, wait_trap};
use crate::shim::{BIND, Bind, HOOK_ABI, HookTable, ShimFunctions};

/// The objects before the first guest: the shim and libstdc++.
const OWN_OBJECTS: usize = 2;

/// A namespace of the dynamic linker with its shim and its libstdc++.
pub struct Namespace {
    id: NamespaceId,
    area: StagingArea,
    /// In order of loading: the shim, libstdc++, guests. Guests that were unloaded leave a hole.
    objects: Vec<Option<LoadedObject>>,
    /// How many of the objects are no guests.
    own_objects: usize,
    /// What the dynamic linker gave instead of what was asked for: code that somebody had overwritten.
    strays: Vec<(Library, Snapshot)>,
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
        let mut namespace = Namespace::with(libc::LM_ID_NEWLM, area, OWN_OBJECTS);
        let shim = namespace.load(LoadOrigin::Shim, "libnpusim_shim.so", shim)?;
        // Before libstdc++, so that what that allocates for itself comes from the namespace's heap already.
        let functions = namespace.bind(shim, hooks)?;
        namespace.load_libstdcxx()?;
        Ok((namespace, functions))
    }

    /// The namespace that the process began with, for objects that need no shim: what loading costs and how it fails
    /// can be seen there.
    pub fn of_process(area: StagingArea) -> Namespace {
        Namespace::with(libc::LM_ID_BASE as NamespaceId, area, 0)
    }

    fn with(id: NamespaceId, area: StagingArea, own_objects: usize) -> Namespace {
        let heap = ManuallyDrop::new(Box::default());
        let (objects, strays, peers) = (Vec::new(), Vec::new(), Peers::default());
        Namespace { id, area, objects, peers, own_objects, strays, abandoned: false, heap }
    }

    /// Loads an object that needs nobody's thread control block: its initialisers run as code of this thread.
    pub fn load(&mut self, origin: LoadOrigin, name: &str, bytes: &[u8]) -> Result<ObjectId, LoadError> {
        let linking = self.prepare(origin, name, bytes)?;
        self.finish(linking)
    }

    /// The same with an object that is a range of a file.
    pub fn load_view(&mut self, origin: LoadOrigin, name: &str, view: &FileView) -> Result<ObjectId, LoadError> {
        let linking = self.prepare_view(origin, name, view)?;
        self.finish(linking)
    }

    /// Unloads an object that was loaded so.
    pub fn unload(&mut self, id: ObjectId) {
        if let Some(mut unlinking) = self.remove(id) {
            unlinking.step.run();
        }
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
    pub fn prepare(&self, origin: LoadOrigin, name: &str, bytes: &[u8]) -> Result<Linking, LoadError> {
        self.stage(Candidate::new(origin, name, Arc::from(bytes))?, Descent::default())
    }

    /// The same with an object that is a range of a file, from which it is copied inside the kernel.
    pub fn prepare_view(&self, origin: LoadOrigin, name: &str, view: &FileView) -> Result<Linking, LoadError> {
        let failed = |error: std::io::Error| {
            let mut descent = Descent::default();
            descent.failed(LoadStrategy::View, error.to_string());
            staging_error(name, descent)
        };
        let candidate = Candidate::new(origin, name, view.read().map_err(failed)?.into())?;
        let staged = self.area.stage_view(name, view, &candidate.preparation.patches).map_err(failed)?;
        Ok(self.linking(candidate, staged, Descent::default()))
    }

    /// Takes an object in whose linking call has been made, or gives the next call that is to be made for it: after
    /// linking, to initialise it; or to link it by another strategy, if the dynamic linker did not want it so.
    pub fn adopt(&mut self, linking: Linking) -> Result<Adopted, LoadError> {
        let Linking { candidate, staged, step, mut descent, is_open } = linking;
        let raw = match step.opened() {
            Ok(raw) if is_open => return Ok(Adopted::Loaded(self.take_in(candidate, staged, raw, descent))),
            Ok(raw) => raw,
            Err(message) if is_of_the_object(&message) && descent.failed.is_empty() => {
                let message = staged.in_words(&message);
                return Err(LoadError::Link { name: candidate.image.name.clone(), message });
            }
            Err(message) => {
                let message = staged.in_words(&message);
                descent.failed(staged.strategy().clone(), message.clone());
                drop(staged);
                if is_of_the_object(&message) {
                    return Err(staging_error(&candidate.image.name, descent));
                }
                return self.stage(candidate, descent).map(|next| Adopted::Again(Box::new(next)));
            }
        };
        if self.objects.is_empty() && self.own_objects > 0 {
            self.id = link::namespace_of(raw).unwrap_or(self.id);
        }
        staged.give_name(raw);
        let load_address = link::load_address(raw).unwrap_or(0);
        let is_known = self.objects().any(|object| object.handle == raw as usize);
        if let Some(collision) = collision(&candidate, &staged, load_address, is_known)? {
            if is_known {
                // One of this namespace has it, who closes it in time; none of its code runs now.
                LinkStep::close(raw, None).run();
            } else {
                let snapshot = Snapshot::take(&address_range(load_address, &candidate.bytes));
                // SAFETY: the handle was just opened, and this library is its only owner.
                self.strays.push((unsafe { Library::from_raw(raw) }, snapshot));
            }
            return Err(LoadError::Collision { name: candidate.image.name.clone(), collision: Box::new(collision) });
        }
        let mishap = self.area.faults.strikes(LoadFault::InitialiserThrows).then_some(Mishap::Throws);
        match candidate.preparation.initialisers {
            None if mishap.is_none() => Ok(Adopted::Loaded(self.take_in(candidate, staged, raw, descent))),
            initialisers => {
                let none = Functions { address: 0, count: 0 };
                let initialisers = Located::new(load_address, initialisers.unwrap_or(none));
                let step = Box::new(LinkStep::initialise(raw, initialisers).with(mishap));
                Ok(Adopted::Again(Box::new(Linking { candidate, staged, step, descent, is_open: true })))
            }
        }
    }

    /// Takes an object in that is open and initialised.
    fn take_in(&mut self, candidate: Candidate, staged: Staged, raw: *mut c_void, descent: Descent) -> ObjectId {
        let load_address = link::load_address(raw).unwrap_or(0);
        let Candidate { image, bytes, preparation, begun, .. } = candidate;
        let range = address_range(load_address, &bytes);
        self.objects.push(Some(LoadedObject {
            snapshot: staged.claim().map(|_| Snapshot::take(&range)),
            range,
            strategy: staged.strategy().clone(),
            opened_as: staged.name().to_string_lossy().into_owned(),
            claim: staged.into_claim(),
            finalisers: preparation.finalisers.map(|finalisers| Located::new(load_address, finalisers)),
            bind_time: begun.elapsed(),
            image,
            bytes,
            // SAFETY: the handle was just opened, and this library is its only owner.
            library: unsafe { Library::from_raw(raw) },
            handle: raw as usize,
            load_address,
            fallbacks: descent.failed,
            examination: None,
            faults: Arc::clone(&self.area.faults),
        }));
        ObjectId(self.objects.len() - 1)
    }

    /// Finds out what a guest was bound to, to be called before anything of it runs but its initialisers. Nobody may
    /// open or close objects of this namespace meanwhile.
    pub fn examine(&mut self, id: ObjectId) -> Result<(), LoadError> {
        let linked = self.linked();
        let own = self.objects.iter().flatten().map(|object| OwnObject {
            name: object.image.name.clone(),
            range: object.range(),
            handle: object.handle as *mut c_void,
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
        self.object(ObjectId::SHIM).map_or_else(Vec::new, |shim| link::objects_beside(shim.handle as *mut c_void))
    }

    /// The guests that are loaded.
    pub fn guests(&self) -> impl Iterator<Item = (ObjectId, &LoadedObject)> {
        let numbered = self.objects.iter().enumerate().skip(self.own_objects);
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
        if id.0 < self.own_objects {
            return None;
        }
        let object = self.objects.get_mut(id.0)?.take()?;
        let mishap = self.area.faults.strikes(LoadFault::FinaliserHangs).then_some(Mishap::Hangs);
        Some(Unlinking { step: Box::new(object.into_closing().with(mishap)) })
    }

    /// Closes the guest that was loaded last, on this thread. The namespace's own threads have ended by then.
    /// Gives it and where it was.
    pub fn close_last_guest(&mut self) -> Option<(ObjectId, Whereabouts)> {
        self.close_strays();
        let (id, _) = self.guests().last()?;
        let object = self.objects.get_mut(id.0)?.take()?;
        let whereabouts = object.whereabouts();
        close(object);
        Some((id, whereabouts))
    }

    /// Whether the dynamic linker still has an object that was closed.
    pub fn has_kept(&self, closed: &Whereabouts) -> bool {
        let is_own = self.objects().any(|object| object.load_address == closed.load_address);
        // Another object may lie there by now; names are not used again, and who has a fixed one is among the own.
        let is_it = |object: &LinkedObject| {
            object.load_address == closed.load_address && object.path.to_string_lossy() == closed.opened_as
        };
        !is_own && self.linked().iter().any(is_it)
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
        self.close_strays();
        let guests = self.objects.split_off(self.own_objects);
        close_all(guests);
        self.area = area;
    }

    /// Closes what the dynamic linker gave instead of what was asked for; it was never used.
    fn close_strays(&mut self) {
        for (stray, snapshot) in self.strays.drain(..).rev() {
            // SAFETY: it is open, and was never used.
            unsafe { snapshot.restore() };
            let handle = stray.into_raw();
            if !self.abandoned {
                LinkStep::close(handle, None).run();
            }
        }
    }

    fn stage(&self, candidate: Candidate, mut descent: Descent) -> Result<Linking, LoadError> {
        let Candidate { origin, image, bytes, preparation, .. } = &candidate;
        let staging = Staging { origin: *origin, name: &image.name, content: image.content, bytes, preparation };
        match self.area.stage(staging, &mut descent) {
            Ok(staged) => Ok(self.linking(candidate, staged, descent)),
            Err(()) => Err(staging_error(&image.name, descent)),
        }
    }

    fn linking(&self, candidate: Candidate, staged: Staged, descent: Descent) -> Linking {
        let faults = &self.area.faults;
        let step = match staged.planned_refusal(faults) {
            Some(message) => LinkStep::refused(&message),
            None => LinkStep::open(self.id, staged.path()),
        };
        Linking { candidate, staged, step: Box::new(step), descent, is_open: false }
    }

    /// Every namespace gets its own libstdc++ from the same sealed memory.
    fn load_libstdcxx(&mut self) -> Result<(), LoadError> {
        let source = libstdcxx()?;
        let candidate = Candidate {
            origin: LoadOrigin::CxxLibrary,
            image: Arc::clone(&source.image),
            bytes: Arc::clone(&source.bytes),
            preparation: source.preparation.clone(),
            begun: Instant::now(),
        };
        let staged = source.sealed.stage(LIBSTDCXX).map_err(|error| not_staged(LIBSTDCXX, &error))?;
        let linking = self.linking(candidate, staged, Descent::default());
        self.finish(linking).map(drop)
    }

    /// Makes the calls that are left to be made for an object, as code of this thread.
    fn finish(&mut self, mut linking: Linking) -> Result<ObjectId, LoadError> {
        loop {
            linking.step.run();
            match self.adopt(linking)? {
                Adopted::Loaded(object) => return Ok(object),
                Adopted::Again(next) => linking = *next,
            }
        }
    }
}

/// Whether what the dynamic linker says is about the object itself, however it was staged.
fn is_of_the_object(message: &str) -> bool {
    const OF_OBJECT: [&str; 3] = ["undefined symbol", "static TLS block", "no more namespaces"];
    OF_OBJECT.iter().any(|text| message.contains(text))
}

/// What is found out about an object that was opened from a path that others may use, if it is not what was asked for.
fn collision(
    candidate: &Candidate,
    staged: &Staged,
    load_address: usize,
    is_known: bool,
) -> Result<Option<LoadCollision>, LoadError> {
    let Some(claim) = staged.claim() else { return Ok(None) };
    if !is_known && still_has_code(&candidate.image.name, &candidate.bytes, load_address)? {
        return Ok(None);
    }
    let with = claim.replaced_by().or_else(|| claim.before().cloned());
    let effect = CollisionEffect::GotAnotherObject;
    Ok(Some(LoadCollision::PathCollision { directory: claim.directory(), with, effect }))
}

impl CodeSites for Namespace {
    fn site(&self, address: usize) -> Option<CodeSite> {
        self.objects().find_map(|object| object.site(address))
    }
}

/// An object that is to be loaded.
struct Candidate {
    origin: LoadOrigin,
    image: Arc<CodeImage>,
    /// Those of the copy that is loaded.
    bytes: Arc<[u8]>,
    preparation: Preparation,
    begun: Instant,
}

impl Candidate {
    fn new(origin: LoadOrigin, name: &str, bytes: Arc<[u8]>) -> Result<Self, LoadError> {
        let begun = Instant::now();
        let PreparedObject { image, bytes, preparation } = PreparedObject::of(name, bytes)?;
        Ok(Candidate { origin, image: Arc::new(image), bytes, preparation, begun })
    }
}

/// An object on its way into a namespace. What it left in a file system goes when this goes.
pub struct Linking {
    candidate: Candidate,
    staged: Staged,
    step: Box<LinkStep>,
    descent: Descent,
    /// It is linked; what is left is to initialise it.
    is_open: bool,
}

/// What came of a linking call.
pub enum Adopted {
    /// The object is loaded.
    Loaded(ObjectId),
    /// Another call is to be made.
    Again(Box<Linking>),
}

impl Linking {
    /// The object.
    pub fn image(&self) -> &CodeImage {
        &self.candidate.image
    }

    /// The call that links or initialises the object, to be made once, while this lives.
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
        self.close_strays();
        let objects = std::mem::take(&mut self.objects);
        if self.abandoned {
            for object in objects.into_iter().flatten() {
                // What others wrote over is put back all the same; nothing is closed.
                drop(object.into_closing());
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
    let range = object.range();
    let mut step = object.into_closing();
    // First, while the addresses are the object's: as soon as it is closed, another thread's object may lie there, with
    // traps of its own.
    wait_trap::remove(range);
    step.run();
}

fn staging_error(name: &str, descent: Descent) -> LoadError {
    LoadError::Staging { name: name.to_owned(), tried: Tried(descent.failed) }
}

/// Reads an object from a file.
pub fn read_object(path: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let name = path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from);
    Ok((name.to_string_lossy().into_owned(), std::fs::read(path)?))
}
