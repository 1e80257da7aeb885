//! What requests of a host say in bytes that nobody has checked: arguments of launches, structures in device memory, and
//! lists of functions.
//!
//! Nothing here follows a pointer; whatever the bytes are, reading them ends with an answer or an error.

use sim_core::shim::Launch;

use super::cpu_objects::parse_list;
use super::error::DriverError;
pub use super::preinstall::{BootstrapOrder, DeviceBytes};

/// Bytes of a name in the arguments, with its final zero.
const NAME_BYTES: usize = 32;
/// Where the arguments of the server's initialisation name its structure.
const ORDER_OFFSET: usize = 40;
/// The most bytes that an object may have; more is nonsense.
pub(in crate::device) const MOST_OBJECT_BYTES: u64 = 1 << 30;

/// The 8 bytes at `offset`.
fn word(arguments: &[u8], offset: usize) -> Option<u64> {
    let bytes = arguments.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// A name in the arguments. One that fills its place has lost its end, so it is none.
pub fn name_at(arguments: &[u8], offset: u32, what: &str) -> Result<String, DriverError> {
    let begin = offset as usize;
    let place = begin.checked_add(NAME_BYTES).and_then(|end| arguments.get(begin..end)).ok_or_else(|| {
        DriverError::invalid(format!("{what} at {offset} does not lie in the {} bytes of arguments", arguments.len()))
    })?;
    match place.iter().position(|byte| *byte == 0) {
        Some(0) => Err(DriverError::invalid(format!("{what} is empty"))),
        Some(length) => Ok(String::from_utf8_lossy(&place[..length]).into_owned()),
        None => Err(DriverError::invalid(format!(
            "{what} `{}...` has no end within its {NAME_BYTES} bytes: a name has {} at most",
            String::from_utf8_lossy(place),
            NAME_BYTES - 1
        ))),
    }
}

/// What the executor finds in its arguments: the runtime's structure, then what profiling needs.
pub fn core_launch(arguments: &[u8], block_dim: u32) -> Result<Launch, DriverError> {
    let too_few = || DriverError::invalid("the arguments do not begin with the address of the runtime's structure");
    let runtime = word(arguments, 0).ok_or_else(too_few)?;
    Ok(Launch {
        aicpu_entry: 0,
        aicore_entry: 0,
        runtime,
        aicpu_threads: 0,
        block_dim,
        profiling_flags: word(arguments, 16).unwrap_or(0) as u32,
        reserved: 0,
        rotation_table: word(arguments, 8).unwrap_or(0),
    })
}

/// Where the server's structure is, as the arguments of its initialisation say.
pub fn order_at(arguments: &[u8]) -> Option<u64> {
    word(arguments, ORDER_OFFSET)
}

/// The structure of the server's initialisation: where the object is that it is to write, and its size. An error is why
/// there cannot be one.
pub fn object_to_write(order: &[u8; BootstrapOrder::BYTES]) -> Result<BootstrapOrder, String> {
    let order = BootstrapOrder::parse(order);
    let inner = order.inner;
    if inner.address == 0 || inner.length == 0 || inner.length > MOST_OBJECT_BYTES {
        return Err(format!("the object to be written has {} bytes at {:#x}", inner.length, inner.address));
    }
    Ok(order)
}

/// How many functions a list names.
pub fn count_listed(path: &str, text: &[u8]) -> Result<usize, DriverError> {
    parse_list(path, text).map(|functions| functions.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_an_object_to_be_written_of_a_size_that_cannot_be_refused_before_there_is_a_copy() {
        let order = |address: u64, length: u64| {
            let mut bytes = [0; BootstrapOrder::BYTES];
            bytes[120..128].copy_from_slice(&address.to_le_bytes());
            bytes[128..136].copy_from_slice(&length.to_le_bytes());
            object_to_write(&bytes).map(|order| order.inner.length)
        };
        assert_eq!(order(64, 1 << 30), Ok(1 << 30));
        assert_eq!(
            order(64, 32 << 30),
            Err("the object to be written has 34359738368 bytes at 0x40".to_owned()),
            "a block of device memory may be that large"
        );
        assert_eq!(order(0, 8), Err("the object to be written has 8 bytes at 0x0".to_owned()));
    }

    #[test]
    fn what_is_a_name_in_the_arguments() {
        let mut arguments = [b'x'; 64];
        let name = |arguments: &[u8], offset| name_at(arguments, offset, "so_name").map_err(|error| error.to_string());
        arguments[40] = 0;
        assert_eq!(name(&arguments, 32), Ok("xxxxxxxx".to_owned()));
        assert_eq!(name(&arguments, 40), Err("so_name at 40 does not lie in the 64 bytes of arguments".to_owned()));
        assert_eq!(name(&arguments, u32::MAX).map_err(|text| text.contains("does not lie")), Err(true));
        arguments[32] = 0;
        assert_eq!(name(&arguments, 32), Err("so_name is empty".to_owned()));
    }
}
