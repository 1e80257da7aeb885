//! What an object is and brings along, read from its bytes before anything is loaded.
//!
//! A [`CodeImage`] is a set of facts; it keeps no reference to the bytes. The facts that decide over loading are:
//! - [`CodeImage::unique_symbols`] and [`CodeImage::no_delete`]: the object would stay loaded for ever, and its
//!   namespace with it. The first has a cure ([`super::unique`]), the second has none.
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
    /// Symbols of which the process has only one, whatever the namespace. Using one pins the object.
    pub unique_symbols: Vec<String>,
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
        let symbols = elf.dynamic_symbols()?;
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
            unique_symbols: unique_symbols(&symbols),
            imports: imports(&elf, &symbols)?,
            exports: exports(&symbols),
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
    };
    let visible = |symbol: &&DynamicSymbol<'_>| {
        symbol.symbol.defined
            && symbol.symbol.bind != elf::STB_LOCAL
            && [elf::STV_DEFAULT, elf::STV_PROTECTED].contains(&symbol.symbol.visibility)
            && !symbol.name.is_empty()
    };
    symbols.iter().filter(visible).map(export).collect()
}
