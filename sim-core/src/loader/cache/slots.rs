//! Slots with generations: a pointer that is gone is known to be gone.

/// The entry of a cached object. It outlives the object and is no good then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    slot: u32,
    generation: u32,
}

/// the object behind entry {slot}.{generation} was unloaded (its slot is at generation {now}); begin the run again
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct LateUse {
    /// The slot.
    pub slot: u32,
    /// The generation that was asked for.
    pub generation: u32,
    /// The generation of what may be there now.
    pub now: u32,
}

/// Values in slots that are used again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { slots: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts a value into the first free slot.
    pub(super) fn insert(&mut self, value: T) -> Entry {
        let free = self.slots.iter().position(|slot| slot.value.is_none());
        let index = free.unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            self.slots.len() - 1
        });
        let slot = &mut self.slots[index];
        slot.value = Some(value);
        Entry { slot: index as u32, generation: slot.generation }
    }

    /// The value of an entry.
    pub(super) fn get(&self, entry: Entry) -> Result<&T, LateUse> {
        let slot = self.slots.get(entry.slot as usize);
        let value = slot.filter(|slot| slot.generation == entry.generation).and_then(|slot| slot.value.as_ref());
        value.ok_or_else(|| late(entry, slot.map_or(0, |slot| slot.generation)))
    }

    /// The value of an entry, to be changed.
    pub(super) fn get_mut(&mut self, entry: Entry) -> Result<&mut T, LateUse> {
        let slot = self.slots.get_mut(entry.slot as usize).ok_or_else(|| late(entry, 0))?;
        let now = slot.generation;
        let value = slot.value.as_mut().filter(|_| now == entry.generation);
        value.ok_or_else(|| late(entry, now))
    }

    /// Takes the value of an entry out; from now on the entry is late.
    pub(super) fn remove(&mut self, entry: Entry) -> Result<T, LateUse> {
        self.get(entry)?;
        let slot = &mut self.slots[entry.slot as usize];
        slot.generation += 1;
        slot.value.take().ok_or_else(|| late(entry, entry.generation))
    }

    /// Everything that is there.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let there = self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some());
        there.map(|(index, slot)| Entry { slot: index as u32, generation: slot.generation }).collect()
    }
}

fn late(entry: Entry, now: u32) -> LateUse {
    LateUse { slot: entry.slot, generation: entry.generation, now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_an_entry_late_once_its_slot_has_something_else() {
        let mut slots = Slots::default();
        let first = slots.insert("a");
        assert_eq!(slots.get(first), Ok(&"a"));
        assert_eq!(slots.remove(first), Ok("a"));
        assert_eq!(slots.get(first), Err(LateUse { slot: 0, generation: 0, now: 1 }));
        let second = slots.insert("b");
        assert_eq!((slots.get(second), slots.entries()), (Ok(&"b"), vec![second]));
        assert_eq!(slots.remove(first), Err(LateUse { slot: 0, generation: 0, now: 1 }));
    }
}
