//! The joined events of a run, with where its time went: what all views of the events are made of.

use sim_core::trace::Trace;

use super::attribution::{Attribution, CriticalPath};
use super::chip::ChipDescription;
use super::names::ProgramNames;
use super::statistics::RunStatistics;
use super::timeline::Timeline;

/// A run's events, joined and explained.
pub struct Explained {
    /// The events.
    pub timeline: Timeline,
    /// What decided how long the run took.
    pub path: CriticalPath,
    /// Where the time went.
    pub attribution: Attribution,
}

impl Explained {
    /// Joins and explains the kept events of `trace`.
    pub fn new(trace: &Trace, statistics: &RunStatistics, chip: &ChipDescription, names: &ProgramNames) -> Self {
        let timeline = Timeline::of_trace(trace, chip);
        let window = statistics.window();
        let path = CriticalPath::of(&timeline, window, chip);
        let attribution = Attribution::new(&timeline, &path, window, chip, names);
        Explained { timeline, path, attribution }
    }
}
