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
