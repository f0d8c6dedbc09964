//! A hundred ways to break a plan: each is an error with its place and its mend, none a panic.

use super::tests::{GOOD, changed, with};
use crate::control::dialplan::problem::Severity;

/// What is written, and what instead.
const SLIPS: [(&str, &str); 100] = [
    ("dialplan: 1", "dialplan: two"),
    ("dialplan: 1", "dialplan: 0"),
    ("dialplan: 1", "dialplan: [1]"),
    ("dialplan: 1", "Dialplan: 1"),
    ("dialplan: 1\n", ""),
    ("dialplan: 1", "dialplan 1"),
    ("dialplan: 1", "\tdialplan: 1"),
    ("dialplan: 1", "dialplan: 1\n---\ndialplan: 1"),
    ("dialplan: 1", "dialplan: &one 1"),
    ("dialplan: 1", "dialplan: !int 1"),
    ("dialplan: 1", "dialplan: *one"),
    ("id: test", "id:"),
    ("id: test", "id: {a: b}"),
    ("id: test", "id: \"te st\""),
    ("id: test", "ids: test"),
    ("id: test", "id: test\nid: other"),
    ("id: test", "id: \"test"),
    ("title: Test", "title: [Test]"),
    ("title: Test", "titel: Test"),
    ("title: Test", "title: Test: the plan"),
    ("languages: [en-US]", "languages: {}"),
    ("languages: [en-US]", "languages: ["),
    ("languages: [en-US]", "languages: [e]"),
    ("languages: [en-US]", "langs: [en-US]"),
    ("languages: [en-US]", "languages: [de-DE]"),
    ("numbers: [\"1000\"]", "numbers: {a: b}"),
    ("numbers: [\"1000\"]", "numbers: [\"1000\", \"1000\"]"),
    ("numbers: [\"1000\"]", "number: [\"1000\"]"),
    ("start: main", "start: Main"),
    ("start: main", "start: [main]"),
    ("start: main", "start: nowhere"),
    ("start: main", "start: \"main"),
    ("calendar: shop", "calendar: [shop]"),
    ("calendar: shop", "calendar: shopping"),
    ("barge_in: words", "barge_in: yes"),
    ("barge_in: words", "bargein: words"),
    ("thresholds: {accept: 0.75", "thresholds: {accept: high"),
    ("thresholds: {accept: 0.75", "thresholds: {acept: 0.75"),
    ("thresholds: {accept: 0.75, confirm: 0.45}", "thresholds: 0.75"),
    ("confirm: 0.45}", "confirm: -1}"),
    ("no_input: {after: 5s", "no_input: {after: 5 seconds"),
    ("no_input: {after: 5s, tries: 2", "no_input: {after: 5s, tries: two"),
    ("no_input: {after: 5s, tries: 2, then: keys}", "no_input: {after: 5s, tries: 2, then: nobody}"),
    ("error: human", "error: humane"),
    ("error: human", "errors: human"),
    ("slots:\n", "slots: none\nslot:\n"),
    ("order_no: {type: digits", "order no: {type: digits"),
    ("order_no: {type: digits", "order_no: {type: string"),
    ("order_no: {type: digits, ", "order_no: {"),
    ("length: 10", "length: 0"),
    ("length: 10", "length: 10-12"),
    ("length: 10", "lenght: 10"),
    ("ask: \"Which order number?\"", "ask: {de-DE: \"Welche?\"}"),
    ("ask: \"Which order number?\"", "ask: \"Which {?\""),
    ("confirm: readback", "confirm: aloud"),
    ("confirm: readback}", "confirm: readback, values: [a]}"),
    ("confirm: readback}", "confirm: readback"),
    ("track: {get:", "order_no: {get:"),
    ("track: {get:", "track: {got:"),
    ("get: \"${API}/orders/{order_no}\"", "get: \"ftp://a.test\""),
    ("get: \"${API}/orders/{order_no}\"", "get: \"${API}/orders/{order_nr}\""),
    ("timeout: 2s", "timeout: 2 s later"),
    ("timeout: 2s", "timeout: [2s]"),
    ("pick: {status: $.status", "pick: {status: $status."),
    ("pick: {status: $.status, city: $.city}", "pick: $.status"),
    ("nodes:\n", "node:\n"),
    ("nodes:\n", "nodes:\n  repeat: [{hangup: ~}]\n"),
    ("nodes:\n", "nodes:\n  a b: [{hangup: ~}]\n"),
    ("nodes:\n", "nodes:\n  empty: []\n"),
    ("nodes:\n", "nodes:\n  text: hello\n"),
    ("nodes:\n", "nodes:\n  falls: [{say: \"Hello.\"}]\n"),
    ("- hours: {closed: bye}", "- hours: closed"),
    ("- hours: {closed: bye}", "- hours: {closed: byee}"),
    ("- hours: {closed: bye}", "- hours: {calendar: shops, closed: bye}"),
    ("- say: \"This call is recorded.\"", "- say: This call is recorded: yes"),
    ("- say: \"This call is recorded.\"", "- says: \"This call is recorded.\""),
    ("- say: \"This call is recorded.\"", "- say \"This call is recorded.\""),
    ("- record: true", "- record: sometimes"),
    ("weight: 50, goto: a", "weight: 150, goto: a"),
    ("weight: 50, goto: a", "weight: 50, goto: c"),
    ("by: customer", "by: coin"),
    ("arms: [{weight: 50, goto: a}, {weight: 50, goto: b}]", "arms: []"),
    ("        options:", "        option:"),
    ("        options:", "        options: none\n        use:"),
    ("{key: 1, goto: track, ", "{key: 1, "),
    ("{key: 1, goto: track", "{key: 12345, goto: track"),
    ("label: \"your order\", ", ""),
    ("examples: {en-US: [where is my order", "examples: {fr-FR: [where is my order"),
    ("examples: {en-US: [I want to return it, send it back, get my money back]}", "examples: [I want to return it]"),
    ("    - ask: order_no", "    - ask: [order_no, name]"),
    ("    - lookup: track", "    - lookup: tracks"),
    ("{if: track.status == \"delivered\"", "{if: (track.status == \"delivered\""),
    ("{if: track.status == \"delivered\"", "{if: track.stat == \"delivered\""),
    ("say: \"It is in {track.city}.\"", "say: \"It is in {track.city:loudly}.\""),
    ("topic: hours", "topic: prices"),
    ("answer: {kb: help", "answer: {base: help"),
    ("    - limit: 3\n      then: human", "    - limit: 3"),
    ("    - goto: more", "    - goto: mroe"),
    ("confirm: {prompt: \"Anything else?\", ", "confirm: {"),
    ("queue: {to: desk, ", "queue: {"),
];

#[test]
fn a_hundred_broken_plans_give_a_hundred_errors_with_a_place_and_a_mend() {
    let mut plans = std::collections::BTreeSet::new();
    for (from, to) in SLIPS {
        assert!(plans.insert(changed(GOOD, from, to)), "'{to}' stands twice");
        let found = with(from, to);
        let errors: Vec<_> = found.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert!(!errors.is_empty(), "no error for '{to}': {found:#?}");
        for error in errors {
            assert!(error.file == "plan.yaml" && error.line > 0 && error.column > 0, "{error}");
            assert!(error.mend.as_ref().is_some_and(|mend| !mend.trim().is_empty()), "no mend for '{to}': {error}");
        }
    }
    assert_eq!(plans.len(), 100);
}
