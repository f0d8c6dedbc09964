//! What one choice of the input does.

use std::time::Duration;

use serde_json::{Map, json};

use crate::center::AGENTS;
use crate::control::sip::Message;
use crate::control::sip::message::Name;
use crate::control::surface::Input;
use crate::control::words::agent::{AgentCommand, AgentState};
use crate::control::words::chat::{Content, Received};
use crate::control::words::lookup::Finding;
use crate::control::words::media::{Event, KeyWay, PlayOutcome};
use crate::control::words::sip::{Flow, ListenerId, Located, Place, Transport};
use crate::control::words::speech::{Event as Speech, Heard, Nothing};
use crate::control::words::{AgentId, CommandId, Lang, QueueId};
use crate::cursor::Cursor;
use crate::stage::{Dialog, Stage, finished, text};
use hotline::nlu::Meanings;

const NUMBERS: [&str; 8] = ["4001010", "7000", "801", "anna", "ben", "9123", "4040404", "chen"];
const CALLERS: [&str; 4] = ["13800000001", "13800000002", "anonymous", "anna"];
const METHODS: [&str; 13] =
    ["INVITE", "UPDATE", "BYE", "REFER", "INFO", "NOTIFY", "PRACK", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "CANCEL", "NEW"];
const STATUSES: [u16; 20] = [100, 180, 183, 181, 200, 202, 302, 401, 404, 407, 408, 415, 422, 481, 486, 487, 491, 500, 503, 603];
const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];
const EXTRAS: [&str; 25] = [
    "",
    "Supported: 100rel, timer, replaces\r\n",
    "Require: 100rel\r\n",
    "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\nAllow: UPDATE\r\n",
    "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n",
    "Session-Expires: 1800\r\n",
    "Session-Expires: 30\r\n",
    "Min-SE: 400\r\n",
    "Refer-To: <sip:7000@center.example>\r\n",
    "Refer-To: <sip:ben@10.0.2.1:5061>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n",
    "Refer-To: <sip:far@carrier.example>\r\n",
    "Refer-To: <sip:4001010@center.example>\r\nReferred-By: <sip:anna@center.example>\r\n",
    "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n",
    "Event: message-summary\r\nExpires: 60\r\n",
    "Require: nothing\r\n",
    "Contact: <sip:moved@10.0.1.1:5099>\r\n",
    "Diversion: <sip:4000@h>;reason=no-answer\r\nHistory-Info: <sip:4000@h?Reason=SIP%3Bcause%3D486>;index=1\r\n",
    "P-Asserted-Identity: \"A\" <sip:1@h>, <tel:+1>\r\nPrivacy: id\r\nUser-to-User: 00aa;encoding=hex\r\n",
    "Reason: Q.850;cause=16\r\nRetry-After: 5\r\n",
    "RSeq: 1\r\nRequire: 100rel\r\n",
    "RSeq: 2\r\nRequire: 100rel\r\n",
    "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth\"\r\n",
    "Max-Forwards: 0\r\n",
    "Record-Route: <sip:10.0.9.1;lr>, <sip:10.0.9.2>\r\n",
    "Replaces: nobody;to-tag=1;from-tag=2\r\n",
];

impl Stage {
    /// Does what the next bytes say.
    pub fn act(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.below(20) {
            0 => self.pass(Duration::from_millis(1 << cursor.below(18))),
            1 => self.report(),
            2 | 3 => self.call(cursor),
            4..=6 => self.within(cursor),
            7 => self.acknowledge(cursor),
            8 => self.cancel(cursor),
            9..=11 => self.respond(cursor),
            12 => self.sound(cursor),
            13 => self.hear_speech(cursor),
            14 => self.chat(cursor),
            15 => self.command(cursor),
            16 => self.found(cursor),
            17 => self.mutate(cursor),
            18 => self.wire(cursor.run()),
            _ => self.operate(cursor),
        }
    }

    fn call(&mut self, cursor: &mut Cursor<'_>) {
        self.number += 1;
        let (number, user, caller) = (self.number, cursor.word(&NUMBERS), cursor.word(&CALLERS));
        let dialog = Dialog {
            call_id: format!("c{number}"),
            theirs: format!("t{number}"),
            ours: None,
            user: caller.to_owned(),
            seq: 1,
            invite: (format!("z9hG4bKi{number}"), 1),
            rseq: 0,
        };
        let replaces = self.replaces(cursor);
        let head = format!(
            "INVITE sip:{user}@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch={}\r\nMax-Forwards: 70\r\nFrom: <sip:{caller}@h>;tag={}\r\n\
             To: <sip:{user}@h>\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\nContact: <sip:{caller}@10.0.1.1:5060>\r\n{}{}{replaces}",
            dialog.invite.0,
            dialog.theirs,
            dialog.call_id,
            cursor.word(&EXTRAS),
            cursor.word(&EXTRAS),
        );
        if self.dialogs.len() == 16 {
            self.dialogs.remove(0);
        }
        self.dialogs.push(dialog);
        let message = with_body(head, cursor);
        self.wire(message.as_bytes());
    }

    /// Sometimes a Replaces of a dialog that we know: of one that came in, or of one that the switch placed.
    fn replaces(&self, cursor: &mut Cursor<'_>) -> String {
        match cursor.below(4) {
            1 => cursor.one(&self.dialogs).map_or_else(String::new, |other| {
                let ours = other.ours.unwrap_or_default();
                format!("Replaces: {};to-tag={ours};from-tag={}\r\n", other.call_id, other.theirs)
            }),
            2 => cursor.one(&self.asked).map_or_else(String::new, |asked| {
                let tag = asked.from().and_then(|from| from.tag()).map(text).unwrap_or_default();
                format!("Replaces: {};to-tag={tag};from-tag=far;early-only\r\n", text(asked.call_id()))
            }),
            _ => String::new(),
        }
    }

    fn within(&mut self, cursor: &mut Cursor<'_>) {
        if self.dialogs.is_empty() {
            return;
        }
        let at = cursor.below(self.dialogs.len());
        let method = cursor.word(&METHODS);
        let other = cursor.one(&self.dialogs);
        self.number += 1;
        let branch = format!("z9hG4bKw{}", self.number);
        let dialog = &mut self.dialogs[at];
        dialog.seq = dialog.seq.wrapping_add(cursor.below(3) as u32);
        if method == "INVITE" {
            dialog.invite = (branch.clone(), dialog.seq);
        }
        let mut head = head(method, &branch, dialog.seq, dialog);
        match (method, cursor.below(3)) {
            ("PRACK", _) => head.push_str(&format!("RAck: {} {} INVITE\r\n", dialog.rseq, dialog.invite.1)),
            ("REFER", 0) => {
                let other = other.unwrap_or_else(|| dialog.clone());
                let ours = other.ours.unwrap_or_default();
                let (call_id, theirs) = (other.call_id, other.theirs);
                head.push_str(&format!("Refer-To: <sip:x@center.example?Replaces={call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}>\r\n"));
            }
            _ => {}
        }
        head.push_str(cursor.word(&EXTRAS));
        let message = match method {
            "INFO" => text_body(head, "application/dtmf-relay", "Signal=5\r\nDuration=100\r\n"),
            "NOTIFY" => text_body(
                head,
                "message/sipfrag",
                cursor.word(&["SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 603 No\r\n", "?"]),
            ),
            "MESSAGE" => text_body(head, "text/plain", "hello"),
            _ => with_body(head, cursor),
        };
        self.wire(message.as_bytes());
    }

    fn acknowledge(&mut self, cursor: &mut Cursor<'_>) {
        let Some(dialog) = cursor.one(&self.dialogs) else { return };
        let branch = if cursor.below(2) == 0 { format!("{}a", dialog.invite.0) } else { dialog.invite.0.clone() };
        let message = with_body(head("ACK", &branch, dialog.invite.1, &dialog), cursor);
        self.wire(message.as_bytes());
    }

    fn cancel(&mut self, cursor: &mut Cursor<'_>) {
        let Some(mut dialog) = cursor.one(&self.dialogs) else { return };
        dialog.ours = None;
        let message = head("CANCEL", &dialog.invite.0.clone(), dialog.invite.1, &dialog) + "Content-Length: 0\r\n\r\n";
        self.wire(message.as_bytes());
    }

    /// A peer answers one of the switch's requests.
    fn respond(&mut self, cursor: &mut Cursor<'_>) {
        let Some(asked) = cursor.one(&self.asked) else { return };
        let status = cursor.one(&STATUSES).unwrap_or(200);
        let part = |name: Name| asked.header(name).map(text).unwrap_or_default();
        let to = part(Name::To);
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={}", cursor.word(&["far", "fork", "third"])) };
        let head = format!(
            "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:far@10.0.3.1:5060>\r\n{}{}",
            part(Name::Via),
            part(Name::From),
            part(Name::CallId),
            part(Name::CSeq),
            cursor.word(&EXTRAS),
            cursor.word(&EXTRAS),
        );
        self.adopt(&asked, &tag);
        let message = with_body(head, cursor);
        self.wire(message.as_bytes());
    }

    /// From now on the peer may send requests in the dialog that the switch's INVITE makes.
    fn adopt(&mut self, asked: &Message, tag: &str) {
        let (call_id, ours) = (text(asked.call_id()), asked.from().and_then(|from| from.tag()).map(text));
        if tag.is_empty() || self.dialogs.iter().any(|dialog| dialog.call_id == call_id) {
            return;
        }
        let theirs = tag.trim_start_matches(";tag=").to_owned();
        let dialog = Dialog { call_id, theirs, ours, user: "far".to_owned(), seq: 1, invite: ("z9hG4bKnone".to_owned(), 1), rseq: 0 };
        if self.dialogs.len() == 16 {
            self.dialogs.remove(0);
        }
        self.dialogs.push(dialog);
    }

    fn sound(&mut self, cursor: &mut Cursor<'_>) {
        let event = match cursor.below(6) {
            0 | 1 => cursor.one(&self.known.legs).map(|leg| {
                let way = [KeyWay::Event, KeyWay::Tone][cursor.below(2)];
                Event::KeyPressed { leg, key: char::from(b"1234567890*#"[cursor.below(12)]), way }
            }),
            2 => cursor.one(&self.known.plays).map(|(leg, play)| Event::PlayFinished { leg, play, outcome: PlayOutcome::Done }),
            3 => cursor.one(&self.known.turns).map(|(leg, turn)| Event::SpeechStarted { leg, turn }),
            4 => cursor.one(&self.known.legs).map(|leg| Event::MediaLost { leg }),
            _ => cursor.one(&self.known.recordings).map(|recording| match cursor.below(2) {
                0 => finished(recording),
                _ => Event::RecordingFailed { recording, why: "the disk is full".to_owned() },
            }),
        };
        if let Some(event) = event {
            self.give(Input::Media(event));
        }
    }

    fn hear_speech(&mut self, cursor: &mut Cursor<'_>) {
        let Some((leg, turn)) = cursor.one(&self.known.turns) else { return };
        let event = match cursor.below(3) {
            0 => Speech::Nothing { leg, turn, why: Nothing::Rejected },
            _ => {
                let said = ["我要报保险", "人工", "一二三", "yes", ""];
                let heard = Heard {
                    text: cursor.word(&said).to_owned(),
                    alternatives: Vec::new(),
                    confidence: f32::from(cursor.byte()) / 255.0,
                    lang: Lang::new("zh-CN"),
                    pinyin: None,
                    meanings: Meanings::default(),
                    engine: "fuzz".into(),
                    offset: Duration::ZERO,
                    duration: Duration::from_secs(1),
                    latency: Duration::ZERO,
                };
                Speech::Heard { leg, turn, heard }
            }
        };
        self.give(Input::Speech(event));
    }

    fn chat(&mut self, cursor: &mut Cursor<'_>) {
        self.number += 1;
        let command = CommandId::new(self.now, &mut self.random);
        let (channel, address) = (cursor.word(&["web", "wechat"]), cursor.word(&["a", "b", "13800000001"]));
        let text = cursor.word(&["你好", "1", "人工", "再见", ""]).to_owned();
        self.give(Input::Chat(Received {
            command,
            channel: channel.to_owned(),
            external_id: format!("x{}", self.number - cursor.below(2) as u32),
            address: address.to_owned(),
            content: Content::Text { text },
            meanings: Meanings::default(),
            profile: Map::new(),
        }));
    }

    fn command(&mut self, cursor: &mut Cursor<'_>) {
        let agent = AgentId::of_name(AGENTS[cursor.below(AGENTS.len())]);
        let session = cursor.one(&self.known.sessions);
        let offer = cursor.one(&self.known.offers);
        let states = [AgentState::Available, AgentState::Away, AgentState::Offline, AgentState::Busy];
        let queue = QueueId::of_name(cursor.word(&["claims", "general", "none"]));
        let to = cursor.word(&["9123", "7000", "sip:far@10.0.3.1", "sip:far@carrier.example", "801", "hotline:echo"]);
        let wish = match (cursor.below(8), session, offer) {
            (0, ..) => Some(AgentCommand::SetState { agent, state: states[cursor.below(4)], reason: None }),
            (1, _, Some(offer)) => Some(AgentCommand::Accept { offer }),
            (2, _, Some(offer)) => Some(AgentCommand::Reject { offer }),
            (3, Some(session), _) => Some(AgentCommand::Close { session, disposition: None }),
            (4, Some(session), _) => Some(AgentCommand::Transfer { session, queue }),
            (5, Some(session), _) => {
                let content = Content::Text { text: "hello".to_owned() };
                Some(AgentCommand::Say { session, client_id: "c".to_owned(), agent: Some(agent), content })
            }
            (6, ..) => Some(AgentCommand::Originate {
                to: to.to_owned(),
                entry: cursor.word(&["4001010", "7000", "hotline:music"]).to_owned(),
                by: None,
            }),
            _ => Some(AgentCommand::Ready { agent }),
        };
        if let Some(wish) = wish {
            let command = CommandId::new(self.now, &mut self.random);
            self.give(Input::Agent(command, wish));
        }
    }

    fn located(&mut self, cursor: &mut Cursor<'_>) {
        let Some(question) = cursor.one(&self.known.questions) else { return };
        let place = |last: u8, priority: u16| {
            let remote = std::net::SocketAddr::from(([10, 0, 3, last], 5060));
            Place { flow: Flow { listener: ListenerId(0), transport: Transport::Udp, remote, connection: None }, priority, weight: 1 }
        };
        let located = match cursor.below(4) {
            0 => Located::Nowhere,
            1 => Located::Failed,
            2 => Located::At { places: vec![place(1, 1)], keep: Duration::from_secs(1) },
            _ => Located::At { places: vec![place(1, 1), place(2, 1), place(3, 2)], keep: Duration::from_secs(60) },
        };
        self.give(Input::Located(question, located));
    }

    fn found(&mut self, cursor: &mut Cursor<'_>) {
        if cursor.below(3) == 0 {
            return self.located(cursor);
        }
        let Some(lookup) = cursor.one(&self.known.lookups) else { return };
        let finding = match cursor.below(4) {
            0 => Finding::Found(json!({"name": "A", "language": "en-US", "status": 200, "body": {"orders": []}})),
            1 => Finding::NotFound,
            2 => Finding::TimedOut,
            _ => Finding::Failed("no".to_owned()),
        };
        self.give(Input::Found(lookup, finding));
    }

    /// The last message once more, with some bytes changed.
    fn mutate(&mut self, cursor: &mut Cursor<'_>) {
        let Some(last) = self.sent.clone() else { return };
        let mut bytes = last.to_vec();
        for _ in 0..cursor.below(4) {
            let at = usize::from(u16::from_be_bytes([cursor.byte(), cursor.byte()])) % bytes.len().max(1);
            let byte = cursor.byte();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        self.wire(&bytes);
    }

    fn operate(&mut self, cursor: &mut Cursor<'_>) {
        let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: crate::center::crowd(), connection: None };
        match cursor.below(8) {
            0 => self.give(Input::Drain { until: self.now + Duration::from_secs(cursor.below(60) as u64) }),
            1 => self.give(Input::SipBroken(flow)),
            2 => self.give(Input::Directory(self.directory.clone())),
            _ => self.pass(Duration::from_secs(cursor.below(200) as u64)),
        }
    }
}

fn head(method: &str, branch: &str, seq: u32, dialog: &Dialog) -> String {
    let tag = dialog.ours.as_ref().map_or_else(String::new, |tag| format!(";tag={tag}"));
    format!(
        "{method} sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch={branch}\r\nFrom: <sip:{0}@h>;tag={1}\r\nTo: <sip:x@h>{tag}\r\n\
         Call-ID: {2}\r\nCSeq: {seq} {method}\r\nContact: <sip:{0}@10.0.1.1:5060>\r\n",
        dialog.user, dialog.theirs, dialog.call_id
    )
}

/// Ends the message: no body, or a description.
fn with_body(head: String, cursor: &mut Cursor<'_>) -> String {
    let choice = cursor.byte();
    if choice % 3 == 0 {
        return head + "Content-Length: 0\r\n\r\n";
    }
    let direction = DIRECTIONS[usize::from(choice >> 2) % 4];
    let (codec, place) = (if choice & 64 == 0 { 0 } else { 8 }, if choice & 128 == 0 { "10.0.1.1" } else { "0.0.0.0" });
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 {place}\r\nt=0 0\r\nm=audio 30000 RTP/AVP {codec} 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    );
    text_body(head, "application/sdp", &sdp)
}

fn text_body(head: String, kind: &str, body: &str) -> String {
    format!("{head}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
