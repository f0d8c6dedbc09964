//! Every verb of the format, each way it can go: conversations against mocks, with the words that a customer hears.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Medium, Start};
use crate::control::dialplan::read::step::VERBS;
use crate::control::dialplan::sim::{End, Mock, Simulation, Turn, World};
use crate::control::dialplan::wish::{QueueEnd, TransferEnd};
use crate::control::dialplan::{Plan, Source, load};
use crate::control::time::Time;

/// Wednesday 2026-11-18, 10:00 in Shanghai.
const OPEN: Time = Time(1_794_967_200_000_000);
/// The same day, 23:00.
const CLOSED: Time = Time(1_795_014_000_000_000);

const HEAD: &str =
    "dialplan: 1\nid: v\nlanguages: [en-US]\nstart: main\ncalendar: shop\ndefaults: {error: broken, no_match: {tries: 2, then: broken}}\n";
const TAIL: &str = "  broken: [{hangup: \"It broke.\"}]\n  bye: [{hangup: \"Goodbye.\"}]\n";
const DESK: &str = "calendars:\n  shop: {tz: Asia/Shanghai, open: {daily: \"09:00-18:00\"}, closed: []}\nqueues:\n  desk: {ring: 20s}\n  second: {ring: 20s}\n";
const ARTICLES: &str = "knowledge: help\nlanguages: [en-US]\narticles:\n  hours:\n    questions: {en-US: [when are you open, opening hours, what time do you close]}\n    text: {en-US: \"We open at nine.\"}\n  \
                        parking:\n    questions: {en-US: [where can I park, is there a car park, parking]}\n    text: {en-US: \"Park behind the house.\"}\n";

fn plan(nodes: &str) -> Arc<Plan> {
    plan_with("", nodes)
}

/// A plan of these nodes, and of what stands before them.
fn plan_with(more: &str, nodes: &str) -> Arc<Plan> {
    let file = |name: &str, text: String| Source { name: name.to_owned(), text };
    let files = [
        file("desk.yaml", DESK.to_owned()),
        file("knowledge/help.yaml", ARTICLES.to_owned()),
        file("v.yaml", format!("{HEAD}{more}nodes:\n{nodes}{TAIL}")),
    ];
    let loaded = load(&files, &BTreeMap::new());
    Arc::clone(loaded.plans.get("v").unwrap_or_else(|| panic!("{:#?}", loaded.problems)))
}

fn caller() -> Start {
    let mut start = Start::voice();
    start.caller.phone = Some("13800138000".to_owned());
    start
}

fn talk_at(plan: Arc<Plan>, start: Start, now: Time, world: World) -> Simulation {
    Simulation::new(plan, start, now, 1, world)
}

fn talk(nodes: &str) -> Simulation {
    talk_at(plan(nodes), caller(), OPEN, World::default())
}

fn against(nodes: &str, world: World) -> Simulation {
    talk_at(plan(nodes), caller(), OPEN, world)
}

/// All that was said in a conversation, to its end.
fn heard(mut talk: Simulation) -> String {
    talk.run_out();
    talk.turns().iter().flat_map(|turn| turn.said.iter().map(String::as_str)).collect::<Vec<_>>().join("|")
}

fn notes(talk: &Simulation) -> Vec<&str> {
    talk.turns().iter().flat_map(|turn| turn.notes.iter().map(String::as_str)).collect()
}

fn nodes(talk: &Simulation) -> Vec<&str> {
    talk.turns().iter().flat_map(|turn| turn.nodes.iter().map(String::as_str)).collect()
}

fn end(mut talk: Simulation) -> Option<End> {
    talk.run_out();
    talk.turns().iter().find_map(|turn| turn.end)
}

#[test]
fn every_verb_is_led_through_here() {
    let here = include_str!("verb_tests.rs");
    for verb in VERBS {
        assert!(["- ", "{"].iter().any(|before| here.contains(&format!("{before}{verb}:"))), "no conversation here does '{verb}'");
    }
}

#[test]
fn say_speaks_the_language_play_plays_files_so_often_and_any_step_may_have_a_condition() {
    assert_eq!(
        heard(talk("  main: [{say: \"Hello {caller.phone:digits}.\"}, {goto: bye}]\n")),
        "Hello one three eight zero zero one three eight zero zero zero.|Goodbye."
    );
    assert_eq!(
        notes(&talk("  main:\n    - play: beep.wav\n      times: 2\n    - goto: bye\n")),
        ["language en-US", "plays beep.wav", "plays beep.wav"]
    );
    assert_eq!(notes(&talk("  main: [{play: echo}]\n")).last(), Some(&"the caller hears himself"));
    let silent = talk("  main:\n    - play: silence\n      times: forever\n");
    assert_eq!(end(silent), None, "it lasts until the caller hangs up");
    let friends = "  main:\n    - if: starts(caller.phone, \"138\")\n      say: \"A friend.\"\n    - if: starts(caller.phone, \"139\")\n      say: \"A stranger.\"\n    - goto: bye\n";
    assert_eq!(heard(talk(friends)), "A friend.|Goodbye.");
}

#[test]
fn set_branch_and_clear_work_on_variables_and_goto_knows_its_reserved_words() {
    let nodes = "  main:\n    - set: {tone: \"kind\"}\n    - call: greet\n    - clear: tone\n    - call: greet\n    - goto: end\n  greet:\n    - branch:\n        - {if: tone == \"kind\", say: \"Dear friend.\"}\n        - {else: true, say: \"Hello.\"}\n";
    assert_eq!(heard(talk(nodes)), "Dear friend.|Hello.");
    let mut again = talk(
        "  main: [{menu: {prompt: \"What?\", options: [{key: 1, goto: repeat, label: \"again\"}, {key: 2, goto: below, label: \"down\"}, {key: 3, goto: end, label: \"end\"}, {key: 4, goto: keys, label: \"keys\"}, {key: 5, goto: human, label: \"a person\"}]}}]\n  below: [{menu: {prompt: \"And now?\", options: [{key: 1, goto: back, label: \"back\"}]}}]\n  human: [{say: \"A person.\"}, {goto: bye}]\n",
    );
    assert_eq!(again.press("1").said, ["What?"]);
    assert_eq!(again.press("2").said, ["And now?"]);
    assert_eq!(again.press("1").nodes, ["main"], "back is the menu before");
    assert!(again.press("4").said.join(" ").contains("press 2"), "{:?}", again.turns());
    assert_eq!(again.press("5").nodes, ["human", "bye"]);
    assert_eq!(end(again), Some(End { contained: true }));
}

#[test]
fn a_called_node_comes_back_and_a_plan_that_calls_itself_ends() {
    let nested = "  main: [{call: outer}, {say: \"Back.\"}, {goto: bye}]\n  outer: [{say: \"Out.\"}, {call: inner}, {say: \"Out again.\"}]\n  inner: [{say: \"In.\"}]\n";
    assert_eq!(heard(talk(nested)), "Out.|In.|Out again.|Back.|Goodbye.");
    let mut endless = talk("  main: [{call: again}, {goto: bye}]\n  again: [{limit: 100, then: bye}, {call: again}]\n");
    assert!(notes(&endless).iter().any(|note| note.contains("calls within calls")), "{:?}", endless.turns());
    assert!(endless.run_out().said.is_empty() || end(endless).is_some());
}

#[test]
fn hours_go_by_the_calendar_and_limit_counts() {
    let nodes = "  main:\n    - hours: {closed: shut}\n    - say: \"Open.\"\n    - goto: bye\n  shut: [{say: \"Shut until {calendar.open_text}.\"}, {goto: bye}]\n";
    assert_eq!(heard(talk_at(plan(nodes), caller(), OPEN, World::default())), "Open.|Goodbye.");
    let shut = heard(talk_at(plan(nodes), caller(), CLOSED, World::default()));
    assert!(shut.starts_with("Shut until") && shut.contains('9'), "{shut}");
    let both = "  main: [{hours: {calendar: shop, open: bye, closed: broken}}]\n";
    assert_eq!(heard(talk_at(plan(both), caller(), CLOSED, World::default())), "It broke.");
    let nodes = "  main:\n    - limit: 2\n      then: bye\n    - say: \"Once more.\"\n    - goto: main\n";
    assert_eq!(heard(talk(nodes)), "Once more.|Once more.|Goodbye.");
    let nodes = "  main:\n    - limit: 1\n      goto: round\n      then: bye\n  round: [{say: \"Round.\"}, {goto: main}]\n";
    assert_eq!(heard(talk(nodes)), "Round.|Goodbye.");
}

#[test]
fn a_split_gives_a_customer_the_same_arm_and_all_customers_their_shares() {
    let plan = plan(
        "  main: [{split: {id: tone, by: customer, arms: [{weight: 30, goto: a}, {weight: 70, goto: b}]}}]\n  a: [{hangup: ~}]\n  b: [{hangup: ~}]\n",
    );
    let arm = |phone: usize, seed: u64| {
        let mut start = Start::voice();
        start.caller.phone = Some(format!("138{phone:08}"));
        let talk = Simulation::new(Arc::clone(&plan), start, OPEN, seed, World::default());
        nodes(&talk)[1].to_owned()
    };
    assert!((0..50).all(|phone| arm(phone, 1) == arm(phone, 2)), "chance has no say in it");
    let first = (0..1_000).filter(|phone| arm(*phone, 1) == "a").count();
    assert!((250..=350).contains(&first), "{first} of 1000 for 30 %");
}

#[test]
fn ask_fills_what_is_missing_and_confirm_takes_words_and_keys() {
    let slots = "slots:\n  order: {type: digits, length: 6, ask: \"Which order?\"}\n  size: {type: choice, values: [small, large], ask: \"Which size?\"}\n";
    let nodes = "  main:\n    - ask: [order, size]\n    - confirm: {prompt: \"{order:digits}, {size}?\", \"yes\": bye, \"no\": main}\n";
    let mut talk = talk_at(plan_with(slots, nodes), caller(), OPEN, World::default());
    assert_eq!(talk.turns()[0].asks.as_deref(), Some("order"));
    let turn = talk.say("123456, the large one").clone();
    assert_eq!((turn.slots["order"].clone(), turn.slots["size"].clone(), turn.asks), (json!("123456"), json!("large"), None));
    assert_eq!(turn.said, ["one two three four five six, large?"]);
    assert_eq!(talk.press("1").said, ["Goodbye."]);
}

#[test]
fn a_lookup_has_an_arm_for_each_way_it_can_go_and_the_default_where_it_has_none() {
    let lookups = "lookups:\n  stock: {get: \"https://shop.test/stock\", timeout: 2s, pick: {left: $.left}}\n";
    let armed = "  main:\n    - lookup: stock\n      not_found: none\n      error: down\n      timeout: slow\n    - say: \"{stock.left} left.\"\n    - goto: bye\n  none: [{hangup: \"No such thing.\"}]\n  down: [{hangup: \"It is down.\"}]\n  slow: [{hangup: \"It is slow.\"}]\n";
    let bare = "  main:\n    - lookup: stock\n    - goto: bye\n";
    let said = |nodes: &str, mock: Mock| {
        let world = World { lookups: BTreeMap::from([("stock".to_owned(), mock)]), ..World::default() };
        heard(talk_at(plan_with(lookups, nodes), caller(), OPEN, world))
    };
    assert_eq!(said(armed, Mock::Answer(json!({"left": 3}))), "3 left.|Goodbye.");
    assert_eq!(said(armed, Mock::NotFound), "No such thing.");
    assert_eq!(said(armed, Mock::Failed), "It is down.");
    assert_eq!(said(armed, Mock::TimedOut), "It is slow.");
    for mock in [Mock::NotFound, Mock::Failed, Mock::TimedOut] {
        assert_eq!(said(bare, mock), "It broke.");
    }
}

#[test]
fn a_find_asks_what_it_needs_and_offers_what_was_found_or_goes_where_it_says() {
    let more = "mode: finder\nslots:\n  age: {type: age, ask: \"How old?\"}\nlookups:\n  \
                skus: {get: \"https://shop.test/skus?age={age}\", timeout: 2s, pick: {items: $.items}}\n";
    let nodes = "  main:\n    - find: {ask: age, lookup: skus, label: name, say: \"{item.name}\", save_as: sku, none: nothing, error: down}\n    \
                 - hangup: \"One {sku.name}.\"\n  nothing: [{hangup: \"Nothing fits.\"}]\n  down: [{hangup: \"It is down.\"}]\n";
    let said = |mock: Mock| {
        let world = World { lookups: BTreeMap::from([("skus".to_owned(), mock)]), ..World::default() };
        let mut talk = talk_at(plan_with(more, nodes), caller(), OPEN, world);
        talk.say("five years old");
        talk.say("the second one");
        heard(talk)
    };
    let both = said(Mock::Answer(json!({"items": [{"name": "Blocks"}, {"name": "Train"}]})));
    assert!(both.starts_with("How old?") && both.contains("Blocks") && both.ends_with("One Train."), "{both}");
    assert!(said(Mock::Answer(json!({"items": []}))).ends_with("Nothing fits."));
    assert!(said(Mock::Failed).ends_with("It is down."));
}

#[test]
fn a_saga_does_all_of_its_calls_or_goes_where_it_says_and_undoes_what_was_done() {
    let lookups = "lookups:\n  book: {post: \"https://a.test/book\", timeout: 2s, body: {who: \"{caller.phone}\"}}\n  \
                   unbook: {post: \"https://a.test/unbook\", timeout: 2s}\n  pay: {post: \"https://b.test/pay\", timeout: 2s}\n";
    let nodes = "  main:\n    - saga: {id: trip, calls: [{do: book, undo: unbook}, pay], retries: 0, failed: sorry, stuck: desk}\n    - hangup: \"Booked.\"\n  \
                 sorry: [{hangup: \"Nothing was booked.\"}]\n  desk: [{hangup: \"A person looks into it.\"}]\n";
    let said = |pay: Mock, unbook: Mock| {
        let mocks = [("book", Mock::Answer(json!({}))), ("pay", pay), ("unbook", unbook)];
        let lookups_of = mocks.map(|(name, mock)| (name.to_owned(), mock));
        let world = World { lookups: BTreeMap::from(lookups_of), ..World::default() };
        heard(talk_at(plan_with(lookups, nodes), caller(), OPEN, world))
    };
    assert_eq!(said(Mock::Answer(json!({})), Mock::Failed), "Booked.");
    assert_eq!(said(Mock::Failed, Mock::Answer(json!({}))), "Nothing was booked.");
    assert_eq!(said(Mock::Failed, Mock::Failed), "A person looks into it.");
}

#[test]
fn a_webhook_says_sets_and_leads_where_it_may_and_to_its_fallback_otherwise() {
    let nodes = "  main: [{set: {price: \"0\"}}, {webhook: {url: \"https://app.test/turn\", timeout: 2s, targets: [sale], fallback: bye}}]\n  sale: [{say: \"For {price}.\"}, {goto: bye}]\n";
    let said = |mock: Mock| {
        let world = World { lookups: BTreeMap::from([("webhook".to_owned(), mock)]), ..World::default() };
        heard(against(nodes, world))
    };
    assert_eq!(said(Mock::Answer(json!({"say": "Today only.", "set": {"price": "9"}, "goto": "sale"}))), "Today only.|For 9.|Goodbye.");
    assert_eq!(said(Mock::Answer(json!({"say": {"en-US": "Hello."}, "goto": "broken"}))), "Hello.|Goodbye.", "it may not lead there");
    assert_eq!(said(Mock::TimedOut), "Goodbye.");
    assert_eq!(said(Mock::Failed), "Goodbye.");
}

#[test]
fn tickets_messages_recording_and_answers_leave_their_traces() {
    let nodes = "  main:\n    - record: true\n    - ticket: {type: repair, title: \"Broken\", fields: {who: \"{caller.phone}\"}, save_as: case}\n    - message: {channels: [sms], text: \"Case {case.number}\"}\n    - record: off\n    - answer: {kb: help, topic: hours}\n    - hangup: \"It is case {case.number}.\"\n";
    let mut talk = talk(nodes);
    talk.run_out();
    let notes = notes(&talk);
    assert!(notes.iter().any(|note| note.starts_with("ticket 1001 repair: Broken")), "{notes:?}");
    assert!(notes.iter().any(|note| note.starts_with("article hours@")), "{notes:?}");
    let recording: Vec<_> = notes.iter().filter(|note| note.starts_with("recording")).collect();
    assert_eq!(recording, [&"recording on", &"recording off"]);
    let sent: Vec<_> = talk.turns().iter().flat_map(|turn| &turn.sent).collect();
    assert_eq!(sent, [&(vec!["sms".to_owned()], "Case 1001".to_owned())]);
    assert_eq!(heard(talk), "We open at nine.|It is case 1001.");
}

#[test]
fn a_free_question_is_answered_by_its_article_or_not_at_all() {
    let nodes = "  main: [{menu: {prompt: \"Yes?\", options: [{key: 1, goto: faq, label: \"a question\", examples: {en-US: [I have a question, a question please, where can I park, what time do you close, my umbrella is blue]}}]}}]\n  faq: [{answer: {kb: help, unsure: person}}, {goto: bye}]\n  person: [{say: \"A person knows.\"}, {goto: bye}]\n";
    let said = |question: &str| {
        let mut talk = talk(nodes);
        talk.say(question).said.join("|")
    };
    assert_eq!(said("where can I park"), "Park behind the house.|Goodbye.");
    assert_eq!(said("what time do you close"), "We open at nine.|Goodbye.");
    assert_eq!(said("my umbrella is blue"), "A person knows.|Goodbye.");
}

#[test]
fn the_line_is_left_by_service_overflow_or_a_promise_to_call_back() {
    let nodes = "  main: [{queue: {to: desk, overflow: [{after: 1m, widen: second}, {after: 2m, goto: late}]}}, {say: \"And you were served.\"}, {goto: bye}]\n  late: [{say: \"Nobody was free.\"}, {goto: bye}]\n";
    let said = |queue: Option<QueueEnd>| heard(against(nodes, World { queue, ..World::default() }));
    assert_eq!(said(None), "", "it waits");
    assert_eq!(said(Some(QueueEnd::Served)), "And you were served.|Goodbye.");
    assert_eq!(said(Some(QueueEnd::Overflow(0))), "Nobody was free.|Goodbye.");
    assert_eq!(said(Some(QueueEnd::CallbackTaken)), "We will call you back as soon as we can. Goodbye.");
    let mut bare = against(
        "  main: [{queue: desk}]\n",
        World { queue: Some(QueueEnd::Overflow(0)), recorded: Some(Duration::from_secs(5)), ..World::default() },
    );
    bare.run_out();
    assert!(
        notes(&bare).contains(&"left message (ticket), contact 13800138000"),
        "a line without its own overflow ends with a message: {:?}",
        notes(&bare)
    );
}

#[test]
fn a_transfer_has_an_arm_for_busy_no_answer_and_failure() {
    let nodes = "  main: [{transfer: {to: \"sip:4001@pbx\", mode: refer, headers: {X-Case: \"7\"}, on_busy: busy, on_no_answer: away, on_failed: gone}}, {say: \"Welcome back.\"}, {goto: bye}]\n  busy: [{hangup: \"Busy.\"}]\n  away: [{hangup: \"Away.\"}]\n  gone: [{hangup: \"Gone.\"}]\n";
    let said = |end: TransferEnd| heard(against(nodes, World { transfer: Some(end), ..World::default() }));
    assert_eq!(said(TransferEnd::Busy), "Busy.");
    assert_eq!(said(TransferEnd::NoAnswer), "Away.");
    assert_eq!(said(TransferEnd::Failed), "Gone.");
    assert_eq!(said(TransferEnd::Done), "Welcome back.|Goodbye.");
    let bare = |end: TransferEnd| {
        heard(against("  main: [{transfer: \"sip:4001@pbx\"}, {goto: bye}]\n", World { transfer: Some(end), ..World::default() }))
    };
    assert_eq!(bare(TransferEnd::Busy), "It broke.");
}

#[test]
fn a_message_is_left_in_each_of_its_four_modes() {
    let nodes = |mode: &str| format!("  main: [{{leave_message: {{mode: {mode}, need: {{any_of: [phone]}}}}}}, {{goto: bye}}]\n");
    let spoken = World { recorded: Some(Duration::from_secs(4)), ..World::default() };
    for mode in ["form", "waiting", "ticket"] {
        let mut talk = against(&nodes(mode), spoken.clone());
        talk.run_out();
        let contact = format!("left message ({mode}), contact 13800138000");
        assert!(notes(&talk).contains(&"records left_message") && notes(&talk).contains(&contact.as_str()), "{:?}", notes(&talk));
        assert_eq!(end(talk), Some(End { contained: false }));
    }
    let mut notice = against(&nodes("bulletin"), spoken.clone());
    notice.run_out();
    assert!(!notes(&notice).iter().any(|note| note.starts_with("left message")), "{:?}", notes(&notice));
    assert!(heard(notice).contains("Our hours are"));

    // Whose number is not known is asked for it, by voice and in a chat.
    let mut hidden = talk_at(plan(&nodes("form")), Start::voice(), OPEN, spoken);
    assert_eq!(hidden.turns()[0].said.last().map(String::as_str), Some("Which phone number can we reach you at?"));
    assert!(hidden.say("no idea").understood.is_none(), "{:?}", hidden.turns());
    assert!(hidden.say("13900139000").notes.contains(&"left message (form), contact 13900139000".to_owned()), "{:?}", hidden.turns());
    let chat = Start { medium: Medium::Chat, channel: "web".to_owned(), ..Start::voice() };
    let mut written = talk_at(plan(&nodes("form").replace("[phone]", "[phone, email]")), chat, OPEN, World::default());
    assert_eq!(written.say("My parcel is wet.").said, ["Which phone number can we reach you at?"]);
    assert!(
        written.say("tom@example.com").notes.contains(&"left message (form), contact tom@example.com".to_owned()),
        "{:?}",
        written.turns()
    );
}

#[test]
fn a_callback_goes_to_the_number_given_or_known_and_who_has_none_is_asked_for_it() {
    let called = |nodes: &str, start: Start| {
        let talk = talk_at(plan(nodes), start, OPEN, World::default());
        notes(&talk).iter().find(|note| note.starts_with("callback")).map(|note| (*note).to_owned())
    };
    let nodes = "  main: [{callback: {queue: desk}}, {goto: bye}]\n";
    assert_eq!(called(nodes, caller()).as_deref(), Some("callback to 13800138000"));
    let own = "  main: [{callback: {queue: desk, number: \"4001\"}}, {goto: bye}]\n";
    assert_eq!(called(own, caller()).as_deref(), Some("callback to 4001"));
    let mut hidden = talk_at(plan(nodes), Start::voice(), OPEN, World::default());
    assert_eq!(hidden.turns()[0].said, ["Which phone number can we reach you at?"]);
    let turn: &Turn = hidden.press("13900139000#");
    assert!(turn.notes.contains(&"callback to 13900139000".to_owned()) && turn.said == ["Goodbye."], "{turn:?}");
    let mut mute = talk_at(plan(nodes), Start::voice(), OPEN, World::default());
    assert_eq!((mute.silence().said.len(), mute.silence().said.clone()), (1, vec!["It broke.".to_owned()]), "{:?}", mute.turns());
}

#[test]
fn a_survey_takes_a_mark_by_key_or_word_once_and_only_when_it_is_wanted() {
    let nodes = "  main:\n    - survey: csat\n      when: caller.phone == \"13800138000\"\n    - hangup: \"Mark {csat}.\"\n";
    let marked = |answer: &dyn Fn(&mut Simulation)| {
        let mut talk = talk(nodes);
        answer(&mut talk);
        notes(&talk).iter().find(|note| note.starts_with("survey")).map(|note| (*note).to_owned())
    };
    assert_eq!(
        marked(&|talk| {
            talk.press("4");
        })
        .as_deref(),
        Some("survey csat: 4")
    );
    assert_eq!(
        marked(&|talk| {
            talk.say("five");
        })
        .as_deref(),
        Some("survey csat: 5")
    );
    assert_eq!(
        marked(&|talk| {
            talk.press("9");
        }),
        None
    );
    assert_eq!(
        marked(&|talk| {
            talk.silence();
        }),
        None
    );
    let other = Start::voice();
    assert_eq!(heard(talk_at(plan(nodes), other, OPEN, World::default())), "Mark .", "nobody else is asked");
}

#[test]
fn an_option_that_its_condition_closes_is_neither_offered_nor_chosen_by_key_or_word() {
    let nodes = "  main:\n    - menu:\n        prompt: \"What?\"\n        options:\n          - {key: 1, goto: order, label: \"your order\", examples: {en-US: [where is my order, track my parcel, has it shipped]}}\n          \
                 - {key: 2, goto: lounge, label: \"the lounge\", when: customer.tags has \"VIP\", examples: {en-US: [open the lounge, let me into the lounge, I want the lounge]}}\n          \
                 - {key: 22, goto: lounge, label: \"the lounge\", when: customer.tags has \"VIP\"}\n  order: [{say: \"It is on its way.\"}, {goto: main}]\n  lounge: [{hangup: \"Come in.\"}]\n";
    let start = |tags: &[&str], medium: Medium| {
        let mut start = Start { medium, ..caller() };
        start.customer.insert("tags".to_owned(), json!(tags));
        talk_at(plan(nodes), start, OPEN, World::default())
    };
    let mut friend = start(&["VIP"], Medium::Voice);
    assert_eq!(friend.say("let me into the lounge").nodes, ["lounge"]);
    let mut other = start(&[], Medium::Voice);
    assert_ne!(other.say("let me into the lounge").nodes, ["lounge"], "not by words");
    let mut other = start(&[], Medium::Voice);
    other.press("2");
    other.pause();
    let visited: Vec<&String> = other.turns().iter().flat_map(|turn| &turn.nodes).collect();
    assert!(!visited.iter().any(|node| *node == "lounge"), "not by its key: {:?}", other.turns());
    let mut silent = start(&[], Medium::Voice);
    let read: Vec<String> = (0..3).flat_map(|_| silent.silence().said.clone()).collect();
    assert!(read.iter().any(|line| line.contains("your order")) && !read.iter().any(|line| line.contains("lounge")), "{read:?}");
    let chat = start(&[], Medium::Chat);
    assert_eq!(chat.turns()[0].buttons.len(), 1);
}
