//! Formatting changes nothing but the form, and nothing at all the second time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::control::dialplan::load::load;
use crate::control::dialplan::sim::mock_environment;

fn file(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn formatted(text: &str) -> String {
    canonical(&file("plan.yaml", text)).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// Everything that comes with the program, and the fixtures of the rules.
fn all() -> Vec<Source> {
    vec![
        file("desk.yaml", include_str!("../../../../dialplans/desk.yaml")),
        file("driver-hotline.yaml", include_str!("../../../../dialplans/driver-hotline.yaml")),
        file("where-is-my-order.yaml", include_str!("../../../../dialplans/where-is-my-order.yaml")),
        file("coffee-order.yaml", include_str!("../../../../dialplans/coffee-order.yaml")),
        file("actions.yaml", include_str!("../../../../dialplans/actions.yaml")),
        file("knowledge/driver.yaml", include_str!("../../../../dialplans/knowledge/driver.yaml")),
        file("driver-hotline.test.yaml", include_str!("../../../../dialplans/driver-hotline.test.yaml")),
        file("driver-hotline.more.test.yaml", include_str!("../../../../dialplans/driver-hotline.more.test.yaml")),
        file("where-is-my-order.test.yaml", include_str!("../../../../dialplans/where-is-my-order.test.yaml")),
        file("coffee-order.test.yaml", include_str!("../../../../dialplans/coffee-order.test.yaml")),
        file("good.yaml", include_str!("../check/fixtures/good.yaml")),
        file("fixture/desk.yaml", include_str!("../check/fixtures/desk.yaml")),
        file("fixture/knowledge/help.yaml", include_str!("../check/fixtures/articles.yaml")),
    ]
}

#[test]
fn all_files_mean_the_same_when_formatted_and_are_not_changed_again() {
    for source in all() {
        let once = canonical(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(remark::texts(&source.text), remark::texts(&once), "{}", source.name);
        let again = canonical(&file(&source.name, &once)).unwrap_or_else(|problems| panic!("{problems:?}\n{once}"));
        assert_eq!(once, again, "{}", source.name);
    }
}

/// A plan as it is run, without the lines where its parts stand.
fn meaning(sources: &[Source]) -> BTreeMap<String, String> {
    let loaded = load(sources, &mock_environment(sources, &BTreeMap::new()));
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    let without_places = |plan: &crate::control::dialplan::Plan| {
        let mut text = format!("{:?} {:?} {:?} {:?}", plan.flow, plan.values, plan.defaults, plan.surroundings.calendars);
        for name in ["line: ", "column: "] {
            let parts: Vec<&str> = text.split(name).collect();
            text = parts
                .iter()
                .enumerate()
                .map(|(at, part)| if at == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) })
                .collect();
        }
        format!("{} {text}", plan.version)
    };
    loaded.plans.iter().map(|(id, plan)| (id.clone(), without_places(plan))).collect()
}

#[test]
fn the_loaded_plans_and_their_hashes_are_the_same_before_and_after() {
    let before: Vec<Source> =
        all().into_iter().filter(|source| !source.name.starts_with("fixture") && source.name != "good.yaml").collect();
    let after: Vec<Source> = before.iter().map(|source| file(&source.name, &canonical(source).expect("good"))).collect();
    let (before, after) = (meaning(&before), meaning(&after));
    assert_eq!(before.len(), 3);
    assert_eq!(before, after);
}

#[test]
fn keys_get_their_order_short_things_one_line_and_comments_stay_where_they_were() {
    let written = "\
# The shop.

start:   'main'   # begins here
dialplan: 1
id: shop
languages:
- en-US
nodes:   # all of them
  main:
    # first the hello
    - say: \"Hello.\"    # friendly
    - menu:
        options:
          - goto: bye
            # one
            key: 1
            label: 'good-bye'
        prompt: |
          Say it.
          Or not.
      # below the menu

  # the end
  bye: [ {hangup:} ]
# at the end
";
    let wanted = "\
dialplan: 1
id: shop
languages: [en-US]
# The shop.

start: main       # begins here
nodes:   # all of them
  main:
    # first the hello
    - say: \"Hello.\"    # friendly
    - menu:
        prompt: |
          Say it.
          Or not.
        options:
          # one
          - {key: 1, goto: bye, label: \"good-bye\"}
      # below the menu

  # the end
  bye: [{hangup: ~}]
# at the end
";
    assert_eq!(formatted(written), wanted);
    assert_eq!(formatted(wanted), wanted);
}

#[test]
fn what_comes_with_the_program_is_in_canonical_form_and_its_prose_in_quotes() {
    for source in all().into_iter().filter(|source| !source.name.contains("fixture") && source.name != "good.yaml") {
        let canonical = canonical(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
        let first = canonical.lines().zip(source.text.lines()).find(|(wanted, is)| wanted != is);
        assert_eq!(canonical, source.text, "run `hotline dialplan fmt`: {}: {first:?}", source.name);
    }
    assert!(formatted("nodes:\n  a: [{say: {zh-CN: 您好, en-US: Hello}}]\n").contains("{zh-CN: \"您好\", en-US: \"Hello\"}"));
}

/// Found by chance, as the plans below are made.
#[test]
fn comments_of_lists_in_lists_are_kept_and_their_form_is_found_at_once() {
    let two = "zz:\n  - \n    -  # beside\n      id: a   # behind\n      zz: b\n";
    assert!(formatted(two).contains("# beside\n") && formatted(two).contains("# behind"), "{}", formatted(two));
    let moved = "nodes:\n  -\n    # above\n    -\n      nodes: \"a\"   # behind\n";
    for text in [two, moved] {
        assert_eq!(formatted(&formatted(text)), formatted(text));
    }
}

#[test]
fn what_is_broken_is_refused_with_its_place() {
    let problems = canonical(&file("plan.yaml", "a: 1\nb: [1, 2\n")).expect_err("broken");
    assert!(problems[0].line >= 2 && problems[0].id.starts_with("D10"), "{problems:?}");
}

/// A value, and how it is written.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    List(Vec<(Piece, u8)>),
    Map(Vec<(Piece, u8)>),
}

fn pieces() -> impl Strategy<Value = Piece> {
    let word = prop_oneof![
        "[a-z]{1,8}",
        "[0-9.:-]{1,6}",
        "[ -~]{0,24}",
        "[你好吗，。 #:]{1,12}",
        "[a-z\"'#,:{}\\[\\]\n ]{0,16}",
        Just("yes".to_owned())
    ];
    word.prop_map(Piece::Text).prop_recursive(4, 40, 5, |inner| {
        let parts = prop::collection::vec((inner, any::<u8>()), 0..5);
        prop_oneof![parts.clone().prop_map(Piece::List), parts.prop_map(Piece::Map)]
    })
}

/// The names of keys: some have a place in a plan, some have none.
const KEYS: [&str; 5] = ["nodes", "zz", "id", "say", "start"];

fn print(piece: &Piece, indent: usize, dice: u8, out: &mut String) {
    let pad = " ".repeat(indent);
    let noise = |dice: u8, out: &mut String| match dice % 8 {
        0 => out.push_str(&format!("{pad}# above {dice}\n")),
        1 => out.push('\n'),
        2 => out.push_str(&format!("\n{pad}   # deeper {dice}\n\n")),
        3 => out.push_str(&format!("# at the left {dice}\n")),
        _ => {}
    };
    match piece {
        Piece::Text(text) => out.push_str(&serde_json::to_string(text).expect("a text")),
        Piece::List(items) if items.is_empty() => out.push_str("[]"),
        Piece::Map(pairs) if pairs.is_empty() => out.push_str("{}"),
        Piece::List(items) | Piece::Map(items) => {
            let is_map = matches!(piece, Piece::Map(_));
            for (index, (item, dice)) in items.iter().enumerate() {
                if index > 0 || !out.ends_with("- ") {
                    noise(*dice, out);
                    out.push_str(&pad);
                }
                out.push_str(&if is_map { format!("{}:", KEYS[index]) } else { "-".to_owned() });
                let is_long = matches!(item, Piece::List(parts) | Piece::Map(parts) if !parts.is_empty());
                if is_long && (is_map || dice % 2 == 0) {
                    out.push_str(if dice % 16 > 10 { "  # beside\n" } else { "\n" });
                    print(item, indent + 2, *dice, out);
                } else {
                    out.push(' ');
                    print(item, indent + 2, *dice, out);
                    if !is_long {
                        out.push_str(if dice % 16 > 12 { "   # behind\n" } else { "\n" });
                    }
                }
            }
        }
    }
    let _ = dice;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is good YAML keeps its content and its comments, and is formatted once and for all.
    #[test]
    fn formatting_twice_is_formatting_once(parts in prop::collection::vec((pieces(), any::<u8>()), 1..5)) {
        let mut text = String::from("# head\n\n");
        print(&Piece::Map(parts), 0, 0, &mut text);
        if syntax::parse("plan.yaml", &text).is_ok() {
            let once = formatted(&text);
            prop_assert_eq!(formatted(&once), once);
        }
    }

    #[test]
    fn no_text_makes_the_formatter_panic(text in "[a-c:#\\-\\[\\]{},|>\"' \n]{0,60}") {
        let _ = canonical(&file("plan.yaml", &text));
    }
}
