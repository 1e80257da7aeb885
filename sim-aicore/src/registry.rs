//! The kernel registry: from the bytes of a kernel to the entry that cores call.
//!
//! A kernel is identified by its bytes: registering the same bytes again gives the same kernel and counts one more
//! user, and the object is unloaded with its last user. What a kernel is called and how it uses its tensors is not in
//! its object; whoever knows says so beforehand ([`KernelRegistry::describe`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::engine::{BodyPlace, GuestCall, HostCost, NativeBody};
use sim_core::loader::namespace::ObjectId;
use sim_core::trace::ContentHash;

/// How a kernel uses a tensor argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
    /// Both.
    ReadWrite,
}

/// What is known of a kernel beside its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name, for cost tables and people.
    pub name: String,
    /// How it uses its tensors, in order.
    pub tensors: Vec<Access>,
}

/// A kernel that cores can run.
#[derive(Debug)]
pub struct Kernel {
    /// The identity of its bytes.
    pub content: ContentHash,
    /// What is known of it.
    pub description: Description,
    /// Its object.
    pub object: ObjectId,
    /// The address of `kernel_entry`.
    pub entry: usize,
    /// It waits for others by itself.
    pub blocking: bool,
    /// It says what it does.
    pub tiled: bool,
    /// Calls of it may leave traces of what they do.
    pub traced: bool,
    /// It hands tiles to other cores of its cluster.
    pub hands_over: bool,
    host_cost: Arc<HostCost>,
    users: u32,
}

impl Kernel {
    /// The call of this kernel with these arguments.
    pub fn body(&self, args: *mut i64) -> NativeBody {
        NativeBody {
            call: GuestCall::new(self.entry, &[args as u64]),
            place: BodyPlace::of(self.blocking),
            host_cost: Arc::clone(&self.host_cost),
        }
    }
}

/// The kernels of a device.
#[derive(Debug, Default)]
pub struct KernelRegistry {
    /// Boxed: guests hold the addresses.
    kernels: BTreeMap<ContentHash, Box<Kernel>>,
    descriptions: BTreeMap<ContentHash, Description>,
}

/// A kernel that was just loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoadedKernel {
    /// Its object.
    pub object: ObjectId,
    /// The address of `kernel_entry`.
    pub entry: usize,
    /// It waits for others by itself.
    pub blocking: bool,
    /// It says what it does.
    pub tiled: bool,
    /// Calls of it may leave traces of what they do.
    pub traced: bool,
    /// It hands tiles to other cores of its cluster.
    pub hands_over: bool,
}

impl KernelRegistry {
    /// Says what is known of the kernel with these bytes.
    pub fn describe(&mut self, content: ContentHash, description: Description) {
        self.descriptions.insert(content, description);
    }

    /// What a kernel is called; `kernel_<func_id>` if nobody said.
    pub fn name_of(&self, content: ContentHash, func_id: i32) -> String {
        self.descriptions.get(&content).map_or_else(|| format!("kernel_{func_id}"), |known| known.name.clone())
    }

    /// One more user of the kernel with these bytes, if it is loaded: its handle.
    pub fn reuse(&mut self, content: ContentHash) -> Option<u64> {
        let kernel = self.kernels.get_mut(&content)?;
        kernel.users += 1;
        Some(handle_of(kernel))
    }

    /// Adds a kernel that was just loaded: its handle, which is never 0.
    pub fn add(&mut self, content: ContentHash, func_id: i32, loaded: LoadedKernel) -> u64 {
        let name = self.name_of(content, func_id);
        let tensors = self.descriptions.get(&content).map(|known| known.tensors.clone()).unwrap_or_default();
        let kernel = Box::new(Kernel {
            content,
            description: Description { name, tensors },
            object: loaded.object,
            entry: loaded.entry,
            blocking: loaded.blocking,
            tiled: loaded.tiled,
            traced: loaded.traced,
            hands_over: loaded.hands_over,
            host_cost: Arc::default(),
            users: 1,
        });
        let handle = handle_of(&kernel);
        self.kernels.insert(content, kernel);
        handle
    }

    /// One user less. The object to unload, if that was the last; `Err` if there is no such kernel.
    pub fn release(&mut self, handle: u64) -> Result<Option<ObjectId>, UnknownKernel> {
        let content = self.find(handle).ok_or(UnknownKernel { handle })?.content;
        let Some(kernel) = self.kernels.get_mut(&content) else { return Err(UnknownKernel { handle }) };
        kernel.users -= 1;
        let last = kernel.users == 0;
        Ok(last.then(|| self.kernels.remove(&content)).flatten().map(|kernel| kernel.object))
    }

    /// The kernel behind a handle.
    pub fn find(&self, handle: u64) -> Option<&Kernel> {
        self.kernels.values().find(|kernel| handle_of(kernel) == handle).map(|kernel| &**kernel)
    }

    /// Every kernel, by content.
    pub fn iter(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.values().map(|kernel| &**kernel)
    }
}

/// A guest's handle of a kernel is its address here.
fn handle_of(kernel: &Kernel) -> u64 {
    std::ptr::from_ref(kernel) as u64
}

/// {handle:#x} is no kernel of this device: it was never registered, or unregistered by its last user
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownKernel {
    /// What a guest said.
    pub handle: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(entry: usize) -> LoadedKernel {
        LoadedKernel { object: ObjectId::SHIM, entry, blocking: false, tiled: false, traced: false, hands_over: false }
    }

    #[test]
    fn do_the_same_bytes_share_one_kernel_until_the_last_user_goes() {
        let mut registry = KernelRegistry::default();
        let content = ContentHash::of(b"kernel");
        assert_eq!(registry.reuse(content), None);
        let handle = registry.add(content, 3, loaded(0x1000));
        assert_eq!(registry.reuse(content), Some(handle));
        assert_eq!(registry.find(handle).unwrap().description.name, "kernel_3");
        assert_eq!(registry.release(handle), Ok(None));
        assert_eq!(registry.release(handle), Ok(Some(ObjectId::SHIM)));
        assert_eq!(registry.release(handle), Err(UnknownKernel { handle }));
    }

    #[test]
    fn does_a_description_name_the_kernel_before_it_is_loaded() {
        let mut registry = KernelRegistry::default();
        let content = ContentHash::of(b"kernel");
        let known = Description { name: "kernel_add".to_owned(), tensors: vec![Access::Read, Access::Write] };
        registry.describe(content, known.clone());
        let handle = registry.add(content, 0, loaded(0x1000));
        assert_eq!(registry.find(handle).unwrap().description, known);
    }
}
