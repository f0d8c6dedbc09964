//! Answers: how sure is sure enough, values of all kinds with read-back and correction, and a language that is switched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::tests::{Talk, plan as shipped, said};
use super::{Medium, Start};
use crate::control::dialplan::plan::Plan;
use crate::control::dialplan::sim::{Simulation, World};
use crate::control::dialplan::wish::{Event, Wish};
use crate::control::dialplan::{Source, load};
use crate::control::time::Time;
use crate::control::words::Lang;
use crate::control::words::media::Prompt;
use crate::control::words::speech::{Expect, Listening};

/// Wednesday 2026-11-18, 10:00 in UTC.
const NOW: Time = Time(1_794_996_000_000_000);

fn plan(text: &str) -> Arc<Plan> {
    let loaded = load(&[Source { name: "a.yaml".to_owned(), text: text.to_owned() }], &BTreeMap::new());
    Arc::clone(loaded.plans.values().next().unwrap_or_else(|| panic!("{:#?}", loaded.problems)))
}

fn talk(plan: &Arc<Plan>, medium: Medium) -> Simulation {
    Simulation::new(Arc::clone(plan), Start { medium, ..Start::voice() }, NOW, 1, World::default())
}

const SHOP: &str = r#"
dialplan: 1
id: shop
languages: [en-US]
start: main
defaults: {thresholds: {accept: ACCEPT, confirm: CONFIRM}, local_bias: 0.0, no_match: {tries: 3, then: human}, no_input: {after: 5s, tries: 3, then: human}}
nodes:
  main:
    - menu:
        prompt: "What can I do for you?"
        options:
          - {key: 1, goto: track, label: "where your order is", examples: {en-US: [where is my order, track my order, when does my order come]}}
          - {key: 2, goto: cancel, label: "cancelling an order", examples: {en-US: [cancel my order, I do not want my order any more, stop my order]}}
          - {key: 3, goto: pay, label: "paying", examples: {en-US: [I want to pay, which cards do you take, pay by invoice]}}
  track: [{hangup: "It is on its way."}]
  cancel: [{hangup: "It is cancelled."}]
  pay: [{hangup: "Please pay."}]
  human: [{hangup: "A person comes."}]
"#;

fn shop(accept: &str, confirm: &str) -> Arc<Plan> {
    plan(&SHOP.replace("ACCEPT", accept).replace("CONFIRM", confirm))
}

#[test]
fn by_its_score_a_sentence_is_taken_confirmed_offered_with_others_or_asked_again() {
    let mut sure = talk(&shop("0.75", "0.45"), Medium::Voice);
    let turn = sure.say("where is my order").clone();
    assert_eq!((turn.nodes, turn.understood.map(|(decision, _)| decision)), (vec!["track".to_owned()], Some("accept".to_owned())));

    // Whatever is thought of is asked back: one candidate by its name, several as a choice of three at most.
    let wary = shop("1.0", "0.01");
    let mut one = talk(&wary, Medium::Voice);
    let turn = one.say("the invoice").clone();
    assert_eq!(turn.said, ["Did you mean paying?"], "{turn:?}");
    assert_eq!(turn.understood.map(|(decision, _)| decision).as_deref(), Some("confirm"));
    assert_eq!(one.say("yes").nodes, ["pay"]);
    let mut several = talk(&wary, Medium::Voice);
    let turn = several.say("my order").clone();
    assert_eq!(turn.understood.clone().map(|(decision, _)| decision).as_deref(), Some("offer_choice"), "{turn:?}");
    assert!(turn.said[0].starts_with("Which one: ") && turn.said[0].contains(", or ") && turn.buttons.len() <= 3, "{turn:?}");
    let second = turn.buttons[1].0.clone();
    let went = several.say("the second one").nodes.clone();
    assert_eq!(went, [if second == "cancelling an order" { "cancel" } else { "track" }], "the second was {second}");
    let mut by_key = talk(&wary, Medium::Voice);
    by_key.say("my order");
    assert_eq!(by_key.press("2").nodes, went);
    let mut neither = talk(&wary, Medium::Voice);
    neither.say("my order");
    let turn = neither.say("no").clone();
    assert!(turn.nodes.is_empty() && turn.said[0].starts_with("You can say:"), "none was meant: {turn:?}");

    // Below both limits: the labels at the second try, the keys at the third, then a person.
    let mut lost = talk(&shop("0.75", "0.45"), Medium::Voice);
    let turns: Vec<String> =
        ["my umbrella is blue", "the moon was bright", "a horse eats hay"].iter().map(|text| lost.say(text).said.join(" ")).collect();
    assert!(turns[0].contains("You can say: where your order is, cancelling an order, paying."), "{turns:?}");
    assert!(turns[1].contains("For where your order is, press 1."), "{turns:?}");
    assert_eq!(turns[2], "A person comes.");
    let mut silent = talk(&shop("0.75", "0.45"), Medium::Voice);
    let turns: Vec<String> = (0..3).map(|_| silent.silence().said.join(" ")).collect();
    assert!(turns[0].contains("You can say") && turns[1].contains("press 1") && turns[2] == "A person comes.", "{turns:?}");
}

#[test]
fn words_that_were_hardly_heard_are_asked_back_however_well_they_fit() {
    let mut hardly = talk(&shop("0.75", "0.45"), Medium::Voice);
    let turn = hardly.hear("where is my order", None, 0.2).clone();
    assert!(turn.nodes.is_empty() && turn.said[0].starts_with("Did you mean where your order is"), "{turn:?}");
}

/// A slot of each type: what is said, how it is read back, what corrects it, the value at last.
const VALUES: [(&str, &str, &str, &str, &str); 14] = [
    ("type: digits, length: 6", "一二三四五六", "一二三四五六", "不对，是一二三四五七", "123457"),
    ("type: code", "A 12 B", "A12B", "不对，是A 13 B", "A13B"),
    ("type: phone", "幺三八零零幺三八零零零", "一三八零零一三八零零零", "不是，是幺三九零零幺三九零零零", "13900139000"),
    ("type: plate_cn", "京A12345", "京A12345", "不对，是京A12346", "京A12346"),
    ("type: date", "十二月三号", "十二月三日", "不对，是十二月四号", "2026-12-04"),
    ("type: datetime", "明天下午三点", "下午三点", "不对，是明天下午四点", "2026-11-19T16:00"),
    ("type: money", "三千五百块", "三千五百元", "不对，是三千六百块", "3600"),
    ("type: number", "五个", "5", "不对，是六个", "6"),
    ("type: name", "我叫李雷", "李雷", "我叫韩梅", "韩梅"),
    ("type: email", "tom@example.com", "tom@example.com", "不对，是tim@example.com", "tim@example.com"),
    ("type: duration", "半个小时", "PT30M", "不对，是两小时三十分钟", "PT2H30M"),
    ("type: choice, values: [红茶, 绿茶]", "红茶", "红茶", "不对，是绿茶", "绿茶"),
    ("type: id_cn, mask: true", "11010519491231002X", "11010519491231002X", "不对，是440308199901101512", "440308199901101512"),
    ("type: card, mask: true", "4111111111111111", "四一一一一一一一一一一一一一一一", "不对，是5500005555555559", "5500005555555559"),
];

fn asking(slot: &str) -> Arc<Plan> {
    plan(&format!(
        "dialplan: 1\nid: a\nlanguages: [zh-CN]\nstart: main\nslots:\n  v: {{{slot}, ask: \"请说。\", confirm: readback, tries: 9}}\n\
         nodes:\n  main: [{{ask: v}}, {{hangup: \"好的{{v}}。\"}}]\n  human: [{{hangup: \"人工。\"}}]\n"
    ))
}

#[test]
fn every_kind_of_value_is_read_back_and_corrected_in_the_answer() {
    let mut wrong = Vec::new();
    for (slot, said, shown, correction, value) in VALUES {
        let mut talk = talk(&asking(slot), Medium::Voice);
        let read_back = talk.say(said).said.join(" ");
        if !read_back.contains(shown) {
            wrong.push(format!("{slot}: {said} is read back as {read_back}, not {shown}"));
            continue;
        }
        let corrected = talk.say(correction).clone();
        // A name is any word: it is corrected by "no" and the new one.
        let corrected = if slot == "type: name" { talk.say("不对").said.clone() } else { corrected.said };
        let again = if slot == "type: name" { talk.say(correction).said.join(" ") } else { corrected.join(" ") };
        let end = talk.say("对").said.join(" ");
        if !again.contains("对吗") || end != format!("好的{value}。") {
            wrong.push(format!("{slot}: after {correction}: {again} | {end}, not {value}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn yes_or_no_free_words_and_a_recording_are_values_too() {
    let mut truth = talk(&asking("type: yes_no"), Medium::Voice);
    assert_eq!(truth.say("是的").slots["v"], true);
    let mut text = talk(&asking("type: text"), Medium::Voice);
    assert_eq!(text.say("车门有一道划痕").slots["v"], "车门有一道划痕");
    assert!(text.say("不对").said.join(" ").contains("请说"), "what is wrong is asked for again");
    let world = World { recorded: Some(Duration::from_secs(7)), ..World::default() };
    let story = Simulation::new(asking("type: recording, max: 30s"), Start::voice(), NOW, 1, world);
    assert_eq!(story.turns()[0].slots["v"]["seconds"], 7, "{:?}", story.turns());
}

#[test]
fn keys_give_every_value_that_has_figures_without_a_read_back() {
    for (slot, keys, value) in [
        ("type: digits, length: 6", "123456", "123456"),
        ("type: digits, length: 4..8", "12345#", "12345"),
        ("type: phone", "13800138000", "13800138000"),
        ("type: number", "25#", "25"),
        ("type: money", "12*5#", "12.5"),
        ("type: choice, values: [红茶, 绿茶]", "2", "绿茶"),
        ("type: card, mask: true", "4111111111111111#", "4111111111111111"),
    ] {
        let mut talk = talk(&asking(slot), Medium::Voice);
        let said = talk.press(keys).said.clone();
        assert_eq!(said, [format!("好的{value}。")], "{slot}: {:?}", talk.turns());
    }
    let mut short = talk(&asking("type: digits, length: 6"), Medium::Voice);
    assert!(short.press("123#").said.join(" ").contains("需要6位"), "{:?}", short.turns());
}

fn listening(wishes: &[Wish]) -> Option<&Listening> {
    wishes.iter().rev().find_map(|wish| if let Wish::Listen(listening) = wish { Some(listening) } else { None })
}

#[test]
fn the_recognizer_is_told_what_kind_of_value_may_come_and_digits_get_longer_pauses() {
    let expected = |slot: &str| {
        let mut talk = Talk::of(asking(slot), Start::voice());
        talk.tell(Event::Started);
        let listening = listening(&talk.out).expect("it listens");
        (listening.expect, listening.end_silence, listening.hints.clone())
    };
    let (kind, sentence, _) = expected("type: text");
    assert_eq!(kind, Expect::Sentence);
    for (slot, wanted) in [
        ("type: digits, length: 6", Expect::Digits),
        ("type: phone", Expect::Digits),
        ("type: card, mask: true", Expect::Digits),
        ("type: plate_cn", Expect::Code),
        ("type: name", Expect::Code),
    ] {
        let (kind, silence, _) = expected(slot);
        assert!(kind == wanted && silence >= sentence * 3 / 2, "{slot}: {kind:?}, {silence:?} beside {sentence:?}");
    }
    let (kind, silence, hints) = expected("type: yes_no");
    assert!(kind == Expect::YesNo && silence == sentence && hints.phrases.iter().any(|phrase| phrase == "是的"), "{hints:?}");
    let (_, _, hints) = expected("type: choice, values: [红茶, 绿茶]");
    assert_eq!(hints.phrases, ["红茶", "绿茶"]);
    let (_, _, hints) = expected("type: digits, length: 6");
    assert!(hints.grammar.as_ref().is_some_and(|grammar| grammar.contains("幺") && grammar.contains("洞")), "{hints:?}");
}

/// The silence that ends what is being said, as far as these words change it.
fn ends_after(talk: &mut Talk, words: &str) -> Option<u128> {
    talk.tell(Event::Words(words.to_owned()));
    talk.out.iter().find_map(|wish| if let Wish::EndAfter(_, silence) = wish { Some(silence.as_millis()) } else { None })
}

#[test]
fn who_has_said_all_that_is_asked_for_is_waited_for_less_and_who_goes_on_as_before() {
    let mut menu = Talk::of(shop("0.75", "0.45"), Start::voice());
    menu.tell(Event::Started);
    assert_eq!(ends_after(&mut menu, "where is my"), None);
    assert_eq!(ends_after(&mut menu, "where is my order"), Some(400));
    assert_eq!(ends_after(&mut menu, "Where is my order?"), None, "it is as it was");
    assert_eq!(ends_after(&mut menu, "where is my order going to"), Some(700));
    let mut longer = Talk::of(shop("0.75", "0.45"), Start::voice());
    longer.tell(Event::Started);
    assert_eq!(ends_after(&mut longer, "I do not want my order any more"), Some(400));
    for (slot, open, full) in [
        ("type: digits, length: 6", "一二三四五", "一二三四五六"),
        ("type: digits, length: 4..6", "一二三四", "一二三四五六"),
        ("type: phone", "幺三八零零幺三八零零", "幺三八零零幺三八零零零"),
    ] {
        let mut talk = Talk::of(asking(slot), Start::voice());
        talk.tell(Event::Started);
        assert_eq!((ends_after(&mut talk, open), ends_after(&mut talk, full)), (None, Some(400)), "{slot}");
    }
    let mut talk = Talk::of(asking("type: choice, values: [红茶, 红茶拿铁, 绿茶]"), Start::voice());
    talk.tell(Event::Started);
    assert_eq!((ends_after(&mut talk, "红茶"), ends_after(&mut talk, "绿茶")), (None, Some(400)), "red tea may go on");
    talk.say("绿茶");
    assert_eq!((ends_after(&mut talk, "不对"), ends_after(&mut talk, "对")), (None, Some(400)), "a no is often followed by what is right");
}

/// The languages of all that is said in these wishes.
fn languages(wishes: &[Wish]) -> Vec<Lang> {
    let prompts = wishes.iter().filter_map(|wish| if let Wish::Say { prompts, .. } = wish { Some(prompts) } else { None }).flatten();
    prompts.filter_map(|prompt| if let Prompt::Text { lang, .. } = prompt { Some(lang.clone()) } else { None }).collect()
}

#[test]
fn s06_a_switched_language_switches_prompts_recognizer_understanding_and_the_agents_skill_together() {
    let english = Lang::new("en-US");
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    assert_eq!(listening(&talk.out).map(|listening| listening.lang.clone()), Some(Lang::new("zh-CN")));
    let wishes = talk.say("英文服务").to_vec();
    assert!(wishes.contains(&Wish::SetLang(english.clone())), "{wishes:?}");
    let heard = listening(&wishes).expect("it listens");
    assert_eq!(heard.lang, english);
    assert!(
        heard.hints.phrases.iter().any(|phrase| phrase == "nearest garage") && heard.hints.phrases.iter().all(|phrase| phrase.is_ascii()),
        "{heard:?}"
    );
    assert!(languages(&wishes).iter().all(|lang| *lang == english) && said(&wishes).contains("Driver hotline"), "{wishes:?}");
    let wishes = talk.say("my car broke down").to_vec();
    assert_eq!((talk.runner.node(), listening(&wishes).map(|listening| listening.lang.clone())), ("car", Some(english)));
    let wishes = talk.say("let me talk to a person please").to_vec();
    let enqueue = wishes.iter().find_map(|wish| if let Wish::Enqueue(enqueue) = wish { Some(enqueue) } else { None }).expect("a line");
    assert_eq!(enqueue.skills, ["lang:en-US"]);
}

#[test]
fn s06_chinese_with_english_words_in_it_finds_its_option_by_voice_and_in_a_chat() {
    for medium in [Medium::Voice, Medium::Chat] {
        for sentence in ["我要 check 一下 my order", "我的 order 到哪儿了", "帮我 track 一下我的包裹"] {
            let mut talk = talk(&shipped("where-is-my-order"), medium);
            let turn = talk.say(sentence).clone();
            assert!(turn.nodes.iter().any(|node| node == "find"), "{medium:?} {sentence}: {turn:?}");
        }
    }
}

const CANTONESE: &str = r#"
dialplan: 1
id: hk
languages: [yue, en-US]
start: main
defaults: {no_match: {tries: 2, then: human}}
nodes:
  main:
    - menu:
        prompt: {yue: "你好，請講。", en-US: "Hello."}
        options:
          - {key: 1, goto: car, label: {yue: "架車壞咗", en-US: "my car"}, examples: {yue: [我架車壞咗, 架車郁唔到, 邊度有得整車], en-US: [my car broke down, it does not start, nearest garage]}}
          - {key: 2, goto: pay, label: {yue: "人工未到", en-US: "my pay"}, examples: {yue: [點解仲未出糧, 我份人工未到, 幾時出糧], en-US: [where is my pay, my pay is late, when am I paid]}}
  car: [{hangup: {yue: "好。", en-US: "Fine."}}]
  pay: [{hangup: {yue: "好。", en-US: "Fine."}}]
  human: [{hangup: {yue: "好。", en-US: "Fine."}}]
"#;

#[test]
fn s06_a_cantonese_plan_loads_is_understood_and_speaks_chinese_where_the_house_has_the_words() {
    let hk = plan(CANTONESE);
    let mut line = Talk::of(Arc::clone(&hk), Start::voice());
    line.tell(Event::Started);
    let heard = listening(&line.out).expect("it listens");
    assert!(heard.lang == Lang::new("yue") && heard.hints.phrases.iter().any(|phrase| phrase == "邊度有得整車"), "{heard:?}");
    for (sentence, node) in [("喂我架車壞咗呀", "car"), ("點解仲未出糧嘅", "pay"), ("邊度整車", "car")] {
        assert_eq!(talk(&hk, Medium::Voice).say(sentence).nodes, [node], "{sentence}");
    }
    let mut lost = talk(&hk, Medium::Voice);
    let asked = lost.noise().said.join(" ");
    assert!(asked.contains("抱歉") && !asked.contains("Sorry"), "{asked}");
}
