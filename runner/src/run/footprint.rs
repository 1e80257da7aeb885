//! What this process holds of its host: to see what stays of devices that are gone.

use std::fs;
use std::io;

use serde::Serialize;

/// What the process holds, besides namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// File descriptors.
    pub fds: usize,
    /// Mappings of memory.
    pub mappings: usize,
    /// Memory that is resident.
    pub rss_bytes: u64,
}

/// {file} cannot be read: {error}
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub struct FootprintError {
    file: &'static str,
    error: io::Error,
}

impl Footprint {
    /// What it holds now.
    pub fn now() -> Result<Self, FootprintError> {
        let cannot_read = |file| move |error| FootprintError { file, error };
        let (fds, maps, status) = ("/proc/self/fd", "/proc/self/maps", "/proc/self/status");
        Ok(Footprint {
            fds: fs::read_dir(fds).map_err(cannot_read(fds))?.count(),
            mappings: fs::read_to_string(maps).map_err(cannot_read(maps))?.lines().count(),
            rss_bytes: rss_of(&fs::read_to_string(status).map_err(cannot_read(status))?),
        })
    }
}

/// The resident bytes that `/proc/self/status` names: `VmRSS:     1234 kB`.
fn rss_of(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_line_of_the_status_counts() {
        assert_eq!(rss_of("VmHWM:\t  999 kB\nVmRSS:\t  1234 kB\nRssAnon:\t 1 kB\n"), 1234 * 1024);
    }
}
