//! What functions of a runtime cost, where a charge file says so: which charges are in use, and what a device was charged.
//!
//! A call is counted for the device that it is charged to, since several may share the code of a host runtime.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use sim_core::charges::{ChargeError, ChargeUse, Charges, ObjectRole, Outcome, ResolvedCharges, Usage};
use sim_core::loader::ledger::LoadOrigin;
use sim_core::profile::{Arch, Confidence, Sourced};
use sim_core::time::SimDuration;

use crate::process::lock;

/// The charges for devices of one generation.
pub(crate) struct Tariff {
    pub(crate) arch: Arch,
    charges: Charges,
    /// For each charge: that it is unknown has been said.
    said: Box<[AtomicBool]>,
}

impl Tariff {
    /// Those that the user named, for each generation.
    pub(crate) fn read(name: &Path) -> Result<Vec<Arc<Tariff>>, ChargeError> {
        let tariff = |arch| {
            let charges = Charges::named(name, arch)?;
            let said = charges.charges.iter().map(|_| AtomicBool::new(false)).collect();
            Ok(Arc::new(Tariff { arch, charges, said }))
        };
        Arch::ALL.into_iter().map(tariff).collect()
    }

    /// What calls of these symbols cost an object of a runtime; `None` if they cost nothing whatever they are.
    pub(crate) fn resolve<'s>(
        &self,
        origin: LoadOrigin,
        symbols: impl IntoIterator<Item = &'s str>,
    ) -> Option<ResolvedCharges> {
        let role = match origin {
            LoadOrigin::HostRuntime => ObjectRole::Host,
            LoadOrigin::Aicpu => ObjectRole::Aicpu,
            LoadOrigin::Aicore => ObjectRole::Aicore,
            LoadOrigin::Orchestration => ObjectRole::Orchestration,
            LoadOrigin::Shim | LoadOrigin::CxxLibrary | LoadOrigin::Kernel => return None,
        };
        Some(self.charges.for_symbols(role, symbols))
    }
}

/// What one device is charged.
pub(crate) struct DeviceCharges {
    tariff: Arc<Tariff>,
    objects: Mutex<ChargeUse>,
    /// For each charge: how often it was due, and how often when the last report was made.
    counts: Box<[Count]>,
}

#[derive(Default)]
struct Count {
    calls: AtomicU64,
    reported: AtomicU64,
}

impl DeviceCharges {
    /// A device that has loaded no object yet.
    pub(crate) fn new(tariff: Arc<Tariff>) -> Self {
        let counts = tariff.charges.charges.iter().map(|_| Count::default()).collect();
        DeviceCharges { objects: Mutex::new(ChargeUse::of(&tariff.charges)), counts, tariff }
    }

    /// The charges.
    pub(crate) fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// The device has loaded an object.
    pub(crate) fn loaded(&self, object: &ResolvedCharges) {
        lock(&self.objects).loaded(object);
    }

    /// A charge is due: how much it is.
    pub(crate) fn due(&self, index: usize) -> &Sourced<SimDuration> {
        self.counts[index].calls.fetch_add(1, Ordering::Relaxed);
        &self.tariff.charges.charges[index].cost
    }

    /// What the device was charged since the last report. What the charges name and nobody has is said, once.
    pub(crate) fn report(&self) -> ChargeReport {
        let since = |index: usize| {
            let Count { calls, reported } = &self.counts[index];
            let calls = calls.load(Ordering::Relaxed);
            calls - reported.swap(calls, Ordering::Relaxed)
        };
        let usages: Vec<Usage> = lock(&self.objects).usages(since).collect();
        for usage in &usages {
            let unknown = matches!(usage.outcome, Outcome::Unknown { .. });
            if unknown && !self.tariff.said[usage.index].swap(true, Ordering::Relaxed) {
                eprintln!("npusim: {usage}");
            }
        }
        let Charges { origin, meant_for, .. } = &self.tariff.charges;
        let charges = usages.into_iter().map(ReportedCharge::from).collect();
        ChargeReport { origin: origin.clone(), meant_for: meant_for.clone(), charges }
    }
}

/// What became of the charges, as `report.json` has it. Virtual times are in nanoseconds.
#[derive(Debug, Serialize)]
pub(crate) struct ChargeReport {
    origin: String,
    #[serde(rename = "for")]
    meant_for: String,
    charges: Vec<ReportedCharge>,
}

/// One charge.
#[derive(Debug, Serialize)]
struct ReportedCharge {
    symbol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<ObjectRole>,
    cost_ns: f64,
    confidence: Confidence,
    #[serde(flatten)]
    outcome: ReportedOutcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum ReportedOutcome {
    Called { calls: u64, time_ns: f64 },
    NeverCalled,
    Absent,
    Unknown { nearest: Option<String> },
}

impl From<Usage> for ReportedCharge {
    fn from(Usage { charge, outcome, .. }: Usage) -> Self {
        let outcome = match outcome {
            Outcome::Called { calls, time } => ReportedOutcome::Called { calls, time_ns: time.as_ns_f64() },
            Outcome::NeverCalled => ReportedOutcome::NeverCalled,
            Outcome::Absent => ReportedOutcome::Absent,
            Outcome::Unknown { nearest } => ReportedOutcome::Unknown { nearest },
        };
        ReportedCharge {
            symbol: charge.symbol.into(),
            object: charge.object,
            cost_ns: charge.cost.value.as_ns_f64(),
            confidence: charge.cost.confidence,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device whose AICPU object imports `f` and `g`, with charges of `f`, `g` and `h`.
    fn device() -> DeviceCharges {
        let charge =
            |symbol| format!(r#"{{"symbol": "{symbol}", "cost": {{"value": 25, "unit": "ns", "source": "x"}}}}"#);
        let text = format!(r#"{{"for": "tests", "charges": [{}]}}"#, ["f", "g", "h"].map(charge).join(", "));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let tariffs = Tariff::read(file.path()).unwrap();
        let device = DeviceCharges::new(Arc::clone(&tariffs[0]));
        device.loaded(&device.tariff().resolve(LoadOrigin::Aicpu, ["f", "g"]).unwrap());
        device
    }

    fn outcomes(device: &DeviceCharges) -> Vec<serde_json::Value> {
        let report = serde_json::to_value(device.report()).unwrap();
        let charges = report["charges"].as_array().unwrap().iter();
        charges.map(|charge| serde_json::json!([charge["outcome"], charge["calls"], charge["time_ns"]])).collect()
    }

    #[test]
    fn does_a_report_tell_what_was_charged_since_the_last_one() {
        let device = device();
        for index in [0, 1, 0] {
            assert_eq!(device.due(index).value, SimDuration::from_ns(25));
        }
        let unknown = serde_json::json!(["unknown", null, null]);
        let never = serde_json::json!(["never_called", null, null]);
        let called = |calls: u64, ns: f64| serde_json::json!(["called", calls, ns]);
        assert_eq!(outcomes(&device), [called(2, 50.0), called(1, 25.0), unknown.clone()]);
        device.due(1);
        assert_eq!(outcomes(&device), [never, called(1, 25.0), unknown]);
    }

    #[test]
    fn do_kernels_cost_nothing_by_charges() {
        assert!(device().tariff().resolve(LoadOrigin::Kernel, ["f"]).is_none());
    }
}
