//! Flags between the cores of a cluster where cores are threads that run freely.

use std::sync::atomic::{AtomicU32, Ordering};

use sim_aicore::pipes::cluster::Role;

/// Flags of each pair of cores.
const FLAGS: usize = 16;
const OF_CLUSTER: usize = Role::COUNT * Role::COUNT * FLAGS;

/// How often each flag was raised and not taken down.
pub(super) struct FreeFlags {
    raised: Box<[AtomicU32]>,
}

impl FreeFlags {
    pub(super) fn new(clusters: u16) -> Self {
        FreeFlags { raised: (0..usize::from(clusters) * OF_CLUSTER).map(|_| AtomicU32::new(0)).collect() }
    }

    pub(super) fn set(&self, cluster: u16, from: Role, to: Role, flag: u16) {
        if let Some(flag) = self.flag(cluster, from, to, flag) {
            flag.fetch_add(1, Ordering::Release);
        }
    }

    /// Spins until the flag is up, and takes it down.
    pub(super) fn wait(&self, cluster: u16, from: Role, to: Role, flag: u16) {
        let Some(flag) = self.flag(cluster, from, to, flag) else { return };
        let taken = |raised: u32| raised.checked_sub(1);
        while flag.fetch_update(Ordering::Acquire, Ordering::Relaxed, taken).is_err() {
            // SAFETY: it has no preconditions.
            unsafe { libc::sched_yield() };
        }
    }

    fn flag(&self, cluster: u16, from: Role, to: Role, flag: u16) -> Option<&AtomicU32> {
        let pair = from.index() * Role::COUNT + to.index();
        let flag = (usize::from(flag) < FLAGS).then_some(usize::from(flag))?;
        self.raised.get(usize::from(cluster) * OF_CLUSTER + pair * FLAGS + flag)
    }
}
