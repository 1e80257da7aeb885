use sim_core::loader::audit::FindingKind;
use sim_core::loader::image::CodeImage;
use sim_core::loader::ledger::{LoadOutcome, LoadRecord, LoadStrategy};

use super::table::AuditTable;
use super::*;
use crate::bundled::{self, ObjectKind};

fn finding(kind: FindingKind, symbol: &str) -> Finding {
    let text = str::to_owned;
    Finding { kind, object: text("add"), symbol: text(symbol), provider: text("libc.so.6") }
}

/// A kernel that was loaded twice with the same findings, and an object that was refused.
fn ledger() -> LoadLedger {
    let bytes = bundled::object(ObjectKind::Kernel, "add").unwrap().bytes;
    let image = CodeImage::parse("add", bytes).unwrap();
    let outcome = LoadOutcome::Miss { strategy: LoadStrategy::SealedMemfd };
    let mut ledger = LoadLedger::default();
    for _ in 0..2 {
        let id = ledger.add(LoadRecord::new(LoadOrigin::Kernel, &image, outcome.clone()));
        for (kind, symbol) in [(FindingKind::FirstWins, "a64l"), (FindingKind::InlineClock, "kernel_entry")] {
            ledger.add_finding(id, finding(kind, symbol)).unwrap();
        }
    }
    let error = CodeImage::parse("junk", b"junk").unwrap_err();
    ledger.add(LoadRecord::refused(LoadOrigin::Kernel, "junk", b"junk", &error));
    ledger
}

fn audit(allow: &[&str]) -> Audit {
    let allow: Vec<Allowance> = allow.iter().map(|key| key.parse().unwrap()).collect();
    Audit::of_loads(&ledger(), &allow)
}

#[test]
fn does_a_finding_count_unless_its_key_is_allowed() {
    let refused = |allow: &[&str]| audit(allow).refused().map(|judged| judged.key.to_string()).collect::<Vec<_>>();
    assert_eq!(refused(&[]), ["first_wins:a64l", "inline_clock:kernel_entry"]);
    assert_eq!(refused(&["first_wins:a64l"]), ["inline_clock:kernel_entry"]);
    assert_eq!(refused(&["first_wins:a64l@add"]), ["inline_clock:kernel_entry"]);
    assert_eq!(refused(&["first_wins:a64l@mul"]), ["first_wins:a64l", "inline_clock:kernel_entry"]);
    assert_eq!(refused(&["vdso:a64l"]), ["first_wins:a64l", "inline_clock:kernel_entry"]);
    assert_eq!(audit(&["first_wins:a64l"]).status(), ExitStatus::Mismatch);
    assert_eq!(audit(&["first_wins:a64l", "inline_clock:kernel_entry"]).status(), ExitStatus::Success);
}

#[test]
fn what_does_a_terminal_show() {
    let audit = audit(&["inline_clock:kernel_entry", "first_wins:a46l"]);
    insta::assert_snapshot!(AuditTable { subject: "chain", audit: &audit }, @r"
    chain: 2 objects, 2 findings, 1 of them allowed

    object  imports  served by
    add           -  not looked at
    junk          -  not looked at

    finding                    object  provider
    first_wins:a64l            add     libc.so.6
    inline_clock:kernel_entry  add     libc.so.6 (allowed)

    allowed and not found: first_wins:a46l; the nearest finding is first_wins:a64l
    ");
}

#[test]
fn what_does_the_json_have() {
    let json = serde_json::to_value(audit(&["first_wins:a64l", "vdso:time"])).unwrap();
    assert_eq!(json["objects"][1]["name"], "junk");
    let finding = serde_json::json!({"kind": "first_wins", "object": "add", "symbol": "a64l", "provider": "libc.so.6",
                                     "key": "first_wins:a64l", "allowed": true});
    assert_eq!(json["findings"][0], finding);
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(2));
    let unused = serde_json::json!([{"key": "vdso:time", "nearest": "inline_clock:kernel_entry"}]);
    assert_eq!(json["unused"], unused);
}

#[test]
fn what_is_said_of_a_key_that_names_no_findings() {
    let refusal = |text: &str| text.parse::<Allowance>().unwrap_err().to_string();
    assert_eq!(refusal("first_win:a64l"), "`first_win` is no kind of finding; the nearest is `first_wins`");
    let form = "is no finding: write kind:symbol or kind:symbol@object, such as `first_wins:a64l`";
    for text in ["a64l", "first_wins:", "first_wins:a64l@", "first_wins:@add"] {
        assert_eq!(refusal(text), format!("`{text}` {form}"));
    }
    let path: Allowance = "leaked_descriptor:/tmp/a@b/log@add".parse().unwrap();
    assert_eq!(path.to_string(), "leaked_descriptor:/tmp/a@b/log@add");
}
