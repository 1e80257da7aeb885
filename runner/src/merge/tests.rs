use std::path::Path;

use super::*;
use crate::shard::PartOf;
use crate::sweep::{Axis, AxisKind, Row};

/// The rows of shard `index` of `of`, of a sweep over five points.
fn sweep_part(index: usize, of: usize, identity: &str) -> Part {
    let axis = Axis::parse(AxisKind::Parameter, "tasks", "1..5:5").unwrap();
    let shard = Shard::new(index, of).unwrap();
    let row = |point: usize| Row {
        point,
        values: vec![axis.values[point].clone()],
        exit: 0,
        golden: None,
        device: None,
        critical_path: None,
        trace_hash: None,
        error: None,
        host_ms: 1.0,
    };
    let rows = shard.part_of((0..5).map(row).collect());
    let part = PartOf::new(shard, 5, identity);
    let report = SweepReport {
        schema: 1,
        exit: 0,
        case: "flood".to_owned(),
        arch: "a5".to_owned(),
        runtime: "host_build_graph".to_owned(),
        shard: Some(part.clone()),
        axes: vec![axis.clone()],
        rows,
        host_ms: 10.0,
    };
    Part { path: format!("{index}-of-{of}.json").into(), of: part, content: Content::Sweep(Box::new(report)) }
}

fn refusal(parts: Vec<Part>) -> String {
    join(parts).map(drop).unwrap_err().to_string()
}

#[test]
fn are_the_points_of_all_shards_in_their_order_again() {
    let parts = [3, 1, 2].map(|index| sweep_part(index, 3, "x")).to_vec();
    let Ok(Merged::Sweep(whole)) = join(parts) else { panic!("it is a sweep") };
    assert_eq!(whole.rows.iter().map(|row| row.point).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((whole.shard, whole.host_ms), (None, 30.0));
}

#[test]
fn are_missing_and_double_shards_refused_by_name() {
    let part = |index| sweep_part(index, 4, "x");
    assert_eq!(refusal(vec![part(1), part(3)]), "missing: shard 2/4, 4/4");
    assert_eq!(
        refusal(vec![part(1), part(2), part(1)]),
        r#"shard 1/4 is there twice: "1-of-4.json" and "1-of-4.json""#
    );
    assert_eq!(refusal(vec![]), "nothing to merge: name the report of each shard");
}

#[test]
fn are_parts_of_something_else_refused() {
    let foreign = |other| refusal(vec![sweep_part(1, 2, "x"), other]);
    assert_eq!(
        foreign(sweep_part(2, 2, "y")),
        r#""2-of-2.json" and "1-of-2.json" do not belong together: they are parts of different sweeps or of different settings"#
    );
    assert_eq!(
        foreign(sweep_part(2, 3, "x")),
        r#""2-of-3.json" and "1-of-2.json" do not belong together: one is shard 2/3, the other 1/2"#
    );
}

#[test]
fn is_a_part_that_lacks_rows_refused() {
    let (first, mut second) = (sweep_part(1, 2, "x"), sweep_part(2, 2, "x"));
    let Content::Sweep(report) = &mut second.content else { panic!("it is a sweep") };
    report.rows.pop();
    assert_eq!(refusal(vec![first, second]), r#""2-of-2.json" is not complete: shard 2/2 has 1 of 2 entries"#);
}

#[test]
fn is_what_is_no_part_refused_by_what_it_is() {
    let parse = |text: &str| Part::parse("x.json".into(), text.as_bytes()).map(drop).unwrap_err().to_string();
    assert_eq!(
        parse(r#"{"schema": 1, "rows": []}"#),
        r#""x.json" is the whole and no part of it: it was not written with --shard"#
    );
    assert_eq!(
        parse(r#"{"schema": 9, "entries": []}"#),
        r#""x.json" has schema 9, this npusim reads schema 1: write it again with this version"#
    );
    assert_eq!(parse("{}"), r#""x.json" is no report of a sweep or a matrix: it has neither `rows` nor `entries`"#);
    let broken = parse(r#"{"schema": 1, "rows": [{"point": "one"}], "shard": {"index": 1, "of": 1, "total": 1}}"#);
    assert!(broken.starts_with(r#""x.json" is no report of a sweep or a matrix: `"#), "{broken}");
    assert!(parse("{").starts_with(r#""x.json" is not JSON: "#));
    let missing = Part::read(Path::new("/nowhere/x.json")).map(drop).unwrap_err().to_string();
    assert!(missing.starts_with(r#""/nowhere/x.json" cannot be read: "#), "{missing}");
}
