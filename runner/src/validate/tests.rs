use std::sync::LazyLock;

use serde_json::Value;

use super::predict::Prediction;
use super::rows::{self, Row};
use super::*;

/// A file of two rows of the same measure, and one that nothing predicts.
const THREE_ROWS: &str = r#"{"rows": [
    {"id": "one", "arch": "a2a3", "measure": {"mmio": {"sweep": {"cores": 10}}},
     "published": {"value": 1000, "unit": "ns"}, "source": "someone", "confidence": "measured"},
    {"id": "two", "arch": "a2a3", "measure": {"mmio": {"sweep": {"cores": 1}}},
     "published": {"value": 95, "unit": "ns"}, "source": "someone", "confidence": "measured", "fit": "mmio.load"},
    {"id": "three", "arch": "a5", "measure": {"unmodelled": {"why": "nobody knows"}},
     "published": {"value": 1, "unit": "ms"}, "source": "someone else", "confidence": "inferred"}],
  "left_out": [{"arch": "a2a3", "figure": "a bound", "source": "someone", "why": "it is one"}]}"#;

fn three_rows() -> GroupReport {
    let published = rows::read(Group::Micro, THREE_ROWS).unwrap();
    let mut predictor = Predictor::new(&[]);
    let report = |row: Row| {
        let prediction = predictor.predict(&row).unwrap();
        ReportedRow::new(row, prediction)
    };
    GroupReport::new(Group::Micro, published.rows.into_iter().map(report).collect(), published.left_out)
}

fn refusal(change: impl Fn(&str) -> String) -> String {
    rows::read(Group::Micro, &change(THREE_ROWS)).map(drop).unwrap_err().to_string()
}

#[test]
fn which_rows_count() {
    let report = three_rows();
    // The prediction of the first is 10 loads of 95 ns, 5 % less than published.
    assert_eq!((report.mape, report.target), (Some(5.0), Some(5.0)));
    assert_eq!((report.scored, report.fitted, report.not_modelled), (1, 1, 1));
    assert_eq!(report.rows[1].error, Some(0.0));
    assert_eq!(report.rows[2].not_modelled.as_deref(), Some("nobody knows"));
}

#[test]
fn what_is_in_the_json_of_a_report() {
    let report = Report { groups: vec![three_rows()] };
    insta::assert_json_snapshot!(report);
}

#[test]
fn what_does_a_report_look_like() {
    insta::assert_snapshot!(ReportTable(&Report { groups: vec![three_rows()] }));
}

#[test]
fn is_a_file_of_rows_refused_with_the_place_of_the_mistake() {
    let refusals = [
        refusal(|text| text.replace("\"sweep\"", "\"swep\"")),
        refusal(|text| text.replace("\"unit\": \"ms\"", "\"unit\": \"hours\"")),
        refusal(|text| text.replace("\"arch\": \"a5\"", "\"arch\": \"a6\"")),
        refusal(|text| text.replace("\"two\"", "\"one\"")),
        refusal(|text| text.replace("\"value\": 95", "\"value\": 0")),
        refusal(|text| text.replace("\"fit\"", "\"fits\"")),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn are_the_rows_of_every_group_sound() {
    for group in Group::ALL {
        let published = rows::of(group).unwrap_or_else(|error| panic!("{error}"));
        assert!(!published.rows.is_empty(), "{group}");
        for row in &published.rows {
            assert!(row.id.starts_with(row.arch.as_str()), "{group}: {} begins with its generation", row.id);
            let empty = [Some(&row.source), row.fit.as_ref(), row.explanation.as_ref()];
            assert!(empty.into_iter().flatten().all(|text| !text.trim().is_empty()), "{group}: {}", row.id);
        }
    }
}

/// Everything, predicted once for all tests.
static WHOLE: LazyLock<Report> =
    LazyLock::new(|| validate(&Selection::default()).unwrap_or_else(|error| panic!("{error}")));

#[test]
fn what_does_the_model_predict() {
    insta::assert_snapshot!(ReportTable(&WHOLE));
}

#[test]
fn is_every_row_that_is_far_off_explained() {
    let rows = || WHOLE.groups.iter().flat_map(|group| &group.rows);
    let unexplained: Vec<String> = rows()
        .filter(|row| row.needs_explanation() && row.explanation.is_none())
        .map(|row| format!("{}: {:+.1} %", row.id, row.error.unwrap_or_default()))
        .collect();
    assert!(unexplained.is_empty(), "beyond 25 % without an explanation:\n{}", unexplained.join("\n"));
}

#[test]
fn does_a_selection_have_its_groups_and_generation_alone() {
    let selection = Selection { groups: vec![Group::Loading], arch: Some(Arch::A5), ..Selection::default() };
    let report = validate(&selection).unwrap();
    assert_eq!(report.groups.len(), 1);
    assert!(report.groups[0].rows.iter().all(|row| row.arch == Arch::A5));
    assert!(!report.groups[0].rows.is_empty());
}

#[test]
fn what_would_the_model_predict_with_another_price_of_an_instruction() {
    let sum_of_16_kib = |overrides: &[&str]| {
        let overrides = overrides.iter().map(|text| text.parse().unwrap()).collect();
        let report = validate(&Selection { groups: vec![Group::Micro], arch: Some(Arch::A2a3), overrides }).unwrap();
        let row = report.groups[0].rows.iter().find(|row| row.id == "a2a3.tadd.fp32.64x64").unwrap();
        row.predicted.unwrap().round()
    };
    // 64 repeats: 30 + 64 × 5 cycles.
    let set = ["startup=30", "slope=5"].map(|value| format!("instructions.vector.add.{value}"));
    assert_eq!(sum_of_16_kib(&set.each_ref().map(String::as_str)), 350.0);
}

#[test]
fn is_the_error_of_a_group_in_its_json_that_of_its_rows() {
    let report = validate(&Selection { groups: vec![Group::Loading], ..Selection::default() }).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let group = &json["groups"]["loading"];
    let errors: Vec<f64> = group["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["fit"] == Value::Bool(false))
        .filter_map(|row| row["error"].as_f64())
        .collect();
    assert_eq!(group["scored"].as_u64(), Some(errors.len() as u64));
    let mean = errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64;
    assert!((group["mape"].as_f64().unwrap() - mean).abs() < 1e-9, "{mean}");
}

#[test]
fn is_a_row_that_nothing_predicts_without_a_number() {
    let published = rows::read(Group::Micro, THREE_ROWS).unwrap();
    let row = published.rows.into_iter().nth(2).unwrap();
    let reported = ReportedRow::new(row, Prediction::NotModelled("why".to_owned()));
    assert_eq!((reported.predicted, reported.error, reported.scored_error()), (None, None, None));
}
