//! Does a device have the numbers of the part that was asked for, and does the command say where they come from?

mod support;

use serde_json::Value;
use support::npusim;

/// The value of a key that `profiles show --json` lists.
fn shown(profile: &str, key: &str) -> Value {
    let report = npusim(["profiles", "show", profile, "--json"]).success().json();
    let values = report["values"].as_array().expect("a list").clone();
    values.into_iter().find(|value| value["key"] == key).expect("every profile has it")
}

#[test]
fn what_does_the_list_of_profiles_say() {
    let _snapshots = support::snapshots();
    insta::assert_snapshot!(npusim(["profiles", "list"]).success().stdout);
    let listing = npusim(["profiles", "list", "--json"]).success().json();
    let names: Vec<&str> =
        listing["profiles"].as_array().expect("a list").iter().flat_map(|p| p["name"].as_str()).collect();
    assert_eq!(
        names,
        ["a2a3", "910B1", "910B2", "910B3", "910_9392", "a5", "950PR_958x", "950PR_957x", "950DT_958x", "a5-repo"]
    );
}

#[test]
fn does_a_value_come_with_where_it_is_from() {
    let clock = shown("910B2", "clock.aicore");
    assert_eq!((&clock["value"], &clock["confidence"]), (&"1.8 GHz".into(), &"documented".into()));
    let load = shown("910B2", "mmio.load");
    assert_eq!((&load["value"], &load["confidence"]), (&"95 ns".into(), &"measured".into()));
    assert_eq!(shown("950PR_957x", "mmio.load")["confidence"], "inferred");
    let text = npusim(["profiles", "show", "a2a3", "--sources"]).success().stdout;
    let lines = "mmio.load                           95 ns           measured\n    hw-native-sys/simpler 6ebaf771 ";
    assert!(text.contains(lines), "{text}");
    let without = npusim(["profiles", "show", "a2a3"]).success().stdout;
    assert!(without.lines().all(|line| !line.starts_with(' ')), "{without}");
}

#[test]
fn do_run_and_ci_take_the_part_that_is_named() {
    let report = npusim(["run", "vector_example", "--profile", "950PR_957x", "--json"]).success().json();
    assert_eq!((&report["arch"], &report["profile"]), (&"a5".into(), &"950PR_957x".into()));
    assert_eq!(report["cores"], 3 * 28);
    let whole = npusim(["run", "vector_example", "--json"]).success().json();
    assert_eq!((&whole["profile"], &whole["cores"]), (&"a2a3".into(), &(3 * 24).into()));
    let smaller = npusim(["ci", "--profile", "910B3", "--case", "diamond", "--json"]).success().json();
    let entries = smaller["entries"].as_array().expect("a list");
    assert_eq!(entries.len(), 3, "one generation on three runtimes: {smaller}");
}

#[test]
fn does_the_environment_name_a_part_as_well() {
    let run = |profile: &str, options: &[&str]| {
        let child = &mut support::command();
        child.args(["run", "chain", "--json"]).args(options).env("NPUSIM_PROFILE", profile);
        support::outcome_of(child, support::FAULT_PATIENCE)
    };
    assert_eq!(run("910B3", &[]).success().json()["profile"], "910B3");
    assert_eq!(run("910B3", &["--profile", "910B2"]).success().json()["profile"], "910B2");
    assert_eq!(run("910B9", &[]).exit, Some(2));
}

#[test]
fn is_a_name_that_no_profile_has_refused_with_the_nearest() {
    for (arguments, message) in [
        (&["run", "chain", "--profile", "910b2"][..], "no profile is named `910b2`; the nearest is `910B2`"),
        (&["profiles", "show", "950PR"], "no profile is named `950PR`; the nearest is `950PR_958x`"),
        (&["ci", "--profile", "a5repo"], "no profile is named `a5repo`; the nearest is `a5-repo`"),
        (&["exec", "--profile", "a3", "--", "true"], "no profile is named `a3`; the nearest is `a5`"),
        (&["run", "chain", "--profile", "910B2", "--arch", "a5"], "the profile `910B2` is one of a2a3, not of a5"),
        (&["ci", "--profile", "910B2", "--arch", "a5"], "the profile `910B2` is one of a2a3, not of a5"),
        (
            &["exec", "--profile", "910B2", "--arch", "a5", "--", "true"],
            "the profile `910B2` is one of a2a3, not of a5",
        ),
        (&["run", "chain", "--profile", "910B2", "--set", "l2.capcity=1MiB"], "the nearest is `l2.capacity`"),
    ] {
        let outcome = npusim(arguments.iter().copied());
        assert_eq!(outcome.exit, Some(2), "{arguments:?}: {outcome}");
        assert!(outcome.stderr.contains(message), "{arguments:?}: {outcome}");
    }
}

#[test]
fn is_the_share_of_guesses_exact_and_the_same_on_both_engines() {
    let report = |options: &[&str]| {
        npusim([&["run", "vector_example", "--json"], options].concat()).success().json()["confidence"].clone()
    };
    let own = report(&[]);
    assert_eq!(own, report(&["--engine", "naive"]));
    assert_eq!(own["placeholder_share"], 0.0, "{own}");
    let given = report(&["--set", "aicpu.submit=1us"]);
    // Five tasks.
    assert_eq!(given["override_ns"], 5_000, "{given}");
}
