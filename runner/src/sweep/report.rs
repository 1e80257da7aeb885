//! A sweep as JSON and as CSV.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::row::Row;
use crate::report::attribution::Cause;
use crate::shard::PartOf;

/// The version of the keys of [`SweepReport`].
pub const SCHEMA: u32 = 1;

/// A sweep, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The exit code of the process: that of the first row that is not as it should be.
    pub exit: u8,
    /// Name of the case.
    pub case: String,
    /// `a2a3` or `a5`.
    pub arch: String,
    /// Name of the runtime.
    pub runtime: String,
    /// Which part it is, if not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<PartOf>,
    /// The axes; the last one changes fastest.
    pub axes: Vec<Axis>,
    /// A row for each point, in order.
    pub rows: Vec<Row>,
    /// Host time of all of it.
    pub host_ms: f64,
}

/// The exit code of a sweep with these rows.
pub(crate) fn exit_of(rows: &[Row]) -> u8 {
    rows.iter().map(|row| row.exit).find(|exit| *exit != 0).unwrap_or(0)
}

/// The sweep as comma-separated values with a header: what spreadsheets and data frames read.
pub fn csv(report: &SweepReport) -> String {
    let mut text = String::new();
    let with_causes = report.rows.iter().any(|row| row.critical_path.is_some());
    let mut header: Vec<String> = vec!["point".to_owned()];
    header.extend(report.axes.iter().map(|axis| axis.key.clone()));
    let columns = ["exit", "golden", "tasks", "device_time_ps", "preamble_ps", "orch_ps", "sched_ps", "post_orch_ps"];
    header.extend(columns.map(str::to_owned));
    if with_causes {
        header.extend(Cause::ALL.map(|cause| format!("path_{}_ps", cause.name())));
    }
    header.extend(["trace_hash", "error"].map(str::to_owned));
    write_line(&mut text, header);
    for row in &report.rows {
        let mut fields = vec![row.point.to_string()];
        fields.extend(row.values.iter().cloned());
        fields.push(row.exit.to_string());
        fields.push(row.golden.map(|golden| golden.name().to_owned()).unwrap_or_default());
        let device = row.device.map(|device| {
            [
                device.tasks,
                device.device_time_ps,
                device.preamble_ps,
                device.orch_ps,
                device.sched_ps,
                device.post_orch_ps,
            ]
            .map(|number| number.to_string())
        });
        fields.extend(device.unwrap_or_default());
        if with_causes {
            let times = Cause::ALL.map(|cause| row.critical_path.map(|times| times.of(cause).as_ps().to_string()));
            fields.extend(times.map(Option::unwrap_or_default));
        }
        fields.push(row.trace_hash.clone().unwrap_or_default());
        fields.push(row.complaint().unwrap_or_default());
        write_line(&mut text, fields);
    }
    text
}

fn write_line(text: &mut String, fields: Vec<String>) {
    let quoted = fields.into_iter().map(|field| {
        let special = field.contains([',', '"', '\n', '\r']);
        if special { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    });
    // A string takes all text.
    let _ = writeln!(text, "{}", quoted.collect::<Vec<_>>().join(","));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::axis::AxisKind;
    use super::super::row::RowDevice;
    use super::*;
    use crate::report::attribution::CauseTimes;
    use crate::report::summary::{RunError, Verdict};

    /// Two points, of which one went wrong.
    pub(crate) fn report() -> SweepReport {
        let device = RowDevice {
            device_time_ps: 42_030_001,
            tasks: 5,
            preamble_ps: 1,
            orch_ps: 2,
            sched_ps: 3,
            post_orch_ps: 4,
        };
        let good = Row {
            point: 0,
            values: vec!["1.2TB/s".to_owned()],
            exit: 0,
            golden: Some(Verdict::Pass),
            device: Some(device),
            critical_path: Some(CauseTimes { compute_ps: 42_000_000, host_ps: 30_001, ..CauseTimes::default() }),
            trace_hash: Some("0123456789abcdef".to_owned()),
            error: None,
            host_ms: 1.5,
        };
        let error = RunError { message: "it \"broke\", there\nand here".to_owned(), device_code: Some(507_015) };
        let bad = Row {
            point: 1,
            values: vec!["1.8TB/s".to_owned()],
            exit: 3,
            golden: Some(Verdict::Fail),
            device: None,
            critical_path: None,
            trace_hash: None,
            error: Some(error),
            host_ms: 0.5,
        };
        SweepReport {
            schema: SCHEMA,
            exit: 3,
            case: "chain".to_owned(),
            arch: "a5".to_owned(),
            runtime: "host_build_graph".to_owned(),
            shard: None,
            axes: vec![Axis::parse(AxisKind::Profile, "hbm.read_bandwidth", "1.2TB/s,1.8TB/s").unwrap()],
            rows: vec![good, bad],
            host_ms: 2.0,
        }
    }

    #[test]
    fn what_does_a_spreadsheet_read() {
        let expected = "point,hbm.read_bandwidth,exit,golden,tasks,device_time_ps,preamble_ps,orch_ps,sched_ps,post_orch_ps,\
             path_compute_ps,path_memory_ps,path_dependency_ps,path_dispatch_ps,path_host_ps,trace_hash,error\n\
             0,1.2TB/s,0,pass,5,42030001,1,2,3,4,42000000,0,0,0,30001,0123456789abcdef,\n\
             1,1.8TB/s,3,fail,,,,,,,,,,,,,\"it \"\"broke\"\", there\"\n";
        assert_eq!(csv(&report()), expected);
    }

    #[test]
    fn does_a_report_come_back_from_json_as_it_was() {
        let json = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<SweepReport>(&json).unwrap(), report());
    }
}
