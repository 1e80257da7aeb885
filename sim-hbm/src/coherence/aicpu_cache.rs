//! The caches of the AICPU, which are coherent with each other: one, as far as values go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sim_core::actor::ActorKind;
use sim_core::time::SimTime;

use super::finding::{CoherenceFinding, Site};
use super::line::{Access, LineBytes, Lines, differences};

/// A line as it was before the host wrote to it.
#[derive(Clone, Debug)]
struct Kept {
    bytes: LineBytes,
    /// When the host wrote.
    since: SimTime,
    found: bool,
}

/// What AICPU threads have loaded.
#[derive(Debug)]
pub(super) struct AicpuCache {
    /// What the host copies is seen.
    sees_host: bool,
    held: BTreeSet<u64>,
    /// Lines that memory has gone past.
    kept: BTreeMap<u64, Kept>,
    /// By thread: the line that it loaded from last, and when.
    last: Vec<(ActorKind, u64, SimTime)>,
}

impl AicpuCache {
    pub(super) fn new(sees_host: bool) -> Self {
        AicpuCache { sees_host, held: BTreeSet::new(), kept: BTreeMap::new(), last: Vec::new() }
    }

    /// New threads begin.
    pub(super) fn begin(&mut self) {
        self.last.clear();
    }

    /// Whether the thread loaded from this line last, which changed at `changed` if it did.
    pub(super) fn is_warm(&self, who: ActorKind, line: u64, changed: Option<SimTime>) -> bool {
        let last = self.last.iter().find(|(thread, ..)| *thread == who);
        last.is_some_and(|(_, last, at)| *last == line && changed.is_none_or(|changed| changed <= *at))
    }

    pub(super) fn load(
        &mut self,
        who: ActorKind,
        lines: Lines,
        access: Access,
        memory: &LineBytes,
        now: SimTime,
        findings: &mut Vec<CoherenceFinding>,
    ) -> u64 {
        let line = lines.of(access);
        self.held.insert(line);
        match self.last.iter_mut().find(|(thread, ..)| *thread == who) {
            Some(last) => *last = (who, line, now),
            None => self.last.push((who, line, now)),
        }
        let Some(kept) = self.kept.get_mut(&line) else { return lines.value(access, memory) };
        let old = differences(&kept.bytes, memory) & lines.mask(access);
        if old != 0 && !std::mem::replace(&mut kept.found, true) {
            let site = Site::of(line, lines.mask(access));
            findings.push(CoherenceFinding::StaleAfterCopy { thread: who, site, since: kept.since, at: now });
        }
        lines.value(access, &kept.bytes)
    }

    /// A store goes through to memory, and into what is held.
    pub(super) fn stored(&mut self, lines: Lines, access: Access, line: u64, value: u64) {
        if let Some(kept) = self.kept.get_mut(&line) {
            lines.set(access, &mut kept.bytes, value);
        }
    }

    pub(super) fn forget(&mut self, line: u64) {
        self.held.remove(&line);
        self.kept.remove(&line);
        self.last.retain(|(_, last, _)| *last != line);
    }

    /// A core has written the line back, which is seen.
    pub(super) fn sees_written_back(&mut self, line: u64) {
        self.kept.remove(&line);
    }

    pub(super) fn forget_all(&mut self, lines: Range<u64>) {
        let held: Vec<u64> = self.held.range(lines).copied().collect();
        held.into_iter().for_each(|line| self.forget(line));
    }

    pub(super) fn host_writes(&mut self, lines: Range<u64>, now: SimTime, memory: impl Fn(u64) -> LineBytes) {
        if self.sees_host {
            self.last.retain(|(_, last, _)| !lines.contains(last));
            return;
        }
        for line in self.held.range(lines) {
            let kept = || Kept { bytes: memory(*line), since: now, found: false };
            self.kept.entry(*line).or_insert_with(kept);
        }
    }
}
