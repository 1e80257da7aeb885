//! What watches the events of a run as they happen.

use std::sync::Arc;

use sim_core::actor::{ActorId, ActorKind};
use sim_core::trace::{EventKind, Observer, TraceEvent};

use super::pulse::Pulse;
use crate::report::statistics::StatisticsObserver;

/// Adds up the totals and shows that the run goes on. Clones share both.
#[derive(Clone)]
pub(super) struct RunObserver {
    pub(super) statistics: StatisticsObserver,
    pub(super) pulse: Arc<Pulse>,
}

impl Observer for RunObserver {
    fn actor(&mut self, id: ActorId, kind: ActorKind) {
        self.statistics.actor(id, kind);
    }

    fn event(&mut self, event: &TraceEvent) {
        if let EventKind::KernelEnd { .. } = event.kind {
            self.pulse.beat(event.time);
        }
        self.statistics.event(event);
    }
}
