//! What an object is and brings along, read from its bytes before anything is loaded.
//!
//! A [`CodeImage`] is a set of facts; it keeps no reference to the bytes. The facts that decide over loading are:
//! - [`CodeImage::unique_symbols`] and [`CodeImage::no_delete`]: the object would stay loaded for ever, and its
//!   namespace with it. The first has a cure (`unique.rs`), the second has none.
//! - [`CodeImage::tls`] with `static_block`: it takes room from a small reserve that all namespaces share.
//! - [`CodeImage::imports`]: through which functions it reaches the device, and whether it may block.

use serde::Serialize;

use object::elf;

use super::elf::{DynamicSymbol, Elf};
use super::image_error::{ImageError, Machine};
use crate::trace::ContentHash;

/// The facts about one shared object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeImage {
    /// The name it was given: a path, or where the bytes came from.
    pub name: String,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// The number of its bytes.
    pub size: u64,
    /// The machine it is built for; that of this host.
    pub machine: Machine,
    /// Its own name, by which other objects need it.
    pub soname: Option<String>,
    /// The libraries it needs, in the order in which they are loaded.
    pub needed: Vec<String>,
    /// The linker's identification, in hexadecimal.
    pub build_id: Option<String>,
    /// Its thread-local block.
    pub tls: Option<ThreadLocalBlock>,
    /// It asks never to be unloaded (`DF_1_NODELETE`).
    pub no_delete: bool,
    /// Symbols of which a namespace has only one, whichever object uses it. Defining it pins the object.
    pub unique_symbols: Vec<String>,
    /// Those that were unique until they were made global in this copy. Each object that uses one defines it.
    #[serde(skip)]
    pub made_global: Vec<String>,
    /// What it takes from other objects, in the order of its symbol table.
    pub imports: Vec<Import>,
    /// What other objects and the loader can take from it, in the order of its symbol table.
    pub exports: Vec<Export>,
    /// The parts that are mapped executable.
    pub executable: Vec<ExecutableSegment>,
}

/// The thread-local storage of an object: one block for each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ThreadLocalBlock {
    /// Bytes in each thread.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u64,
    /// Must be in the static block (`DF_STATIC_TLS`), of which little is left once a process has started.
    pub static_block: bool,
}

/// A symbol that another object has to define.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The symbol.
    pub name: String,
    /// It may stay undefined; its address is null then.
    pub weak: bool,
    /// The version of it that is asked for.
    pub version: Option<SymbolVersion>,
}

/// A version of a symbol, and the library that has to have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SymbolVersion {
    /// The version, like `GLIBC_2.34`.
    pub version: String,
    /// The library, like `libc.so.6`.
    pub library: String,
}

/// A symbol that the object defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// The symbol.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
    /// Where it is, from the object's load address; for thread-local data, from the start of the block.
    pub address: u64,
    /// Its size in bytes, 0 if not known.
    pub size: u64,
    /// A definition in an earlier object replaces it without a word.
    pub weak: bool,
    /// The object's own references lead to it, whatever earlier objects define (`STV_PROTECTED`).
    #[serde(skip)]
    pub is_final: bool,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// A function.
    Function,
    /// Data.
    Data,
    /// Thread-local data.
    ThreadLocal,
    /// Anything else.
    Other,
}

/// A part of the object that is mapped executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExecutableSegment {
    /// Where it is, from the object's load address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
}

impl CodeImage {
    /// Reads the facts about the object in `bytes`. Fails unless this host can load it.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<CodeImage, ImageError> {
        let elf = Elf::open(name, bytes)?;
        CodeImage::of(name, bytes, &elf, &elf.dynamic_symbols()?)
    }

    /// The same of what was read already.
    pub(super) fn of(
        name: &str,
        bytes: &[u8],
        elf: &Elf<'_>,
        symbols: &[DynamicSymbol<'_>],
    ) -> Result<CodeImage, ImageError> {
        let tls = elf.tls().map(|(size, align)| ThreadLocalBlock { size, align, static_block: elf.static_tls() });
        let executable = elf.executable_segments().into_iter();
        Ok(CodeImage {
            name: name.to_owned(),
            content: ContentHash::of(bytes),
            size: bytes.len() as u64,
            machine: elf.machine(),
            soname: elf.soname()?.map(text),
            needed: elf.needed()?.into_iter().map(text).collect(),
            build_id: elf.build_id().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()),
            tls,
            no_delete: elf.no_delete(),
            unique_symbols: unique_symbols(symbols),
            made_global: Vec::new(),
            imports: imports(elf, symbols)?,
            exports: exports(symbols),
            executable: executable
                .map(|code| ExecutableSegment { address: code.address, size: code.bytes.len() as u64 })
                .collect(),
        })
    }

    /// The definition of `name`, if the object has one.
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports.iter().find(|export| export.name == name)
    }

    /// Whether the object takes `name` from another object.
    pub fn imports(&self, name: &str) -> bool {
        self.imports.iter().any(|import| import.name == name)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn unique_symbols(symbols: &[DynamicSymbol<'_>]) -> Vec<String> {
    let unique = symbols.iter().filter(|symbol| symbol.symbol.bind == elf::STB_GNU_UNIQUE);
    unique.map(|symbol| text(symbol.name)).collect()
}

fn imports(elf: &Elf<'_>, symbols: &[DynamicSymbol<'_>]) -> Result<Vec<Import>, ImageError> {
    let (versions, needed) = (elf.symbol_versions()?, elf.needed_versions()?);
    let import = |symbol: &DynamicSymbol<'_>| Import {
        name: text(symbol.name),
        weak: symbol.symbol.bind == elf::STB_WEAK,
        version: versions
            .get(symbol.index)
            .and_then(|index| needed.get(index))
            .map(|needed| SymbolVersion { version: text(needed.version), library: text(needed.library) }),
    };
    let undefined = symbols.iter().filter(|symbol| !symbol.symbol.defined && !symbol.name.is_empty());
    Ok(undefined.map(import).collect())
}

fn exports(symbols: &[DynamicSymbol<'_>]) -> Vec<Export> {
    let export = |symbol: &DynamicSymbol<'_>| Export {
        name: text(symbol.name),
        kind: match symbol.symbol.kind {
            elf::STT_FUNC | elf::STT_GNU_IFUNC => ExportKind::Function,
            elf::STT_OBJECT | elf::STT_COMMON => ExportKind::Data,
            elf::STT_TLS => ExportKind::ThreadLocal,
            _ => ExportKind::Other,
        },
        address: symbol.symbol.value,
        size: symbol.symbol.size,
        weak: symbol.symbol.bind == elf::STB_WEAK,
        is_final: symbol.symbol.visibility == elf::STV_PROTECTED,
    };
    let visible = |symbol: &&DynamicSymbol<'_>| {
        symbol.symbol.defined
            && symbol.symbol.bind != elf::STB_LOCAL
            && [elf::STV_DEFAULT, elf::STV_PROTECTED].contains(&symbol.symbol.visibility)
            && !symbol.name.is_empty()
    };
    symbols.iter().filter(visible).map(export).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::test_objects::{Language, compile, shared_object};

    const PLAIN: &str = "int answer(void) { return 42; }";

    fn plain() -> Vec<u8> {
        shared_object(Language::C, PLAIN, &["-nostdlib"])
    }

    fn error(bytes: &[u8]) -> String {
        CodeImage::parse("k.so", bytes).expect_err("it cannot be loaded").to_string()
    }

    /// A copy of `bytes` with `field` at `offset`.
    fn with(bytes: &[u8], offset: usize, field: &[u8]) -> Vec<u8> {
        let mut copy = bytes.to_vec();
        copy[offset..offset + field.len()].copy_from_slice(field);
        copy
    }

    /// Where the first program header of `kind` is.
    fn program_header(bytes: &[u8], kind: u32) -> usize {
        let start = u64::from_le_bytes(bytes[0x20..0x28].try_into().expect("8 bytes")) as usize;
        let count = usize::from(bytes[0x38]);
        let mut headers = (0..count).map(|index| start + 56 * index);
        headers.find(|at| bytes[*at..*at + 4] == kind.to_le_bytes()).expect("such a program header")
    }

    /// Where the dynamic entry with `tag` is.
    fn dynamic_entry(bytes: &[u8], tag: u64) -> usize {
        let header = program_header(bytes, 2);
        let start = u64::from_le_bytes(bytes[header + 8..header + 16].try_into().expect("8 bytes")) as usize;
        let mut entries = (0..).map(|index| start + 16 * index);
        entries.find(|at| bytes[*at..*at + 8] == tag.to_le_bytes()).expect("such an entry")
    }

    #[test]
    fn what_does_an_object_say_of_itself() {
        let source = "#include <stdio.h>
            __thread long counter[5] = {1};
            int shown = 3;
            static int hidden(void) { return 4; }
            __attribute__((weak)) int maybe(void) { return 5; }
            extern __attribute__((weak)) void absent(void);
            int talk(void) { puts(\"x\"); if (absent) absent(); return hidden() + shown; }";
        let flags = ["-O1", "-Wl,-soname,libtalk.so.1", "-Wl,--build-id=0x00ff12", "-Wl,-z,nodelete"];
        let bytes = shared_object(Language::C, source, &flags);
        let image = CodeImage::parse("talk.so", &bytes).expect("a loadable object");
        assert_eq!((image.name.as_str(), image.size, image.machine), ("talk.so", bytes.len() as u64, Machine::HOST));
        assert_eq!(image.content, ContentHash::of(&bytes));
        assert_eq!((image.soname.as_deref(), image.build_id.as_deref()), (Some("libtalk.so.1"), Some("00ff12")));
        assert_eq!(image.needed, ["libc.so.6"]);
        assert_eq!(image.tls.map(|tls| (tls.size, tls.static_block)), Some((40, false)));
        assert!(image.no_delete);
        assert_eq!(image.unique_symbols, [] as [&str; 0]);
        assert_eq!(image.executable.len(), 1);

        let puts = image.imports.iter().find(|import| import.name == "puts").expect("it imports puts");
        assert_eq!(
            (puts.weak, puts.version.as_ref().map(|version| version.library.as_str())),
            (false, Some("libc.so.6"))
        );
        assert!(puts.version.as_ref().is_some_and(|version| version.version.starts_with("GLIBC_2.")));
        let absent = image.imports.iter().find(|import| import.name == "absent");
        assert_eq!(absent, Some(&Import { name: "absent".to_owned(), weak: true, version: None }));

        let kind = |name| image.export(name).map(|export| (export.kind, export.size, export.weak));
        assert_eq!(kind("counter"), Some((ExportKind::ThreadLocal, 40, false)));
        assert_eq!(kind("shown"), Some((ExportKind::Data, 4, false)));
        assert_eq!(kind("maybe").map(|(kind, _, weak)| (kind, weak)), Some((ExportKind::Function, true)));
        assert_eq!(kind("hidden"), None);
        assert_eq!(kind("puts"), None);
        assert!(image.imports("puts") && !image.imports("talk"));
    }

    #[test]
    fn is_storage_that_must_be_in_the_static_block_told_apart() {
        let source = "__attribute__((tls_model(\"initial-exec\"))) __thread int x; int get(void) { return x; }";
        let image = CodeImage::parse("k.so", &shared_object(Language::C, source, &[])).expect("a loadable object");
        assert_eq!(image.tls.map(|tls| (tls.size, tls.static_block)), Some((4, true)));
    }

    #[test]
    fn are_symbols_found_without_section_headers() {
        let bytes = plain();
        let image = CodeImage::parse("k.so", &bytes).expect("a loadable object");
        let bare = with(&with(&bytes, 0x28, &[0; 8]), 0x3c, &[0; 4]);
        let bare = CodeImage::parse("k.so", &bare).expect("a loadable object");
        assert_eq!(bare.exports, image.exports);
        assert!(bare.export("answer").is_some());
    }

    #[test]
    fn are_imports_found_in_an_object_that_exports_nothing() {
        let source = "void far(void); __attribute__((constructor)) static void near(void) { far(); }";
        let bytes = shared_object(Language::C, source, &["-nostdlib", "-s", "-Wl,--hash-style=gnu"]);
        let bare = with(&with(&bytes, 0x28, &[0; 8]), 0x3c, &[0; 4]);
        for bytes in [bytes, bare] {
            let image = CodeImage::parse("k.so", &bytes).expect("a loadable object");
            assert_eq!(image.exports, []);
            assert!(image.imports("far"), "{:?}", image.imports);
        }
    }

    #[test]
    fn are_symbols_found_by_the_old_hash_table() {
        let bytes = shared_object(Language::C, PLAIN, &["-nostdlib", "-Wl,--hash-style=sysv"]);
        assert!(CodeImage::parse("k.so", &bytes).expect("a loadable object").export("answer").is_some());
    }

    #[test]
    fn is_a_file_that_is_no_object_told_by_what_it_is() {
        let hint = "at offset 0x0); give the compiled shared object itself";
        assert_eq!(error(b""), format!("k.so: not an ELF file (it is empty {hint}"));
        assert_eq!(error(b"#!/bin/sh\n"), format!("k.so: not an ELF file (a script {hint}"));
        assert_eq!(error(b"!<arch>\nx"), format!("k.so: not an ELF file (a static library {hint}"));
        assert_eq!(error(b"{}"), format!("k.so: not an ELF file (bytes 7b 7d {hint}"));
    }

    #[test]
    fn is_an_object_for_another_machine_told_with_both() {
        let other = if Machine::HOST == Machine::X86_64 { Machine::AARCH64 } else { Machine::X86_64 };
        let host = Machine::HOST;
        let expected = |found| {
            format!("k.so: built for {found} (field at offset 0x12), while this host is {host}; build it for {host}")
        };
        assert_eq!(error(&with(&plain(), 0x12, &other.0.to_le_bytes())), expected(other.to_string()));
        assert_eq!(error(&with(&plain(), 0x12, &0x1234_u16.to_le_bytes())), expected("machine 0x1234".to_owned()));
    }

    #[test]
    fn is_an_object_of_another_class_or_byte_order_refused() {
        let host = Machine::HOST;
        assert_eq!(
            error(&with(&plain(), 4, &[1])),
            format!(
                "k.so: a 32-bit object (byte at offset 0x4), while this host loads 64-bit ones; build it for {host}"
            )
        );
        assert_eq!(
            error(&with(&plain(), 5, &[2])),
            format!(
                "k.so: a big-endian object (byte at offset 0x5), while this host is little-endian; build it for {host}"
            )
        );
    }

    #[test]
    fn is_something_other_than_a_shared_object_refused() {
        let object = compile(Language::C, PLAIN, &["-c", "-fPIC"]);
        assert_eq!(
            error(&object),
            "k.so: an unlinked object file (field at offset 0x10), not a shared object; link it with -shared from \
             objects built with -fPIC"
        );
        let executable = compile(Language::C, "int main(void) { return 0; }", &["-pie", "-fPIE"]);
        let flags = dynamic_entry(&executable, 0x6fff_fffb);
        assert_eq!(
            error(&executable),
            format!(
                "k.so: a position-independent executable (DF_1_PIE at offset {flags:#x}), which cannot be loaded; link \
                 it with -shared"
            )
        );
        let mut loads_only = plain();
        let header = program_header(&loads_only, 2);
        loads_only[header] = 0;
        assert_eq!(
            error(&loads_only),
            "k.so: no dynamic segment among the program headers at offset 0x40; link it with -shared"
        );
    }

    #[test]
    fn is_a_truncated_object_refused_at_every_length() {
        let bytes = plain();
        assert_eq!(
            error(&bytes[..0x20]),
            "k.so: truncated: the file header takes bytes 0x0..0x40 and the file ends at 0x20; copy or build it again"
        );
        assert_eq!(
            error(&bytes[..0x50]),
            format!(
                "k.so: truncated: the program header table takes bytes 0x40..{:#x} and the file ends at 0x50; copy or \
                 build it again",
                0x40 + 56 * usize::from(bytes[0x38])
            )
        );
        assert!(error(&bytes[..bytes.len() - 1]).contains("truncated: the section header table takes bytes"));
        for length in 4..bytes.len() {
            let result = CodeImage::parse("k.so", &bytes[..length]);
            assert!(matches!(result, Err(ImageError::Truncated { .. })), "{length}: {result:?}");
        }
    }

    #[test]
    fn is_a_section_beyond_the_file_told_by_name() {
        let bytes = plain();
        let table = u64::from_le_bytes(bytes[0x28..0x30].try_into().expect("8 bytes")) as usize;
        // Section 1 is the first real one; its size is at byte 32 of its header.
        let error = error(&with(&bytes, table + 64 + 32, &0xff_ffff_u64.to_le_bytes()));
        assert!(error.starts_with("k.so: truncated: section ."), "{error}");
        assert!(error.contains(&format!("(header at {:#x})", table + 64)), "{error}");
    }

    #[test]
    fn is_a_table_outside_the_loaded_segments_refused() {
        let bytes = plain();
        for (tag, what) in [
            (5, "string table (DT_STRTAB)"),
            (6, "dynamic symbol table (DT_SYMTAB)"),
            (0x6fff_fef5, "hash table (DT_GNU_HASH)"),
        ] {
            let entry = dynamic_entry(&bytes, tag);
            let error = error(&with(&bytes, entry + 8, &0x7fff_0000_u64.to_le_bytes()));
            assert!(error.starts_with(&format!("k.so: malformed {what} at offset {entry:#x}: ")), "{error}");
        }
    }

    #[test]
    fn are_segments_that_overlap_or_end_beyond_memory_refused() {
        let bytes = plain();
        let first = program_header(&bytes, 1);
        for size in [u64::MAX, 1 << 47, 0x10_0000] {
            let error = error(&with(&bytes, first + 40, &size.to_le_bytes()));
            assert!(error.contains("malformed program header (PT_LOAD)"), "{size:#x}: {error}");
        }
    }
}
