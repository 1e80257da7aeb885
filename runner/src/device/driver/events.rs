//! Events: places in streams that others wait for.
//!
//! Each record of an event is a place of its own. Whoever waits waits for the last one that was asked for by then; an
//! event that was never recorded has nothing to wait for.

use std::collections::BTreeSet;

use sim_core::time::SimTime;

use super::error::DriverError;
use super::handles::{HandleKind, Handles};

/// The events of a context.
pub(in crate::device) struct Events {
    events: Handles<Event>,
}

/// One event.
#[derive(Debug, Default)]
struct Event {
    /// How often it was recorded.
    records: u64,
    /// The records that their streams have not come to.
    pending: BTreeSet<u64>,
    /// The last record that a stream has come to, and when.
    reached: Option<(u64, SimTime)>,
    /// The stream of the last record.
    stream: u64,
    /// The host has been told nothing of the last record.
    news: bool,
    /// The host has destroyed it; it stays until its streams have come to all records.
    destroyed: bool,
}

/// One record of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) struct Mark {
    event: u64,
    record: u64,
}

impl Default for Events {
    fn default() -> Self {
        Events { events: Handles::new(HandleKind::Event) }
    }
}

impl Events {
    pub(in crate::device) fn create(&mut self) -> u64 {
        self.events.add(Event::default())
    }

    pub(in crate::device) fn destroy(&mut self, handle: u64) -> Result<(), DriverError> {
        let event = self.get_mut(handle)?;
        event.destroyed = true;
        if event.pending.is_empty() {
            self.events.remove(handle);
        }
        Ok(())
    }

    /// A new record, for `stream`.
    pub(in crate::device) fn record(&mut self, handle: u64, stream: u64) -> Result<Mark, DriverError> {
        let event = self.get_mut(handle)?;
        event.records += 1;
        event.pending.insert(event.records);
        (event.stream, event.news) = (stream, true);
        Ok(Mark { event: handle, record: event.records })
    }

    /// What a wait that is asked for now is for.
    pub(in crate::device) fn last(&self, handle: u64) -> Result<Mark, DriverError> {
        Ok(Mark { event: handle, record: self.get(handle)?.records })
    }

    /// Whether a stream has come to a record, or nobody will.
    pub(in crate::device) fn is_reached(&self, mark: Mark) -> bool {
        self.events.get(mark.event).is_none_or(|event| !event.pending.contains(&mark.record))
    }

    /// A stream has come to a record, or never will.
    pub(super) fn reach(&mut self, mark: Mark, at: SimTime) {
        let Some(event) = self.events.get_mut(mark.event) else { return };
        event.pending.remove(&mark.record);
        if event.reached.is_none_or(|(record, _)| record < mark.record) {
            event.reached = Some((mark.record, at));
        }
        if event.destroyed && event.pending.is_empty() {
            self.events.remove(mark.event);
        }
    }

    /// When a stream came to the last record.
    pub(in crate::device) fn reached_at(&self, handle: u64) -> Result<SimTime, DriverError> {
        let event = self.get(handle)?;
        let last = event.reached.filter(|(record, _)| *record == event.records);
        last.map(|(_, at)| at).ok_or(DriverError::NotRecorded { handle })
    }

    /// The stream of the last record, once for each: the host is told of it now.
    pub(in crate::device) fn take_news(&mut self, handle: u64) -> Result<Option<u64>, DriverError> {
        let event = self.get_mut(handle)?;
        Ok(std::mem::take(&mut event.news).then_some(event.stream))
    }

    pub(in crate::device) fn take_all(&mut self) {
        drop(self.events.take_all());
    }

    fn get(&self, handle: u64) -> Result<&Event, DriverError> {
        let event = self.events.get(handle).filter(|event| !event.destroyed);
        event.ok_or(DriverError::NoSuchHandle { kind: "event", handle })
    }

    fn get_mut(&mut self, handle: u64) -> Result<&mut Event, DriverError> {
        let event = self.events.get_mut(handle).filter(|event| !event.destroyed);
        event.ok_or(DriverError::NoSuchHandle { kind: "event", handle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: SimTime = SimTime::from_ns(7);

    #[test]
    fn is_a_wait_for_the_record_that_was_last_when_it_was_asked_for() {
        let mut events = Events::default();
        let event = events.create();
        let never = events.last(event).unwrap();
        assert!(events.is_reached(never), "nobody has recorded it");
        let first = events.record(event, 1).unwrap();
        let wait = events.last(event).unwrap();
        let second = events.record(event, 2).unwrap();
        assert!(!events.is_reached(wait));
        events.reach(first, AT);
        assert!(events.is_reached(wait) && !events.is_reached(events.last(event).unwrap()));
        assert!(events.reached_at(event).is_err(), "the last record has not been come to");
        events.reach(second, SimTime::from_ns(9));
        assert_eq!(events.reached_at(event).unwrap(), SimTime::from_ns(9));
        assert_eq!((events.take_news(event).unwrap(), events.take_news(event).unwrap()), (Some(2), None));
    }

    #[test]
    fn does_an_event_that_was_destroyed_still_hold_up_those_who_wait_for_it() {
        let mut events = Events::default();
        let event = events.create();
        let mark = events.record(event, 1).unwrap();
        events.destroy(event).unwrap();
        let codes = [events.destroy(event).err(), events.last(event).err()];
        assert_eq!(codes.map(|error| error.map(|error| error.code() as i32)), [Some(107_017); 2]);
        assert!(!events.is_reached(mark));
        events.reach(mark, AT);
        assert!(events.is_reached(mark));
        assert_eq!(events.events.len(), 0);
    }
}
