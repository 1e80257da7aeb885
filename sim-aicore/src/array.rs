//! The cores of a device and how they are numbered.
//!
//! Physical core ids count the cube cores first, one a cluster, then the vector cores, two a cluster: with `n`
//! clusters, cluster `c` has AIC `c` and AIV `n + 2c` and `n + 2c + 1`.

use sim_core::actor::ActorKind;
use sim_core::profile::Topology;

use crate::pipes::cluster::Role;

/// The cores of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreArray {
    clusters: u16,
    aic_per_cluster: u16,
    aiv_per_cluster: u16,
}

impl CoreArray {
    /// The cores of `clusters` clusters of this topology.
    pub fn new(topology: &Topology, clusters: u32) -> Self {
        CoreArray {
            clusters: clusters as u16,
            aic_per_cluster: *topology.aic_per_cluster as u16,
            aiv_per_cluster: *topology.aiv_per_cluster as u16,
        }
    }

    /// The same, but for the number of clusters.
    pub fn with(&self, clusters: u16) -> CoreArray {
        CoreArray { clusters, ..*self }
    }

    /// How many clusters there are.
    pub fn clusters(&self) -> u16 {
        self.clusters
    }

    /// How many cores there are.
    pub fn count(&self) -> u16 {
        self.clusters * (self.aic_per_cluster + self.aiv_per_cluster)
    }

    /// What a core is, by physical core id.
    pub fn kind(&self, core: u16) -> ActorKind {
        if core < self.clusters * self.aic_per_cluster { ActorKind::Aic(core) } else { ActorKind::Aiv(core) }
    }

    /// In which cluster a core is, and which of its cores.
    pub fn place(&self, core: u16) -> (u16, Role) {
        let cubes = self.clusters * self.aic_per_cluster;
        match core.checked_sub(cubes) {
            None => (core / self.aic_per_cluster.max(1), Role::Aic),
            Some(vector) => {
                let role = if vector % self.aiv_per_cluster == 0 { Role::Aiv0 } else { Role::Aiv1 };
                (vector / self.aiv_per_cluster, role)
            }
        }
    }

    /// A core of a cluster.
    pub fn core_of(&self, cluster: u16, role: Role) -> ActorKind {
        let cubes = self.clusters * self.aic_per_cluster;
        match role {
            Role::Aic => ActorKind::Aic(cluster * self.aic_per_cluster),
            Role::Aiv0 => ActorKind::Aiv(cubes + cluster * self.aiv_per_cluster),
            Role::Aiv1 => ActorKind::Aiv(cubes + cluster * self.aiv_per_cluster + 1),
        }
    }

    /// The cores by physical core id.
    pub fn kinds(&self) -> impl Iterator<Item = ActorKind> + use<> {
        let array = *self;
        (0..array.count()).map(move |core| array.kind(core))
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::{Arch, Profile};

    use super::*;

    #[test]
    fn how_many_cores_has_each_architecture_and_which_are_cube_cores() {
        for (arch, clusters, cores) in [(Arch::A2a3, 24, 72), (Arch::A5, 36, 108)] {
            let topology = Profile::load(arch).unwrap().topology;
            let array = CoreArray::new(&topology, *topology.clusters);
            assert_eq!((array.clusters(), array.count()), (clusters, cores));
            assert_eq!(array.kind(clusters - 1), ActorKind::Aic(clusters - 1));
            assert_eq!(array.kind(clusters), ActorKind::Aiv(clusters));
            assert_eq!(array.kinds().count(), usize::from(cores));
            for core in 0..cores {
                let (cluster, role) = array.place(core);
                assert_eq!(array.core_of(cluster, role), array.kind(core));
            }
            assert_eq!(array.place(clusters + 3), (1, Role::Aiv1));
        }
    }
}
