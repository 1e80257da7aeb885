//! What calls of the driver cost the host.

use sim_core::profile::Profile;
use sim_core::time::SimDuration;
use sim_core::trace::CopyDirection;
use sim_hbm::{HostLink, HostMemory};

use super::super::measure::HostCall;
use super::{Answer, Quantity};

/// What the call costs.
pub(super) fn predict(profile: &Profile, call: HostCall) -> Answer {
    let link = HostLink::of(profile);
    let driver = &profile.driver;
    let cold = |bytes| *driver.malloc + driver.first_touch_bandwidth.time_for(bytes);
    let warm = |bytes| *driver.malloc + driver.warm_bandwidth.time_for(bytes);
    let pageable = |direction, bytes| link.cost(direction, bytes, HostMemory::Pageable);
    let took = |time: SimDuration| Ok(Quantity::Time(time));
    match call {
        HostCall::ToDevice { bytes, copies } => {
            let each = pageable(CopyDirection::ToDevice, bytes / copies.max(1));
            Ok(Quantity::Transfer { bytes, time: each * copies })
        }
        HostCall::ToDevicePinned { bytes } => {
            Ok(Quantity::Transfer { bytes, time: link.cost(CopyDirection::ToDevice, bytes, HostMemory::Pinned) })
        }
        HostCall::FromDevice { bytes } => {
            Ok(Quantity::Transfer { bytes, time: pageable(CopyDirection::FromDevice, bytes) })
        }
        HostCall::AllocateCold { bytes } => took(cold(bytes)),
        HostCall::AllocateWarm { bytes } => took(warm(bytes)),
        HostCall::AllocateAndFill { bytes } => took(cold(bytes) + pageable(CopyDirection::Memset, bytes)),
        HostCall::AllocateAndCopy { bytes } => took(warm(bytes) + pageable(CopyDirection::ToDevice, bytes)),
        HostCall::StreamCreate => took(*driver.stream_create),
        HostCall::StreamDestroy => took(*driver.stream_destroy),
        HostCall::LaunchAndWait => took(*profile.host_link.launch + *profile.host_link.completion),
        HostCall::LoadModule { late: false } => took(*driver.module_load),
        HostCall::LoadModule { late: true } => took(*driver.late_module_load),
        HostCall::Bootstrap => took(*driver.bootstrap),
        HostCall::Reset => took(*driver.device_reset),
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    #[test]
    fn what_do_copies_and_allocations_cost() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let spent = |call| match predict(&profile, call) {
            Ok(Quantity::Time(time) | Quantity::Transfer { time, .. }) => time,
            other => panic!("{call:?}: {other:?}"),
        };
        let time = |call| spent(call).as_ns();
        assert_eq!(time(HostCall::LaunchAndWait), 20_000);
        assert_eq!(time(HostCall::StreamCreate), 300_000);
        // 2 GiB at 21.96 GB/s, and a call of 7.5 us.
        assert_eq!(time(HostCall::AllocateCold { bytes: 2 << 30 }), 97_798_194);
        let copies = [1, 2].map(|copies| spent(HostCall::ToDevice { bytes: 4096, copies }));
        // The time of each copy is rounded up by itself.
        assert_eq!(copies[1] - copies[0], *profile.host_link.to_device_latency + SimDuration::from_ps(1));
        let parts = [HostCall::AllocateCold { bytes: 4096 }, HostCall::AllocateAndFill { bytes: 4096 }].map(spent);
        assert_eq!(parts[1] - parts[0], HostLink::of(&profile).cost(CopyDirection::Memset, 4096, HostMemory::Pageable));
    }
}
