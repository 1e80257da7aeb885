//! Where the devices of a process live. The only test here: it needs the process's ordinals for itself.

use sim_hbm::{FillPolicy, Hbm, HbmConfig};

#[test]
fn do_devices_take_the_lowest_free_place_and_give_it_back() {
    let device = |ordinal| {
        Hbm::new(HbmConfig { capacity: 144 << 30, alignment: 512, fill: FillPolicy::Poison, ordinal }).unwrap()
    };
    let place = |hbm: &Hbm| (hbm.ordinal(), hbm.start().address());
    let (first, second) = (device(None), device(None));
    assert_eq!(place(&first), (0, 0x2000_0000_0000));
    assert_eq!(place(&second), (1, 0x2100_0000_0000));
    drop(first);
    let (again, third, named) = (device(None), device(None), device(Some(7)));
    assert_eq!([&again, &third, &named].map(|hbm| hbm.ordinal()), [0, 2, 7]);
    assert_eq!(named.end().address() - named.start().address(), 144 << 30);
}
