use serde_json::Value;

use super::*;
use crate::report::fixture;

/// The page of the three tasks, in which the case and a kernel are called `name`.
fn page(name: &str) -> String {
    let (mut summary, mut names) = (fixture::summary(), fixture::names());
    summary.run.case = name.to_owned();
    names.kernels[0].name = name.to_owned();
    let explained = Explained::new(&fixture::trace(), &fixture::statistics(), &fixture::chip(), &names);
    let mut page = Vec::new();
    HtmlTimeline { summary: &summary, explained: &explained, names: &names }.write(&mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// What an element that holds raw text holds, of the one that begins with this tag.
fn raw<'a>(page: &'a str, tag: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(tag).expect(tag);
    rest.split_once(end).expect(end).0
}

fn data(page: &str) -> Value {
    serde_json::from_str(raw(page, r#"<script type="application/json" id="data">"#, "</script>")).expect("it is JSON")
}

/// Element names that are open at the end of a page, and those that were closed without being open.
fn unbalanced(page: &str) -> (Vec<String>, Vec<String>) {
    const VOID: [&str; 2] = ["meta", "input"];
    let (mut open, mut stray) = (Vec::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, behind) = behind.split_once('>').expect("every tag ends");
        rest = behind;
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "`<{tag}` begins no element");
        if tag.starts_with('/') {
            match open.pop() {
                Some(opened) if opened == name => {}
                other => stray.push(format!("{name} in {other:?}")),
            }
        } else if !VOID.contains(&name.as_str()) {
            if name == "script" || name == "style" {
                // Their content is no markup.
                let end = rest.find(&format!("</{name}")).expect("raw text ends");
                rest = &rest[end..];
            }
            open.push(name);
        }
    }
    (open, stray)
}

const HOSTILE: &str = r#"</script><img src=x onerror="alert('1')">&amp;<!-- "#;

#[test]
fn is_every_element_closed_where_it_was_opened() {
    for name in ["chain3", HOSTILE] {
        assert_eq!(unbalanced(&page(name)), (vec![], vec![]), "{name}");
    }
}

#[test]
fn can_a_name_leave_the_place_where_it_stands() {
    let page = page(HOSTILE);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<!-- "));
    assert_eq!(data(&page)["kernels"][0], HOSTILE);
    let shown = "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;&lt;!-- ";
    assert!(page.contains(&format!("<h1>{shown}</h1>")), "{page}");
}

#[test]
fn does_the_page_need_anything_from_elsewhere() {
    let page = page("chain3");
    for reference in ["http:", "https:", "src=", "href=", "@import", "url(", "fetch(", "import("] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn what_does_the_data_hold_of_three_tasks() {
    let data = data(&page("add"));
    let lanes: Vec<_> = data["lanes"].as_array().unwrap().iter().map(|lane| lane["name"].as_str().unwrap()).collect();
    assert_eq!(lanes, ["critical path", "host", "aicpu0", "aicpu1", "aic0", "aiv1", "aiv2"]);
    assert_eq!((&data["device_time_ps"], &data["kernels"]), (&9_000_000.into(), &serde_json::json!(["add", "matmul"])));
    // From 1000 ns, the device's first event: start, length, kernel, task, source, path, cost, sent, noticed.
    let kernels = serde_json::json!([
        [1_300_000, 2_000_000, 0, "t0", 0, 1, 2_000_000, 1_100_000, 3_500_000],
        [5_300_000, 1_000_000, 0, "r1t0", 0, 1, 1_000_000, 5_100_000, 6_500_000],
    ]);
    assert_eq!(data["lanes"][5]["spans"], kernels);
    assert_eq!(
        data["lanes"][3]["spans"],
        serde_json::json!([[0, 500_000, 0], [500_000, 6_200_000, 2], [6_700_000, 2_300_000, 3]])
    );
}

#[test]
fn do_the_spans_of_the_path_cover_the_device_time() {
    let data = data(&page("add"));
    let mut at = 0;
    for span in data["lanes"][0]["spans"].as_array().unwrap() {
        assert_eq!(span[0], at, "{span}");
        at += span[1].as_u64().unwrap();
    }
    assert_eq!(data["device_time_ps"], at);
}

#[test]
fn does_the_script_know_every_element_that_it_looks_for() {
    let page = page("chain3");
    let asked: Vec<&str> =
        SCRIPT.split("getElementById(\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert_eq!(asked.len(), 7);
    for id in asked {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}
