//! Programs: does the dynamic linker start one, so that objects can be preloaded into it?

use std::io::{Read, Seek};

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::read::{ReadCache, ReadRef};

use super::elf::{HEADER_SIZE, check_machine};
use super::image_error::ImageError;

/// Whether an ELF file for this machine asks for the dynamic linker. Little of the file is read.
pub fn is_dynamically_linked(name: &str, file: impl Read + Seek) -> Result<bool, ImageError> {
    let file = ReadCache::new(file);
    let size = (&file).len().unwrap_or_default();
    let head = (&file).read_bytes_at(0, size.min(HEADER_SIZE)).unwrap_or_default();
    let header = check_machine(name, head)?;
    let segments = header.program_headers(LittleEndian, &file).map_err(|error| ImageError::Malformed {
        name: name.to_owned(),
        what: "table of program headers",
        offset: header.e_phoff(LittleEndian),
        detail: error.to_string(),
    })?;
    Ok(segments.iter().any(|segment| segment.p_type(LittleEndian) == elf::PT_INTERP))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::test_objects::{Language, compile};
    use super::*;

    const PROGRAM: &str = "int main(void) { return 0; }";

    fn program(flags: &[&str]) -> Vec<u8> {
        compile(Language::C, PROGRAM, flags)
    }

    #[test]
    fn which_programs_does_the_dynamic_linker_start() {
        for (flags, dynamic) in [
            (&["-pie", "-fPIE"] as &[_], true),
            (&["-no-pie"], true),
            (&["-static"], false),
            (&["-static-pie", "-fPIE"], false),
        ] {
            let bytes = program(flags);
            assert_eq!(is_dynamically_linked("program", Cursor::new(bytes)), Ok(dynamic), "{flags:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_program_for_another_machine_and_of_a_broken_one() {
        let error = |bytes: &[u8]| is_dynamically_linked("program", Cursor::new(bytes)).unwrap_err();
        let mut foreign = program(&[]);
        foreign[18..20].copy_from_slice(&0xf3_u16.to_le_bytes());
        assert!(matches!(error(&foreign), ImageError::WrongMachine { .. }), "{}", error(&foreign));
        let whole = program(&[]);
        assert!(matches!(error(&whole[..20]), ImageError::Truncated { .. }), "{}", error(&whole[..20]));
        assert!(matches!(error(&whole[..80]), ImageError::Malformed { .. }), "{}", error(&whole[..80]));
        assert!(matches!(error(b""), ImageError::NotElf { .. }), "{}", error(b""));
    }
}
