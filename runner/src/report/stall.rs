//! Who waits for what, for people: a deadlock of a hundred actors in a dozen lines.
//!
//! Actors that wait for the same thing in the same place share a line; what a core's own register holds is the same
//! thing for each of them. Small groups come first in their room: the one that differs is the one to look at.

use std::collections::BTreeMap;
use std::fmt;

use sim_core::actor::ActorKind;
use sim_core::time::SimTime;

use crate::device::error::{DeadlockReport, WaitingActor};

/// The most groups that have a line; with the head and the rest there are twelve lines.
const MOST_GROUPS: usize = 10;

/// A deadlock as a list of those who wait.
pub struct StallText<'a>(pub &'a DeadlockReport);

/// Where actors belong, in the order in which they are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    Host,
    Aicpu,
    Aicore,
    Thread,
}

impl Room {
    fn of(kind: ActorKind) -> Self {
        match kind {
            ActorKind::Host => Room::Host,
            ActorKind::Aicpu(_) => Room::Aicpu,
            ActorKind::Aic(_) | ActorKind::Aiv(_) => Room::Aicore,
            ActorKind::Thread(_) => Room::Thread,
        }
    }
}

/// Actors that wait for the same thing in the same place.
struct Group<'a> {
    room: Room,
    wait: String,
    actors: Vec<&'a WaitingActor>,
}

impl Group<'_> {
    /// When the first and the last of them began to wait.
    fn since(&self) -> (SimTime, SimTime) {
        let since = || self.actors.iter().map(|actor| actor.since);
        (since().min().unwrap_or_default(), since().max().unwrap_or_default())
    }
}

/// What an actor waits for; a core's own number is left out, so that cores which wait alike read alike.
fn wait_text(actor: &WaitingActor) -> String {
    match actor.kind.core() {
        Some(core) => actor.wait.replace(&format!(" of core {core},"), " of its own core,"),
        None => actor.wait.clone(),
    }
}

fn groups(actors: &[WaitingActor]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(Room, String, Option<String>), Vec<&WaitingActor>> = BTreeMap::new();
    for actor in actors {
        let place = actor.site.as_ref().map(|site| site.to_string());
        groups.entry((Room::of(actor.kind), wait_text(actor), place)).or_default().push(actor);
    }
    let mut groups: Vec<Group<'_>> =
        groups.into_iter().map(|((room, wait, _), actors)| Group { room, wait, actors }).collect();
    groups.sort_by_key(|group| (group.room, group.actors.len()));
    groups
}

impl fmt::Display for StallText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.0)?;
        let groups = groups(&self.0.actors);
        let shown = groups.len().min(MOST_GROUPS);
        groups[..shown].iter().try_for_each(|group| writeln!(f, "  {group}"))?;
        let rest = &groups[shown..];
        if !rest.is_empty() {
            let actors: usize = rest.iter().map(|group| group.actors.len()).sum();
            writeln!(f, "  and {actors} more actors that wait in {} other ways", rest.len())?;
        }
        Ok(())
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_actors(f, &self.actors)?;
        let (first, last) = self.since();
        write!(f, ": {}, since {first}", self.wait)?;
        if last > first {
            write!(f, " (the last since {last})")?;
        }
        match self.actors.first().and_then(|actor| actor.site.as_ref()) {
            Some(site) => write!(f, ", in {site}"),
            None => Ok(()),
        }
    }
}

/// `aiv3`, or `aic0-aic23, aiv25-aiv71 (71 actors)`: a few ranges at most, for a line has to fit a terminal.
fn write_actors(f: &mut fmt::Formatter<'_>, actors: &[&WaitingActor]) -> fmt::Result {
    const MOST_RANGES: usize = 4;
    let ranges = ranges(actors);
    for (index, (first, last)) in ranges.iter().take(MOST_RANGES).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        if first == last {
            write!(f, "{comma}{first}")?;
        } else {
            write!(f, "{comma}{first}-{last}")?;
        }
    }
    if ranges.len() > MOST_RANGES {
        f.write_str(", ...")?;
    }
    match actors.len() {
        1 => Ok(()),
        count => write!(f, " ({count} actors)"),
    }
}

/// Actors of one kind with successive numbers, as first and last.
fn ranges(actors: &[&WaitingActor]) -> Vec<(ActorKind, ActorKind)> {
    let mut kinds: Vec<ActorKind> = actors.iter().map(|actor| actor.kind).collect();
    kinds.sort_by_key(|kind| place_of(*kind));
    let mut ranges: Vec<(ActorKind, ActorKind)> = Vec::new();
    for kind in kinds {
        let (family, number) = place_of(kind);
        match ranges.last_mut() {
            Some((_, last)) if place_of(*last) == (family, number.wrapping_sub(1)) => *last = kind,
            _ => ranges.push((kind, kind)),
        }
    }
    ranges
}

/// The family of an actor and its number in it.
fn place_of(kind: ActorKind) -> (u8, u16) {
    match kind {
        ActorKind::Host => (0, 0),
        ActorKind::Aicpu(index) => (1, index),
        ActorKind::Aic(core) => (2, core),
        ActorKind::Aiv(core) => (3, core),
        ActorKind::Thread(index) => (4, index),
    }
}

#[cfg(test)]
mod tests {
    use sim_core::loader::loaded_object::CodeSite;

    use super::*;

    fn waiting(kind: ActorKind, since_us: u64, wait: &str, object: &str) -> WaitingActor {
        let site = CodeSite { object: object.into(), symbol: None, offset: 0x1a40 };
        WaitingActor { kind, since: SimTime::from_ns(since_us * 1000), wait: wait.into(), site: Some(site) }
    }

    fn idle(kind: ActorKind, since_us: u64) -> WaitingActor {
        let core = kind.core().unwrap();
        let wait = format!("polls register 0xa0 of core {core}, which holds 0x7fffffff");
        waiting(kind, since_us, &wait, "aicore.so")
    }

    fn report(actors: Vec<WaitingActor>) -> DeadlockReport {
        DeadlockReport { at: SimTime::from_ns(52_000), since: SimTime::from_ns(42_030), actors }
    }

    #[test]
    fn does_a_full_chip_with_one_lost_completion_fit_a_screen() {
        let mut actors = vec![waiting(ActorKind::Host, 0, "waits for the device to finish", "host.so")];
        actors.push(waiting(ActorKind::Aicpu(0), 42, "spins", "aicpu.so"));
        let lost = "polls register 0x4c8 of core 30, which holds 0x5";
        actors.push(waiting(ActorKind::Aicpu(1), 42, lost, "aicpu.so"));
        actors.extend((0..24).map(|core| idle(ActorKind::Aic(core), 3)));
        actors.extend((24..72).filter(|core| *core != 30).map(|core| idle(ActorKind::Aiv(core), 9)));
        actors.push(waiting(ActorKind::Aiv(30), 41, "waits for a mutex", "kernel_add.so"));
        insta::assert_snapshot!(StallText(&report(actors)));
    }

    #[test]
    fn is_a_core_with_another_value_in_its_register_shown_alone_and_first() {
        let mut actors: Vec<_> = (0..5).map(|core| idle(ActorKind::Aiv(core), 1)).collect();
        actors[3].wait = "polls register 0xa0 of core 3, which holds 0x7".into();
        let text = StallText(&report(actors)).to_string();
        let lines: Vec<_> = text.lines().skip(1).map(|line| line.split(": polls").next().unwrap()).collect();
        assert_eq!(lines, ["  aiv3", "  aiv0-aiv2, aiv4 (4 actors)"]);
    }

    #[test]
    fn do_actors_that_wait_in_different_places_share_a_line() {
        let mut actors: Vec<_> = (0..3).map(|index| waiting(ActorKind::Aicpu(index), 1, "spins", "aicpu.so")).collect();
        actors[2].site = None;
        let text = StallText(&report(actors)).to_string();
        let lines: Vec<_> = text.lines().skip(1).collect();
        let expected =
            ["  aicpu2: spins, since 1 us", "  aicpu0-aicpu1 (2 actors): spins, since 1 us, in aicpu.so+0x1a40"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn are_more_groups_than_lines_counted() {
        let actor = |index| waiting(ActorKind::Thread(index), 1, &format!("waits for {index:02}"), "x.so");
        let text = StallText(&report((0..15).map(actor).collect())).to_string();
        assert_eq!(text.lines().count(), 12);
        assert!(text.ends_with("  and 5 more actors that wait in 5 other ways\n"), "{text}");
    }
}
