//! Two cores, an AICPU thread and a line of memory.

use std::collections::BTreeMap;

use sim_core::profile::Profile;

use super::*;

const LINE: u64 = 0x2000_0000_0040;
const CORE: ActorKind = ActorKind::Aic(0);
const OTHER: ActorKind = ActorKind::Aiv(1);
const THREAD: ActorKind = ActorKind::Aicpu(2);

/// Caches and the memory behind them.
struct Device {
    coherence: Coherence,
    memory: BTreeMap<u64, LineBytes>,
}

const fn word(index: u64) -> Access {
    Access { address: LINE + 8 * index, size: 8 }
}

const fn ns(ns: u64) -> SimTime {
    SimTime::from_ns(ns)
}

impl Device {
    fn new(arch: Arch) -> Self {
        let coherence = Coherence::new(&Profile::load(arch).unwrap());
        Device { coherence, memory: BTreeMap::from([(LINE, [0; 64])]) }
    }

    fn line(&self) -> LineBytes {
        self.memory[&LINE]
    }

    fn set(&mut self, access: Access, value: u64) {
        let lines = self.coherence.lines();
        lines.set(access, self.memory.get_mut(&LINE).unwrap(), value);
    }

    fn load(&mut self, who: ActorKind, access: Access, at: u64) -> u64 {
        let line = self.line();
        match who {
            THREAD => self.coherence.aicpu_load(who, access, &line, ns(at)),
            core => self.coherence.core_load(core, access, &line, ns(at)),
        }
    }

    fn store(&mut self, who: ActorKind, access: Access, value: u64, at: u64) {
        let line = self.line();
        if who == THREAD {
            self.set(access, value);
            self.coherence.aicpu_stored(who, access, value, ns(at));
        } else {
            self.coherence.core_store(who, access, value, &line, ns(at));
        }
    }

    /// A core gives all back; when that arrives, if there was anything. It is let arrive at once.
    fn dcci(&mut self, who: ActorKind, at: u64) -> Option<u64> {
        let memory = self.memory.clone();
        let back = self.coherence.core_gives_back(who, None, ns(at), &memory);
        let arrival = back.first().map(|back| back.at.as_ns());
        for back in back {
            self.memory.get_mut(&back.address).unwrap().copy_from_slice(&back.bytes);
        }
        arrival
    }

    fn findings(&self) -> Vec<String> {
        self.coherence.findings().iter().map(ToString::to_string).collect()
    }
}

#[test]
fn when_does_what_a_core_stores_get_out_of_its_cache() {
    let mut device = Device::new(Arch::A2a3);
    device.store(CORE, word(1), 7, 100);
    assert_eq!([device.load(CORE, word(1), 110), device.load(THREAD, word(1), 5000)], [7, 0]);
    assert_eq!(
        device.findings(),
        [
            "aic0 stored 8 bytes at 0x200000000048 at 100 ns, and that never left its data cache: nobody else can see it; a \
          store that others are to see needs a dcci behind it"
        ]
    );
    assert_eq!(device.dcci(CORE, 6000), Some(6709));
    assert_eq!((device.load(THREAD, word(1), 6709), device.findings().len()), (7, 0));
    assert_eq!(device.dcci(CORE, 7000), None, "it has nothing any more");
}

#[test]
fn does_a_core_see_what_it_has_given_back_itself_before_it_arrives() {
    let mut device = Device::new(Arch::A2a3);
    device.store(CORE, word(0), 7, 100);
    let before = device.line();
    assert_eq!(device.dcci(CORE, 200), Some(909));
    device.memory.insert(LINE, before);
    assert_eq!((device.load(CORE, word(0), 300), device.load(OTHER, word(0), 300)), (7, 0));
    assert_eq!(device.findings(), [""; 0]);
}

#[test]
fn is_an_old_value_that_a_core_goes_on_loading_found_and_one_that_it_looks_at_again_not() {
    let mut device = Device::new(Arch::A2a3);
    assert_eq!(device.load(CORE, word(0), 10), 0);
    device.store(THREAD, word(0), 7, 20);
    assert_eq!([device.load(CORE, word(0), 30), device.load(CORE, word(0), 40)], [0, 0]);
    assert_eq!(
        device.findings(),
        [
            "aic0 loaded 8 bytes at 0x200000000040 from its data cache 2 times, for the first time at 30 ns, as they were at \
          10 ns; aicpu2 has written there since: a load of what others write needs a dcci before it"
        ]
    );
    // A poll that looks, forgets and looks again is sound, however late the store came.
    device.dcci(CORE, 50);
    assert_eq!((device.load(CORE, word(0), 60), device.findings().len()), (7, 0));
}

#[test]
fn is_an_old_value_found_that_a_core_acted_on_before_it_forgot_the_line() {
    let mut device = Device::new(Arch::A2a3);
    device.load(CORE, word(0), 10);
    // A store that no function of the platform sees is found by its value.
    device.set(word(0), 7);
    device.load(CORE, word(0), 30);
    device.dcci(CORE, 40);
    device.load(CORE, word(3), 50);
    let findings = device.coherence.findings();
    let [CoherenceFinding::StaleRead { by: None, reads: 1, .. }] = findings[..] else { panic!("{findings:?}") };
}

#[test]
fn does_a_line_that_two_cores_write_to_lose_what_the_first_one_wrote() {
    let mut device = Device::new(Arch::A2a3);
    device.store(CORE, word(0), 1, 10);
    device.store(OTHER, word(1), 2, 20);
    device.dcci(CORE, 30);
    device.dcci(OTHER, 40);
    assert_eq!([device.load(THREAD, word(0), 1000), device.load(THREAD, word(1), 1000)], [0, 2]);
    assert_eq!(
        device.findings(),
        ["aiv1 wrote back a line as it was at 20 ns and with that, at 749 ns, put old values over 8 bytes at \
          0x200000000040 that aic0 had written: a line goes back whole, so two must not write to one line at a time"]
    );
}

#[test]
fn may_two_cores_write_to_one_line_in_turn() {
    let mut device = Device::new(Arch::A2a3);
    device.store(CORE, word(0), 1, 10);
    device.dcci(CORE, 30);
    device.store(OTHER, word(1), 2, 1000);
    device.dcci(OTHER, 1010);
    assert_eq!([device.load(THREAD, word(0), 2000), device.load(THREAD, word(1), 2000)], [1, 2]);
    assert_eq!(device.findings(), [""; 0]);
}

/// What the thread loads after the host has copied, and after it has forgotten the line then.
fn after_a_copy(arch: Arch) -> ([u64; 2], usize) {
    let mut device = Device::new(arch);
    device.load(THREAD, word(0), 10);
    let memory = device.memory.clone();
    device.coherence.host_writes(LINE + 8, 100, ns(20), |line| memory[&line]);
    device.set(word(0), 7);
    let first = device.load(THREAD, word(0), 30);
    device.load(THREAD, word(0), 40);
    device.coherence.aicpu_forgets(LINE, 64);
    ([first, device.load(THREAD, word(0), 50)], device.findings().len())
}

#[test]
fn does_the_aicpu_see_what_the_host_copies() {
    assert_eq!(after_a_copy(Arch::A2a3), ([0, 7], 1));
    assert_eq!(after_a_copy(Arch::A5), ([7, 7], 0));
}

#[test]
fn which_loads_of_an_aicpu_thread_does_its_first_cache_serve() {
    let mut device = Device::new(Arch::A2a3);
    let other = Access { address: LINE + 64, size: 8 };
    let warm = |device: &Device, access, at| device.coherence.aicpu_is_warm(THREAD, access, ns(at));
    assert!(!warm(&device, word(0), 10));
    device.load(THREAD, word(0), 10);
    assert_eq!([warm(&device, word(7), 20), warm(&device, other, 20)], [true, false]);
    device.store(CORE, word(0), 1, 30);
    assert!(warm(&device, word(0), 40), "nothing has left the core");
    assert_eq!(device.dcci(CORE, 50), Some(759));
    assert!(!warm(&device, word(0), 759));
    device.load(THREAD, word(0), 760);
    assert!(warm(&device, word(0), 770));
}

#[test]
fn does_a_launch_begin_with_empty_caches_and_keep_what_was_found() {
    let mut device = Device::new(Arch::A2a3);
    device.store(CORE, Access { address: LINE + 4, size: 4 }, u64::MAX, 10);
    device.coherence.empty_cores();
    assert_eq!((device.load(CORE, word(0), 20), device.findings().len()), (0, 1));
}
