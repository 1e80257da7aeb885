//! What is changed in the copy of an object that is loaded, and which functions the loader runs for it.
//!
//! Two things keep an object from being loaded and unloaded like any other, and both are changed in the copy:
//! - Unique symbols pin it (`unique.rs`).
//! - The dynamic linker runs initialisers and finalisers while it holds the one lock of the process under which
//!   anything is opened or closed. An initialiser that crashes, or a finaliser that never returns, would leave the lock
//!   held by nobody, and the next load, in whatever namespace, would wait for ever. So in the copy these functions are
//!   taken out of the dynamic linker's sight, and the loader calls them itself, in the same order, with no lock held.
//!
//! An object that registers destructors of thread-local data keeps its finalisers: the dynamic linker knows when the
//! last of those has run. The functions of `DT_INIT` and `DT_FINI` stay where they are, too: compilers leave them empty.

use std::sync::Arc;

use object::elf;

use super::elf::{DynamicSymbol, Elf};
use super::image::CodeImage;
use super::image_error::ImageError;
use super::unique::{self, unique_bindings};

/// Bytes to be changed: where, and into what.
pub(super) type Patch = (usize, u8);

/// Functions of an object, to be called without arguments that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Functions {
    /// Where their addresses are, from the object's load address.
    pub(super) address: u64,
    /// How many.
    pub(super) count: usize,
}

/// What is to be done to an object so that it can be loaded safely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preparation {
    pub(super) patches: Vec<Patch>,
    /// To be called in order, once it is linked.
    pub(super) initialisers: Option<Functions>,
    /// To be called in reverse, before it is closed.
    pub(super) finalisers: Option<Functions>,
}

/// An object as it is loaded.
#[derive(Clone, Debug)]
pub struct PreparedObject {
    /// The facts. Its content is that of the original, and its unique symbols are among those made global.
    pub image: CodeImage,
    /// The bytes of the copy.
    pub bytes: Arc<[u8]>,
    pub(super) preparation: Preparation,
}

impl PreparedObject {
    /// The copy of the object in `bytes` that is loaded; refuses one that could not be.
    pub fn of(name: &str, bytes: Arc<[u8]>) -> Result<PreparedObject, ImageError> {
        PreparedObject::with(name, bytes, Preparation::of_elf)
    }

    /// The same of a library that can be relied on. Whoever opens it, or something that needs it, leaves its
    /// initialisers and finalisers to the dynamic linker.
    pub(super) fn of_library(name: &str, bytes: Arc<[u8]>) -> Result<PreparedObject, ImageError> {
        PreparedObject::with(name, bytes, |_, symbols| {
            Ok(Preparation { patches: unique_bindings(symbols), ..Preparation::default() })
        })
    }

    fn with(
        name: &str,
        mut bytes: Arc<[u8]>,
        prepare: impl FnOnce(&Elf<'_>, &[DynamicSymbol<'_>]) -> Result<Preparation, ImageError>,
    ) -> Result<PreparedObject, ImageError> {
        let elf = Elf::open(name, &bytes)?;
        let symbols = elf.dynamic_symbols()?;
        let mut image = CodeImage::of(name, &bytes, &elf, &symbols)?;
        let preparation = prepare(&elf, &symbols)?;
        image.made_global = std::mem::take(&mut image.unique_symbols);
        preparation.apply(Arc::make_mut(&mut bytes));
        if !image.made_global.is_empty() {
            unique::check(name, &bytes)?;
        }
        Ok(PreparedObject { image, bytes, preparation })
    }
}

/// By these functions destructors of thread-local data are registered.
const THREAD_EXIT: [&[u8]; 2] = [b"__cxa_thread_atexit", b"__cxa_thread_atexit_impl"];

impl Preparation {
    /// What is to be done to the object in `bytes`; refuses one that could not be loaded.
    #[cfg(test)]
    pub(super) fn of(name: &str, bytes: &[u8]) -> Result<Preparation, ImageError> {
        let elf = Elf::open(name, bytes)?;
        Preparation::of_elf(&elf, &elf.dynamic_symbols()?)
    }

    fn of_elf(elf: &Elf<'_>, symbols: &[DynamicSymbol<'_>]) -> Result<Preparation, ImageError> {
        let mut preparation = Preparation { patches: unique_bindings(symbols), ..Preparation::default() };
        preparation.initialisers =
            preparation.take_out(elf, "initialisers (DT_INIT_ARRAY)", elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ)?;
        let keeps = symbols.iter().any(|symbol| !symbol.symbol.defined && THREAD_EXIT.contains(&symbol.name));
        if !keeps && !elf.no_delete() {
            preparation.finalisers =
                preparation.take_out(elf, "finalisers (DT_FINI_ARRAY)", elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ)?;
        }
        Ok(preparation)
    }

    /// Makes the dynamic linker see no functions in an array.
    fn take_out(
        &mut self,
        elf: &Elf<'_>,
        what: &'static str,
        array: elf::DynamicTag,
        size: elf::DynamicTag,
    ) -> Result<Option<Functions>, ImageError> {
        const ADDRESS: usize = size_of::<u64>();
        let Some(table) = elf.dynamic_table(what, array, size)? else { return Ok(None) };
        let (Some(address), Some(size)) = (elf.entry(array), elf.entry(size)) else { return Ok(None) };
        // The value of an entry comes after its tag.
        let value = size.offset as usize + ADDRESS;
        self.patches.extend((value..value + ADDRESS).map(|at| (at, 0)));
        let count = table.len() / ADDRESS;
        Ok((count > 0).then_some(Functions { address: address.value, count }))
    }

    /// Changes what is to be changed.
    pub(super) fn apply(&self, bytes: &mut [u8]) {
        for (at, byte) in &self.patches {
            bytes[*at] = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    const BOTH: &str = "static int x;
        __attribute__((constructor)) static void begin(void) { x++; }
        __attribute__((destructor)) static void end(void) { x--; }";

    #[test]
    fn does_the_dynamic_linker_still_see_initialisers_and_finalisers() {
        let bytes = shared_object(Language::C, BOTH, &["-nostartfiles"]);
        let preparation = Preparation::of("x.so", &bytes).unwrap();
        let counts = [preparation.initialisers, preparation.finalisers].map(|functions| functions.unwrap().count);
        assert_eq!(counts, [1, 1]);
        let mut copy = bytes.clone();
        preparation.apply(&mut copy);
        assert_eq!(
            Preparation::of("x.so", &copy).map(|again| (again.initialisers, again.finalisers)),
            Ok((None, None))
        );
    }

    #[test]
    fn does_an_object_with_thread_local_destructors_keep_its_finalisers() {
        let source = "struct Local { ~Local(); int x = 0; }; Local::~Local() { x = 1; }
            thread_local Local local; extern \"C\" int f() { return local.x; }";
        let preparation = Preparation::of("x.so", &shared_object(Language::Cxx, source, &[])).unwrap();
        assert!(preparation.initialisers.is_some() && preparation.finalisers.is_none());
    }
}
