//! The ready queue: what happens next, in the total order of (time, priority, number).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::actor::ActorId;
use crate::time::SimTime;

/// Where an entry stands in the total order. The order of the fields is deliberate.
///
/// At one instant the device's own effects come first, in the order in which they were scheduled, and then the actors
/// by number. No two entries are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) time: SimTime,
    rank: u64,
}

/// Set in the rank of actors: they come after all effects of the same instant.
const ACTOR_RANK: u64 = 1 << 63;

impl Key {
    /// An actor that runs at `time`.
    pub(super) fn of_actor(time: SimTime, actor: ActorId) -> Key {
        Key { time, rank: ACTOR_RANK | u64::from(actor.0) }
    }

    /// The `sequence`th effect that was scheduled.
    pub(super) fn of_effect(time: SimTime, sequence: u64) -> Key {
        Key { time, rank: sequence }
    }
}

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// An actor runs.
    Actor(ActorId),
    /// The effect in this slot takes place.
    Effect(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) item: Item,
}

impl Ord for Entry {
    /// Reversed: the heap gives its greatest element first, which has to be the earliest entry.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    heap: BinaryHeap<Entry>,
}

impl ReadyQueue {
    pub(super) fn push(&mut self, key: Key, item: Item) {
        self.heap.push(Entry { key, item });
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.heap.pop()
    }

    /// Whether `key` comes before everything that is queued.
    #[inline]
    pub(super) fn is_first(&self, key: Key) -> bool {
        self.heap.peek().is_none_or(|first| key < first.key)
    }

    /// Puts an entry in and takes the first one out, which is cheaper than doing one after the other.
    pub(super) fn push_pop(&mut self, key: Key, item: Item) -> Entry {
        let entry = Entry { key, item };
        match self.heap.peek_mut() {
            Some(mut first) if first.key < key => {
                let next = std::mem::replace(&mut *first, entry);
                drop(first);
                next
            }
            Some(first) => {
                drop(first);
                entry
            }
            None => entry,
        }
    }

    /// Everything that is queued, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.heap.iter()
    }

    /// Keeps the entries for which `keep` returns true; it may also change their keys.
    pub(super) fn rebuild(&mut self, mut keep: impl FnMut(&mut Entry) -> bool) {
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.retain_mut(|entry| keep(entry));
        self.heap = BinaryHeap::from(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(ns: u64, id: u32) -> (Key, Item) {
        (Key::of_actor(SimTime::from_ns(ns), ActorId(id)), Item::Actor(ActorId(id)))
    }

    #[test]
    fn is_the_order_time_then_effects_then_actor_number() {
        let mut queue = ReadyQueue::default();
        for (key, item) in [actor(5, 2), actor(5, 1), actor(4, 9)] {
            queue.push(key, item);
        }
        queue.push(Key::of_effect(SimTime::from_ns(5), 8), Item::Effect(1));
        queue.push(Key::of_effect(SimTime::from_ns(5), 7), Item::Effect(2));
        let order: Vec<Item> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.item).collect();
        assert_eq!(
            order,
            [
                Item::Actor(ActorId(9)),
                Item::Effect(2),
                Item::Effect(1),
                Item::Actor(ActorId(1)),
                Item::Actor(ActorId(2))
            ]
        );
    }

    #[test]
    fn does_push_pop_give_the_earliest_of_all() {
        let mut queue = ReadyQueue::default();
        let (key, item) = actor(5, 1);
        assert_eq!(queue.push_pop(key, item).item, item);
        queue.push(key, item);
        let (late, other) = actor(6, 0);
        assert_eq!(queue.push_pop(late, other).item, item);
        assert_eq!(queue.pop().unwrap().item, other);
    }
}
