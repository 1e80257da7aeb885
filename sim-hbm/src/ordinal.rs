//! Which device of this process lives where: no two live devices have the same ordinal.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::HbmError;

/// How many devices can live in one process at the same time.
pub const MAX_DEVICES: u32 = 32;

/// The ordinals in use, one bit each.
///
/// Process-wide because the address space is: two devices that knew nothing of each other would otherwise reserve the
/// same range.
static IN_USE: Mutex<Ordinals> = Mutex::new(Ordinals(0));

#[derive(Debug)]
struct Ordinals(u32);

impl Ordinals {
    /// Takes `wanted`, or the lowest free ordinal.
    fn take(&mut self, wanted: Option<u32>) -> Result<u32, HbmError> {
        let ordinal = wanted.unwrap_or(self.0.trailing_ones());
        match wanted {
            None if ordinal == MAX_DEVICES => return Err(HbmError::TooManyDevices { max: MAX_DEVICES }),
            Some(_) if ordinal >= MAX_DEVICES => return Err(HbmError::BadOrdinal { ordinal, max: MAX_DEVICES }),
            Some(_) if self.0 & (1 << ordinal) != 0 => return Err(HbmError::OrdinalInUse { ordinal }),
            _ => {}
        }
        self.0 |= 1 << ordinal;
        Ok(ordinal)
    }

    fn release(&mut self, ordinal: u32) {
        self.0 &= !(1 << ordinal);
    }
}

/// The right to a device ordinal; given back on drop.
#[derive(Debug)]
pub(crate) struct OrdinalLease(u32);

impl OrdinalLease {
    /// Leases `wanted`, or the lowest free ordinal.
    pub(crate) fn take(wanted: Option<u32>) -> Result<Self, HbmError> {
        in_use().take(wanted).map(OrdinalLease)
    }

    pub(crate) fn ordinal(&self) -> u32 {
        self.0
    }
}

impl Drop for OrdinalLease {
    fn drop(&mut self) {
        in_use().release(self.0);
    }
}

/// A panic elsewhere cannot leave the bits half changed, so a poisoned lock is as good as a sound one.
fn in_use() -> MutexGuard<'static, Ordinals> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_device_get_the_lowest_free_ordinal() {
        let mut ordinals = Ordinals(0);
        assert_eq!([None, None, Some(3), None].map(|wanted| ordinals.take(wanted).unwrap()), [0, 1, 3, 2]);
        ordinals.release(1);
        assert_eq!(ordinals.take(None).unwrap(), 1);
        assert_eq!(ordinals.take(None).unwrap(), 4);
    }

    #[test]
    fn is_an_ordinal_that_cannot_be_had_refused() {
        let mut ordinals = Ordinals(0);
        ordinals.take(Some(31)).unwrap();
        let errors = [Some(31), Some(32)].map(|wanted| ordinals.take(wanted).unwrap_err().to_string());
        assert_eq!(
            errors,
            [
                "device ordinal 31 is in use by another live device of this process; drop that one first",
                "device ordinal 32 does not exist: ordinals are below 32",
            ]
        );
        for _ in 0..31 {
            ordinals.take(None).unwrap();
        }
        assert_eq!(
            ordinals.take(None).unwrap_err().to_string(),
            "all 32 device ordinals of this process are in use; drop a device first"
        );
    }
}
