//! The first 64 bytes: whether it is a shared object, and for this machine.

use object::elf;
use object::read::ReadRef;

use super::{HEADER_SIZE, Header, LE, truncated};
use crate::loader::image_error::{ImageError, Machine};

/// Checks what a shared object says of itself in its first 64 bytes.
pub(super) fn check_identity<'data>(name: &str, bytes: &'data [u8]) -> Result<&'data Header, ImageError> {
    let header = check_machine(name, bytes)?;
    let found = match header.e_type.get(LE) {
        elf::ET_DYN => return Ok(header),
        elf::ET_REL => "an unlinked object file".to_owned(),
        elf::ET_EXEC => "an executable".to_owned(),
        elf::ET_CORE => "a core dump".to_owned(),
        other => format!("file type {}", other.0),
    };
    Err(ImageError::NotSharedObject { name: name.to_owned(), found })
}

/// Checks that the first 64 bytes of a file are those of something for this machine.
pub(in crate::loader) fn check_machine<'data>(name: &str, bytes: &'data [u8]) -> Result<&'data Header, ImageError> {
    let owned = || name.to_owned();
    let host = Machine::HOST;
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ImageError::NotElf { name: owned(), found: describe_beginning(bytes) });
    }
    let Ok(header) = bytes.read_at::<Header>(0) else {
        return Err(truncated(name, bytes, "the file header", 0, HEADER_SIZE));
    };
    match header.e_ident.class {
        elf::ELFCLASS64 => {}
        elf::ELFCLASS32 => return Err(ImageError::WrongClass { name: owned(), found: "32-bit".to_owned(), host }),
        other => return Err(ImageError::WrongClass { name: owned(), found: format!("class {}", other.0), host }),
    }
    match header.e_ident.data {
        elf::ELFDATA2LSB => {}
        elf::ELFDATA2MSB => {
            return Err(ImageError::WrongByteOrder { name: owned(), found: "a big-endian object".to_owned(), host });
        }
        other => {
            let found = format!("byte order {}", other.0);
            return Err(ImageError::WrongByteOrder { name: owned(), found, host });
        }
    }
    let found = Machine(header.e_machine.get(LE).0);
    if found != host {
        return Err(ImageError::WrongMachine { name: owned(), found, host });
    }
    Ok(header)
}

/// What a file that is no ELF file begins with, in the words that help most.
fn describe_beginning(bytes: &[u8]) -> String {
    match bytes {
        [] => "it is empty".to_owned(),
        bytes if bytes.starts_with(b"!<arch>\n") => "a static library".to_owned(),
        bytes if bytes.starts_with(b"#!") => "a script".to_owned(),
        bytes => {
            let first: Vec<_> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("bytes {}", first.join(" "))
        }
    }
}
