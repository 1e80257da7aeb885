//! A callable that was serialised elsewhere: the bytes that [`chip_callable`](super::callable::chip_callable) makes.
//!
//! The host runtime believes every number in a callable. So each is checked against the bytes before it gets them.

use super::abi::{ArgDirection, CHIP_TENSORS, chip_callable as chip, core_callable as core};

/// What is in a callable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallableContent<'a> {
    /// The shared object of the orchestration.
    pub orchestration: &'a [u8],
    /// Its entry.
    pub entry: String,
    /// Its kernels.
    pub kernels: Vec<KernelContent<'a>>,
}

/// One kernel of a callable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelContent<'a> {
    /// The id by which the orchestration names it.
    pub func_id: u32,
    /// What it does with its arguments.
    pub signature: Vec<ArgDirection>,
    /// The shared object.
    pub object: &'a [u8],
}

/// Why bytes are no callable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum CallableFileError {
    /// is no callable: {what} takes bytes {start:#x}..{end:#x} and the file ends at {size:#x}
    CutOff {
        /// The part that is cut off.
        what: String,
        /// Where the part begins.
        start: usize,
        /// Where the part would end.
        end: usize,
        /// Where the file ends.
        size: usize,
    },
    /// is no callable: the number of {what} is {count}, possible are 0 to {max}
    Count {
        /// What is counted.
        what: String,
        /// The number there is.
        count: i32,
        /// The most there may be.
        max: usize,
    },
    /// is no callable: {what} has direction {code} for argument {index}, possible are 0 to 3
    Direction {
        /// The callable or kernel.
        what: String,
        /// The code.
        code: i32,
        /// The argument.
        index: usize,
    },
    /// is no callable: the name at {at:#x} has {length} bytes and is not such a text of at most {max}
    Name {
        /// Where it is.
        at: usize,
        /// The length that is stated.
        length: usize,
        /// The most there may be.
        max: usize,
    },
    /// is no callable: kernel {index} begins at {offset:#x}, which is not a multiple of {alignment}
    Alignment {
        /// Which kernel.
        index: usize,
        /// Where it is said to begin, from the end of the header.
        offset: usize,
        /// What it has to be a multiple of.
        alignment: usize,
    },
    /// is no callable: kernel {index} has the function id {id}, possible are 0 to {max}
    FunctionId {
        /// Which kernel.
        index: usize,
        /// Its id.
        id: i32,
        /// The largest there may be.
        max: usize,
    },
}

/// Finds the parts of a callable.
pub fn read(bytes: &[u8]) -> Result<CallableContent<'_>, CallableFileError> {
    let block = Block(bytes);
    block.part("the header", 0, chip::STORAGE)?;
    block.signature("the callable", chip::SIGNATURE, chip::SIGNATURE_COUNT, CHIP_TENSORS)?;
    block.name(chip::CONFIG_NAME, chip::CONFIG_NAME_LENGTH)?;
    let kernels = block.count("kernels", chip::CHILD_COUNT, chip::CHILDREN)?;
    Ok(CallableContent {
        orchestration: block.part("the orchestration", chip::STORAGE, block.size(chip::BINARY_SIZE))?,
        entry: block.name(chip::ENTRY_NAME, chip::ENTRY_NAME_LENGTH)?,
        kernels: (0..kernels).map(|index| kernel(&block, index)).collect::<Result<_, _>>()?,
    })
}

fn kernel<'a>(block: &Block<'a>, index: usize) -> Result<KernelContent<'a>, CallableFileError> {
    let what = format!("kernel {index}");
    let offset = block.size(chip::CHILD_OFFSETS + 4 * index);
    if !offset.is_multiple_of(chip::CHILD_ALIGNMENT) {
        return Err(CallableFileError::Alignment { index, offset, alignment: chip::CHILD_ALIGNMENT });
    }
    let at = chip::STORAGE + offset;
    block.part(&what, at, core::BINARY)?;
    let id = block.word(chip::CHILD_IDS + 4 * index);
    let func_id = usize::try_from(id).ok().filter(|&id| id < chip::CHILDREN);
    let func_id = func_id.ok_or(CallableFileError::FunctionId { index, id, max: chip::CHILDREN - 1 })?;
    Ok(KernelContent {
        func_id: func_id as u32,
        signature: block.signature(&what, at + core::SIGNATURE, at + core::SIGNATURE_COUNT, core::TENSORS)?,
        object: block.part(&what, at + core::BINARY, block.size(at + core::BINARY_SIZE))?,
    })
}

/// Bytes to find parts in. Reading a word needs a place that has been found to be there.
struct Block<'a>(&'a [u8]);

impl<'a> Block<'a> {
    fn part(&self, what: &str, start: usize, length: usize) -> Result<&'a [u8], CallableFileError> {
        let (end, size) = (start + length, self.0.len());
        let what = || what.to_owned();
        self.0.get(start..end).ok_or_else(|| CallableFileError::CutOff { what: what(), start, end, size })
    }

    fn word(&self, at: usize) -> i32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.0[at..at + 4]);
        i32::from_ne_bytes(word)
    }

    fn size(&self, at: usize) -> usize {
        self.word(at) as u32 as usize
    }

    fn count(&self, what: &str, at: usize, max: usize) -> Result<usize, CallableFileError> {
        let count = self.word(at);
        let possible = usize::try_from(count).ok().filter(|&count| count <= max);
        possible.ok_or_else(|| CallableFileError::Count { what: what.to_owned(), count, max })
    }

    fn signature(
        &self,
        what: &str,
        at: usize,
        count_at: usize,
        max: usize,
    ) -> Result<Vec<ArgDirection>, CallableFileError> {
        let count = self.count(&format!("arguments of {what}"), count_at, max)?;
        let direction = |index| {
            let code = self.word(at + 4 * index);
            ArgDirection::of_code(code).ok_or(CallableFileError::Direction { what: what.to_owned(), code, index })
        };
        (0..count).map(direction).collect()
    }

    fn name(&self, at: usize, length_at: usize) -> Result<String, CallableFileError> {
        let (length, max) = (self.size(length_at), chip::NAME - 1);
        let text = (length <= max).then(|| &self.0[at..at + length]);
        let text = text.filter(|text| !text.contains(&0) && self.0[at + length] == 0);
        let text = text.and_then(|text| String::from_utf8(text.to_vec()).ok());
        text.ok_or(CallableFileError::Name { at, length, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::callable::{CallableParts, KernelPart, chip_callable};

    /// A callable of two kernels.
    fn callable() -> Vec<u8> {
        let kernels = [
            KernelPart { func_id: 7, signature: &[ArgDirection::In, ArgDirection::Out], object: b"first" },
            KernelPart { func_id: 2, signature: &[], object: b"second" },
        ];
        let parts = CallableParts {
            orchestration: &[0xab; 65],
            entry: "entry",
            config: "config",
            signature: &[ArgDirection::InOut, ArgDirection::Scalar],
            kernels: &kernels,
        };
        chip_callable(&parts).unwrap()
    }

    /// What is said of it with another word at that place.
    fn refusal(at: usize, word: i32) -> String {
        let mut bytes = callable();
        bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        read(&bytes).unwrap_err().to_string()
    }

    #[test]
    fn is_what_was_put_in_found_again() {
        let bytes = callable();
        let content = read(&bytes).unwrap();
        assert_eq!((content.orchestration, content.entry.as_str()), ([0xab; 65].as_slice(), "entry"));
        let signature = vec![ArgDirection::In, ArgDirection::Out];
        let first = KernelContent { func_id: 7, signature, object: b"first" };
        let second = KernelContent { func_id: 2, signature: Vec::new(), object: b"second" };
        assert_eq!(content.kernels, [first, second]);
    }

    #[test]
    fn does_a_callable_that_is_cut_off_say_where() {
        let bytes = callable();
        let message = |length: usize| read(&bytes[..length]).unwrap_err().to_string();
        assert_eq!(message(0), "is no callable: the header takes bytes 0x0..0x24a0 and the file ends at 0x0");
        assert_eq!(
            message(9400),
            "is no callable: the orchestration takes bytes 0x24a0..0x24e1 and the file ends at 0x24b8"
        );
        let end = bytes.len();
        assert_eq!(
            message(end - 1),
            format!(
                "is no callable: kernel 1 takes bytes {:#x}..{end:#x} and the file ends at {:#x}",
                end - 6,
                end - 1
            )
        );
    }

    #[test]
    fn are_numbers_that_cannot_be_refused() {
        assert_eq!(
            refusal(chip::CHILD_COUNT, 1025),
            "is no callable: the number of kernels is 1025, possible are 0 to 1024"
        );
        assert_eq!(
            refusal(chip::SIGNATURE_COUNT, -1),
            "is no callable: the number of arguments of the callable is -1, possible are 0 to 256"
        );
        assert_eq!(
            refusal(chip::SIGNATURE + 4, 4),
            "is no callable: the callable has direction 4 for argument 1, possible are 0 to 3"
        );
        let name = "is no callable: the name at 0x408 has 64 bytes and is not such a text of at most 63";
        assert_eq!(refusal(chip::ENTRY_NAME_LENGTH, 64), name);
        assert_eq!(
            refusal(chip::CHILD_OFFSETS, 65),
            "is no callable: kernel 0 begins at 0x41, which is not a multiple of 64"
        );
        assert_eq!(
            refusal(chip::CHILD_IDS + 4, -1),
            "is no callable: kernel 1 has the function id -1, possible are 0 to 1023"
        );
        assert!(refusal(chip::CHILD_OFFSETS, -64).starts_with("is no callable: kernel 0 takes bytes 0x10000"));
    }
}
