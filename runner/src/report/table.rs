//! The table on the terminal after a run: what most people want to know, in at most 15 lines.

use std::fmt;
use std::time::Duration;

use super::summary::{
    Artifacts, CoreLoad, DeviceFacts, DeviceSummary, EngineMode, Golden, RunSummary, SeenSummary, Simulated, Verdict,
};

/// A summary as a table.
pub struct SummaryTable<'a>(pub &'a RunSummary);

const LABEL_WIDTH: usize = 14;

/// A line of the table.
fn line(f: &mut fmt::Formatter<'_>, label: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{label:<LABEL_WIDTH$}{text}")
}

impl fmt::Display for SummaryTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunSummary { run, simulated, .. } = self.0;
        self.what_ran(f)?;
        match simulated.as_ref().map(|simulated| &simulated.device) {
            Some(DeviceFacts::Whole(device)) if run.engine.is_virtual() => whole_run(f, device)?,
            // Free-running threads have no virtual time: nothing that is derived from it is shown.
            Some(DeviceFacts::Whole(device)) => line(f, "tasks", format_args!("{}", device.tasks))?,
            Some(DeviceFacts::Seen(SeenSummary { kernels, device_time, cores, aicpus, .. })) => {
                line(f, "device time", format_args!("{device_time}"))?;
                line(f, "kernels", format_args!("{kernels}, on {cores} cores, by {aicpus} AICPU threads"))?;
            }
            None => {}
        }
        if let Some(Simulated { engine, .. }) = simulated {
            line(f, "loads", format_args!("{}", engine.loads))?;
        }
        self.identity(f)?;
        self.on_the_host(f)
    }
}

impl SummaryTable<'_> {
    fn what_ran(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.0.run;
        line(f, "case", format_args!("{} on {}, {}", run.case, run.arch, run.runtime))?;
        if let Some(Artifacts { runtime_dir, runtime_revision }) = &run.artifacts {
            line(f, "runtime", format_args!("{runtime_dir}, interface of {runtime_revision}"))?;
        }
        match &run.error {
            None => line(f, "golden", format_args!("{}", GoldenText(&run.golden))),
            Some(error) => {
                line(f, "golden", format_args!("not compared"))?;
                // The message may have many lines and was shown before; its first names the cause.
                line(f, "ended early", format_args!("{}", error.message.lines().next().unwrap_or_default()))
            }
        }
    }

    /// What tells this run from others.
    fn identity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.0.run;
        match run.trace_hash {
            Some(hash) => line(f, "trace hash", format_args!("{hash:016x}"))?,
            None if run.engine.is_virtual() => line(f, "trace hash", format_args!("none, there was no run"))?,
            None => line(f, "trace hash", format_args!("none, times came from the host"))?,
        }
        match &run.nondeterministic_because {
            Some(because) => line(f, "", format_args!("not the same every time: {because}")),
            None => Ok(()),
        }
    }

    fn on_the_host(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunSummary { run, simulated, .. } = self.0;
        let (mode, elapsed) = (engine_name(run.engine), Milliseconds(run.host_elapsed));
        let Some(Simulated { engine, .. }) = simulated else {
            line(f, "engine", format_args!("{mode}"))?;
            return line(f, "host time", format_args!("{elapsed}"));
        };
        line(f, "engine", format_args!("{mode}, {} workers", engine.workers))?;
        let (engine, kernels) = (Milliseconds(engine.engine_cpu), Milliseconds(engine.kernel_cpu));
        let rate = self.0.host_tasks_per_s().map(|rate| format!(", {} tasks per second", Rate(rate)));
        let rate = rate.unwrap_or_default();
        line(f, "host time", format_args!("{elapsed} ({engine} of engine CPU, {kernels} of kernel CPU){rate}"))
    }
}

/// Of a run whose runtime npusim knows.
fn whole_run(f: &mut fmt::Formatter<'_>, device: &DeviceSummary) -> fmt::Result {
    let phases = &device.phases;
    line(f, "device time", format_args!("{}", device.device_time))?;
    line(
        f,
        "phases",
        format_args!(
            "preamble {}, orchestration {}, scheduling {}, shutdown {}",
            phases.preamble, phases.orch, phases.sched, phases.post_orch
        ),
    )?;
    let rate = Rate(device.tasks_per_s);
    line(f, "tasks", format_args!("{}, {rate} per second of device time", device.tasks))?;
    for (label, core) in [("busiest core", device.busiest_core), ("idlest core", device.idlest_core)] {
        if let Some(core) = core {
            line(f, label, format_args!("{}", CoreText(core)))?;
        }
    }
    Ok(())
}

struct GoldenText<'a>(&'a Golden);

impl fmt::Display for GoldenText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Golden { verdict, worst_absolute, worst_relative } = self.0;
        let verdict = match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Unchecked => return f.write_str("not checked"),
        };
        write!(f, "{verdict}, worst error {worst_absolute:.3e} absolute, {worst_relative:.3e} relative")
    }
}

struct CoreText(CoreLoad);

impl fmt::Display for CoreText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CoreLoad { core, kernels, busy, utilisation } = &self.0;
        write!(f, "{core}: {kernels} kernels, busy {busy} ({:.1} %)", utilisation * 100.0)
    }
}

/// A rate in three digits: `333 k`.
struct Rate(f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rate if rate >= 1e6 => write!(f, "{:.2} M", rate / 1e6),
            rate if rate >= 1e3 => write!(f, "{:.1} k", rate / 1e3),
            rate => write!(f, "{rate:.1}"),
        }
    }
}

struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0.as_secs_f64() * 1e3)
    }
}

fn engine_name(engine: EngineMode) -> &'static str {
    match engine {
        EngineMode::Virtual => "virtual",
        EngineMode::Naive => "virtual with naive polling",
        EngineMode::Threads => "threads",
        EngineMode::Stock => "the stock simulator's own threads",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::report::tests::report as exec_report;
    use crate::report::fixture;
    use crate::report::summary::RunError;

    #[test]
    fn what_does_a_run_look_like_on_a_terminal() {
        insta::assert_snapshot!(SummaryTable(&fixture::summary()));
    }

    #[test]
    fn does_a_run_on_threads_show_virtual_times() {
        let mut summary = fixture::summary();
        summary.run.engine = EngineMode::Threads;
        summary.run.trace_hash = None;
        insta::assert_snapshot!(SummaryTable(&summary));
    }

    #[test]
    fn does_a_run_without_the_engine_show_what_only_the_engine_knows() {
        let mut summary = fixture::summary();
        summary.run.engine = EngineMode::Stock;
        summary.run.trace_hash = None;
        summary.run.artifacts = Some(Artifacts { runtime_dir: "lib/sim".into(), runtime_revision: "6ebaf771" });
        summary.simulated = None;
        insta::assert_snapshot!(SummaryTable(&summary));
    }

    #[test]
    fn what_is_shown_of_a_runtime_that_knows_nothing_of_npusim() {
        let mut summary = fixture::summary();
        summary.run.artifacts = Some(Artifacts { runtime_dir: "lib/sim".into(), runtime_revision: "6ebaf771" });
        summary.simulated = Simulated::of_reports(&[exec_report()]);
        insta::assert_snapshot!(SummaryTable(&summary));
    }

    #[test]
    fn is_it_said_why_the_hash_may_be_another_next_time() {
        let mut summary = fixture::summary();
        summary.run.nondeterministic_because = Some("the device waited".into());
        let table = SummaryTable(&summary).to_string();
        assert!(table.contains("\n              not the same every time: the device waited\nengine "), "{table}");
    }

    #[test]
    fn does_a_long_message_keep_the_table_short() {
        let mut summary = fixture::summary();
        summary.run.error = Some(RunError { message: "deadlock\n".repeat(20), device_code: None });
        let table = SummaryTable(&summary).to_string();
        assert_eq!(table.lines().count(), 12);
        assert!(table.contains("ended early   deadlock\n"), "{table}");
    }

    #[test]
    fn are_results_that_a_run_never_had_shown_as_wrong() {
        let mut summary = fixture::summary();
        summary.run.golden = Golden { verdict: Verdict::Fail, worst_absolute: f64::NAN, worst_relative: f64::NAN };
        let golden = |summary: &RunSummary| SummaryTable(summary).to_string().lines().nth(1).unwrap().to_owned();
        assert_eq!(golden(&summary), "golden        FAIL, worst error NaN absolute, NaN relative");
        summary.run.error = Some(RunError { message: "deadlock".into(), device_code: None });
        assert_eq!(golden(&summary), "golden        not compared");
    }

    #[test]
    fn are_rates_shown_in_few_digits() {
        assert_eq!([0.5, 1_234.0, 1_300_000.0].map(|rate| Rate(rate).to_string()), ["0.5", "1.2 k", "1.30 M"]);
    }
}
