//! What a device leaves in its process. The only test here: other tests would change the process's mappings.

use std::fs;

use sim_hbm::{FillPolicy, Hbm, HbmConfig};

#[test]
fn do_a_thousand_devices_leave_the_process_as_it_was_after_the_tenth() {
    let mut after_tenth = None;
    for cycle in 1..=1000 {
        let fill = match cycle % 10 {
            3 => FillPolicy::Poison,
            6 => FillPolicy::Random { seed: cycle },
            _ => FillPolicy::Zero,
        };
        let mut hbm = Hbm::new(HbmConfig { capacity: 64 << 30, alignment: 512, fill, ordinal: None }).unwrap();
        let large = hbm.allocate(100 << 20, "large").unwrap();
        let small = hbm.allocate(4096, "small").unwrap();
        hbm.write(small, &[1; 4096]).unwrap();
        hbm.free(large, "test").unwrap();
        drop(hbm);
        if cycle == 10 {
            after_tenth = Some(mappings_and_files());
        }
    }
    assert_eq!(Some(mappings_and_files()), after_tenth);
}

/// How many mappings and how many open files the process has.
fn mappings_and_files() -> (usize, usize) {
    (fs::read_to_string("/proc/self/maps").unwrap().lines().count(), fs::read_dir("/proc/self/fd").unwrap().count())
}
