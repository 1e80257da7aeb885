//! How the object of a callable gets to the device, and what that costs.
//!
//! The runtime structure is copied to the device for each run anyway, so what travels inside it costs its bytes and no
//! latency of its own, but again for each run. An allocation of its own costs a whole copy, once.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sim_core::time::SimDuration;
use sim_core::trace::CopyDirection;

use crate::dma::{HostLink, HostMemory};

/// The buffer for an object inside a runtime structure of fixed layout.
pub const FIXED_BUFFER: u64 = 4 << 20;

/// Where the object of a callable is on its way to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectTransfer {
    /// In a buffer of 4 MiB inside the runtime structure, which is copied as a whole.
    FixedBuffer,
    /// At the end of the runtime structure, as long as it is.
    RightSized,
    /// In an allocation of its own; the runtime structure has the pointer.
    #[default]
    Separate,
}

/// What a transfer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransferCost {
    /// Once, when the callable is registered.
    #[serde(rename = "registration_ps")]
    pub registration: SimDuration,
    /// For each run.
    #[serde(rename = "run_ps")]
    pub run: SimDuration,
}

/// an object of {size} bytes does not fit into the buffer of 4 MiB inside the runtime structure; give it an allocation of
/// its own
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct TooLarge {
    /// The size of the object.
    pub size: u64,
}

impl ObjectTransfer {
    /// Every way.
    pub const ALL: [ObjectTransfer; 3] =
        [ObjectTransfer::FixedBuffer, ObjectTransfer::RightSized, ObjectTransfer::Separate];

    /// What it costs for an object of `size` bytes.
    pub fn cost(self, link: &HostLink, size: u64) -> Result<TransferCost, TooLarge> {
        let more = |bytes| SimDuration::of_transfer(bytes, link.to_device_bandwidth);
        self.check(size)?;
        match self {
            ObjectTransfer::FixedBuffer => Ok(TransferCost { run: more(FIXED_BUFFER), ..TransferCost::default() }),
            ObjectTransfer::RightSized => Ok(TransferCost { run: more(size), ..TransferCost::default() }),
            ObjectTransfer::Separate => {
                let registration = link.cost(CopyDirection::ToDevice, size, HostMemory::Pageable);
                Ok(TransferCost { registration, run: more(size_of::<u64>() as u64) })
            }
        }
    }

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            ObjectTransfer::FixedBuffer => "fixed-buffer",
            ObjectTransfer::RightSized => "right-sized",
            ObjectTransfer::Separate => "separate",
        }
    }

    /// Refuses an object that cannot go this way.
    pub fn check(self, size: u64) -> Result<(), TooLarge> {
        if self == ObjectTransfer::FixedBuffer && size > FIXED_BUFFER { Err(TooLarge { size }) } else { Ok(()) }
    }
}

impl fmt::Display for ObjectTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `{name}` is no way to the device, did you mean `{nearest}`? There are {known}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownTransfer {
    /// What was written.
    pub name: String,
    /// The nearest that there is.
    pub nearest: &'static str,
    /// All of them.
    pub known: String,
}

impl FromStr for ObjectTransfer {
    type Err = UnknownTransfer;

    fn from_str(name: &str) -> Result<Self, UnknownTransfer> {
        if let Some(transfer) = ObjectTransfer::ALL.into_iter().find(|transfer| transfer.name() == name) {
            return Ok(transfer);
        }
        let names = ObjectTransfer::ALL.map(ObjectTransfer::name);
        let nearest = names.into_iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
        let known = names.join(", ");
        Err(UnknownTransfer { name: name.to_owned(), nearest: nearest.unwrap_or_default(), known })
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::{Arch, Profile};

    use super::*;

    fn picoseconds(transfer: ObjectTransfer, size: u64) -> Result<[u64; 2], TooLarge> {
        let link = HostLink::of(&Profile::load(Arch::A2a3).unwrap());
        transfer.cost(&link, size).map(|cost| [cost.registration.as_ps(), cost.run.as_ps()])
    }

    #[test]
    fn what_does_an_object_of_100_kb_cost_each_way() {
        // 36 us and 7.8 GB/s.
        assert_eq!(picoseconds(ObjectTransfer::FixedBuffer, 100_000), Ok([0, 537_731_283]));
        assert_eq!(picoseconds(ObjectTransfer::RightSized, 100_000), Ok([0, 12_820_513]));
        assert_eq!(picoseconds(ObjectTransfer::Separate, 100_000), Ok([48_820_513, 1_026]));
    }

    #[test]
    fn is_an_object_that_does_not_fit_refused() {
        assert!(picoseconds(ObjectTransfer::FixedBuffer, FIXED_BUFFER).is_ok());
        let error = picoseconds(ObjectTransfer::FixedBuffer, FIXED_BUFFER + 1).unwrap_err().to_string();
        assert!(error.starts_with("an object of 4194305 bytes does not fit into the buffer of 4 MiB"), "{error}");
        assert!(picoseconds(ObjectTransfer::Separate, FIXED_BUFFER + 1).is_ok());
    }
}
