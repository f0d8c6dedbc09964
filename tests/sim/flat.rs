//! A center does not grow with the calls it has served: what it holds is counted byte by byte while calls of no length come and go.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hotline::control::random::Random;
use hotline::control::session::Restored;
use hotline::control::sip::Received;
use hotline::control::sip::message::Message;
use hotline::control::surface::{Input, Output};
use hotline::control::switch::Switch;
use hotline::control::time::Time;
use hotline::control::words::lookup::Finding;
use hotline::control::words::media::{Command, Event, LegStats, PlayOutcome};
use hotline::control::words::sip::{Flow, ListenerId, Transport};

use crate::center;
use crate::counting::held;

/// Calls until every table that has a bound has reached it.
const WARM: usize = 12_000;
/// Calls that are looked at; `CALLS=1000000` makes it a million.
const CALLS: usize = 12_000;
/// Between two calls: 40 a second.
const PACE: Duration = Duration::from_millis(25);
/// Between two calls whose caller is gone without a word: each is waited for 64 seconds.
const SLOW: Duration = Duration::from_secs(8);
const START: Time = Time(1_800_000_000_000_000);

/// How a caller ends his call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is answered, acknowledged, and he hangs up.
    HangsUp,
    /// He gives up while somebody is rung.
    GivesUp,
    /// His CANCEL crosses our 200, and nothing more comes from him.
    Crosses,
}

/// A center, its caller, and edges that remember nothing.
struct Line {
    switch: Switch,
    now: Time,
    served: usize,
    /// What the edges answer in the same instant.
    answers: VecDeque<Input>,
    /// The To of the last final answer to an INVITE, and its status.
    to: String,
    status: String,
}

impl Line {
    fn new() -> Line {
        let directory = center::directory(&mut Random::new(3));
        Line {
            switch: Switch::new(START, 7, directory, Restored::default()),
            now: START,
            served: 0,
            answers: VecDeque::new(),
            to: String::new(),
            status: String::new(),
        }
    }

    /// One call. Each has a caller, a Call-ID and tags of its own when `callers` says so.
    fn call(&mut self, callers: usize, end: End) {
        let number = self.served;
        self.served += 1;
        let from = format!("<sip:1380013{:04}@phones.example>;tag=f{number}", number % callers);
        let entry = if end == End::GivesUp { "<sip:2100@center.example>" } else { "<sip:4001010@center.example>" };
        self.send("INVITE", number, &from, entry, &offer());
        if end != End::HangsUp {
            self.send("CANCEL", number, &from, entry, "");
        }
        let to = std::mem::take(&mut self.to);
        assert!(to.contains("tag="), "call {number} has no final answer");
        assert_eq!(self.status, if end == End::GivesUp { "487" } else { "200" }, "call {number}");
        match end {
            End::HangsUp => {
                self.send("ACK", number, &from, &to, "");
                self.send("BYE", number, &from, &to, "");
                self.wait(PACE);
            }
            End::GivesUp => {
                self.send("ACK", number, &from, &to, "");
                self.wait(PACE);
            }
            End::Crosses => self.wait(SLOW),
        }
    }

    fn send(&mut self, method: &str, number: usize, from: &str, to: &str, body: &str) {
        let sequence = if method == "BYE" { 2 } else { 1 };
        // CANCEL, and the ACK of what is no 200, belong to the transaction of the INVITE.
        let branch = if method == "CANCEL" || (method == "ACK" && self.status != "200") { "INVITE" } else { method };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let uri = to.split(['<', '>']).nth(1).unwrap_or_default();
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.9.9:5060;branch=z9hG4bK{branch}{number}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: call{number}@10.0.9.9\r\nCSeq: {sequence} {method}\r\n\
             Contact: <sip:caller@10.0.9.9>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let flow =
            Flow { listener: ListenerId(0), transport: Transport::Udp, remote: SocketAddr::from(([10, 0, 9, 9], 5060)), connection: None };
        let message = Message::parse(Bytes::from(text)).unwrap();
        self.switch.handle(self.now, Input::Sip(Received { flow, message }));
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while let Some(output) = self.switch.poll_output() {
                self.output(output);
            }
            let Some(input) = self.answers.pop_front() else { return };
            self.switch.handle(self.now, input);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Sip(transmit) => {
                let text = String::from_utf8_lossy(&transmit.bytes);
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
                let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
                if transmit.flow.remote != center::far() && status >= "200" && field("CSeq: ").ends_with("INVITE") {
                    (self.to, self.status) = (field("To: "), status.to_owned());
                } else if transmit.flow.remote == center::far() {
                    self.far_end(&text);
                }
            }
            Output::Media(_, Command::CloseLeg { leg }) => {
                self.answers.push_back(Input::Media(Event::LegClosed { leg, stats: LegStats::default() }));
            }
            Output::Media(_, Command::StopPlay { leg, play }) => {
                self.answers.push_back(Input::Media(Event::PlayFinished { leg, play, outcome: PlayOutcome::Stopped }));
            }
            Output::Media(_, Command::StopRecording { recording, .. }) => {
                self.answers.push_back(Input::Media(Event::RecordingFailed { recording, why: "nothing was written".to_owned() }));
            }
            Output::Find(lookup, _) => self.answers.push_back(Input::Found(lookup, Finding::NotFound)),
            _ => {}
        }
    }

    /// The carrier rings, and stops when it is told to.
    fn far_end(&mut self, text: &str) {
        let statuses: &[&str] = match text.split(' ').next() {
            Some("INVITE") => &["180 Ringing"],
            Some("CANCEL") => &["200 OK", "487 Request Terminated"],
            _ => &[],
        };
        for status in statuses {
            let of_invite = !status.starts_with("200");
            let copied = |line: &&str| ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name));
            let mut answer = format!("SIP/2.0 {status}\r\n");
            for line in text.lines().filter(copied) {
                let line = if of_invite { line.replace(" CANCEL", " INVITE") } else { line.to_owned() };
                answer += &format!("{line}{}\r\n", if line.starts_with("To") { ";tag=far" } else { "" });
            }
            answer += "Contact: <sip:far@10.0.3.1>\r\nContent-Length: 0\r\n\r\n";
            let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: center::far(), connection: None };
            let message = Message::parse(Bytes::from(answer)).unwrap();
            self.answers.push_back(Input::Sip(Received { flow, message }));
        }
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.switch.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.settle();
        }
        self.now = until;
    }
}

fn offer() -> String {
    "v=0\r\no=- 1 1 IN IP4 10.0.9.9\r\ns=-\r\nc=IN IP4 10.0.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n\
     a=rtpmap:101 telephone-event/8000\r\n"
        .to_owned()
}

/// Bytes held after so many calls, at the same place of the same rhythm.
fn grown(callers: usize, end: End) -> (i64, usize) {
    let calls = std::env::var("CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(CALLS);
    let mut line = Line::new();
    (0..WARM).for_each(|_| line.call(callers, end));
    let before = held();
    (0..calls).for_each(|_| line.call(callers, end));
    (held() - before, calls)
}

#[test]
fn calls_of_one_caller_leave_nothing_behind() {
    let (grown, calls) = grown(1, End::HangsUp);
    println!("{grown} bytes more after {calls} calls");
    assert!(grown < i64::try_from(calls).unwrap(), "{grown} bytes more after {calls} calls: less than one a call is allowed");
}

#[test]
fn calls_of_many_callers_leave_nothing_behind() {
    let (grown, calls) = grown(1_000, End::HangsUp);
    println!("{grown} bytes more after {calls} calls of 1,000 callers");
    assert!(grown < i64::try_from(calls).unwrap(), "{grown} bytes more after {calls} calls: less than one a call is allowed");
}

#[test]
fn calls_that_are_cancelled_leave_nothing_behind() {
    for end in [End::GivesUp, End::Crosses] {
        let (grown, calls) = grown(1_000, end);
        println!("{grown} bytes more after {calls} calls: {end:?}");
        assert!(grown < i64::try_from(calls).unwrap(), "{end:?}: {grown} bytes more after {calls} calls: less than one a call is allowed");
    }
}
