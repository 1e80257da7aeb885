//! A launch: which actor is which core, which tokens are on their way to it, and which cores have run a task.

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
    /// Which cores have run a task.
    warm: RefCell<Vec<bool>>,
}

impl Launched {
    /// No launch yet.
    pub fn new(array: CoreArray) -> Self {
        Launched {
            array: Cell::new(array),
            actors: RefCell::default(),
            tokens: RefCell::default(),
            warm: RefCell::default(),
        }
    }

    /// A launch of `array` begins; its actors follow.
    pub fn begin(&self, array: CoreArray) {
        self.array.set(array);
        self.actors.borrow_mut().clear();
        let mut warm = self.warm.borrow_mut();
        warm.clear();
        warm.resize(usize::from(array.count()), false);
        let mut tokens = self.tokens.borrow_mut();
        tokens.clear();
        tokens.resize_with(usize::from(array.count()), VecDeque::new);
    }

    /// A core begins a task: whether that is its first in this launch.
    pub fn is_first_task(&self, core: u16) -> bool {
        let mut warm = self.warm.borrow_mut();
        warm.get_mut(usize::from(core)).is_some_and(|warm| !std::mem::replace(warm, true))
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
}

/// Tokens from 0x7FFFFFF0 on are control: exit and idle.
const FIRST_CONTROL_TOKEN: u32 = 0x7fff_fff0;

fn is_task(token: u32) -> bool {
    token < FIRST_CONTROL_TOKEN
}
