//! Segments: what of the file is loaded, and where.

use std::ops::Range;

use object::elf;
use object::read::ReadRef;
use object::read::elf::{NoteIterator, ProgramHeader as _};

use super::{Elf, Header, LE, ProgramHeader};
use crate::loader::image_error::ImageError;

/// A range of code: where it will be, relative to the object's load address, and its bytes.
#[derive(Clone, Copy)]
pub(in crate::loader) struct Code<'data> {
    pub(in crate::loader) address: u64,
    pub(in crate::loader) bytes: &'data [u8],
}

impl<'data> Elf<'data> {
    pub(super) fn read_segments(&self, header: &Header) -> Result<&'data [ProgramHeader], ImageError> {
        let (start, count) = (header.e_phoff.get(LE), header.e_phnum.get(LE));
        let entry = header.e_phentsize.get(LE);
        if usize::from(entry) != size_of::<ProgramHeader>() {
            return Err(self.malformed("file header", 0x36, format!("program headers of {entry} bytes, not 56")));
        }
        let bytes = self.slice("the program header table", start, u64::from(count) * u64::from(entry))?;
        // The table has just been read, and the entries need no alignment.
        Ok(bytes.read_slice_at(0, usize::from(count)).unwrap_or(&[]))
    }

    pub(super) fn check_segments(&self, header: &Header) -> Result<(), ImageError> {
        let table = header.e_phoff.get(LE);
        let offset = |index| table + (index * size_of::<ProgramHeader>()) as u64;
        let of_kind =
            |kind| self.segments.iter().enumerate().filter(move |(_, segment)| segment.p_type.get(LE) == kind);
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.p_type.get(LE) != elf::PT_NULL {
                let (start, size) = (segment.p_offset.get(LE), segment.p_filesz.get(LE));
                self.slice(&format!("segment {index} (header at {:#x})", offset(index)), start, size)?;
            }
        }
        let mut free_from = 0;
        for (index, segment) in of_kind(elf::PT_LOAD) {
            free_from = self.check_load_segment(segment, offset(index), free_from)?;
        }
        if free_from == 0 {
            return Err(self.malformed("program header table", table, "nothing to load (no PT_LOAD)"));
        }
        for (index, segment) in of_kind(elf::PT_TLS) {
            self.check_tls_segment(segment, offset(index))?;
        }
        Ok(())
    }

    /// Checks one segment against those before it, which end at `free_from`; returns where it ends.
    pub(super) fn check_load_segment(
        &self,
        segment: &ProgramHeader,
        offset: u64,
        free_from: u64,
    ) -> Result<u64, ImageError> {
        let (address, file) = (segment.p_vaddr.get(LE), segment.p_offset.get(LE));
        let (memory_size, file_size) = (segment.p_memsz.get(LE), segment.p_filesz.get(LE));
        let align = segment.p_align.get(LE).max(1);
        let what = "program header (PT_LOAD)";
        if file_size > memory_size {
            let detail = format!("{file_size:#x} bytes in the file and only {memory_size:#x} in memory");
            return Err(self.malformed(what, offset, detail));
        }
        if !align.is_power_of_two() || address % align != file % align {
            let detail = format!("address {address:#x} and file offset {file:#x} do not agree modulo {align:#x}");
            return Err(self.malformed(what, offset, detail));
        }
        // The lower half of the address space is all that a process has.
        match address.checked_add(memory_size) {
            Some(end) if end < 1 << 47 && address >= free_from => Ok(end.max(1)),
            _ => {
                let detail = format!("{memory_size:#x} bytes at {address:#x} after segments up to {free_from:#x}");
                Err(self.malformed(what, offset, detail))
            }
        }
    }

    pub(super) fn check_tls_segment(&self, segment: &ProgramHeader, offset: u64) -> Result<(), ImageError> {
        let (size, file_size) = (segment.p_memsz.get(LE), segment.p_filesz.get(LE));
        let align = segment.p_align.get(LE);
        if file_size > size || !align.max(1).is_power_of_two() || size >= 1 << 47 {
            let detail = format!("{file_size:#x} initial bytes of {size:#x}, aligned to {align:#x}");
            return Err(self.malformed("program header (PT_TLS)", offset, detail));
        }
        let address = segment.p_vaddr.get(LE);
        if file_size > 0 && self.loaded(address, file_size).is_none() {
            let detail = format!("its initial bytes at address {address:#x} are not in a loaded segment");
            return Err(self.malformed("program header (PT_TLS)", offset, detail));
        }
        Ok(())
    }

    pub(super) fn segments_of(
        &self,
        kind: elf::ProgramType,
    ) -> impl Iterator<Item = &'data ProgramHeader> + use<'data> {
        self.segments.iter().filter(move |segment| segment.p_type.get(LE) == kind)
    }

    /// The loaded segment in whose part of the file `size` bytes at `address` lie, and where they begin in the file.
    pub(super) fn segment_at(&self, address: u64, size: u64) -> Option<(&'data ProgramHeader, usize)> {
        let end = address.checked_add(size)?;
        let segment = self.segments_of(elf::PT_LOAD).find(|segment| {
            let start = segment.p_vaddr.get(LE);
            start <= address && end <= start + segment.p_filesz.get(LE)
        })?;
        Some((segment, (segment.p_offset.get(LE) + (address - segment.p_vaddr.get(LE))) as usize))
    }

    /// Where `size` bytes at `address` lie in the file, if they lie within one loaded segment.
    pub(super) fn loaded(&self, address: u64, size: u64) -> Option<Range<usize>> {
        let (_, start) = self.segment_at(address, size)?;
        Some(start..start + size as usize)
    }

    /// The bytes from `address` to the end of its segment.
    pub(super) fn loaded_from(&self, address: u64) -> Option<&'data [u8]> {
        let (segment, start) = self.segment_at(address, 1)?;
        self.bytes.get(start..(segment.p_offset.get(LE) + segment.p_filesz.get(LE)) as usize)
    }

    /// Size and alignment of the thread-local block.
    pub(in crate::loader) fn tls(&self) -> Option<(u64, u64)> {
        let segment = self.segments_of(elf::PT_TLS).next()?;
        Some((segment.p_memsz.get(LE), segment.p_align.get(LE).max(1)))
    }

    /// Whether `size` bytes at `address` are within one loaded segment.
    pub(in crate::loader) fn occupies(&self, address: u64, size: u64) -> bool {
        let holds = |segment: &ProgramHeader| {
            let start = segment.p_vaddr.get(LE);
            address >= start && address.saturating_add(size) <= start.saturating_add(segment.p_memsz.get(LE))
        };
        self.segments_of(elf::PT_LOAD).any(holds)
    }

    /// The segments that are mapped executable.
    pub(in crate::loader) fn executable_segments(&self) -> Vec<Code<'data>> {
        let executable = |segment: &&ProgramHeader| segment.p_flags.get(LE).contains(elf::PF_X);
        let code = |segment: &ProgramHeader| {
            let start = segment.p_offset.get(LE) as usize;
            let bytes = self.bytes.get(start..start + segment.p_filesz.get(LE) as usize)?;
            Some(Code { address: segment.p_vaddr.get(LE), bytes })
        };
        self.segments_of(elf::PT_LOAD).filter(executable).filter_map(code).collect()
    }

    /// The addresses that nobody can write to once the object is loaded.
    pub(in crate::loader) fn constant(&self) -> Vec<Range<u64>> {
        let read_only = |segment: &&ProgramHeader| match segment.p_type.get(LE) {
            elf::PT_LOAD => !segment.p_flags.get(LE).contains(elf::PF_W),
            kind => kind == elf::PT_GNU_RELRO,
        };
        let range = |segment: &ProgramHeader| {
            let start = segment.p_vaddr.get(LE);
            start..start.saturating_add(segment.p_memsz.get(LE))
        };
        self.segments.iter().filter(read_only).map(range).collect()
    }

    /// The GNU build id, if there is one.
    pub(in crate::loader) fn build_id(&self) -> Option<&'data [u8]> {
        for segment in self.segments_of(elf::PT_NOTE) {
            let data = self.slice("", segment.p_offset.get(LE), segment.p_filesz.get(LE)).ok()?;
            let Ok(mut notes) = NoteIterator::<Header>::new(LE, segment.p_align(LE), data) else { continue };
            while let Ok(Some(note)) = notes.next() {
                if note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID {
                    return Some(note.desc());
                }
            }
        }
        None
    }
}
