//! Sessions written down as the log has them, and read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::case;
use super::replay::{Replayed, replay, run};
use super::*;
use crate::control::dialplan::load::{Source, load};
use crate::control::dialplan::sim::{Joined, Simulation, mock_environment};
use crate::control::dialplan::test_file::{self, Verdict};
use crate::control::discreet::discreet;
use crate::control::random::Random;
use crate::control::words::{ConversationId, CustomerId, EventId, MessageId, SessionId};

const PHONE: &str = "13800138000";

fn plan(edits: &[(&str, &str)]) -> Arc<Plan> {
    let mut text = include_str!("../../../../dialplans/driver-hotline.yaml").to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let files = [
        file("desk.yaml", include_str!("../../../../dialplans/desk.yaml")),
        file("knowledge/driver.yaml", include_str!("../../../../dialplans/knowledge/driver.yaml")),
        file("driver-hotline.yaml", &text),
    ];
    let loaded = load(&files, &mock_environment(&files, &BTreeMap::new()));
    loaded.plans.get("driver-hotline").unwrap_or_else(|| panic!("{:?}", loaded.problems)).clone()
}

/// A log of one session.
struct Journal {
    random: Random,
    now: Time,
    session: SessionId,
    facts: Vec<DomainEvent>,
}

impl Journal {
    fn new(plan: &Plan) -> Journal {
        let mut random = Random::new(3);
        let now = Time(1_794_362_400_000_000);
        let session = SessionId::new(now, &mut random);
        let conversation = ConversationId::new(now, &mut random);
        let customer = CustomerId::new(now, &mut random);
        let mut journal = Journal { random, now, session, facts: Vec::new() };
        journal.add(Fact::SessionCreated {
            session,
            conversation,
            customer,
            channel: "voice".into(),
            address: PHONE.into(),
            entry: "4001010".into(),
            plan: Some(plan.id.clone()),
            plan_version: Some(plan.version.clone()),
            call: None,
        });
        journal
    }

    fn add(&mut self, fact: Fact) {
        let id = EventId::new(self.now, &mut self.random);
        self.facts.push(DomainEvent { id, at: self.now, fact: discreet(fact) });
    }

    fn line(&mut self, author: Author, text: &str) {
        let (message, session) = (MessageId::new(self.now, &mut self.random), self.session);
        let confidence = (author == Author::Customer).then_some(0.9);
        self.add(Fact::MessageCreated {
            message,
            session,
            author,
            agent: None,
            content: Content::Text { text: text.to_owned() },
            lang: None,
            client_id: None,
            external_id: None,
            offset_ms: None,
            duration_ms: None,
            confidence,
            source: None,
            buttons: Vec::new(),
        });
    }

    /// What the log has of a simulated turn, the customer's part first.
    fn turn(&mut self, turn: &crate::control::dialplan::sim::Turn, answers: &BTreeMap<String, Mock>) {
        let session = self.session;
        self.now = self.now + Duration::from_secs(8);
        match turn.input.as_str() {
            "" | "(silence)" | "(noise)" => {}
            keys if keys.starts_with('#') => {
                let hidden = turn.understood.as_ref().is_none_or(|(decision, _)| decision != "key");
                for key in keys[1..].chars() {
                    self.add(Fact::KeyPressed { session, key: if hidden { HIDDEN_KEY } else { key } });
                }
            }
            text => self.line(Author::Customer, text),
        }
        if let Some((decision, intents)) = &turn.understood {
            let text = if turn.input == "(noise)" { String::new() } else { turn.input.clone() };
            self.add(Fact::Understood { session, message: None, text, intents: intents.clone(), decision: decision.clone() });
        }
        for (slot, value) in &turn.slots {
            self.add(Fact::SlotFilled { session, slot: slot.clone(), value: value.clone(), masked: value == "***" });
        }
        for node in &turn.nodes {
            self.add(Fact::NodeEntered { session, node: node.clone(), turn: 0 });
        }
        for (name, outcome) in turn.notes.iter().filter_map(|note| note.strip_prefix("lookup ")?.split_once(": ")) {
            let value = match answers.get(name) {
                Some(Mock::Answer(value)) => value.clone(),
                _ => Value::Null,
            };
            self.add(Fact::LookupDone { session, name: name.to_owned(), outcome: outcome.to_owned(), value, took_ms: 100 });
        }
        if !turn.said.is_empty() {
            self.line(Author::Bot, &turn.said.join(" "));
        }
        if let Some(Joined { queue, .. }) = &turn.queue {
            self.add(Fact::Queued { session, queue: *queue, skills: Vec::new(), priority: 5, position: 1 });
        }
        if let Some(end) = turn.end {
            let ending = if end.contained { "contained" } else { "plan_ended" };
            self.close(ending);
        }
    }

    fn close(&mut self, ending: &str) {
        let (session, ending) = (self.session, ending.to_owned());
        self.add(Fact::SessionClosed { session, ending, disposition: String::new(), contained: false, duration_ms: 1 });
    }
}

fn answers() -> BTreeMap<String, Mock> {
    let pay = json!({"status": "paid", "amount": 5321.5, "date": "2026-11-10"});
    let garage = json!({"name": "东直门店", "addr": "东直门外大街1号", "tel": "010-1"});
    BTreeMap::from([("pay".to_owned(), Mock::Answer(pay)), ("garage".to_owned(), Mock::Answer(garage))])
}

/// A session that was had with the shipped plan: `say …`, `#keys`, `(noise)`, `(silence)`.
fn had(inputs: &[&str], ending: Option<&str>) -> (Arc<Plan>, Vec<DomainEvent>) {
    let plan = plan(&[]);
    let mut journal = Journal::new(&plan);
    let start = super::start("voice", PHONE, "4001010", Map::new());
    let world = World { lookups: answers(), recorded: Some(MESSAGE), ..World::default() };
    let mut simulation = Simulation::new(Arc::clone(&plan), start, journal.now, 1, world);
    for input in inputs {
        match *input {
            "(noise)" => simulation.noise(),
            "(silence)" => simulation.silence(),
            keys if keys.starts_with('#') => simulation.press(&keys[1..]),
            text => simulation.hear(text, None, 0.9),
        };
    }
    if ending.is_none() {
        simulation.run_out();
    }
    for turn in simulation.turns() {
        journal.turn(turn, &answers());
    }
    if let Some(ending) = ending {
        journal.close(ending);
    }
    (plan, journal.facts)
}

fn read(facts: &[DomainEvent], plan: &Plan) -> Recorded {
    reconstruct(facts, Map::new(), Some(plan)).expect("a session")
}

const TALKS: [(&[&str], Option<&str>); 7] = [
    (&["你好，我车坏了，我想报保险，去哪儿修", "京A12345", "不用", "对", "没有了"], None),
    (&["为什么到今天工资还没发", "一二三四五六七", "对", "没有了"], None),
    (&["#3", "#1"], Some("caller_hung_up")),
    (&["#1", "#12345678", "没有了"], None),
    (&["(noise)", "(noise)"], Some("abandoned")),
    (&["(silence)", "为什么到今天工资还没发"], Some("caller_hung_up")),
    (&["怎么回事又让我等", "什么垃圾服务气死我了"], Some("abandoned")),
];

#[test]
fn a_session_read_from_the_log_goes_the_same_way_once_more() {
    for (inputs, ending) in TALKS {
        let (plan, facts) = had(inputs, ending);
        let recorded = read(&facts, &plan);
        let again = run(&recorded, &plan);
        let nodes: Vec<&str> = again.turns.iter().flat_map(|turn| &turn.nodes).map(String::as_str).collect();
        assert_eq!(nodes, recorded.nodes(), "{inputs:?}: {:?}", recorded.turns);
        assert_eq!(again.destination, recorded.destination, "{inputs:?}");
        assert!(again.unknown.is_empty());
        assert_eq!(replay(&recorded, Some(&plan), &plan, &BTreeMap::new()), Replayed::Same, "{inputs:?}");
    }
}

#[test]
fn hidden_keys_are_found_in_their_slot_and_what_was_inferred_is_said() {
    let (plan, facts) = had(&["#1", "#12345678", "没有了"], None);
    let recorded = read(&facts, &plan);
    assert_eq!(recorded.turns[1].input, Input::Pressed("12345678".to_owned()));
    let (plan, facts) = had(&["(silence)"], Some("caller_hung_up"));
    let recorded = read(&facts, &plan);
    assert_eq!(recorded.turns[0].input, Input::Silence);
    assert!(recorded.gaps.iter().any(|gap| gap.contains("silence")), "{:?}", recorded.gaps);
}

#[test]
fn a_chat_whose_first_line_came_before_the_plan_began_leads_to_the_same() {
    let plan = plan(&[]);
    let mut journal = Journal::new(&plan);
    // Before four in the morning in Shanghai, when the desk is closed.
    journal.now = Time(1_795_290_387_000_000);
    let Fact::SessionCreated { channel, address, .. } = &mut journal.facts[0].fact else { panic!("the first fact") };
    "web".clone_into(channel);
    "u1".clone_into(address);
    journal.facts[0].at = journal.now;
    let session = journal.session;
    journal.line(Author::Customer, "我的车坏了，想报保险");
    for node in ["main", "after_hours", "leave"] {
        journal.add(Fact::NodeEntered { session, node: node.to_owned(), turn: 0 });
    }
    journal.line(Author::Bot, "请写下您的问题。");
    let left = crate::control::words::LeftMessageId::new(journal.now, &mut journal.random);
    journal.add(Fact::MessageLeft { left, session, contact: None, recording: None, text: None, mode: "ticket".to_owned() });
    journal.close("plan_ended");
    let customer = Map::from_iter([("phone".to_owned(), "+8613800138000".into())]);
    let recorded = reconstruct(&journal.facts, customer, Some(&plan)).expect("a session");
    assert_eq!((recorded.opening.as_slice(), recorded.turns.len()), (["main", "after_hours", "leave"].map(str::to_owned).as_slice(), 1));
    assert_eq!(recorded.destination, Destination::Message("ticket".to_owned()));
    assert_eq!(replay(&recorded, Some(&plan), &plan, &BTreeMap::new()), Replayed::Same);
}

#[test]
fn a_draft_that_leads_elsewhere_is_told_with_the_sentence_that_decides() {
    let (published, facts) = had(TALKS[0].0, TALKS[0].1);
    let recorded = read(&facts, &published);
    let draft = plan(&[("\"yes\": claims, \"no\": more", "\"yes\": claims, \"no\": claims")]);
    match replay(&recorded, Some(&published), &draft, &BTreeMap::new()) {
        Replayed::Changed { before, after, at } => {
            assert_eq!((before, after), (Destination::End("bye".into()), Destination::Queue("driver_claims".into())));
            assert_eq!(at.input, "不用");
            assert_eq!(at.after, ["claims"]);
        }
        other => panic!("{other:?}"),
    }
    let renamed = plan(&[("\"no\": bye", "\"no\": end_of_call"), ("  bye:", "  end_of_call:")]);
    let names = BTreeMap::from([("bye".to_owned(), "end_of_call".to_owned())]);
    assert_eq!(replay(&recorded, Some(&published), &renamed, &names), Replayed::Same, "another name is no other place");
}

#[test]
fn what_the_log_does_not_have_is_not_made_up() {
    let (published, facts) = had(TALKS[1].0, TALKS[1].1);
    let recorded = read(&facts, &published);
    let asks = plan(&[
        ("    - lookup: pay\n", "    - lookup: garage\n    - goto: human\n"),
        ("    - branch:\n        - if: pay.status == \"paid\"", "  unused:\n    - branch:\n        - if: pay.status == \"paid\""),
    ]);
    match replay(&recorded, Some(&published), &asks, &BTreeMap::new()) {
        Replayed::NotReplayed { why } => assert!(why.contains("'garage'"), "{why}"),
        other => panic!("{other:?}"),
    }
    let running: Vec<DomainEvent> = facts[..facts.len() - 1].to_vec();
    assert!(matches!(replay(&read(&running, &published), None, &published, &BTreeMap::new()), Replayed::NotReplayed { .. }));
    let mut lost = facts.clone();
    lost.retain(|event| !matches!(&event.fact, Fact::MessageCreated { author: Author::Customer, content: Content::Text { text }, .. } if text == "对"));
    match replay(&read(&lost, &published), Some(&published), &published, &BTreeMap::new()) {
        Replayed::NotReplayed { why } => assert!(why.contains("its own version"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_case_written_from_a_session_passes_and_holds_nobodys_data() {
    for (inputs, ending) in TALKS {
        let (plan, facts) = had(inputs, ending);
        let recorded = read(&facts, &plan);
        let written = case::write(&recorded, &plan, 1).unwrap_or_else(|problems| panic!("{problems:?}"));
        for secret in [PHONE, "京A12345", "12345678", "一二三四五六七", "1234567"] {
            assert!(!written.text.contains(secret), "{secret} in\n{}", written.text);
        }
        let tests = test_file::read(&Source { name: "r.test.yaml".to_owned(), text: written.text.clone() }).expect("a test file");
        let outcome = test_file::run(&tests.cases[0], &plan, 1, &mut |_, _| Err("no sound".to_owned()));
        assert_eq!(outcome.verdict, Verdict::Passed, "{}\n{:?}", written.text, outcome.turns);
        assert!(!written.doubts.iter().any(|doubt| doubt.contains("now leads to")), "{:?}", written.doubts);
    }
}
