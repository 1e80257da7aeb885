//! The comparison of two reports.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use sim_core::time::SimDuration;

use super::document::RunDocument;
use crate::report::attribution::Cause;

/// What a time belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The whole run.
    DeviceTime,
    /// A phase of the AICPU's work.
    Phase,
    /// A cause on the critical path.
    Cause,
    /// A kernel: all its runs together.
    Kernel,
    /// Kernel costs from one source.
    CostSource,
    /// A core's time in kernels; what an AICPU thread is charged for its tasks.
    Actor,
}

impl Group {
    /// All of them, in the order of tables.
    pub const ALL: [Group; 6] =
        [Group::DeviceTime, Group::Phase, Group::Cause, Group::Kernel, Group::CostSource, Group::Actor];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Group::DeviceTime => "device time",
            Group::Phase => "phase",
            Group::Cause => "cause on the critical path",
            Group::Kernel => "kernel",
            Group::CostSource => "kernel cost by source",
            Group::Actor => "actor",
        }
    }
}

/// One time in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it belongs to.
    pub group: Group,
    /// Which one.
    pub name: String,
    /// In the first report.
    #[serde(rename = "before_ps")]
    pub before: SimDuration,
    /// In the second one.
    #[serde(rename = "after_ps")]
    pub after: SimDuration,
    /// How much longer it takes, in percent; `null` if it took no time before.
    #[serde(rename = "percent", serialize_with = "percent")]
    pub rise: Rise,
}

/// How much longer something takes, in thousandths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rise {
    /// By so much; negative if it takes less.
    By(i128),
    /// It took no time before, and now does.
    New,
}

impl Rise {
    fn of(before: SimDuration, after: SimDuration) -> Rise {
        let (before, after) = (i128::from(before.as_ps()), i128::from(after.as_ps()));
        match before {
            0 if after == 0 => Rise::By(0),
            0 => Rise::New,
            before => Rise::By((after - before) * 100_000 / before),
        }
    }
}

fn percent<S: Serializer>(rise: &Rise, serializer: S) -> Result<S::Ok, S::Error> {
    match rise {
        Rise::By(thousandths) => serializer.serialize_f64(*thousandths as f64 / 1e3),
        Rise::New => serializer.serialize_none(),
    }
}

impl Change {
    fn new(group: Group, name: impl Into<String>, before: SimDuration, after: SimDuration) -> Self {
        Change { group, name: name.into(), before, after, rise: Rise::of(before, after) }
    }

    /// Whether it takes longer, by more than so many percent.
    pub fn is_slower_by(&self, threshold_percent: f64) -> bool {
        let (before, after) = (self.before.as_ps() as f64, self.after.as_ps() as f64);
        self.after > self.before && after - before > before * threshold_percent / 100.0
    }

    /// How much it has changed, whichever way.
    fn size(&self) -> u64 {
        self.before.as_ps().abs_diff(self.after.as_ps())
    }
}

/// Two reports, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Every time that is in either report: by group, the largest change first.
    pub changes: Vec<Change>,
}

impl Difference {
    /// Compares two reports, as far as both can say something.
    pub fn new(before: &RunDocument, after: &RunDocument) -> Self {
        let mut changes = vec![Change::new(Group::DeviceTime, "device time", before.device_time, after.device_time)];
        if let (Some(before), Some(after)) = (&before.phases, &after.phases) {
            let phases = [
                ("preamble", before.preamble, after.preamble),
                ("orchestration", before.orch, after.orch),
                ("scheduling", before.sched, after.sched),
                ("shutdown", before.post_orch, after.post_orch),
            ];
            changes.extend(phases.map(|(name, before, after)| Change::new(Group::Phase, name, before, after)));
        }
        if let (Some(before), Some(after)) = (&before.cost_sources, &after.cost_sources) {
            let sources = [
                ("table", before.table, after.table),
                ("pipes", before.pipes, after.pipes),
                ("roofline", before.roofline, after.roofline),
                ("default", before.default, after.default),
            ];
            changes.extend(
                sources.map(|(name, before, after)| Change::new(Group::CostSource, name, before.time, after.time)),
            );
        }
        if let (Some(before), Some(after)) = (&before.attribution, &after.attribution) {
            let causes = Cause::ALL.map(|cause| {
                let [before, after] = [before, after].map(|attribution| attribution.critical_path.of(cause));
                Change::new(Group::Cause, cause.name(), before, after)
            });
            changes.extend(causes);
            let kernels = [before, after].map(|attribution| {
                let kernels = attribution.kernels.iter();
                kernels.map(|kernel| (kernel.kernel.as_str(), SimDuration::from_ps(kernel.time_ps))).collect()
            });
            changes.extend(joined(Group::Kernel, kernels));
            let actors = [before, after].map(|attribution| {
                let busy =
                    |times: &crate::report::attribution::CauseTimes| times.of(Cause::Compute) + times.of(Cause::Memory);
                let cores = attribution.cores.iter().map(|core| (core.actor.as_str(), busy(&core.times)));
                let threads = attribution.threads.iter();
                let threads = threads.map(|thread| (thread.actor.as_str(), SimDuration::from_ps(thread.charged_ps)));
                cores.chain(threads).collect()
            });
            changes.extend(joined(Group::Actor, actors));
        }
        changes.sort_by(|one, other| {
            let key = |change: &Change| (change.group, Reverse(change.size()));
            key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
        });
        Difference { changes }
    }

    /// Whether the run takes longer by more than so many percent; `each`: or any part of it.
    pub fn is_slower_by(&self, threshold_percent: f64, each: bool) -> bool {
        let counted = self.changes.iter().filter(|change| each || change.group == Group::DeviceTime);
        counted.into_iter().any(|change| change.is_slower_by(threshold_percent))
    }
}

/// Times by name of two reports; one that a report does not have is no time there.
fn joined(group: Group, [before, after]: [BTreeMap<&str, SimDuration>; 2]) -> Vec<Change> {
    let mut both: BTreeMap<&str, [SimDuration; 2]> = BTreeMap::new();
    for (name, time) in before {
        both.entry(name).or_default()[0] = time;
    }
    for (name, time) in after {
        both.entry(name).or_default()[1] = time;
    }
    both.into_iter().map(|(name, [before, after])| Change::new(group, name, before, after)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn document(device_time: f64, orch: f64) -> RunDocument {
        let json = json!({
            "schema": 1, "case": "x", "arch": "a5", "runtime": "r", "device_time_ns": device_time,
            "phases": {"preamble_ns": 0, "orch_ns": orch, "sched_ns": 7, "post_orch_ns": 0}
        });
        RunDocument::parse(Path::new("x"), &serde_json::to_vec(&json).unwrap()).unwrap()
    }

    #[test]
    fn is_only_more_than_the_threshold_too_slow() {
        let slower = |after: f64, threshold| {
            Difference::new(&document(1000.0, 1.0), &document(after, 1.0)).is_slower_by(threshold, false)
        };
        assert!(!slower(1000.0, 0.0));
        assert!(!slower(999.0, 0.0));
        assert!(slower(1000.001, 0.0));
        assert!(!slower(1050.0, 5.0));
        assert!(slower(1050.001, 5.0));
    }

    #[test]
    fn does_a_part_count_only_when_each_counts() {
        let difference = Difference::new(&document(1000.0, 0.0), &document(1000.0, 2.0));
        assert!(!difference.is_slower_by(50.0, false));
        assert!(difference.is_slower_by(50.0, true));
        let orch = difference.changes.iter().find(|change| change.name == "orchestration").unwrap();
        assert_eq!(orch.rise, Rise::New);
    }

    #[test]
    fn is_what_one_report_lacks_no_time_there() {
        let ns = SimDuration::from_ns;
        let times = [BTreeMap::from([("a", ns(1)), ("b", ns(2))]), BTreeMap::from([("b", ns(3)), ("c", ns(4))])];
        let changes = joined(Group::Kernel, times);
        let expected = [("a", 1, 0), ("b", 2, 3), ("c", 0, 4)]
            .map(|(name, before, after)| Change::new(Group::Kernel, name, ns(before), ns(after)));
        assert_eq!(changes, expected);
        assert_eq!(
            changes.iter().map(|change| change.rise).collect::<Vec<_>>(),
            [Rise::By(-100_000), Rise::By(50_000), Rise::New]
        );
    }
}
