//! The attribution on a terminal.

use std::fmt;

use sim_core::time::SimDuration;

use super::{Attribution, Cause};

/// How many kernels are shown.
const SHOWN_KERNELS: usize = 10;

/// An attribution as a table.
pub struct AttributionTable<'a>(pub &'a Attribution);

impl fmt::Display for AttributionTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attribution { critical_path, core_time, cores, kernels, path_kernels, path_steps, .. } = self.0;
        let (on_path, in_cores) = (critical_path.total(), core_time.total());
        writeln!(
            f,
            "{:<12} {:>14} {:>9}   {:>16}",
            "cause",
            "critical path",
            "share",
            CoreCount(cores.len()).to_string()
        )?;
        for cause in Cause::ALL {
            let (time, share) = (critical_path.of(cause).to_string(), Percent(critical_path.of(cause), on_path));
            let of_cores = Percent(core_time.of(cause), in_cores);
            writeln!(f, "{:<12} {time:>14} {:>9}   {:>16}", cause.name(), share.to_string(), of_cores.to_string())?;
        }
        let total = Percent(on_path, on_path).to_string();
        writeln!(f, "{:<12} {:>14} {total:>9}   {:>16}", "device time", on_path.to_string(), in_cores.to_string())?;
        writeln!(f, "{path_kernels} kernels in {path_steps} steps on the critical path")?;
        let width = kernels.iter().take(SHOWN_KERNELS).map(|kernel| kernel.kernel.len()).max().unwrap_or(0).max(12);
        writeln!(f, "{:<width$} {:>8} {:>14} {:>14}   cost from", "kernel", "runs", "time", "on path")?;
        for kernel in kernels.iter().take(SHOWN_KERNELS) {
            let [time, on_path] = [kernel.time_ps, kernel.path_ps].map(|ps| SimDuration::from_ps(ps).to_string());
            let sources: Vec<String> = match kernel.sources.named().as_slice() {
                [(only, _)] => vec![(*only).to_owned()],
                several => several.iter().map(|(source, count)| format!("{source} {count}")).collect(),
            };
            let (name, count) = (&kernel.kernel, kernel.count);
            writeln!(f, "{name:<width$} {count:>8} {time:>14} {on_path:>14}   {}", sources.join(", "))?;
        }
        match kernels.len().saturating_sub(SHOWN_KERNELS) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more kernels"),
        }
    }
}

struct CoreCount(usize);

impl fmt::Display for CoreCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 core"),
            count => write!(f, "{count} cores"),
        }
    }
}

/// A part of a whole.
struct Percent(SimDuration, SimDuration);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.1.as_ps();
        let share = if whole == 0 { 0.0 } else { self.0.as_ps() as f64 / whole as f64 * 100.0 };
        write!(f, "{share:.1} %")
    }
}
