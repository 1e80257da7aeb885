//! The DMA engine between the host and a device's memory.

use serde::Serialize;
use sim_core::profile::Profile;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::CopyDirection;

use crate::device_ptr::DevicePtr;
use crate::error::{AccessKind, HbmError};
use crate::hbm::Hbm;

/// What transfers between host and device cost: a latency each, and a bandwidth in bytes per second.
///
/// At a bandwidth of zero nothing ever arrives: the cost is [`SimDuration::FOREVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HostLink {
    /// Latency of a copy to the device.
    pub to_device_latency: SimDuration,
    /// Bandwidth of a copy to the device.
    pub to_device_bandwidth: u64,
    /// Latency of a copy from the device.
    pub from_device_latency: SimDuration,
    /// Bandwidth of a copy from the device.
    pub from_device_bandwidth: u64,
    /// Latency of a memset on the device.
    pub memset_latency: SimDuration,
    /// Bandwidth of a memset on the device.
    pub memset_bandwidth: u64,
    /// Bandwidth of a copy, either way, whose host memory is pinned.
    pub pinned_bandwidth: u64,
}

/// What host memory is like, for a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMemory {
    /// The host may move it: a copy goes through a buffer of the driver.
    Pageable,
    /// The device has mapped it.
    Pinned,
}

impl HostLink {
    /// That of a generation.
    pub fn of(profile: &Profile) -> Self {
        let link = &profile.host_link;
        HostLink {
            to_device_latency: *link.to_device_latency,
            to_device_bandwidth: link.to_device_bandwidth.as_bytes_per_s(),
            from_device_latency: *link.from_device_latency,
            from_device_bandwidth: link.from_device_bandwidth.as_bytes_per_s(),
            memset_latency: *link.memset_latency,
            memset_bandwidth: link.memset_bandwidth.as_bytes_per_s(),
            pinned_bandwidth: link.pinned_bandwidth.as_bytes_per_s(),
        }
    }
}

/// A transfer.
#[derive(Debug)]
pub enum DmaRequest<'a> {
    /// Copy from the host to the device.
    ToDevice {
        /// Where to.
        to: DevicePtr,
        /// What.
        from: &'a [u8],
    },
    /// Copy from the device to the host.
    FromDevice {
        /// Where to; its length says how many bytes.
        to: &'a mut [u8],
        /// Where from.
        from: DevicePtr,
    },
    /// A copy whose bytes nobody looks at: it is checked, and takes its time.
    Unseen {
        /// Which way: to or from the device.
        direction: CopyDirection,
        /// Where on the device.
        at: DevicePtr,
        /// How many bytes.
        length: u64,
    },
    /// Set memory of the device to one byte.
    Memset {
        /// Where.
        at: DevicePtr,
        /// To which byte.
        value: u8,
        /// How many bytes.
        length: u64,
    },
}

/// When the engine works on a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// When it begins.
    pub start: SimTime,
    /// When the last byte has arrived.
    pub end: SimTime,
}

/// What an engine has moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DmaTotals {
    /// Copies to the device.
    pub to_device: DirectionTotals,
    /// Copies from the device.
    pub from_device: DirectionTotals,
    /// Memsets.
    pub memset: DirectionTotals,
}

/// The part of one direction in an engine's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DirectionTotals {
    /// Transfers.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// How long the engine worked on them, in picoseconds.
    #[serde(rename = "busy_ps")]
    pub busy: SimDuration,
}

/// One DMA engine: it works on one transfer at a time, in the order in which they are submitted.
///
/// The bytes are moved at once, on submission; the virtual times say when that happens on the device. The caller keeps
/// the two together by letting nobody look before [`Completion::end`].
#[derive(Debug)]
pub struct DmaEngine {
    link: HostLink,
    free_from: SimTime,
    totals: DmaTotals,
}

impl HostLink {
    /// What a transfer of `bytes` costs: the latency, then the bytes at the bandwidth.
    pub fn cost(&self, direction: CopyDirection, bytes: u64, host: HostMemory) -> SimDuration {
        let (latency, pageable) = match direction {
            CopyDirection::ToDevice => (self.to_device_latency, self.to_device_bandwidth),
            CopyDirection::FromDevice => (self.from_device_latency, self.from_device_bandwidth),
            CopyDirection::Memset => (self.memset_latency, self.memset_bandwidth),
        };
        let bandwidth = match (direction, host) {
            (CopyDirection::ToDevice | CopyDirection::FromDevice, HostMemory::Pinned) => self.pinned_bandwidth,
            (_, HostMemory::Pageable) | (CopyDirection::Memset, HostMemory::Pinned) => pageable,
        };
        latency + SimDuration::of_transfer(bytes, bandwidth)
    }
}

impl DmaRequest<'_> {
    /// Which way the bytes go.
    pub fn direction(&self) -> CopyDirection {
        match self {
            DmaRequest::ToDevice { .. } => CopyDirection::ToDevice,
            DmaRequest::FromDevice { .. } => CopyDirection::FromDevice,
            DmaRequest::Unseen { direction, .. } => *direction,
            DmaRequest::Memset { .. } => CopyDirection::Memset,
        }
    }

    /// Where on the device bytes are written, if they are.
    pub fn written(&self) -> Option<DevicePtr> {
        match self {
            DmaRequest::ToDevice { to: at, .. } | DmaRequest::Memset { at, .. } => Some(*at),
            DmaRequest::Unseen { .. } | DmaRequest::FromDevice { .. } => None,
        }
    }

    /// How many bytes go.
    pub fn bytes(&self) -> u64 {
        match self {
            DmaRequest::ToDevice { from, .. } => from.len() as u64,
            DmaRequest::FromDevice { to, .. } => to.len() as u64,
            DmaRequest::Unseen { length, .. } => *length,
            DmaRequest::Memset { length, .. } => *length,
        }
    }
}

impl Completion {
    /// How long the engine works on the transfer.
    pub fn cost(&self) -> SimDuration {
        self.end.since(self.start)
    }
}

impl DmaTotals {
    /// The part of one direction.
    pub fn of(&self, direction: CopyDirection) -> &DirectionTotals {
        match direction {
            CopyDirection::ToDevice => &self.to_device,
            CopyDirection::FromDevice => &self.from_device,
            CopyDirection::Memset => &self.memset,
        }
    }

    fn of_mut(&mut self, direction: CopyDirection) -> &mut DirectionTotals {
        match direction {
            CopyDirection::ToDevice => &mut self.to_device,
            CopyDirection::FromDevice => &mut self.from_device,
            CopyDirection::Memset => &mut self.memset,
        }
    }
}

impl DmaEngine {
    /// An idle engine at the end of `link`.
    pub fn new(link: HostLink) -> Self {
        DmaEngine { link, free_from: SimTime::ZERO, totals: DmaTotals::default() }
    }

    /// Performs `request` on `hbm`, submitted at `now`, and says when. It begins when the transfers before it have
    /// ended. A request that is refused moves nothing, takes no time and does not count.
    pub fn submit(&mut self, hbm: &mut Hbm, now: SimTime, request: DmaRequest<'_>) -> Result<Completion, HbmError> {
        self.submit_from(HostMemory::Pageable, hbm, now, request)
    }

    /// The same for host memory of this kind.
    pub fn submit_from(
        &mut self,
        host: HostMemory,
        hbm: &mut Hbm,
        now: SimTime,
        request: DmaRequest<'_>,
    ) -> Result<Completion, HbmError> {
        let (direction, bytes) = (request.direction(), request.bytes());
        match request {
            DmaRequest::ToDevice { to, from } => hbm.copy_in(AccessKind::CopyToDevice, to, from)?,
            DmaRequest::FromDevice { to, from } => hbm.copy_out(AccessKind::CopyFromDevice, from, to)?,
            DmaRequest::Unseen { at, length, .. } => hbm.check_range(at, length)?,
            DmaRequest::Memset { at, value, length } => hbm.set(at, value, length)?,
        }
        let cost = self.link.cost(direction, bytes, host);
        let start = now.max(self.free_from);
        let end = start + cost;
        self.free_from = end;
        let totals = self.totals.of_mut(direction);
        totals.count += 1;
        totals.bytes += bytes;
        totals.busy += cost;
        Ok(Completion { start, end })
    }

    /// When the engine has finished all that was submitted.
    pub fn free_from(&self) -> SimTime {
        self.free_from
    }

    /// What transfers cost.
    pub fn link(&self) -> &HostLink {
        &self.link
    }

    /// What was moved so far.
    pub fn totals(&self) -> &DmaTotals {
        &self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill::FillPolicy;
    use crate::hbm::HbmConfig;

    fn link() -> HostLink {
        HostLink {
            to_device_latency: SimDuration::from_us(36),
            to_device_bandwidth: 8_000_000_000,
            from_device_latency: SimDuration::from_us(10),
            from_device_bandwidth: 4_000_000_000,
            memset_latency: SimDuration::from_us(5),
            memset_bandwidth: 1_000_000_000_000,
            pinned_bandwidth: 20_000_000_000,
        }
    }

    fn device(ordinal: u32) -> Hbm {
        let fill = FillPolicy::Poison;
        Hbm::new(HbmConfig { capacity: 1 << 30, alignment: 512, fill, ordinal: Some(ordinal) }).unwrap()
    }

    fn times(completion: Completion) -> (u64, u64) {
        (completion.start.as_ns(), completion.end.as_ns())
    }

    #[test]
    fn do_transfers_move_the_bytes_one_after_the_other() {
        let (mut hbm, mut dma) = (device(20), DmaEngine::new(link()));
        let at = hbm.allocate(8000, "tensor a").unwrap();
        let mut back = [0; 4000];
        let upload = DmaRequest::ToDevice { to: at, from: &[7; 8000] };
        assert_eq!(times(dma.submit(&mut hbm, SimTime::from_ns(100), upload).unwrap()), (100, 37_100));
        let memset = DmaRequest::Memset { at, value: 9, length: 1000 };
        assert_eq!(times(dma.submit(&mut hbm, SimTime::from_ns(200), memset).unwrap()), (37_100, 42_101));
        let download = DmaRequest::FromDevice { to: &mut back, from: at };
        assert_eq!(times(dma.submit(&mut hbm, SimTime::from_ns(50_000), download).unwrap()), (50_000, 61_000));
        assert_eq!((&back[..1000], &back[1000..]), (&[9; 1000][..], &[7; 3000][..]));
        assert_eq!(dma.free_from(), SimTime::from_ns(61_000));
        insta::assert_json_snapshot!(dma.totals(), @r#"
        {
          "to_device": {
            "count": 1,
            "bytes": 8000,
            "busy_ps": 37000000
          },
          "from_device": {
            "count": 1,
            "bytes": 4000,
            "busy_ps": 11000000
          },
          "memset": {
            "count": 1,
            "bytes": 1000,
            "busy_ps": 5001000
          }
        }
        "#);
    }

    #[test]
    fn does_a_copy_that_nobody_sees_take_its_time_and_move_nothing() {
        let (mut hbm, mut dma) = (device(24), DmaEngine::new(link()));
        let at = hbm.allocate(8000, "tensor a").unwrap();
        hbm.write(at, &[7; 8000]).unwrap();
        let unseen = |direction, length| DmaRequest::Unseen { direction, at, length };
        let upload = dma.submit(&mut hbm, SimTime::ZERO, unseen(CopyDirection::ToDevice, 8000)).unwrap();
        assert_eq!(times(upload), (0, 37_000));
        let download = dma.submit(&mut hbm, SimTime::ZERO, unseen(CopyDirection::FromDevice, 4000)).unwrap();
        assert_eq!(times(download), (37_000, 48_000));
        let mut after = [0; 8000];
        hbm.read(at, &mut after).unwrap();
        assert_eq!(after, [7; 8000]);
        assert!(dma.submit(&mut hbm, SimTime::ZERO, unseen(CopyDirection::ToDevice, 1 << 30)).is_err());
    }

    #[test]
    fn does_a_transfer_of_nothing_cost_the_latency() {
        let cost = |direction, bytes| link().cost(direction, bytes, HostMemory::Pageable);
        assert_eq!(cost(CopyDirection::ToDevice, 0), SimDuration::from_us(36));
        assert_eq!(cost(CopyDirection::FromDevice, 1), SimDuration::from_ps(10_000_250));
        let pinned = |direction| link().cost(direction, 20_000, HostMemory::Pinned);
        assert_eq!(pinned(CopyDirection::ToDevice), SimDuration::from_us(37));
        assert_eq!(pinned(CopyDirection::Memset), cost(CopyDirection::Memset, 20_000));
        let (mut hbm, mut dma) = (device(21), DmaEngine::new(link()));
        let nothing = DmaRequest::ToDevice { to: DevicePtr::NULL, from: &[] };
        assert_eq!(dma.submit(&mut hbm, SimTime::ZERO, nothing).unwrap().cost(), SimDuration::from_us(36));
    }

    #[test]
    fn does_a_transfer_over_a_dead_link_never_end() {
        let dead = HostLink { to_device_bandwidth: 0, ..link() };
        assert_eq!(dead.cost(CopyDirection::ToDevice, 1, HostMemory::Pageable), SimDuration::FOREVER);
    }

    #[test]
    fn does_a_refused_transfer_change_nothing() {
        let (mut hbm, mut dma) = (device(22), DmaEngine::new(link()));
        let at = hbm.allocate(1000, "tensor a").unwrap();
        let mut back = [7; 1001];
        let requests = [
            DmaRequest::ToDevice { to: at, from: &[1; 1001] },
            DmaRequest::FromDevice { to: &mut back, from: at },
            DmaRequest::Memset { at, value: 1, length: 1001 },
        ];
        let errors = requests.map(|request| dma.submit(&mut hbm, SimTime::ZERO, request).unwrap_err().to_string());
        let block = "of 1001 B at 0x360000000000 ends 1 B past the end of block #0 at 0x360000000000 (1000 B of \
                     `tensor a`)";
        assert_eq!(
            errors,
            ["copy to device", "copy from device", "memset"].map(|kind| format!("out of range: {kind} {block}"))
        );
        assert_eq!((dma.free_from(), *dma.totals()), (SimTime::ZERO, DmaTotals::default()));
        let mut first = [0; 4];
        hbm.read(at, &mut first).unwrap();
        assert_eq!((first, back), ([0xef, 0xbe, 0xad, 0xde], [7; 1001]));
    }
}
