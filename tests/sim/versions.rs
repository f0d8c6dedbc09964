//! Plans are published while conversations run: each keeps the version it began with, whatever comes after.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotline::control::dialplan::{Plan, Source, load};
use hotline::control::event::{Author, Fact};
use hotline::control::random::Random;
use hotline::control::session::Restored;
use hotline::control::surface::{Input, Output};
use hotline::control::switch::Switch;
use hotline::control::time::Time;
use hotline::control::words::CommandId;
use hotline::control::words::chat::{Content, Received};
use hotline::control::words::directory::Directory;
use hotline::control::words::lookup::Finding;
use hotline::nlu::Meanings;

/// Versions that are published one after the other.
const VERSIONS: usize = 5;
/// Conversations of a run.
const CHATS: usize = 60;
/// Lines of each.
const LINES: usize = 4;

/// A plan whose every answer names its version.
fn version(number: usize) -> Arc<Plan> {
    let text = format!(
        "dialplan: 1\nid: shop\nlanguages: [en-US]\nchannels: [web]\nstart: ask\nnodes:\n  ask:\n    - menu:\n        prompt: \"Version {number}: press one.\"\n        \
         options: [{{key: 1, goto: again, label: one}}]\n  again: [{{say: \"Version {number} again.\"}}, {{goto: ask}}]\n"
    );
    let loaded = load(&[Source { name: "shop.yaml".into(), text }], &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    Arc::clone(&loaded.plans["shop"])
}

fn directory(plan: &Arc<Plan>) -> Arc<Directory> {
    Arc::new(Directory { plans: BTreeMap::from([("shop".to_owned(), Arc::clone(plan))]), ..Directory::default() })
}

fn line(chat: usize, number: usize) -> Received {
    Received {
        command: CommandId((chat * 100 + number) as u128),
        channel: "web".to_owned(),
        external_id: format!("{chat}-{number}"),
        address: format!("visitor-{chat}"),
        content: Content::Text { text: "1".to_owned() },
        meanings: Meanings::default(),
        profile: serde_json::Map::new(),
    }
}

/// Takes outputs until there are none; the store knows nobody.
fn settle(switch: &mut Switch, now: Time, facts: &mut Vec<Fact>) {
    while let Some(output) = switch.poll_output() {
        match output {
            Output::Journal(event) => facts.push(event.fact),
            Output::Find(lookup, _) => switch.handle(now, Input::Found(lookup, Finding::NotFound)),
            _ => {}
        }
    }
}

#[test]
fn s07_conversations_keep_their_version_while_others_are_published() {
    let plans: Vec<Arc<Plan>> = (0..VERSIONS).map(version).collect();
    let mut random = Random::new(7);
    let mut now = Time(1_795_000_000_000_000);
    let mut switch = Switch::new(now, 7, directory(&plans[0]), Restored::default());
    let mut facts = Vec::new();
    let mut lines = vec![0usize; CHATS];
    while let Some(open) = lines.iter().position(|said| *said < LINES) {
        let span = (CHATS - open) as u64;
        let chat = open + usize::try_from(random.below(span.min(10))).unwrap();
        if lines[chat] == LINES {
            continue;
        }
        if random.below(9) == 0 {
            let at = usize::try_from(random.below(VERSIONS as u64)).unwrap();
            switch.handle(now, Input::Directory(directory(&plans[at])));
        }
        now = Time(now.0 + 1_000_000);
        switch.handle(now, Input::Chat(line(chat, lines[chat])));
        settle(&mut switch, now, &mut facts);
        lines[chat] += 1;
    }
    let number_of = |wanted: &String| plans.iter().position(|plan| plan.version == *wanted);
    let mut began = BTreeMap::new();
    let mut said = 0;
    for fact in &facts {
        match fact {
            Fact::SessionCreated { session, plan_version: Some(version), .. } => drop(began.insert(*session, number_of(version).unwrap())),
            Fact::MessageCreated { session, author: Author::Bot, content: Content::Text { text }, .. } => {
                assert!(text.contains(&format!("Version {}", began[session])), "{text} in a session of version {}", began[session]);
                said += 1;
            }
            _ => {}
        }
    }
    assert_eq!(began.len(), CHATS);
    assert!(said >= CHATS * LINES, "{said} lines of the plan");
    assert!(
        (0..VERSIONS).filter(|number| began.values().any(|began| began == number)).count() > 2,
        "several versions were in force: {began:?}"
    );
}
