//! Everything that is done with bytes from elsewhere before anything is loaded, at once. Whatever is in them, each
//! reading ends with an answer or with an error that says which file it is about.

use npusim::client::callable_file;
use sim_core::loader::audit::inline;
use sim_core::loader::image::CodeImage;
use sim_core::loader::image_error::ImageError;
use sim_core::loader::imports::ImportSlots;
use sim_core::loader::inspect::Inspection;
use sim_core::loader::loaded_object::address_range;
use sim_core::loader::preparation::PreparedObject;
use sim_core::loader::symbols::SymbolMap;

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
