//! The `.npy` format, versions 1.0 to 3.0: one array, here little-endian and in C order.
//!
//! `bfloat16` has no NumPy type of its own; like `ml_dtypes` it is written as two opaque bytes (`|V2`).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sim_core::printable::printable;

use super::{DType, HostTensor};

/// What every file begins with.
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// No header that is read without its data is longer.
const MAX_HEADER: u64 = 1 << 20;

/// Why a file could not be read or written as an array.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum NpyError {
    /// {path} cannot be read: {source}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// {path} cannot be written: {source}
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// {path} is no .npy array: {problem}
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: FormatProblem,
    },
}

/// What is wrong with the bytes of an `.npy` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum FormatProblem {
    /// it does not begin with the bytes `\x93NUMPY`
    Magic,
    /// format version {major}.{minor} is not known
    Version {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// its header ends after {have} of {need} bytes
    ShortHeader {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// its header lacks a readable `{key}`
    Header {
        /// The key of the header's dictionary.
        key: &'static str,
    },
    /// it is in Fortran order; save it with `numpy.ascontiguousarray`
    FortranOrder,
    /// its element type `{descr}` is not supported
    ElementType {
        /// The type as NumPy writes it.
        descr: String,
    },
    /// its shape has a dimension beyond 32 bits
    Dimension,
    /// it has {have} bytes of data where its shape needs {need}
    DataSize {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
}

/// What precedes the data of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type of its elements.
    pub dtype: DType,
    /// The length of each dimension.
    pub shape: Vec<u32>,
    /// Bytes before the data.
    data_offset: usize,
}

impl Header {
    /// Bytes that the data has to have.
    fn data_size(&self) -> Result<usize, FormatProblem> {
        let size = self.shape.iter().try_fold(self.dtype.size(), |size, &dim| size.checked_mul(dim as usize));
        size.ok_or(FormatProblem::Dimension)
    }
}

/// Reads an array from a file.
pub fn read(path: &Path) -> Result<HostTensor, NpyError> {
    let bytes = std::fs::read(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|problem| NpyError::Format { path: path.to_owned(), problem })
}

/// Writes an array to a file.
pub fn write(path: &Path, tensor: &HostTensor) -> Result<(), NpyError> {
    std::fs::write(path, encode(tensor)).map_err(|source| NpyError::Write { path: path.to_owned(), source })
}

/// What a file says of its array, without the array.
pub fn read_header(path: &Path) -> Result<Header, NpyError> {
    let unreadable = |source| NpyError::Read { path: path.to_owned(), source };
    let malformed = |problem| NpyError::Format { path: path.to_owned(), problem };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(MAX_HEADER).read_to_end(&mut bytes).map_err(unreadable)?;
    let header = parse_header(&bytes).map_err(malformed)?;
    let (have, need) = ((size as usize).saturating_sub(header.data_offset), header.data_size().map_err(malformed)?);
    if have == need { Ok(header) } else { Err(malformed(FormatProblem::DataSize { have, need })) }
}

/// Reads an array from the bytes of a file.
pub fn parse(bytes: &[u8]) -> Result<HostTensor, FormatProblem> {
    let header = parse_header(bytes)?;
    let (data, need) = (&bytes[header.data_offset..], header.data_size()?);
    HostTensor::from_bytes(header.dtype, &header.shape, data.to_vec())
        .ok_or(FormatProblem::DataSize { have: data.len(), need })
}

/// Reads what comes before the data.
fn parse_header(bytes: &[u8]) -> Result<Header, FormatProblem> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(FormatProblem::Magic)?;
    let short = |need| FormatProblem::ShortHeader { have: bytes.len(), need };
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(short(8))?;
    let (header_size, rest) = match *version {
        [1, _] => rest.split_first_chunk().map(|(size, rest)| (usize::from(u16::from_le_bytes(*size)), rest)),
        [2 | 3, _] => rest.split_first_chunk().map(|(size, rest)| (u32::from_le_bytes(*size) as usize, rest)),
        [major, minor] => return Err(FormatProblem::Version { major, minor }),
    }
    .ok_or(short(12))?;
    let data_offset = bytes.len() - rest.len() + header_size;
    let header = rest.get(..header_size).ok_or(short(data_offset))?;
    let header = std::str::from_utf8(header).map_err(|_| FormatProblem::Header { key: "descr" })?;

    let dtype = element_type(value_of(header, "descr")?)?;
    match value_of(header, "fortran_order")? {
        order if order.starts_with("False") => {}
        order if order.starts_with("True") => return Err(FormatProblem::FortranOrder),
        _ => return Err(FormatProblem::Header { key: "fortran_order" }),
    }
    let shape = dimensions(value_of(header, "shape")?)?;
    Ok(Header { dtype, shape, data_offset })
}

/// A part of a file in an error: one line that is not endless, whatever is in it.
fn shown(text: &str) -> String {
    const MOST_LETTERS: usize = 40;
    printable(&text.chars().take(MOST_LETTERS).collect::<String>())
}

/// The bytes of a version 1.0 file.
pub fn encode(tensor: &HostTensor) -> Vec<u8> {
    let dimensions: String = tensor.shape().iter().map(|dim| format!("{dim}, ")).collect();
    let dictionary = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
        descr(tensor.dtype()),
        // A tuple of one keeps its comma, as Python writes it.
        if tensor.shape().len() == 1 { dimensions.trim_end() } else { dimensions.trim_end_matches(", ") }
    );
    let unpadded = MAGIC.len() + 4 + dictionary.len() + 1;
    let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    let header_size = (dictionary.len() + padding + 1) as u16;

    let mut bytes = Vec::with_capacity(unpadded + padding + tensor.bytes().len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&header_size.to_le_bytes());
    bytes.extend_from_slice(dictionary.as_bytes());
    bytes.resize(bytes.len() + padding, b' ');
    bytes.push(b'\n');
    bytes.extend_from_slice(tensor.bytes());
    bytes
}

/// The text that follows a key of the header's dictionary.
fn value_of<'h>(header: &'h str, key: &'static str) -> Result<&'h str, FormatProblem> {
    let after_key = ['\'', '"'].iter().find_map(|quote| {
        let quoted = format!("{quote}{key}{quote}");
        header.find(&quoted).map(|at| &header[at + quoted.len()..])
    });
    let value = after_key.and_then(|rest| rest.trim_start().strip_prefix(':'));
    value.map(str::trim_start).ok_or(FormatProblem::Header { key })
}

/// The element type of a quoted type string such as `'<f4'`.
fn element_type(value: &str) -> Result<DType, FormatProblem> {
    let quote = value.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let quoted = quote.and_then(|quote| value[1..].split(quote).next());
    // A structured type is a list, not a string.
    let Some(text) = quoted else {
        return Err(FormatProblem::ElementType { descr: shown(value.split(", 'fortran").next().unwrap_or(value)) });
    };
    let matches_type = |dtype: &DType| descr(*dtype) == text || (dtype.size() == 1 && text[1..] == descr(*dtype)[1..]);
    let bf16 = (text == "<V2").then_some(DType::Bf16);
    let known = DType::ALL.into_iter().find(|dtype| text.is_char_boundary(1) && matches_type(dtype));
    known.or(bf16).ok_or_else(|| FormatProblem::ElementType { descr: shown(text) })
}

/// The dimensions of a tuple such as `(2, 3)`.
fn dimensions(value: &str) -> Result<Vec<u32>, FormatProblem> {
    let unreadable = FormatProblem::Header { key: "shape" };
    let tuple = value.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or(unreadable.clone())?.0;
    let items = tuple.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let wide: u64 = item.trim_end_matches('L').parse().map_err(|_| unreadable.clone())?;
            u32::try_from(wide).map_err(|_| FormatProblem::Dimension)
        })
        .collect()
}

/// The type string that NumPy uses.
const fn descr(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        DType::I32 => "<i4",
        DType::I16 => "<i2",
        DType::I8 => "|i1",
        DType::U8 => "|u1",
        DType::Bf16 => "|V2",
        DType::I64 => "<i8",
        DType::U64 => "<u8",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::Bool => "|b1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 1.0 file of that dictionary and data.
    fn file(dictionary: &str, data: &[u8]) -> Vec<u8> {
        let size = (dictionary.len() as u16).to_le_bytes();
        [MAGIC, [1, 0].as_slice(), &size, dictionary.as_bytes(), data].concat()
    }

    #[test]
    fn does_every_type_survive_writing_and_reading() {
        for dtype in DType::ALL {
            for shape in [vec![3], vec![2, 2], vec![], vec![0]] {
                let mut tensor = HostTensor::zeros(dtype, &shape);
                tensor.bytes_mut().iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
                assert_eq!(parse(&encode(&tensor)).as_ref(), Ok(&tensor), "{dtype} {shape:?}");
            }
        }
    }

    #[test]
    fn is_a_written_header_the_one_numpy_writes() {
        let bytes = encode(&HostTensor::zeros(DType::F32, &[3]));
        let header = "\u{1}\0\u{76}\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
        assert_eq!(bytes.len(), 128 + 12);
        assert_eq!(&bytes[6..6 + header.len()], header.as_bytes());
        assert_eq!(bytes[127], b'\n');
    }

    #[test]
    fn are_versions_2_and_3_read() {
        let dictionary = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }";
        for major in [2, 3] {
            let size = (dictionary.len() as u32).to_le_bytes();
            let bytes = [MAGIC, [major, 0].as_slice(), &size, dictionary.as_bytes(), &[1, 0, 2, 0]].concat();
            let tensor = parse(&bytes).unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (DType::I16, [2].as_slice()));
        }
    }

    #[test]
    fn does_each_defect_have_its_own_message() {
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")
        };
        let message = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(message(b"\x7fELF"), r"it does not begin with the bytes `\x93NUMPY`");
        assert_eq!(message(b"\x93NUMPY\x09\x01"), "format version 9.1 is not known");
        assert_eq!(message(b"\x93NUMPY\x01\x00\x76\x00{'des"), "its header ends after 15 of 128 bytes");
        assert_eq!(message(&file("{'shape': ()}", &[])), "its header lacks a readable `descr`");
        let fortran = file(&header("'<f4'", "True", "(1,)"), &[0; 4]);
        assert_eq!(message(&fortran), "it is in Fortran order; save it with `numpy.ascontiguousarray`");
        let big_endian = file(&header("'>f4'", "False", "(1,)"), &[0; 4]);
        assert_eq!(message(&big_endian), "its element type `>f4` is not supported");
        let structured = file(&header("[('a', '<f4')]", "False", "(1,)"), &[0; 4]);
        assert_eq!(message(&structured), "its element type `[('a', '<f4')]` is not supported");
        let short = file(&header("'<f4'", "False", "(2, 3)"), &[0; 20]);
        assert_eq!(message(&short), "it has 20 bytes of data where its shape needs 24");
        let huge = file(&header("'<f4'", "False", "(4294967296,)"), &[]);
        assert_eq!(message(&huge), "its shape has a dimension beyond 32 bits");
        let shape = file(&header("'<f4'", "False", "(2, x)"), &[]);
        assert_eq!(message(&shape), "its header lacks a readable `shape`");
    }
}
