//! The sections of a profile, one struct each, and the checks that need more than one value.
//!
//! A field is read from the key of its section's and its own name. What a poll or a wait costs must be above zero:
//! else virtual time would stand still while an actor spins.

use super::document::Document;
use super::entry::Sourced;
use super::error::ProfileError;
use super::quantity::{Bandwidth, Ratio};
use crate::time::{Frequency, SimDuration};

/// The most cores that core ids can tell apart: they have 12 bits.
const MAX_CORES: u64 = 1 << 12;

/// How many of everything a device has.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Clusters of AICores.
    pub clusters: Sourced<u32>,
    /// Cube cores in a cluster.
    pub aic_per_cluster: Sourced<u32>,
    /// Vector cores in a cluster.
    pub aiv_per_cluster: Sourced<u32>,
    /// AICPU threads that a launch starts.
    pub aicpu_launched: Sourced<u32>,
    /// AICPU threads that stay and work.
    pub aicpu_active: Sourced<u32>,
    /// Active threads that schedule; another one orchestrates.
    pub schedulers: Sourced<u32>,
}

impl Topology {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let topology = Topology {
            clusters: document.entry("topology.clusters")?.count()?,
            aic_per_cluster: document.entry("topology.aic_per_cluster")?.count()?,
            aiv_per_cluster: document.entry("topology.aiv_per_cluster")?.count()?,
            aicpu_launched: document.entry("topology.aicpu_launched")?.count()?,
            aicpu_active: document.entry("topology.aicpu_active")?.count()?,
            schedulers: document.entry("topology.schedulers")?.count()?,
        };
        let (launched, active) = (topology.aicpu_launched.value, topology.aicpu_active.value);
        if active > launched {
            let expected = format!("at most topology.aicpu_launched, {launched}");
            return Err(document.entry("topology.aicpu_active")?.out_of_range(expected));
        }
        if topology.schedulers.value >= active {
            let expected = format!("less than topology.aicpu_active, {active}: one thread orchestrates");
            return Err(document.entry("topology.schedulers")?.out_of_range(expected));
        }
        let cores_per_cluster = u64::from(*topology.aic_per_cluster) + u64::from(*topology.aiv_per_cluster);
        if u64::from(*topology.clusters) * cores_per_cluster > MAX_CORES {
            let expected = format!("at most {MAX_CORES} cores in all, {cores_per_cluster} per cluster");
            return Err(document.entry("topology.clusters")?.out_of_range(expected));
        }
        Ok(topology)
    }
}

/// Clock rates.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The counter that device programs read as their clock.
    pub system_counter: Sourced<Frequency>,
    /// The AICores' cycles.
    pub aicore: Sourced<Frequency>,
}

impl Clock {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        Ok(Clock {
            system_counter: document.entry("clock.system_counter")?.frequency()?,
            aicore: document.entry("clock.aicore")?.frequency()?,
        })
    }
}

/// Where the registers of a core are in its block.
#[derive(Clone, Debug)]
pub struct Registers {
    /// The task token, from AICPU to AICore.
    pub data_main_base: Sourced<u32>,
    /// The state of the core and its task, from AICore to AICPU.
    pub cond: Sourced<u32>,
    /// Control of the core.
    pub ctrl: Sourced<u32>,
    /// Opens and closes the fast path, where there is one.
    pub fast_path_enable: Sourced<Option<u32>>,
    /// How many bytes a core's block spans.
    pub block_size: Sourced<u32>,
}

impl Registers {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let registers = Registers {
            data_main_base: document.entry("registers.data_main_base")?.offset()?,
            cond: document.entry("registers.cond")?.offset()?,
            ctrl: document.entry("registers.ctrl")?.offset()?,
            fast_path_enable: document.entry("registers.fast_path_enable")?.optional_offset()?,
            block_size: document.entry("registers.block_size")?.offset()?,
        };
        let size = registers.block_size.value;
        let offsets = [
            ("registers.data_main_base", Some(*registers.data_main_base)),
            ("registers.cond", Some(*registers.cond)),
            ("registers.ctrl", Some(*registers.ctrl)),
            ("registers.fast_path_enable", *registers.fast_path_enable),
        ];
        match offsets.into_iter().find(|(_, offset)| offset.is_some_and(|offset| offset >= size)) {
            None => Ok(registers),
            Some((path, _)) => {
                Err(document.entry(path)?.out_of_range(format!("less than registers.block_size, {size:#x}")))
            }
        }
    }
}

/// Device memory.
#[derive(Clone, Debug)]
pub struct Hbm {
    /// Bytes of it.
    pub capacity: Sourced<u64>,
    /// What all cores together can read.
    pub read_bandwidth: Sourced<Bandwidth>,
    /// What all cores together can write.
    pub write_bandwidth: Sourced<Bandwidth>,
    /// From a request to its first byte.
    pub latency: Sourced<SimDuration>,
    /// Allocations begin at multiples of so many bytes.
    pub alignment: Sourced<u64>,
    /// What rows that begin off a block of 32 B take of what aligned ones do.
    pub misaligned_rows: Sourced<Ratio>,
    /// The same where rows become fractals on the way.
    pub misaligned_nd2nz: Sourced<Ratio>,
    /// What a row costs the memory beside its own bytes, as far as it does not fill a line of the L2.
    pub short_rows: Sourced<u64>,
    /// The same where rows become fractals on the way.
    pub short_nd2nz: Sourced<u64>,
    /// What short rows take that all cores read, each at another place at a time.
    pub shared_rows: Sourced<Ratio>,
    /// The same where rows become fractals on the way.
    pub shared_nd2nz: Sourced<Ratio>,
    /// What such rows take that all cores ask for at the same time, of what they take at different times.
    pub lockstep: Sourced<Ratio>,
    /// The same where rows become fractals on the way.
    pub lockstep_nd2nz: Sourced<Ratio>,
}

impl Hbm {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let hbm = Hbm {
            capacity: document.entry("hbm.capacity")?.size()?,
            read_bandwidth: document.entry("hbm.read_bandwidth")?.bandwidth()?,
            write_bandwidth: document.entry("hbm.write_bandwidth")?.bandwidth()?,
            latency: document.entry("hbm.latency")?.duration()?,
            alignment: document.entry("hbm.alignment")?.size()?,
            misaligned_rows: document.entry("hbm.misaligned_rows")?.slowdown()?,
            misaligned_nd2nz: document.entry("hbm.misaligned_nd2nz")?.slowdown()?,
            short_rows: document.entry("hbm.short_rows")?.size()?,
            short_nd2nz: document.entry("hbm.short_nd2nz")?.size()?,
            shared_rows: document.entry("hbm.shared_rows")?.slowdown()?,
            shared_nd2nz: document.entry("hbm.shared_nd2nz")?.slowdown()?,
            lockstep: document.entry("hbm.lockstep")?.slowdown()?,
            lockstep_nd2nz: document.entry("hbm.lockstep_nd2nz")?.slowdown()?,
        };
        if !hbm.alignment.is_power_of_two() {
            return Err(document.entry("hbm.alignment")?.out_of_range("a power of two"));
        }
        Ok(hbm)
    }
}

/// The cache between the cores and device memory.
#[derive(Clone, Debug)]
pub struct L2 {
    /// Bytes of it.
    pub capacity: Sourced<u64>,
    /// What it is filled and emptied by.
    pub line: Sourced<u64>,
    /// What all cores together can move through it.
    pub bandwidth: Sourced<Bandwidth>,
}

impl L2 {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let l2 = L2 {
            capacity: document.entry("l2.capacity")?.size()?,
            line: document.entry("l2.line")?.size()?,
            bandwidth: document.entry("l2.bandwidth")?.bandwidth()?,
        };
        if !l2.line.is_power_of_two() {
            return Err(document.entry("l2.line")?.out_of_range("a power of two"));
        }
        Ok(l2)
    }
}

/// What the host pays to reach the device.
#[derive(Clone, Debug)]
pub struct HostLink {
    /// Fixed cost of a copy to the device.
    pub to_device_latency: Sourced<SimDuration>,
    /// Rate of a copy to the device.
    pub to_device_bandwidth: Sourced<Bandwidth>,
    /// Fixed cost of a copy from the device.
    pub from_device_latency: Sourced<SimDuration>,
    /// Rate of a copy from the device.
    pub from_device_bandwidth: Sourced<Bandwidth>,
    /// Fixed cost of a fill of device memory.
    pub memset_latency: Sourced<SimDuration>,
    /// Rate of a fill of device memory.
    pub memset_bandwidth: Sourced<Bandwidth>,
    /// Rate of a copy, either way, whose host memory the device has mapped.
    pub pinned_bandwidth: Sourced<Bandwidth>,
    /// From the host's launch until the device's actors start.
    pub launch: Sourced<SimDuration>,
    /// From the end of the device's last actor until the host has synchronised.
    pub completion: Sourced<SimDuration>,
    /// Between two queries of a run that the host polls.
    pub poll_interval: Sourced<SimDuration>,
}

impl HostLink {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        Ok(HostLink {
            to_device_latency: document.entry("host_link.to_device_latency")?.duration()?,
            to_device_bandwidth: document.entry("host_link.to_device_bandwidth")?.bandwidth()?,
            from_device_latency: document.entry("host_link.from_device_latency")?.duration()?,
            from_device_bandwidth: document.entry("host_link.from_device_bandwidth")?.bandwidth()?,
            memset_latency: document.entry("host_link.memset_latency")?.duration()?,
            memset_bandwidth: document.entry("host_link.memset_bandwidth")?.bandwidth()?,
            pinned_bandwidth: document.entry("host_link.pinned_bandwidth")?.bandwidth()?,
            launch: document.entry("host_link.launch")?.duration()?,
            completion: document.entry("host_link.completion")?.duration()?,
            poll_interval: document.entry("host_link.poll_interval")?.positive_duration()?,
        })
    }
}

/// What the host's driver costs, beside the link.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The number of the first CPU that AICPU threads run on.
    pub first_user_cpu: Sourced<u32>,
    /// Creating a stream.
    pub stream_create: Sourced<SimDuration>,
    /// Destroying one.
    pub stream_destroy: Sourced<SimDuration>,
    /// Fixed cost of allocating device memory.
    pub malloc: Sourced<SimDuration>,
    /// Rate of allocating memory that nobody had before.
    pub first_touch_bandwidth: Sourced<Bandwidth>,
    /// Rate of allocating memory that somebody had before, and of freeing it.
    pub warm_bandwidth: Sourced<Bandwidth>,
    /// The first launch of an AICore binary, while no AICPU task runs.
    pub module_load: Sourced<SimDuration>,
    /// The same after an AICPU task has begun.
    pub late_module_load: Sourced<SimDuration>,
    /// Writing an AICPU object into the preinstall directory.
    pub bootstrap: Sourced<SimDuration>,
    /// How long a task may take, unless the host says otherwise.
    pub op_timeout: Sourced<SimDuration>,
    /// A reset by force.
    pub device_reset: Sourced<SimDuration>,
}

impl Driver {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        Ok(Driver {
            first_user_cpu: document.entry("driver.first_user_cpu")?.count()?,
            stream_create: document.entry("driver.stream_create")?.duration()?,
            stream_destroy: document.entry("driver.stream_destroy")?.duration()?,
            malloc: document.entry("driver.malloc")?.duration()?,
            first_touch_bandwidth: document.entry("driver.first_touch_bandwidth")?.bandwidth()?,
            warm_bandwidth: document.entry("driver.warm_bandwidth")?.bandwidth()?,
            module_load: document.entry("driver.module_load")?.duration()?,
            late_module_load: document.entry("driver.late_module_load")?.duration()?,
            bootstrap: document.entry("driver.bootstrap")?.duration()?,
            op_timeout: document.entry("driver.op_timeout")?.positive_duration()?,
            device_reset: document.entry("driver.device_reset")?.duration()?,
        })
    }
}

/// What AICPU threads and AICores pay to reach each other through registers.
#[derive(Clone, Debug)]
pub struct Mmio {
    /// A posted store by the AICPU.
    pub store: Sourced<SimDuration>,
    /// A load by the AICPU.
    pub load: Sourced<SimDuration>,
    /// From the AICPU's store until the core sees it.
    pub propagation: Sourced<SimDuration>,
    /// From the core's store to COND until a load by the AICPU returns it.
    pub cond_propagation: Sourced<SimDuration>,
    /// The part of a load that is left when the register has given its value.
    pub response: Sourced<SimDuration>,
    /// Between the two halves of a store of 64 bits.
    pub beat_gap: Sourced<SimDuration>,
}

impl Mmio {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let mmio = Mmio {
            store: document.entry("mmio.store")?.duration()?,
            load: document.entry("mmio.load")?.positive_duration()?,
            propagation: document.entry("mmio.propagation")?.duration()?,
            cond_propagation: document.entry("mmio.cond_propagation")?.duration()?,
            response: document.entry("mmio.response")?.duration()?,
            beat_gap: document.entry("mmio.beat_gap")?.duration()?,
        };
        if *mmio.response > *mmio.load {
            return Err(document.entry("mmio.response")?.out_of_range(format!("at most mmio.load, {}", *mmio.load)));
        }
        Ok(mmio)
    }
}

/// What scalar accesses of device memory cost, and when others see what was written.
#[derive(Clone, Debug)]
pub struct Coherence {
    /// What caches hold, write back and forget at once.
    pub line: Sourced<u64>,
    /// An access of a core that its data cache serves.
    pub core_access: Sourced<SimDuration>,
    /// From the end of a core's write-back until others see the line.
    pub write_back: Sourced<SimDuration>,
    /// A load of an AICPU thread from the line that it loaded from last, if that is as it was.
    pub aicpu_hit: Sourced<SimDuration>,
    /// Any other load of an AICPU thread.
    pub aicpu_line: Sourced<SimDuration>,
    /// A store of an AICPU thread.
    pub aicpu_store: Sourced<SimDuration>,
}

impl Coherence {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        let coherence = Coherence {
            line: document.entry("coherence.line")?.size()?,
            core_access: document.entry("coherence.core_access")?.positive_duration()?,
            write_back: document.entry("coherence.write_back")?.duration()?,
            aicpu_hit: document.entry("coherence.aicpu_hit")?.positive_duration()?,
            aicpu_line: document.entry("coherence.aicpu_line")?.positive_duration()?,
            aicpu_store: document.entry("coherence.aicpu_store")?.duration()?,
        };
        // A byte's place in a line is a bit of a word, and the largest access is eight bytes.
        if !coherence.line.is_power_of_two() || !(8..=64).contains(&*coherence.line) {
            return Err(document.entry("coherence.line")?.out_of_range("8 B, 16 B, 32 B or 64 B"));
        }
        Ok(coherence)
    }
}

/// What an AICPU thread pays for its work.
#[derive(Clone, Debug)]
pub struct Aicpu {
    /// A spin hint: a whole iteration of the scheduler that finds nothing to do.
    pub spin: Sourced<SimDuration>,
    /// An iteration of a loop that only waits for a word of memory.
    pub wait_spin: Sourced<SimDuration>,
    /// Reading the system counter.
    pub counter_read: Sourced<SimDuration>,
    /// A cache maintenance or barrier call.
    pub cache_maintenance: Sourced<SimDuration>,
    /// Submitting a task.
    pub submit: Sourced<SimDuration>,
    /// Dispatching a task, its register store not included.
    pub dispatch: Sourced<SimDuration>,
    /// Completing a task, the register load that saw it and the resolving of its consumers not included.
    pub complete: Sourced<SimDuration>,
    /// Resolving up to two consumers of a completed task.
    pub resolve: Sourced<SimDuration>,
    /// Resolving each further one.
    pub resolve_per_consumer: Sourced<SimDuration>,
    /// A thread's part in the handshake with the cores.
    pub handshake: Sourced<SimDuration>,
    /// A scheduler's first touch of the cores it owns.
    pub assign_clusters: Sourced<SimDuration>,
    /// How many payloads that first touch prepares.
    pub assign_payloads: Sourced<u32>,
    /// Taking a free lock.
    pub lock: Sourced<SimDuration>,
    /// Loading a shared object.
    pub object_load: Sourced<SimDuration>,
    /// Rate of a fill of device memory.
    pub memset_bandwidth: Sourced<Bandwidth>,
    /// What operations take of what they do with all threads on one AICPU cluster.
    pub cluster_spread: Sourced<Ratio>,
}

impl Aicpu {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        Ok(Aicpu {
            spin: document.entry("aicpu.spin")?.positive_duration()?,
            wait_spin: document.entry("aicpu.wait_spin")?.positive_duration()?,
            counter_read: document.entry("aicpu.counter_read")?.positive_duration()?,
            cache_maintenance: document.entry("aicpu.cache_maintenance")?.duration()?,
            submit: document.entry("aicpu.submit")?.duration()?,
            dispatch: document.entry("aicpu.dispatch")?.duration()?,
            complete: document.entry("aicpu.complete")?.duration()?,
            resolve: document.entry("aicpu.resolve")?.duration()?,
            resolve_per_consumer: document.entry("aicpu.resolve_per_consumer")?.duration()?,
            handshake: document.entry("aicpu.handshake")?.duration()?,
            assign_clusters: document.entry("aicpu.assign_clusters")?.duration()?,
            assign_payloads: document.entry("aicpu.assign_payloads")?.count()?,
            lock: document.entry("aicpu.lock")?.duration()?,
            object_load: document.entry("aicpu.object_load")?.duration()?,
            memset_bandwidth: document.entry("aicpu.memset_bandwidth")?.bandwidth()?,
            cluster_spread: document.entry("aicpu.cluster_spread")?.slowdown()?,
        })
    }
}

/// What an AICore pays for its work. Its times may be stated in cycles of its clock.
#[derive(Clone, Debug)]
pub struct Aicore {
    /// Reading or writing one of its own registers.
    pub register_access: Sourced<SimDuration>,
    /// A spin hint: the rest of an iteration of its idle loop.
    pub spin: Sourced<SimDuration>,
    /// Reading the system counter.
    pub counter_read: Sourced<SimDuration>,
    /// Draining a kernel's writes before reporting it.
    pub flush: Sourced<SimDuration>,
    /// From receiving a task until its kernel starts.
    pub setup: Sourced<SimDuration>,
    /// What a core's transfer engine handles by itself.
    pub bandwidth: Sourced<Bandwidth>,
    /// The most that one core reads from the HBM.
    pub hbm_port: Sourced<Bandwidth>,
    /// The most that one core reads from the L2.
    pub l2_port: Sourced<Bandwidth>,
    /// The most that one core writes.
    pub write_port: Sourced<Bandwidth>,
    /// The least that a row takes which becomes fractals on its way to L1.
    pub nd2nz_row: Sourced<SimDuration>,
    /// From the start of a transfer whose rows become fractals to its first byte.
    pub nd2nz_latency: Sourced<SimDuration>,
    /// From a transfer's start to its first byte.
    pub memory_latency: Sourced<SimDuration>,
    /// The least that one transfer instruction takes among others.
    pub instruction_floor: Sourced<SimDuration>,
    /// The cost of a kernel of which nothing is known.
    pub kernel_floor: Sourced<SimDuration>,
    /// What a kernel that the driver launches by itself takes beside what its pipes do. Runtimes hand their tasks to cores
    /// that run already, so no run pays it.
    pub kernel_launch: Sourced<SimDuration>,
    /// A cache maintenance call.
    pub cache_maintenance: Sourced<SimDuration>,
    /// What the first task of a core takes beyond others, on a quarter of the cores at most.
    pub cold_start_quarter: Sourced<SimDuration>,
    /// The same on half of them.
    pub cold_start_median: Sourced<SimDuration>,
    /// The same on three quarters.
    pub cold_start_three_quarters: Sourced<SimDuration>,
    /// The same on all.
    pub cold_start_most: Sourced<SimDuration>,
    /// Which core takes how long.
    pub cold_start_seed: Sourced<u32>,
}

impl Aicore {
    pub(super) fn read(document: &Document, clock: Frequency) -> Result<Self, ProfileError> {
        let aicore = Aicore {
            register_access: document.entry("aicore.register_access")?.positive_core_duration(clock)?,
            spin: document.entry("aicore.spin")?.positive_core_duration(clock)?,
            counter_read: document.entry("aicore.counter_read")?.positive_core_duration(clock)?,
            flush: document.entry("aicore.flush")?.core_duration(clock)?,
            setup: document.entry("aicore.setup")?.core_duration(clock)?,
            bandwidth: document.entry("aicore.bandwidth")?.core_bandwidth(clock)?,
            hbm_port: document.entry("aicore.hbm_port")?.core_bandwidth(clock)?,
            l2_port: document.entry("aicore.l2_port")?.core_bandwidth(clock)?,
            write_port: document.entry("aicore.write_port")?.core_bandwidth(clock)?,
            nd2nz_row: document.entry("aicore.nd2nz_row")?.core_duration(clock)?,
            nd2nz_latency: document.entry("aicore.nd2nz_latency")?.core_duration(clock)?,
            memory_latency: document.entry("aicore.memory_latency")?.core_duration(clock)?,
            instruction_floor: document.entry("aicore.instruction_floor")?.core_duration(clock)?,
            kernel_floor: document.entry("aicore.kernel_floor")?.core_duration(clock)?,
            kernel_launch: document.entry("aicore.kernel_launch")?.core_duration(clock)?,
            cache_maintenance: document.entry("aicore.cache_maintenance")?.core_duration(clock)?,
            cold_start_quarter: document.entry("aicore.cold_start_quarter")?.core_duration(clock)?,
            cold_start_median: document.entry("aicore.cold_start_median")?.core_duration(clock)?,
            cold_start_three_quarters: document.entry("aicore.cold_start_three_quarters")?.core_duration(clock)?,
            cold_start_most: document.entry("aicore.cold_start_most")?.core_duration(clock)?,
            cold_start_seed: document.entry("aicore.cold_start_seed")?.count()?,
        };
        let quartiles = [
            ("aicore.cold_start_quarter", *aicore.cold_start_quarter),
            ("aicore.cold_start_median", *aicore.cold_start_median),
            ("aicore.cold_start_three_quarters", *aicore.cold_start_three_quarters),
            ("aicore.cold_start_most", *aicore.cold_start_most),
        ];
        match quartiles.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            None => Ok(aicore),
            Some(pair) => {
                let (less, more) = (pair[0].0, pair[1].0);
                Err(document
                    .entry(less)?
                    .out_of_range(format!("no more than {more}, {}", document.entry(more)?.value())))
            }
        }
    }
}

/// When the simulator intervenes.
#[derive(Clone, Debug)]
pub struct Guards {
    /// So long without anything but polling, and the device counts as stalled.
    pub stall_window: Sourced<SimDuration>,
    /// How far time may be advanced to let the guests' own timeouts expire.
    pub leap_limit: Sourced<SimDuration>,
}

impl Guards {
    pub(super) fn read(document: &Document) -> Result<Self, ProfileError> {
        Ok(Guards {
            stall_window: document.entry("guards.stall_window")?.positive_duration()?,
            leap_limit: document.entry("guards.leap_limit")?.duration()?,
        })
    }
}
