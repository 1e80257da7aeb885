//! The register file: one block per AICore, reached by AICPU threads over MMIO and by the core inline.
//!
//! - A **store** by an AICPU thread is posted: it costs the thread little and arrives at the core after the
//!   propagation time.
//! - A **load** costs a round trip, and waits until the thread's own posted stores have arrived.
//! - A **core** accesses its own block by plain loads and stores; the engine notices its stores at its next hook and
//!   lets them arrive after their own propagation time.
//! - A **store of 64 bits** arrives as two ([`crate::split_store`]).
//!
//! AICPU threads know a register by its address in the **window**, which is no memory: they load and store by calls.
//! Whoever accesses the window inline faults, as a core on silicon hangs that does so.
//!
//! A block is plain memory at a stable address. Its words are the same for both sides; only the times differ. The
//! memory is the register file's own, or that of a host runtime which laid the blocks out by itself.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use mmap_rs::{MmapOptions, ReservedNone};
use sim_core::actor::ActorKind;
use sim_core::profile::Profile;
use sim_core::time::{SimDuration, SimTime};

use crate::split_store::{Split, SplitStores, TornRead};

/// A word of a core's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Physical core id.
    pub core: u16,
    /// Offset in the block.
    pub offset: u32,
}

/// What is where in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterLayout {
    /// From one core's block to the next.
    pub block_size: u32,
    /// Offset of the word by which a core tells its state.
    pub cond: u32,
    /// Offset of the word by which a core is given its task.
    pub data_main_base: u32,
}

impl RegisterLayout {
    /// That of the silicon.
    pub fn of(profile: &Profile) -> Self {
        let registers = &profile.registers;
        RegisterLayout {
            block_size: *registers.block_size,
            cond: *registers.cond,
            data_main_base: *registers.data_main_base,
        }
    }
}

/// Addresses of registers for AICPU threads, at which there is no memory.
#[derive(Debug)]
struct Window {
    _range: ReservedNone,
    bases: Box<[u64]>,
}

impl Window {
    /// A window of `cores` blocks; none if the host has no addresses left.
    fn new(cores: u32, block_size: u32) -> Option<Self> {
        let bytes = u64::from(cores) * u64::from(block_size);
        let range = MmapOptions::new(bytes as usize).and_then(MmapOptions::reserve_none).ok()?;
        let start = range.start() as u64;
        let bases = (0..u64::from(cores)).map(|core| start + core * u64::from(block_size)).collect();
        Some(Window { _range: range, bases })
    }
}

/// The register blocks of a device.
#[derive(Debug)]
pub struct RegisterFile {
    /// The memory of the blocks, unless that is somebody else's.
    _words: Box<[AtomicU32]>,
    /// Where each core's block is, for the core.
    bases: Box<[u64]>,
    /// Where AICPU threads see the blocks; none where a host runtime laid them out.
    window: Option<Window>,
    layout: RegisterLayout,
    store: SimDuration,
    load: SimDuration,
    response: SimDuration,
    propagation: SimDuration,
    /// The last value of COND that an AICPU thread has read, by core.
    seen: Box<[Cell<u32>]>,
    /// When the last posted store of each AICPU thread arrives, by launch index.
    drained: Box<[Cell<SimTime>]>,
    beat_gap: SimDuration,
    splits: SplitStores,
}

impl RegisterFile {
    /// The blocks of `cores` cores and `threads` AICPU threads.
    pub fn new(profile: &Profile, cores: u32, threads: u32) -> Self {
        let layout = RegisterLayout::of(profile);
        let words: Box<[AtomicU32]> = (0..cores * (layout.block_size / 4)).map(|_| AtomicU32::new(0)).collect();
        let start = words.as_ptr() as u64;
        // SAFETY: the blocks are in `words`, which goes with the register file.
        let file = unsafe { RegisterFile::over(profile, layout, start, cores, threads, words) };
        RegisterFile { window: Window::new(cores, layout.block_size), ..file }
    }

    /// Blocks of `cores` cores that somebody else laid out one after the other from `start`.
    ///
    /// # Safety
    ///
    /// The memory of the blocks must outlive the register file.
    pub unsafe fn adopt(profile: &Profile, layout: RegisterLayout, start: u64, cores: u32, threads: u32) -> Self {
        // SAFETY: the caller vouches for the blocks.
        unsafe { RegisterFile::over(profile, layout, start, cores, threads, Box::default()) }
    }

    /// # Safety
    ///
    /// As [`RegisterFile::adopt`], or the blocks are in `words`.
    unsafe fn over(
        profile: &Profile,
        layout: RegisterLayout,
        start: u64,
        cores: u32,
        threads: u32,
        words: Box<[AtomicU32]>,
    ) -> Self {
        RegisterFile {
            bases: (0..u64::from(cores)).map(|core| start + core * u64::from(layout.block_size)).collect(),
            _words: words,
            window: None,
            layout,
            store: *profile.mmio.store,
            load: *profile.mmio.load,
            response: *profile.mmio.response,
            propagation: *profile.mmio.propagation,
            seen: (0..cores).map(|_| Cell::new(0)).collect(),
            drained: (0..threads).map(|_| Cell::new(SimTime::ZERO)).collect(),
            beat_gap: *profile.mmio.beat_gap,
            splits: SplitStores::default(),
        }
    }

    /// The address of each core's block for the core itself, by physical core id.
    pub fn bases(&self) -> &[u64] {
        &self.bases
    }

    /// The address of each core's block for AICPU threads, by physical core id.
    pub fn window_bases(&self) -> &[u64] {
        self.window.as_ref().map_or(&self.bases, |window| &window.bases)
    }

    /// Which register an address is, in the window or in a block itself, if it is one.
    pub fn locate(&self, address: usize) -> Option<Register> {
        self.locate_in_window(address).or_else(|| self.locate_from(&self.bases, address))
    }

    /// Which register an address in the window is, if it is one.
    pub fn locate_in_window(&self, address: usize) -> Option<Register> {
        self.locate_from(&self.window.as_ref()?.bases, address)
    }

    fn locate_from(&self, bases: &[u64], address: usize) -> Option<Register> {
        let distance = (address as u64).checked_sub(*bases.first()?)?;
        let core = distance / u64::from(self.layout.block_size);
        let aligned = distance.is_multiple_of(4) && core < bases.len() as u64;
        let offset = (distance % u64::from(self.layout.block_size)) as u32;
        aligned.then_some(Register { core: core as u16, offset })
    }

    fn word(&self, register: Register) -> &AtomicU32 {
        let address = self.bases[usize::from(register.core)] + u64::from(register.offset & !3);
        // SAFETY: the block of the core is live, and the offset is one of it.
        unsafe { &*(address as *const AtomicU32) }
    }

    /// The word by which a core tells its state, to be watched.
    pub fn cond(&self, core: u16) -> (Register, &AtomicU32) {
        let register = Register { core, offset: self.layout.cond };
        (register, self.word(register))
    }

    /// The word by which a core is given its task.
    pub fn data_main_base(&self, core: u16) -> (Register, &AtomicU32) {
        let register = Register { core, offset: self.layout.data_main_base };
        (register, self.word(register))
    }

    /// What a posted store costs the thread.
    pub fn store_cost(&self) -> SimDuration {
        self.store
    }

    /// Thread `thread` has issued a store at `now`: when it arrives.
    pub fn post(&self, thread: usize, now: SimTime) -> SimTime {
        let arrival = now + self.propagation;
        if let Some(drained) = self.drained.get(thread) {
            drained.set(drained.get().max(arrival));
        }
        arrival
    }

    /// Thread `thread` has issued a store of 64 bits at `now`: when its halves arrive, none of them before what the thread
    /// has stored earlier.
    pub fn post_64(&self, thread: usize, now: SimTime) -> [SimTime; 2] {
        let arrival = now + self.propagation + self.splits.next_phase(self.store);
        let drained = self.drained.get(thread);
        let first = drained.map_or(arrival, |drained| drained.get().max(arrival));
        let second = first + self.beat_gap;
        if let Some(drained) = drained {
            drained.set(second);
        }
        [first, second]
    }

    /// A store of 64 bits is on its way.
    pub fn split(&self, split: Split) {
        self.splits.add(split);
    }

    /// Whether there was a store of 64 bits in this launch.
    #[inline(always)]
    pub fn may_be_split(&self) -> bool {
        self.splits.any()
    }

    /// The core that is `who` looks at its registers at `now`.
    pub fn looked_at(&self, who: ActorKind, core: u16, now: SimTime) {
        self.splits.look(who, core, now, |register| self.word(register).load(Ordering::Acquire));
    }

    /// What cores have seen half of.
    pub fn torn_reads(&self) -> Vec<TornRead> {
        self.splits.torn()
    }

    /// The part of a load that is left when the register has given its value.
    #[inline(always)]
    pub fn response(&self) -> SimDuration {
        self.response
    }

    /// What a load issued at `now` costs the thread: its own stores go first.
    pub fn load_cost(&self, thread: usize, now: SimTime) -> SimDuration {
        let drained = self.drained.get(thread).map_or(SimTime::ZERO, Cell::get);
        drained.since(now) + self.load
    }

    /// Reads a register, and says whether that is a value of COND that no AICPU thread has seen before.
    pub fn read(&self, register: Register) -> (u32, bool) {
        let value = self.word(register).load(Ordering::Acquire);
        let news = register.offset == self.layout.cond && self.seen[usize::from(register.core)].replace(value) != value;
        (value, news)
    }

    /// The word of a register, to be stored to when the store arrives.
    pub fn target(&self, register: Register) -> *const AtomicU32 {
        self.word(register)
    }

    /// A launch begins: all registers are zero and nothing is on its way.
    pub fn reset(&self) {
        for core in 0..self.bases.len() as u16 {
            self.cond(core).1.store(0, Ordering::Release);
            self.data_main_base(core).1.store(0, Ordering::Release);
        }
        self.splits.reset();
        self.seen.iter().for_each(|seen| seen.set(0));
        self.drained.iter().for_each(|drained| drained.set(SimTime::ZERO));
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn file() -> RegisterFile {
        RegisterFile::new(&Profile::load(Arch::A2a3).unwrap(), 3, 2)
    }

    #[test]
    fn is_every_word_of_a_block_found_and_nothing_else() {
        let file = file();
        let base = file.bases()[2] as usize;
        assert_eq!(file.locate(base + 0x4c8), Some(Register { core: 2, offset: 0x4c8 }));
        assert_eq!(file.locate(base + 0x4c9), None);
        assert_eq!(file.locate(base + 0x8000), None);
        assert_eq!(file.locate(file.bases()[0] as usize - 4), None);
    }

    #[test]
    fn is_a_register_found_in_the_window_where_no_memory_is() {
        let file = file();
        let seen = file.window_bases()[2] as usize + 0x4c8;
        let register = Register { core: 2, offset: 0x4c8 };
        assert_eq!((file.locate(seen), file.locate_in_window(seen)), (Some(register), Some(register)));
        assert_eq!(file.locate_in_window(file.bases()[2] as usize + 0x4c8), None);
    }

    #[test]
    fn does_a_load_wait_for_the_stores_of_its_own_thread_only() {
        let file = file();
        let now = SimTime::from_ns(1000);
        assert_eq!(file.post(0, now), SimTime::from_ns(1140));
        assert_eq!(file.load_cost(0, now), SimDuration::from_ns(140 + 95));
        assert_eq!(file.load_cost(1, now), SimDuration::from_ns(95));
        assert_eq!(file.load_cost(0, SimTime::from_ns(1140)), SimDuration::from_ns(95));
    }

    #[test]
    fn which_loads_of_a_core_are_torn_while_64_bits_are_stored_every_5_ns() {
        let file = file();
        let low = Register { core: 1, offset: 0xa0 };
        let word = |offset| file.word(Register { core: 1, offset });
        let mut stores = Vec::new();
        for number in 0..20_000u32 {
            let beats = file.post_64(0, SimTime::from_ns(5 * u64::from(number)));
            file.split(Split { low, high: !number, beats, by: ActorKind::Aicpu(0) });
            stores.push((beats, number));
        }
        assert!(stores.windows(2).all(|pair| pair[0].0[1] <= pair[1].0[0]), "stores arrive in order");
        // A load every 10 ns, as a core's loop makes them; halves arrive in between.
        let (mut seen, mut torn, mut next) = (0, 0, 0);
        for load in (0..100_000).step_by(10).map(SimTime::from_ns) {
            while next < 2 * stores.len() && stores[next / 2].0[next % 2] <= load {
                let value = stores[next / 2].1;
                let (offset, half) = if next.is_multiple_of(2) { (0xa0, value) } else { (0xa4, !value) };
                word(offset).store(half, Ordering::Release);
                next += 1;
            }
            if next == 0 {
                continue;
            }
            file.looked_at(ActorKind::Aic(1), 1, load);
            seen += 1;
            torn += u64::from(word(0xa0).load(Ordering::Acquire) != !word(0xa4).load(Ordering::Acquire));
        }
        assert_eq!((seen, torn), (9_986, 51), "0.5 %");
        let [TornRead::TornRead { reads, at, .. }] = file.torn_reads()[..] else { panic!("one finding") };
        assert_eq!((reads, at), (51, SimTime::from_ns(140)));
    }

    #[test]
    fn is_a_value_of_cond_news_once() {
        let file = file();
        let (register, word) = file.cond(1);
        word.store(7, Ordering::Release);
        assert_eq!([file.read(register), file.read(register)], [(7, true), (7, false)]);
    }
}
