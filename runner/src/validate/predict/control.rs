//! Register accesses, the AICPU's charges, and what a core pays around a kernel.

use sim_aicore::cold_start::ColdStart;
use sim_aicpu::operation::{Operation, OperationCosts};
use sim_aicpu::register_file::RegisterFile;
use sim_core::profile::Profile;
use sim_core::time::{SimDuration, SimTime};

use super::super::measure::{AicpuWork, ExecutorWork, Mmio};
use super::{Answer, Quantity};

/// The thread that does it.
const THREAD: usize = 0;

/// What an access costs.
pub(super) fn mmio(profile: &Profile, access: Mmio) -> Answer {
    let registers = RegisterFile::new(profile, 1, 1);
    let notice = *profile.aicore.register_access + *profile.mmio.cond_propagation;
    let load = registers.load_cost(THREAD, SimTime::ZERO);
    let time = match access {
        Mmio::StoreBurst { stores } => registers.store_cost() * u64::from(stores),
        Mmio::Sweep { cores } => load * u64::from(cores),
        Mmio::StoreThenLoad => {
            let stored = SimTime::ZERO + registers.store_cost();
            registers.post(THREAD, stored);
            registers.store_cost() + registers.load_cost(THREAD, stored)
        }
        Mmio::ToCore => registers.post(THREAD, SimTime::ZERO).since(SimTime::ZERO),
        Mmio::FromCore => notice + load,
        // The core reads the clock and writes that out before it stores. A turn of the thread's loop that was under way
        // already has the old value: half of one is waited for on average.
        Mmio::FromCorePolled => {
            let written_out = *profile.aicore.counter_read + *profile.aicore.cache_maintenance;
            let turn = load + *profile.aicpu.counter_read;
            written_out + notice + SimDuration::from_ps(turn.as_ps() / 2) + load
        }
        Mmio::CoreStoreAndLoad => *profile.aicore.register_access * 2,
    };
    Ok(Quantity::Time(time))
}

/// What work of an AICPU thread costs.
pub(super) fn aicpu(profile: &Profile, work: AicpuWork) -> Answer {
    let costs = OperationCosts::new(profile);
    let time = match work {
        AicpuWork::Submit => costs.of(Operation::Submit, 1),
        AicpuWork::Dispatch { tasks } => costs.of(Operation::Dispatch, tasks),
        AicpuWork::Resolve { consumers } => costs.of(Operation::Resolve, consumers),
        AicpuWork::Idle { loads } => {
            let registers = RegisterFile::new(profile, 1, 1);
            *profile.aicpu.spin + registers.load_cost(THREAD, SimTime::ZERO) * u64::from(loads)
        }
        AicpuWork::Handshake => costs.of(Operation::Handshake, 1),
        AicpuWork::AssignClusters => *profile.aicpu.assign_clusters,
        AicpuWork::Memset { bytes } => profile.aicpu.memset_bandwidth.time_for(bytes),
        AicpuWork::LoadObject => *profile.aicpu.object_load,
    };
    Ok(Quantity::Time(time))
}

/// What a core pays around a kernel.
pub(super) fn executor(profile: &Profile, work: ExecutorWork) -> Answer {
    let setup = OperationCosts::new(profile).of(Operation::Setup, 1);
    let time = match work {
        // The figures are of profiled runs, in which the counter is read before and behind it.
        ExecutorWork::Setup => setup + *profile.aicore.counter_read,
        ExecutorWork::Flush => *profile.aicore.flush,
        ExecutorWork::CounterRead => *profile.aicore.counter_read,
        ExecutorWork::HeadOverhead { cores } => head_overhead(profile, cores) + setup,
        ExecutorWork::FirstHeadOverhead { cores } => {
            head_overhead(profile, cores) + setup + ColdStart::new(profile).mean()
        }
    };
    Ok(Quantity::Time(time))
}

/// From the first store of a burst of so many dispatches until a core sees its own, on average.
fn head_overhead(profile: &Profile, cores: u32) -> SimDuration {
    let registers = RegisterFile::new(profile, 1, 1);
    // Each scheduler stores to its own cores.
    let cores = u64::from(cores.div_ceil(*profile.topology.schedulers)).max(1);
    // The first store is seen at once, the last one after all others: half of that on average.
    let position = SimDuration::from_ps(registers.store_cost().as_ps() * (cores - 1) / 2);
    position + registers.post(THREAD, SimTime::ZERO).since(SimTime::ZERO)
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn ns(answer: Answer) -> f64 {
        match answer {
            Ok(Quantity::Time(time)) => time.as_ns_f64(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_do_register_accesses_of_a2a3_cost() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let accesses = [
            Mmio::StoreBurst { stores: 1000 },
            Mmio::Sweep { cores: 24 },
            Mmio::StoreThenLoad,
            Mmio::ToCore,
            Mmio::FromCore,
            Mmio::FromCorePolled,
            Mmio::CoreStoreAndLoad,
        ];
        let costs = accesses.map(|access| ns(mmio(&profile, access)));
        assert_eq!(costs, [5000.0, 2280.0, 240.0, 140.0, 180.0, 607.5, 10.0]);
    }

    #[test]
    fn where_in_a_burst_is_the_core_whose_head_overhead_is_meant() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let overhead = |cores| ns(executor(&profile, ExecutorWork::HeadOverhead { cores }));
        // One of three schedulers stores to 24 of them.
        assert_eq!(overhead(72) - overhead(1), 5.0 * 23.0 / 2.0);
        assert_eq!(overhead(1), 310.0);
    }

    #[test]
    fn how_much_longer_does_a_core_take_for_its_first_task_on_average() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let first = ns(executor(&profile, ExecutorWork::FirstHeadOverhead { cores: 72 }));
        assert_eq!(first - ns(executor(&profile, ExecutorWork::HeadOverhead { cores: 72 })), 2086.25);
    }

    #[test]
    fn what_does_profiling_add_to_the_setup_of_a_core() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        assert_eq!(ns(executor(&profile, ExecutorWork::Setup)), 170.0 + 150.0);
    }
}
