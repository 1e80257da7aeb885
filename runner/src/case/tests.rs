use std::fs;

use sim_core::loader::cache::CacheModel;
use tempfile::TempDir;

use super::*;

/// A small case with one of everything, one item a line.
const CASE: &str = r#"{
  "arch": "a5",
  "runtime": "tensormap_and_ringbuffer",
  "orchestration": {"bundled": "diamond"},
  "kernels": [
    {"func_id": 0, "bundled": "diamond_source", "core": "aiv", "signature": ["in", "out"]}
  ],
  "tensors": [
    {"name": "input", "shape": [3], "dtype": "f32", "direction": "in", "generator": {"kind": "ramp", "start": 1, "step": 1}},
    {"name": "slices", "shape": ["width", 3], "dtype": "f32", "direction": "out"},
    {"name": "output", "shape": [3], "dtype": "f32", "direction": "out"}
  ],
  "scalars": [
    {"name": "width", "type": "u64", "value": 2}
  ],
  "golden": {"reference": "diamond"}
}"#;

fn parse(text: &str) -> Result<CaseSpec, CaseError> {
    check::spec("t".to_owned(), CaseOrigin::File("t.json".into()), text.as_bytes())
}

/// What is said of the case with `old` replaced by `new`.
fn message(old: &str, new: &str) -> String {
    assert!(CASE.contains(old), "{old}");
    match parse(&CASE.replacen(old, new, 1)) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What is said of the case with more keys at its end.
fn message_with(keys: &str) -> String {
    message(r#""golden": {"reference": "diamond"}"#, keys)
}

/// A directory that is gone afterwards.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Directory(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The error of the case with `old` replaced by `new`, with this directory as `DIR`.
    fn message(&self, old: &str, new: &str) -> String {
        let path = self.write("case.json", CASE.replacen(old, new, 1));
        let error = CaseSpec::load(&path).unwrap_err().to_string();
        error.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn does_a_case_have_what_its_file_says() {
    let case = parse(&CASE.replace(
        "\"golden\"",
        r#""callable_id": 63, "runs": 2, "rings": {"task_window": [4, 8, 16, 0], "heap": 1024},
           "objects": {"aicore": {"bundled": "lossy"}}, "profile": {"aicore.clock": "1.5 GHz"},
           "loading": {"cache": "by-content,lazy", "transfer": "right-sized"},
           "kernel_costs": {"table": {"add": 1}}, "tolerances": {"absolute": 0.5}, "golden""#,
    ))
    .unwrap();
    assert_eq!((case.name.as_str(), case.arch, case.runtime), ("t", Arch::A5, Runtime::TensormapAndRingbuffer));
    let orchestration = OrchestrationSpec {
        object: ObjectSource::Bundled(Orchestration::Diamond),
        entry: "aicpu_orchestration_entry".to_owned(),
        config: "aicpu_orchestration_config".to_owned(),
    };
    let kernel = KernelSpec {
        func_id: 0,
        object: ObjectSource::Bundled(Kernel::DiamondSource),
        core: CoreKind::Aiv,
        signature: vec![Direction::In, Direction::Out],
    };
    assert_eq!(case.callable, CallableSpec::Objects { orchestration, kernels: vec![kernel] });
    assert_eq!(case.tensors[1].shape, [2, 3]);
    assert_eq!(case.tensors[2].content, TensorContent::Generated(Generator::Zeros));
    assert_eq!(case.scalar_words(), [2]);
    assert_eq!(case.golden, GoldenSpec::Reference(Reference::Diamond));
    assert_eq!((case.callable_id, case.runs, case.profile.len()), (63, 2, 1));
    assert_eq!(case.objects.aicore, Some(ObjectSource::Bundled(AicoreVariant::Lossy)));
    assert_eq!(case.tolerances, Tolerances { absolute: 0.5, relative: 0.0 });
    let cache = CachePolicy { model: CacheModel::ByContent, prewarm: false };
    assert_eq!(case.loading, Loading { cache, transfer: ObjectTransfer::RightSized });
    assert_eq!(case.kernel_costs.unwrap().origin, "t.json: `kernel_costs.table`");
    assert_eq!(case.rings, Rings { task_window: [4, 8, 16, 0], heap: [1024; 4], dep_pool: [0; 4] });
}

#[test]
fn do_shapes_follow_the_scalars_that_parameters_change() {
    let case = parse(CASE).unwrap().with_parameters(&[("width", "5"), ("width", "4")]).unwrap();
    assert_eq!((case.tensors[1].shape.as_slice(), case.scalar_words()), ([4, 3].as_slice(), vec![4]));
    let error = |name, value| parse(CASE).unwrap().with_parameters(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(error("widht", "1"), "t.json: no parameter `widht`; the nearest is `width`");
    assert_eq!(error("width", "-1"), "t.json: parameter `width`: `-1` is no u64");
    assert_eq!(error("width", "0"), "t.json: `tensors[1].shape`: dimension 0 is 0, 1 to 4294967295 are possible");
    let without = CaseSpec::bundled("vector_example").unwrap().with_parameters(&[("n", "1")]).unwrap_err();
    assert_eq!(without.to_string(), "bundled case vector_example: no parameter `n`; the case has none");
}

#[test]
fn are_scalars_the_words_that_cross_the_interface() {
    let word = |kind: ScalarType, text| kind.parse(text).map(ScalarValue::word);
    assert_eq!(word(ScalarType::I32, "-1"), Some(0xffff_ffff));
    assert_eq!(word(ScalarType::I64, "-1"), Some(u64::MAX));
    assert_eq!(word(ScalarType::U64, "18446744073709551615"), Some(u64::MAX));
    assert_eq!(word(ScalarType::F32, "1.5"), Some(0x3fc0_0000));
    assert_eq!((word(ScalarType::F32, "inf"), word(ScalarType::I32, "2147483648")), (None, None));
}

#[test]
fn are_tensors_made_by_their_rules_and_the_seed() {
    let tensors = parse(CASE).unwrap().make_tensors(1).unwrap();
    assert_eq!(tensors[0].to_f32().unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!((tensors[1].shape(), tensors[1].bytes()), ([2, 3].as_slice(), [0; 24].as_slice()));
    let case = CaseSpec::bundled("vector_example").unwrap();
    let (one, two) = (case.make_tensors(1).unwrap(), case.make_tensors(2).unwrap());
    assert_eq!(one, case.make_tensors(1).unwrap());
    assert_ne!(one[0], two[0]);
    assert_ne!(one[0], one[1]);
}

#[test]
fn is_a_missing_case_told_with_the_nearest() {
    assert_eq!(
        CaseSpec::find("vector_exmaple").unwrap_err().to_string(),
        "no case is bundled as `vector_exmaple`; the nearest is `vector_example` (a case file is given by its path)"
    );
    let file = "/nowhere/case.json: cannot be read: No such file or directory (os error 2)";
    assert_eq!(CaseSpec::find("/nowhere/case.json").unwrap_err().to_string(), file);
}

#[test]
fn does_text_that_is_no_json_name_line_and_column() {
    assert_eq!(message("\"a5\",", "\"a5\""), "t.json: not JSON at line 3 column 3: expected `,` or `}`");
    assert_eq!(parse("").unwrap_err().to_string(), "t.json: not JSON at line 1 column 0: EOF while parsing a value");
    assert_eq!(
        parse(&format!("{CASE} 7")).unwrap_err().to_string(),
        "t.json: not JSON at line 17 column 3: trailing characters"
    );
}

#[test]
fn does_a_wrong_type_name_field_and_line() {
    assert_eq!(
        message("[3]", "[\"n\", -3]"),
        "t.json: `tensors[0].shape[1]` at line 9 column 39: invalid type: integer `-3`, expected a whole number below \
         2^32 or the name of a scalar"
    );
    assert_eq!(
        message("\"start\": 1", "\"start\": \"1\""),
        "t.json: `tensors[0].generator.start` at line 9 column 113: invalid type: string \"1\", expected f64"
    );
    assert_eq!(message("\"arch\": \"a5\",", ""), "t.json: `.` at line 17 column 1: missing field `arch`");
    assert_eq!(
        message_with(r#""rings": {"heap": [1, 2]}"#),
        "t.json: `rings.heap` at line 16 column 26: invalid length 2, expected a whole number or an array of 4 whole numbers"
    );
}

#[test]
fn do_unknown_keys_and_names_come_with_the_nearest() {
    assert_eq!(
        message("\"dtype\"", "\"dtpye\""),
        "t.json: `tensors[0].dtpye` at line 9 column 43: no key `dtpye`; the nearest is `dtype`"
    );
    assert_eq!(
        message("\"f32\"", "\"fp32\""),
        "t.json: `tensors[0].dtype` at line 9 column 51: `fp32` is not known; the nearest is `f32`"
    );
    assert_eq!(
        message("\"diamond\"", "\"dimond\""),
        "t.json: `orchestration.bundled` at line 4 column 39: `dimond` is not known; the nearest is `diamond`"
    );
    assert_eq!(
        message("diamond_source", "diamond_sorce"),
        "t.json: `kernels[0].bundled` at line 6 column 45: `diamond_sorce` is not known; the nearest is `diamond_source`"
    );
    assert_eq!(
        message("\"a5\"", "\"a6\""),
        "t.json: `arch` at line 2 column 14: `a6` is not known; the nearest is `a5`"
    );
}

#[test]
fn are_ids_that_no_runtime_has_refused() {
    assert_eq!(message_with("\"callable_id\": 64"), "t.json: `callable_id`: the value 64 is outside 0 to 63");
    assert_eq!(message_with("\"callable_id\": -1"), "t.json: `callable_id`: the value -1 is outside 0 to 63");
    assert_eq!(
        message("\"func_id\": 0", "\"func_id\": 1024"),
        "t.json: `kernels[0].func_id`: the value 1024 is outside 0 to 1023"
    );
    let kernel = r#"{"func_id": 0, "bundled": "empty", "core": "aiv"}"#;
    assert_eq!(
        message("\"kernels\": [", &format!("\"kernels\": [{kernel},")),
        "t.json: `kernels[1].func_id`: the id 0 is that of `kernels[0]` too"
    );
    assert_eq!(message_with("\"runs\": 0"), "t.json: `runs`: the value 0 is outside 1 to 4294967295");
}

#[test]
fn do_names_and_alternatives_exclude_each_other() {
    assert_eq!(
        message("\"output\"", "\"input\""),
        "t.json: `tensors[2].name`: the name `input` is that of `tensors[0]` too"
    );
    assert_eq!(
        message("\"bundled\": \"diamond\"", "\"entry\": \"main\""),
        "t.json: `orchestration`: exactly one of `bundled` and `path` has to be given"
    );
    assert_eq!(
        message("\"direction\": \"out\"", "\"direction\": \"inout\""),
        "t.json: `tensors[1]`: exactly one of `generator` and `npy` has to be given"
    );
    assert_eq!(
        message_with(r#""golden": {"reference": "chain", "npy": {}}"#),
        "t.json: `golden`: exactly one of `reference` and `npy` has to be given"
    );
    assert_eq!(
        message_with(r#""kernel_costs": {}"#),
        "t.json: `kernel_costs`: exactly one of `table` and `path` has to be given"
    );
}

#[test]
fn is_a_callable_given_in_one_way() {
    let directory = Directory::new();
    directory.write("all.bin", "looked into later");
    let orchestration = r#""orchestration": {"bundled": "diamond"}"#;
    assert_eq!(
        directory.message(orchestration, r#""description": """#),
        "DIR/case.json: `.`: exactly one of `orchestration` and `callable` has to be given"
    );
    assert_eq!(
        directory.message(orchestration, r#""callable": "all.bin""#),
        "DIR/case.json: `kernels`: the file of `callable` has its own kernels"
    );
    let kernels = r#"{"func_id": 0, "bundled": "diamond_source", "core": "aiv", "signature": ["in", "out"]}"#;
    let text = CASE.replace(orchestration, r#""callable": "all.bin""#).replace(kernels, "");
    let case = CaseSpec::load(&directory.write("case.json", text)).unwrap();
    assert_eq!(case.callable, CallableSpec::Serialized(directory.0.path().join("all.bin")));
}

#[test]
fn are_impossible_shapes_refused() {
    assert_eq!(message("[3]", "[]"), "t.json: `tensors[0].shape`: there are 0 dimensions, 1 to 5 are possible");
    assert_eq!(message("[3]", "[3, 0]"), "t.json: `tensors[0].shape`: dimension 1 is 0, 1 to 4294967295 are possible");
    assert_eq!(
        message("[\"width\", 3]", "[\"depth\", 3]"),
        "t.json: `tensors[1].shape`: dimension 0 is to be the scalar `depth`, and there is no such whole number"
    );
    assert_eq!(
        message("[3]", "[4000000000, 4000000000, 4000000000]"),
        "t.json: `tensors[0].shape`: a tensor of shape [4000000000, 4000000000, 4000000000] is beyond the memory of any \
         device"
    );
}

#[test]
fn do_generators_name_what_does_not_fit() {
    let generator = |rule: &str| message(r#"{"kind": "ramp", "start": 1, "step": 1}"#, rule);
    assert_eq!(
        generator(r#"{"kind": "ramp", "start": 1}"#),
        "t.json: `tensors[0].generator`: `step` is missing, which the kind `ramp` needs"
    );
    assert_eq!(
        generator(r#"{"kind": "zeros", "seed": 1}"#),
        "t.json: `tensors[0].generator`: `seed` does not belong to the kind `zeros`"
    );
    assert_eq!(
        generator(r#"{"kind": "random", "low": 1, "high": 1}"#),
        "t.json: `tensors[0].generator`: the random range 1..1 is empty: `low` has to be less than `high`"
    );
    let of_bytes = CASE.replacen("f32", "u8", 1).replacen("\"start\": 1", "\"start\": 254", 1);
    assert_eq!(
        parse(&of_bytes).unwrap_err().to_string(),
        "t.json: `tensors[0].generator`: 256 does not fit u8, which holds 0 to 255"
    );
}

#[test]
fn are_values_that_mean_nothing_refused() {
    assert_eq!(message("\"value\": 2", "\"value\": 2.5"), "t.json: `scalars[0].value`: `2.5` is no u64");
    assert_eq!(
        message_with(r#""tolerances": {"relative": -1}"#),
        "t.json: `tolerances.relative`: -1 is no tolerance: it has to be zero or more"
    );
    assert_eq!(
        message_with(r#""rings": {"task_window": [8, 12, 0, 0]}"#),
        "t.json: `rings.task_window`: ring 1 has 12; possible are powers of two from 4, or 0 for the runtime's own choice"
    );
    assert_eq!(
        message_with(r#""profile": {"aicore.clock": ""}"#),
        "t.json: `profile.aicore.clock`: `aicore.clock=` sets nothing: expected key=value, such as `mmio.load=100ns`"
    );
}

#[test]
fn does_a_reference_say_what_arguments_it_is_for() {
    assert_eq!(
        message("\"reference\": \"diamond\"", "\"reference\": \"chain\""),
        "t.json: `golden.reference`: the reference chain is for the arguments (counter[…] f32 inout; length), the case \
         has (input[3] f32 in, slices[2, 3] f32 out, output[3] f32 out; width u64)"
    );
}

#[test]
fn do_files_that_are_missing_name_field_and_path() {
    let directory = Directory::new();
    let message = |old, new| directory.message(old, new);
    let golden = r#""golden": {"reference": "diamond"}"#;
    assert_eq!(
        message(r#""bundled": "diamond""#, r#""path": "orch.so""#),
        "DIR/case.json: `orchestration.path`: DIR/orch.so cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        message(golden, r#""objects": {"host": "host.so"}"#),
        "DIR/case.json: `objects.host`: DIR/host.so cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        message(golden, r#""golden": {"npy": {"output": "y.npy"}}"#),
        "DIR/case.json: `golden.npy.output`: DIR/y.npy cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        message(golden, r#""golden": {"npy": {"ouput": "y.npy"}}"#),
        "DIR/case.json: `golden.npy`: no key `ouput`; the nearest is `output`"
    );
    assert_eq!(
        message(golden, r#""golden": {"npy": {"input": "y.npy"}}"#),
        "DIR/case.json: `golden.npy.input`: `input` is an input and has no result to compare"
    );
    directory.write("costs.json", "{\n]");
    assert_eq!(
        message(golden, r#""kernel_costs": {"path": "costs.json"}"#),
        "DIR/case.json: `kernel_costs.path`: DIR/costs.json is not JSON: key must be a string at line 2 column 1"
    );
}

#[test]
fn does_an_array_have_to_be_as_the_case_says() {
    let directory = Directory::new();
    let generator = r#""generator": {"kind": "ramp", "start": 1, "step": 1}"#;
    let write = |dtype, shape: &[u32]| {
        npy::write(&directory.0.path().join("x.npy"), &HostTensor::zeros(dtype, shape)).unwrap();
        directory.message(generator, r#""npy": "x.npy""#)
    };
    assert_eq!(
        write(DType::F32, &[1, 3]),
        "DIR/case.json: `tensors[0].npy`: DIR/x.npy holds shape [1, 3], the case says [3]"
    );
    assert_eq!(write(DType::I32, &[3]), "DIR/case.json: `tensors[0].npy`: DIR/x.npy holds i32, the case says f32");
    let path = directory.write("x.npy", b"text");
    assert_eq!(
        directory.message(generator, r#""npy": "x.npy""#),
        r"DIR/case.json: `tensors[0].npy`: DIR/x.npy is no .npy array: it does not begin with the bytes `\x93NUMPY`"
    );

    let array = HostTensor::from_f32(&[3], &[7.0, 8.0, 9.0]).unwrap();
    npy::write(&path, &array).unwrap();
    let file = directory.write("case.json", CASE.replacen(generator, r#""npy": "x.npy""#, 1));
    let case = CaseSpec::find(file.to_str().unwrap()).unwrap();
    assert_eq!(case.name, "case");
    assert_eq!(case.make_tensors(0).unwrap()[0], array);
    // An array that shrinks between the check and its use.
    let bytes = npy::encode(&array);
    fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    assert_eq!(
        case.make_tensors(0).unwrap_err().to_string().replace(directory.0.path().to_str().unwrap(), "DIR"),
        "DIR/case.json: `tensors[0]`: DIR/x.npy is no .npy array: it has 8 bytes of data where its shape needs 12"
    );
}
