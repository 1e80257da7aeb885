//! What of device memory is in the L2: address ranges, the least recently used of which go first.

use std::collections::{BTreeMap, BTreeSet};

/// The lines of the L2, as ranges of addresses that were used together.
///
/// No two ranges overlap, and together they are no larger than the capacity. When something has to go, it is the
/// beginning of the range that was used longest ago, which is the oldest line of all if ranges are used from their
/// beginning to their end.
#[derive(Clone, Debug)]
pub struct ResidentSet {
    capacity: u64,
    line: u64,
    /// By address of the beginning.
    ranges: BTreeMap<u64, Range>,
    /// Uses in order, with the beginnings of their ranges.
    order: BTreeSet<(u64, u64)>,
    bytes: u64,
    uses: u64,
}

/// Who brought something in: a number that is given anew to each that may have to.
pub type Bringer = u64;

/// What was written by a core is brought in by nobody.
pub(super) const NOBODY: Bringer = 0;

#[derive(Clone, Copy, Debug)]
struct Range {
    end: u64,
    /// The use that was the last.
    used: u64,
    bringer: Bringer,
}

impl ResidentSet {
    /// A cache of so many bytes with such lines (a power of two), in which nothing is.
    pub fn new(capacity: u64, line: u64) -> Self {
        ResidentSet { capacity, line, ranges: BTreeMap::new(), order: BTreeSet::new(), bytes: 0, uses: 0 }
    }

    /// Bytes that are in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// `bringer` uses this memory from its beginning to its end: how many of the bytes were there, of which `found` is
    /// told who had brought them. They all are there afterwards, as far as they fit.
    pub fn touch(&mut self, address: u64, bytes: u64, bringer: Bringer, mut found: impl FnMut(Bringer, u64)) -> u64 {
        if bytes == 0 || self.capacity < self.line {
            return 0;
        }
        let start = address - address % self.line;
        let end = address.saturating_add(bytes).saturating_next_multiple_of(self.line);
        // Of the lines at both ends only a part was asked for.
        let asked =
            |hit: u64| u64::try_from(u128::from(hit) * u128::from(bytes) / u128::from(end - start)).unwrap_or(bytes);
        self.uses += 1;
        let mut hit = 0;
        let mut at = start;
        while at < end {
            let (until, bringer) = match self.range_at(at) {
                Some(range) => {
                    let until = range.end.min(end);
                    self.take_out(at, until);
                    hit += until - at;
                    found(range.bringer, asked(until - at));
                    (until, range.bringer)
                }
                None => (self.ranges.range(at..end).next().map_or(end, |(next, _)| *next), bringer),
            };
            self.put_in(at, until, bringer);
            at = until;
        }
        asked(hit)
    }

    fn range_at(&self, address: u64) -> Option<Range> {
        let (_, range) = self.ranges.range(..=address).next_back()?;
        (range.end > address).then_some(*range)
    }

    /// Takes out a part of one range; what is left of it keeps its age.
    fn take_out(&mut self, start: u64, end: u64) {
        let Some((&begin, &range)) = self.ranges.range(..=start).next_back() else { return };
        self.remove(begin, range);
        for (begin, end) in [(begin, start), (end, range.end)] {
            if begin < end {
                self.insert(begin, Range { end, ..range });
            }
        }
    }

    /// Puts in what is being used; it continues what the same use has put in before it.
    fn put_in(&mut self, start: u64, end: u64, bringer: Bringer) {
        let before = self.ranges.range(..start).next_back().map(|(begin, range)| (*begin, *range));
        let begin = match before {
            Some((begin, range)) if (range.end, range.used, range.bringer) == (start, self.uses, bringer) => {
                self.remove(begin, range);
                begin
            }
            Some(_) | None => start,
        };
        self.insert(begin, Range { end, used: self.uses, bringer });
        while self.bytes > self.capacity {
            self.drop_oldest(self.bytes - self.capacity);
        }
    }

    /// Drops up to `most` bytes of the range that was used longest ago.
    fn drop_oldest(&mut self, most: u64) {
        let Some(&(_, begin)) = self.order.first() else { return };
        let Some(&range) = self.ranges.get(&begin) else { return };
        self.remove(begin, range);
        let left = begin + most.saturating_next_multiple_of(self.line);
        if left < range.end {
            self.insert(left, range);
        }
    }

    fn insert(&mut self, begin: u64, range: Range) {
        self.ranges.insert(begin, range);
        self.order.insert((range.used, begin));
        self.bytes += range.end - begin;
    }

    fn remove(&mut self, begin: u64, range: Range) {
        self.ranges.remove(&begin);
        self.order.remove(&(range.used, begin));
        self.bytes -= range.end - begin;
    }
}

/// Rounding up near the end of all addresses.
trait NextMultiple {
    fn saturating_next_multiple_of(self, of: u64) -> u64;
}

impl NextMultiple for u64 {
    fn saturating_next_multiple_of(self, of: u64) -> u64 {
        self.checked_next_multiple_of(of).unwrap_or(u64::MAX - u64::MAX % of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(lines: u64) -> ResidentSet {
        ResidentSet::new(lines * 512, 512)
    }

    fn touch(cache: &mut ResidentSet, address: u64, bytes: u64) -> u64 {
        cache.touch(address, bytes, NOBODY, |_, _| ())
    }

    #[test]
    fn is_it_known_who_brought_what_is_found() {
        let mut cache = cache(8);
        let mut touch = |address, bytes, bringer| {
            let mut found = Vec::new();
            let hit = cache.touch(address, bytes, bringer, |bringer, bytes| found.push((bringer, bytes)));
            (hit, found)
        };
        assert_eq!(touch(0, 1024, 1), (0, vec![]));
        assert_eq!(touch(512, 1024, 2), (512, vec![(1, 512)]));
        // What the second found is still of the first.
        assert_eq!(touch(0, 1536, 3), (1536, vec![(1, 512), (1, 512), (2, 512)]));
    }

    #[test]
    fn is_a_second_use_a_hit() {
        let mut cache = cache(8);
        assert_eq!([touch(&mut cache, 0x1000, 1024), touch(&mut cache, 0x1000, 1024), cache.bytes()], [0, 1024, 1024]);
    }

    #[test]
    fn does_half_a_line_bring_in_all_of_it_and_count_as_half() {
        let mut cache = cache(8);
        assert_eq!([touch(&mut cache, 256, 256), cache.bytes()], [0, 512]);
        assert_eq!([touch(&mut cache, 0, 100), touch(&mut cache, 500, 24)], [100, 12]);
    }

    #[test]
    fn does_the_least_recently_used_go_first() {
        let mut cache = cache(4);
        touch(&mut cache, 0, 1024);
        touch(&mut cache, 0x1000, 1024);
        // The first is used again, so the second is the older one.
        assert_eq!(touch(&mut cache, 0, 512), 512);
        touch(&mut cache, 0x2000, 1024);
        assert_eq!(cache.bytes(), 2048);
        assert_eq!(touch(&mut cache, 0, 512), 512);
        // The second half of the first was the oldest of all.
        assert_eq!(touch(&mut cache, 512, 512), 0);
    }

    #[test]
    fn does_whoever_reads_more_than_fits_over_and_over_never_hit() {
        let mut cache = cache(4);
        assert_eq!(
            [touch(&mut cache, 0, 5 * 512), touch(&mut cache, 0, 5 * 512), touch(&mut cache, 0, 5 * 512)],
            [0; 3]
        );
        // The last four lines are there, and are found by whoever begins with them.
        assert_eq!(touch(&mut cache, 512, 4 * 512), 4 * 512);
    }

    #[test]
    fn may_a_use_drive_out_what_it_comes_to_later() {
        let mut cache = cache(4);
        touch(&mut cache, 0x1000, 1024);
        touch(&mut cache, 0x8000, 1024);
        // Two new lines drive out the two at 0x1000, which would have been next.
        assert_eq!(touch(&mut cache, 0x1000 - 1024, 2048), 0);
    }

    #[test]
    fn is_a_part_in_the_middle_of_a_range_found_and_the_rest_left() {
        let mut cache = cache(8);
        touch(&mut cache, 0, 4 * 512);
        assert_eq!(touch(&mut cache, 512, 1024), 1024);
        assert_eq!((cache.bytes(), touch(&mut cache, 0, 4 * 512)), (2048, 2048));
    }

    #[test]
    fn is_nothing_in_a_cache_of_nothing_and_is_the_end_of_all_addresses_survived() {
        assert_eq!(touch(&mut cache(0), 0, 512), 0);
        let mut cache = cache(8);
        touch(&mut cache, u64::MAX - 600, 600);
        assert!(cache.bytes() <= 8 * 512);
        assert_eq!(touch(&mut cache, 5, 0), 0);
    }
}
