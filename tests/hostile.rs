//! Does any damage to what npusim reads do more than give an error?
//!
//! A million damaged copies of what is bundled are read: objects and callables in every way that there is before anything
//! is loaded, then everything else that guests, hosts and users hand over. Damage follows from the number of the copy
//! alone: a failure names it, and `NPUSIM_HOSTILE_FIRST` begins there.

#[path = "support/damage.rs"]
mod damage;
#[path = "support/hostile.rs"]
mod hostile;

use std::collections::BTreeMap;
use std::env;
use std::iter;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use damage::{Copy, Numbers, Original};
use npusim::bundled::{self, ObjectKind};
use npusim::case::BundledCase;
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
/// Of so many copies one is of each kind of thing that is no object.
const COPIES_PER_KIND: usize = 32;
const OBJECT: &str = "object";

fn originals() -> Vec<Original> {
    let mut originals = objects();
    let callable = callable();
    // The header of the callable, and of its first kernels.
    let tables = vec![0..1200, 5190..5220, 9280..9376, callable.len() - 18_000..callable.len() - 17_000];
    originals.push(Original {
        kind: "callable",
        name: "callable".to_owned(),
        bytes: callable,
        tables,
        read: hostile::read_callable,
    });
    let (archive, trace) = (archive(), hostile::trace_image::image());
    let head = iter::once(0..hostile::VIEW_HEAD).collect();
    originals.push(Original {
        kind: "view",
        name: "archive".to_owned(),
        bytes: archive,
        tables: head,
        read: hostile::read_view,
    });
    originals.push(all_of("trace", "trace", trace, hostile::read_trace));
    originals.push(all_of("tensor", "tensor.npy", tensor(), hostile::read_tensor));
    originals.push(all_of("request", "request", request(), hostile::read_request));
    originals.push(all_of("list", "list.json", LIST.into(), hostile::read_list));
    for (name, text) in CHARGES {
        originals.push(all_of("charges", name, text.into(), hostile::read_charges));
    }
    for (name, text) in PROFILES {
        originals.push(all_of("profile", name, text.into(), hostile::read_profile));
    }
    for case in BundledCase::ALL {
        originals.push(all_of("case", case.name, case.text.into(), hostile::read_case));
    }
    originals
}

/// Something that is a table as a whole.
fn all_of(kind: &'static str, name: &str, bytes: Vec<u8>, read: fn(&[u8]) -> bool) -> Original {
    let tables = iter::once(0..bytes.len()).collect();
    Original { kind, name: name.to_owned(), bytes, tables, read }
}

const CHARGES: [(&str, &str); 2] = [
    ("a2a3-2026-08.json", include_str!("../sim-core/charges/a2a3-2026-08.json")),
    ("a5-2026-08.json", include_str!("../sim-core/charges/a5-2026-08.json")),
];
const PROFILES: [(&str, &str); 2] = [
    ("a2a3.json", include_str!("../sim-core/profiles/a2a3.json")),
    ("910B1.json", include_str!("../sim-core/profiles/910B1.json")),
];
const LIST: &str = r#"{"run": {"opInfo": {"kernelSo": "a.so", "functionName": "f", "opKernelLib": "AICPUKernel"}},
    "load": {"opInfo": {"kernelSo": "simpler_inner_0bb51791194b4414_0.so", "functionName": "load"}}}"#;

fn objects() -> Vec<Original> {
    let objects = bundled::OBJECTS.iter().map(|object| (format!("{} {}", object.kind, object.name), object.bytes));
    let runtimes = bundled::RUNTIMES.iter().flat_map(|runtime| {
        let parts = [("host", runtime.host), ("aicpu", runtime.aicpu), ("aicore", runtime.aicore)];
        parts.map(|(part, bytes)| (format!("{} {part}", runtime.name), bytes))
    });
    let sim_shaped = bundled::SIM_SHAPED.iter().filter(|file| !file.is_program);
    let sim_shaped = sim_shaped.map(|file| (file.path.to_owned(), file.bytes));
    let shim = ("the shim".to_owned(), bundled::SHIM);
    let object = |(name, bytes): (String, &[u8])| Original {
        kind: OBJECT,
        name,
        bytes: bytes.to_vec(),
        tables: tables(bytes),
        read: hostile::read_object,
    };
    objects.chain(runtimes).chain(sim_shaped).chain([shim]).map(object).collect()
}

/// A file with an object at an offset that is no multiple of a page, and more behind it.
fn archive() -> Vec<u8> {
    let object = bundled::object(ObjectKind::Kernel, "add").expect("it is bundled").bytes;
    let head = [hostile::VIEW_HEAD as u64, object.len() as u64].map(u64::to_le_bytes).concat();
    [&head, object, b"the end of the archive"].concat()
}

/// A file of NumPy's with a matrix of floats.
fn tensor() -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 8), }";
    let header = format!("{header:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &[0; 128]].concat()
}

/// The arguments of a launch of a built-in function by its names, with where these are in front.
fn request() -> Vec<u8> {
    let mut bytes = vec![0; 8 + 160];
    let words = [(0, 48), (4, 80), (8 + 40, 64), (8 + 120, 64), (8 + 128, 4096)];
    for (at, value) in words {
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    bytes[8 + 48..][..10].copy_from_slice(b"libaicpu.s");
    bytes[8 + 80..][..4].copy_from_slice(b"init");
    bytes
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

/// Which original each copy is of.
fn schedule(originals: &[Original]) -> Vec<usize> {
    let of_kind = |kind: &str| {
        let originals = originals.iter().enumerate();
        originals.filter(|(_, original)| original.kind == kind).map(|(index, _)| index).collect::<Vec<usize>>()
    };
    let times = |object: &Original| (8 * TYPICAL_BYTES / object.bytes.len()).max(1);
    let objects = of_kind(OBJECT).into_iter();
    let mut copies: Vec<usize> =
        objects.flat_map(|index| std::iter::repeat_n(index, times(&originals[index]))).collect();
    let mut kinds: Vec<&str> = originals.iter().map(|original| original.kind).filter(|kind| *kind != OBJECT).collect();
    kinds.dedup();
    let share = copies.len() / (COPIES_PER_KIND - kinds.len());
    for kind in kinds {
        copies.extend(of_kind(kind).into_iter().cycle().take(share));
    }
    copies
}

/// What came of copies.
#[derive(Default)]
struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Reads the copies of one batch.
fn read_batch(copies: &mut [Copy<'_>], schedule: &[usize], tallies: &BTreeMap<&str, Tally>, batch: Range<u64>) {
    let begun = cpu_time();
    for number in batch.clone() {
        let mut numbers = Numbers::of(number);
        let copy = &mut copies[schedule[numbers.below(schedule.len())]];
        let left = copy.damage(&mut numbers);
        let read = catch_unwind(AssertUnwindSafe(|| (copy.original.read)(&copy.bytes[..left])));
        let name = &copy.original.name;
        let taken = read.unwrap_or_else(|_| panic!("copy {number}, of {name}: the reader panicked"));
        let tally = &tallies[copy.original.kind];
        (if taken { &tally.accepted } else { &tally.refused }).fetch_add(1, Ordering::Relaxed);
        copy.repair();
    }
    let taken = cpu_time() - begun;
    assert!(taken < MOST_TIME, "copies {batch:?} took {taken:?} of CPU time");
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
    let next = AtomicU64::new(first);
    let tallies: BTreeMap<&str, Tally> = originals.iter().map(|original| (original.kind, Tally::default())).collect();
    let work = || {
        let mut copies: Vec<Copy<'_>> = originals.iter().map(Copy::of).collect();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            if start >= end {
                return;
            }
            let batch = start..end.min(start + BATCH);
            read_batch(&mut copies, &schedule, &tallies, batch);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    println!("{} copies of {} originals read", end - first, originals.len());
    for (kind, tally) in tallies {
        let (accepted, refused) = (tally.accepted.into_inner(), tally.refused.into_inner());
        println!("{kind:8} {accepted:>7} accepted {refused:>7} refused");
        // Damage that is always seen, or never, would say little. Of texts hardly any survives it.
        let least = if kind == OBJECT { (accepted + refused) / 20 } else { 0 };
        assert!(accepted > least && refused > least, "{kind}: {accepted} accepted, {refused} refused");
    }
}
