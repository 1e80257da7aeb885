//! Who brings into the L2 what was missing there.
//!
//! A kernel that begins finds something in the L2 and misses the rest, so it has to bring that from the HBM while it
//! runs. Another that begins meanwhile and reads the same finds there what is brought already; what is not, they bring
//! together from then on:
//!
//! ```text
//!              first begins                second begins             both have ended
//!   missing:   1 MB, all for the first     0.6 MB left, 0.3 each     nothing
//! ```
//!
//! On a device it comes to this by itself. Cores that go through the same memory do not stay in step: whoever is behind
//! finds lines in the L2 and is fast, until it is ahead, misses, and is slow. So each of them brings its part through its
//! own port, and together they are as fast as all their ports.
//!
//! # Rules
//!
//! - A newcomer takes from each who is bringing a part of what it reads as much as makes its share even: one of two
//!   halves, one of three thirds.
//! - A kernel brings its part evenly from now to its end. What is left of a part is in proportion to what is left of the
//!   kernel.
//! - Whoever ends has brought its part.
//!
//! Parts are kept as bytes of the whole kernel, as if it had begun with them: what it does from now on is then a kernel
//! with other traffic, of which a part is left.

use super::pace::scaled;
use super::resident::Bringer;
use super::transfer::Traffic;

/// What one kernel brings of what one of them missed.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Who missed it first.
    bringer: Bringer,
    /// Bytes that it missed.
    of: u64,
    /// Bytes of these.
    bytes: u64,
}

/// A running kernel, and what it brings.
#[derive(Clone, Debug)]
struct Reader<Id, Work> {
    id: Id,
    work: Work,
    traffic: Traffic,
    parts: Vec<Part>,
}

/// What a kernel found in the L2, by who had missed it there.
#[derive(Clone, Debug, Default)]
pub(super) struct Found(Vec<(Bringer, u64)>);

impl Found {
    /// So many bytes more.
    pub(super) fn add(&mut self, bringer: Bringer, bytes: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == bringer) {
            Some((_, sum)) => *sum += bytes,
            None => self.0.push((bringer, bytes)),
        }
    }
}

/// What running kernels bring into the L2.
#[derive(Clone, Debug)]
pub(super) struct Misses<Id, Work> {
    readers: Vec<Reader<Id, Work>>,
    /// Whose traffic the last newcomer has changed.
    changed: Vec<usize>,
}

impl<Id: Copy + Eq, Work> Misses<Id, Work> {
    /// Nobody brings anything.
    pub(super) fn new() -> Self {
        Misses { readers: Vec::new(), changed: Vec::new() }
    }

    /// Nobody does any more.
    pub(super) fn clear(&mut self) {
        self.readers.clear();
        self.changed.clear();
    }

    /// A kernel begins, as bringer `number`, and asks for `traffic`, as if all that it found had been in the L2 already.
    /// `left` says what is left of a kernel, of how much. What it asks for, with its part of what others were bringing.
    pub(super) fn join(
        &mut self,
        id: Id,
        work: Work,
        number: Bringer,
        traffic: Traffic,
        found: &Found,
        left: impl Fn(Id) -> Option<(u128, u128)>,
    ) -> Traffic {
        self.changed.clear();
        let mut parts = Vec::new();
        if traffic.hbm_read > 0 {
            parts.push(Part { bringer: number, of: traffic.hbm_read, bytes: traffic.hbm_read });
        }
        let mut traffic = traffic;
        for &(bringer, bytes) in found.0.iter().filter(|(bringer, _)| *bringer != number) {
            let (taken, of) = self.take_part(bringer, bytes, &left);
            let taken = taken.min(traffic.l2_hits);
            if taken > 0 {
                parts.push(Part { bringer, of, bytes: taken });
                (traffic.hbm_read, traffic.l2_hits) = (traffic.hbm_read + taken, traffic.l2_hits - taken);
            }
        }
        if !parts.is_empty() {
            self.readers.push(Reader { id, work, traffic, parts });
        }
        traffic
    }

    /// A newcomer takes its part of `bytes` that it reads of what `bringer` missed: how much, and of how much.
    fn take_part(&mut self, bringer: Bringer, bytes: u64, left: &impl Fn(Id) -> Option<(u128, u128)>) -> (u64, u64) {
        let has_part = |part: &Part| part.bringer == bringer && part.bytes > 0;
        let sharers = self.readers.iter().filter(|reader| reader.parts.iter().any(has_part)).count() as u128;
        let (mut taken, mut of) = (0, 0);
        for (index, reader) in self.readers.iter_mut().enumerate() {
            let Some(part) = reader.parts.iter_mut().find(|part| has_part(part)) else { continue };
            of = part.of;
            let Some((left, whole)) = left(reader.id).filter(|(left, _)| *left > 0) else { continue };
            let read = u128::from(part.bytes) * u128::from(bytes.min(of)) / u128::from(of.max(1));
            let given = (read / (sharers + 1)) as u64;
            let now = scaled(left, u128::from(given), whole) as u64;
            if now == 0 {
                continue;
            }
            part.bytes -= given;
            reader.traffic.hbm_read -= given;
            reader.traffic.l2_hits += given;
            taken += now;
            if !self.changed.contains(&index) {
                self.changed.push(index);
            }
        }
        (taken, of)
    }

    /// Whose traffic the last newcomer has changed, what they do, and what they ask for now.
    pub(super) fn changed(&self) -> impl Iterator<Item = (Id, &Work, Traffic)> {
        self.changed.iter().map(|&index| {
            let Reader { id, work, traffic, .. } = &self.readers[index];
            (*id, work, *traffic)
        })
    }

    /// A kernel has ended.
    pub(super) fn leave(&mut self, id: Id) {
        self.readers.retain(|reader| reader.id != id);
    }
}
