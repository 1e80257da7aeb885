//! The callable: an orchestration object and its kernels in one block of bytes.

use super::abi::{ArgDirection, CHIP_TENSORS, chip_callable as chip, core_callable as core};

/// One kernel of a callable.
#[derive(Clone, Copy, Debug)]
pub struct KernelPart<'a> {
    /// The id by which the orchestration names it.
    pub func_id: i32,
    /// What it does with its arguments.
    pub signature: &'a [ArgDirection],
    /// The shared object.
    pub object: &'a [u8],
}

/// What a callable is made of.
#[derive(Clone, Copy, Debug)]
pub struct CallableParts<'a> {
    /// The shared object of the orchestration.
    pub orchestration: &'a [u8],
    /// Its entry.
    pub entry: &'a str,
    /// Its configuration function.
    pub config: &'a str,
    /// What it does with its arguments.
    pub signature: &'a [ArgDirection],
    /// Its kernels.
    pub kernels: &'a [KernelPart<'a>],
}

/// Why parts cannot make a callable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum CallableError {
    /// the symbol `{name}` has more than {max} bytes
    NameTooLong {
        /// The symbol.
        name: String,
        /// The most there may be.
        max: usize,
    },
    /// {what} has {count} arguments, {max} are possible
    TooManyArguments {
        /// The callable or kernel.
        what: String,
        /// Arguments there are.
        count: usize,
        /// The most there may be.
        max: usize,
    },
    /// there are {count} kernels, {max} are possible
    TooManyKernels {
        /// Kernels there are.
        count: usize,
        /// The most there may be.
        max: usize,
    },
    /// the objects of the callable exceed 4 GiB
    TooLarge,
}

/// The bytes of a callable: a header of fixed size, the orchestration object, and each kernel at the next multiple of
/// 64 bytes behind the header.
pub fn chip_callable(parts: &CallableParts<'_>) -> Result<Vec<u8>, CallableError> {
    check(parts)?;
    let mut end = parts.orchestration.len();
    let mut offsets = Vec::with_capacity(parts.kernels.len());
    for kernel in parts.kernels {
        let offset = end.next_multiple_of(chip::CHILD_ALIGNMENT);
        offsets.push(offset);
        end = offset + core::BINARY + kernel.object.len();
    }
    u32::try_from(end).map_err(|_| CallableError::TooLarge)?;

    let mut block = Block(vec![0; chip::STORAGE + end]);
    block.put_signature(chip::SIGNATURE, chip::SIGNATURE_COUNT, parts.signature);
    block.put_u32(chip::BINARY_SIZE, parts.orchestration.len());
    block.put_bytes(chip::ENTRY_NAME, parts.entry.as_bytes());
    block.put_u32(chip::ENTRY_NAME_LENGTH, parts.entry.len());
    block.put_u32(chip::CHILD_COUNT, parts.kernels.len());
    block.put_bytes(chip::CONFIG_NAME, parts.config.as_bytes());
    block.put_u32(chip::CONFIG_NAME_LENGTH, parts.config.len());
    block.put_bytes(chip::STORAGE, parts.orchestration);
    for (index, (kernel, offset)) in parts.kernels.iter().zip(offsets).enumerate() {
        block.put_i32(chip::CHILD_IDS + 4 * index, kernel.func_id);
        block.put_u32(chip::CHILD_OFFSETS + 4 * index, offset);
        let at = chip::STORAGE + offset;
        block.put_signature(at + core::SIGNATURE, at + core::SIGNATURE_COUNT, kernel.signature);
        block.put_u32(at + core::BINARY_SIZE, kernel.object.len());
        block.put_bytes(at + core::BINARY, kernel.object);
    }
    Ok(block.0)
}

/// Whether everything fits its place.
fn check(parts: &CallableParts<'_>) -> Result<(), CallableError> {
    for name in [parts.entry, parts.config] {
        let max = chip::NAME - 1;
        if name.len() > max {
            return Err(CallableError::NameTooLong { name: name.to_owned(), max });
        }
    }
    let kernels = parts.kernels.iter().map(|kernel| {
        let what = format!("kernel {}", kernel.func_id);
        (what, kernel.signature.len(), core::TENSORS)
    });
    let callable = ("the callable".to_owned(), parts.signature.len(), CHIP_TENSORS);
    if let Some((what, count, max)) = std::iter::once(callable).chain(kernels).find(|(_, count, max)| count > max) {
        return Err(CallableError::TooManyArguments { what, count, max });
    }
    if parts.kernels.len() > chip::CHILDREN {
        return Err(CallableError::TooManyKernels { count: parts.kernels.len(), max: chip::CHILDREN });
    }
    Ok(())
}

/// Bytes that are filled in field by field. Sizes have been checked to fit 32 bits.
struct Block(Vec<u8>);

impl Block {
    fn put_bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_i32(&mut self, at: usize, value: i32) {
        self.put_bytes(at, &value.to_ne_bytes());
    }

    fn put_u32(&mut self, at: usize, value: usize) {
        self.put_bytes(at, &(value as u32).to_ne_bytes());
    }

    fn put_signature(&mut self, at: usize, count_at: usize, signature: &[ArgDirection]) {
        for (index, direction) in signature.iter().enumerate() {
            self.put_i32(at + 4 * index, *direction as i32);
        }
        self.put_u32(count_at, signature.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "aicpu_orchestration_entry";
    const CONFIG: &str = "aicpu_orchestration_config";

    fn word(bytes: &[u8], at: usize) -> i32 {
        i32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn does_every_part_lie_where_the_host_runtime_looks_for_it() {
        let kernels = [
            KernelPart { func_id: 7, signature: &[ArgDirection::In, ArgDirection::Out], object: b"first" },
            KernelPart { func_id: 2, signature: &[], object: b"second kernel" },
        ];
        let bytes = chip_callable(&CallableParts {
            orchestration: &[0xab; 65],
            entry: ENTRY,
            config: CONFIG,
            signature: &[ArgDirection::In, ArgDirection::InOut, ArgDirection::Scalar],
            kernels: &kernels,
        })
        .unwrap();

        assert_eq!([0, 4, 8, 12].map(|at| word(&bytes, at)), [1, 3, 0, 0]);
        assert_eq!((word(&bytes, 1024), word(&bytes, 1028)), (3, 65));
        assert_eq!(&bytes[1032..1032 + 26], b"aicpu_orchestration_entry\0");
        assert_eq!((word(&bytes, 1096), word(&bytes, 9292), word(&bytes, 9360)), (25, 2, 26));
        assert_eq!((word(&bytes, 1100), word(&bytes, 1104)), (7, 2));
        assert_eq!((word(&bytes, 5196), word(&bytes, 5200)), (128, 128 + 256));
        assert_eq!(&bytes[9296..9296 + 27], b"aicpu_orchestration_config\0");
        assert_eq!(bytes[9376..9376 + 65], [0xab; 65]);

        let first = 9376 + 128;
        assert_eq!([0, 4, 128, 132].map(|at| word(&bytes, first + at)), [1, 2, 2, 5]);
        assert_eq!(&bytes[first + 192..first + 197], b"first");
        let second = 9376 + 384;
        assert_eq!(&bytes[second + 192..], b"second kernel");
    }

    #[test]
    fn do_parts_that_do_not_fit_say_what_is_too_large() {
        let refusal = |entry: &str, signature: &[ArgDirection], kernels: &[KernelPart<'_>]| {
            let parts = CallableParts { orchestration: b"so", entry, config: CONFIG, signature, kernels };
            chip_callable(&parts).unwrap_err().to_string()
        };
        let long = "x".repeat(64);
        assert_eq!(refusal(&long, &[], &[]), format!("the symbol `{long}` has more than 63 bytes"));
        let signature = [ArgDirection::In; 257];
        assert_eq!(refusal(ENTRY, &signature, &[]), "the callable has 257 arguments, 256 are possible");

        let kernel = KernelPart { func_id: 3, signature: &[ArgDirection::In; 33], object: b"so" };
        assert_eq!(refusal(ENTRY, &[], &[kernel]), "kernel 3 has 33 arguments, 32 are possible");
        let kernel = KernelPart { signature: &[], ..kernel };
        assert_eq!(refusal(ENTRY, &[], &[kernel; 1025]), "there are 1025 kernels, 1024 are possible");
    }
}
