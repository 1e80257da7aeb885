//! What a host's driver does beside launching: it waits for the end of some of what it launched, for so long at most,
//! and ends the device's work when a task takes too long.

use super::current_actor::CurrentActor;
use super::fault::{EndedBy, Fault, Overdue};
use super::state::Status;
use super::wait::Wait;
use super::{ANY_END_KEY, HOST};
use crate::actor::ActorId;
use crate::time::{SimDuration, SimTime};

impl CurrentActor<'_> {
    /// Whether `other` has ended, by itself or with the device's work.
    pub fn has_ended(&self, other: ActorId) -> bool {
        let state = self.engine().state.borrow();
        state.actors.get(other.0 as usize).is_none_or(|actor| matches!(actor.status, Status::Ended(_)))
    }

    /// Blocks until any actor has ended, the device's work has failed, or `deadline` has come. `true` if it was the
    /// deadline. Whoever waits for one actor has to look whether it was that one.
    pub fn wait_for_an_end(&self, deadline: SimTime) -> bool {
        self.block_until(Wait::Completion, ANY_END_KEY, Some(deadline), 0)
    }

    /// Ends the device's work because of a task that has `taken` so long, and of which `late` had not ended. This comes
    /// back to the host alone: a thread that the host has made ends with the device's work, as all of them do.
    pub fn end_task(&self, late: ActorId, taken: SimDuration, by: EndedBy) {
        let state = self.engine().state.borrow();
        let (kind, caller) = (state.actor(late).kind, state.actor(late).caller);
        drop(state);
        let fault = Fault::Overdue(Overdue { actor: late, kind, at: self.now(), taken, by, caller });
        if self.id() == HOST {
            self.engine().fail(fault);
        } else {
            // An actor cannot be abandoned while it runs.
            self.give_up(fault)
        }
    }
}
