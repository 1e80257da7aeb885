//! What a kernel moves between device memory and its core.

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From device memory.
    Read,
    /// To device memory.
    Write,
}

/// Bytes that a kernel moves: rows at even distances, or one row if they are contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which way.
    pub direction: Direction,
    /// Device address of the first row.
    pub address: u64,
    /// How many rows.
    pub rows: u64,
    /// Bytes in each.
    pub row_bytes: u64,
    /// From one row to the next.
    pub row_stride: u64,
    /// Rows become fractals on the way.
    pub nd2nz: bool,
}

/// Rows of device memory come in blocks of so many bytes: one that begins elsewhere takes longer.
const ROW_ALIGNMENT: u64 = 32;

impl Transfer {
    /// One contiguous piece of memory.
    pub fn contiguous(direction: Direction, address: u64, bytes: u64) -> Transfer {
        Transfer { direction, address, rows: 1, row_bytes: bytes, row_stride: bytes, nd2nz: false }
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.rows.saturating_mul(self.row_bytes)
    }

    /// Whether rows begin off a block of memory.
    pub fn is_misaligned(&self) -> bool {
        !self.address.is_multiple_of(ROW_ALIGNMENT) || (self.rows > 1 && !self.row_stride.is_multiple_of(ROW_ALIGNMENT))
    }
}

/// What a kernel's transfers ask of the memory. Bytes that take longer than others count as more of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that come from the HBM.
    pub hbm_read: u64,
    /// Bytes that go to it.
    pub hbm_written: u64,
    /// Bytes that the L2 has.
    pub l2_hits: u64,
    /// What it reads in rows so short that others who read the same stand in its way.
    pub short_rows: Option<ShortRows>,
}

/// A part of memory that a kernel reads in rows which do not fill lines of the L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortRows {
    /// What it begins with: those who begin with the same are in step.
    pub first: u64,
    /// The least address.
    pub begin: u64,
    /// Behind the last row.
    pub end: u64,
    /// Rows become fractals on the way.
    pub nd2nz: bool,
}

impl ShortRows {
    /// Those of a transfer.
    pub fn of(transfer: &Transfer) -> ShortRows {
        let Transfer { address, rows, row_stride, nd2nz, .. } = *transfer;
        ShortRows {
            first: address,
            begin: address,
            end: address.saturating_add(rows.saturating_mul(row_stride)),
            nd2nz,
        }
    }

    /// These and, later, others.
    #[must_use]
    pub fn with(self, others: ShortRows) -> ShortRows {
        ShortRows { begin: self.begin.min(others.begin), end: self.end.max(others.end), ..self }
    }

    /// Whether both read something that the other reads, in the same way.
    pub fn meets(&self, other: &ShortRows) -> bool {
        self.nd2nz == other.nd2nz && self.begin < other.end && other.begin < self.end
    }
}

impl Traffic {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.hbm_read.saturating_add(self.hbm_written).saturating_add(self.l2_hits)
    }

    /// The traffic of a kernel that moves so many bytes of the tensors whose traffic this is. What it reads more than
    /// once comes from the L2 from the second time on; where it reads or writes a part only, the part is as the whole.
    #[must_use]
    pub fn of_moved(self, read: u64, written: u64) -> Traffic {
        let tensors = self.hbm_read.saturating_add(self.l2_hits);
        let part = |bytes: u64| {
            let bytes = u128::from(bytes) * u128::from(read.min(tensors)) / u128::from(tensors.max(1));
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let hbm_read = if tensors == 0 { read } else { part(self.hbm_read) };
        Traffic { hbm_read, l2_hits: read - hbm_read, hbm_written: written, ..self }
    }

    /// The same where bytes that are `wanted` (read, written) cost the memory as many as `moved` (read from the HBM,
    /// read from the L2, written).
    #[must_use]
    pub fn with_penalties(self, wanted: (u64, u64), moved: (u64, u64, u64)) -> Traffic {
        let longer = |bytes: u64, wanted: u64, moved: u64| {
            let bytes = u128::from(bytes) * u128::from(moved) / u128::from(wanted.max(1));
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        Traffic {
            hbm_read: longer(self.hbm_read, wanted.0, moved.0),
            l2_hits: longer(self.l2_hits, wanted.0, moved.1),
            hbm_written: longer(self.hbm_written, wanted.1, moved.2),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_a_kernel_move_that_reads_its_tensors_twice_or_in_part() {
        let tensors = Traffic { hbm_read: 600, l2_hits: 200, hbm_written: 100, short_rows: None };
        let moved = |read, written| {
            let Traffic { hbm_read, l2_hits, hbm_written, .. } = tensors.of_moved(read, written);
            [hbm_read, l2_hits, hbm_written]
        };
        assert_eq!(moved(800, 100), [600, 200, 100]);
        assert_eq!(moved(1600, 300), [600, 1000, 300]);
        assert_eq!(moved(400, 0), [300, 100, 0]);
        assert_eq!(Traffic::default().of_moved(50, 5).hbm_read, 50);
    }

    #[test]
    fn what_do_rows_cost_that_take_more_than_their_bytes() {
        let wanted = Traffic { hbm_read: 600, l2_hits: 200, hbm_written: 100, short_rows: None };
        let cost = Traffic { hbm_read: 1200, l2_hits: 300, hbm_written: 110, short_rows: None };
        assert_eq!(wanted.with_penalties((800, 100), (1600, 1200, 110)), cost);
    }

    #[test]
    fn who_reads_what_others_read() {
        let rows = |address, nd2nz| {
            ShortRows::of(&Transfer {
                direction: Direction::Read,
                address,
                rows: 4,
                row_bytes: 128,
                row_stride: 1024,
                nd2nz,
            })
        };
        let first = rows(0x1000, false);
        assert!(first.meets(&rows(0x1c00, false)) && !first.meets(&rows(0x2000, false)));
        assert!(!first.meets(&rows(0x1000, true)));
        let both = rows(0x4000, false).with(first);
        assert_eq!((both.first, both.begin, both.end), (0x4000, 0x1000, 0x5000));
    }

    #[test]
    fn which_rows_begin_off_a_block() {
        let rows = |address, row_stride| Transfer {
            direction: Direction::Read,
            address,
            rows: 64,
            row_bytes: 2048,
            row_stride,
            nd2nz: false,
        };
        assert!(!rows(0x1000, 24_576).is_misaligned());
        assert!(rows(0x1000, 24_574).is_misaligned());
        assert!(rows(0x1002, 24_576).is_misaligned());
        assert!(!Transfer::contiguous(Direction::Write, 0x20, 7).is_misaligned());
    }
}
