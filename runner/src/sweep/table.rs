//! A sweep on a terminal: a line for each point.

use std::fmt;

use sim_core::time::SimDuration;

use super::report::SweepReport;
use crate::report::attribution::Cause;
use crate::report::summary::Verdict;

/// A sweep as a table.
pub struct SweepTable<'a>(pub &'a SweepReport);

impl fmt::Display for SweepTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SweepReport { case, arch, runtime, axes, rows, .. } = self.0;
        writeln!(f, "{case} on {arch}, {runtime}")?;
        let with_causes = rows.iter().any(|row| row.critical_path.is_some());
        let mut header: Vec<String> = axes.iter().map(|axis| axis.key.clone()).collect();
        header.extend(["result", "device time", "tasks"].map(str::to_owned));
        if with_causes {
            header.extend(Cause::ALL.map(|cause| cause.name().to_owned()));
        }
        header.push("trace hash".to_owned());
        let mut lines = vec![header];
        for row in rows {
            let mut line = row.values.clone();
            line.push(match (row.exit, row.golden) {
                (0, Some(Verdict::Unchecked)) => "unchecked".to_owned(),
                (0, _) => "pass".to_owned(),
                _ => "FAIL".to_owned(),
            });
            let shown = |ps: u64| SimDuration::from_ps(ps).to_string();
            line.push(row.device.map_or("-".to_owned(), |device| shown(device.device_time_ps)));
            line.push(row.device.map_or("-".to_owned(), |device| device.tasks.to_string()));
            if with_causes {
                let times = Cause::ALL.map(|cause| row.critical_path.map(|times| times.of(cause).to_string()));
                line.extend(times.map(|time| time.unwrap_or_else(|| "-".to_owned())));
            }
            line.push(row.trace_hash.clone().unwrap_or_else(|| "-".to_owned()));
            lines.push(line);
        }
        write_columns(f, &lines)?;
        for row in rows {
            if let Some(complaint) = row.complaint() {
                writeln!(f, "{}: {complaint}", row.values.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Lines of equally many fields, each column as wide as its widest.
fn write_columns(f: &mut fmt::Formatter<'_>, lines: &[Vec<String>]) -> fmt::Result {
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(width).collect();
    for line in lines {
        let fields = line.iter().zip(&widths).map(|(field, width)| format!("{field:>width$}"));
        writeln!(f, "{}", fields.collect::<Vec<_>>().join("  "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn what_does_a_sweep_look_like_on_a_terminal() {
        insta::assert_snapshot!(SweepTable(&report()));
    }
}
