//! What a host process holds, and whether that stays the same.

/// Mappings that may come or go: heaps grow and shrink by whole mappings.
const MAPPINGS: u64 = 8;
/// Resident memory that may come, in KiB.
const RSS_KIB: u64 = 512;

/// What a process holds, as the host process prints it.
#[derive(Debug)]
pub(crate) struct Footprint {
    fds: u64,
    threads: u64,
    mappings: u64,
    rss_kib: u64,
}

impl Footprint {
    /// Of each line.
    pub(crate) fn parse_all(lines: &str) -> Vec<Self> {
        lines.lines().map(Footprint::parse).collect()
    }

    /// Once it has settled, a process stays as it is.
    #[track_caller]
    pub(crate) fn assert_steady(footprints: &[Self]) {
        let [settled, .., last] = footprints else { panic!("{footprints:?}") };
        assert_eq!((last.fds, last.threads), (settled.fds, settled.threads), "{footprints:?}");
        assert!(last.mappings.abs_diff(settled.mappings) <= MAPPINGS, "{footprints:?}");
        assert!(last.rss_kib < settled.rss_kib + RSS_KIB, "{footprints:?}");
    }

    /// From `round 100: fds 6 threads 3 mappings 230 rss_kib 8924`.
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let count = |name: &str| {
            let place = words.iter().position(|word| *word == name).unwrap_or_else(|| panic!("no {name}: {line}"));
            words[place + 1].parse().unwrap_or_else(|_| panic!("no number of {name}: {line}"))
        };
        Footprint {
            fds: count("fds"),
            threads: count("threads"),
            mappings: count("mappings"),
            rss_kib: count("rss_kib"),
        }
    }
}
