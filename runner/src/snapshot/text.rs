//! The text of a snapshot.

use std::collections::HashMap;
use std::fmt::{self, Write};

use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::ContentHash;

use crate::report::attribution::Cause;
use crate::report::explained::Explained;
use crate::report::names::{ProgramNames, TaskLabel};
use crate::report::summary::{DeviceFacts, RunSummary, Verdict};
use crate::report::timeline::{Execution, Timeline};

/// How a snapshot of this version begins.
pub(super) const FIRST_LINE: &str = "npusim snapshot 1";

/// How many executions are shown one by one.
const SHOWN_EXECUTIONS: usize = 24;

/// A snapshot of a run. Times are in nanoseconds, counted from the first event of the device where they are instants.
pub(super) fn text(summary: &RunSummary, explained: &Explained, names: &ProgramNames) -> String {
    let mut text = String::new();
    // A string takes all text.
    let _ = write(&mut text, summary, explained, names);
    text
}

fn write(text: &mut String, summary: &RunSummary, explained: &Explained, names: &ProgramNames) -> fmt::Result {
    let (run, attribution) = (&summary.run, &explained.attribution);
    writeln!(text, "{FIRST_LINE}")?;
    writeln!(text, "case             {} on {}, {}", run.case, run.arch, run.runtime)?;
    let golden = match run.golden.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Unchecked => "unchecked",
    };
    writeln!(text, "result           {golden}, exit {}", run.exit)?;
    if let Some(DeviceFacts::Whole(device)) = summary.simulated.as_ref().map(|simulated| &simulated.device) {
        writeln!(text, "tasks            {}, kernels {}", device.tasks, device.kernels)?;
        writeln!(text, "device time      {}", Ns(device.device_time))?;
        let phases = [
            ("preamble", device.phases.preamble),
            ("orchestration", device.phases.orch),
            ("scheduling", device.phases.sched),
            ("shutdown", device.phases.post_orch),
        ];
        for (name, time) in phases {
            writeln!(text, "  {name:<15}{}", Ns(time))?;
        }
    }
    writeln!(text, "critical path    {} kernels in {} steps", attribution.path_kernels, attribution.path_steps)?;
    for cause in Cause::ALL {
        writeln!(text, "  {:<15}{}", cause.name(), Ns(attribution.critical_path.of(cause)))?;
    }
    writeln!(text, "kernels")?;
    for kernel in &attribution.kernels {
        let [time, longest] = [kernel.time_ps, kernel.longest_ps].map(|ps| Ns(SimDuration::from_ps(ps)));
        writeln!(text, "  {:<14} {} runs, {time}, longest {longest}", kernel.kernel, kernel.count)?;
    }
    write_executions(text, explained, names)
}

fn write_executions(text: &mut String, explained: &Explained, names: &ProgramNames) -> fmt::Result {
    let timeline = &explained.timeline;
    let origin = explained.path.steps.first().map_or(SimTime::ZERO, |step| step.start);
    let actors: HashMap<u16, String> =
        timeline.cores().iter().filter_map(|kind| Some((kind.core()?, kind.to_string()))).collect();
    let asked_for: HashMap<u64, [i32; 3]> =
        timeline.submissions.iter().map(|submission| (submission.task, submission.kernels)).collect();
    let line = |execution: &Execution| {
        let kernels = asked_for.get(&execution.task).copied().unwrap_or([-1; 3]);
        let kernel = names.kernel(execution.kernel, kernels).unwrap_or("?");
        let actor = actors.get(&execution.core).map_or("?", String::as_str);
        let (start, task) = (Ns(execution.start.since(origin)), TaskLabel(execution.task).to_string());
        match execution.end {
            Some(end) => format!("{start} {actor} {task} {kernel} {}", Ns(end.since(execution.start))),
            None => format!("{start} {actor} {task} {kernel} never ended"),
        }
    };
    writeln!(text, "executions       start, core, task, kernel, duration")?;
    for execution in timeline.executions.iter().take(SHOWN_EXECUTIONS) {
        writeln!(text, "  {}", line(execution))?;
    }
    let more = timeline.executions.len().saturating_sub(SHOWN_EXECUTIONS);
    if more > 0 {
        writeln!(text, "  and {more} more; digest of all {}", digest(timeline, line))?;
    }
    Ok(())
}

/// A hash over the lines of all executions, in their order.
fn digest(timeline: &Timeline, line: impl Fn(&Execution) -> String) -> ContentHash {
    let all: u64 = timeline
        .executions
        .iter()
        .fold(0, |digest, execution| ContentHash::of(format!("{digest:016x} {}", line(execution)).as_bytes()).0);
    ContentHash(all)
}

/// Nanoseconds, exact to a picosecond.
struct Ns(SimDuration);

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ps() % 1000 {
            0 => write!(f, "{} ns", self.0.as_ns()),
            rest => write!(f, "{}.{rest:03} ns", self.0.as_ns()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn what_stands_in_a_snapshot() {
        let names = fixture::names();
        let explained = Explained::new(&fixture::trace(), &fixture::statistics(), &fixture::chip(), &names);
        insta::assert_snapshot!(text(&fixture::summary(), &explained, &names));
    }

    #[test]
    fn does_the_digest_see_the_last_of_many() {
        let digest_with = |last_end: u64| {
            let mut timeline = Timeline::default();
            let explained =
                Explained::new(&fixture::trace(), &fixture::statistics(), &fixture::chip(), &fixture::names());
            timeline.executions = explained.timeline.executions.repeat(20);
            timeline.executions.last_mut().unwrap().end = Some(SimTime::from_ps(last_end));
            digest(&timeline, |execution| format!("{execution:?}"))
        };
        assert_eq!(digest_with(8_000_000), digest_with(8_000_000));
        assert_ne!(digest_with(8_000_000), digest_with(8_000_001));
    }
}
