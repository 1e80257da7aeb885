//! Is the object that was asked for the one that is loaded, whatever names the kernel gives out again?

use std::collections::BTreeSet;

use super::ledger::LoadOrigin;
use super::namespace::Namespace;
use super::staging::{StagingArea, Strategy};
use super::test_objects::{Language, shared_object};

/// How many objects are loaded, and stay, one after the other.
const OBJECTS: u32 = 1_000;
/// What stands for an object's number in its bytes.
const MARK: u32 = 0x6e70_7569;

/// Objects that differ in one number.
struct Numbered {
    bytes: Vec<u8>,
    at: usize,
}

impl Numbered {
    fn new() -> Self {
        let source = format!("const volatile unsigned number = {MARK:#x}; unsigned ask(void) {{ return number; }}");
        let bytes = shared_object(Language::C, &source, &["-nostdlib"]);
        let at = bytes.windows(4).position(|window| window == MARK.to_le_bytes()).expect("the number is there");
        Numbered { bytes, at }
    }

    fn with(&mut self, number: u32) -> &[u8] {
        self.bytes[self.at..self.at + 4].copy_from_slice(&number.to_le_bytes());
        &self.bytes
    }
}

fn ask(namespace: &Namespace, object: super::namespace::ObjectId) -> u32 {
    let address = namespace.object(object).expect("it is loaded").symbol("ask").expect("it has it");
    // SAFETY: the object has a function of this type there.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(address)() }
}

/// The descriptor in a name like `//./proc/self/fd/7`.
fn descriptor(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

#[test]
fn does_every_object_through_one_descriptor_number_give_itself() {
    let mut numbered = Numbered::new();
    let mut namespace =
        Namespace::of_process(StagingArea { ladder: Strategy::ProcFd.into(), ..StagingArea::default() });
    let objects: Vec<_> = (0..OBJECTS)
        .map(|number| {
            namespace.load(LoadOrigin::Kernel, "numbered.so", numbered.with(number)).expect("it can be loaded")
        })
        .collect();
    let wrong: Vec<u32> =
        (0..OBJECTS).zip(&objects).filter(|(n, object)| ask(&namespace, **object) != *n).map(|(n, _)| n).collect();
    assert_eq!(wrong, [0; 0]);
    // Other tests open files meanwhile; the number is nearly always the same, and each was used many times over.
    let numbers: BTreeSet<&str> = namespace.objects().map(|object| descriptor(&object.opened_as)).collect();
    assert!(numbers.len() < OBJECTS as usize / 10, "{numbers:?}");
}

#[test]
fn does_every_strategy_give_the_object_that_was_asked_for_while_the_others_stay() {
    let mut numbered = Numbered::new();
    for strategy in [Strategy::Memfd, Strategy::UniqueFile, Strategy::UnnamedFile, Strategy::View] {
        let mut namespace = Namespace::of_process(StagingArea { ladder: strategy.into(), ..StagingArea::default() });
        let objects: Vec<_> = (0..100)
            .map(|number| {
                namespace.load(LoadOrigin::Kernel, "numbered.so", numbered.with(number)).expect("it can be loaded")
            })
            .collect();
        for (number, object) in (0..100).zip(objects) {
            assert_eq!(ask(&namespace, object), number, "{strategy}");
        }
    }
}

#[test]
fn does_the_plain_name_of_a_descriptor_give_the_old_object() {
    // The trap itself, without the loader: if this ever fails, the dynamic linker has changed its ways.
    let mut numbered = Numbered::new();
    let open = |bytes: &[u8]| {
        let memory = super::staging::writable_memory("numbered").expect("memory");
        let fixed: std::os::fd::RawFd = 970;
        rustix::io::write(&memory, bytes).expect("it can be written");
        // SAFETY: the number is used here alone.
        unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&memory), fixed) };
        // SAFETY: a sound object.
        let handle = unsafe { libc::dlopen(c"/proc/self/fd/970".as_ptr(), libc::RTLD_NOW) };
        // SAFETY: the number is used here alone.
        unsafe { libc::close(fixed) };
        handle
    };
    let (first, second) = (open(numbered.with(1)), open(numbered.with(2)));
    assert!(!first.is_null() && first == second);
}

#[test]
fn is_a_view_of_a_bigger_file_loaded_from_its_range() {
    use std::io::Write;

    let mut numbered = Numbered::new();
    let (mut archive, mut offsets) = (tempfile::tempfile().expect("a file"), Vec::new());
    let mut at = 0;
    for number in 0..3 {
        let bytes = numbered.with(number);
        archive.write_all(b"between").and_then(|()| archive.write_all(bytes)).expect("it can be written");
        offsets.push(at + 7);
        at += 7 + bytes.len() as u64;
    }
    let mut namespace = Namespace::of_process(StagingArea::default());
    for (number, offset) in (0..3).zip(offsets) {
        let file = archive.try_clone().expect("a descriptor").into();
        let view = super::staging::FileView::new(file, offset, numbered.bytes.len() as u64).expect("it is within");
        let object = namespace.load_view(LoadOrigin::Kernel, "numbered.so", &view).expect("it can be loaded");
        assert_eq!(ask(&namespace, object), number);
        assert_eq!(namespace.object(object).expect("loaded").strategy, super::ledger::LoadStrategy::View);
    }
}
