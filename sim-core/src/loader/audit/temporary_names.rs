//! The temporary files that an object makes, noted call by call.
//!
//! Temporary directories belong to everybody, so what is new in them says nothing about an object. Its calls of
//! `mkstemp` and its kin are led through thunks instead, which let the call happen and note the name. They run as the guest
//! runs, with its thread control block and perhaps on several threads: they allocate nothing and never panic.

use std::cell::UnsafeCell;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::imports::ImportSlots;
use super::super::thunk::{Arguments, Thunk};

/// Functions that make a file or a directory, and write its name over the pattern that is their first argument.
const MAKERS: [&str; 9] =
    ["mkdtemp", "mkostemp", "mkostemp64", "mkostemps", "mkostemps64", "mkstemp", "mkstemp64", "mkstemps", "mkstemps64"];

/// Names are noted up to this many, each with at most so many bytes.
const MOST_NAMES: usize = 32;
const MOST_BYTES: usize = 256;

/// The noted names of one object.
#[derive(Debug)]
pub(super) struct TemporaryNames {
    /// Goes first: it refers to the makers.
    _thunks: Vec<Thunk>,
    makers: Vec<Box<Maker>>,
}

/// What was made and is still there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// The pattern, which is the same in every run.
    pub(super) pattern: String,
    /// The function that made it.
    pub(super) function: &'static str,
}

/// One function of one object, and what it has made.
struct Maker {
    function: &'static str,
    real: AtomicUsize,
    begun: AtomicUsize,
    notes: [Note; MOST_NAMES],
}

struct Note {
    pattern: UnsafeCell<[u8; MOST_BYTES]>,
    name: UnsafeCell<[u8; MOST_BYTES]>,
    complete: AtomicBool,
}

// SAFETY: a note is written by the one call that took its number, and read once it is complete.
unsafe impl Sync for Note {}

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maker").field("function", &self.function).finish_non_exhaustive()
    }
}

impl TemporaryNames {
    /// Leads the object's calls of makers through thunks.
    ///
    /// # Safety
    ///
    /// The object with these slots must be loaded at `load_address`, nobody may run its code meanwhile, and it must be
    /// gone before this is.
    pub(super) unsafe fn of(slots: &ImportSlots, load_address: usize) -> io::Result<TemporaryNames> {
        let mut names = TemporaryNames { _thunks: Vec::new(), makers: Vec::new() };
        let mut targets = Vec::new();
        for function in MAKERS {
            if slots.calls().any(|symbol| symbol == function) {
                let maker = Box::new(Maker::new(function));
                let thunk = Thunk::instead(made, std::ptr::from_ref::<Maker>(&maker) as usize)?;
                targets.push((function, thunk.address(), names.makers.len()));
                names.makers.push(maker);
                names._thunks.push(thunk);
            }
        }
        let redirect = |symbol: &str, bound: usize| {
            let (_, thunk, maker) = targets.iter().find(|(function, ..)| *function == symbol)?;
            names.makers[*maker].real.store(bound, Ordering::Release);
            Some(*thunk)
        };
        // SAFETY: as the caller says; a thunk does what the function does.
        unsafe {
            slots.redirect(load_address, |slot, bound| slot.call.then(|| redirect(&slot.symbol, bound)).flatten())?
        };
        Ok(names)
    }

    /// What is still there.
    pub(super) fn left(&self) -> impl Iterator<Item = Left> {
        self.makers.iter().flat_map(|maker| maker.left())
    }
}

impl Maker {
    fn new(function: &'static str) -> Maker {
        let note = || Note {
            pattern: UnsafeCell::new([0; MOST_BYTES]),
            name: UnsafeCell::new([0; MOST_BYTES]),
            complete: AtomicBool::new(false),
        };
        let notes = std::array::from_fn(|_| note());
        Maker { function, real: AtomicUsize::new(0), begun: AtomicUsize::new(0), notes }
    }

    fn left(&self) -> impl Iterator<Item = Left> {
        let complete = self.notes.iter().filter(|note| note.complete.load(Ordering::Acquire));
        complete.filter_map(|note| {
            // SAFETY: nobody writes to it any more.
            let (pattern, name) = unsafe { (&*note.pattern.get(), &*note.name.get()) };
            let path = Path::new(OsStr::from_bytes(until_zero(name)));
            let pattern = String::from_utf8_lossy(until_zero(pattern)).into_owned();
            path.symlink_metadata().is_ok().then_some(Left { pattern, function: self.function })
        })
    }
}

/// Makes the call, and notes the name.
extern "C" fn made(maker: usize, arguments: &Arguments) -> u64 {
    // SAFETY: the thunk of a maker is gone before it is.
    let maker = unsafe { &*(maker as *const Maker) };
    let index = maker.begun.fetch_add(1, Ordering::Relaxed);
    let template = arguments[0] as *const u8;
    let note = maker.notes.get(index);
    if let Some(note) = note {
        // SAFETY: the guest passes a string; this call alone has the note.
        unsafe { copy(template, &mut *note.pattern.get()) };
    }
    type Function = extern "C" fn(u64, u64, u64, u64) -> u64;
    // SAFETY: what the import was bound to takes at most three arguments, and may ignore more.
    let real = unsafe { std::mem::transmute::<usize, Function>(maker.real.load(Ordering::Acquire)) };
    let result = real(arguments[0], arguments[1], arguments[2], arguments[3]);
    let is_directory = maker.function == "mkdtemp";
    let succeeded = if is_directory { result != 0 } else { result as i32 >= 0 };
    if let Some(note) = note.filter(|_| succeeded) {
        // SAFETY: as above.
        unsafe { copy(template, &mut *note.name.get()) };
        note.complete.store(true, Ordering::Release);
    }
    result
}

/// Copies a string, or as much of it as fits.
///
/// # Safety
///
/// `from` must be a string, or null.
unsafe fn copy(from: *const u8, to: &mut [u8; MOST_BYTES]) {
    if from.is_null() {
        return;
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(from.cast()) }.to_bytes();
    let length = text.len().min(MOST_BYTES - 1);
    to[..length].copy_from_slice(&text[..length]);
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}
