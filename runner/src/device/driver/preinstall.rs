//! The preinstall directory: where AICPU objects lie on the device, written by a server there. It is in memory.
//!
//! The real server creates one object per process (its `firstCreatSo_`): a second, different one is not written, and
//! nobody is told. So does this one if it is to be faithful.

use std::collections::BTreeMap;
use std::rc::Rc;

/// The directory.
#[derive(Debug)]
pub(in crate::device) struct Preinstall {
    faithful: bool,
    files: BTreeMap<String, Rc<[u8]>>,
    /// The object that this process created first.
    first: Option<String>,
}

/// What came of a request to write an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::device) enum Installed {
    /// It is there.
    Written,
    /// It is there, which a real server would not have done after writing this one.
    WrittenPastLatch {
        /// The object that was first.
        first: String,
    },
    /// Nothing happened, since this one was first.
    NotWritten {
        /// The object that was first.
        first: String,
    },
}

impl Preinstall {
    pub(super) fn new(faithful: bool) -> Self {
        Preinstall { faithful, files: BTreeMap::new(), first: None }
    }

    /// The name under which an object lies for a device: by its content, so that objects do not get into each other's way.
    pub(in crate::device) fn name_of(bytes: &[u8], device: u64) -> String {
        format!("simpler_inner_{:016x}_{device}.so", fingerprint(bytes))
    }

    /// The server is asked to write an object.
    pub(in crate::device) fn install(&mut self, name: &str, bytes: Vec<u8>) -> Installed {
        let first = self.first.get_or_insert_with(|| name.to_owned()).clone();
        if first != name && self.faithful {
            return Installed::NotWritten { first };
        }
        self.files.insert(name.to_owned(), bytes.into());
        if first == name { Installed::Written } else { Installed::WrittenPastLatch { first } }
    }

    pub(in crate::device) fn file(&self, name: &str) -> Option<Rc<[u8]>> {
        self.files.get(name).cloned()
    }

    /// The object that this process created first, which the server itself calls into.
    pub(in crate::device) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// What the bootstrap's structure on the device says: 160 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootstrapOrder {
    /// The dispatcher, which npusim's server plays itself: none, or an object.
    pub dispatcher: DeviceBytes,
    /// For which device.
    pub device: u64,
    /// The object that is to be written.
    pub inner: DeviceBytes,
}

/// Bytes in device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceBytes {
    /// Where they begin.
    pub address: u64,
    /// How many there are.
    pub length: u64,
}

impl DeviceBytes {
    /// Whether there are none, and are not said to be.
    pub(in crate::device) fn is_nothing(self) -> bool {
        self.address == 0 && self.length == 0
    }
}

impl BootstrapOrder {
    /// Its size.
    pub const BYTES: usize = 160;
    const DISPATCHER: usize = 96;
    const DEVICE: usize = 112;
    const INNER: usize = 120;

    pub(in crate::device) fn parse(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        let range = |at| DeviceBytes { address: word(at), length: word(at + 8) };
        BootstrapOrder { dispatcher: range(Self::DISPATCHER), device: word(Self::DEVICE), inner: range(Self::INNER) }
    }
}

/// What names an object on the device: FNV-1a of 64 bits, as the host runtime computes it, too.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_second_object_silently_not_written_by_a_faithful_server() {
        let mut directory = Preinstall::new(true);
        assert_eq!(directory.install("a.so", vec![1]), Installed::Written);
        assert_eq!(directory.install("b.so", vec![2]), Installed::NotWritten { first: "a.so".to_owned() });
        assert_eq!((directory.file("a.so").as_deref(), directory.file("b.so")), (Some(&[1][..]), None));
        assert_eq!(directory.install("a.so", vec![1]), Installed::Written, "the same again");
    }

    #[test]
    fn does_any_other_server_write_it_and_say_so() {
        let mut directory = Preinstall::new(false);
        directory.install("a.so", vec![1]);
        assert_eq!(directory.install("b.so", vec![2]), Installed::WrittenPastLatch { first: "a.so".to_owned() });
        assert_eq!(directory.file("b.so").as_deref(), Some(&[2][..]));
        assert_eq!(directory.first(), Some("a.so"));
    }

    #[test]
    fn where_is_what_in_the_bootstraps_structure() {
        let mut bytes = [0; BootstrapOrder::BYTES];
        for (at, value) in [(96, 1u64), (104, 2), (112, 3), (120, 4), (128, 5)] {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let order = BootstrapOrder::parse(&bytes);
        assert_eq!((order.dispatcher, order.device), (DeviceBytes { address: 1, length: 2 }, 3));
        assert_eq!(order.inner, DeviceBytes { address: 4, length: 5 });
        assert!(!order.inner.is_nothing());
    }

    #[test]
    fn what_is_the_name_of_an_object_of_a_device() {
        assert_eq!(Preinstall::name_of(b"code", 0), "simpler_inner_0bb51791194b4414_0.so");
    }
}
