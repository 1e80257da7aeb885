//! What a simulation costs as it grows: linear in tasks, flat in idle cores.
//!
//! `cargo bench -p npusim --bench scale` runs it. What counts is the CPU time of the engine from launch to completion, which
//! other programs on the machine disturb less than time by the clock; making the device is left out. In the group `tasks` the rate (elements per second) should stay where it is from 10^3 to 10^6 tasks; in
//! `idle_cores` the time should stay where it is from 3 cores to all of them. docs/using-the-model.md shows what came out.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use npusim::case::CaseSpec;
use npusim::run::finished::FinishedRun;
use npusim::run::plan::RunPlan;
use npusim::run::settings::RunSettings;
use sim_core::profile::Arch;

/// CPU time of the engine from launch to completion of one run.
fn engine_cpu(case: &str, settings: &RunSettings) -> Duration {
    let case = CaseSpec::bundled(case).expect("the case is bundled");
    let plan = RunPlan::new(case, settings).expect("the case can be run");
    let run = FinishedRun::of(plan, Arc::default()).expect("the device is made");
    run.summary.simulated.expect("it ran on the engine").engine.engine_cpu
}

fn with_parameter(name: &str, value: u64) -> RunSettings {
    RunSettings { parameters: vec![(name.to_owned(), value.to_string())], ..RunSettings::default() }
}

/// Independent empty tasks: the control plane alone.
fn tasks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tasks");
    group.sample_size(10);
    for tasks in [1_000, 10_000, 100_000, 1_000_000] {
        let settings = with_parameter("tasks", tasks);
        group.throughput(Throughput::Elements(tasks));
        group.bench_function(BenchmarkId::from_parameter(tasks), |bencher| {
            bencher.iter_custom(|runs| (0..runs).map(|_| engine_cpu("flood", &settings)).sum());
        });
    }
    group.finish();
}

/// Tasks of which each needs the one before: all cores but one are idle, however many there are.
fn idle_cores(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle_cores");
    group.sample_size(10);
    group.throughput(Throughput::Elements(10_000));
    for (arch, clusters) in [(Arch::A2a3, 1), (Arch::A2a3, 4), (Arch::A2a3, 24), (Arch::A5, 36)] {
        let clusters_key = format!("topology.clusters={clusters}").parse().expect("an override");
        let settings =
            RunSettings { arch: Some(arch), overrides: vec![clusters_key], ..with_parameter("length", 10_000) };
        let id = BenchmarkId::new(arch.as_str(), format!("{} cores", 3 * clusters));
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|runs| (0..runs).map(|_| engine_cpu("chain", &settings)).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, tasks, idle_cores);
criterion_main!(benches);
