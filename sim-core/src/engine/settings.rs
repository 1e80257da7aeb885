//! How an engine works.

use std::time::Duration;

use serde::Serialize;

use super::wait_trap;
use crate::time::SimDuration;

/// How idle cores are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Polling {
    /// Pure pollers are parked.
    Parked,
    /// Every iteration is executed: the oracle.
    Naive,
}

/// How an engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How idle cores are treated.
    pub polling: Polling,
    /// AICPU threads may skip iterations that are equal to the last.
    pub fast_forward: bool,
    /// Threads that run kernel bodies.
    pub workers: usize,
    /// Host time after which device code that calls no hook is stopped.
    pub guest_limit: Duration,
    /// Virtual time without anything but polling after which the device counts as stalled.
    pub stall_window: SimDuration,
    /// How far time may leap to let guests' own timeouts expire.
    pub leap_limit: SimDuration,
    /// The cost of one round of a call-free wait loop.
    pub wait_loop_cost: SimDuration,
    /// Keep the events, not only their hash.
    pub keep_events: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            polling: Polling::Parked,
            fast_forward: false,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            guest_limit: Duration::from_secs(1),
            stall_window: SimDuration::from_ms(2),
            leap_limit: SimDuration::from_ms(60_000),
            wait_loop_cost: wait_trap::DEFAULT_WAIT_LOOP_COST,
            keep_events: false,
        }
    }
}
