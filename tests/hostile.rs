//! Does any damage to an object or a callable do more than give an error?
//!
//! A million damaged copies of what is bundled are read in every way that there is before anything is loaded. Damage
//! follows from the number of the copy alone: a failure names it, and `NPUSIM_HOSTILE_FIRST` begins there.

#[path = "support/hostile.rs"]
mod hostile;

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use npusim::bundled::{self, ObjectKind};
use npusim::client::abi::ArgDirection;
use npusim::client::callable::{CallableParts, KernelPart, chip_callable};
use rustix::time::{ClockId, clock_gettime};

/// Damaged copies that are read.
const COPIES: u64 = 1_000_000;
/// So many at a time.
const BATCH: u64 = 1_000;
/// CPU time that a batch may take: many times what it needs, so that only a reading without a bound takes longer.
const MOST_TIME: Duration = Duration::from_secs(20);
/// Larger objects are read less often: each has the same share of the time, not of the copies.
const TYPICAL_BYTES: usize = 16 << 10;
/// Of so many copies one is of the callable.
const COPIES_PER_CALLABLE: usize = 8;

/// What is damaged.
struct Original {
    name: String,
    bytes: Vec<u8>,
    /// Where tables are, which say where everything else is.
    tables: Vec<Range<usize>>,
    read: fn(&[u8]) -> bool,
}

fn originals() -> Vec<Original> {
    let objects = bundled::OBJECTS.iter().map(|object| (format!("{} {}", object.kind, object.name), object.bytes));
    let runtimes = bundled::RUNTIMES.iter().flat_map(|runtime| {
        let parts = [("host", runtime.host), ("aicpu", runtime.aicpu), ("aicore", runtime.aicore)];
        parts.map(|(part, bytes)| (format!("{} {part}", runtime.name), bytes))
    });
    let sim_shaped = bundled::SIM_SHAPED.iter().filter(|file| !file.is_program);
    let sim_shaped = sim_shaped.map(|file| (file.path.to_owned(), file.bytes));
    let shim = ("the shim".to_owned(), bundled::SHIM);
    let objects = objects.chain(runtimes).chain(sim_shaped).chain([shim]).map(|(name, bytes)| Original {
        name,
        bytes: bytes.to_vec(),
        tables: tables(bytes),
        read: hostile::read_object,
    });
    let callable = callable();
    // The header of the callable, and of its first kernels.
    let tables = vec![0..1200, 5190..5220, 9280..9376, callable.len() - 18_000..callable.len() - 17_000];
    let callable = Original { name: "callable".to_owned(), bytes: callable, tables, read: hostile::read_callable };
    objects.chain([callable]).collect()
}

/// A callable with two kernels.
fn callable() -> Vec<u8> {
    let object = |kind, name| bundled::object(kind, name).expect("it is bundled").bytes;
    let kernel = |func_id, name, signature| KernelPart { func_id, signature, object: object(ObjectKind::Kernel, name) };
    let parts = CallableParts {
        orchestration: object(ObjectKind::Orchestration, "chain"),
        entry: "aicpu_orchestration_entry",
        config: "aicpu_orchestration_config",
        signature: &[ArgDirection::InOut, ArgDirection::Scalar],
        kernels: &[kernel(0, "increment", &[ArgDirection::InOut]), kernel(1, "add", &[ArgDirection::In; 3])],
    };
    chip_callable(&parts).expect("everything fits")
}

/// The parts of a sound object that are neither code nor data: headers and sections of tables.
fn tables(bytes: &[u8]) -> Vec<Range<usize>> {
    const PROGBITS: u64 = 1;
    const NOBITS: u64 = 8;
    let number = |at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (segments, sections) = (number(0x20, 8) as usize, number(0x28, 8) as usize);
    let (segment_count, section_count) = (number(0x38, 2) as usize, number(0x3c, 2) as usize);
    let headers = [0..64, segments..segments + 56 * segment_count, sections..sections + 64 * section_count];
    let section = |index: usize| {
        let header = sections + 64 * index;
        let (kind, start, size) = (number(header + 4, 4), number(header + 24, 8), number(header + 32, 8));
        let is_table = kind > PROGBITS && kind != NOBITS && size > 0;
        is_table.then_some(start as usize..(start + size) as usize)
    };
    headers.into_iter().chain((0..section_count).filter_map(section)).collect()
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    /// Those of one copy.
    fn of(copy: u64) -> Self {
        Numbers(copy.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A value of the kinds that break readers most, in place of `old`.
    fn value(&mut self, old: u64, size: usize) -> u64 {
        let all = u64::MAX >> (64 - 8 * size);
        match self.below(8) {
            0 => 0,
            1 => all,
            2 => all >> 1,
            3 => (all >> 1) + 1,
            4 => old ^ 1 << self.below(8 * size),
            5 => old.wrapping_add(self.next() % 17).wrapping_sub(8),
            6 => self.next() % 0x200,
            _ => self.next(),
        }
    }
}

/// A copy that is damaged, read and repaired again and again.
struct Copy<'o> {
    original: &'o Original,
    bytes: Vec<u8>,
    damaged: Vec<Range<usize>>,
}

impl<'o> Copy<'o> {
    fn of(original: &'o Original) -> Self {
        Copy { original, bytes: original.bytes.clone(), damaged: Vec::new() }
    }

    /// Damages it in up to four places. Returns how much of it is left.
    fn damage(&mut self, numbers: &mut Numbers) -> usize {
        for _ in 0..=numbers.below(4) {
            self.damage_once(numbers);
        }
        let length = self.bytes.len();
        if numbers.below(16) == 0 { numbers.below(length) } else { length }
    }

    fn damage_once(&mut self, numbers: &mut Numbers) {
        let size = [1, 2, 4, 8][numbers.below(4)];
        let length = self.bytes.len();
        let at = match numbers.below(8) {
            0 => numbers.below(length),
            _ => {
                let table = &self.original.tables[numbers.below(self.original.tables.len())];
                table.start + numbers.below(table.len())
            }
        };
        let at = (at & !(size - 1)).min(length - size);
        if numbers.below(16) == 0 {
            // What lies elsewhere.
            let size = (1 + numbers.below(64)).min(length - at);
            let from = numbers.below(length - size);
            self.bytes.copy_within(from..from + size, at);
            self.damaged.push(at..at + size);
            return;
        }
        let word = &mut self.bytes[at..at + size];
        let old = word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let new = numbers.value(old, size).to_le_bytes();
        word.copy_from_slice(&new[..size]);
        self.damaged.push(at..at + size);
    }

    fn repair(&mut self) {
        for range in self.damaged.drain(..) {
            self.bytes[range.clone()].copy_from_slice(&self.original.bytes[range]);
        }
    }
}

/// Which original each copy is of. The last of them is the callable.
fn schedule(originals: &[Original]) -> Vec<usize> {
    let (objects, callable) = (&originals[..originals.len() - 1], originals.len() - 1);
    let times = |original: &Original| (8 * TYPICAL_BYTES / original.bytes.len()).max(1);
    let copies = objects.iter().enumerate().flat_map(|(index, object)| std::iter::repeat_n(index, times(object)));
    let mut copies: Vec<usize> = copies.collect();
    copies.extend(vec![callable; copies.len() / (COPIES_PER_CALLABLE - 1)]);
    copies
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Reads the copies of one batch; returns how many would have been loaded.
fn read_batch(copies: &mut [Copy<'_>], schedule: &[usize], batch: Range<u64>) -> u64 {
    let begun = cpu_time();
    let mut accepted = 0;
    for number in batch.clone() {
        let mut numbers = Numbers::of(number);
        let copy = &mut copies[schedule[numbers.below(schedule.len())]];
        let left = copy.damage(&mut numbers);
        let read = catch_unwind(AssertUnwindSafe(|| (copy.original.read)(&copy.bytes[..left])));
        let name = &copy.original.name;
        accepted += u64::from(read.unwrap_or_else(|_| panic!("copy {number}, of {name}: the reader panicked")));
        copy.repair();
    }
    let taken = cpu_time() - begun;
    assert!(taken < MOST_TIME, "copies {batch:?} took {taken:?} of CPU time");
    accepted
}

#[test]
fn does_any_of_a_million_damaged_copies_do_more_than_give_an_error() {
    let originals = originals();
    for original in &originals {
        assert!((original.read)(&original.bytes), "{} is sound", original.name);
    }
    let schedule = schedule(&originals);
    let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first: u64 = number("NPUSIM_HOSTILE_FIRST").unwrap_or(0);
    let end = first + number("NPUSIM_HOSTILE_COPIES").unwrap_or(COPIES);
    let (next, accepted) = (AtomicU64::new(first), AtomicU64::new(0));
    let work = || {
        let mut copies: Vec<Copy<'_>> = originals.iter().map(Copy::of).collect();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            if start >= end {
                return;
            }
            let batch = start..end.min(start + BATCH);
            accepted.fetch_add(read_batch(&mut copies, &schedule, batch), Ordering::Relaxed);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let (read, accepted) = (end - first, accepted.into_inner());
    println!("{read} copies of {} originals read, {accepted} accepted", originals.len());
    // Damage that is always seen, or never, would say little.
    assert!(accepted > read / 20 && accepted < read / 20 * 19, "{accepted} of {read} were accepted");
}
