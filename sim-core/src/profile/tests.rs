use std::fmt::Write;

use super::*;
use crate::time::{Frequency, SimDuration};

fn load(arch: Arch) -> Profile {
    Profile::load(arch).unwrap()
}

/// A listing for people: key, value, confidence.
fn listing(profile: &Profile) -> String {
    let mut text = String::new();
    for entry in profile.entries() {
        writeln!(text, "{:<32}{:<16}{}", entry.path(), entry.value(), entry.confidence()).unwrap();
    }
    text
}

#[test]
fn does_the_a2a3_profile_list_every_value() {
    insta::assert_snapshot!(listing(&load(Arch::A2a3)));
}

#[test]
fn does_the_a5_profile_list_every_value() {
    insta::assert_snapshot!(listing(&load(Arch::A5)));
}

#[test]
fn are_the_values_of_a2a3_exact_in_base_units() {
    let Profile { arch, topology, clock, registers, hbm, host_link, mmio, aicpu, aicore, guards, .. } =
        load(Arch::A2a3);
    assert_eq!(arch, Arch::A2a3);
    assert_eq!([*topology.clusters, *topology.aic_per_cluster, *topology.aiv_per_cluster], [24, 1, 2]);
    assert_eq!([*topology.aicpu_launched, *topology.aicpu_active, *topology.schedulers], [6, 4, 3]);
    assert_eq!([clock.system_counter.as_hz(), clock.aicore.as_hz()], [50_000_000, 1_850_000_000]);
    assert_eq!(
        [*registers.data_main_base, *registers.cond, *registers.ctrl, *registers.block_size],
        [0xa0, 0x4c8, 0, 0x8000]
    );
    assert_eq!(*registers.fast_path_enable, Some(0x18));
    assert_eq!([*hbm.capacity, *hbm.alignment], [64 << 30, 512]);
    assert_eq!(
        [hbm.read_bandwidth.as_bytes_per_s(), hbm.write_bandwidth.as_bytes_per_s()],
        [1_490_000_000_000, 1_420_800_000_000]
    );
    assert_eq!(*hbm.latency, SimDuration::from_ns(200));
    assert_eq!(*host_link.to_device_latency, SimDuration::from_us(36));
    assert_eq!(*host_link.from_device_latency, SimDuration::from_ns(9_500));
    assert_eq!(*host_link.launch + *host_link.completion, SimDuration::from_us(20));
    assert_eq!(
        [
            host_link.to_device_bandwidth.as_bytes_per_s(),
            host_link.from_device_bandwidth.as_bytes_per_s(),
            host_link.memset_bandwidth.as_bytes_per_s(),
        ],
        [7_800_000_000, 7_800_000_000, 5_700_000_000]
    );
    assert_eq!(
        [mmio.store.as_ns(), mmio.load.as_ns(), mmio.propagation.as_ns(), mmio.cond_propagation.as_ns()],
        [5, 95, 140, 80]
    );
    assert_eq!(mmio.load.range, Some(SimDuration::from_ns(95)..=SimDuration::from_ns(105)));
    assert_eq!([aicpu.spin.as_ns(), aicpu.submit.as_ns(), aicpu.object_load.as_ns()], [115, 690, 5_550_000]);
    assert_eq!(aicore.bandwidth.as_bytes_per_s(), 236_800_000_000);
    assert_eq!([aicore.memory_latency.as_ps(), aicore.instruction_floor.as_ps()], [142_703, 11_150]);
    assert_eq!([aicore.nd2nz_row.as_ps(), aicore.nd2nz_latency.as_ps()], [1_830, 43_784]);
    assert_eq!([*guards.stall_window, *guards.leap_limit], [SimDuration::from_ms(2), SimDuration::from_ms(60_000)]);
}

#[test]
fn are_the_values_of_a5_exact_in_base_units() {
    let Profile { arch, topology, clock, registers, hbm, aicpu, aicore, .. } = load(Arch::A5);
    assert_eq!(arch, Arch::A5);
    assert_eq!([*topology.clusters, *topology.aic_per_cluster, *topology.aiv_per_cluster], [36, 1, 2]);
    assert_eq!([*topology.aicpu_launched, *topology.aicpu_active, *topology.schedulers], [5, 5, 4]);
    assert_eq!([clock.system_counter.as_hz(), clock.aicore.as_hz()], [1_000_000_000, 1_650_000_000]);
    assert_eq!([*registers.data_main_base, *registers.cond, *registers.ctrl], [0xd0, 0x5108, 0]);
    assert_eq!(*registers.fast_path_enable, None);
    assert_eq!(*hbm.capacity, 128 << 30);
    assert_eq!(hbm.read_bandwidth.as_bytes_per_s(), 1_627_000_000_000);
    assert_eq!(*aicpu.assign_clusters, SimDuration::from_ns(318_800));
    assert_eq!(aicore.bandwidth.as_bytes_per_s(), 211_200_000_000);
    assert_eq!([aicore.memory_latency.as_ps(), aicore.instruction_floor.as_ps()], [160_000, 23_900]);
    assert_eq!([aicore.nd2nz_row.as_ps(), aicore.nd2nz_latency.as_ps()], [928, 339_091]);
}

#[test]
fn does_every_value_name_its_source_and_every_derived_one_its_derivation() {
    for arch in Arch::ALL {
        for entry in load(arch).entries() {
            assert!(!entry.source().trim().is_empty(), "{arch} {}", entry.path());
            let derived = matches!(entry.confidence(), Confidence::Inferred | Confidence::Placeholder);
            assert!(entry.note().is_some() || !derived, "{arch} {}", entry.path());
        }
    }
}

#[test]
fn is_an_inherited_measurement_no_more_than_inferred() {
    let load = load(Arch::A5).mmio.propagation;
    assert_eq!((load.value, load.confidence), (SimDuration::from_ns(140), Confidence::Inferred));
    let note = load.note.unwrap();
    assert!(note.starts_with("Not published for a5: expected as on a2a3. From the AICPU's store"), "{note}");
}

#[test]
fn does_a_file_that_inherits_within_its_generation_keep_the_confidence() {
    let text = r#"{"arch": "a2a3", "inherits": "a2a3", "clock": {"aicore":
        {"value": 1800, "unit": "MHz", "confidence": "documented", "source": "Ascend910B2.ini"}}}"#;
    let profile = Profile::from_json("910b2.json", text).unwrap();
    assert_eq!(*profile.clock.aicore, Frequency::from_hz(1_800_000_000).unwrap());
    assert_eq!(profile.aicore.bandwidth.as_bytes_per_s(), 230_400_000_000);
    assert_eq!(profile.mmio.load.confidence, Confidence::Measured);
    assert!(profile.entries().map(Entry::path).eq(load(Arch::A2a3).entries().map(Entry::path)));
}

/// What a part has that its generation does not, for people.
fn differences(name: ProfileName) -> String {
    let (own, parent) = (Profile::load(name).unwrap(), load(name.arch()));
    let mut text = String::new();
    for (own, parent) in own.entries().zip(parent.entries()) {
        assert_eq!(own.path(), parent.path());
        if (own.value(), own.source()) != (parent.value(), parent.source()) {
            writeln!(text, "{:<24}{:<14}{}", own.path(), own.value(), own.confidence()).unwrap();
        }
    }
    text
}

#[test]
fn what_does_each_part_have_that_its_generation_does_not() {
    let parts = ProfileName::ALL.into_iter().filter(|name| ProfileName::from(name.arch()) != *name);
    let listed: Vec<String> = parts.map(|name| format!("{name}\n{}", differences(name))).collect();
    insta::assert_snapshot!(listed.join("\n"));
}

#[test]
fn does_a_part_keep_what_its_generation_says_and_how_far_to_trust_it() {
    let (part, whole) = (Profile::load("950PR_958x").unwrap(), load(Arch::A5));
    assert_eq!((part.name.as_str(), part.arch, part.parent()), ("950PR_958x", Arch::A5, Some(ProfileName::A5)));
    assert_eq!(part.mmio.propagation, whole.mmio.propagation);
    assert_eq!(part.mmio.propagation.confidence, Confidence::Inferred);
    assert_eq!(part.aicpu.assign_clusters.confidence, Confidence::Measured);
    assert_eq!((whole.parent(), load(Arch::A2a3).parent()), (Some(ProfileName::A2a3), None));
}

#[test]
fn is_every_profile_found_by_its_name_and_of_one_generation() {
    for name in ProfileName::ALL {
        assert_eq!(name.as_str().parse(), Ok(name));
        assert_eq!(Profile::load(name).unwrap().arch, name.arch());
    }
}

#[test]
fn is_a_ratio_no_speed_up_and_applied_to_the_nearest_whole() {
    let ratio = load(Arch::A2a3).hbm.misaligned_rows;
    assert_eq!((ratio.as_millionths(), ratio.of(202_660), ratio.of(1)), (1_278_000, 258_999, 1));
    assert_eq!(ratio.in_part(1, 2).as_millionths(), 1_139_000);
    assert_eq!(
        with(&["hbm.lockstep=0.9"]).unwrap_err().to_string(),
        "--set: `hbm.lockstep` = 0.9 is out of range, expected a ratio from 1 to 1000"
    );
    assert_eq!(
        with(&["aicore.cold_start_median=4us"]).unwrap_err().to_string(),
        "--set: `aicore.cold_start_median` = 4 us is out of range, expected no more than \
         aicore.cold_start_three_quarters, 3.39 us"
    );
}

#[test]
fn is_every_key_of_the_file_needed() {
    let complete: serde_json::Value = serde_json::from_str(include_str!("../../profiles/a2a3.json")).unwrap();
    for entry in load(Arch::A2a3).entries() {
        let (section, key) = entry.path().split_once('.').unwrap();
        let mut without = complete.clone();
        without[section].as_object_mut().unwrap().remove(key);
        let error = Profile::from_json("short.json", &without.to_string()).unwrap_err();
        let expected = "a value with unit, source and confidence";
        assert_eq!(error.to_string(), format!("short.json: `{}` is missing, expected {expected}", entry.path()));
    }
}

/// The error for a file that states `values` in section `mmio` and inherits the rest.
fn error_of(values: &str) -> String {
    let text = format!(r#"{{"arch": "a2a3", "inherits": "a2a3", "mmio": {values}}}"#);
    Profile::from_json("my.json", &text).unwrap_err().to_string()
}

#[test]
fn does_each_mistake_in_a_file_get_an_error_that_names_file_and_key() {
    let rest = r#""confidence": "measured", "source": "x""#;
    for (values, message) in [
        ("5", "my.json: `mmio` is 5, expected an object with a value per key"),
        (r#"{"load": 5}"#, "my.json: `mmio.load` is 5, expected an object with value, unit, source and confidence"),
        (
            &format!(r#"{{"laod": {{"value": 95, "unit": "ns", {rest}}}}}"#),
            "my.json: no key `mmio.laod`; the nearest is `mmio.load`",
        ),
        (
            r#"{"load": {"value": 95, "unit": "ns", "confidnce": "measured", "source": "x"}}"#,
            "my.json: no key `mmio.load.confidnce`; the nearest is `mmio.load.confidence`",
        ),
        (
            &format!(r#"{{"load": {{"unit": "ns", {rest}}}}}"#),
            "my.json: `mmio.load.value` is missing, expected a number",
        ),
        (
            &format!(r#"{{"load": {{"value": 95, {rest}}}}}"#),
            "my.json: `mmio.load.unit` is missing, expected the unit of the value",
        ),
        (
            r#"{"load": {"value": 95, "unit": "ns", "confidence": "measured"}}"#,
            "my.json: `mmio.load.source` is missing, expected who says so",
        ),
        (
            r#"{"load": {"value": 95, "unit": "ns", "source": "x"}}"#,
            "my.json: `mmio.load.confidence` is missing, expected how far to trust the value",
        ),
        (
            r#"{"load": {"value": 95, "unit": "ns", "confidence": "measured", "source": " "}}"#,
            r#"my.json: `mmio.load.source` is " ", expected a text that is not empty"#,
        ),
        (
            r#"{"load": {"value": 95, "unit": "ns", "confidence": "override", "source": "x"}}"#,
            r#"my.json: `mmio.load.confidence` is "override", expected one of measured, documented, simulated, inferred, placeholder, setting"#,
        ),
        (
            &format!(r#"{{"load": {{"value": "95", "unit": "ns", {rest}}}}}"#),
            r#"my.json: `mmio.load.value` is "95", expected a number"#,
        ),
        (
            &format!(r#"{{"load": {{"value": null, "unit": "ns", {rest}}}}}"#),
            "my.json: `mmio.load` is none, expected a span of time in ps, ns, us, ms or s",
        ),
        (
            &format!(r#"{{"load": {{"value": 95, "unit": "GHz", {rest}}}}}"#),
            "my.json: `mmio.load` has the unit `GHz`, expected a span of time in ps, ns, us, ms or s",
        ),
        (
            &format!(r#"{{"load": {{"value": -95, "unit": "ns", {rest}}}}}"#),
            "my.json: `mmio.load` = -95 ns is out of range, expected a time above zero",
        ),
        (
            &format!(r#"{{"load": {{"value": 95, "unit": "ns", "range": 95, {rest}}}}}"#),
            "my.json: `mmio.load.range` is 95, expected two numbers, the lowest and the highest value",
        ),
        (
            &format!(r#"{{"load": {{"value": 95, "unit": "ns", "range": [100, 105], {rest}}}}}"#),
            "my.json: `mmio.load` = 95 ns is out of range, expected its own range 100 to 105",
        ),
    ] {
        assert_eq!(error_of(values), message);
    }
}

#[test]
fn does_a_file_that_is_no_profile_get_one_clear_error() {
    for (text, message) in [
        ("{", "my.json: not JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "my.json: `.` is a list, expected an object with a section per part"),
        ("{}", "my.json: `arch` is missing, expected a2a3 or a5"),
        (r#"{"arch": "a4"}"#, r#"my.json: `arch` is "a4", expected a2a3 or a5"#),
        (r#"{"arch": "a5", "inherits": 5}"#, "my.json: `inherits` is 5, expected the name of a profile, such as a2a3"),
        (
            r#"{"arch": "a2a3", "inherits": "910B"}"#,
            "my.json: `inherits`: no profile is named `910B`; the nearest is `910B1` (`npusim profiles list` names them all)",
        ),
    ] {
        assert_eq!(Profile::from_json("my.json", text).unwrap_err().to_string(), message);
    }
    assert_eq!(
        Profile::load("950pr_958X").unwrap_err().to_string(),
        "no profile is named `950pr_958X`; the nearest is `950PR_958x` (`npusim profiles list` names them all)"
    );
    assert_eq!("a4".parse::<Arch>().unwrap_err().to_string(), "no generation is named `a4`: there are a2a3 and a5");
}

/// The a2a3 profile after some `--set`.
fn with(texts: &[&str]) -> Result<Profile, ProfileError> {
    let overrides = texts.iter().map(|text| text.parse()).collect::<Result<Vec<Override>, _>>()?;
    load(Arch::A2a3).with_overrides(&overrides)
}

#[test]
fn does_an_override_replace_the_value_and_say_so() {
    let load = with(&["mmio.load=100ns"]).unwrap().mmio.load;
    assert_eq!(
        load,
        Sourced {
            value: SimDuration::from_ns(100),
            range: None,
            source: "--set".to_owned(),
            confidence: Confidence::Override,
            note: None,
        }
    );
}

#[test]
fn may_an_override_have_any_unit_that_fits_or_none() {
    let profile = with(&["hbm.capacity=8GiB", "topology.clusters = 8", "clock.aicore=1650 MHz"]).unwrap();
    assert_eq!((*profile.hbm.capacity, *profile.topology.clusters), (8 << 30, 8));
    assert_eq!(profile.aicore.bandwidth.as_bytes_per_s(), 128 * 1_650_000_000);
    let profile = with(&["mmio.load=0.2us", "host_link.launch=12", "aicore.setup=185cycle"]).unwrap();
    assert_eq!(
        [profile.mmio.load.as_ns(), profile.host_link.launch.as_ns(), profile.aicore.setup.as_ns()],
        [200, 12_000, 100]
    );
    let profile = with(&["registers.cond=0x4CC", "registers.fast_path_enable=none"]).unwrap();
    assert_eq!((*profile.registers.cond, *profile.registers.fast_path_enable), (0x4cc, None));
}

#[test]
fn does_the_later_of_two_overrides_count() {
    let profile = with(&["mmio.load=100ns", "mmio.load=200"]).unwrap();
    assert_eq!(*profile.mmio.load, SimDuration::from_ns(200));
    let again = profile.with_overrides(&["mmio.store=7".parse().unwrap()]).unwrap();
    assert_eq!((again.mmio.load.as_ns(), again.mmio.store.as_ns()), (200, 7));
}

#[test]
fn does_each_mistake_in_an_override_get_an_error_with_a_hint() {
    for (text, message) in [
        ("mmio.load", "`mmio.load` sets nothing: expected key=value, such as `mmio.load=100ns`"),
        ("=5", "`=5` sets nothing: expected key=value, such as `mmio.load=100ns`"),
        ("mimo.load=5", "--set: no key `mimo.load`; the nearest is `mmio.load`"),
        ("capacty=5GiB", "--set: no key `capacty`; the nearest is `hbm.capacity`"),
        (
            "mmio.load=fast",
            "--set: `mmio.load` is `fast`, expected a number with one of the key's units, such as `95ns`",
        ),
        (
            "mmio.load=1.2.3ns",
            "--set: `mmio.load` is `1.2.3ns`, expected a number with one of the key's units, such as `95ns`",
        ),
        (
            "mmio.load=5parsecs",
            "--set: `mmio.load` has the unit `parsecs`, expected a span of time in ps, ns, us, ms or s",
        ),
        (
            "hbm.capacity=64GB",
            "--set: `hbm.capacity` has the unit `GB`, expected an amount of memory in B, KiB, MiB or GiB",
        ),
        ("mmio.load=none", "--set: `mmio.load` is none, expected a span of time in ps, ns, us, ms or s"),
        ("mmio.load=0", "--set: `mmio.load` = 0 ns is out of range, expected a time above zero"),
        ("mmio.store=-1ns", "--set: `mmio.store` = -1 ns is out of range, expected a time from zero to 213 days"),
        (
            "mmio.store=1e9s",
            "--set: `mmio.store` = 1000000000 s is out of range, expected a time from zero to 213 days",
        ),
        ("clock.aicore=0GHz", "--set: `clock.aicore` = 0 GHz is out of range, expected a rate above zero"),
        (
            "hbm.read_bandwidth=0.1B/s",
            "--set: `hbm.read_bandwidth` = 0.1 B/s is out of range, expected a rate above zero",
        ),
        ("hbm.capacity=0", "--set: `hbm.capacity` = 0 GiB is out of range, expected a size above zero"),
        ("hbm.alignment=500", "--set: `hbm.alignment` = 500 B is out of range, expected a power of two"),
        ("topology.clusters=2.5", "--set: `topology.clusters` = 2.5 is out of range, expected a whole number from 1"),
        (
            "topology.clusters=1366",
            "--set: `topology.clusters` = 1366 is out of range, expected at most 4096 cores in all, 3 per cluster",
        ),
        (
            "topology.aicpu_active=7",
            "--set: `topology.aicpu_active` = 7 is out of range, expected at most topology.aicpu_launched, 6",
        ),
        (
            "topology.schedulers=4",
            "--set: `topology.schedulers` = 4 is out of range, expected less than topology.aicpu_active, 4: one thread orchestrates",
        ),
        (
            "registers.cond=0x4C9",
            "--set: `registers.cond` = 0x4c9 is out of range, expected a 32-bit offset divisible by 4",
        ),
        (
            "registers.block_size=0x400",
            "a2a3.json: `registers.cond` = 0x4c8 is out of range, expected less than registers.block_size, 0x400",
        ),
    ] {
        assert_eq!(with(&[text]).unwrap_err().to_string(), message);
    }
}

#[test]
fn does_an_entry_show_its_value_as_written() {
    let profile = load(Arch::A2a3);
    let entry = profile.entries().find(|entry| entry.path() == "aicpu.resolve_per_consumer").unwrap();
    assert_eq!((entry.value().as_str(), entry.range()), ("93.75 ns", None));
    let entry = profile.entries().find(|entry| entry.path() == "mmio.load").unwrap();
    assert_eq!(entry.range(), Some(("95 ns".to_owned(), "105 ns".to_owned())));
}
