//! A line against an endpoint of ours as the far end, in virtual time.

use super::*;
use crate::control::sip::endpoint::{self, Manner};
use crate::control::sip::{Message, Received};
use crate::control::words::directory::Listener;
use crate::control::words::media::Codec;
use crate::control::words::sip::{Flow, ListenerId, Transport};
use crate::phone::script::HangUp;

const START: Time = Time(1_795_000_000_000_000);
const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.2:5060";

fn endpoint(place: &str) -> Endpoint {
    let address = place.parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    Endpoint::new(START, 7, endpoint::Settings::new(vec![listener], "far", 7))
}

fn flow(place: &str) -> Flow {
    Flow { listener: ListenerId(0), transport: Transport::Udp, remote: place.parse().unwrap(), connection: None }
}

fn local() -> Local {
    Local::plain([192, 0, 2, 1], 4_000, vec![Codec::Pcma])
}

/// Is the far end there?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Far {
    There,
    Gone,
}

/// A call that stands, and its far end.
struct Scene {
    now: Time,
    line: Line,
    far: Endpoint,
    is: Far,
    /// Requests of the line by their methods.
    asked: Vec<String>,
    over: Vec<Report>,
}

impl Scene {
    fn talking() -> Scene {
        let outgoing = Outgoing {
            target: flow(THERE).into(),
            request_uri: "sip:music@192.0.2.2".to_owned(),
            from: "<sip:phone@192.0.2.1>".to_owned(),
            to: "<sip:music@192.0.2.2>".to_owned(),
            headers: Vec::new(),
            sdp: Bytes::new(),
            credentials: None,
            manner: Manner::default(),
        };
        let manners = Manners { patience: Duration::from_secs(8), hang_up: HangUp::FarEnd, longest: Duration::from_secs(600) };
        let settings = Settings {
            task: Task::Call(Box::new(outgoing)),
            registration: None,
            local: local(),
            steps: Vec::new(),
            manners,
            pause: Duration::from_millis(900),
            keeps: Keeps::Recordings,
        };
        let line = Line::new(START, 7, endpoint(HERE), settings);
        let mut scene = Scene { now: START, line, far: endpoint(THERE), is: Far::There, asked: Vec::new(), over: Vec::new() };
        scene.run();
        assert!(matches!(scene.line.state, State::Talking(_)));
        scene
    }

    /// Carries messages; the far end answers what rings.
    fn run(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.line.poll_output() {
                idle = false;
                match output {
                    Output::Sip(Transmit { bytes, .. }) => {
                        let message = Message::parse(bytes).unwrap();
                        self.asked.extend(message.is_request().then(|| message.method().token().to_owned()));
                        if self.is == Far::There {
                            self.far.receive(self.now, Received { flow: flow(HERE), message });
                        }
                    }
                    Output::Over(report) => self.over.push(*report),
                    _ => {}
                }
            }
            while let Some(happening) = self.far.poll_happening() {
                if let Happening::Invited(invited) = happening {
                    let (answer, _) = sdp::answer(&local(), &invited.sdp.unwrap()).unwrap();
                    self.far.answer(self.now, invited.leg, answer);
                }
            }
            while let Some(transmit) = self.far.poll_transmit() {
                idle = false;
                let message = Message::parse(transmit.bytes).unwrap();
                if self.is == Far::There {
                    self.line.handle(self.now, Input::Wire(wire::Input::Sip(Received { flow: flow(THERE), message })));
                }
            }
            if idle {
                return;
            }
        }
    }

    fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.line.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.line.handle_timeout(self.now);
            self.run();
        }
        self.now = until;
    }

    fn silence(&mut self) {
        let leg = self.line.leg().unwrap();
        self.line.handle(self.now, Input::Sound(Sound::MediaLost { leg }));
        self.run();
    }
}

#[test]
fn a_far_end_that_vanished_ends_the_call_with_an_error_that_says_so() {
    let mut scene = Scene::talking();
    scene.is = Far::Gone;
    scene.silence();
    scene.wait(31);
    assert!(scene.over.is_empty(), "it has as long to answer as any request");
    scene.wait(5);
    let report = &scene.over[0];
    assert_eq!((report.ended_by, report.why), (EndedBy::Failed, Some("a request in the dialog was not answered")));
}

#[test]
fn a_far_end_that_is_silent_but_there_is_asked_now_and_then_and_kept() {
    let mut scene = Scene::talking();
    scene.silence();
    scene.wait(50);
    assert_eq!(scene.asked.iter().filter(|method| *method == "OPTIONS").count(), 4);
    assert!(scene.over.is_empty());
    scene.is = Far::Gone;
    scene.wait(60);
    assert_eq!(scene.over.len(), 1);
}
