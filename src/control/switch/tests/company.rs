//! People who come into a conversation: a supervisor who listens, whispers and speaks with all, a colleague who is asked. Whoever leaves,
//! the others go on as the rules say, in one session and one recording.

use super::*;
use crate::control::words::agent::{ConsultEnd, Supervision};
use crate::control::words::directory::{Notices, Team};
use crate::control::words::media::Masking;

const MODES: [Supervision; 3] = [Supervision::Listen, Supervision::Whisper, Supervision::Barge];

/// Anna of the team `claims` serves the line; eva leads the team, ben is a colleague; zoe leads another team.
fn house() -> Directory {
    let mut directory = directory(&["anna", "ben", "eva", "zoe"]);
    for (id, agent) in &mut directory.agents {
        if *id != AgentId::of_name("anna") {
            agent.queues.clear();
        }
    }
    for (name, of, leads) in [("anna", Some("claims"), vec![]), ("eva", None, vec!["claims"]), ("zoe", None, vec!["sales"])] {
        let agent = directory.agents.get_mut(&AgentId::of_name(name)).expect("one of the four");
        agent.team = Team { of: of.map(str::to_owned), leads: leads.into_iter().map(str::to_owned).collect() };
    }
    directory
}

/// A customer who speaks with anna.
struct Talk {
    scene: Scene,
    /// The customer's own leg and anna's, as their phones know them.
    caller: LegId,
    anna: LegId,
    session: SessionId,
    commands: u128,
}

impl Talk {
    fn begin(directory: Directory) -> Talk {
        let mut scene = Scene::new(directory);
        let caller = scene.dial("7000");
        scene.wait(Duration::from_secs(1));
        let anna = scene.agent_answers();
        let created = |fact: &Fact| if let Fact::SessionCreated { session, .. } = fact { Some(*session) } else { None };
        let session = scene.facts.iter().find_map(created).expect("a session");
        Talk { scene, caller, anna, session, commands: 0 }
    }

    fn ask(&mut self, command: AgentCommand) -> Result<Reply, Refusal> {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.scene.input(Input::Agent(id, command));
        let answer = |wish: &Output| match wish {
            Output::Answer(command, answer) if *command == id => Some(answer.clone()),
            _ => None,
        };
        self.scene.wishes.iter().find_map(answer).expect("an answer")
    }

    fn supervise(&mut self, who: &str, mode: Supervision) -> Result<Reply, Refusal> {
        self.ask(AgentCommand::Supervise { session: self.session, supervisor: AgentId::of_name(who), mode })
    }

    fn consult(&mut self, to: &str) -> Result<Reply, Refusal> {
        self.ask(AgentCommand::Consult { session: self.session, to: to.to_owned() })
    }

    fn end_consult(&mut self, how: ConsultEnd) -> Result<Reply, Refusal> {
        self.ask(AgentCommand::EndConsult { session: self.session, how })
    }

    /// Eva is in the call.
    fn supervised(mode: Supervision) -> (Talk, LegId) {
        let mut talk = Talk::begin(house());
        assert_eq!(talk.supervise("eva", mode), Ok(Reply::Done));
        let eva = talk.scene.agent_answers();
        (talk, eva)
    }

    /// Anna asks ben, who has answered.
    fn consulting() -> (Talk, LegId) {
        let mut talk = Talk::begin(house());
        assert_eq!(talk.consult("ben"), Ok(Reply::Done));
        let ben = talk.scene.agent_answers();
        (talk, ben)
    }

    /// The center's legs in the order in which they got sound: the customer, anna, who came in first …
    fn legs(&self) -> Vec<LegId> {
        let opened = |command: &Command| if let Command::OpenLeg { leg, .. } = command { Some(*leg) } else { None };
        self.scene.media.iter().filter_map(opened).collect()
    }

    /// Who hears whom of those who have come, by their place in that order.
    fn hearing(&self) -> Vec<(usize, usize)> {
        let mut pairs = BTreeMap::new();
        let legs = self.legs();
        let place = |leg: &LegId| legs.iter().position(|known| known == leg).expect("an open leg");
        for command in &self.scene.media {
            match command {
                Command::Hear { ear, mouth, gain } => drop(pairs.insert((place(ear), place(mouth)), *gain > 0.0)),
                Command::CloseLeg { leg } => pairs.retain(|(ear, mouth), _| *ear != place(leg) && *mouth != place(leg)),
                _ => {}
            }
        }
        pairs.into_iter().filter_map(|(pair, heard)| heard.then_some(pair)).collect()
    }

    fn hang_up(&mut self, phone: u16, leg: LegId) {
        let endpoint = if phone == CALLER { &mut self.scene.caller } else { &mut self.scene.agent };
        endpoint.hang_up(self.scene.now, leg, &[]);
        self.scene.run();
    }

    fn is_hung_up(&self, leg: LegId) -> bool {
        self.scene.happened.iter().any(|(_, happening)| *happening == Happening::HungUp { leg })
    }

    /// What is written of supervisions and consultations: state and why.
    fn written(&self) -> Vec<String> {
        let line = |fact: &Fact| match fact {
            Fact::Supervised { state, why: Some(why), .. } => Some(format!("{state} {why}")),
            Fact::Supervised { state, .. } | Fact::Consulted { state, .. } => Some(state.clone()),
            _ => None,
        };
        self.scene.facts.iter().filter_map(line).collect()
    }

    fn plays_to(&self, leg: LegId) -> bool {
        let mut playing = None;
        for command in &self.scene.media {
            match command {
                Command::Play { leg: ear, play, .. } if *ear == leg => playing = Some(*play),
                Command::StopPlay { play, .. } if playing == Some(*play) => playing = None,
                _ => {}
            }
        }
        playing.is_some()
    }

    /// The call ends by the customer, and nothing is left.
    fn end(mut self) {
        assert_eq!((self.scene.count("recording.started"), self.scene.count("session.created")), (1, 1), "one session, one recording");
        self.hang_up(CALLER, self.caller);
        assert_eq!(self.scene.ending(), Some("caller_hung_up"));
        self.scene.assert_at_rest();
    }
}

const CUSTOMER: usize = 0;
const ANNA: usize = 1;
const THIRD: usize = 2;
const PAIR: [(usize, usize); 2] = [(CUSTOMER, ANNA), (ANNA, CUSTOMER)];

fn heard_in(mode: Supervision) -> Vec<(usize, usize)> {
    let mut pairs = PAIR.to_vec();
    pairs.extend([(THIRD, CUSTOMER), (THIRD, ANNA)]);
    pairs.extend((mode != Supervision::Listen).then_some((ANNA, THIRD)));
    pairs.extend((mode == Supervision::Barge).then_some((CUSTOMER, THIRD)));
    pairs.sort_unstable();
    pairs
}

#[test]
fn s62_who_hears_whom_follows_the_mode_through_every_change_of_it() {
    for first in MODES {
        for second in MODES {
            let (mut talk, eva) = Talk::supervised(first);
            assert_eq!(talk.hearing(), heard_in(first), "{first:?}");
            assert_eq!(talk.supervise("eva", second), Ok(Reply::Done));
            assert_eq!(talk.hearing(), heard_in(second), "{first:?} to {second:?}");
            assert_eq!(talk.ask(AgentCommand::EndSupervision { session: talk.session, by: None }), Ok(Reply::Done));
            assert!(talk.is_hung_up(eva));
            assert_eq!(talk.hearing(), PAIR);
            let states: &[&str] =
                if first == second { &["requested", "joined", "ended left"] } else { &["requested", "joined", "changed", "ended left"] };
            assert_eq!(talk.written(), states);
            talk.end();
        }
    }
}

#[test]
fn s62_whoever_leaves_first_the_others_go_on_as_the_mode_says() {
    for mode in MODES {
        let (mut talk, eva) = Talk::supervised(mode);
        talk.hang_up(AGENT, eva);
        assert_eq!((talk.hearing(), talk.is_hung_up(talk.anna)), (PAIR.to_vec(), false));
        talk.end();

        let (mut talk, eva) = Talk::supervised(mode);
        talk.hang_up(CALLER, talk.caller);
        assert!(talk.is_hung_up(eva) && talk.is_hung_up(talk.anna), "{mode:?}: the customer's call is over");
        assert_eq!(talk.written().last().map(String::as_str), Some("ended caller_hung_up"));
        talk.scene.assert_at_rest();

        let (mut talk, eva) = Talk::supervised(mode);
        talk.hang_up(AGENT, talk.anna);
        if mode == Supervision::Barge {
            assert_eq!(talk.hearing(), [(CUSTOMER, THIRD), (THIRD, CUSTOMER)]);
            assert_eq!((talk.scene.count("call.bridged"), talk.scene.ending()), (2, None));
            assert_eq!(talk.scene.switch.audit(talk.scene.now).busy, [AgentId::of_name("eva")], "she has the customer now");
            talk.end();
        } else {
            assert!(talk.is_hung_up(eva), "{mode:?}: nobody speaks with the customer");
            assert_eq!(talk.scene.ending(), Some("agent_hung_up"));
            talk.scene.assert_at_rest();
        }
    }
}

#[test]
fn s62_only_who_leads_the_agents_team_comes_in_and_the_log_keeps_who_tried() {
    let mut talk = Talk::begin(house());
    let rung = talk.scene.invites.len();
    for who in ["zoe", "ben", "anna"] {
        assert!(matches!(talk.supervise(who, Supervision::Listen), Err(Refusal::Forbidden(_))), "{who}");
    }
    assert!(matches!(talk.supervise("nobody", Supervision::Listen), Err(Refusal::Unknown { what: "agent", .. })));
    assert_eq!((talk.written(), talk.scene.invites.len()), (vec!["denied not_of_his_team".to_owned(); 3], rung));
    assert_eq!(talk.supervise("eva", Supervision::Whisper), Ok(Reply::Done));
    let eva = talk.scene.agent_answers();
    let leave = AgentCommand::EndSupervision { session: talk.session, by: Some(AgentId::of_name("zoe")) };
    assert!(matches!(talk.ask(leave), Err(Refusal::Forbidden(_))) && !talk.is_hung_up(eva));
    assert_eq!(talk.scene.switch.audit(talk.scene.now).busy.len(), 2, "nothing is offered to her meanwhile");
    talk.end();
}

#[test]
fn s62_a_supervisor_whose_phone_is_not_answered_changes_nothing() {
    let mut talk = Talk::begin(house());
    let rung = |scene: &Scene| {
        let rings = |happened: &(u16, Happening)| if let Happening::Invited(invited) = &happened.1 { Some(invited.leg) } else { None };
        scene.happened.iter().rev().find_map(rings).expect("a phone rings")
    };
    assert_eq!(talk.supervise("eva", Supervision::Barge), Ok(Reply::Done));
    let leg = rung(&talk.scene);
    talk.scene.agent.refuse(talk.scene.now, leg, 486, &[]);
    talk.scene.run();
    assert_eq!(talk.supervise("eva", Supervision::Barge), Ok(Reply::Done));
    talk.scene.wait(Duration::from_secs(31));
    assert_eq!(talk.supervise("eva", Supervision::Listen), Ok(Reply::Done));
    assert_eq!(talk.supervise("eva", Supervision::Whisper), Ok(Reply::Done), "she may think better of it while it rings");
    assert_eq!(talk.ask(AgentCommand::EndSupervision { session: talk.session, by: None }), Ok(Reply::Done));
    let lines = ["requested", "ended refused", "requested", "ended no_answer", "requested", "changed", "ended left"];
    assert_eq!((talk.written(), talk.hearing()), (lines.map(str::to_owned).to_vec(), PAIR.to_vec()));
    assert_eq!(talk.supervise("eva", Supervision::Listen), Ok(Reply::Done));
    talk.end();
}

#[test]
fn s62_where_no_agent_speaks_nobody_is_supervised() {
    let mut scene = Scene::new(house());
    scene.dial("4001010");
    let created = |fact: &Fact| if let Fact::SessionCreated { session, .. } = fact { Some(*session) } else { None };
    let session = scene.facts.iter().find_map(created).expect("a session");
    for (who, forbidden) in [("eva", false), ("ben", true)] {
        let command = AgentCommand::Supervise { session, supervisor: AgentId::of_name(who), mode: Supervision::Listen };
        scene.input(Input::Agent(CommandId(1), command));
        let Some(Output::Answer(_, Err(why))) = scene.wishes.last() else { panic!("{:?}", scene.wishes) };
        assert_eq!(matches!(why, Refusal::Forbidden(_)), forbidden, "{why:?}");
    }
}

#[test]
fn s62_a_notice_is_heard_by_those_it_is_for_alone() {
    let beep = Prompt::Tone { hertz: 1_000, ms: 250 };
    let notices = Notices { recording: Some(beep.clone()), supervision: Some(beep.clone()) };
    let mut talk = Talk::begin(Directory { notices, ..house() });
    let ears = |talk: &Talk| -> Vec<usize> {
        let legs = talk.legs();
        let told = |command: &Command| match command {
            Command::Play { leg, prompts, .. } if *prompts == [beep.clone()] => legs.iter().position(|known| known == leg),
            _ => None,
        };
        talk.scene.media.iter().filter_map(told).collect()
    };
    assert_eq!(ears(&talk), [CUSTOMER], "he is recorded");
    assert_eq!(talk.supervise("eva", Supervision::Listen), Ok(Reply::Done));
    talk.scene.agent_answers();
    assert_eq!(ears(&talk), [CUSTOMER, ANNA]);
    assert_eq!(talk.supervise("eva", Supervision::Barge), Ok(Reply::Done));
    assert_eq!(ears(&talk), [CUSTOMER, ANNA, ANNA, CUSTOMER]);
    talk.end();
}

#[test]
fn s42_a_colleague_is_asked_while_the_customer_hears_music_and_then_speaks_with_both() {
    let (mut talk, ben) = Talk::consulting();
    assert_eq!(talk.hearing(), [(ANNA, THIRD), (THIRD, ANNA)]);
    assert!(talk.plays_to(talk.legs()[CUSTOMER]) && !talk.plays_to(talk.legs()[ANNA]), "the ringing tone has ended");
    assert_eq!(talk.end_consult(ConsultEnd::Conference), Ok(Reply::Done));
    let all: Vec<_> = (0..3).flat_map(|ear| (0..3).map(move |mouth| (ear, mouth))).filter(|(ear, mouth)| ear != mouth).collect();
    assert_eq!((talk.hearing(), talk.plays_to(talk.legs()[CUSTOMER])), (all, false));
    talk.hang_up(AGENT, ben);
    assert_eq!(talk.hearing(), PAIR);
    assert_eq!(talk.written(), ["ringing", "talking", "conference", "colleague_left"]);
    talk.end();
}

#[test]
fn s42_an_agent_who_leaves_a_consultation_or_a_conference_has_transferred_the_customer() {
    for (first, by_phone) in [(None, true), (None, false), (Some(ConsultEnd::Conference), true), (Some(ConsultEnd::Conference), false)] {
        let (mut talk, ben) = Talk::consulting();
        if let Some(first) = first {
            assert_eq!(talk.end_consult(first), Ok(Reply::Done));
        }
        match by_phone {
            true => talk.hang_up(AGENT, talk.anna),
            false => assert_eq!(talk.end_consult(ConsultEnd::Transfer), Ok(Reply::Done)),
        }
        assert_eq!(talk.hearing(), [(CUSTOMER, THIRD), (THIRD, CUSTOMER)]);
        assert!(!talk.is_hung_up(ben) && !talk.plays_to(talk.legs()[CUSTOMER]));
        assert_eq!(talk.scene.switch.audit(talk.scene.now).busy, [AgentId::of_name("ben")]);
        assert_eq!(talk.written().last().map(String::as_str), Some("transferred"));
        talk.end();
    }
}

#[test]
fn s42_a_consultation_that_comes_to_nothing_gives_the_customer_back() {
    let mut talk = Talk::begin(house());
    for number in 0..3 {
        assert_eq!(talk.consult("ben"), Ok(Reply::Done));
        assert_eq!(talk.hearing(), [], "the customer hears music, anna the ringing tone");
        assert!(talk.plays_to(talk.legs()[CUSTOMER]) && talk.plays_to(talk.legs()[ANNA]));
        match number {
            0 => assert_eq!(talk.end_consult(ConsultEnd::Cancel), Ok(Reply::Done)),
            1 => talk.scene.wait(Duration::from_secs(31)),
            _ => {
                talk.scene.agent_answers();
                assert_eq!(talk.end_consult(ConsultEnd::Cancel), Ok(Reply::Done));
            }
        }
        assert_eq!(talk.hearing(), PAIR, "{number}");
        assert!(!talk.plays_to(talk.legs()[CUSTOMER]) && !talk.plays_to(talk.legs()[ANNA]));
    }
    assert_eq!(talk.written(), ["ringing", "cancelled", "ringing", "unreached", "ringing", "talking", "cancelled"]);
    for (to, unknown) in [("4040404", true), ("7000", false), ("anna", false)] {
        let why = talk.consult(to).unwrap_err();
        assert_eq!(matches!(why, Refusal::Unknown { .. }), unknown, "{to}: {why:?}");
    }
    talk.end();
}

#[test]
fn s42_an_agent_who_does_not_wait_for_the_colleague_leaves_the_customer_to_him() {
    let mut talk = Talk::begin(house());
    assert_eq!(talk.consult("ben"), Ok(Reply::Done));
    talk.hang_up(AGENT, talk.anna);
    assert_eq!((talk.scene.ending(), talk.scene.switch.audit(talk.scene.now).busy), (None, vec![]));
    talk.scene.agent_answers();
    assert_eq!(talk.hearing(), [(CUSTOMER, THIRD), (THIRD, CUSTOMER)]);
    talk.end();
}

#[test]
fn s42_agent_and_colleague_go_on_when_the_customer_leaves_and_are_not_recorded() {
    for conference in [true, false] {
        for first in [true, false] {
            let (mut talk, ben) = Talk::consulting();
            if conference {
                assert_eq!(talk.end_consult(ConsultEnd::Conference), Ok(Reply::Done));
            }
            talk.hang_up(CALLER, talk.caller);
            assert_eq!(talk.hearing(), [(ANNA, THIRD), (THIRD, ANNA)]);
            assert_eq!((talk.scene.count("recording.finished"), talk.scene.ending()), (1, None));
            let (leaves, stays) = if first { (talk.anna, ben) } else { (ben, talk.anna) };
            talk.hang_up(AGENT, leaves);
            assert!(talk.is_hung_up(stays) && talk.scene.ending().is_some());
            assert_eq!(talk.scene.count("recording.started"), 1);
            talk.scene.assert_at_rest();
        }
    }
}

#[test]
fn s62_a_supervisor_hears_a_consultation_but_not_the_customer_who_waits() {
    let (mut talk, _) = Talk::consulting();
    assert_eq!(talk.supervise("eva", Supervision::Barge), Ok(Reply::Done));
    talk.scene.agent_answers();
    let eva = 3;
    assert_eq!(talk.hearing(), [(ANNA, THIRD), (ANNA, eva), (THIRD, ANNA), (THIRD, eva), (eva, ANNA), (eva, THIRD)]);
    assert_eq!(talk.end_consult(ConsultEnd::Conference), Ok(Reply::Done));
    assert_eq!(talk.hearing().len(), 12, "four who all hear each other");
    assert_eq!(talk.end_consult(ConsultEnd::Transfer), Ok(Reply::Done));
    assert_eq!(talk.hearing(), [(CUSTOMER, THIRD), (THIRD, CUSTOMER)], "ben is of no team of hers");
    talk.end();
}

#[test]
fn s80_whoever_speaks_with_the_customer_may_mask_the_recording_and_the_timeline_says_where() {
    let mut talk = Talk::begin(house());
    for masking in [Masking::On, Masking::On, Masking::Off] {
        assert_eq!(talk.ask(AgentCommand::MaskRecording { session: talk.session, masking }), Ok(Reply::Done));
    }
    let told = |fact: &Fact| if let Fact::RecordingMasked { masked, why, .. } = fact { Some((*masked, why.clone())) } else { None };
    let told: Vec<_> = talk.scene.facts.iter().filter_map(told).collect();
    assert_eq!(told, [(true, "asked".to_owned()), (false, "asked".to_owned())], "once each");
    talk.end();
    let mut talk = Talk::begin(Directory { record_calls: false, ..house() });
    let refused = talk.ask(AgentCommand::MaskRecording { session: talk.session, masking: Masking::On });
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
}

#[test]
fn s62_a_blind_transfer_or_a_move_to_a_line_ends_the_supervision() {
    for phone in [true, false] {
        let (mut talk, eva) = Talk::supervised(Supervision::Barge);
        if phone {
            talk.scene.agent.refer(talk.scene.now, talk.anna, "sip:elsewhere@10.0.0.1:5080");
            talk.scene.run();
        } else {
            let queue = claims();
            assert_eq!(talk.ask(AgentCommand::Transfer { session: talk.session, queue }), Ok(Reply::Done));
        }
        assert!(talk.is_hung_up(eva), "{phone}");
        assert_eq!(talk.written().last().map(String::as_str), Some("ended transferred"));
        talk.hang_up(CALLER, talk.caller);
        talk.scene.assert_at_rest();
    }
}
