//! Element types, with the codes of the runtime's interface.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// The type of a tensor's elements. The discriminant is the code that crosses the runtime's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum DType {
    /// 32-bit float.
    F32 = 0,
    /// 16-bit IEEE float.
    F16 = 1,
    /// Signed, 32 bits.
    I32 = 2,
    /// Signed, 16 bits.
    I16 = 3,
    /// Signed, 8 bits.
    I8 = 4,
    /// Unsigned, 8 bits.
    U8 = 5,
    /// The upper half of a 32-bit float.
    Bf16 = 6,
    /// Signed, 64 bits.
    I64 = 7,
    /// Unsigned, 64 bits.
    U64 = 8,
    /// Unsigned, 16 bits.
    U16 = 9,
    /// Unsigned, 32 bits.
    U32 = 10,
    /// One byte, 0 or 1.
    Bool = 11,
}

impl DType {
    /// Every type, in order of its code.
    pub const ALL: [DType; 12] = [
        DType::F32,
        DType::F16,
        DType::I32,
        DType::I16,
        DType::I8,
        DType::U8,
        DType::Bf16,
        DType::I64,
        DType::U64,
        DType::U16,
        DType::U32,
        DType::Bool,
    ];

    /// The code in the runtime's interface.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::Bf16 | DType::I16 | DType::U16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::I64 | DType::U64 => 8,
        }
    }

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::I16 => "i16",
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::Bf16 => "bf16",
            DType::I64 => "i64",
            DType::U64 => "u64",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::Bool => "bool",
        }
    }

    /// The smallest and the largest value of an integer type; `None` for floats.
    pub const fn integer_range(self) -> Option<(i128, i128)> {
        match self {
            DType::F32 | DType::F16 | DType::Bf16 => None,
            DType::I8 => Some((i8::MIN as i128, i8::MAX as i128)),
            DType::I16 => Some((i16::MIN as i128, i16::MAX as i128)),
            DType::I32 => Some((i32::MIN as i128, i32::MAX as i128)),
            DType::I64 => Some((i64::MIN as i128, i64::MAX as i128)),
            DType::U8 => Some((0, u8::MAX as i128)),
            DType::U16 => Some((0, u16::MAX as i128)),
            DType::U32 => Some((0, u32::MAX as i128)),
            DType::U64 => Some((0, u64::MAX as i128)),
            DType::Bool => Some((0, 1)),
        }
    }

    /// Writes a float as one element, rounded to nearest. The type must be a float.
    pub(super) fn encode_float(self, value: f64, element: &mut [u8]) {
        match self {
            DType::F32 => element.copy_from_slice(&(value as f32).to_le_bytes()),
            // By way of f32: from f64 the bits below the 20th of the fraction would not count.
            DType::F16 => element.copy_from_slice(&f16::from_f32(value as f32).to_le_bytes()),
            DType::Bf16 => element.copy_from_slice(&bf16::from_f32(value as f32).to_le_bytes()),
            _ => unreachable!("{} is not a float type", self.name()),
        }
    }

    /// Writes an integer, which has to be in range, as one element. The type must be an integer.
    pub(super) fn encode_integer(self, value: i128, element: &mut [u8]) {
        debug_assert!(self.integer_range().is_some_and(|(low, high)| low <= value && value <= high));
        element.copy_from_slice(&value.to_le_bytes()[..self.size()]);
    }

    /// Reads one element of a float type; `None` for integers.
    pub fn decode_float(self, element: &[u8]) -> Option<f64> {
        match (self, element) {
            (DType::F32, &[a, b, c, d]) => Some(f64::from(f32::from_le_bytes([a, b, c, d]))),
            (DType::F16, &[a, b]) => Some(f16::from_le_bytes([a, b]).to_f64()),
            (DType::Bf16, &[a, b]) => Some(bf16::from_le_bytes([a, b]).to_f64()),
            _ => None,
        }
    }

    /// Reads one element of an integer type; `None` for floats.
    pub fn decode_integer(self, element: &[u8]) -> Option<i128> {
        let (low, _) = self.integer_range()?;
        let sign_extends = low < 0 && element.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if sign_extends { 0xff } else { 0 }; 16];
        wide.get_mut(..self.size())?.copy_from_slice(element);
        Some(i128::from_le_bytes(wide))
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_codes_follow_the_runtimes_enumeration() {
        for (code, dtype) in DType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(dtype.code()), code, "{dtype}");
        }
        assert_eq!(DType::Bf16.code(), 6);
        assert_eq!(DType::Bool.code(), 11);
    }

    #[test]
    fn do_case_files_spell_types_as_they_are_shown() {
        for dtype in DType::ALL {
            assert_eq!(serde_json::to_value(dtype).unwrap(), dtype.name());
        }
    }

    #[test]
    fn does_every_integer_type_keep_its_extremes() {
        for dtype in DType::ALL {
            let Some((low, high)) = dtype.integer_range() else { continue };
            for value in [low, 0, 1, high] {
                let mut element = vec![0; dtype.size()];
                dtype.encode_integer(value, &mut element);
                assert_eq!(dtype.decode_integer(&element), Some(value), "{dtype}");
                assert_eq!(dtype.decode_float(&element), None);
            }
        }
    }

    #[test]
    fn do_short_floats_round_to_nearest() {
        let mut element = [0; 2];
        DType::F16.encode_float(1.0 + 1.0 / 2048.0 + 1e-6, &mut element);
        assert_eq!(element, 0x3c01_u16.to_le_bytes());
        assert_eq!(DType::F16.decode_float(&element), Some(1.0 + 1.0 / 1024.0));
        DType::Bf16.encode_float(3.140625, &mut element);
        assert_eq!(element, 0x4049_u16.to_le_bytes());
        assert_eq!(DType::Bf16.decode_float(&element), Some(3.140625));
    }
}
