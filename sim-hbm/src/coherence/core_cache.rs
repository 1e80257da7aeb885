//! The data cache of a core.

use std::collections::BTreeMap;

use sim_core::actor::ActorKind;
use sim_core::time::SimTime;

use super::finding::{CoherenceFinding, Site};
use super::line::{Access, LineBytes, Lines, differences};

/// A line in the cache.
#[derive(Clone, Debug)]
pub(super) struct CachedLine {
    bytes: LineBytes,
    /// When it came.
    since: SimTime,
    /// Which bytes the core has stored, a bit for each, and when it last did.
    stored: u64,
    stored_at: SimTime,
}

impl CachedLine {
    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    pub(super) fn since(&self) -> SimTime {
        self.since
    }

    pub(super) fn differs(&self, memory: &LineBytes) -> u64 {
        differences(&self.bytes, memory)
    }

    pub(super) fn all(&self) -> &LineBytes {
        &self.bytes
    }

    pub(super) fn bytes(&self, lines: Lines) -> Box<[u8]> {
        self.bytes[..lines.size()].into()
    }
}

/// A line that a core gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBack {
    /// Its address.
    pub address: u64,
    /// All of it.
    pub bytes: Box<[u8]>,
    /// When it arrives.
    pub at: SimTime,
}

/// A load that gave something else than what was in memory.
#[derive(Clone, Copy, Debug)]
struct StaleRead {
    /// The bytes that were loaded.
    mask: u64,
    since: SimTime,
    at: SimTime,
    reads: u64,
    by: Option<ActorKind>,
    /// The core has given the line back since: if it loads the same again, it was only looking.
    given_back: bool,
}

/// The data cache of a core.
#[derive(Clone, Debug)]
pub(super) struct CoreCache {
    who: ActorKind,
    lines: BTreeMap<u64, CachedLine>,
    /// By line, unless the core has looked again since.
    stale: BTreeMap<u64, StaleRead>,
}

impl CoreCache {
    pub(super) fn new(who: ActorKind) -> Self {
        CoreCache { who, lines: BTreeMap::new(), stale: BTreeMap::new() }
    }

    pub(super) fn has(&self, line: u64) -> bool {
        self.lines.contains_key(&line)
    }

    /// The lines that the core has stored to: the one at this address, or all.
    pub(super) fn stored_lines(&self, line: Option<u64>) -> Vec<u64> {
        let lines = self.lines.iter().filter(|(address, _)| line.is_none_or(|line| line == **address));
        lines.filter(|(_, line)| line.stored != 0).map(|(address, _)| *address).collect()
    }

    fn line(&mut self, address: u64, memory: &LineBytes, now: SimTime) -> &mut CachedLine {
        let new = || CachedLine { bytes: *memory, since: now, stored: 0, stored_at: now };
        self.lines.entry(address).or_insert_with(new)
    }

    /// The value that the core sees. `by` says who wrote any of some bytes since a time.
    pub(super) fn load(
        &mut self,
        lines: Lines,
        access: Access,
        memory: &LineBytes,
        now: SimTime,
        by: impl Fn(u64, SimTime) -> Option<(ActorKind, u64)>,
    ) -> u64 {
        let (address, mask) = (lines.of(access), lines.mask(access));
        let line = self.line(address, memory, now);
        let value = lines.value(access, &line.bytes);
        let since = line.since;
        let is_stale = line.differs(memory) & mask & !line.stored != 0;
        match self.stale.get_mut(&address) {
            Some(known) if is_stale && known.given_back => {
                *known = StaleRead { reads: known.reads + 1, mask, since, given_back: false, ..*known };
            }
            Some(known) if is_stale => known.reads += 1,
            // It looks again, at the line as it is now.
            Some(known) if known.given_back && known.mask & mask != 0 => {
                self.stale.remove(&address);
            }
            None if is_stale => {
                let by = by(mask, since).map(|(by, _)| by);
                self.stale.insert(address, StaleRead { mask, since, at: now, reads: 1, by, given_back: false });
            }
            Some(_) | None => {}
        }
        value
    }

    pub(super) fn store(&mut self, lines: Lines, access: Access, value: u64, memory: &LineBytes, now: SimTime) {
        let line = self.line(lines.of(access), memory, now);
        lines.set(access, &mut line.bytes, value);
        line.stored |= lines.mask(access);
        line.stored_at = now;
    }

    /// Gives back a line, or all of them, in the order of their addresses.
    pub(super) fn take(&mut self, line: Option<u64>) -> Vec<(u64, CachedLine)> {
        let taken: Vec<(u64, CachedLine)> = match line {
            Some(line) => self.lines.remove(&line).map(|bytes| (line, bytes)).into_iter().collect(),
            None => std::mem::take(&mut self.lines).into_iter().collect(),
        };
        for (address, _) in &taken {
            if let Some(stale) = self.stale.get_mut(address) {
                stale.given_back = true;
            }
        }
        taken
    }

    /// The core has ended: what it had never given back, and what it saw last that was old.
    pub(super) fn give_up(self, findings: &mut Vec<CoherenceFinding>) {
        let CoreCache { who, lines, stale } = self;
        let never = lines.into_iter().filter(|(_, line)| line.stored != 0);
        findings.extend(never.map(|(address, line)| CoherenceFinding::NeverWrittenBack {
            core: who,
            site: Site::of(address, line.stored),
            at: line.stored_at,
        }));
        findings.extend(stale.into_iter().map(|(address, stale)| CoherenceFinding::StaleRead {
            core: who,
            site: Site::of(address, stale.mask),
            since: stale.since,
            by: stale.by,
            reads: stale.reads,
            at: stale.at,
        }));
    }
}
