//! Cores of one cluster that hand tiles to each other.
//!
//! What they have for that are flags between cores: a core raises one for another core, on one of its pipes, and the
//! other takes it down before it goes on. Flags count. A pipe for tiles uses two of them, one that says that a slot is
//! filled and one that says that slots are free again.
//!
//! Programs of cores that wait for each other have no time of their own: [`run_together`] runs them side by side, each
//! from the moment at which its core began.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use sim_core::time::{SimDuration, SimTime};

use super::MemoryRates;
use super::error::CoreKind;
use super::instruction::Pipe;
use super::model::{PricedProgram, Run};
use super::pricing::{Priced, Work};

/// Which core of its cluster a core is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The cube core.
    Aic,
    /// The first vector core.
    Aiv0,
    /// The second one.
    Aiv1,
}

impl Role {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them, by code.
    pub const ALL: [Role; Role::COUNT] = [Role::Aic, Role::Aiv0, Role::Aiv1];

    /// The role of this code.
    pub fn of_code(code: u8) -> Option<Role> {
        Role::ALL.get(usize::from(code)).copied()
    }

    /// Its place in lists.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What kind of core has it.
    pub const fn kind(self) -> CoreKind {
        match self {
            Role::Aic => CoreKind::Aic,
            Role::Aiv0 | Role::Aiv1 => CoreKind::Aiv,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Aic => "the AIC",
            Role::Aiv0 => "AIV0",
            Role::Aiv1 => "AIV1",
        })
    }
}

/// What a core waits for when it waits for a flag of another core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Awaited {
    /// The pipe for tiles, by its first flag.
    pub pipe: u16,
    /// The tile, counted from 0.
    pub tile: u32,
    /// What is to become of its slot.
    pub slot: SlotState,
}

/// What is to become of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// The tile is in it.
    Filled,
    /// There is room for the tile.
    Free,
    /// The tiles that were in it are no longer needed: the pipe is to be closed.
    Empty,
}

impl SlotState {
    /// The state of this code.
    pub fn of_code(code: u8) -> Option<SlotState> {
        [SlotState::Filled, SlotState::Free, SlotState::Empty].get(usize::from(code)).copied()
    }
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Awaited { pipe, tile, slot } = self;
        match slot {
            SlotState::Filled => write!(f, "tile {tile} of pipe {pipe}"),
            SlotState::Free => write!(f, "a free slot of pipe {pipe} for tile {tile}"),
            SlotState::Empty => write!(f, "the last slots of pipe {pipe} to be free, after {tile} tiles"),
        }
    }
}

/// One core's part.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Whose.
    pub role: Role,
    /// What it does.
    pub program: &'a PricedProgram,
    /// When it begins.
    pub begin: SimTime,
    /// What it gets of the memory system.
    pub rates: MemoryRates,
}

/// How programs went that ran together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// When each has ended, by [`Role::index`]; none of those that have not, or were not there.
    pub ends: [Option<SimTime>; Role::COUNT],
    /// Who cannot go on.
    pub stuck: Vec<Stuck>,
}

/// A core that waits in vain for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Who waits.
    pub role: Role,
    /// At which instruction.
    pub index: usize,
    /// On which pipe.
    pub pipe: Pipe,
    /// For whom.
    pub peer: Role,
    /// For what.
    pub awaited: Awaited,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stuck { role, index, pipe, peer, awaited } = self;
        write!(f, "{role} (instruction {index}, {pipe}) waits for {awaited} from {peer}")
    }
}

/// Flags between the cores of a cluster that are up: when they were raised, by sender, receiver and number.
#[derive(Debug, Default)]
pub(super) struct CrossFlags {
    raised: BTreeMap<(Role, Role, u16), VecDeque<SimTime>>,
}

impl CrossFlags {
    pub(super) fn raise(&mut self, from: Role, to: Role, flag: u16, at: SimTime) {
        self.raised.entry((from, to, flag)).or_default().push_back(at);
    }

    pub(super) fn take(&mut self, from: Role, to: Role, flag: u16) -> Option<SimTime> {
        self.raised.get_mut(&(from, to, flag)).and_then(VecDeque::pop_front)
    }
}

/// Runs the programs of one task side by side, as far as they come.
pub fn run_together(parts: &[Part<'_>]) -> Together {
    let mut flags = CrossFlags::default();
    let mut runs: Vec<(Role, Run<'_>)> =
        parts.iter().map(|part| (part.role, part.program.begin(&part.rates, part.begin, part.role))).collect();
    // What one raises, another may have waited for: in turn, until nobody comes further.
    while runs.iter_mut().fold(false, |any, (_, run)| run.go_on(&mut flags) || any) {}
    let stuck_in_order = stuck_in_order(parts);
    let mut together = Together::default();
    for (role, run) in &runs {
        let stuck = stuck_in_order.iter().find(|stuck| stuck.role == *role).copied().or_else(|| run.stuck_for_peer());
        match stuck {
            Some(stuck) => together.stuck.push(stuck),
            None => together.ends[role.index()] = run.is_done().then(|| run.end()),
        }
    }
    together
}

/// Who cannot go on if each program waits for flags one after the other, as the kernel's arithmetic does. Pipes of one core
/// that do not wait for each other might come further.
fn stuck_in_order(parts: &[Part<'_>]) -> Vec<Stuck> {
    let mut flags = CrossFlags::default();
    let mut next = vec![0; parts.len()];
    let mut stuck: Vec<Option<Stuck>> = vec![None; parts.len()];
    loop {
        let before = next.clone();
        for ((Part { role, program, .. }, next), stuck) in parts.iter().zip(&mut next).zip(&mut stuck) {
            *stuck = None;
            while let Some(Priced { pipe, work }) = program.instructions().get(*next) {
                match *work {
                    Work::SetCross { peer, flag, .. } => flags.raise(*role, peer, flag, SimTime::ZERO),
                    Work::WaitCross { peer, flag, awaited } if flags.take(peer, *role, flag).is_none() => {
                        *stuck = Some(Stuck { role: *role, index: *next, pipe: *pipe, peer, awaited });
                        break;
                    }
                    _ => {}
                }
                *next += 1;
            }
        }
        if next == before {
            return stuck.into_iter().flatten().collect();
        }
    }
}

impl Together {
    /// The same, so much later.
    pub(super) fn later(&self, by: SimDuration) -> Together {
        Together { ends: self.ends.map(|end| end.map(|end| end + by)), stuck: self.stuck.clone() }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::{Arch, Profile};

    use super::super::instruction::Instruction;
    use super::super::{PipeModel, Program};
    use super::*;

    const US: SimDuration = SimDuration::from_us(1);

    /// So many microseconds of the scalar unit of a2a3.
    fn work(us: u32) -> Instruction {
        Instruction::Scalar { cycles: us * 1850 }
    }

    fn set(peer: Role, flag: u16) -> Instruction {
        Instruction::SetCross { pipe: Pipe::S, peer, flag }
    }

    fn wait(peer: Role, flag: u16, tile: u32, slot: SlotState) -> Instruction {
        Instruction::WaitCross { pipe: Pipe::S, peer, flag, awaited: Awaited { pipe: 0, tile, slot } }
    }

    fn run(parts: &[(Role, u64, Vec<Instruction>)]) -> Together {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let price = |(role, begin, instructions): &(Role, u64, Vec<Instruction>)| {
            let priced = PipeModel::of(&profile, role.kind()).price(&Program::new(instructions.clone())).unwrap();
            (*role, SimTime::ZERO + US * *begin, priced)
        };
        let priced: Vec<_> = parts.iter().map(price).collect();
        let part = |(role, begin, program)| Part { role, program, begin, rates: MemoryRates::alone() };
        run_together(&priced.iter().map(|(role, begin, program)| part((*role, *begin, program))).collect::<Vec<_>>())
    }

    /// Ends in microseconds.
    fn ends(together: &Together) -> [Option<u64>; 3] {
        together.ends.map(|end| end.map(|end| end.as_ps() / 1_000_000))
    }

    #[test]
    fn when_does_a_core_go_on_that_waits_for_another_one() {
        let producer = || vec![work(2), set(Role::Aiv0, 3), work(1)];
        let consumer = || vec![work(1), wait(Role::Aic, 3, 0, SlotState::Filled), work(1)];
        // It waits; it comes when the flag is up; the one that raises it begins later.
        for (begins, expected) in [([0, 0], [3, 3]), ([0, 5], [3, 7]), ([4, 0], [7, 7])] {
            let parts = [(Role::Aic, begins[0], producer()), (Role::Aiv0, begins[1], consumer())];
            let together = run(&parts);
            assert_eq!(ends(&together), [Some(expected[0]), Some(expected[1]), None]);
            // Whoever is looked at first.
            let [first, second] = parts;
            assert_eq!(run(&[second, first]), together);
        }
    }

    #[test]
    fn how_long_does_a_full_ring_hold_up_who_fills_it() {
        let (filled, free) = (0, 1);
        let mut producer = vec![];
        let mut consumer = vec![];
        for tile in 0..4 {
            // Two slots, which are waited for and given back by twos.
            if tile == 2 {
                producer.push(wait(Role::Aiv1, free, tile, SlotState::Free));
            }
            producer.extend([work(1), set(Role::Aiv1, filled)]);
            consumer.extend([wait(Role::Aic, filled, tile, SlotState::Filled), work(3)]);
            if tile % 2 == 1 {
                consumer.push(set(Role::Aic, free));
            }
        }
        let alone = run(&[(Role::Aic, 0, producer.clone()), (Role::Aiv1, 0, vec![])]);
        assert_eq!(
            alone.stuck.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["the AIC (instruction 4, S) waits for a free slot of pipe 0 for tile 2 from AIV1"]
        );
        let together = run(&[(Role::Aic, 0, producer.clone()), (Role::Aiv1, 0, consumer.clone())]);
        assert_eq!(ends(&together), [Some(9), None, Some(14)]);
        // The end of a pipe waits for the slots that were given back last.
        producer.push(wait(Role::Aiv1, free, 4, SlotState::Empty));
        let together = run(&[(Role::Aic, 0, producer), (Role::Aiv1, 0, consumer)]);
        assert_eq!(ends(&together), [Some(14), None, Some(14)]);
    }

    #[test]
    fn who_is_named_when_cores_wait_for_each_other() {
        let together = run(&[
            (Role::Aic, 0, vec![work(1), wait(Role::Aiv0, 0, 0, SlotState::Filled), set(Role::Aiv0, 2)]),
            (Role::Aiv0, 0, vec![wait(Role::Aic, 2, 7, SlotState::Filled), set(Role::Aic, 0)]),
            (Role::Aiv1, 0, vec![work(2)]),
        ]);
        assert_eq!(ends(&together), [None, None, Some(2)]);
        assert_eq!(
            together.stuck.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "the AIC (instruction 1, S) waits for tile 0 of pipe 0 from AIV0",
                "AIV0 (instruction 0, S) waits for tile 7 of pipe 0 from the AIC",
            ]
        );
    }

    #[test]
    fn may_a_pipe_overtake_one_that_waits_for_another_core() {
        // The cube core's FIX waits for what comes of the flag that its MTE1 raises: its pipes would get over that, but its
        // arithmetic goes one after the other.
        let pipe = |pipe, instruction| match instruction {
            Instruction::SetCross { peer, flag, .. } => Instruction::SetCross { pipe, peer, flag },
            Instruction::WaitCross { peer, flag, awaited, .. } => Instruction::WaitCross { pipe, peer, flag, awaited },
            other => other,
        };
        let wait_free = pipe(Pipe::Fix, wait(Role::Aiv0, 1, 2, SlotState::Free));
        let give_back = pipe(Pipe::Mte1, set(Role::Aiv0, 0));
        let vector = vec![wait(Role::Aic, 0, 0, SlotState::Filled), set(Role::Aic, 1)];
        let in_order = run(&[(Role::Aic, 0, vec![give_back, wait_free]), (Role::Aiv0, 0, vector.clone())]);
        assert_eq!((ends(&in_order), in_order.stuck.len()), ([Some(0), Some(0), None], 0));
        let other_order = run(&[(Role::Aic, 0, vec![wait_free, give_back]), (Role::Aiv0, 0, vector)]);
        assert_eq!((ends(&other_order), other_order.stuck.len()), ([None, None, None], 2));
    }

    #[test]
    fn does_a_group_that_begins_later_end_as_much_later() {
        use super::super::error::CoreKind;
        use super::super::library::{CallPart, Member, ProgramKey, ProgramLibrary};
        use sim_core::trace::ContentHash;
        let profile = Profile::load(Arch::A2a3).unwrap();
        let mut library = ProgramLibrary::default();
        let mut known = |kind, instructions| {
            let key = ProgramKey::new(ContentHash(1), kind, &[], &[], CallPart::default());
            library.add(key, &Program::new(instructions), &PipeModel::of(&profile, kind)).unwrap()
        };
        let cube = known(CoreKind::Aic, vec![work(2), set(Role::Aiv0, 0)]);
        let vector = known(CoreKind::Aiv, vec![wait(Role::Aic, 0, 0, SlotState::Filled), work(1)]);
        assert_eq!((&cube.waits_for[..], &cube.peers[..]), (&[][..], &[Role::Aiv0][..]));
        assert_eq!((&vector.waits_for[..], &vector.peers[..]), (&[Role::Aic][..], &[Role::Aic][..]));
        // By itself it waits for nobody.
        assert_eq!(vector.timeline(&MemoryRates::alone()).duration, US);
        for later in [0, 1_000] {
            let member = |role, program: &std::rc::Rc<_>, begin: u64| Member {
                role,
                program: std::rc::Rc::clone(program),
                begin: SimTime::ZERO + US * (begin + later),
                rates: MemoryRates::alone(),
            };
            let together = library.together(&[member(Role::Aic, &cube, 7), member(Role::Aiv0, &vector, 3)]);
            assert_eq!(ends(&together), [Some(9 + later), Some(10 + later), None]);
        }
    }
}
