//! Handles: numbers that the host gets for what the driver keeps, and gives back.

use std::collections::BTreeMap;

/// What a handle stands for. A handle shows its kind, so that one is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) enum HandleKind {
    /// A stream.
    Stream = 1,
    /// A registered AICore binary.
    Binary = 2,
    /// A file that lists AICPU functions.
    CpuBinary = 3,
    /// One of those functions.
    CpuFunction = 4,
    /// An event.
    Event = 5,
}

/// Everything of one kind, by handle. Handles are given in order and never again, so they are the same in every run.
#[derive(Debug)]
pub(in crate::device) struct Handles<T> {
    kind: HandleKind,
    given: u64,
    items: BTreeMap<u64, T>,
}

/// Above everything that could be an address of the host or of the device by mistake.
const BASE: u64 = 0x6e70 << 48;
const KIND_SHIFT: u32 = 40;
const STRIDE: u64 = 16;

impl<T> Handles<T> {
    pub(in crate::device) fn new(kind: HandleKind) -> Self {
        Handles { kind, given: 0, items: BTreeMap::new() }
    }

    pub(in crate::device) fn add(&mut self, item: T) -> u64 {
        self.given += 1;
        let handle = BASE | ((self.kind as u64) << KIND_SHIFT) | (self.given * STRIDE);
        self.items.insert(handle, item);
        handle
    }

    pub(in crate::device) fn get(&self, handle: u64) -> Option<&T> {
        self.items.get(&handle)
    }

    pub(in crate::device) fn get_mut(&mut self, handle: u64) -> Option<&mut T> {
        self.items.get_mut(&handle)
    }

    pub(in crate::device) fn remove(&mut self, handle: u64) -> Option<T> {
        self.items.remove(&handle)
    }

    pub(in crate::device) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.items.iter().map(|(handle, item)| (*handle, item))
    }

    pub(in crate::device) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.values_mut()
    }

    /// Takes everything out.
    pub(in crate::device) fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items).into_values().collect()
    }

    pub(in crate::device) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.items.retain(|_, item| keep(item));
    }

    pub(in crate::device) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_handle_of_another_kind_or_one_that_is_gone_unknown() {
        let (mut streams, mut binaries) = (Handles::new(HandleKind::Stream), Handles::new(HandleKind::Binary));
        let (first, second) = (streams.add('a'), streams.add('b'));
        assert_eq!([first, second], [0x6e70_0100_0000_0010, 0x6e70_0100_0000_0020]);
        assert_eq!(binaries.add('c'), 0x6e70_0200_0000_0010);
        assert_eq!((streams.get(second), binaries.get(second)), (Some(&'b'), None));
        assert_eq!((streams.remove(first), streams.remove(first), streams.get(0)), (Some('a'), None, None));
        assert_eq!(streams.add('d'), 0x6e70_0100_0000_0030);
    }
}
