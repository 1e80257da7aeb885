//! Numbers of bytes as people read them.

use std::fmt;

use serde::Serialize;

/// A number of bytes. Shown in the largest binary unit that leaves a whole number, so that nothing is rounded away:
/// `64 GiB`, `1000 B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) = match self.0.trailing_zeros() {
            _ if self.0 == 0 => ("B", 0),
            30.. => ("GiB", 30),
            20.. => ("MiB", 20),
            10.. => ("KiB", 10),
            _ => ("B", 0),
        };
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_size_shown_exactly_in_the_largest_unit() {
        let shown = [0, 1000, 1024, 1536, 3 << 20, 144 << 30].map(|bytes| ByteSize(bytes).to_string());
        assert_eq!(shown, ["0 B", "1000 B", "1 KiB", "1536 B", "3 MiB", "144 GiB"]);
    }
}
