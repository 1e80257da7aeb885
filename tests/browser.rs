//! Does the page of `--html` work in a real browser: are its rows, labels and bars drawn, and do its controls do something?
//!
//! The page is opened without a screen, with a script before its own that writes down what is drawn on the canvas and
//! which errors there are (`support/timeline_probe.js`). Without a browser (`NPUSIM_BROWSER`, or one of the usual names on
//! the path) the tests say so and do nothing; a browser that was named has to be there.

mod support;

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Scratch, npusim, outcome_of};

const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "google-chrome", "chromium-browser"];
const PATIENCE: Duration = Duration::from_secs(120);
const PROBE: &str = include_str!("support/timeline_probe.js");

/// The browser; none, with a line that says so, if there is none.
fn browser() -> Option<PathBuf> {
    if let Some(named) = env::var_os("NPUSIM_BROWSER") {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    let found =
        BROWSERS.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|at| at.is_file());
    if found.is_none() {
        eprintln!("skipped: no browser on the path ({}); name one with NPUSIM_BROWSER", BROWSERS.join(", "));
    }
    found
}

/// The page of the smallest case.
fn page(scratch: &Scratch) -> String {
    let page = scratch.path().join("page.html");
    npusim([OsStr::new("run"), OsStr::new("vector_example"), OsStr::new("--html"), page.as_os_str()]).success();
    std::fs::read_to_string(page).expect("the page was written")
}

/// What a browser does with the page.
fn opened(browser: &Path, scratch: &Scratch, page: &str) -> Value {
    let probed = page.replacen("<head>", &format!("<head><script>\n{PROBE}</script>"), 1);
    let file = scratch.file("probed.html", probed);
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,800"])
        .arg(format!("--user-data-dir={}", scratch.path().join("profile").display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}", file.display()));
    let outcome = outcome_of(&mut command, PATIENCE).success();
    let report = outcome.stdout.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((report, _)) = report else { panic!("the probe did not get to its end\n{outcome}") };
    let report = report.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&report).expect("the probe writes JSON")
}

fn texts<'a>(report: &'a Value, moment: &str) -> Vec<&'a str> {
    report[moment]["texts"].as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

#[test]
fn does_a_browser_draw_the_timeline_and_obey_its_controls() {
    let Some(browser) = browser() else { return };
    let scratch = Scratch::new();
    let report = opened(&browser, &scratch, &page(&scratch));
    assert_eq!(report["errors"], serde_json::json!([]));
    let all = texts(&report, "all");
    // The scale, the rows that have something in them, and what fits into bars.
    for label in ["0 ps", "critical path", "host", "aicpu0", "aicpu5", "preamble", "scheduling", "aiv24"] {
        assert!(all.contains(&label), "{label}: {all:?}");
    }
    assert!(!all.contains(&"aic0"), "a core without kernels: {all:?}");
    assert!(report["all"]["fills"].as_u64() > Some(20), "bars: {report}");
    let (zoomed, idle) = (texts(&report, "zoomed"), texts(&report, "idle"));
    assert!(!zoomed.contains(&"0 ps") && zoomed.contains(&"critical path"), "{zoomed:?}");
    assert_eq!(texts(&report, "fitted"), all);
    assert!(["aic0", "aiv71"].iter().all(|core| idle.contains(core)), "cores without kernels were asked for: {idle:?}");
    assert!(report["tip"].as_str().is_some_and(|tip| tip.contains("critical path: ")), "{report}");
}

#[test]
fn is_an_error_of_the_script_noticed() {
    let Some(browser) = browser() else { return };
    let scratch = Scratch::new();
    let broken = page(&scratch).replacen("function paintAxis() {", "function paintAxis() { nothing.there();", 1);
    let report = opened(&browser, &scratch, &broken);
    let errors = report["errors"].as_array().expect("a list");
    assert!(errors.iter().any(|error| error.as_str().is_some_and(|text| text.contains("nothing"))), "{report}");
}
