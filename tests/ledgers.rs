//! What is in the ledger of each runtime's loads, when its device has ended?

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use npusim::case::{CaseSpec, Runtime};
use npusim::run::finished::FinishedRun;
use npusim::run::plan::RunPlan;
use npusim::run::pulse::Pulse;
use npusim::run::settings::RunSettings;
use sim_core::loader::audit::holdings::WatchScope;
use sim_core::loader::ledger::{LoadOutcome, LoadRecord, LoadState};
use sim_core::profile::Arch;
use support::own_process::in_own_process;

const PATIENCE: Duration = Duration::from_secs(100);

/// A line about a load: nothing of it depends on the host or its compiler.
fn line(record: &LoadRecord) -> String {
    let LoadRecord { origin, name, outcome, device_time, state, .. } = record;
    let outcome = match outcome {
        LoadOutcome::Miss { strategy } => format!("loaded ({strategy}), {device_time}"),
        LoadOutcome::Reuse { of } => format!("reuse of load {}", of.0),
        LoadOutcome::Failure { error } => format!("failed: {error}"),
    };
    let state = match state {
        Some(LoadState::Unloaded) => "unloaded",
        Some(LoadState::Pinned) => "pinned",
        Some(LoadState::Live) => "live",
        Some(LoadState::Idle) => "idle",
        None => "nothing loaded",
    };
    let bindings = record.examination.as_ref().map(|examination| &examination.bindings);
    let who = |provider: String| match provider.as_str() {
        "libnpusim_shim.so" => "the shim",
        "nobody" => "nobody",
        own if own == name => "itself",
        // Which of them is the compiler's choice.
        library if library.contains(".so.") => "libraries",
        _ => "others",
    };
    let providers = bindings.map(|bindings| bindings.by_provider().into_keys().map(who).collect::<BTreeSet<_>>());
    let providers = providers.map(|providers| providers.into_iter().collect::<Vec<_>>().join(", "));
    let findings: Vec<String> = record
        .findings
        .iter()
        .map(|finding| format!("{}:{}", finding.kind, finding.symbol))
        .chain(record.fallbacks.iter().map(ToString::to_string))
        .chain(record.collisions.iter().map(ToString::to_string))
        .collect();
    let findings = if findings.is_empty() { "nothing found".to_owned() } else { findings.join(", ") };
    let providers = providers.unwrap_or_else(|| "nobody looked".to_owned());
    format!("{origin:?} {name}: {outcome}; {state}; served by {providers}; {findings}")
}

#[test]
fn what_is_in_the_ledger_of_each_runtime() {
    in_own_process("what_is_in_the_ledger_of_each_runtime", PATIENCE, || {
        let mut text = String::new();
        for (arch, runtime) in Arch::ALL.into_iter().flat_map(|arch| Runtime::ALL.map(|runtime| (arch, runtime))) {
            let case = CaseSpec::bundled("mixed").expect("it is bundled");
            let watch_leaks = Some(WatchScope::Process);
            let settings =
                RunSettings { arch: Some(arch), runtime: Some(runtime), watch_leaks, ..RunSettings::default() };
            let plan = RunPlan::new(case, &settings).expect("a bundled case can be run");
            let run = FinishedRun::of(plan, Arc::new(Pulse::default())).expect("the device can be made");
            writeln!(text, "# {runtime} for {arch}").expect("text");
            for record in run.close().records() {
                writeln!(text, "{}", line(record)).expect("text");
            }
        }
        let _snapshots = support::snapshots();
        insta::assert_snapshot!("ledgers_of_all_runtimes", text);
    });
}
