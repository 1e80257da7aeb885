use super::*;
use crate::loader::image::CodeImage;
use crate::loader::test_objects::{Language, shared_object};
use crate::time::SimDuration;
use crate::trace::ContentHash;

fn image() -> CodeImage {
    let bytes = shared_object(Language::C, "int f(void) { return 1; }", &["-nostdlib", "-Wl,--build-id=0xab"]);
    let image = CodeImage::parse("k.so", &bytes).expect("a loadable object");
    // What the linker decides.
    CodeImage { content: ContentHash(7), size: 100, ..image }
}

fn loaded() -> LoadRecord {
    let mut record =
        LoadRecord::new(LoadOrigin::Kernel, &image(), LoadOutcome::Miss { strategy: LoadStrategy::SealedMemfd });
    record.namespace = Some(1);
    record.device_time = SimDuration::from_us(12);
    record.host = Some(HostSide { opened_as: "/tmp/0-k.so".to_owned(), bind_us: 31 });
    record
}

#[test]
fn what_is_in_loads_json() {
    let mut ledger = LoadLedger::default();
    let mut fallen_back = loaded();
    let directory = || "/tmp".to_owned();
    let no_memfd = FailedStrategy { strategy: LoadStrategy::SealedMemfd, reason: "EPERM".to_owned() };
    fallen_back.fallbacks.push(no_memfd);
    fallen_back.outcome = LoadOutcome::Miss { strategy: LoadStrategy::TemporaryFile { directory: directory() } };
    let id = ledger.add(fallen_back);
    ledger.reuse(id).expect("it is loaded");
    insta::assert_json_snapshot!(ledger, @r#"
    {
      "version": 1,
      "counts": {
        "requests": 2,
        "loaded": 1,
        "reused": 1,
        "failed": 0,
        "resident": 1,
        "pinned": 0
      },
      "loads": [
        {
          "origin": "kernel",
          "name": "k.so",
          "content": "0000000000000007",
          "size": 100,
          "build_id": "ab",
          "namespace": 1,
          "outcome": {
            "kind": "miss",
            "strategy": {
              "kind": "temporary_file",
              "directory": "/tmp"
            }
          },
          "fallbacks": [
            {
              "strategy": {
                "kind": "sealed_memfd"
              },
              "reason": "EPERM"
            }
          ],
          "device_time_ps": 12000000,
          "users": 2,
          "state": "live",
          "findings": [],
          "host": {
            "opened_as": "/tmp/0-k.so",
            "bind_us": 31
          }
        },
        {
          "origin": "kernel",
          "name": "k.so",
          "content": "0000000000000007",
          "size": 100,
          "build_id": "ab",
          "namespace": 1,
          "outcome": {
            "kind": "reuse",
            "of": 0
          },
          "fallbacks": [],
          "device_time_ps": 0,
          "users": 0,
          "state": null,
          "findings": []
        }
      ]
    }
    "#);
}

#[test]
fn are_equal_runs_equal_without_the_host() {
    let (mut first, mut second) = (LoadLedger::default(), LoadLedger::default());
    first.add(loaded());
    let mut slower = loaded();
    slower.host = Some(HostSide { opened_as: "/tmp/9-k.so".to_owned(), bind_us: 99 });
    second.add(slower);
    assert_ne!(first, second);
    assert_eq!(first.deterministic(), second.deterministic());
    let json = serde_json::to_string(&first.deterministic()).expect("plain data");
    assert!(!json.contains("bind_us") && !json.contains("opened_as"), "{json}");
}

#[test]
fn is_a_load_followed_from_its_first_user_to_its_end() {
    let mut ledger = LoadLedger::default();
    let id = ledger.add(loaded());
    ledger.reuse(id).expect("it is loaded");
    assert_eq!(ledger.close(id, true), Err(LedgerError::InUse { id: 0, users: 2 }));
    assert_eq!((ledger.release(id), ledger.release(id)), (Ok(1), Ok(0)));
    assert_eq!(ledger.get(id).map(|record| record.state), Some(Some(LoadState::Idle)));
    assert_eq!(ledger.release(id), Err(LedgerError::NotInUse { id: 0 }));

    ledger.reuse(id).expect("it is still loaded");
    assert_eq!(ledger.release(id), Ok(0));
    assert_eq!(ledger.close(id, true), Ok(()));
    assert_eq!(ledger.reuse(id), Err(LedgerError::NotLoaded { id: 0, state: "unloaded" }));
    let counts = LoadCounts { requests: 3, loaded: 1, reused: 2, ..LoadCounts::default() };
    assert_eq!(ledger.counts(), counts);
}

#[test]
fn is_an_object_that_does_not_go_counted() {
    let mut ledger = LoadLedger::default();
    let id = ledger.add(loaded());
    assert_eq!(ledger.release(id), Ok(0));
    assert_eq!(ledger.close(id, false), Ok(()));
    assert_eq!((ledger.counts().pinned, ledger.counts().resident), (1, 0));
}

#[test]
fn does_a_ledger_that_forgets_keep_its_counts_and_what_is_loaded() {
    let mut ledger = LoadLedger::default();
    let kernel = ledger.add(loaded());
    for _ in 0..1_000 {
        let object = ledger.add(loaded());
        ledger.reuse(kernel).expect("it is loaded");
        assert_eq!((ledger.release(kernel), ledger.release(object)), (Ok(1), Ok(0)));
        assert_eq!(ledger.close(object, true), Ok(()));
        ledger.forget_closed();
        assert_eq!(ledger.records().len(), 1);
        assert_eq!(ledger.release(object), Err(LedgerError::Unknown { id: object.0, count: 1 }));
    }
    let counts = LoadCounts { requests: 2_001, loaded: 1_001, reused: 1_000, resident: 1, ..LoadCounts::default() };
    assert_eq!(ledger.counts(), counts);
    let next = ledger.add(loaded());
    assert_eq!((next, ledger.next_id()), (LoadId(2_001), LoadId(2_002)));
    assert!(ledger.get(kernel).is_some() && ledger.get(next).is_some());
    assert_eq!(ledger.since(next).counts().requests, 1);
    assert_eq!(ledger.since(LoadId(1)).records().len(), 1, "the first one that is left");
}

#[test]
fn does_a_refused_object_leave_a_record() {
    let mut ledger = LoadLedger::default();
    let error = CodeImage::parse("k.so", b"junk").expect_err("no object");
    let id = ledger.add(LoadRecord::refused(LoadOrigin::Kernel, "k.so", b"junk", &error));
    let record = &ledger.records()[0];
    assert_eq!(record.outcome, LoadOutcome::Failure { error: error.to_string() });
    assert_eq!((record.size, record.content), (4, ContentHash::of(b"junk")));
    assert_eq!(ledger.counts().failed, 1);
    let expected = LedgerError::NotLoaded { id: 0, state: "no load of its own" };
    assert_eq!(ledger.reuse(id), Err(expected));
    assert_eq!(ledger.release(LoadId(5)), Err(LedgerError::Unknown { id: 5, count: 1 }));
}
