//! Parts of one task on the cores of a cluster that hand tiles to each other.
//!
//! Such a part has no time of its own: when it ends depends on when the others begin, and on what they do. All of that is
//! known, and nobody has computed anything yet, once every core has begun whose flags the part waits for, directly or
//! because another one does (its *circle*). So the life of a part is:
//!
//! ```text
//! take_seat ──► gather ──────────► looked up ──► its body runs, if anything  ──► computed ──────► its time passes ──► leave
//!               until all of its   what it asks  is computed: on its fiber,      until all of
//!               circle have begun  of the memory waiting for flags in no time    its circle have
//! ```
//!
//! Between begin and the end that is computed lies no other virtual time than waiting for cores to begin. Where several
//! parts go on at the same time they do so in the order of their cores, whether anything is computed or not: times must
//! not depend on that.
//!
//! A part ends no sooner than the last of its circle begins. One that waits for nobody knows its time at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::actor::ActorKind;
use sim_core::engine::{CurrentActor, Wait};
use sim_core::profile::Bandwidth;
use sim_core::time::{SimDuration, SimTime};

use crate::array::CoreArray;
use crate::pipes::cluster::{Role, Stuck, Together};
use crate::pipes::library::{KnownProgram, Member, ProgramLibrary};
use crate::pipes::{L2Share, MemoryRates};

/// The tasks whose parts hand tiles to each other.
#[derive(Default)]
pub struct Clusters {
    groups: RefCell<BTreeMap<GroupKey, Rc<Group>>>,
    /// Who is at work, by physical core id.
    seats: RefCell<BTreeMap<u16, Rc<Seat>>>,
}

/// A task on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    cluster: u16,
    task: u64,
    block: i32,
}

/// The parts of a task.
#[derive(Default)]
struct Group {
    parts: RefCell<[Option<Part>; Role::COUNT]>,
    /// Flags that the bodies have raised and not taken down, by sender, receiver and number.
    flags: RefCell<BTreeMap<(Role, Role, u16), u32>>,
}

struct Part {
    program: Rc<KnownProgram>,
    begin: SimTime,
    share: MemoryShare,
    phase: Phase,
}

/// How far a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Begun,
    Computed,
    Ended,
}

/// The most that a part gets of the memory: what only its core limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryShare {
    /// For reads and for writes; none: it moves nothing.
    pub most: Option<Bandwidth>,
    /// How much of what it reads comes from the L2.
    pub through: L2Share,
}

/// So many parts of the most are what [`Seat::rest`] is asked in.
pub const WHOLE: u64 = 16;

impl MemoryShare {
    /// The rates of so many sixteenths of it.
    fn rates(&self, sixteenths: u64) -> MemoryRates {
        let rate = |most: Bandwidth| match sixteenths {
            WHOLE => most,
            part => Bandwidth::from_bytes_per_s((most.as_bytes_per_s() / WHOLE * part).max(1)).unwrap_or(most),
        };
        let rate = self.most.map(rate);
        MemoryRates { read: rate, write: rate, through: Some(self.through) }
    }
}

/// A core that does its part of a task.
pub struct Seat {
    key: GroupKey,
    role: Role,
    array: CoreArray,
    core: u16,
    group: Rc<Group>,
    caller: Cell<usize>,
}

/// Parts of a task that wait for each other in vain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WaitInVain {
    stuck: Vec<Stuck>,
    ended: [bool; Role::COUNT],
}

impl std::fmt::Display for WaitInVain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the cores of its cluster cannot go on: ")?;
        for (index, stuck) in self.stuck.iter().enumerate() {
            write!(f, "{}{stuck}", if index == 0 { "" } else { "; " })?;
            if self.ended[stuck.peer.index()] {
                f.write_str(", which ends without it")?;
            }
        }
        Ok(())
    }
}

impl Clusters {
    /// A launch begins: nobody is at work.
    pub fn begin(&self) {
        self.groups.borrow_mut().clear();
        self.seats.borrow_mut().clear();
    }

    /// The actor's core begins its part of block `block` of `task`, which does what `program` says.
    pub fn take_seat(
        &self,
        actor: &CurrentActor<'_>,
        array: CoreArray,
        (core, task, block): (u16, u64, i32),
        program: &Rc<KnownProgram>,
        caller: usize,
    ) -> Rc<Seat> {
        let (cluster, role) = array.place(core);
        let key = GroupKey { cluster, task, block };
        let mut groups = self.groups.borrow_mut();
        let group = groups.entry(key).or_default();
        if group.parts.borrow()[role.index()].is_some() {
            // Another task of the same number: what is left of the one before has nothing to do with it.
            *group = Rc::default();
        }
        let (begin, share, phase) = (actor.now(), MemoryShare::default(), Phase::Begun);
        group.parts.borrow_mut()[role.index()] = Some(Part { program: Rc::clone(program), begin, share, phase });
        let seat = Rc::new(Seat { key, role, array, core, group: Rc::clone(group), caller: Cell::new(caller) });
        drop(groups);
        self.seats.borrow_mut().insert(core, Rc::clone(&seat));
        actor.wake(seat.group.key(), u32::MAX);
        seat
    }

    /// The seat of a core that is at work.
    pub fn seat_of(&self, core: u16) -> Option<Rc<Seat>> {
        self.seats.borrow().get(&core).map(Rc::clone)
    }

    /// The part has ended. With the last of its task, all that is known of it goes.
    pub fn leave(&self, seat: &Seat) {
        self.seats.borrow_mut().remove(&seat.core);
        seat.group.set_phase(seat.role, Phase::Ended);
        let mut groups = self.groups.borrow_mut();
        let is_current = groups.get(&seat.key).is_some_and(|group| Rc::ptr_eq(group, &seat.group));
        if is_current && seat.group.is_over() {
            groups.remove(&seat.key);
        }
    }
}

impl Group {
    /// What actors wait for that wait for others of the group.
    fn key(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    fn phase(&self, role: Role) -> Option<Phase> {
        self.parts.borrow()[role.index()].as_ref().map(|part| part.phase)
    }

    fn set_phase(&self, role: Role, phase: Phase) {
        if let Some(part) = &mut self.parts.borrow_mut()[role.index()] {
            part.phase = phase;
        }
    }

    /// The first of the circle of `role` that is not as far as `phase`; those that wait for nobody are a circle alone.
    fn missing(&self, role: Role, phase: Phase) -> Option<Role> {
        self.circle(role).into_iter().find(|other| self.phase(*other).is_none_or(|reached| reached < phase))
    }

    /// Those that `role` waits for, directly or not, as far as is known, and itself.
    fn circle(&self, role: Role) -> Vec<Role> {
        let parts = self.parts.borrow();
        let mut circle = vec![role];
        let mut at = 0;
        while let Some(part) = circle.get(at).map(|role| &parts[role.index()]) {
            let waits_for = part.iter().flat_map(|part| &part.program.waits_for);
            let more: Vec<Role> = waits_for.copied().filter(|other| !circle.contains(other)).collect();
            circle.extend(more);
            at += 1;
        }
        circle.sort_unstable();
        circle
    }

    /// Whether all have ended that any of them has to do with.
    fn is_over(&self) -> bool {
        let parts = self.parts.borrow();
        let has_ended = |role: &Role| parts[role.index()].as_ref().is_some_and(|part| part.phase == Phase::Ended);
        Role::ALL.iter().all(|role| match &parts[role.index()] {
            Some(part) => part.phase == Phase::Ended && part.program.peers.iter().all(has_ended),
            None => true,
        })
    }

    /// How the circle of `role` goes if each gets so much of the memory.
    fn together(&self, role: Role, library: &ProgramLibrary, rates: impl Fn(&MemoryShare) -> MemoryRates) -> Together {
        let parts = self.parts.borrow();
        let member = |role: Role| {
            let part = parts[role.index()].as_ref()?;
            let (program, begin, rates) = (Rc::clone(&part.program), part.begin, rates(&part.share));
            Some(Member { role, program, begin, rates })
        };
        let members: Vec<Member> = self.circle(role).into_iter().filter_map(member).collect();
        library.together(&members)
    }
}

impl Seat {
    /// Waits until all of its circle have begun. `Err`: it would never come to its end.
    pub fn gather(&self, actor: &CurrentActor<'_>, library: &RefCell<ProgramLibrary>) -> Result<(), WaitInVain> {
        self.wait_for_circle(actor, Phase::Begun);
        let together = self.group.together(self.role, &library.borrow(), |_| MemoryRates::alone());
        match together.ends[self.role.index()] {
            Some(_) => Ok(()),
            None => Err(WaitInVain { ended: together.ends.map(|end| end.is_some()), stuck: together.stuck }),
        }
    }

    /// What it gets of the memory at most.
    pub fn looked_up(&self, share: MemoryShare) {
        if let Some(part) = &mut self.group.parts.borrow_mut()[self.role.index()] {
            part.share = share;
        }
    }

    /// Its body has run, or there was nothing to run: waits until the same is true of all of its circle.
    pub fn computed(&self, actor: &CurrentActor<'_>) {
        self.group.set_phase(self.role, Phase::Computed);
        actor.wake(self.group.key(), u32::MAX);
        self.wait_for_circle(actor, Phase::Computed);
    }

    /// How long it takes from `now` on if it and those it waits for get so many sixteenths of the memory.
    pub fn rest(&self, library: &ProgramLibrary, sixteenths: u64, now: SimTime) -> SimDuration {
        let together = self.group.together(self.role, library, |share| share.rates(sixteenths));
        // That it comes to an end was seen when it gathered.
        together.ends[self.role.index()].unwrap_or(now).max(now).since(now)
    }

    fn wait_for_circle(&self, actor: &CurrentActor<'_>, phase: Phase) {
        while let Some(role) = self.group.missing(self.role, phase) {
            actor.block(Wait::Part(self.core_of(role)), self.group.key(), self.caller.get());
        }
        // Those that were woken at the same time go first if their cores come first.
        actor.look(SimDuration::ZERO, self.caller.get());
    }

    fn core_of(&self, role: Role) -> ActorKind {
        self.array.core_of(self.key.cluster, role)
    }

    /// The body raises a flag for `peer`.
    pub fn set(&self, actor: &CurrentActor<'_>, peer: Role, flag: u16) {
        *self.group.flags.borrow_mut().entry((self.role, peer, flag)).or_default() += 1;
        actor.wake(self.group.key(), u32::MAX);
    }

    /// The body waits for a flag of `peer` and takes it down.
    pub fn wait(&self, actor: &CurrentActor<'_>, peer: Role, flag: u16, caller: usize) {
        while !self.group.take(peer, self.role, flag) {
            actor.block(Wait::CrossFlag { peer: self.core_of(peer), flag }, self.group.key(), caller);
        }
    }
}

impl Group {
    fn take(&self, from: Role, to: Role, flag: u16) -> bool {
        match self.flags.borrow_mut().get_mut(&(from, to, flag)) {
            Some(raised) if *raised > 0 => {
                *raised -= 1;
                true
            }
            _ => false,
        }
    }
}
