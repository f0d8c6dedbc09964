//! Customers who lose their patience: with the robot, and in the line.

use serde_json::{Map, Value};

use super::*;
use crate::control::dialplan::{Source, load};
use crate::control::event::Author;
use crate::control::words::chat::Received;

fn center() -> Directory {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let plan = PLAN.replace("nodes:\n", "always:\n  upset: {tone: -0.45, priority: 4, goto: human}\nnodes:\n");
    let loaded = load(&[source("desk.yaml", DESK), source("line.yaml", &plan)], &BTreeMap::from([]));
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    Directory { plans: loaded.plans, ..directory(&["anna"]) }
}

fn write(scene: &mut Scene, number: u128, who: &str, text: &str) {
    let received = Received {
        command: CommandId(number),
        channel: "web".to_owned(),
        external_id: format!("x{number}"),
        address: who.to_owned(),
        content: Content::Text { text: text.to_owned() },
        profile: Map::from_iter([("plan".to_owned(), Value::from("line"))]),
        meanings: crate::nlu::Meanings::default(),
    };
    scene.input(Input::Chat(received));
}

fn anna_is(scene: &mut Scene, state: AgentState) {
    scene.input(Input::Agent(CommandId(900), AgentCommand::SetState { agent: AgentId::of_name("anna"), state, reason: None }));
}

fn offered(scene: &Scene) -> Option<SessionId> {
    scene.facts.iter().find_map(|fact| if let Fact::Offered { session, .. } = fact { Some(*session) } else { None })
}

#[test]
fn s20_an_angry_caller_is_offered_before_one_who_waits_longer_and_the_log_names_his_sentence() {
    let mut scene = Scene::new(center());
    anna_is(&mut scene, AgentState::Away);
    write(&mut scene, 1, "calm", "我要报保险");
    scene.wait(Duration::from_secs(5));
    let call = scene.dial("4001010");
    scene.finish_play();
    scene.say("你们怎么回事");
    assert_eq!(scene.count("session.upset"), 0, "one turn may be a bad moment");
    scene.finish_play();
    scene.say("什么垃圾服务，我的卡号4111 1111 1111 1111说了三遍");
    let told = scene.facts.iter().find_map(|fact| match fact {
        Fact::Upset { session, message, text, tone, temper, command, raise, turn } => {
            Some((*session, *message, text.clone(), (*tone, *temper), command.clone(), *raise, *turn))
        }
        _ => None,
    });
    let (session, message, text, (tone, temper), command, raise, turn) = told.unwrap_or_else(|| panic!("{:?}", scene.names()));
    assert_eq!(text, "什么垃圾服务，我的卡号[card]说了三遍", "masked like other words");
    assert!(tone < -0.6 && temper < -0.6, "{tone} {temper}");
    assert_eq!((command.as_str(), raise, turn), ("upset", 4, 2));
    let said = |fact: &Fact| match fact {
        Fact::MessageCreated { message, author: Author::Customer, .. } => Some(*message),
        _ => None,
    };
    assert_eq!(message, scene.facts.iter().rev().find_map(said), "it names the sentence");
    let queued = |fact: &Fact| matches!(fact, Fact::Queued { session: of, priority: 9, position: 1, .. } if *of == session);
    assert!(scene.facts.iter().any(queued), "{:?}", scene.facts);
    anna_is(&mut scene, AgentState::Available);
    assert_eq!(offered(&scene), Some(session), "he goes before the one who came earlier");
    scene.agent_answers();
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
}

#[test]
fn s20_who_loses_his_patience_in_the_line_goes_before_those_who_wait_longer() {
    let mut scene = Scene::new(center());
    anna_is(&mut scene, AgentState::Away);
    write(&mut scene, 1, "calm", "我要报保险");
    scene.wait(Duration::from_secs(5));
    write(&mut scene, 2, "angry", "我要报保险");
    write(&mut scene, 3, "angry", "有人吗");
    assert_eq!(scene.count("session.raised"), 0);
    write(&mut scene, 4, "angry", "等了半天没人理，什么破服务，气死我了");
    let raised = |fact: &Fact| match fact {
        Fact::Raised { session, priority, position, .. } => Some((*session, *priority, *position)),
        _ => None,
    };
    let (session, priority, position) = scene.facts.iter().find_map(raised).unwrap_or_else(|| panic!("{:?}", scene.names()));
    assert_eq!((priority, position, scene.count("session.upset")), (9, 1, 1));
    anna_is(&mut scene, AgentState::Available);
    assert_eq!(offered(&scene), Some(session));
}
