use std::fmt::Write;

use super::*;
use crate::profile::Confidence;
use crate::time::SimDuration;

/// A cost of that many nanoseconds.
fn cost(ns: u64) -> String {
    format!(r#"{{"value": {ns}, "unit": "ns", "confidence": "measured", "source": "x"}}"#)
}

/// A file with these charges.
fn file(charges: &[String]) -> String {
    format!(r#"{{"for": "tests", "charges": [{}]}}"#, charges.join(", "))
}

/// A charge of a function, with more fields perhaps.
fn charge(symbol: &str, more: &str, ns: u64) -> String {
    format!(r#"{{"symbol": "{symbol}"{more}, "cost": {}}}"#, cost(ns))
}

fn parse(charges: &[String]) -> Charges {
    Charges::parse("my.json", &file(charges)).unwrap()
}

/// The error for a file with these charges.
fn error_of(charges: &[String]) -> String {
    Charges::parse("my.json", &file(charges)).unwrap_err().to_string()
}

#[test]
fn is_a_charge_read_as_it_is_written() {
    let text = r#"{"for": "simpler 6ebaf771, a2a3", "charges": [{
        "symbol": "PTO2OrchestratorState::submit_task", "object": "aicpu", "per": "task", "optional": true,
        "cost": {"value": 0.874, "unit": "us", "range": [0.7, 1.25], "confidence": "measured", "source": "log", "note": "old"}
    }]}"#;
    let charges = Charges::parse("my.json", text).unwrap();
    assert_eq!((charges.origin.as_str(), charges.meant_for.as_str()), ("my.json", "simpler 6ebaf771, a2a3"));
    assert_eq!(
        charges.charges,
        [Charge {
            symbol: Spelling::parse("PTO2OrchestratorState::submit_task").unwrap(),
            object: Some(ObjectRole::Aicpu),
            cost: Sourced {
                value: SimDuration::from_ns(874),
                range: Some(SimDuration::from_ns(700)..=SimDuration::from_ns(1250)),
                source: "log".to_owned(),
                confidence: Confidence::Measured,
                note: Some("old".to_owned()),
            },
            per: Some("task".to_owned()),
            optional: true,
        }]
    );
}

#[test]
fn is_a_cost_without_a_confidence_a_placeholder_for_every_object() {
    let charges = parse(&[r#"{"symbol": "f", "cost": {"value": 0, "unit": "ns", "source": "me"}}"#.to_owned()]);
    let Charge { object, cost, per, optional, .. } = &charges.charges[0];
    assert_eq!((cost.value, cost.confidence), (SimDuration::ZERO, Confidence::Placeholder));
    assert_eq!((*object, per.as_ref(), *optional), (None, None, false));
}

#[test]
fn is_the_example_of_the_documentation_a_charge_file() {
    let page = include_str!("../../../docs/charges.md");
    let (_, from_example) = page.split_once("```json\n").unwrap();
    let (example, _) = from_example.split_once("```").unwrap();
    let charges = Charges::parse("example", example).unwrap();
    assert_eq!(charges.charges.iter().map(|charge| charge.cost.as_ns()).collect::<Vec<_>>(), [874, 388]);
}

#[test]
fn does_a_file_that_has_no_charges_get_one_clear_error() {
    for (text, message) in [
        ("{\n  \"for\": }", "my.json: not JSON: expected value at line 2 column 10"),
        ("", "my.json: not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "my.json: `.` is a list, expected an object with `for` and `charges`"),
        (r#"{"charges": []}"#, "my.json: `for` is missing, expected which objects the charges are meant for"),
        (r#"{"for": " ", "charges": []}"#, r#"my.json: `for` is " ", expected a text that is not empty"#),
        (r#"{"for": "x"}"#, "my.json: `charges` is missing, expected a list of charges"),
        (r#"{"for": "x", "charges": {}}"#, "my.json: `charges` is an object, expected a list of charges"),
        (r#"{"for": "x", "charge": []}"#, "my.json: no key `charge`; the nearest is `charges`"),
        (r#"{"for": "x", "charges": [5]}"#, "my.json: `charges[0]` is 5, expected an object with symbol and cost"),
    ] {
        assert_eq!(Charges::parse("my.json", text).unwrap_err().to_string(), message);
    }
}

#[test]
fn does_each_mistake_in_a_charge_get_an_error_that_names_file_and_entry() {
    let with_cost = |cost: &str| format!(r#"{{"symbol": "f", "cost": {cost}}}"#);
    for (second, message) in [
        (
            charge("", "", 1),
            r#"my.json: `charges[1].symbol` is "": expected a function's name, such as `PTO2OrchestratorState::submit_task`"#,
        ),
        (
            charge("A::f(int)", "", 1),
            r#"my.json: `charges[1].symbol` is "A::f(int)": names have no parameters and mean all overloads; leave them out, or give the mangled symbol of one"#,
        ),
        (
            charge("_Zf", "", 1),
            r#"my.json: `charges[1].symbol` is "_Zf": no mangled symbol of C++; copy one from `nm -D`, or give the function's qualified name"#,
        ),
        (r#"{"symbol": 5}"#.to_owned(), "my.json: `charges[1].symbol` is 5, expected a function's name"),
        (
            format!(r#"{{"cost": {}}}"#, cost(1)),
            "my.json: `charges[1].symbol` is missing, expected the function whose calls are charged",
        ),
        (r#"{"symbol": "f"}"#.to_owned(), "my.json: `charges[1].cost` is missing, expected what a call costs"),
        (
            charge("f", r#", "objct": "host""#, 1),
            "my.json: no key `charges[1].objct`; the nearest is `charges[1].object`",
        ),
        (
            charge("f", r#", "object": "gpu""#, 1),
            r#"my.json: `charges[1].object` is "gpu", expected one of host, aicpu, aicore, orchestration"#,
        ),
        (
            charge("f", r#", "optional": "yes""#, 1),
            r#"my.json: `charges[1].optional` is "yes", expected true or false"#,
        ),
        (charge("f", r#", "per": """#, 1), r#"my.json: `charges[1].per` is "", expected a text that is not empty"#),
        (
            with_cost(r#""870ns""#),
            r#"my.json: `charges[1].cost` is "870ns", expected an object with value, unit, source and confidence"#,
        ),
        (
            with_cost(r#"{"value": 870, "unit": "ns"}"#),
            "my.json: `charges[1].cost.source` is missing, expected who says so",
        ),
        (
            with_cost(r#"{"value": -1, "unit": "ns", "source": "x"}"#),
            "my.json: `charges[1].cost` = -1 ns is out of range, expected a time from zero to 213 days",
        ),
        (
            with_cost(r#"{"value": 1, "unit": "GHz", "source": "x"}"#),
            "my.json: `charges[1].cost` has the unit `GHz`, expected a span of time in ps, ns, us, ms or s",
        ),
        (
            with_cost(r#"{"value": 1, "unit": "ns", "source": "x", "nte": ""}"#),
            "my.json: no key `charges[1].cost.nte`; the nearest is `charges[1].cost.note`",
        ),
    ] {
        assert_eq!(error_of(&[charge("first", "", 1), second]), message);
    }
}

#[test]
fn are_two_charges_of_the_same_calls_refused() {
    let (host, aicpu) = (r#", "object": "host""#, r#", "object": "aicpu""#);
    let twice =
        "my.json: `charges[1]` charges `A::f`, as `charges[0]` does; remove one, or let each name another `object`";
    for (one, other) in [("", ""), ("", host), (host, ""), (host, host)] {
        assert_eq!(error_of(&[charge("A::f", one, 1), charge("A::f", other, 2)]), twice, "{one} {other}");
    }
    assert_eq!(parse(&[charge("A::f", host, 1), charge("A::f", aicpu, 2)]).charges.len(), 2);
    assert_eq!(parse(&[charge("A::f", "", 1), charge("_ZN1A1fEv", "", 2)]).charges.len(), 2);
}

#[test]
fn is_a_file_that_cannot_be_read_named_in_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.json");
    let error = Charges::read(&path).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: cannot be read: No such file or directory (os error 2); expected the path of a charge file",
            path.display()
        )
    );
    std::fs::write(&path, file(&[charge("A::f", "", 5)])).unwrap();
    assert_eq!(Charges::read(&path).unwrap().origin, path.display().to_string());
}

#[test]
fn which_charges_does_a_name_mean() {
    for arch in Arch::ALL {
        assert_eq!(Charges::named(SHIPPED.as_ref(), arch), Charges::shipped(arch));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SHIPPED);
    std::fs::write(&path, file(&[])).unwrap();
    assert_eq!(Charges::named(&path, Arch::A5), Charges::read(&path));
}

#[test]
fn does_the_most_exact_of_several_charges_count() {
    let charges = parse(&[
        charge("A::f", "", 1),
        charge("A::f<int>", "", 2),
        charge("_ZN1A1fIiEEvd", "", 3),
        charge("malloc", "", 4),
    ]);
    let symbols = ["_ZN1A1fEv", "_ZN1A1fIdEEvi", "_ZN1A1fIiEEvi", "_ZN1A1fIiEEvd", "malloc", "free"];
    let resolved = charges.for_symbols(ObjectRole::Host, symbols);
    let found = symbols.map(|symbol| resolved.get(symbol).map(|charge| (charge.index, charge.cost.as_ns())));
    assert_eq!(found, [Some((0, 1)), Some((0, 1)), Some((1, 2)), Some((2, 3)), Some((3, 4)), None]);
    assert_eq!(resolved.get("_ZN1A1fEi"), None, "the object does not import it");
}

#[test]
fn is_an_object_of_another_role_not_charged() {
    let charges = parse(&[charge("f", r#", "object": "aicpu""#, 1), charge("g", "", 2)]);
    for (role, found) in [(ObjectRole::Aicpu, [true, true]), (ObjectRole::Host, [false, true])] {
        let resolved = charges.for_symbols(role, ["f", "g"]);
        assert_eq!(["f", "g"].map(|symbol| resolved.get(symbol).is_some()), found, "{role}");
    }
}

#[test]
fn does_the_use_say_what_became_of_every_charge() {
    let aicpu = r#", "object": "aicpu""#;
    let charges = parse(&[
        charge("A::f", "", 25),
        charge("A::once", aicpu, 7),
        charge("A::idle", "", 1),
        charge("B::g", r#", "optional": true, "object": "host""#, 1),
        charge("A::subimt", aicpu, 1),
        charge("submit", "", 1),
        charge("_ZN1A6submitEi", "", 1),
        charge("Unheard::of", "", 1),
        charge("A::host_only", aicpu, 1),
    ]);
    let mut used = ChargeUse::of(&charges);
    let resolved =
        charges.for_symbols(ObjectRole::Aicpu, ["_ZN1A1fEv", "_ZN1A4onceEv", "_ZN1A4idleEv", "_ZN1A6submitEv"]);
    used.loaded(&resolved);
    used.loaded(&charges.for_symbols(ObjectRole::Host, ["_ZN1A9host_onlyEv"]));
    let calls = |index: usize| [3, 1].get(index).copied().unwrap_or(0);
    let lines: Vec<String> = used.usages(calls).map(|usage| usage.to_string()).collect();
    assert_eq!(
        lines,
        [
            "my.json: `charges[0]`: 3 calls of `A::f`, 75 ns",
            "my.json: `charges[1]`: 1 call of `A::once`, 7 ns",
            "my.json: `charges[2]`: `A::idle` was never called",
            "my.json: `charges[3]`: no host object imports `B::g`, which is optional",
            "my.json: `charges[4]`: no aicpu object imports `A::subimt`; did you mean `A::submit`?",
            "my.json: `charges[5]`: no object imports `submit`; did you mean `A::submit`?",
            "my.json: `charges[6]`: no object imports `_ZN1A6submitEi`; did you mean `_ZN1A6submitEv`?",
            "my.json: `charges[7]`: no object imports `Unheard::of`, nor one of a similar name; was it inlined?",
            "my.json: `charges[8]`: no aicpu object imports `A::host_only`, nor one of a similar name; was it inlined?",
        ]
    );
    let first = used.usages(calls).next().unwrap();
    assert_eq!(first.outcome, Outcome::Called { calls: 3, time: SimDuration::from_ns(75) });
}

#[test]
fn does_a_use_without_objects_call_every_charge_unknown() {
    let used = ChargeUse::of(&parse(&[charge("A::f", "", 1)]));
    let outcomes: Vec<Outcome> = used.usages(|_| 0).map(|usage| usage.outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown { nearest: None }]);
}

/// What a real object imports of its own functions: see the file.
fn imports(object: &str) -> Vec<&'static str> {
    let lines = include_str!("imports.txt").lines();
    let found: Vec<_> = lines.filter_map(|line| line.strip_prefix(object)?.strip_prefix(' ')).collect();
    assert!(!found.is_empty(), "{object}");
    found
}

/// The charges that a runtime's objects have, with role, cost, and where the name alone does not tell, the symbol.
fn charged(arch: Arch, runtime: &str) -> String {
    let charges = Charges::shipped(arch).unwrap();
    let mut text = String::new();
    for role in [ObjectRole::Aicpu, ObjectRole::Host] {
        let symbols = imports(&format!("{arch} {runtime} {role}"));
        let resolved = charges.for_symbols(role, symbols.iter().copied());
        for symbol in symbols {
            if let Some(charge) = resolved.get(symbol) {
                writeln!(text, "{role:<6}{:>10} ns  {symbol}", charge.cost.as_ns_f64()).unwrap();
            }
        }
    }
    text
}

#[test]
fn which_functions_of_a2a3_tensormap_and_ringbuffer_are_charged() {
    insta::assert_snapshot!(charged(Arch::A2a3, "tensormap_and_ringbuffer"));
}

#[test]
fn which_functions_of_a2a3_host_build_graph_are_charged() {
    insta::assert_snapshot!(charged(Arch::A2a3, "host_build_graph"));
}

#[test]
fn are_the_same_functions_of_a5_charged_at_the_same_cost() {
    for runtime in ["tensormap_and_ringbuffer", "host_build_graph"] {
        assert_eq!(charged(Arch::A5, runtime), charged(Arch::A2a3, runtime), "{runtime}");
    }
}

#[test]
fn is_every_shipped_charge_of_some_runtime_and_optional_unless_of_both() {
    for arch in Arch::ALL {
        let charges = Charges::shipped(arch).unwrap();
        let mut runtimes = vec![0; charges.charges.len()];
        for runtime in ["tensormap_and_ringbuffer", "host_build_graph"] {
            let mut used = ChargeUse::of(&charges);
            for role in [ObjectRole::Aicpu, ObjectRole::Host] {
                let symbols = imports(&format!("{arch} {runtime} {role}"));
                used.loaded(&charges.for_symbols(role, symbols));
            }
            for usage in used.usages(|_| 0).filter(|usage| usage.outcome == Outcome::NeverCalled) {
                runtimes[usage.index] += 1;
            }
        }
        for (charge, count) in charges.charges.iter().zip(runtimes) {
            assert_eq!(count, if charge.optional { 1 } else { 2 }, "{arch} {}", charge.symbol);
        }
    }
}

#[test]
fn is_no_a5_charge_more_than_inferred_and_does_every_derived_one_say_how() {
    for arch in Arch::ALL {
        for charge in Charges::shipped(arch).unwrap().charges {
            let derived = charge.cost.confidence != Confidence::Measured;
            assert!(arch == Arch::A2a3 || derived, "{}", charge.symbol);
            assert!(charge.cost.note.is_some() || !derived, "{arch} {}", charge.symbol);
        }
    }
}
