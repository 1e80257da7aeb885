//! Registered AICore binaries. A registration costs nothing on the device; the first launch of each handle loads a copy
//! that stays as long as the handle. Whoever registers for every launch pins a copy each time.

use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::loader::namespace::ObjectId;
use sim_core::trace::ContentHash;
use sim_hbm::DevicePtr;

use super::error::DriverError;
use super::handles::{HandleKind, Handles};

/// A registered binary.
#[derive(Clone, Debug)]
pub(in crate::device) struct Binary {
    /// The object.
    pub(in crate::device) bytes: Rc<[u8]>,
    /// Its hash.
    pub(in crate::device) content: ContentHash,
    /// Its copy on the device, once it was launched.
    pub(in crate::device) loaded: Option<LoadedBinary>,
}

/// A binary on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) struct LoadedBinary {
    /// The copy that this handle pins.
    pub(in crate::device) block: DevicePtr,
    /// Where its code begins.
    pub(in crate::device) entry: usize,
}

/// Code that can run: one object in the namespace for all handles of the same bytes.
#[derive(Clone, Copy, Debug)]
struct Code {
    object: ObjectId,
    entry: usize,
    users: usize,
}

/// Every registered binary.
pub(in crate::device) struct Binaries {
    handles: Handles<Binary>,
    code: BTreeMap<ContentHash, Code>,
    /// How many live handles there are of each binary, and its bytes.
    registrations: BTreeMap<ContentHash, Registration>,
}

/// A binary with live handles.
#[derive(Debug)]
struct Registration {
    bytes: Rc<[u8]>,
    handles: usize,
}

impl Default for Binaries {
    fn default() -> Self {
        Binaries { handles: Handles::new(HandleKind::Binary), code: BTreeMap::new(), registrations: BTreeMap::new() }
    }
}

impl Binaries {
    /// Registers a binary. Also whether another handle of the same bytes lives.
    pub(in crate::device) fn add(&mut self, bytes: Vec<u8>, content: ContentHash) -> (u64, bool) {
        // Equal bytes are kept once, however often they are registered.
        let known = self.registrations.entry(content);
        let registration = known.or_insert_with(|| Registration { bytes: bytes.into(), handles: 0 });
        registration.handles += 1;
        let (bytes, again) = (Rc::clone(&registration.bytes), registration.handles > 1);
        (self.handles.add(Binary { bytes, content, loaded: None }), again)
    }

    pub(in crate::device) fn get(&self, handle: u64) -> Result<&Binary, DriverError> {
        self.handles.get(handle).ok_or(DriverError::NoSuchHandle { kind: "AICore binary", handle })
    }

    /// The entry of code that is loaded already; it has one user more.
    pub(in crate::device) fn reuse_code(&mut self, content: ContentHash) -> Option<(ObjectId, usize)> {
        let code = self.code.get_mut(&content)?;
        code.users += 1;
        Some((code.object, code.entry))
    }

    /// Code was loaded; it has one user.
    pub(in crate::device) fn add_code(&mut self, content: ContentHash, object: ObjectId, entry: usize) {
        self.code.insert(content, Code { object, entry, users: 1 });
    }

    /// The copy of a handle is on the device.
    pub(in crate::device) fn loaded(&mut self, handle: u64, loaded: LoadedBinary) {
        if let Some(binary) = self.handles.get_mut(handle) {
            binary.loaded = Some(loaded);
        }
    }

    /// Forgets a handle: its copy, and the object if nobody needs that any more.
    pub(in crate::device) fn remove(&mut self, handle: u64) -> Option<(Option<DevicePtr>, Option<ObjectId>)> {
        let binary = self.handles.remove(handle)?;
        if let Some(registration) = self.registrations.get_mut(&binary.content) {
            registration.handles -= 1;
            if registration.handles == 0 {
                self.registrations.remove(&binary.content);
            }
        }
        let object = binary.loaded.and_then(|_| self.release_code(binary.content));
        Some((binary.loaded.map(|loaded| loaded.block), object))
    }

    fn release_code(&mut self, content: ContentHash) -> Option<ObjectId> {
        let code = self.code.get_mut(&content)?;
        code.users -= 1;
        if code.users > 0 {
            return None;
        }
        self.code.remove(&content).map(|code| code.object)
    }

    /// Forgets every handle; gives the copies and the objects.
    pub(in crate::device) fn take_all(&mut self) -> (Vec<DevicePtr>, Vec<ObjectId>) {
        self.registrations.clear();
        let blocks = self.handles.take_all().into_iter().filter_map(|binary| Some(binary.loaded?.block));
        let objects = std::mem::take(&mut self.code).into_values().map(|code| code.object);
        (blocks.collect(), objects.collect())
    }

    pub(in crate::device) fn len(&self) -> usize {
        self.handles.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_each_launched_handle_pin_a_copy_and_the_last_one_the_code() {
        let mut binaries = Binaries::default();
        let content = ContentHash::of(b"code");
        let (first, again) = binaries.add(b"code".to_vec(), content);
        assert!(!again);
        let (second, again) = binaries.add(b"code".to_vec(), content);
        assert!(again);
        assert!(Rc::ptr_eq(&binaries.get(first).unwrap().bytes, &binaries.get(second).unwrap().bytes));
        assert_eq!(binaries.reuse_code(content), None);
        binaries.add_code(content, ObjectId::SHIM, 7);
        let (one, two) = (DevicePtr::new(512), DevicePtr::new(1024));
        binaries.loaded(first, LoadedBinary { block: one, entry: 7 });
        assert_eq!(binaries.reuse_code(content), Some((ObjectId::SHIM, 7)));
        binaries.loaded(second, LoadedBinary { block: two, entry: 7 });
        assert_eq!(binaries.remove(first), Some((Some(one), None)));
        assert_eq!(binaries.remove(second), Some((Some(two), Some(ObjectId::SHIM))));
        assert_eq!(binaries.remove(second), None);
        assert_eq!(binaries.get(second).map(|_| ()).unwrap_err().code() as i32, 107_017);
    }
}
