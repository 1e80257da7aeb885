//! Objects with random damage: whatever is in a file, reading it ends with an answer or an error.

use super::image::CodeImage;
use super::image_error::ImageError;
use super::preparation::Preparation;
use super::test_objects::{Language, shared_object};
use super::wait_loops;

/// A generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    /// A byte of the kinds that break readers most: extremes, single bits, and anything.
    fn damage(&mut self, byte: u8) -> u8 {
        match self.below(4) {
            0 => 0xff,
            1 => byte ^ 1 << self.below(8),
            2 => byte.wrapping_add(1),
            _ => self.below(256) as u8,
        }
    }
}

fn read_all(bytes: &[u8]) -> Result<(), ImageError> {
    let image = CodeImage::parse("damaged.so", bytes);
    let preparation = Preparation::of("damaged.so", bytes);
    let loops = wait_loops::find("damaged.so", bytes);
    if let Ok(preparation) = preparation {
        preparation.apply(&mut bytes.to_vec());
    }
    for error in [image.as_ref().err(), loops.as_ref().err()].into_iter().flatten() {
        assert!(error.to_string().starts_with("damaged.so: "), "{error}");
    }
    image?;
    loops?;
    Ok(())
}

#[test]
fn does_any_damage_to_an_object_end_in_an_answer_or_an_error() {
    let source = "#include <stdio.h>
        template <int N> struct Counter { static int value; };
        template <int N> int Counter<N>::value = N;
        thread_local int mine = 1;
        extern \"C\" int wait(volatile int *flag) { while (!*flag) {} return ++Counter<1>::value + ++mine; }
        extern \"C\" int talk() { return puts(\"x\"); }";
    let flags = ["-O2", "-fgnu-unique", "-Wl,-z,noseparate-code", "-Wl,--hash-style=both", "-Wl,-soname,d.so"];
    let original = shared_object(Language::Cxx, source, &flags);
    assert_eq!(read_all(&original), Ok(()));
    let mut numbers = Numbers(1);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = original.clone();
        // The tables are at both ends of the file; the middle is code and data.
        for _ in 0..=numbers.below(4) {
            let at = match numbers.below(4) {
                0 => numbers.below(0x400),
                1 => bytes.len() - 1 - numbers.below(0x900),
                _ => numbers.below(bytes.len()),
            };
            bytes[at] = numbers.damage(bytes[at]);
        }
        if numbers.below(8) == 0 {
            bytes.truncate(numbers.below(bytes.len()));
        }
        match read_all(&bytes) {
            Ok(()) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused + accepted, 20_000);
    assert!(refused > 2_000 && accepted > 2_000, "{refused} refused, {accepted} accepted");
}

#[test]
fn does_damage_to_each_byte_of_the_tables_end_in_an_answer_or_an_error() {
    let source = "int f(void) { return 1; }";
    let original = shared_object(Language::C, source, &["-nostdlib", "-s", "-Wl,-z,noseparate-code"]);
    for at in 0..original.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = original.clone();
            bytes[at] = value;
            let _ = read_all(&bytes);
        }
    }
}
