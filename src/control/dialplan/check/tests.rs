//! Every rule with a plan that keeps it and one that breaks it; and broken plans, each with its place and its mend.

use std::collections::BTreeMap;

use super::{close_options, silent_prompts, unstaffed_queues};
use crate::control::dialplan::plan::{Plan, Verb};
use crate::control::dialplan::{Loaded, Problem, Source, load};
use crate::control::words::directory::{Agent, Forward, Ha1, Handset, Team};
use crate::control::words::{AgentId, Lang};

pub(super) const DESK: &str = include_str!("fixtures/desk.yaml");
/// A plan without any finding.
pub(super) const GOOD: &str = include_str!("fixtures/good.yaml");
const ARTICLES: &str = include_str!("fixtures/articles.yaml");

pub(super) fn loaded(plan: &str, desk: &str, more: &[(&str, &str)]) -> Loaded {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let mut files = vec![file("desk.yaml", desk), file("knowledge/help.yaml", ARTICLES), file("plan.yaml", plan)];
    files.extend(more.iter().map(|(name, text)| file(name, text)));
    load(&files, &BTreeMap::from([("API".to_owned(), "https://api.test".to_owned())]))
}

pub(super) fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the fixture has no '{from}'");
    text.replacen(from, to, 1)
}

/// The findings of the good plan with one change.
pub(super) fn with(from: &str, to: &str) -> Vec<Problem> {
    loaded(&changed(GOOD, from, to), DESK, &[]).problems
}

#[test]
fn the_good_plan_has_no_finding() {
    let problems = loaded(GOOD, DESK, &[]).problems;
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_rule_finds_its_slip_and_says_where_and_how_to_mend_it() {
    for (id, from, to) in [
        ("D101", "\"Where is my order? Please wait.\"", "Where is my order, please wait"),
        ("D102", "title: Test", "title: Test\ntitle: Again"),
        ("D104", "length: 10", "length: ten"),
        ("D105", "goto: track", "gone: track"),
        ("D106", "{track.city}", "{track.city"),
        ("D107", "track.status == \"delivered\"", "track.status = \"delivered\""),
        ("D110", "barge_in: words", "barge_im: words"),
        ("D120", "start: main", "start: mian"),
        ("D120", "error: human", "error: humen"),
        ("D121", "nodes:\n", "nodes:\n  lonely: [{hangup: ~}]\n"),
        ("D122", "- goto: more", "- set: {x: \"1\"}"),
        ("D123", "- confirm: {prompt: \"Anything else?\", \"yes\": main, \"no\": bye}", "- goto: more"),
        ("D124", "- ask: order_no", "- ask: order_nr"),
        ("D124", "- lookup: track", "- lookup: trakc"),
        ("D125", "{track.city}", "{trak.city}"),
        ("D125", "{track.city}", "{track.town}"),
        ("D126", "topic: hours", "topic: ours"),
        ("D128", "title: Test", "title: Test\nmode: finder"),
        ("D128", "  human:\n    - queue: {to: desk, overflow: [{after: 4m, goto: bye}]}", "mode: hybrid\nx:\n  human:\n    - goto: bye"),
        ("D130", "{key: 1, goto: track, label", "{goto: track, label"),
        ("D131", "[where is my order, track my parcel, when does my parcel come]", "[]"),
        ("D132", "[where is my order, track my parcel, when does my parcel come]", "[where is my order]"),
        ("D133", "[I want to return it, send it back, get my money back]", "[where is my order, send it back, get my money back]"),
        ("D140", "- queue: {to: desk, overflow: [{after: 4m, goto: bye}]}", "- goto: bye"),
        ("D150", "\"Goodbye.\"", &format!("\"{}\"", "and so on ".repeat(50))),
        ("D151", "languages: [en-US]", "languages: [en-US, zh-CN]"),
        ("D160", ", timeout: 2s", ""),
        ("D161", "timeout: 2s", "timeout: 9s"),
        ("D162", "  error: human\n", ""),
        ("D163", "${API}/orders", "http://api.example.com/orders"),
        ("D164", "${API}", "${NOWHERE}"),
        (
            "D165",
            "nodes:\n",
            "  cancel: {post: \"${API}/cancel\", timeout: 2s}\nnodes:\n  sagas: [{saga: {id: all, calls: [cancel, track]}}, {goto: more}]\n",
        ),
        ("D170", "{to: desk", "{to: dekc"),
        ("D191", "{type: digits, length: 10", "{type: card"),
        ("D200", "{weight: 50, goto: a}", "{weight: 40, goto: a}"),
        ("D210", "    - say: \"This call is recorded.\"\n", ""),
    ] {
        let found = with(from, to);
        let problem = found.iter().find(|problem| problem.id == id).unwrap_or_else(|| panic!("{id} was not found for {to}: {found:#?}"));
        assert!(problem.file == "plan.yaml" && problem.line > 0 && problem.column > 0, "{problem}");
        assert!(problem.mend.as_ref().is_some_and(|mend| !mend.is_empty()), "no mend: {problem}");
    }
}

#[test]
fn rules_of_the_files_around_the_plan() {
    let no_holidays = loaded(GOOD, &changed(DESK, ", closed: []", ""), &[]).problems;
    assert!(no_holidays.iter().any(|problem| problem.id == "D180" && problem.file == "desk.yaml"), "{no_holidays:#?}");
    let twice = loaded(GOOD, DESK, &[("second.yaml", &changed(GOOD, "id: test", "id: other"))]).problems;
    assert!(twice.iter().any(|problem| problem.id == "D220" && problem.file == "second.yaml"), "{twice:#?}");
    let no_queue = loaded(&changed(GOOD, "{to: desk, overflow: [{after: 4m, goto: bye}]}", "desk"), "calendars: {}\n", &[]).problems;
    assert!(no_queue.iter().any(|problem| problem.id == "D171"), "{no_queue:#?}");
    let many: String = (2..8).map(|key| format!("\n          - {{key: {key}{key}, goto: bye, label: \"number {key}\"}}")).collect();
    let crowded = with("        options:", &format!("        options:{many}"));
    assert!(crowded.iter().any(|problem| problem.id == "D135"), "{crowded:#?}");
}

#[test]
fn d134_options_that_say_the_same_are_too_close_and_those_of_the_good_plan_are_not() {
    let near = changed(
        GOOD,
        "[I want to return it, send it back, get my money back]",
        "[when is my order here, where is my parcel, track the order]",
    );
    let plan = loaded(&near, DESK, &[]).plans["test"].clone();
    let found = close_options(&plan, "plan.yaml");
    let problem = found.first().expect("D134");
    assert!(problem.id == "D134" && problem.line > 0 && problem.column > 0, "{problem}");
    assert!(problem.mend.as_ref().is_some_and(|mend| mend.contains("confusions")), "{problem}");
    let far = changed(
        GOOD,
        "[where is my order, track my parcel, when does my parcel come]",
        "[where is my order, where is my order now, so where is my order]",
    );
    let far = changed(
        &far,
        "[I want to return it, send it back, get my money back]",
        "[I want my money back, I want the money back, I do want my money back]",
    );
    let plan = loaded(&far, DESK, &[]).plans["test"].clone();
    assert!(close_options(&plan, "plan.yaml").is_empty());
}

pub(super) const TABLE: &str = "knowledge: cover\nlanguages: [en-US]\nslots:\n  damage: {type: choice, values: {glass: {en-US: [window]}, tyre: {}}, ask: \"What?\"}\n  \
                     age: {type: age, ask: \"How old?\"}\narticles:\n  who:\n    text: \"{row.answer}\"\n    table: {keys: [damage, age], csv: rows.csv}\n";
pub(super) const ROWS: &str = "damage,age,answer\nwindow,..9,\"No, it is new\"\nglass,10..,Yes\n";

/// What is found in a knowledge file and its table.
fn table_findings(yaml: &str, csv: &str) -> Vec<Problem> {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    load(&[file("knowledge/cover.yaml", yaml), file("knowledge/rows.csv", csv)], &BTreeMap::new()).problems
}

#[test]
fn s11_d127_a_table_that_does_not_hold_together_is_told_with_its_file_and_line() {
    assert!(table_findings(TABLE, ROWS).is_empty(), "{:#?}", table_findings(TABLE, ROWS));
    for (from, to, file, line, says) in [
        ("window,..9", "glas,..9", "rows.csv", 2, "did you mean 'glass'"),
        ("glass,10..", "glass,ten", "rows.csv", 3, "0..17"),
        ("glass,10..", "glass,5..3", "rows.csv", 3, "no number"),
        ("glass,10..,Yes", "glass,10..", "rows.csv", 3, "has 2 fields"),
        ("glass,10..", "glass,0..9", "rows.csv", 3, "never answers"),
        ("damage,age,answer", "damage,age,damage", "rows.csv", 1, "two columns"),
        ("damage,age,answer", "damage,age,answr", "cover.yaml", 8, "did you mean 'answr'"),
        ("it is new\"", "it is new", "rows.csv", 2, "not closed"),
        ("keys: [damage, age]", "keys: [damge, age]", "cover.yaml", 9, "did you mean 'damage'"),
        ("csv: rows.csv", "csv: row.csv", "cover.yaml", 9, "no file 'row.csv'"),
        ("csv: rows.csv", "csv: rows.csv, rows: []", "cover.yaml", 9, "give one of them"),
        ("table: {keys", "tabel: {keys", "cover.yaml", 9, "did you mean 'table'"),
        ("csv: rows.csv}", "csv: rows.csv, unknwon: x}", "cover.yaml", 9, "did you mean 'unknown'"),
    ] {
        let (yaml, csv) = match TABLE.contains(from) {
            true => (changed(TABLE, from, to), ROWS.to_owned()),
            false => (TABLE.to_owned(), changed(ROWS, from, to)),
        };
        let found = table_findings(&yaml, &csv);
        let fits = |problem: &&Problem| problem.file.ends_with(file) && problem.line == line && problem.to_string().contains(says);
        assert!(found.iter().any(|problem| fits(&problem)), "{to}: {found:#?}");
        assert!(found.iter().all(|problem| problem.mend.as_ref().is_some_and(|mend| !mend.is_empty())), "{found:#?}");
    }
    let inline = changed(TABLE, "csv: rows.csv", "rows: [{damage: [glass, tyre], answer: x}, {damage: gras, answer: y}]");
    let found = table_findings(&inline, ROWS);
    assert!(found.iter().any(|problem| problem.id == "D127" && problem.line == 9 && problem.what.contains("'gras'")), "{found:#?}");
    let nowhere = changed(TABLE, "    table: {keys: [damage, age], csv: rows.csv}\n", "");
    assert!(table_findings(&nowhere, ROWS).iter().any(|problem| problem.what.contains("no table")), "{nowhere}");
}

#[test]
fn s11_the_version_of_an_article_changes_with_its_rows() {
    let version = |csv: &str| {
        let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let loaded = load(&[file("knowledge/cover.yaml", TABLE), file("knowledge/rows.csv", csv)], &BTreeMap::new());
        loaded.knowledge["cover"].articles["who"].version.clone()
    };
    assert_eq!(version(ROWS), version(ROWS));
    assert_ne!(version(ROWS), version(&changed(ROWS, "Yes", "Perhaps")));
}

#[test]
fn s11_a_plan_that_answers_from_tables_may_not_have_slots_of_the_same_name() {
    let plan = "dialplan: 1\nid: p\nlanguages: [en-US]\nstart: a\nslots:\n  damage: {type: text, ask: \"x\"}\nnodes:\n  a: [{answer: {kb: cover, topic: who}}, {hangup: ~}]\n";
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let files = |plan: &str| vec![file("knowledge/cover.yaml", TABLE), file("knowledge/rows.csv", ROWS), file("plan.yaml", plan)];
    let found = load(&files(plan), &BTreeMap::new()).problems;
    assert!(found.iter().any(|problem| problem.id == "D102" && problem.line == 8 && problem.what.contains("'damage'")), "{found:#?}");
    let good = changed(plan, "slots:\n  damage: {type: text, ask: \"x\"}\n", "");
    let loaded = load(&files(&good), &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:#?}", loaded.problems);
    assert!(loaded.plans["p"].values.slots.contains_key("damage"), "it has the table's own");
}

#[test]
fn every_rule_of_the_design_has_a_plan_that_breaks_it_here() {
    let here = concat!(include_str!("tests.rs"), include_str!("../syntax.rs"));
    for (id, about) in super::rules::RULES {
        assert!(here.contains(&format!("\"{id}\"")), "{id} ({about}) is never broken in a test");
    }
}

/// The good plan, loaded.
fn good() -> std::sync::Arc<Plan> {
    loaded(GOOD, DESK, &[]).plans["test"].clone()
}

#[test]
fn d152_a_prompt_that_nothing_can_say_is_found_once_a_language() {
    let plan = good();
    let nobody = |_: &Lang| false;
    assert!(silent_prompts(&plan, "plan.yaml", &|_| true, &|_, _| false).is_empty(), "a synthesizer speaks all of it");
    let found = silent_prompts(&plan, "plan.yaml", &nobody, &|_, _| false);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].id == "D152" && found[0].line > 0 && found[0].what.contains("more en-US prompts"), "{found:#?}");
    assert!(found[0].mend.as_ref().is_some_and(|mend| mend.contains("prompts/en-US/")), "{found:#?}");

    let one =
        changed(GOOD, "say: {en-US: \"Where is my order? Please wait.\"}", "say: {id: where, en-US: \"Where is my order? Please wait.\"}");
    let plan = loaded(&one, DESK, &[]).plans["test"].clone();
    let before = silent_prompts(&plan, "plan.yaml", &nobody, &|_, _| false);
    let after = silent_prompts(&plan, "plan.yaml", &nobody, &|lang, id| lang.primary() == "en" && id == "where");
    let more = |found: &[Problem]| found[0].what.split_whitespace().nth(2).and_then(|count| count.parse::<usize>().ok());
    assert_eq!(more(&before).map(|count| count - 1), more(&after), "a recorded prompt is heard: {before:#?} {after:#?}");
}

#[test]
fn d172_a_queue_that_nobody_can_serve_is_found() {
    let asks = changed(GOOD, "{to: desk, overflow", "{to: desk, skills: [\"lang:{lang}\", returns], overflow");
    let plan = loaded(&asks, DESK, &[]).plans["test"].clone();
    let queue = plan.flow.nodes.values().flat_map(|node| &node.steps).find_map(|step| match &step.verb {
        Verb::Queue(queue) => Some(queue.to),
        _ => None,
    });
    let agent = |skills: &[&str]| Agent {
        id: AgentId::of_name("anna"),
        user: "anna".to_owned(),
        name: "Anna".to_owned(),
        extension: None,
        ha1: Ha1::default(),
        phone: Handset::default(),
        forward: Forward::default(),
        team: Team::default(),
        skills: skills.iter().map(|skill| ((*skill).to_owned(), 5)).collect(),
        queues: queue.into_iter().collect(),
        capacity: 1.0,
        auto_available: true,
    };
    let (able, other) = (agent(&["lang:en-US", "returns"]), agent(&["lang:zh-CN", "returns"]));
    assert!(unstaffed_queues(&plan, "plan.yaml", &[&other, &able]).is_empty());
    for (agents, why) in
        [(vec![&other], "nobody who serves the queue 'desk' has lang:en-US and returns"), (vec![], "nobody serves the queue 'desk'")]
    {
        let found = unstaffed_queues(&plan, "plan.yaml", &agents);
        assert!(found.len() == 1 && found[0].id == "D172" && found[0].line > 0 && found[0].what == why, "{found:#?}");
        assert!(found[0].mend.as_ref().is_some_and(|mend| mend.contains("phones.toml")), "{found:#?}");
    }
}

/// What people write, and what they are told.
#[test]
fn broken_plans_get_a_clear_error_with_a_place_and_a_mend() {
    let slips: [(&str, &str, &str, &str); 44] = [
        ("dialplan: 1", "dialplan: 2", "D104", "1 to 1"),
        ("dialplan: 1\n", "", "D105", "add dialplan"),
        ("id: test", "id: a b", "D104", "letters, digits"),
        ("id: test\n", "", "D105", "add id"),
        ("languages: [en-US]", "languages: []", "D105", "zh-CN, en-US"),
        ("languages: [en-US]", "languages: [english!]", "D104", "zh-CN"),
        ("start: main", "strat: main", "D110", "'start'"),
        ("start: main\n", "", "D105", "add start"),
        ("calendar: shop", "calendar: shopp", "D170", "'shop'"),
        ("barge_in: words", "barge_in: word", "D104", "'words'"),
        ("barge_in: words", "answer: when_neded", "D104", "'when_needed'"),
        ("barge_in: words", "anwser: at_once", "D110", "'answer'"),
        ("accept: 0.75", "accept: 75", "D104", "0 to 1"),
        ("confirm: 0.45", "confirm: 0.9", "D104", "not be above"),
        ("after: 5s", "after: 5", "D104", "20s"),
        ("tries: 2, then: keys", "tries: 0, then: keys", "D104", "1 to 9"),
        ("then: keys", "then: kyes", "D120", "'keys'"),
        ("type: digits", "type: digit", "D104", "'digits'"),
        ("length: 10", "length: 10..5", "D104", "6..8"),
        ("confirm: readback", "confirm: yes", "D104", "readback"),
        ("ask: \"Which order number?\"", "aks: \"Which order number?\"", "D110", "'ask'"),
        ("get: \"${API}/orders/{order_no}\"", "url: \"${API}/orders/{order_no}\"", "D105", "get"),
        ("\"${API}/orders/{order_no}\"", "\"orders/{order_no}\"", "D104", "https://"),
        ("\"${API}/orders/{order_no}\"", "\"${API/orders\"", "D106", "${NAME}"),
        ("status: $.status", "status: status", "D104", "$.data.amount"),
        ("timeout: 2s", "timeout: soon", "D104", "1500ms"),
        ("key: 1, goto: track", "key: one, goto: track", "D104", "\"#\""),
        ("key: 1, goto: track", "key: 2, goto: track", "D131", "its own key"),
        ("key: 1, goto: track", "key: 1, goto: trakc", "D120", "'track'"),
        ("examples: {en-US: [where", "examples: {en_US: [where", "D110", "'en-US'"),
        ("- ask: order_no", "- aks: order_no", "D110", "'ask'"),
        ("- ask: order_no", "- order_no", "D104", "- say"),
        ("- lookup: track", "- {if: order_no}", "D105", "add one of"),
        ("- {else: human}", "- {otherwise: human}", "D105", "'if'"),
        ("{else: human}", "{else: humann}", "D120", "'human'"),
        ("{if: track.status == \"delivered\"", "{if: track.status === \"delivered\"", "D107", "pay.status"),
        ("\"yes\": main", "\"yse\": main", "D110", "'yes'"),
        ("then: human", "than: human", "D110", "'then'"),
        ("record: true", "record: maybe", "D104", "on, off"),
        ("hours: {closed: bye}", "hours: {close: bye}", "D110", "'closed'"),
        ("{after: 4m, goto: bye}", "{after: 4m}", "D105", "either"),
        ("arms: [", "arns: [", "D110", "'arms'"),
        ("survey: csat5", "survay: csat5", "D110", "'survey'"),
        ("- goto: more", "- goto: [more]", "D104", "write a text"),
    ];
    for (from, to, id, mend) in slips {
        let found = with(from, to);
        let problem = found.iter().find(|problem| {
            problem.id == id && (problem.what.contains(mend) || problem.mend.as_ref().is_some_and(|text| text.contains(mend)))
        });
        let problem = problem.unwrap_or_else(|| panic!("{id} with '{mend}' was not found for '{to}': {found:#?}"));
        assert!(problem.line > 0 && problem.column > 0 && problem.mend.is_some(), "{problem}");
    }
}

#[test]
fn s19_slips_in_the_rules_for_agents_are_found_with_their_place_and_mend() {
    const ACTIONS: &str = "actions: 1\nlanguages: [en-US]\nrules:\n  - id: late\n    if: track.status == \"late\" and customer.tags has \"VIP\"\n    queues: [QUEUE]\n    text: \"Say sorry for {order_no}.\"\n";
    let queue = desk_queue();
    let good = ACTIONS.replace("QUEUE", &queue);
    let found = |text: &str| loaded(GOOD, DESK, &[("actions.yaml", text)]);
    let fine = found(&good);
    assert!(fine.problems.is_empty(), "{:#?}", fine.problems);
    assert_eq!(fine.actions.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(), ["late"]);
    for (id, line, from, to, mend) in [
        ("D105", 1, "actions: 1\n", "", "add actions: …"),
        ("D104", 1, "actions: 1", "actions: 2", "a number from 1 to 1"),
        ("D110", 5, "if:", "iff:", "did you mean 'if'?"),
        ("D107", 5, "== \"late\"", "= \"late\"", "pay.status"),
        ("D125", 5, "track.status", "trakc.status", "did you mean 'track'?"),
        ("D125", 5, "track.status", "track.statsu", "did you mean 'status'?"),
        ("D125", 7, "{order_no}", "{order_nr}", "did you mean 'order_no'?"),
        ("D170", 6, &queue, "nowhere_at_all", "there are "),
        ("D106", 7, "{order_no}", "{order_no", "variables are"),
        ("D110", 7, "text: \"Say", "text: {en-GB: \"Say", "en-US"),
    ] {
        let text = changed(&good, from, to);
        let text = if to.contains("{en-GB") { text.replace("}.\"", "}.\"}") } else { text };
        let problems = found(&text).problems;
        let it = problems.iter().find(|problem| problem.id == id && problem.file == "actions.yaml");
        let it = it.unwrap_or_else(|| panic!("{id} is found after {from} -> {to}: {problems:#?}"));
        assert_eq!(it.line, line, "{it}");
        assert!(it.mend.as_deref().is_some_and(|given| given.contains(mend)), "{it}");
    }
    let twice = good.clone() + "  - {id: late, if: \"true\", text: \"Again.\"}\n";
    assert!(found(&twice).problems.iter().any(|problem| problem.id == "D220" && problem.line == 8), "an id stands for one rule");
}

#[test]
fn s20_slips_in_a_tone_are_found_with_their_mend() {
    let tone = |line: &str| with("nodes:\n", &format!("always:\n  upset: {{{line}}}\nnodes:\n"));
    assert!(tone("tone: -0.5, priority: 3, goto: human").is_empty(), "{:#?}", tone("tone: -0.5, priority: 3, goto: human"));
    for (id, line, mend) in [
        ("D104", "tone: 0.5, goto: human", "from -1 to -0.2"),
        ("D104", "tone: angry, goto: human", "from -1 to -0.2"),
        ("D104", "tone: -0.5, priority: 12, goto: human", "from 1 to 9"),
        ("D104", "priority: 3, goto: human", "add tone: -0.5"),
        ("D105", "tone: -0.5, do: repeat", "add goto: NODE"),
        ("D120", "tone: -0.5, goto: humen", "did you mean 'human'?"),
    ] {
        let problems = tone(line);
        let found = problems.iter().find(|problem| problem.id == id).unwrap_or_else(|| panic!("{line}: {problems:#?}"));
        assert!(found.mend.as_deref().is_some_and(|given| given.contains(mend)), "{found}");
    }
}

/// The name of a queue of the desk's fixture.
fn desk_queue() -> String {
    loaded(GOOD, DESK, &[]).desk.queues.keys().next().cloned().unwrap_or_default()
}
