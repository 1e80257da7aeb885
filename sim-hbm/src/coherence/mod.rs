//! Device memory word by word: the caches between AICPU and AICores, and what each side sees.
//!
//! Guests that load and store device memory by the platform's functions (`npusim_gm_*`) meet the caches of the silicon;
//! plain loads and stores reach the memory at once. There are two kinds of caches:
//!
//! - **A core's data cache** (`core_cache`) is coherent with nothing. It takes in a line when the core first loads from it
//!   or stores to it, and keeps it until the core gives it back (`dcci`): what the core stores is in memory only then, and
//!   what others store meanwhile the core does not see. A line goes back **whole**, with the bytes that the core never
//!   wrote, as they were when the line came.
//! - **The AICPU's caches** (`aicpu_cache`) are coherent with each other and with what cores have written back. On a2a3
//!   they do not see what the host copies to the device: a line that was loaded before stays as it was until it is
//!   invalidated. On a5 they do.
//!
//! Source: hw-native-sys/simpler 6ebaf771 docs/hardware/cache-coherency.md.
//!
//! Real caches also lose lines because they need the place, so that a program with a missing `dcci` may work now and then.
//! These never do: such a program fails the same way every time, and [`CoherenceFinding`] says why. A launch begins with
//! empty caches.
//!
//! Bytes come in and go out as values: the caller reads memory, and lets what is written back arrive there at its time.

mod aicpu_cache;
mod core_cache;
mod finding;
mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sim_core::actor::ActorKind;
use sim_core::profile::{Arch, Profile};
use sim_core::time::{SimDuration, SimTime};

use aicpu_cache::AicpuCache;
use core_cache::CoreCache;
pub use core_cache::WriteBack;
pub use finding::{CoherenceFinding, Site};
pub use line::{Access, EMPTY_LINE, LineBytes, Lines};

/// Who last made bytes of a line visible to others, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visible {
    /// By writer: which bytes, a bit for each, and when the last of them arrived.
    writers: Vec<(ActorKind, u64, SimTime)>,
}

impl Visible {
    fn add(&mut self, who: ActorKind, mask: u64, at: SimTime) {
        match self.writers.iter_mut().find(|(writer, ..)| *writer == who) {
            Some((_, written, last)) => (*written, *last) = (*written | mask, at),
            None => self.writers.push((who, mask, at)),
        }
    }

    /// Somebody else than `who` who wrote any of these bytes after `since`, and which.
    fn by_another(&self, who: ActorKind, mask: u64, since: SimTime) -> Option<(ActorKind, u64)> {
        let others = self.writers.iter().filter(|(writer, _, at)| *writer != who && *at > since);
        others.map(|(writer, written, _)| (*writer, written & mask)).find(|(_, written)| *written != 0)
    }

    /// Since when the line is as it is at `now`.
    fn changed_at(&self, now: SimTime) -> Option<SimTime> {
        self.writers.iter().map(|(.., at)| *at).filter(|at| *at <= now).max()
    }
}

/// A line that a core has given back. It sees that itself at once.
#[derive(Debug)]
struct OnItsWay {
    line: u64,
    from: ActorKind,
    bytes: LineBytes,
    arrives: SimTime,
}

/// The caches of a device.
#[derive(Debug)]
pub struct Coherence {
    lines: Lines,
    write_back: SimDuration,
    cores: BTreeMap<u16, CoreCache>,
    aicpu: AicpuCache,
    /// What is known of lines that were written, by their addresses.
    visible: BTreeMap<u64, Visible>,
    /// Lines that cores have given back and that have not arrived.
    on_their_way: Vec<OnItsWay>,
    findings: Vec<CoherenceFinding>,
}

impl Coherence {
    /// The caches of a device with this profile.
    pub fn new(profile: &Profile) -> Self {
        Coherence {
            lines: Lines::new(*profile.coherence.line),
            write_back: *profile.coherence.write_back,
            cores: BTreeMap::new(),
            aicpu: AicpuCache::new(profile.arch == Arch::A5),
            visible: BTreeMap::new(),
            on_their_way: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// How memory is divided into lines.
    pub fn lines(&self) -> Lines {
        self.lines
    }

    /// A launch of cores begins, or is over: their caches are empty, and what was in them is lost.
    pub fn empty_cores(&mut self) {
        for (_, cache) in std::mem::take(&mut self.cores) {
            cache.give_up(&mut self.findings);
        }
        self.visible.clear();
        self.on_their_way.clear();
        self.aicpu.begin();
    }

    /// What was found so far, what cores have not given back included.
    pub fn findings(&self) -> Vec<CoherenceFinding> {
        let mut findings = self.findings.clone();
        for cache in self.cores.values() {
            cache.clone().give_up(&mut findings);
        }
        findings
    }

    // ---- cores

    /// A line of memory as a core would find it there: what it has given back itself has arrived for it.
    fn found_by(&mut self, who: ActorKind, line: u64, memory: &LineBytes, now: SimTime) -> LineBytes {
        self.on_their_way.retain(|way| way.arrives > now);
        let own = self.on_their_way.iter().rfind(|way| (way.line, way.from) == (line, who));
        own.map_or(*memory, |way| way.bytes)
    }

    /// Whether the cache of a core has the line of an access.
    pub fn core_has(&self, core: u16, access: Access) -> bool {
        self.cores.get(&core).is_some_and(|cache| cache.has(self.lines.of(access)))
    }

    /// A core loads: the value that it sees. `memory` is the line as it is there.
    pub fn core_load(&mut self, who: ActorKind, access: Access, memory: &LineBytes, now: SimTime) -> u64 {
        let line = self.lines.of(access);
        let memory = self.found_by(who, line, memory, now);
        let by = |mask, since| self.visible.get(&line).and_then(|line| line.by_another(who, mask, since));
        let cache = self.cores.entry(who.core().unwrap_or_default()).or_insert_with(|| CoreCache::new(who));
        cache.load(self.lines, access, &memory, now, by)
    }

    /// A core stores, into its cache.
    pub fn core_store(&mut self, who: ActorKind, access: Access, value: u64, memory: &LineBytes, now: SimTime) {
        let memory = self.found_by(who, self.lines.of(access), memory, now);
        let cache = self.cores.entry(who.core().unwrap_or_default()).or_insert_with(|| CoreCache::new(who));
        cache.store(self.lines, access, value, &memory, now);
    }

    /// Lines that a core has stored to since it gave them back: the one at this address, or all.
    pub fn stored_lines(&self, core: u16, line: Option<u64>) -> Vec<u64> {
        self.cores.get(&core).map_or_else(Vec::new, |cache| cache.stored_lines(line))
    }

    /// At `now` a core has given back a line, or all of them: what arrives in memory, and when. `memory` has the lines that
    /// it has stored to as they are there.
    pub fn core_gives_back(
        &mut self,
        who: ActorKind,
        line: Option<u64>,
        now: SimTime,
        memory: &BTreeMap<u64, LineBytes>,
    ) -> Vec<WriteBack> {
        let Some(cache) = self.cores.get_mut(&who.core().unwrap_or_default()) else { return Vec::new() };
        let at = now + self.write_back;
        let mut back = Vec::new();
        for (address, line) in cache.take(line) {
            let Some(memory) = memory.get(&address).filter(|_| line.stored() != 0) else { continue };
            let memory = self.found_by(who, address, memory, now);
            let visible = self.visible.entry(address).or_default();
            let untouched = self.lines.mask_of_line() & !line.stored();
            let known = visible.by_another(who, untouched, line.since());
            let lost = known.map_or_else(|| line.differs(&memory) & untouched, |(_, mask)| mask);
            if lost != 0 {
                self.findings.push(CoherenceFinding::Overwritten {
                    core: who,
                    site: Site::of(address, lost),
                    by: known.map(|(by, _)| by),
                    since: line.since(),
                    at,
                });
            }
            visible.add(who, line.stored(), at);
            self.aicpu.sees_written_back(address);
            self.on_their_way.push(OnItsWay { line: address, from: who, bytes: *line.all(), arrives: at });
            back.push(WriteBack { address, bytes: line.bytes(self.lines), at });
        }
        back
    }

    // ---- the AICPU

    /// Whether an AICPU thread loads from the line that it loaded from last, and that is as it was.
    pub fn aicpu_is_warm(&self, who: ActorKind, access: Access, now: SimTime) -> bool {
        let line = self.lines.of(access);
        let changed = self.visible.get(&line).and_then(|visible| visible.changed_at(now));
        self.aicpu.is_warm(who, line, changed)
    }

    /// An AICPU thread loads: the value that it sees. `memory` is the line as it is there.
    pub fn aicpu_load(&mut self, who: ActorKind, access: Access, memory: &LineBytes, now: SimTime) -> u64 {
        self.aicpu.load(who, self.lines, access, memory, now, &mut self.findings)
    }

    /// An AICPU thread has stored, through to memory.
    pub fn aicpu_stored(&mut self, who: ActorKind, access: Access, value: u64, now: SimTime) {
        let line = self.lines.of(access);
        self.visible.entry(line).or_default().add(who, self.lines.mask(access), now);
        self.aicpu.stored(self.lines, access, line, value);
    }

    /// AICPU threads forget what they have of a range.
    pub fn aicpu_forgets(&mut self, address: u64, size: u64) {
        self.aicpu.forget_all(self.lines.overlapping(address, size));
    }

    /// The host is about to write to a range: lines of it that the AICPU would go on seeing as they are. `memory` reads
    /// a line.
    pub fn host_writes(&mut self, address: u64, size: u64, now: SimTime, memory: impl Fn(u64) -> LineBytes) {
        self.aicpu.host_writes(self.lines.overlapping(address, size), now, memory);
    }
}
