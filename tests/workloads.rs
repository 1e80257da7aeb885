//! Do the workloads compute what they should on every runtime, and take the same time where nothing is computed?

mod support;

use serde_json::{Value, json};
use support::npusim;

const SMALL: [&str; 21] = [
    "gemm",
    "flash_attention",
    "paged_attention_unroll_small",
    "paged_attention_small",
    "alternating_matmul_add_small",
    "topk",
    "topk_half",
    "multiply_add",
    "row_reduce",
    "copy_ub",
    "copy_l1",
    "matmul",
    "matmul_float",
    "matmul_mxfp8",
    "matmul_mxfp4",
    "matmul_gelu",
    "dense_layer",
    "conv2d",
    "add_stream",
    "gelu_stream",
    "nd_to_nz",
];

fn run(case: &str, options: &[&str]) -> Value {
    npusim(["run", case, "--json"].into_iter().chain(options.iter().copied())).success().json()
}

#[test]
fn does_every_workload_take_the_same_time_with_and_without_arithmetic() {
    for case in SMALL {
        let computed = run(case, &[]);
        let timed = run(case, &["--mode", "timing"]);
        assert_eq!((&computed["golden"], &timed["golden"]), (&json!("pass"), &json!("unchecked")), "{case}");
        for key in ["device_time_ns", "trace_hash", "tasks", "cost_sources"] {
            assert_eq!(computed[key], timed[key], "{case}: {key}");
        }
        // Nothing but the tile API says what these kernels cost.
        let by_pipes = &computed["cost_sources"]["pipes"]["count"];
        assert_eq!(by_pipes, &computed["kernels"], "{case}");
    }
}

#[test]
fn does_every_workload_do_on_the_other_generation_what_it_should() {
    for case in SMALL {
        for runtime in ["tensormap_and_ringbuffer", "host_build_graph"] {
            let computed = run(case, &["--arch", "a5", "--runtime", runtime]);
            assert_eq!(computed["golden"], "pass", "{case} on {runtime}");
            assert!(computed["differing_programs"].is_null(), "{case} on {runtime}");
        }
    }
}

#[test]
fn do_other_sizes_of_workloads_compute_what_they_should() {
    let sizes: [(&str, &[&str]); 18] = [
        ("gemm", &["m=384", "m_blocks=3", "n=256", "n_blocks=1", "k=256"]),
        // Several tiles in a chunk, one chunk, fewer blocks than clusters and more.
        ("flash_attention", &["tiles=2"]),
        ("flash_attention", &["query_count=128", "tiles=4"]),
        ("flash_attention", &["query_count=3328", "key_count=512"]),
        // Tiles of one part and of four.
        ("flash_attention", &["tiles=2", "tile_keys=128"]),
        ("flash_attention", &["tiles=2", "tile_keys=512"]),
        // A group that is not full, and a last block that is.
        ("paged_attention_unroll_small", &["context=1040"]),
        ("paged_attention_small", &["context=16", "batch=1"]),
        ("alternating_matmul_add_small", &["tiles_per_matmul=3", "tiles_per_add=1", "edge=33"]),
        ("copy_ub", &["mode=2", "passes=3", "sections=2"]),
        ("copy_l1", &["mode=1"]),
        // One buffer, loads of different lengths, a last load that is not full.
        ("matmul", &["buffers=1", "steps_a=1", "steps_b=1"]),
        ("matmul", &["steps_a=4", "unit_flag=1", "k=208"]),
        // Two buffers in L1 and one in L0.
        ("matmul_float", &["buffers=2"]),
        // Scales of less and of more than all of k.
        ("matmul_mxfp8", &["scale_stages=1"]),
        ("matmul_mxfp4", &["scale_stages=8"]),
        // Pictures that tiles do not touch at the same lines.
        ("conv2d", &["height=10", "width=48", "pixels=960"]),
        ("add_stream", &["rows=7", "piece=999", "buffers=1"]),
    ];
    for (case, parameters) in sizes {
        let options: Vec<&str> = parameters.iter().flat_map(|parameter| ["-p", *parameter]).collect();
        assert_eq!(run(case, &options)["golden"], "pass", "{case} {parameters:?}");
    }
}

#[test]
fn is_a_case_for_timing_alone_run_without_arithmetic() {
    let summary = run("gemm_1536", &[]);
    assert_eq!(json!([summary["mode"], summary["golden"], summary["tasks"]]), json!(["timing", "unchecked", 24]));
    let summary = run("topk_4800x1024", &["-p", "rows=48", "-p", "blocks=12", "--mode", "functional+timing"]);
    assert_eq!(json!([summary["mode"], summary["golden"], summary["tasks"]]), json!(["functional+timing", "pass", 12]));
}
