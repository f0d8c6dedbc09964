//! The thinnest real lines, end to end through the surface: real SIP from real phones, a real plan, real lines.

use std::time::Duration;

use super::*;
use crate::control::event::Fact;
use crate::control::sdp;
use crate::control::sip::Outgoing;
use crate::control::words::CommandId;
use crate::control::words::agent::{AgentCommand, Notice, Refusal, Reply};
use crate::control::words::chat::Content;
use crate::control::words::media::{Command, Prompt};
use crate::control::words::sip::{Flow, ListenerId, Transport};

mod away;
mod company;
mod early;
mod errands;
mod keys;
mod lamps;
mod masks;
mod modes;
mod pages;
mod reasons;
mod scene;
mod secure;
mod suggestions;
mod tickets;
mod tolls;
mod tone;
mod transfers;
mod versions;
mod ways;

use scene::*;

#[test]
fn s1_s18_a_spoken_sentence_reaches_the_agent_with_everything_said_and_the_line_ends_clean() {
    let mut scene = Scene::new(directory(&["anna"]));
    let call = scene.dial("4001010");
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.starts_with("您好")));
    scene.finish_play();
    scene.say("我要报保险");
    scene.agent_answers();
    let invite = scene.invites.last().expect("the agent was rung").to_ascii_lowercase();
    assert!(
        invite.contains("x-hotline-session: ses_") && invite.contains("user-to-user: ") && invite.contains(";encoding=hex"),
        "{invite}"
    );
    for name in [
        "call.answered",
        "recording.started",
        "session.understood",
        "session.queued",
        "session.offered",
        "session.assigned",
        "call.bridged",
    ] {
        assert_eq!(scene.count(name), 1, "{name}: {:?}", scene.names());
    }
    let context =
        scene.facts.iter().find_map(|fact| if let Fact::Offered { context, .. } = fact { Some(context.to_string()) } else { None });
    assert!(context.is_some_and(|context| context.contains("claims")), "the agent sees the intent");
    let caller = scene.leg();
    let hears = |ear: bool| {
        scene
            .media
            .iter()
            .any(|command| matches!(command, Command::Hear { ear: e, mouth: m, .. } if (*e == caller) == ear && (*m == caller) != ear))
    };
    assert!(hears(true) && hears(false), "both hear each other");
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    assert_eq!(scene.count("recording.finished"), 1);
    scene.assert_at_rest();
}

#[test]
fn each_part_of_a_long_recording_is_on_the_timeline() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.dial("4001010");
    let begun = |command: &Command| if let Command::StartRecording { recording, .. } = command { Some(*recording) } else { None };
    let recording = scene.media.iter().find_map(begun).expect("it is recorded");
    for part in 1..=2 {
        let (duration, path) = (Duration::from_secs(3_600), format!("a-{part}.opus").into());
        scene.input(Input::Media(media::Event::RecordingPart { recording, part, path, duration, bytes: 9, sha256: "s".to_owned() }));
    }
    let told = |fact: &Fact| if let Fact::RecordingPart { part, path, .. } = fact { Some((*part, path.clone())) } else { None };
    assert_eq!(scene.facts.iter().filter_map(told).collect::<Vec<_>>(), [(1, "a-1.opus".to_owned()), (2, "a-2.opus".to_owned())]);
    assert_eq!(scene.count("recording.finished"), 0, "the recording goes on");
}

#[test]
fn the_agent_hangs_up_and_the_plan_says_good_bye() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '1', way: media::KeyWay::Event }));
    let leg = scene.agent_answers();
    scene.agent.hang_up(scene.now, leg, &[]);
    scene.run();
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.contains("再见")), "{:?}", scene.last_play());
    scene.finish_play();
    assert_eq!(scene.ending(), Some("plan_ended"));
    scene.assert_at_rest();
}

#[test]
fn a_key_that_comes_in_two_ways_at_once_is_one_press() {
    use media::KeyWay::{Event, Info, Tone};
    let mut scene = Scene::new(directory(&["anna"]));
    let call = scene.dial("anna");
    scene.agent_answers();
    let leg = scene.leg();
    let keys = |scene: &Scene| scene.count("session.key");
    // By packet, by INFO and as a tone; then the same key once more.
    for (way, after, sum) in [(Event, 0, 1), (Info, 40, 1), (Tone, 60, 1), (Event, 150, 2), (Info, 40, 2), (Info, 700, 3), (Event, 20, 3)] {
        scene.wait(Duration::from_millis(after));
        match way {
            Info => scene.caller.send_key(scene.now, call, '5'),
            way => scene.input(Input::Media(media::Event::KeyPressed { leg, key: '5', way })),
        }
        scene.run();
        assert_eq!(keys(&scene), sum, "{way:?} after {after} ms");
    }
    let sent = scene.media.iter().filter(|command| matches!(command, Command::SendKeys { keys, .. } if keys == "5")).count();
    assert_eq!(sent, 3, "pressed anew for the agent, once each");
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn an_agent_who_declines_leaves_the_caller_in_his_line_and_the_overflow_leads_to_a_ticket() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '1', way: media::KeyWay::Event }));
    assert!(matches!(&scene.last_play().1[0], Prompt::Music(_)), "music while waiting");
    scene.wait(Duration::from_secs(31));
    scene.finish_play();
    assert!(matches!(&scene.last_play().1[0], Prompt::Tone { .. }), "the beep: {:?}", scene.last_play());
    scene.finish_play();
    let leg = scene.leave_message("请给我回电");
    scene.input(Input::Media(media::Event::KeyPressed { leg, key: '#', way: media::KeyWay::Event }));
    assert_eq!((scene.count("message.left"), scene.count("ticket.opened")), (1, 1), "{:?}", scene.names());
    scene.finish_play();
    scene.assert_at_rest();
}

#[test]
fn a_caller_who_hangs_up_while_he_leaves_a_message_has_left_it() {
    let mut scene = Scene::new(directory(&[]));
    let call = scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '2', way: media::KeyWay::Event }));
    scene.finish_play();
    scene.finish_play();
    scene.leave_message("请给我回电");
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!((scene.count("message.left"), scene.count("ticket.opened")), (1, 1), "{:?}", scene.names());
    scene.assert_at_rest();
}

#[test]
fn s44_a_chat_with_the_callers_number_stands_in_the_conversation_of_his_call() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    scene.chat(1, "你好", Some("138 0013 8000"));
    let made: Vec<_> = scene
        .facts
        .iter()
        .filter_map(
            |fact| if let Fact::SessionCreated { conversation, customer, .. } = fact { Some((*conversation, *customer)) } else { None },
        )
        .collect();
    assert_eq!(made.len(), 2);
    assert_eq!(made[0], made[1]);
}

#[test]
fn a_chat_is_led_by_the_same_plan_and_reaches_the_same_agent() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.chat(1, "我要报保险", None);
    let offer = scene.wishes.iter().find_map(|wish| match wish {
        Output::Notify(_, Notice::Offered { offer, session, .. }) => Some((*offer, *session)),
        _ => None,
    });
    let (offer, session) = offer.unwrap_or_else(|| panic!("a desk shows it: {:?}", scene.names()));
    scene.input(Input::Agent(CommandId(8), AgentCommand::Accept { offer }));
    let content = Content::Text { text: "您好".to_owned() };
    let say = AgentCommand::Say { session, client_id: "c1".to_owned(), agent: Some(AgentId::of_name("anna")), content };
    scene.input(Input::Agent(CommandId(9), say.clone()));
    scene.input(Input::Agent(CommandId(10), say));
    let replays = scene.wishes.iter().filter(|wish| matches!(wish, Output::Answer(_, Ok(Reply::Message { replayed: true, .. })))).count();
    assert_eq!(replays, 1, "s47: the same client_id is one message");
    scene.input(Input::Agent(CommandId(11), AgentCommand::Close { session, disposition: Some("solved".to_owned()) }));
    assert_eq!(scene.ending(), Some("closed_by_agent"));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(CommandId(11), Ok(Reply::Done)))));
    scene.assert_at_rest();
}

#[test]
fn s47_the_same_line_of_a_channel_is_one_message() {
    let mut scene = Scene::new(directory(&[]));
    scene.chat(1, "你好", None);
    let messages = scene.count("message.created");
    scene.chat(1, "你好", None);
    assert_eq!(scene.count("message.created"), messages);
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Ok(Reply::Message { replayed: true, .. })))));
}

#[test]
fn who_cannot_be_served_is_told_by_status() {
    let mut scene = Scene::new(directory(&[]));
    for (number, status) in [("5550000", 404), ("9123", 403)] {
        scene.dial(number);
        assert_eq!(scene.refused(), Some(status), "{number}");
    }
    let full = Directory { limits: crate::control::words::directory::Limits { calls: 0, ..Default::default() }, ..directory(&[]) };
    let mut scene = Scene::new(full);
    scene.dial("4001010");
    assert_eq!(scene.refused(), Some(503));
}

#[test]
fn a_queue_without_a_plan_overflows_into_a_promised_callback() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("7000");
    let (leg, (music, _)) = (scene.leg(), scene.last_play());
    scene.wait(Duration::from_secs(61));
    scene.input(Input::Media(media::Event::PlayFinished { leg, play: music, outcome: media::PlayOutcome::Stopped }));
    assert_eq!(scene.ending(), None, "the end of the music does not cut the last words");
    scene.finish_play();
    assert_eq!(scene.count("callback.promised"), 1);
    assert_eq!(scene.ending(), Some("queue_overflow"));
    scene.assert_at_rest();
}

#[test]
fn a_drain_ends_calls_at_its_time_and_says_so_once() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    let until = scene.now + Duration::from_secs(10);
    scene.input(Input::Drain { until });
    scene.dial("4001010");
    assert_eq!(scene.refused(), Some(503));
    scene.wait(Duration::from_secs(40));
    assert_eq!(scene.ending(), Some("drained"));
    assert_eq!(scene.wishes.iter().filter(|wish| matches!(wish, Output::Drained)).count(), 1);
}

#[test]
fn a_call_placed_by_the_api_lands_at_its_entry() {
    let mut scene = Scene::new(directory(&[]));
    let originate = |to: &str| AgentCommand::Originate { to: to.to_owned(), entry: "4001010".to_owned(), by: None };
    scene.input(Input::Agent(CommandId(1), originate("nowhere")));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Err(Refusal::Unknown { .. })))));
    scene.input(Input::Agent(CommandId(2), originate(&format!("sip:anna@10.0.0.1:{AGENT}"))));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Ok(Reply::Session(_))))));
    let leg = scene.agent_answers();
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.starts_with("您好")));
    scene.agent.hang_up(scene.now, leg, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    scene.assert_at_rest();
}

#[test]
fn s36_while_time_is_short_new_callers_are_asked_for_keys_and_one_who_speaks_goes_on() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.dial("4001010");
    scene.finish_play();
    scene.input(Input::Pressure(Pressure::Short));
    scene.input(Input::Pressure(Pressure::Short));
    assert_eq!(scene.count("system.overload"), 1, "told once: {:?}", scene.names());
    scene.say("我要报保险");
    assert_eq!(scene.count("session.understood"), 1, "who is being listened to goes on");
    let listened = |scene: &Scene| scene.media.iter().filter(|command| matches!(command, Command::Listen { .. })).count();
    let before = listened(&scene);
    scene.dial("4001010");
    let (_, prompts) = scene.last_play();
    let keys = prompts.iter().any(|prompt| matches!(prompt, Prompt::Text { text, .. } if text.contains("请按")));
    assert!(keys && listened(&scene) == before, "the next one is asked for keys, and nobody listens: {prompts:?}");
    scene.input(Input::Pressure(Pressure::Calm));
    scene.dial("4001010");
    scene.finish_play();
    assert!(listened(&scene) > before, "words are asked for again");
}
