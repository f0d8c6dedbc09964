//! Conversations step by step, where wishes and times count.

mod saga;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::control::dialplan::wish::QueueEnd;
use crate::control::dialplan::{Source, load};
use crate::control::words::lookup::{Finding, Lookup};
use crate::nlu::Meanings;

const BEGIN: Time = Time(1_794_362_400_000_000);

pub(super) fn plan(id: &str) -> Arc<Plan> {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let bench = [
        file("desk.yaml", include_str!("../../../../benches/dialplans/desk.yaml")),
        file("bench.yaml", include_str!("../../../../benches/dialplans/bench.yaml")),
    ];
    let house = [
        file("desk.yaml", include_str!("../../../../dialplans/desk.yaml")),
        file("driver-hotline.yaml", include_str!("../../../../dialplans/driver-hotline.yaml")),
        file("coffee-order.yaml", include_str!("../../../../dialplans/coffee-order.yaml")),
        file("where-is-my-order.yaml", include_str!("../../../../dialplans/where-is-my-order.yaml")),
    ];
    let worker = [
        file("desk.yaml", include_str!("../../../../examples/digital-worker/desk.yaml")),
        file("accident.yaml", include_str!("../../../../examples/digital-worker/accident.yaml")),
    ];
    let files = match id {
        "bench" => bench.to_vec(),
        "accident" => worker.to_vec(),
        _ => house.to_vec(),
    };
    let env = ["DRIVER_API", "SHOP_API", "CLAIMS_API", "CLAIMS_TOKEN", "TRUCKS_API", "RENTAL_API"]
        .map(|name| (name.to_owned(), "http://127.0.0.1:9".to_owned()));
    let env = env.into_iter().chain([("BENCH_AGENT".to_owned(), "127.0.0.1:5080".to_owned())]).collect::<BTreeMap<_, _>>();
    Arc::clone(&load(&files, &env).plans[id])
}

/// A conversation with its wishes.
pub(super) struct Talk {
    pub runner: Runner,
    now: Time,
    pub out: Vec<Wish>,
}

impl Talk {
    pub fn begin(id: &str, start: Start) -> Talk {
        let mut talk = Talk::new(id, start);
        talk.tell(Event::Started);
        talk
    }

    fn new(id: &str, start: Start) -> Talk {
        Talk::of(plan(id), start)
    }

    pub fn of(plan: Arc<Plan>, start: Start) -> Talk {
        Talk { runner: Runner::new(BEGIN, 1, plan, start), now: BEGIN, out: Vec::new() }
    }

    pub fn tell(&mut self, event: Event) -> &[Wish] {
        self.out.clear();
        self.runner.step(self.now, event, &mut self.out);
        &self.out
    }

    pub fn say(&mut self, text: &str) -> &[Wish] {
        self.tell(Event::said(text))
    }

    fn strike(&mut self) -> &[Wish] {
        self.out.clear();
        self.now = self.runner.poll_timeout().expect("a deadline");
        self.runner.handle_timeout(self.now, &mut self.out);
        &self.out
    }

    fn last_play(&self) -> PlayId {
        let play = self.out.iter().rev().find_map(|wish| if let Wish::Say { play, .. } = wish { Some(*play) } else { None });
        play.expect("something is said")
    }

    fn lookup(&self) -> (LookupId, String) {
        let found = self.out.iter().find_map(|wish| match wish {
            Wish::Find(id, Lookup::Http { url, .. }) => Some((*id, url.clone())),
            _ => None,
        });
        found.expect("a lookup")
    }
}

/// All that is said in these wishes.
pub(super) fn said(wishes: &[Wish]) -> String {
    let prompts = wishes.iter().filter_map(|wish| if let Wish::Say { prompts, .. } = wish { Some(prompts) } else { None }).flatten();
    prompts.filter_map(|prompt| if let Prompt::Text { text, .. } = prompt { Some(text.as_str()) } else { None }).collect()
}

fn caller() -> Start {
    let mut start = Start::voice();
    start.caller.phone = Some("13800138000".to_owned());
    start
}

#[test]
fn the_greeting_is_said_and_listened_to_in_one_step() {
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    let wishes = talk.out.clone();
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::Entered { node, turn: 0 } if node == "main")));
    let listening =
        wishes.iter().find_map(|wish| if let Wish::Listen(listening) = wish { Some(listening) } else { None }).expect("it listens");
    assert!(listening.hints.phrases.iter().any(|phrase| phrase == "车坏了去哪儿修"), "the tree is expected at the top");
    assert!(listening.hints.key != 0);
    let play = talk.last_play();
    assert_eq!(said(&wishes), "您好，这里是司机热线，请直接说您的问题。");
    talk.tell(Event::PromptFinished(play));
    assert_eq!(talk.runner.poll_timeout(), Some(BEGIN + Duration::from_secs(5)), "the no-input clock starts after the prompt");
}

#[test]
fn a_yes_that_was_hardly_understood_is_asked_back_and_counts_when_it_is_said_again() {
    let hardly = |text: &str| Event::Said { text: text.to_owned(), pinyin: None, confidence: 0.6, meanings: Meanings::default() };
    let is_made = |wishes: &[Wish]| wishes.iter().any(|wish| matches!(wish, Wish::Entered { node, .. } if node == "make"));
    let mut talk = Talk::begin("coffee-order", Start::voice());
    talk.say("espresso");
    let asked = talk.tell(hardly("yes")).to_vec();
    assert!(!is_made(&asked) && said(&asked).contains("press 1 for yes"), "{asked:?}");
    let other = talk.tell(hardly("no")).to_vec();
    assert!(!is_made(&other) && said(&other).contains("Shall I make it"), "another answer is no confirmation: {other:?}");
    let mut talk = Talk::begin("coffee-order", Start::voice());
    talk.say("espresso");
    talk.tell(hardly("yes"));
    assert!(is_made(talk.tell(hardly("yes"))));
    let mut talk = Talk::begin("coffee-order", Start::voice());
    talk.say("espresso");
    assert!(is_made(talk.say("yes")), "a clear yes is not asked back");
}

#[test]
fn a_nod_during_the_prompt_does_not_stop_it_but_words_do() {
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    let wishes = talk.say("嗯").to_vec();
    assert!(wishes.iter().all(|wish| matches!(wish, Wish::Listen(_))), "{wishes:?}");
    let misheard = Event::Said { text: "wǒ".to_owned(), pinyin: Some("wo".to_owned()), confidence: 0.64, meanings: Meanings::default() };
    let wishes = talk.tell(misheard).to_vec();
    assert!(
        wishes.iter().all(|wish| matches!(wish, Wish::Listen(_))),
        "哦 was heard as 我, which half of all wishes begin with: {wishes:?}"
    );
    let wishes = talk.say("工资没发").to_vec();
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::StopSaying(_))), "{wishes:?}");
    assert_eq!(talk.runner.asked_slot(), Some("driver_id"));
}

#[test]
fn a_cough_over_the_prompt_lets_it_go_on_and_the_silence_after_it_is_asked_about_in_time() {
    let nod = Event::said("嗯");
    for sound in [Event::NotUnderstood, nod] {
        let mut talk = Talk::begin("driver-hotline", Start::voice());
        let play = talk.last_play();
        talk.tell(Event::SpeechStarted);
        let wishes = talk.tell(sound.clone()).to_vec();
        assert!(matches!(wishes[..], [Wish::Listen(_)]), "{sound:?}: {wishes:?}");
        let end = talk.now + Duration::from_secs(2);
        talk.now = end;
        talk.tell(Event::PromptFinished(play));
        let asked = talk.strike().to_vec();
        assert_eq!(talk.now, end + Duration::from_secs(5), "{sound:?}: the no-input clock starts after the prompt");
        assert!(asked.iter().any(|wish| matches!(wish, Wish::Say { .. })), "{sound:?}: {asked:?}");
    }
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    let play = talk.last_play();
    talk.tell(Event::PromptFinished(play));
    assert!(said(talk.tell(Event::NotUnderstood)).contains("没有听清"), "after the prompt it is asked back");
}

#[test]
fn the_first_words_stop_the_prompt_before_the_sentence_is_at_its_end() {
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    for text in ["嗯嗯", "车", "ok", "uh huh"] {
        assert_eq!(talk.tell(Event::Words(text.to_owned())), [], "{text}");
    }
    let wishes = talk.tell(Event::Words("工资".to_owned())).to_vec();
    assert!(matches!(wishes[..], [Wish::StopSaying(_)]), "{wishes:?}");
    talk.say("工资没发");
    assert_eq!(talk.runner.asked_slot(), Some("driver_id"));
}

#[test]
fn s4_a_lookup_speaks_after_a_while_and_its_time_out_leads_to_a_person_with_the_context() {
    let mut talk = Talk::begin("where-is-my-order", caller());
    talk.say("我的订单到哪儿了");
    let (_, url) = talk.lookup();
    assert_eq!(url, "http://127.0.0.1:9/orders?phone=13800138000&state=open");
    let wishes = talk.strike().to_vec();
    assert_eq!(talk.now, BEGIN + Duration::from_millis(800));
    assert_eq!(said(&wishes), "正在为您查询。");
    talk.tell(Event::PromptFinished(talk.last_play()));
    let wishes = talk.strike().to_vec();
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::LookupDone { outcome: "timed_out", .. })), "{wishes:?}");
    assert!(!said(&wishes).is_empty(), "never dead air");
    let wishes = talk.tell(Event::PromptFinished(talk.last_play())).to_vec();
    let enqueue = wishes.iter().find_map(|wish| if let Wish::Enqueue(enqueue) = wish { Some(enqueue) } else { None }).expect("a line");
    assert_eq!(enqueue.context["slots"], json!({"phone": "13800138000"}));
    assert_eq!(enqueue.context["intent"], json!("find"));
    assert_eq!(enqueue.skills, ["lang:zh-CN"]);
}

#[test]
fn a_late_answer_of_an_old_lookup_is_ignored() {
    let mut talk = Talk::begin("where-is-my-order", caller());
    talk.say("我的订单到哪儿了");
    let (id, _) = talk.lookup();
    talk.strike();
    talk.tell(Event::PromptFinished(talk.last_play()));
    talk.strike();
    assert!(talk.tell(Event::Found(id, Finding::Found(json!({"total": 1})))).is_empty());
}

#[test]
fn s36_without_a_recognizer_the_keys_are_read_and_work() {
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    let wishes = talk.tell(Event::NoRecognizer).to_vec();
    assert!(said(&wishes).contains("车辆问题请按3"), "{}", said(&wishes));
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Listen(_))));
    talk.tell(Event::Pressed('3'));
    assert_eq!(talk.runner.node(), "car");
}

#[test]
fn s36_a_caller_for_whom_there_is_no_time_is_asked_for_keys_from_the_first_question_on() {
    let mut talk = Talk::new("driver-hotline", Start::voice());
    talk.tell(Event::NoRecognizer);
    talk.tell(Event::Started);
    let mut wishes = Vec::new();
    while !said(&wishes).contains("车辆问题请按3") {
        wishes = talk.out.clone();
        assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Listen(_))), "nobody listens");
        talk.strike();
    }
    talk.tell(Event::Pressed('3'));
    assert_eq!(talk.runner.node(), "car");
    assert!(said(&talk.out).contains("请按"), "and at the next menu: {}", said(&talk.out));
}

#[test]
fn keys_typed_ahead_go_through_two_menus() {
    let mut talk = Talk::begin("driver-hotline", Start::voice());
    talk.tell(Event::Pressed('3'));
    talk.tell(Event::Pressed('2'));
    assert_eq!(talk.runner.node(), "insurance");
}

#[test]
fn a_prompt_whose_end_never_comes_does_not_leave_the_caller_in_silence() {
    let mut talk = Talk::begin("where-is-my-order", caller());
    talk.say("我要退货");
    assert!(matches!(talk.runner.wait, Wait::Queue), "nothing is said before the line here");
    talk.tell(Event::QueueEnded(QueueEnd::Overflow(0)));
    assert_eq!(talk.runner.node(), "leave");
    for _ in 0..5 {
        if talk.out.iter().any(|wish| matches!(wish, Wish::Record { .. })) {
            break;
        }
        talk.strike();
    }
    assert!(talk.out.iter().any(|wish| matches!(wish, Wish::Record { .. })), "the guard of the playback went on");
    let wishes = talk.tell(Event::Recorded(Some(Duration::from_secs(4)))).to_vec();
    assert!(
        wishes.iter().any(|wish| matches!(wish, Wish::LeaveMessage { contact: Some(phone), .. } if phone == "13800138000")),
        "{wishes:?}"
    );
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::Hangup { contained: false })));
}

#[test]
fn s12_a_chat_gets_the_same_greeting_as_text_with_buttons_and_no_clock() {
    let start = Start { medium: Medium::Chat, channel: "web".to_owned(), ..Start::voice() };
    let mut talk = Talk::begin("driver-hotline", start);
    let buttons =
        talk.out.iter().find_map(|wish| if let Wish::Say { buttons, .. } = wish { Some(buttons.clone()) } else { None }).expect("a line");
    assert_eq!(buttons.len(), 3);
    assert_eq!(buttons[0], ("工资问题".to_owned(), "1".to_owned()));
    assert_eq!(said(&talk.out), said(&Talk::begin("driver-hotline", Start::voice()).out), "a caller hears the same words");
    assert!(!talk.out.iter().any(|wish| matches!(wish, Wish::Listen(_))));
    assert_eq!(talk.runner.poll_timeout(), None);
    talk.say("3");
    assert_eq!(talk.runner.node(), "car");
}

#[test]
fn s12_whoever_says_hello_first_has_been_greeted_already_and_is_listened_to() {
    let start = Start { medium: Medium::Chat, channel: "web".to_owned(), ..Start::voice() };
    let mut chat = Talk::begin("driver-hotline", start);
    assert_eq!(chat.say("你好！"), []);
    assert!(said(chat.say("在吗")).contains("您可以说"), "once is enough");
    chat.say("车坏了");
    assert_eq!(chat.runner.node(), "car");
    let mut call = Talk::begin("driver-hotline", Start::voice());
    let play = call.last_play();
    call.tell(Event::SpeechStarted);
    assert!(call.tell(Event::Words("喂你好".to_owned())).is_empty(), "the greeting goes on");
    assert!(matches!(call.say("喂，你好")[..], [Wish::Listen(_)]), "{:?}", call.out);
    call.tell(Event::PromptFinished(play));
    let begun = call.now;
    call.strike();
    assert_eq!((call.now, said(&call.out).contains("您可以说")), (begun + Duration::from_secs(5), true), "silence after it is asked about");
    let mut late = Talk::begin("driver-hotline", Start::voice());
    late.tell(Event::PromptFinished(late.last_play()));
    assert!(matches!(late.say("你好")[..], [Wish::Listen(_)]), "{:?}", late.out);
    late.strike();
    assert!(said(&late.out).contains("您可以说"), "and so is the silence after a late hello: {:?}", late.out);
}

#[test]
fn the_bench_plan_answers_by_the_dialled_user() {
    for (user, wish) in [("play", "music"), ("bridge", "sip:agent@127.0.0.1:5080"), ("queue", "line"), ("answer", "")] {
        let mut start = Start::voice();
        start.call.insert("to".to_owned(), user.into());
        let talk = Talk::begin("bench", start);
        let fits = |found: &Wish| match found {
            Wish::Say { prompts, .. } => wish == "music" && prompts == &[Prompt::Music(None)],
            Wish::Transfer { to, .. } => to == wish,
            Wish::Enqueue(_) => wish == "line",
            _ => false,
        };
        assert!(wish.is_empty() || talk.out.iter().any(fits), "{user}: {:?}", talk.out);
        assert!(!talk.out.iter().any(|wish| matches!(wish, Wish::Hangup { .. })), "{user}");
    }
}

const SENSITIVE: &str = r#"
dialplan: 1
id: desk
languages: [zh-CN, en-US]
start: main
always:
  sensitive: {goto: human, phrases: {zh-CN: [投诉到监管, 受伤, 报警], en-US: [regulator, hurt]}}
slots:
  order: {type: digits, length: 6, ask: {zh-CN: "订单号？", en-US: "Order number?"}}
nodes:
  main:
    - menu:
        prompt: {zh-CN: "请说。", en-US: "Please."}
        options:
          - {key: 1, goto: order, label: {zh-CN: "订单", en-US: "order"}, examples: {zh-CN: [查订单, 我的订单, 订单到哪了], en-US: [my order, where is it, track it]}}
  order: [{ask: order}, {hangup: ~}]
  human: [{queue: {to: desk, skills: [], overflow: [{after: 60s, goto: end}]}}]
"#;

#[test]
fn s21_words_of_a_sensitive_matter_lead_to_a_person_in_the_same_turn_whatever_else_is_said_or_asked() {
    let loaded = load(&[Source { name: "desk.yaml.yaml".into(), text: SENSITIVE.to_owned() }], &BTreeMap::new());
    let plan = Arc::clone(loaded.plans.get("desk").unwrap_or_else(|| panic!("{:?}", loaded.problems)));
    let talk = |first: Option<&str>, text: &str, medium: Medium| {
        let start = Start { medium, ..Start::voice() };
        let mut talk = Talk::of(Arc::clone(&plan), start);
        talk.tell(Event::Started);
        if let Some(first) = first {
            talk.say(first);
        }
        let wishes = talk.say(text).to_vec();
        let queued = wishes.iter().any(|wish| matches!(wish, Wish::Enqueue(_)));
        let phrase = wishes.iter().any(|wish| matches!(wish, Wish::Understood { decision, .. } if decision == "phrase"));
        (queued, phrase)
    };
    let mut pinyin = Talk::of(Arc::clone(&plan), Start::voice());
    pinyin.tell(Event::Started);
    let sounds = Event::Said {
        text: "yǒu rén shòu shāng le".into(),
        pinyin: Some("you ren shou shang le".into()),
        confidence: 0.6,
        meanings: Meanings::default(),
    };
    assert!(pinyin.tell(sounds).iter().any(|wish| matches!(wish, Wish::Enqueue(_))), "an engine that writes pinyin only");
    for medium in [Medium::Voice, Medium::Chat] {
        assert_eq!(talk(None, "那个呃我跟你说刚才把人撞了有人受伤了", medium), (true, true));
        assert_eq!(talk(None, "I will take this to the Regulator!", medium), (true, true));
        assert_eq!(talk(Some("查订单"), "我要报警", medium), (true, true), "in the middle of a question");
        assert_eq!(talk(None, "查订单", medium), (false, false));
        assert_eq!(talk(None, "my order Hurtigruten 7", medium), (false, false), "a part of a word is none");
    }
}

/// The same line, where a tone leads to a person.
fn watched() -> Arc<Plan> {
    let text = SENSITIVE.replace("  sensitive:", "  upset: {tone: -0.45, priority: 3, goto: human}\n  sensitive:");
    let text = text.replace("type: digits, length: 6,", "type: digits, length: 6, mask: true,");
    let loaded = load(&[Source { name: "watched.yaml".into(), text }], &BTreeMap::new());
    Arc::clone(loaded.plans.get("desk").unwrap_or_else(|| panic!("{:?}", loaded.problems)))
}

fn watched_talk(medium: Medium) -> Talk {
    let start = Start { medium, ..Start::voice() };
    let mut talk = Talk { runner: Runner::new(BEGIN, 1, watched(), start), now: BEGIN, out: Vec::new() };
    talk.tell(Event::Started);
    talk
}

/// Whether a turn was taken for anger, and the priority of the line that it led to.
fn upset(wishes: &[Wish]) -> (bool, Option<u8>) {
    let told = wishes.iter().any(|wish| matches!(wish, Wish::Upset { command, .. } if command == "upset"));
    let line = |wish: &Wish| if let Wish::Enqueue(ask) = wish { Some(ask.priority) } else { None };
    (told, wishes.iter().find_map(line))
}

#[test]
fn s20_an_angry_customer_comes_to_a_person_in_the_same_turn_with_a_raised_priority_in_every_language() {
    for medium in [Medium::Voice, Medium::Chat] {
        for angry in ["什么垃圾公司，气死我了", "this is outrageous, you people are useless"] {
            let mut talk = watched_talk(medium);
            let wishes = talk.say(angry).to_vec();
            assert_eq!(upset(&wishes), (true, Some(8)), "{angry}: {wishes:?}");
            let text = |wish: &Wish| matches!(wish, Wish::Upset { text, turn: 1, tone, .. } if text == angry && *tone < -0.6);
            assert!(wishes.iter().any(text), "the sentence is named: {wishes:?}");
            assert!(wishes.iter().any(|wish| matches!(wish, Wish::Understood { decision, .. } if decision == "tone")));
        }
        let mut talk = watched_talk(medium);
        assert_eq!(upset(talk.say("太慢了")), (false, None), "one mild word");
        assert_eq!(upset(talk.say("怎么回事，烦死了")), (true, Some(8)), "and no more patience");
    }
}

#[test]
fn s20_noise_a_secret_and_calm_words_call_nobody_and_an_alarm_word_keeps_its_way() {
    let mut talk = watched_talk(Medium::Voice);
    let noise = Event::Said { text: "垃圾 骗子".into(), pinyin: None, confidence: 0.3, meanings: Meanings::default() };
    assert_eq!(upset(talk.tell(noise)), (false, None), "a recognizer that is not sure");
    let sounds = Event::Said {
        text: "nǐ men shì piàn zi".into(),
        pinyin: Some("ni men shi pian zi ma tai guo fen le".into()),
        confidence: 0.7,
        meanings: Meanings::default(),
    };
    assert_eq!(upset(talk.tell(sounds)), (true, Some(8)), "an engine that writes syllables");
    let mut talk = watched_talk(Medium::Chat);
    talk.say("查订单");
    assert!(talk.runner.asks_secret());
    assert_eq!(upset(talk.say("骗子 垃圾")), (false, None), "an answer that nobody may keep is not looked at");
    let mut talk = watched_talk(Medium::Chat);
    assert_eq!(upset(talk.say("有人受伤了")), (false, Some(5)), "an alarm word says nothing of the tone");
    let mut talk = watched_talk(Medium::Chat);
    assert_eq!(upset(talk.say("垃圾公司，我要报警")), (true, Some(8)));
    assert!(talk.out.iter().any(|wish| matches!(wish, Wish::Understood { decision, .. } if decision == "phrase")));
}

#[test]
fn s20_who_gets_angry_while_he_waits_goes_before_others_once() {
    let mut talk = watched_talk(Medium::Chat);
    assert_eq!(upset(talk.say("转人工")), (false, Some(5)));
    assert!(talk.say("还要等多久").iter().all(|wish| !matches!(wish, Wish::Raise { .. })));
    let wishes = talk.say("等了半天没人理，什么破服务").to_vec();
    assert!(wishes.contains(&Wish::Raise { priority: 8 }), "{wishes:?}");
    assert!(talk.say("垃圾！骗子！").iter().all(|wish| !matches!(wish, Wish::Raise { .. } | Wish::Upset { .. })), "once");
}
