//! Scenarios of the driver: what hosts on the board run into, step by step, with the code and the time of each call.
//!
//! Each plays the process of a host against the driver's functions in the shim (`host::BoardHost`) and says of every
//! call which code it expects. AICPU and AICore code is that of `guest/onboard/scenario`.

mod calls;
mod failures;
mod host;
mod host_link;
mod installation;
mod launch_order;
mod notices;
mod registration;
mod report;
mod streams;

use std::str::FromStr;

use sim_core::profile::{Arch, Override};

use crate::device::EngineKind;
use crate::device::error::DeviceError;
use host::BoardHost;
pub use report::{ScenarioReport, Step};

/// A scenario by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Each launch registers the AICore binary anew.
    RegistrationPerLaunch,
    /// The AICore binary is registered once.
    CachedHandle,
    /// A second AICPU object in one process.
    InstallLatch,
    /// Launches of the server's functions by name.
    LaunchByName,
    /// AICore before and after the AICPU.
    LaunchOrder,
    /// The host stops waiting.
    SyncTimeout,
    /// An AICore task takes too long.
    AicoreTimeout,
    /// An AICPU task takes too long.
    AicpuTimeout,
    /// AICPU code crashes.
    AicpuException,
    /// AICore code crashes.
    AicoreException,
    /// Several tasks in a stream, and two streams.
    StreamQueues,
    /// Events between streams.
    Events,
    /// Destroying, resetting and finalising in the wrong order.
    TeardownOrder,
    /// Arguments that cannot be, calls at the wrong time.
    BadCalls,
    /// Copies and allocations.
    HostLink,
    /// A core tells the AICPU something, through memory and through COND.
    Notices,
    /// What others do not see for want of a dcci.
    MissingDcci,
    /// A token of 64 bits in two registers.
    TornHandshake,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Scenario; 18] = [
        Scenario::RegistrationPerLaunch,
        Scenario::CachedHandle,
        Scenario::InstallLatch,
        Scenario::LaunchByName,
        Scenario::LaunchOrder,
        Scenario::SyncTimeout,
        Scenario::AicoreTimeout,
        Scenario::AicpuTimeout,
        Scenario::AicpuException,
        Scenario::AicoreException,
        Scenario::StreamQueues,
        Scenario::Events,
        Scenario::TeardownOrder,
        Scenario::BadCalls,
        Scenario::HostLink,
        Scenario::Notices,
        Scenario::MissingDcci,
        Scenario::TornHandshake,
    ];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Scenario::RegistrationPerLaunch => "registration_per_launch",
            Scenario::CachedHandle => "cached_handle",
            Scenario::InstallLatch => "install_latch",
            Scenario::LaunchByName => "launch_by_name",
            Scenario::LaunchOrder => "launch_order",
            Scenario::SyncTimeout => "sync_timeout",
            Scenario::AicoreTimeout => "aicore_timeout",
            Scenario::AicpuTimeout => "aicpu_timeout",
            Scenario::AicpuException => "aicpu_exception",
            Scenario::AicoreException => "aicore_exception",
            Scenario::StreamQueues => "stream_queues",
            Scenario::Events => "events",
            Scenario::TeardownOrder => "teardown_order",
            Scenario::BadCalls => "bad_calls",
            Scenario::HostLink => "host_link",
            Scenario::Notices => "notices",
            Scenario::MissingDcci => "missing_dcci",
            Scenario::TornHandshake => "torn_handshake",
        }
    }

    /// What it shows, in a line.
    pub const fn description(self) -> &'static str {
        match self {
            Scenario::RegistrationPerLaunch => {
                "registering for each launch fills the device: 207001, then 507899 for ever"
            }
            Scenario::CachedHandle => "10,000 launches of one handle hold what the first one held",
            Scenario::InstallLatch => "a second AICPU object in one process is silently not installed (--faithful)",
            Scenario::LaunchByName => "the older way: server functions by kernel_name[32] and so_name[32]",
            Scenario::LaunchOrder => "the first AICore launch takes 0.4 ms before the AICPU task and 1.4 s after it",
            Scenario::SyncTimeout => "the host stops waiting for a stream: 507046",
            Scenario::AicoreTimeout => "an AICore task beyond the op time-out: 507014",
            Scenario::AicpuTimeout => "an AICPU task beyond the op time-out: 507018",
            Scenario::AicpuException => "a crash on the AICPU: 507018, and 107022 for the other stream",
            Scenario::AicoreException => "a crash on a core: 507015, and 107022 for the other stream",
            Scenario::StreamQueues => "tasks of a stream one after the other, two streams side by side",
            Scenario::Events => "a stream waits for an event of another one; the time between two events",
            Scenario::TeardownOrder => "tearing down in the wrong order, twice, and using what is gone",
            Scenario::BadCalls => "null, empty and impossible arguments change nothing",
            Scenario::Notices => "how long a core's notice takes to the AICPU: through memory and dcci, through COND",
            Scenario::MissingDcci => "what a core stores, loads and writes back without a dcci, and with one",
            Scenario::TornHandshake => "a core reads tokens of 64 bits while they are stored: some are torn",
            Scenario::HostLink => "what the host's own calls take: first touch, copies of pageable and pinned memory",
        }
    }

    /// Plays it.
    pub fn play(self, settings: &ScenarioSettings) -> Result<ScenarioReport, DeviceError> {
        let mut host = BoardHost::new(self.overridden(settings)?)?;
        match self {
            Scenario::RegistrationPerLaunch => registration::per_launch(&mut host),
            Scenario::CachedHandle => registration::cached(&mut host),
            Scenario::InstallLatch => installation::latch(&mut host),
            Scenario::LaunchByName => installation::by_name(&mut host),
            Scenario::LaunchOrder => launch_order::both(&mut host),
            Scenario::SyncTimeout => failures::sync_timeout(&mut host),
            Scenario::AicoreTimeout => failures::aicore_timeout(&mut host),
            Scenario::AicpuTimeout => failures::aicpu_timeout(&mut host),
            Scenario::AicpuException => failures::aicpu_exception(&mut host),
            Scenario::AicoreException => failures::aicore_exception(&mut host),
            Scenario::StreamQueues => streams::queues(&mut host),
            Scenario::Events => streams::events(&mut host),
            Scenario::TeardownOrder => calls::teardown(&mut host),
            Scenario::BadCalls => calls::bad(&mut host),
            Scenario::HostLink => host_link::copies(&mut host),
            Scenario::Notices => notices::latencies(&mut host),
            Scenario::MissingDcci => notices::missing_dcci(&mut host),
            Scenario::TornHandshake => notices::torn_handshake(&mut host),
        }?;
        Ok(host.report(self.name()))
    }

    /// The settings, with what the scenario itself needs before what the user asked for.
    fn overridden(self, settings: &ScenarioSettings) -> Result<ScenarioSettings, DeviceError> {
        let mut settings = settings.clone();
        if self == Scenario::RegistrationPerLaunch {
            // Small, so that it does not take a million launches.
            let small: Override = "hbm.capacity=64MiB".parse()?;
            settings.overrides.insert(0, small.asked_by("the scenario"));
        }
        Ok(settings)
    }
}

/// `{name}` is no scenario; did you mean `{nearest}`?
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownScenario {
    /// What was written.
    pub name: String,
    /// What it is most like.
    pub nearest: &'static str,
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let unknown = || {
            let distance = |scenario: &Scenario| strsim::damerau_levenshtein(scenario.name(), name);
            let nearest = Scenario::ALL.into_iter().min_by_key(distance).map_or("", Scenario::name);
            UnknownScenario { name: name.to_owned(), nearest }
        };
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(unknown)
    }
}

/// On which device a scenario is played.
#[derive(Clone, Debug)]
pub struct ScenarioSettings {
    /// The generation.
    pub arch: Arch,
    /// How guests are run: in virtual time, one way or the other.
    pub engine: EngineKind,
    /// The driver has the flaws of the real one.
    pub faithful: bool,
    /// Values of the profile.
    pub overrides: Vec<Override>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_each_scenario_found_by_its_name_and_a_wrong_one_answered_with_the_nearest() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        assert_eq!(
            "bad_call".parse::<Scenario>().unwrap_err().to_string(),
            "`bad_call` is no scenario; did you mean `bad_calls`?"
        );
    }
}
