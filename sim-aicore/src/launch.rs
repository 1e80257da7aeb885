//! A launch: which actor is which core, which tokens are on their way to it, and how many cores compute.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use sim_core::actor::ActorId;
use sim_core::time::SimTime;

use crate::array::CoreArray;

/// The cores of the launch that is under way, or of the last one.
pub struct Launched {
    /// Which cores there are.
    pub array: Cell<CoreArray>,
    actors: RefCell<Vec<ActorId>>,
    /// The tokens on their way to each core, and when they arrive.
    tokens: RefCell<Vec<VecDeque<(u32, SimTime)>>>,
    /// When the kernels that are running end.
    ends: RefCell<Vec<SimTime>>,
}

impl Launched {
    /// No launch yet.
    pub fn new(array: CoreArray) -> Self {
        Launched {
            array: Cell::new(array),
            actors: RefCell::default(),
            tokens: RefCell::default(),
            ends: RefCell::default(),
        }
    }

    /// A launch of `array` begins; its actors follow.
    pub fn begin(&self, array: CoreArray) {
        self.array.set(array);
        self.actors.borrow_mut().clear();
        self.ends.borrow_mut().clear();
        let mut tokens = self.tokens.borrow_mut();
        tokens.clear();
        tokens.resize_with(usize::from(array.count()), VecDeque::new);
    }

    /// The next core, by physical core id, is this actor.
    pub fn add_core(&self, actor: ActorId) {
        self.actors.borrow_mut().push(actor);
    }

    /// The actor that is core `core`, if it was launched.
    pub fn core_actor(&self, core: u16) -> Option<ActorId> {
        self.actors.borrow().get(usize::from(core)).copied()
    }

    /// A token is on its way to a core.
    pub fn send(&self, core: u16, token: u32, arrival: SimTime) {
        if let Some(tokens) = self.tokens.borrow_mut().get_mut(usize::from(core)) {
            tokens.push_back((token, arrival));
        }
    }

    /// A core begins the task of the next of its tokens.
    pub fn receive(&self, core: u16, now: SimTime) -> (u32, SimTime) {
        let mut tokens = self.tokens.borrow_mut();
        // Tokens that are not tasks (the one that opens the registers) are passed over: a task's is the last arrived.
        let Some(tokens) = tokens.get_mut(usize::from(core)) else { return (0, now) };
        while tokens.len() > 1 && !is_task(tokens[0].0) {
            tokens.pop_front();
        }
        tokens.pop_front().map_or((0, now), |(token, arrival)| (token, arrival.min(now)))
    }

    /// How many cores run a kernel at `now`, with the one that begins one until `end`.
    pub fn active_cores(&self, now: SimTime) -> u32 {
        let mut ends = self.ends.borrow_mut();
        ends.retain(|end| *end > now);
        ends.len() as u32 + 1
    }

    /// A kernel runs until `end`.
    pub fn runs_until(&self, end: SimTime) {
        self.ends.borrow_mut().push(end);
    }
}

/// Tokens from 0x7FFFFFF0 on are control: exit and idle.
const FIRST_CONTROL_TOKEN: u32 = 0x7fff_fff0;

fn is_task(token: u32) -> bool {
    token < FIRST_CONTROL_TOKEN
}
