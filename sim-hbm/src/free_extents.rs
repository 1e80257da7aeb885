//! The free memory of a device, as extents.

use std::collections::{BTreeMap, BTreeSet};

/// Free extents by address and by size. No two of them touch: what is given back is merged with its neighbours at once.
///
/// Every request is a whole number of granules, so that every extent begins on a granule.
#[derive(Debug)]
pub(crate) struct FreeExtents {
    granule: u64,
    /// Start to length.
    by_start: BTreeMap<u64, u64>,
    /// Length, then start: the order of best fit.
    by_size: BTreeSet<(u64, u64)>,
    total: u64,
}

impl FreeExtents {
    /// One free extent of `length` bytes at `start`, both whole granules; a granule is a power of two.
    pub(crate) fn new(start: u64, length: u64, granule: u64) -> Self {
        let mut extents = FreeExtents { granule, by_start: BTreeMap::new(), by_size: BTreeSet::new(), total: length };
        extents.insert(start, length);
        extents
    }

    /// Where `length` bytes fit at `alignment` (a power of two of at least a granule).
    ///
    /// At the usual alignment of one granule this is the smallest extent that is long enough, the lowest of equals. For
    /// more, it is the smallest that is long enough wherever it starts, which takes no search; only when there is none
    /// are the shorter ones tried one by one.
    pub(crate) fn find(&self, length: u64, alignment: u64) -> Option<u64> {
        let sure = length.saturating_add(alignment - self.granule);
        let place = |&(extent, start): &(u64, u64)| {
            let place = start.checked_next_multiple_of(alignment)?;
            (place - start <= extent && extent - (place - start) >= length).then_some(place)
        };
        let surely = self.by_size.range((sure, 0)..).next().and_then(place);
        surely.or_else(|| self.by_size.range((length, 0)..(sure, 0)).find_map(place))
    }

    /// Takes `length` bytes at `start`, a place that [`FreeExtents::find`] gave.
    pub(crate) fn take(&mut self, start: u64, length: u64) {
        let found = self.by_start.range(..=start).next_back().map(|(&from, &len)| (from, from + len));
        let Some((from, to)) = found.filter(|&(_, to)| start + length <= to) else {
            panic!("took {length:#x} bytes at {start:#x}, which are not free");
        };
        self.remove(from, to - from);
        self.insert(from, start - from);
        self.insert(start + length, to - (start + length));
        self.total -= length;
    }

    /// Gives `length` bytes at `start` back.
    pub(crate) fn give_back(&mut self, start: u64, length: u64) {
        let (mut from, mut to) = (start, start + length);
        if let Some((&below, &len)) = self.by_start.range(..start).next_back()
            && below + len == start
        {
            self.remove(below, len);
            from = below;
        }
        if let Some(&len) = self.by_start.get(&to) {
            self.remove(to, len);
            to += len;
        }
        self.insert(from, to - from);
        self.total += length;
    }

    /// The longest extent, 0 when nothing is free.
    pub(crate) fn largest(&self) -> u64 {
        self.by_size.last().map_or(0, |&(length, _)| length)
    }

    /// Free bytes.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// How many extents there are.
    pub(crate) fn count(&self) -> usize {
        self.by_start.len()
    }

    fn insert(&mut self, start: u64, length: u64) {
        if length > 0 {
            self.by_start.insert(start, length);
            self.by_size.insert((length, start));
        }
    }

    fn remove(&mut self, start: u64, length: u64) {
        self.by_start.remove(&start);
        self.by_size.remove(&(length, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1 << 20;

    /// Takes the best place, as the allocator does.
    fn take(extents: &mut FreeExtents, length: u64, alignment: u64) -> u64 {
        let start = extents.find(length, alignment).expect("room");
        extents.take(start, length);
        start - START
    }

    #[test]
    fn does_the_smallest_sufficient_gap_win_and_the_lowest_of_equals() {
        let mut extents = FreeExtents::new(START, 1 << 20, 512);
        let starts = [2048, 512, 1024, 512, 1024, 512].map(|length| take(&mut extents, length, 512));
        assert_eq!(starts, [0, 2048, 2560, 3584, 4096, 5120]);
        for gap in [(0, 2048), (2560, 1024), (4096, 1024)] {
            extents.give_back(START + gap.0, gap.1);
        }
        assert_eq!([1024, 512, 512, 1536].map(|length| take(&mut extents, length, 512)), [2560, 4096, 4608, 0]);
    }

    #[test]
    fn is_a_gap_that_only_just_fits_an_alignment_still_found() {
        let mut extents = FreeExtents::new(START, 8192, 512);
        assert_eq!(take(&mut extents, 512, 512), 0);
        assert_eq!(take(&mut extents, 4096, 4096), 4096);
        assert_eq!((extents.find(4096, 4096), extents.find(3584, 512)), (None, Some(START + 512)));
        extents.give_back(START, 512);
        assert_eq!(extents.find(4096, 4096), Some(START));
        assert_eq!(extents.find(512, 1 << 63), None);
    }

    #[test]
    fn do_seeded_random_takes_and_returns_coalesce_to_one_extent() {
        let mut extents = FreeExtents::new(START, 1 << 30, 512);
        let mut taken: Vec<(u64, u64)> = Vec::new();
        let mut state = 42_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..20_000 {
            if random(5) < 3 || taken.is_empty() {
                let (length, alignment) = ((1 + random(64)) * 512, 512 << random(8));
                let start = extents.find(length, alignment).expect("room");
                assert_eq!(start % alignment, 0);
                extents.take(start, length);
                taken.push((start, length));
            } else {
                let (start, length) = taken.swap_remove(random(taken.len() as u64) as usize);
                extents.give_back(start, length);
            }
        }
        assert!(extents.count() > 100, "the walk never fragmented the memory");
        assert_eq!(extents.total(), (1 << 30) - taken.iter().map(|(_, length)| length).sum::<u64>());
        for (start, length) in taken {
            extents.give_back(start, length);
        }
        assert_eq!((extents.count(), extents.total(), extents.largest()), (1, 1 << 30, 1 << 30));
    }
}
