//! What virtual time costs, and what it is worth: the same cases on each engine, side by side.
//!
//! Compare the lines of one run with each other; the machine is in every number. `cargo bench -p npusim` runs it.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use npusim::case::CaseSpec;
use npusim::device::EngineKind;
use npusim::run::finished::FinishedRun;
use npusim::run::plan::RunPlan;
use npusim::run::settings::RunSettings;

const ENGINES: [(&str, EngineKind); 3] =
    [("virtual", EngineKind::Virtual), ("naive", EngineKind::Naive), ("threads", EngineKind::Threads)];

/// Plans a bundled case once; each iteration then makes a device, runs the case and destroys the device.
fn run_on_each_engine(criterion: &mut Criterion, name: &str, parameters: &[(&str, &str)]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for (label, engine) in ENGINES {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = RunSettings { engine, parameters, ..RunSettings::default() };
        group.bench_function(BenchmarkId::from_parameter(label), |bencher| {
            bencher.iter_batched(
                || {
                    let case = CaseSpec::bundled(name).expect("the case is bundled");
                    RunPlan::new(case, &settings).expect("the case can be run")
                },
                |plan| FinishedRun::of(plan, Arc::default()).expect("the device is made"),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn few_tasks_on_a_whole_chip(criterion: &mut Criterion) {
    run_on_each_engine(criterion, "vector_example", &[]);
}

fn many_empty_tasks(criterion: &mut Criterion) {
    run_on_each_engine(criterion, "flood", &[("tasks", "1000")]);
}

criterion_group!(benches, few_tasks_on_a_whole_chip, many_empty_tasks);
criterion_main!(benches);
