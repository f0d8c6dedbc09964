//! Who is on the phone and with whom, as lamps of phones are told (RFC 4235).

use std::fmt::Write;

use super::dialog::Placed;
use crate::control::words::LegId;

/// The type of the body.
pub const MIME: &str = "application/dialog-info+xml";
/// Calls of one phone that a NOTIFY describes; nobody speaks with more people at once.
pub const MOST_CALLS: usize = 8;

/// How far a call of somebody's phone is (RFC 4235 §3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The INVITE is out; nobody has said yet that it rings.
    Trying,
    /// It rings.
    Early,
    /// He speaks.
    Confirmed,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Phase::Trying => "trying",
            Phase::Early => "early",
            Phase::Confirmed => "confirmed",
        }
    }
}

/// The other side of his call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Other {
    /// His number or user; empty when he wishes to stay unknown.
    pub user: String,
    /// His name, when he gave one.
    pub name: Option<String>,
}

/// One call of somebody's phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LampCall {
    /// Our leg to his phone.
    pub leg: LegId,
    /// Who placed it: we, when his phone rings.
    pub placed_by: Placed,
    /// How far it is.
    pub phase: Phase,
    /// With whom.
    pub with: Other,
    /// The dialog, so that another phone of the house may pick the call up (RFC 3891).
    pub dialog: Names,
}

/// A dialog's names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub ours: String,
    /// The tag of his phone; empty while it has none.
    pub his: String,
}

/// How somebody stands: all calls of his phones; none when he is free, or not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lamp {
    /// In the order in which they began.
    pub calls: Vec<LampCall>,
}

/// The body of a NOTIFY (RFC 4235 §4): all calls that stand, and once those that have ended since the last one.
pub(super) fn described(entity: &str, realm: &str, version: u32, before: &Lamp, lamp: &Lamp) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"{entity}\">\r\n"
    );
    for call in lamp.calls.iter().take(MOST_CALLS) {
        describe(&mut text, entity, realm, call);
    }
    let has_ended = |call: &&LampCall| lamp.calls.iter().all(|other| other.leg != call.leg);
    let ended: Vec<String> = before.calls.iter().filter(has_ended).take(MOST_CALLS).map(|call| call.leg.to_string()).collect();
    for id in &ended {
        end(&mut text, id);
    }
    if lamp.calls.is_empty() && ended.is_empty() {
        // Many phones keep a lamp as it was when a list is empty.
        end(&mut text, NOBODY);
    }
    text.push_str("</dialog-info>\r\n");
    text
}

/// The dialog of somebody who has none.
const NOBODY: &str = "none";

fn describe(text: &mut String, entity: &str, realm: &str, call: &LampCall) {
    let LampCall { leg, placed_by, phase, with, dialog } = call;
    let direction = if *placed_by == Placed::ByUs { "recipient" } else { "initiator" };
    let names = match dialog.his.is_empty() {
        true => String::new(),
        false => format!(
            " call-id=\"{}\" local-tag=\"{}\" remote-tag=\"{}\"",
            escaped(&dialog.call_id),
            escaped(&dialog.his),
            escaped(&dialog.ours)
        ),
    };
    let other = match with.user.is_empty() {
        true => "sip:anonymous@anonymous.invalid".to_owned(),
        false => format!("sip:{}@{realm}", clean(&with.user)),
    };
    let display = with.name.as_ref().map(|name| format!(" display=\"{}\"", escaped(name))).unwrap_or_default();
    let _ = write!(
        text,
        "<dialog id=\"{leg}\"{names} direction=\"{direction}\"><state>{}</state>\
         <local><identity>{entity}</identity><target uri=\"{entity}\"/></local>\
         <remote><identity{display}>{other}</identity><target uri=\"{other}\"/></remote></dialog>\r\n",
        phase.word()
    );
}

fn end(text: &mut String, id: &str) {
    let _ = write!(text, "<dialog id=\"{id}\"><state>terminated</state></dialog>\r\n");
}

/// What may stand in the user part of a URI without escapes, and in XML.
pub(super) fn clean(user: &str) -> String {
    user.chars().filter(|letter| letter.is_ascii_alphanumeric() || "+-_.*#".contains(*letter)).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(leg: u128, placed_by: Placed, phase: Phase, user: &str, name: Option<&str>) -> LampCall {
        let with = Other { user: user.to_owned(), name: name.map(str::to_owned) };
        let dialog = Names { call_id: "c<1".to_owned(), ours: "o".to_owned(), his: "h".to_owned() };
        LampCall { leg: LegId(leg), placed_by, phase, with, dialog }
    }

    fn says(before: &[LampCall], now: &[LampCall]) -> String {
        let lamp = |calls: &[LampCall]| Lamp { calls: calls.to_vec() };
        described("sip:2001@h", "h", 3, &lamp(before), &lamp(now))
    }

    #[test]
    fn each_phase_and_direction_has_its_words_of_rfc_4235() {
        let table = [
            (Placed::ByUs, Phase::Trying, "recipient", "trying"),
            (Placed::ByUs, Phase::Early, "recipient", "early"),
            (Placed::ByUs, Phase::Confirmed, "recipient", "confirmed"),
            (Placed::ByPeer, Phase::Trying, "initiator", "trying"),
            (Placed::ByPeer, Phase::Early, "initiator", "early"),
            (Placed::ByPeer, Phase::Confirmed, "initiator", "confirmed"),
        ];
        for (placed_by, phase, direction, state) in table {
            let text = says(&[], &[call(7, placed_by, phase, "1380", Some("A \"&\" <b>"))]);
            let head = format!("direction=\"{direction}\"><state>{state}</state>");
            for part in [
                head.as_str(),
                "version=\"3\" state=\"full\" entity=\"sip:2001@h\"",
                "call-id=\"c&lt;1\" local-tag=\"h\" remote-tag=\"o\"",
                "<remote><identity display=\"A &quot;&amp;&quot; &lt;b&gt;\">sip:1380@h</identity><target uri=\"sip:1380@h\"/></remote>",
                "<local><identity>sip:2001@h</identity><target uri=\"sip:2001@h\"/></local>",
            ] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }

    #[test]
    fn what_ended_is_said_once_and_who_is_free_has_one_dialog_that_is_over() {
        let (one, two) = (call(1, Placed::ByUs, Phase::Early, "", None), call(2, Placed::ByPeer, Phase::Confirmed, "2002", None));
        let text = says(&[one.clone(), two.clone()], std::slice::from_ref(&two));
        assert!(text.contains(&format!("<dialog id=\"{}\"><state>terminated</state></dialog>", one.leg)), "{text}");
        assert_eq!(text.matches("<state>").count(), 2, "{text}");
        let idle = says(&[], &[]);
        assert!(idle.contains("<dialog id=\"none\"><state>terminated</state></dialog>"), "{idle}");
        assert!(says(&[], &[one]).contains("sip:anonymous@anonymous.invalid"), "who hides is not shown");
    }
}
