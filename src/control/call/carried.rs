//! What signalling says of a call beside who calls whom: who sent it on (Diversion, History-Info), whom the network vouches for
//! (P-Asserted-Identity), what is to be kept private (Privacy), what one application says to the other (User-to-User, RFC 7433).
//! It is kept with the session and goes on to the legs we place, as far as whoever gets it may know it.

use crate::control::words::AgentId;

/// Kept and passed on.
const CARRIED: [&str; 6] = ["Diversion", "History-Info", "P-Asserted-Identity", "Privacy", "User-to-User", "Reason"];
/// So many lines of one call at most, each so long at most (a History-Info of a dozen hops fits).
const MOST_LINES: usize = 16;
const LONGEST: usize = 2_048;

/// A header line.
pub(super) type Header = (String, String);

/// How far a far end is trusted (RFC 3324).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A phone of the house: it may know all.
    House,
    /// A trunk: it gets what is asserted, and honours Privacy towards others.
    Trunk,
    /// Anybody else.
    Stranger,
}

/// Who sent a call on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diverted {
    /// His number.
    pub by: String,
    /// Why, in the words of RFC 5806.
    pub reason: &'static str,
    /// How many sent it on so far.
    pub hops: u8,
    /// The agent who did it, or whose forward led to the one who did: he pays for what it leads to.
    pub agent: Option<AgentId>,
}

/// How many have sent a call on when one more does.
pub(super) fn hops_after(diverted: Option<&Diverted>) -> u8 {
    diverted.map_or(0, |diverted| diverted.hops) + 1
}

/// Where a call goes on to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Onward<'a> {
    pub trust: Trust,
    /// Our URI that was dialled.
    pub entry: &'a str,
    /// The URI it goes on to.
    pub target: &'a str,
    /// Who sent it on, when somebody did; else we do, by our plan.
    pub diverted: Option<&'a Diverted>,
}

/// The lines worth keeping among those of an INVITE.
pub(super) fn carried(headers: &[Header]) -> Vec<Header> {
    let known = |name: &str| CARRIED.iter().copied().find(|known| known.eq_ignore_ascii_case(name));
    let lines = headers.iter().filter(|(_, value)| value.len() <= LONGEST);
    lines.filter_map(|(name, value)| Some((known(name)?.to_owned(), value.clone()))).take(MOST_LINES).collect()
}

/// Does the caller wish to stay unknown (RFC 3323, RFC 3325)?
pub(super) fn is_private(carried: &[Header]) -> bool {
    let asks = |value: &str| value.split([';', ',']).any(|part| matches!(part.trim(), "id" | "user" | "header" | "session"));
    all(carried, "Privacy").any(asks)
}

/// The lines of a leg we place.
pub(super) fn onward(carried: &[Header], to: &Onward<'_>) -> Vec<Header> {
    let keep = |name: &'static str| all(carried, name).map(move |value| (name.to_owned(), value.to_owned()));
    let mut lines = Vec::new();
    let house = to.trust == Trust::House;
    let tells = if house { to.diverted.is_some() } else { !is_private(carried) };
    if tells {
        let (reason, hops) = to.diverted.map_or(("unconditional", 1), |diverted| (diverted.reason, diverted.hops));
        lines.push(("Diversion".to_owned(), format!("<{}>;reason={reason};counter={hops}", to.entry)));
        lines.push(("History-Info".to_owned(), history(carried, to)));
    }
    if house && !tells {
        lines.extend(keep("History-Info"));
    }
    if to.trust != Trust::Stranger {
        lines.extend(keep("Diversion").filter(|_| to.trust == Trust::House || !is_private(carried)));
        lines.extend(keep("P-Asserted-Identity").chain(keep("Privacy")));
    }
    lines.extend(keep("User-to-User"));
    lines
}

/// The history with our hop at its end (RFC 7044 §9.1.1).
fn history(carried: &[Header], to: &Onward<'_>) -> String {
    let mut entries: Vec<String> = all(carried, "History-Info").map(str::to_owned).collect();
    let last = entries.last().and_then(|entry| entry.rsplit_once("index=")).map(|(_, index)| {
        let end = index.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(index.len());
        index[..end].to_owned()
    });
    let last = last.filter(|index| !index.is_empty()).unwrap_or_else(|| {
        entries.push(format!("<{}>;index=1", to.entry));
        "1".to_owned()
    });
    entries.push(format!("<{}>;index={last}.1;mp={last}", to.target));
    entries.join(", ")
}

fn all<'a>(carried: &'a [Header], name: &'a str) -> impl Iterator<Item = &'a str> {
    carried.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[(&str, &str)]) -> Vec<Header> {
        text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn to(trust: Trust) -> Onward<'static> {
        Onward { trust, entry: "sip:4000@center", target: "sip:5@far", diverted: None }
    }

    fn names(lines: &[Header]) -> Vec<&str> {
        lines.iter().map(|(name, _)| name.as_str()).collect()
    }

    const ALL: [(&str, &str); 6] = [
        ("diversion", "<sip:1@h>;reason=no-answer"),
        ("HISTORY-INFO", "<sip:1@h>;index=1, <sip:4000@center>;index=1.1;mp=1"),
        ("P-Asserted-Identity", "<sip:7@h>"),
        ("Privacy", "none"),
        ("User-To-User", "00aa;encoding=hex"),
        ("X-Other", "x"),
    ];

    #[test]
    fn what_is_kept_of_an_invite() {
        let kept = carried(&lines(&ALL));
        assert_eq!(names(&kept), ["Diversion", "History-Info", "P-Asserted-Identity", "Privacy", "User-to-User"]);
        assert_eq!(carried(&lines(&[("Diversion", &"x".repeat(3_000))])), []);
        assert_eq!(carried(&lines(&[("Diversion", "x"); 40])).len(), MOST_LINES);
    }

    #[test]
    fn who_may_know_what() {
        let kept = carried(&lines(&ALL));
        assert_eq!(
            names(&onward(&kept, &to(Trust::House))),
            ["History-Info", "Diversion", "P-Asserted-Identity", "Privacy", "User-to-User"]
        );
        let trunk = onward(&kept, &to(Trust::Trunk));
        assert_eq!(names(&trunk), ["Diversion", "History-Info", "Diversion", "P-Asserted-Identity", "Privacy", "User-to-User"]);
        assert_eq!(trunk[0].1, "<sip:4000@center>;reason=unconditional;counter=1");
        assert_eq!(trunk[1].1, "<sip:1@h>;index=1, <sip:4000@center>;index=1.1;mp=1, <sip:5@far>;index=1.1.1;mp=1.1");
        assert_eq!(names(&onward(&kept, &to(Trust::Stranger))), ["Diversion", "History-Info", "User-to-User"]);
        assert_eq!(onward(&[], &to(Trust::Trunk))[1].1, "<sip:4000@center>;index=1, <sip:5@far>;index=1.1;mp=1");
    }

    #[test]
    fn who_forwarded_a_call_is_told_to_phones_of_the_house_too() {
        let diverted = Diverted { by: "2001".to_owned(), reason: "user-busy", hops: 2, agent: None };
        let onward = onward(&[], &Onward { diverted: Some(&diverted), ..to(Trust::House) });
        assert_eq!(onward[0], ("Diversion".to_owned(), "<sip:4000@center>;reason=user-busy;counter=2".to_owned()));
        assert_eq!(names(&onward), ["Diversion", "History-Info"]);
    }

    #[test]
    fn a_caller_who_stays_private_is_not_told_of() {
        for (value, private) in [("id", true), ("none", false), ("critical;id", true), ("header", true), ("history", false), ("", false)] {
            let mut kept = carried(&lines(&ALL));
            kept[3].1 = value.to_owned();
            assert_eq!(is_private(&kept), private, "{value}");
            let expected: &[&str] = if private { &["User-to-User"] } else { &["Diversion", "History-Info", "User-to-User"] };
            assert_eq!(names(&onward(&kept, &to(Trust::Stranger))), expected);
        }
    }
}
