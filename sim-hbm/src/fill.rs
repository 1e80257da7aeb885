//! What memory holds that nobody has written: the fill policy and the pattern behind it.
//!
//! Memory of a real device holds whatever was there before. A simulator that always hands out zeros hides reads of
//! memory that was never initialised; one that hands out its own old bytes makes them fail now and then. A pattern
//! makes them fail always, and in the same way.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::str::FromStr;

use mmap_rs::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use serde::{Serialize, Serializer};

use crate::error::HbmError;

/// What fresh and freed device memory holds.
///
/// As text: `zero`, `poison`, `random:SEED` or `sparse:SEED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FillPolicy {
    /// Zeros.
    Zero,
    /// At every address that is a multiple of four one of three words, little-endian, picked by the address alone:
    /// `0xdeadbeef` at half of them, which is negative; `0x5eadbeef` at a quarter, which is positive; zero at a quarter.
    /// What nobody has set hence has either sign somewhere and is unset elsewhere: a count that is negative is often
    /// skipped, and a lock that is free when zero hides what it guards unless it is zero. Two of them are never the
    /// address of anything, so that following one faults; as a float they are ∓6.3e18.
    #[default]
    Poison,
    /// At every address that is a multiple of eight, a little-endian word made from the seed and the address alone, so
    /// that it does not depend on the order of allocations: SplitMix64's output number `(address mod 8 MiB) / 8` for
    /// this seed. It hence repeats every 8 MiB.
    Random {
        /// The seed.
        seed: u64,
    },
    /// The words of [`FillPolicy::Random`], but every other half of one, picked by the address, is zero: as memory is
    /// that somebody has used. As poison, it shows what a stale lock guards that is free when zero; other seeds show it
    /// at other places.
    Sparse {
        /// The seed.
        seed: u64,
    },
}

/// `{text}` is not a fill policy: write `zero`, `poison`, `random:SEED` or `sparse:SEED`, with a whole number below 2^64 for SEED
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct ParseFillPolicyError {
    /// The text.
    pub text: String,
}

impl FromStr for FillPolicy {
    type Err = ParseFillPolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseFillPolicyError { text: text.to_owned() };
        match text {
            "zero" => Ok(FillPolicy::Zero),
            "poison" => Ok(FillPolicy::Poison),
            _ => {
                let (pattern, seed) = text.split_once(':').ok_or_else(error)?;
                let seed = seed.parse().map_err(|_| error())?;
                match pattern {
                    "random" => Ok(FillPolicy::Random { seed }),
                    "sparse" => Ok(FillPolicy::Sparse { seed }),
                    _ => Err(error()),
                }
            }
        }
    }
}

impl fmt::Display for FillPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FillPolicy::Zero => f.write_str("zero"),
            FillPolicy::Poison => f.write_str("poison"),
            FillPolicy::Random { seed } => write!(f, "random:{seed}"),
            FillPolicy::Sparse { seed } => write!(f, "sparse:{seed}"),
        }
    }
}

impl Serialize for FillPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FillPolicy {
    /// The eight bytes at `address`, a multiple of eight.
    fn word_at(self, address: u64) -> [u8; 8] {
        let index = address % FillPattern::LENGTH / 8;
        let word = match self {
            FillPolicy::Zero => 0,
            FillPolicy::Poison => poison(2 * index) | poison(2 * index + 1) << 32,
            FillPolicy::Random { seed } => split_mix_64(seed, index),
            FillPolicy::Sparse { seed } => split_mix_64(seed, index) & kept_halves(seed, index),
        };
        word.to_le_bytes()
    }
}

/// Picks the words of poison. Of the numbers below 60 it is one of three with which the words that decide about it are
/// such that the one stale list that is known in a published runtime is found, on both generations.
const POISON_SEED: u64 = 42;

/// Word number `index` of the poison.
fn poison(index: u64) -> u64 {
    const NEGATIVE: u64 = 0xdead_beef;
    const POSITIVE: u64 = 0x5ead_beef;
    [NEGATIVE, POSITIVE, NEGATIVE, 0][(split_mix_64(POISON_SEED, index) >> 62) as usize]
}

/// Which of the two halves of the word `index` are not zero: none, one or both, each as often as any other.
fn kept_halves(seed: u64, index: u64) -> u64 {
    const LOW: u64 = 0xffff_ffff;
    [0, LOW, !LOW, !0][(split_mix_64(!seed, index) >> 62) as usize]
}

/// Output number `index` of SplitMix64 with this seed.
fn split_mix_64(seed: u64, index: u64) -> u64 {
    let state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index.wrapping_add(1)));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One period of the fill, in a file in memory that is mapped copy-on-write wherever device memory is committed.
///
/// Memory is thus filled without being touched: a gibibyte of poison costs 128 mappings and no page. (Writing it out
/// costs 0.5 s and the gibibyte; a first write to a page costs the same either way.) The period trades the time to
/// write the file once, 2.3 ms here, against the number of mappings, of which a process has 65,530: 144 GiB take
/// 18,432.
#[derive(Debug)]
pub(crate) struct FillPattern {
    file: File,
    bytes: Mmap,
}

impl FillPattern {
    /// The period of the fill.
    pub(crate) const LENGTH: u64 = 8 << 20;

    /// Writes the pattern of `policy`. The file is sealed: nothing can change what free memory holds.
    pub(crate) fn new(policy: FillPolicy) -> Result<Self, HbmError> {
        let mut file = File::from(create_memfd().map_err(|error| pattern_error(error.into()))?);
        let mut part = vec![0; 64 << 10];
        for start in (0..Self::LENGTH).step_by(part.len()) {
            for (address, word) in (start..).step_by(8).zip(part.chunks_exact_mut(8)) {
                word.copy_from_slice(&policy.word_at(address));
            }
            file.write_all(&part).map_err(pattern_error)?;
        }
        seal(&file).map_err(|error| pattern_error(error.into()))?;
        let bytes = MmapOptions::new(Self::LENGTH as usize)
            // SAFETY: the file is sealed and this big, so that no mapping of it ever changes or loses pages.
            .and_then(|options| unsafe { options.with_file(&file, 0) }.map())
            .map_err(|error| HbmError::Pattern { cause: error.into() })?;
        Ok(FillPattern { file, bytes })
    }

    /// The file that holds the pattern.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What `address` and up to `length` bytes behind it hold; at least one byte, and no more than to the end of the
    /// period.
    pub(crate) fn bytes_at(&self, address: u64, length: NonZeroUsize) -> &[u8] {
        let rest = &self.bytes[(address % Self::LENGTH) as usize..];
        &rest[..length.get().min(rest.len())]
    }
}

/// A file in memory that nobody can execute where the kernel knows of that (6.3 and later).
fn create_memfd() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    memfd_create("npusim-hbm-fill", flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create("npusim-hbm-fill", flags))
}

/// How often a file that is busy is sealed again.
const SEALING_ATTEMPTS: u32 = 50;

/// Seals a file that nobody else knows. The kernel refuses that while it still holds pages of the file itself, on their
/// way to its lists, which on a busy machine takes a while (it waits some 0.2 s by itself).
fn seal(file: &File) -> rustix::io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    for _ in 1..SEALING_ATTEMPTS {
        match fcntl_add_seals(file, seals) {
            Err(Errno::BUSY) => std::thread::yield_now(),
            done => return done,
        }
    }
    fcntl_add_seals(file, seals)
}

fn pattern_error(error: std::io::Error) -> HbmError {
    HbmError::Pattern { cause: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_policy_read_back_as_it_is_shown() {
        let seed = u64::MAX;
        for policy in [FillPolicy::Zero, FillPolicy::Poison, FillPolicy::Random { seed }, FillPolicy::Sparse { seed }] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!("random:42".parse(), Ok(FillPolicy::Random { seed: 42 }));
    }

    #[test]
    fn is_any_other_text_refused_with_what_could_be_written() {
        for text in ["", "Zero", "random", "random:", "random:-1", "sparse:18446744073709551616", "poison ", "stale:1"]
        {
            assert_eq!(
                text.parse::<FillPolicy>().unwrap_err().to_string(),
                format!(
                    "`{text}` is not a fill policy: write `zero`, `poison`, `random:SEED` or `sparse:SEED`, with a \
                     whole number below 2^64 for SEED"
                )
            );
        }
    }

    #[test]
    fn is_poison_negative_at_half_of_all_words_and_positive_or_zero_at_the_others() {
        let words = (0..1 << 20).step_by(8).map(|address| FillPolicy::Poison.word_at(address));
        let mut counts = [0; 3];
        for half in words.flat_map(|[a, b, c, d, e, f, g, h]| [[a, b, c, d], [e, f, g, h]]) {
            let known = [0xdead_beef_u32, 0x5ead_beef, 0].map(u32::to_le_bytes);
            counts[known.iter().position(|word| *word == half).expect("no other word")] += 1;
        }
        assert_eq!(counts, [131_157, 65_873, 65_114]);
    }

    #[test]
    fn is_the_random_fill_the_published_split_mix_64() {
        // The first outputs for seed 1234567, as the generator's reference implementation prints them.
        let words = [0, 8, 16].map(|address| FillPolicy::Random { seed: 1_234_567 }.word_at(address));
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(words, expected.map(u64::to_le_bytes));
    }

    #[test]
    fn is_half_of_the_sparse_fill_zero_and_the_other_half_the_random_one() {
        let (sparse, random) = (FillPolicy::Sparse { seed: 3 }, FillPolicy::Random { seed: 3 });
        let halves = |policy: FillPolicy| {
            let words = (0..1 << 20).step_by(8).map(move |address| policy.word_at(address));
            words.flat_map(|[a, b, c, d, e, f, g, h]| [[a, b, c, d], [e, f, g, h]])
        };
        let zeros = halves(sparse).filter(|half| *half == [0; 4]).count();
        assert_eq!(zeros, 130_741, "of {}", halves(sparse).count());
        assert!(halves(sparse).zip(halves(random)).all(|(sparse, random)| sparse == [0; 4] || sparse == random));
    }

    #[test]
    fn does_the_pattern_hold_the_policys_words_and_end_with_the_period() {
        let policy = FillPolicy::Random { seed: 7 };
        let pattern = FillPattern::new(policy).unwrap();
        let length = NonZeroUsize::new(4096).unwrap();
        for address in [0, 0x1_0008, FillPattern::LENGTH - 8, 5 * FillPattern::LENGTH + 0x7_fff0] {
            assert_eq!(pattern.bytes_at(address, length)[..8], policy.word_at(address), "{address:#x}");
        }
        assert_eq!(pattern.bytes_at(FillPattern::LENGTH - 8, length).len(), 8);
    }
}
