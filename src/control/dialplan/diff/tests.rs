//! Plans compared by what they say.

use super::*;
use crate::control::dialplan::syntax::parse;

const PLAN: &str = r#"
dialplan: 1
id: shop
languages: [en-US]
start: main
defaults: {no_input: {after: 60s}}
slots:
  no: {type: digits, length: 10, ask: "Which order?"}
nodes:
  main:
    - say: Hello.
    - menu:
        prompt: What now?
        options:
          - {key: 1, goto: track, label: order, examples: {en-US: [where is it, track it]}}
          - {key: 2, goto: human, label: agent}
  track:
    - ask: no
    - say: It is on its way.
    - goto: bye
  human: [{queue: desk}]
  bye: [{hangup: Bye.}]
"#;

fn changes(edits: &[(&str, &str)]) -> Vec<Change> {
    let mut text = PLAN.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    compare(&parse("a", PLAN).unwrap(), &parse("b", &text).unwrap(), Shape::Plan)
}

fn told(edits: &[(&str, &str)]) -> Vec<String> {
    let line = |change: &Change| {
        let sides = [&change.before, &change.after].map(|side| side.clone().unwrap_or_default());
        format!("{:?} {} {}: {} > {}", change.became, change.what, change.path, sides[0], sides[1]).to_lowercase()
    };
    changes(edits).iter().map(line).collect()
}

#[test]
fn what_is_only_form_is_no_difference() {
    let edits = [
        ("id: shop\nlanguages: [en-US]", "languages:\n  - \"en-US\"\nid: shop # the shop"),
        ("{key: 2, goto: human, label: agent}", "{label: {en-US: 'agent'}, goto: human, key: \"2\"}"),
        ("60s", "1m"),
        ("queue: desk", "queue: {to: desk}"),
        ("[where is it, track it]", "[track it, where is it]"),
    ];
    assert_eq!(told(&edits), Vec::<String>::new());
}

#[test]
fn differences_are_told_by_what_they_are_and_where() {
    for (from, to, wanted) in [
        ("Hello.", "Hi.", "changed text nodes.main.1.say.en-us: hello. > hi."),
        ("length: 10", "length: 12", "changed setting slots.no.length: 10 > 12"),
        ("track it]", "follow it]", "removed example nodes.main.2.menu.options.track.examples.en-us: track it > "),
        ("    - ask: no\n", "", "removed step nodes.track.1: {ask: no} > "),
        ("    - goto: bye", "    - say: Really.\n    - goto: bye", "added step nodes.track.3:  > {say: {en-us: really.}}"),
        ("  no: {type", "  nr: {type: digits}\n  no: {type", "added slot slots.nr:  > {type: digits}"),
        ("60s", "61s", "changed setting defaults.no_input.after: 60s > 61s"),
        ("\n          - {key: 2, goto: human, label: agent}", "", "removed option nodes.main.2.menu.options.human"),
        ("queue: desk", "queue: claims", "changed setting nodes.human.1.queue.to: desk > claims"),
    ] {
        let found = told(&[(from, to)]);
        assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted}: {found:#?}");
    }
    let lines: Vec<usize> = changes(&[("Hello.", "Hi.")]).iter().map(|change| change.line).collect();
    assert_eq!(lines, [11]);
}

#[test]
fn a_node_with_another_name_is_renamed_and_its_users_are_not_changed() {
    let renamed = told(&[("track:\n", "where:\n"), ("goto: track", "goto: where")]);
    assert_eq!(renamed, ["renamed node nodes.track: track > where"]);
    let and_changed = told(&[("track:\n", "where:\n"), ("goto: track", "goto: where"), ("on its way", "coming")]);
    assert_eq!(and_changed.len(), 2, "{and_changed:#?}");
    assert!(and_changed[1].contains("changed text nodes.where.2.say.en-us"), "{and_changed:#?}");
}

#[test]
fn options_in_another_order_are_told_once() {
    let text = PLAN
        .replace("          - {key: 2, goto: human, label: agent}\n", "")
        .replace("        options:\n", "        options:\n          - {key: 2, goto: human, label: agent}\n");
    let found = compare(&parse("a", PLAN).unwrap(), &parse("b", &text).unwrap(), Shape::Plan);
    assert!(matches!(&found[..], [Change { became: Became::Moved, what: "option", .. }]), "{found:#?}");
}

#[test]
fn whatever_differs_is_told_at_least_once() {
    let edits: Vec<(usize, char)> = PLAN.char_indices().filter(|(_, c)| c.is_ascii_lowercase()).collect();
    let before = parse("a", PLAN).unwrap();
    for (at, _) in edits {
        let mut text = PLAN.to_owned();
        text.replace_range(at..=at, "q");
        let Ok(after) = parse("b", &text) else { continue };
        if crate::control::dialplan::read::knowledge::version(&before, Shape::Plan)
            != crate::control::dialplan::read::knowledge::version(&after, Shape::Plan)
        {
            assert!(!compare(&before, &after, Shape::Plan).is_empty(), "{text}");
        }
    }
}
