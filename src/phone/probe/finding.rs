//! What the messages of an examination say of a far end.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use super::exam::{Seen, Subject, Way};
use crate::control::sdp;
use crate::control::sip::endpoint::is_there;
use crate::control::sip::message::{Address, Message, Method, Name, text};
use crate::control::words::media::Stream;
use crate::control::words::trunk::{Keys, Offer};

/// What we use of a far end, by the token of Supported or Allow, and what follows when it is not there.
const SUPPORTED: [(&str, &str); 3] = [
    ("100rel", "provisional answers are sent and taken unreliably: early announcements may be lost"),
    ("timer", "no session timer: a call whose BYE got lost ends when its sound stops ([media] timeout)"),
    ("replaces", "attended transfers are joined in this server, not by the far end"),
];
const ALLOWED: [(&str, &str); 4] = [
    ("UPDATE", "sessions are refreshed by re-INVITE instead of UPDATE"),
    ("PRACK", "provisional answers are not acknowledged"),
    ("REFER", "blind transfers stay in this server"),
    ("INFO", "keys by INFO would not be understood: keep dtmf = \"rfc4733\""),
];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The trunk.
    pub trunk: String,
    /// OPTIONS, host by host.
    pub hosts: Vec<Host>,
    /// Where we register.
    pub registration: Option<Registration>,
    /// The test call.
    pub call: Option<Call>,
    /// What the far end calls itself.
    pub software: Vec<String>,
    /// Methods and extensions it says it has.
    pub supports: Vec<String>,
    /// What it refused, and how.
    pub refuses: Vec<String>,
    /// What it does otherwise than the RFCs say, or than most do.
    pub odd: Vec<String>,
    /// What we do about all that.
    pub adapts: Vec<String>,
    /// Why the trunk cannot be used as it is configured.
    pub failures: Vec<String>,
}

/// OPTIONS to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// As configured.
    pub host: String,
    /// Has the question come to an end?
    #[serde(skip)]
    pub asked: bool,
    /// The final answer; none: silence.
    pub status: Option<u16>,
    /// How long it took.
    pub ms: Option<u64>,
}

/// REGISTER.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// The final answer; 408: silence.
    pub status: u16,
    /// At how many places we are registered now; the probe asks and changes nothing.
    pub places: Option<usize>,
    /// How long the longest of them still stands.
    pub expires_s: Option<u64>,
}

/// What a registrar that let us in said of our places (RFC 3261 §10.2.3).
pub(super) fn registered(seen: &[Seen]) -> Registration {
    let is_answer = |seen: &&Seen| seen.way == Way::In && method(&seen.message) == Some(Method::Register) && seen.message.status() == OK;
    let places: Vec<Option<u64>> = seen.iter().rfind(is_answer).map_or_else(Vec::new, |seen| {
        let seconds = |value: &[u8]| std::str::from_utf8(Address::parse(value).ok()?.param("expires").flatten()?).ok()?.parse().ok();
        seen.message.values(Name::Contact).map(seconds).collect()
    });
    Registration { status: OK, places: Some(places.len()), expires_s: places.into_iter().flatten().max() }
}

/// 200 OK.
const OK: u16 = 200;

/// The test call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The first of 180 to 183.
    pub rang: Option<u16>,
    /// After so long.
    pub ring_ms: Option<u64>,
    /// The final answer; 487 after it rang and was taken back.
    pub status: Option<u16>,
    /// After so long.
    pub final_ms: Option<u64>,
    /// The sound that was agreed.
    pub agreed: Option<Agreed>,
    /// Why none was.
    pub disagreed: Option<String>,
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// The codec.
    pub codec: &'static str,
    /// Milliseconds a packet.
    pub ptime_ms: u8,
    /// The payload type of keys, when the far end takes them so.
    pub telephone_event: Option<u8>,
    /// Where sound goes.
    pub sound: Option<String>,
}

impl Agreed {
    /// What a stream says.
    #[must_use]
    pub fn of(stream: &Stream) -> Agreed {
        Agreed {
            codec: stream.codec.encoding(),
            ptime_ms: stream.ptime_ms,
            telephone_event: stream.telephone_event,
            sound: stream.remote.map(|remote| remote.to_string()),
        }
    }
}

/// The report of an examination.
pub(super) fn report(subject: &Subject, outcome: (&[Host], Option<&Registration>, Option<&Call>), seen: &[Seen]) -> Report {
    let (hosts, registration, call) = outcome;
    let answers: Vec<&Seen> = seen.iter().filter(|seen| seen.way == Way::In && !seen.message.is_request()).collect();
    let call = call.map(|call| as_heard(subject, call, &answers));
    let deaf = is_deaf(hosts, call.as_ref());
    let mut report = Report {
        trunk: subject.trunk.name.clone(),
        hosts: hosts.to_vec(),
        registration: registration.cloned(),
        call: call.clone(),
        software: said(&answers, &[Name::Server, Name::UserAgent]),
        supports: tokens(&answers),
        refuses: refusals(&answers),
        odd: oddities(seen, &answers),
        adapts: Vec::new(),
        failures: failures(subject, hosts, registration, call.as_ref()),
    };
    if deaf && subject.trunk.check.is_none() {
        report.odd.push("OPTIONS is not answered, calls are: leave check = \"off\"".to_owned());
    }
    report.adapts = adaptations(subject, &report, &answers);
    report
}

/// The call by the far end's own answers: it may have answered while we took the call back, and it describes its sound before it answers.
fn as_heard(subject: &Subject, call: &Call, answers: &[&Seen]) -> Call {
    let mut call = call.clone();
    let to_call = || answers.iter().map(|seen| &seen.message).filter(|message| method(message) == Some(Method::Invite));
    if let Some(accepted) = to_call().find(|message| (200..300).contains(&message.status())) {
        call.status = Some(accepted.status());
    }
    let described = to_call().filter(|message| message.status() < 300).find_map(Message::sdp);
    if let (Offer::Early, None, None, Some(description)) = (subject.trunk.habits.offer, &call.agreed, &call.disagreed, described) {
        match sdp::accept(&subject.local, &description) {
            Ok(stream) => call.agreed = Some(Agreed::of(&stream)),
            Err(refused) => call.disagreed = Some(refused.warning),
        }
    }
    call
}

/// Does the far end take calls, but answer no OPTIONS?
fn is_deaf(hosts: &[Host], call: Option<&Call>) -> bool {
    let takes = call.is_some_and(|call| call.rang.is_some() || call.status.is_some_and(|status| status != SILENCE));
    takes && hosts.iter().all(|host| host.status.is_none())
}

/// 408: nobody answered at all.
const SILENCE: u16 = 408;

fn said(answers: &[&Seen], names: &[Name]) -> Vec<String> {
    let values = answers.iter().flat_map(|seen| names.iter().filter_map(|name| seen.message.header(*name)));
    let all: BTreeSet<String> = values.map(|value| text::lossy(value).into_owned()).collect();
    all.into_iter().collect()
}

/// All of Allow and Supported, in any answer.
fn tokens(answers: &[&Seen]) -> Vec<String> {
    let of = |name: Name| answers.iter().flat_map(move |seen| seen.message.values(name));
    let all: BTreeSet<String> = of(Name::Allow).chain(of(Name::Supported)).map(|token| text::lossy(token).into_owned()).collect();
    all.into_iter().filter(|token| !token.is_empty()).collect()
}

fn method(message: &Message) -> Option<Method> {
    message.cseq().map(|cseq| cseq.method)
}

fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

fn refusals(answers: &[&Seen]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for message in answers.iter().map(|seen| &seen.message).filter(|message| message.status() >= 400 && !is_challenge(message.status())) {
        let asked = method(message).map_or("a request", Method::token);
        let mut line = format!("{asked}: {} {}", message.status(), text::lossy(message.reason()));
        for name in [Name::Reason, Name::Unsupported, Name::RetryAfter, Name::MinExpires, Name::MinSe] {
            if let Some(value) = message.header(name) {
                line += &format!(", {}: {}", name.text(), text::lossy(value));
            }
        }
        line += &message.other("Warning").map(|value| format!(", Warning: {}", text::lossy(value))).unwrap_or_default();
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

/// What is not as the RFCs, or most far ends, have it.
fn oddities(seen: &[Seen], answers: &[&Seen]) -> Vec<String> {
    let mut odd: Vec<String> = answers.iter().flat_map(|answer| of_answer(answer)).collect();
    let sent = |method: Method| {
        seen.iter().filter(move |seen| seen.way == Way::Out && seen.message.is_request() && seen.message.method() == method)
    };
    for asked in [Method::Options, Method::Invite] {
        let branches: Vec<_> = sent(asked).filter_map(|seen| seen.message.via()?.branch().map(<[u8]>::to_vec)).collect();
        let repeated = branches.len() - branches.iter().collect::<BTreeSet<_>>().len();
        if repeated > 0 && answers.iter().any(|answer| method(&answer.message) == Some(asked)) {
            odd.push(format!(
                "{} was repeated {repeated} time(s) before an answer came: packets are lost, or the far end is slow",
                asked.token()
            ));
        }
    }
    let asked_at = |answer: &Seen| {
        let branch = answer.message.via()?.branch()?.to_vec();
        seen.iter()
            .find(|seen| seen.way == Way::Out && seen.message.via().and_then(|via| via.branch()) == Some(&branch))
            .map(|seen| seen.peer)
    };
    for answer in answers {
        if let Some(there) = asked_at(answer).filter(|there| *there != answer.peer) {
            odd.push(format!("answers come from {} and not from {there}, where the request went", answer.peer));
        }
    }
    let unique: BTreeSet<String> = odd.drain(..).collect();
    unique.into_iter().collect()
}

fn of_answer(answer: &Seen) -> Vec<String> {
    let message = &answer.message;
    let (status, asked) = (message.status(), method(message));
    let mut odd = Vec::new();
    if message.via().is_some_and(|via| text::param(via.params, "rport") == Some(None)) {
        odd.push("it does not fill rport in (RFC 3581): behind NAT its answers would get lost".to_owned());
    }
    if status > 100 && message.to().is_some_and(|to| to.tag().is_none()) {
        odd.push(format!("{status} has no tag in To (RFC 3261 §12.1.1)"));
    }
    if asked == Some(Method::Options) && status >= 300 && is_there(status) {
        odd.push(format!("OPTIONS is answered {status}: that counts as being there"));
    }
    if asked == Some(Method::Invite) && (200..300).contains(&status) {
        odd.extend(of_acceptance(answer));
    }
    if asked == Some(Method::Cancel) && status != 200 {
        odd.push(format!("CANCEL is answered {status} instead of 200"));
    }
    odd
}

/// A 200 to INVITE.
fn of_acceptance(answer: &Seen) -> Vec<String> {
    let message = &answer.message;
    let mut odd = Vec::new();
    match message.address(Name::Contact) {
        None => odd.push("the 200 has no Contact (RFC 3261 §12.1.1)".to_owned()),
        Some(contact) => {
            let said = std::str::from_utf8(contact.uri.host).ok().and_then(|host| host.parse::<IpAddr>().ok());
            if said.is_some_and(|said| said != answer.peer.ip()) {
                odd.push(format!("Contact says {}, the packets come from {}", text::lossy(contact.uri.host), answer.peer.ip()));
            }
        }
    }
    match message.sdp() {
        None => odd.push("the 200 has no session description".to_owned()),
        Some(sdp) => odd.extend(of_description(&sdp, answer.peer.ip())),
    }
    odd
}

fn of_description(sdp: &[u8], peer: IpAddr) -> Vec<String> {
    let mut odd = Vec::new();
    let lines: Vec<String> = String::from_utf8_lossy(sdp).lines().map(str::to_owned).collect();
    if let Some(line) = lines.iter().find(|line| line.starts_with("m=audio")) {
        let formats: Vec<&str> = line.split_ascii_whitespace().skip(3).collect();
        let events = lines.iter().filter(|line| line.starts_with("a=rtpmap:") && line.contains("telephone-event")).count();
        if formats.len() > events + 1 {
            odd.push(format!("the description names {} codecs: it may change among them without a word", formats.len() - events));
        }
    }
    let said =
        lines.iter().find_map(|line| line.strip_prefix("c=IN IP4 ").or(line.strip_prefix("c=IN IP6 "))?.trim().parse::<IpAddr>().ok());
    if said.is_some_and(|said| said != peer) {
        odd.push(format!("sound goes to {}, signalling to {peer}", said.map(|ip| ip.to_string()).unwrap_or_default()));
    }
    odd
}

fn adaptations(subject: &Subject, report: &Report, answers: &[&Seen]) -> Vec<String> {
    let mut adapts: Vec<String> = Vec::new();
    let has = |token: &str| report.supports.iter().any(|known| known.eq_ignore_ascii_case(token));
    let allows = answers.iter().any(|seen| seen.message.header(Name::Allow).is_some());
    let supports = answers.iter().any(|seen| seen.message.header(Name::Supported).is_some());
    let unsaid = |table: &[(&str, &str)]| {
        table.iter().filter(|(token, _)| !has(token)).map(|(token, then)| format!("no {token}: {then}")).collect::<Vec<_>>()
    };
    if allows {
        adapts.extend(unsaid(&ALLOWED));
    }
    if supports {
        adapts.extend(unsaid(&SUPPORTED));
    }
    let challenge = answers.iter().find_map(|seen| crate::control::sip::auth::Challenge::of_response(&seen.message));
    if let Some((challenge, _)) = challenge {
        adapts.push(format!("it asks for a password (realm \"{}\"): we prove it by {}", challenge.realm, challenge.algorithm.token()));
    }
    let agreed = report.call.as_ref().and_then(|call| call.agreed.as_ref());
    if agreed.is_some_and(|agreed| agreed.telephone_event.is_none()) {
        adapts.push(match subject.trunk.habits.keys {
            Keys::Rfc4733 => {
                "no telephone-event: keys go as tones and are heard in the sound; dtmf = \"info\" is surer where it knows INFO".to_owned()
            }
            Keys::Inband => "keys go as tones and are heard in the sound".to_owned(),
            Keys::Info => "keys go by INFO".to_owned(),
        });
    }
    let timer =
        answers.iter().find(|seen| method(&seen.message) == Some(Method::Invite) && seen.message.header(Name::SessionExpires).is_some());
    if let Some(value) = timer.and_then(|seen| seen.message.header(Name::SessionExpires)) {
        adapts.push(format!("it grants a session timer of {}", text::lossy(value)));
    }
    adapts
}

fn failures(subject: &Subject, hosts: &[Host], registration: Option<&Registration>, call: Option<&Call>) -> Vec<String> {
    let mut failures = Vec::new();
    let deaf = is_deaf(hosts, call);
    let unasked = deaf && subject.trunk.check.is_none();
    let silent = hosts.iter().filter(|host| !unasked && !host.status.is_some_and(is_there));
    failures.extend(silent.map(|host| match host.status {
        Some(status) => format!("{}: OPTIONS is answered {status}", host.host),
        None if deaf => format!("{}: OPTIONS is not answered, calls are: write check = \"off\"", host.host),
        None => format!("{}: OPTIONS is not answered: is the address right, does the far end know ours, is a firewall between?", host.host),
    }));
    if let Some(registration) = registration.filter(|registration| registration.status != 200) {
        failures.push(format!("REGISTER is answered {}: are `user`, `password` and `domain` right?", registration.status));
    }
    match call.map(|call| (call.status, call.rang, &call.disagreed)) {
        Some((_, _, Some(why))) => failures.push(format!("no sound was agreed: {why}")),
        Some((None, None, _)) => failures.push("INVITE is not answered".to_owned()),
        Some((Some(status @ (401 | 403 | 407)), ..)) => {
            failures.push(format!("the call is refused with {status}: does the far end know us?"))
        }
        Some((Some(status @ (408 | 488 | 500..=599)), None, _)) => failures.push(format!("the call fails with {status}")),
        Some((Some(404 | 484), ..)) if subject.number != super::NOBODY => {
            failures.push(format!("the far end does not know the number {}: see `out` of the trunk", subject.number));
        }
        _ => {}
    }
    failures
}
