//! Everything that is done with bytes from elsewhere, at once: objects and callables before anything is loaded, and what
//! guests, hosts and users hand over. Whatever is in them, each reading ends with an answer or with an error that says which
//! file it is about.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use npusim::case::CaseSpec;
use npusim::client::callable_file;
use npusim::device::driver::request;
use npusim::tensor::npy;
use rustix::fs::{MemfdFlags, memfd_create};
use sim_aicore::tile_trace::{self, Memories};
use sim_core::charges::{Charges, ObjectRole};
use sim_core::guest_memory::{GuestMemory, Piece, Unreadable};
use sim_core::loader::audit::inline;
use sim_core::loader::image::CodeImage;
use sim_core::loader::image_error::ImageError;
use sim_core::loader::imports::ImportSlots;
use sim_core::loader::inspect::Inspection;
use sim_core::loader::loaded_object::address_range;
use sim_core::loader::preparation::PreparedObject;
use sim_core::loader::staging::FileView;
use sim_core::loader::symbols::SymbolMap;
use sim_core::profile::Profile;

#[path = "trace_image.rs"]
pub(crate) mod trace_image;

/// What the object is called in errors.
pub(crate) const NAME: &str = "hostile.so";

/// Reads an object in every way. Whether it would have been loaded.
pub(crate) fn read_object(bytes: &[u8]) -> bool {
    let inspection = Inspection::of(NAME, bytes);
    let copy = PreparedObject::of(NAME, bytes.into());
    let slots = ImportSlots::parse(NAME, bytes);
    let instructions = inline::find(NAME, bytes);
    if let Ok(inspection) = &inspection {
        assert!(address_range(0, bytes).end < 1 << 47);
        // What is read here was read above, too; so some do.
        if inspection.content.0 % 8 == 0 {
            let text = inspection.to_string();
            assert!(!text.is_empty() && !text.contains(|letter: char| letter.is_control() && letter != '\n'));
            let symbols = SymbolMap::parse(NAME, bytes).expect("its loops were found by its symbols");
            for address in [0, 1, 0x1000, u64::MAX] {
                let _ = (symbols.function_at(address), symbols.data_at(address));
            }
        }
    }
    if let Some(copy) = copy.as_ref().ok().filter(|copy| !copy.image.made_global.is_empty()) {
        assert_eq!(copy.bytes.len(), bytes.len());
        if let Ok(image) = CodeImage::parse(NAME, &copy.bytes) {
            assert!(image.unique_symbols.is_empty());
        }
    }
    let errors = [inspection.as_ref().err(), copy.as_ref().err(), slots.as_ref().err(), instructions.as_ref().err()];
    errors.into_iter().flatten().for_each(check);
    inspection.is_ok()
}

fn check(error: &ImageError) {
    let text = error.to_string();
    assert!(text.starts_with("hostile.so: ") && !text.contains('\n'), "{text}");
}

/// Reads a callable, and the objects in it. Whether it is one.
pub(crate) fn read_callable(bytes: &[u8]) -> bool {
    match callable_file::read(bytes) {
        Ok(content) => {
            let kernels = content.kernels.iter().map(|kernel| kernel.object);
            for object in kernels.chain([content.orchestration]) {
                // Slices of these very bytes.
                assert!(bytes.as_ptr_range().contains(&object.as_ptr()) || object.is_empty());
            }
            true
        }
        Err(error) => {
            assert!(error.to_string().starts_with("is no callable: "), "{error}");
            false
        }
    }
}

/// An archive: where its object begins and how long it is, then whatever there is. Whether the object would be loaded.
pub(crate) fn read_view(bytes: &[u8]) -> bool {
    let Some((head, _)) = bytes.split_first_chunk::<VIEW_HEAD>() else { return false };
    let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let file = memory_file(bytes);
    match FileView::new(file.into(), word(0), word(8)).and_then(|view| view.read()) {
        Ok(object) => read_object(&object),
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            false
        }
    }
}

/// What precedes the object of an archive.
pub(crate) const VIEW_HEAD: usize = 16;

fn memory_file(bytes: &[u8]) -> File {
    let mut file = File::from(memfd_create("hostile", MemfdFlags::CLOEXEC).expect("there is memory"));
    file.write_all(bytes).expect("there is memory");
    file
}

/// The memory of a kernel that has left a trace: [`trace_image`] says where what is. Whether there is a program in it.
pub(crate) fn read_trace(bytes: &[u8]) -> bool {
    let image = Image(bytes);
    let memories = Memories::read(&image, trace_image::MEMORIES);
    let recording = tile_trace::read(&image, trace_image::STATE);
    for error in [memories.as_ref().err(), recording.as_ref().err()].into_iter().flatten() {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let (Ok(memories), Ok(recording)) = (memories, recording) else { return false };
    match tile_trace::program_of(&recording.records, &memories, &[trace_image::tensor()]) {
        Ok(program) => !program.instructions().is_empty(),
        Err(finding) => {
            assert!(!finding.to_string().is_empty());
            false
        }
    }
}

/// Memory that begins at [`trace_image::BASE`] and is nowhere else.
struct Image<'a>(&'a [u8]);

impl GuestMemory for Image<'_> {
    fn read(&self, pieces: &[Piece], mut to: &mut [u8]) -> Result<(), Unreadable> {
        for Piece { address, length } in pieces {
            let unreadable = Unreadable { address: *address, length: *length as u64 };
            let begin = address.checked_sub(trace_image::BASE).and_then(|begin| usize::try_from(begin).ok());
            let range = begin.and_then(|begin| Some(begin..begin.checked_add(*length)?)).ok_or(unreadable)?;
            let (here, rest) = to.split_at_mut(*length);
            here.copy_from_slice(self.0.get(range).ok_or(unreadable)?);
            to = rest;
        }
        Ok(())
    }
}

/// A charge file. Whether it is one; then it is also applied.
pub(crate) fn read_charges(bytes: &[u8]) -> bool {
    let charges = Charges::parse(NAME, &String::from_utf8_lossy(bytes)).inspect_err(|error| says_where(&error));
    let Ok(charges) = charges else { return false };
    let _ = charges.for_symbols(ObjectRole::Aicpu, ["malloc", "_ZN3pto4waitEv", ""]);
    true
}

/// A profile. Whether it is one.
pub(crate) fn read_profile(bytes: &[u8]) -> bool {
    Profile::from_json(NAME, &String::from_utf8_lossy(bytes)).inspect_err(|error| says_where(&error)).is_ok()
}

/// A case file. Whether it is one.
pub(crate) fn read_case(bytes: &[u8]) -> bool {
    let file = memory_file(bytes);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let case = CaseSpec::load(Path::new(&path));
    case.inspect_err(|error| assert!(error.to_string().contains(&path), "{error}")).is_ok()
}

/// A tensor in a file of NumPy's. Whether it is one.
pub(crate) fn read_tensor(bytes: &[u8]) -> bool {
    npy::parse(bytes).inspect_err(|error| assert!(!error.to_string().contains('\n'), "{error}")).is_ok()
}

/// What requests of a host through the driver's functions say in bytes: two offsets, then the arguments of a launch, a
/// structure of the server's, or a list of functions. Whether the names in the arguments are names.
pub(crate) fn read_request(bytes: &[u8]) -> bool {
    let Some((offsets, arguments)) = bytes.split_first_chunk::<8>() else { return false };
    let offset = |at: usize| u32::from_le_bytes(offsets[at..at + 4].try_into().expect("four bytes"));
    let names = ["so_name", "kernel_name"].into_iter().enumerate();
    let names = names.map(|(index, what)| request::name_at(arguments, offset(4 * index), what));
    let names: Vec<_> = names.collect();
    for name in &names {
        match name {
            Ok(name) => assert!(!name.is_empty() && !name.contains('\0')),
            Err(error) => assert_eq!(error.code() as i32, 107_000, "{error}"),
        }
    }
    assert_eq!(request::core_launch(arguments, 1).is_ok(), arguments.len() >= 8);
    assert_eq!(request::order_at(arguments).is_some(), arguments.len() >= 48);
    if let Some(order) = arguments.first_chunk() {
        let object = request::object_to_write(order);
        assert!(object.is_ok_and(|order| order.inner.length <= 1 << 30) || object_is_none(order));
    }
    names.iter().all(Result::is_ok)
}

fn object_is_none(order: &[u8; 160]) -> bool {
    let word = |at: usize| u64::from_le_bytes(order[at..at + 8].try_into().expect("eight bytes"));
    word(120) == 0 || word(128) == 0 || word(128) > 1 << 30
}

/// A list of AICPU functions. Whether it is one.
pub(crate) fn read_list(bytes: &[u8]) -> bool {
    let listed = request::count_listed(NAME, bytes).inspect_err(|error| assert_eq!(error.code() as i32, 107_009));
    listed.is_ok_and(|count| count > 0)
}

fn says_where(error: &dyn std::fmt::Display) {
    let text = error.to_string();
    assert!(text.contains(NAME) && !text.contains('\n'), "{text}");
}
