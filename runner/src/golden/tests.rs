use super::*;
use crate::case::CaseSpec;
use crate::tensor::DType;

/// A bundled case with these parameters, its inputs, and outputs as its reference has them.
fn run(name: &str, parameters: &[(&str, &str)]) -> (CaseSpec, Vec<HostTensor>, Vec<HostTensor>) {
    let case = CaseSpec::bundled(name).unwrap().with_parameters(parameters).unwrap();
    let inputs = case.make_tensors(3).unwrap();
    let mut outputs = inputs.clone();
    if let GoldenSpec::Reference(reference) = case.golden {
        for Expected { tensor, value } in Plan::new(reference, &case).unwrap().compute(&inputs) {
            outputs[tensor] = value;
        }
    }
    (case, inputs, outputs)
}

/// What a reference makes of these inputs.
fn computed(reference: Reference, case: &CaseSpec, inputs: &[(&[u32], &[f32])]) -> Vec<(usize, Vec<f32>)> {
    let tensors: Vec<_> = inputs.iter().map(|(shape, values)| HostTensor::from_f32(shape, values).unwrap()).collect();
    let expected = Plan::new(reference, case).unwrap().compute(&tensors);
    expected.iter().map(|expected| (expected.tensor, expected.value.to_f32().unwrap())).collect()
}

#[test]
fn does_the_vector_example_give_47_for_2_and_3() {
    let case = CaseSpec::bundled("vector_example").unwrap();
    let n: &[u32] = &[16384];
    let f = computed(Reference::VectorExample, &case, &[(n, &[2.0; 16384]), (n, &[3.0; 16384]), (n, &[0.0; 16384])]);
    assert_eq!(f, [(2, vec![47.0; 16384])]);
}

#[test]
fn does_the_diamond_give_every_slice_and_their_sum() {
    let case = CaseSpec::bundled("diamond").unwrap().with_parameters(&[("width", "3")]).unwrap();
    let outputs = computed(
        Reference::Diamond,
        &case,
        &[(&[1024], &[1.0; 1024]), (&[3, 1024], &[0.0; 3072]), (&[1024], &[0.0; 1024])],
    );
    let slices = [[2.0; 1024], [4.0; 1024], [6.0; 1024]].concat();
    assert_eq!(outputs, [(1, slices), (2, vec![12.0; 1024])]);
}

#[test]
fn does_the_mixed_case_give_one_row_for_each_core_of_a_cluster() {
    let case = CaseSpec::bundled("mixed").unwrap().with_parameters(&[("rounds", "2")]).unwrap();
    let outputs = computed(Reference::Mixed, &case, &[(&[1024], &[1.5; 1024]), (&[2, 3, 1024], &[0.0; 6144])]);
    let round = [[3.0; 1024], [2.5; 1024], [3.5; 1024]].concat();
    assert_eq!(outputs, [(1, round.repeat(2))]);
}

#[test]
fn does_the_chain_add_one_length_times() {
    let case = CaseSpec::bundled("chain").unwrap().with_parameters(&[("length", "5")]).unwrap();
    assert_eq!(computed(Reference::Chain, &case, &[(&[1024], &[0.5; 1024])]), [(0, vec![5.5; 1024])]);
}

#[test]
fn is_bgemm_a_sum_over_tiles_of_k_added_to_c() {
    let parameters = [("batch", "1"), ("m_tiles", "1"), ("n_tiles", "2"), ("k_tiles", "2"), ("edge", "2")];
    let case = CaseSpec::bundled("bgemm").unwrap().with_parameters(&parameters).unwrap();
    // As whole matrices: a is 2 x 4, b is 4 x 4 and counts up tile by tile, c is all 100.
    let a = [1.0, 2.0, 0.0, 1.0, /* second tile of k */ 3.0, 0.0, 1.0, 1.0];
    let b: Vec<f32> = (1..=16).map(|value| value as f32).collect();
    let c = computed(
        Reference::Bgemm,
        &case,
        &[(&[1, 1, 2, 2, 2], &a), (&[1, 2, 2, 2, 2], &b), (&[1, 1, 2, 2, 2], &[100.0; 8])],
    );
    // First tile of n: [1 2; 0 1] @ [1 2; 3 4] + [3 0; 1 1] @ [9 10; 11 12]; second: with [5 6; 7 8] and [13 14; 15 16].
    assert_eq!(c, [(2, vec![134.0, 140.0, 123.0, 126.0, 158.0, 164.0, 135.0, 138.0])]);
}

#[test]
fn do_edges_of_any_length_multiply() {
    let parameters = [("batch", "1"), ("m_tiles", "1"), ("n_tiles", "1"), ("k_tiles", "1"), ("edge", "7")];
    let case = CaseSpec::bundled("bgemm").unwrap().with_parameters(&parameters).unwrap();
    let shape: &[u32] = &[1, 1, 1, 7, 7];
    let counting: Vec<f32> = (0..49).map(|value| value as f32).collect();
    let c = computed(Reference::Bgemm, &case, &[(shape, &[1.0; 49]), (shape, &counting), (shape, &[0.0; 49])]);
    // Every row is the sum of each column: 0 + 7 + … + 42 and so on.
    let row = [147.0, 154.0, 161.0, 168.0, 175.0, 182.0, 189.0];
    assert_eq!(c, [(2, row.repeat(7))]);
}

#[test]
fn does_a_right_run_pass_without_any_error() {
    for name in ["vector_example", "bgemm", "diamond", "mixed", "chain"] {
        let (case, inputs, outputs) = run(name, &[]);
        let report = check(&case, &inputs, &outputs).unwrap();
        assert_eq!((report.verdict(), report.worst_absolute(), report.worst_relative()), (Verdict::Pass, None, None));
        assert!(report.outputs.iter().all(|output| output.elements > 1000), "{name}");
    }
}

#[test]
fn does_a_run_that_wrote_nothing_fail() {
    let (case, inputs, _) = run("bgemm", &[]);
    let report = check(&case, &inputs, &inputs).unwrap();
    assert_eq!(report.verdict(), Verdict::Fail);
    assert_eq!((report.outputs[0].name.as_str(), report.outputs[0].first_mismatch), ("c", Some(0)));
}

#[test]
fn does_one_wrong_element_name_output_and_index() {
    let (case, inputs, mut outputs) = run("diamond", &[("width", "2")]);
    let expected = outputs[1].to_f32().unwrap()[1030];
    outputs[1].bytes_mut()[4 * 1030..4 * 1031].copy_from_slice(&(expected + 1.0).to_le_bytes());
    let report = check(&case, &inputs, &outputs).unwrap();
    let (output, worst) = report.worst_absolute().unwrap();
    assert_eq!((report.verdict(), output.name.as_str(), worst.index), (Verdict::Fail, "slices", 1030));
    assert_eq!((output.mismatches, worst.expected), (1, f64::from(expected)));
}

#[test]
fn does_a_case_without_golden_pass_with_nothing_compared() {
    let (case, inputs, outputs) = run("flood", &[]);
    let report = check(&case, &inputs, &outputs).unwrap();
    assert_eq!((report.verdict(), report.outputs.len()), (Verdict::Pass, 0));
}

#[test]
fn are_references_the_same_on_any_number_of_threads() {
    for name in ["vector_example", "bgemm", "diamond"] {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(name, &[]).2)
        };
        assert_eq!(on(1), on(3), "{name}");
    }
}

#[test]
fn do_tensors_of_another_case_not_compare() {
    let (case, inputs, mut outputs) = run("diamond", &[]);
    let error = check(&case, &inputs[1..], &outputs).unwrap_err();
    assert_eq!(error.to_string(), "the run has 2 inputs, the case 3");
    outputs[2] = HostTensor::zeros(DType::F16, &[1024]);
    let error = check(&case, &inputs, &outputs).unwrap_err();
    assert_eq!(error.to_string(), "tensor `output` is f16[1024] among the outputs, the case says f32[1024]");
}

#[test]
fn are_outputs_compared_with_arrays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("counter.npy");
    let (mut case, inputs, outputs) = run("chain", &[]);
    npy::write(&path, &outputs[0]).unwrap();
    case.golden = GoldenSpec::Files(vec![crate::case::GoldenFile { tensor: 0, path: path.clone() }]);
    assert_eq!(check(&case, &inputs, &outputs).unwrap().verdict(), Verdict::Pass);
    assert_eq!(check(&case, &inputs, &inputs).unwrap().verdict(), Verdict::Fail);
    directory.close().unwrap();
    let error = check(&case, &inputs, &outputs).unwrap_err().to_string();
    assert_eq!(error, format!("{} cannot be read: No such file or directory (os error 2)", path.display()));
}
