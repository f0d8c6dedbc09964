//! Ways to the outside: carriers, the old PBX. What `trunks.toml` says of them, and the little that follows from it alone.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::directory::Credentials;
use super::media::Codec;
use super::net::Net;
use super::sip::Whereabouts;
use super::srtp::Srtp;
use crate::control::random::Random;

/// A way to the outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// The far end: names that DNS knows, or addresses.
    pub hosts: Vec<Choice<Whereabouts>>,
    /// User and password, when the far end challenges us.
    pub credentials: Option<Credentials>,
    /// We register there; `None`: they know us by our address.
    pub registers: Option<Registers>,
    /// Sources whose calls are this trunk's; they are not challenged.
    pub sources: Vec<Net>,
    /// How numbers are written there.
    pub numbers: Numbers,
    /// Sound and signalling as the far end needs them.
    pub habits: Habits,
    /// How many calls.
    pub bounds: Bounds,
    /// OPTIONS this often; `None`: never.
    pub check: Option<Duration>,
    /// Final answers after which the next way is tried, besides 503 and silence.
    pub retry: Vec<u16>,
}

/// We register at a trunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registers {
    /// The host part of our address there: `carrier.example`.
    pub domain: String,
    /// How long we ask for.
    pub expires: Duration,
}

/// One of several: those of the lower priority first, among equals by chance in proportion to their weights; weight 0 comes last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice<T> {
    /// What is chosen.
    pub to: T,
    /// The lower ones first.
    pub priority: u16,
    /// Among equals, its share.
    pub weight: u16,
}

impl<T> Choice<T> {
    /// Something else in its place.
    #[must_use]
    pub fn instead<U>(&self, to: U) -> Choice<U> {
        Choice { to, priority: self.priority, weight: self.weight }
    }
}

/// Several trunks under one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name; trunks and groups share their names.
    pub name: String,
    /// Its trunks.
    pub trunks: Vec<Choice<String>>,
}

/// Sound and signalling as a far end needs them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Habits {
    /// Codecs, best first; none: those of the center.
    pub codecs: Vec<Codec>,
    /// How keys travel.
    pub keys: Keys,
    /// Our address as this far end sees it.
    pub advertise: Option<IpAddr>,
    /// Who offers in the INVITEs that we send there.
    pub offer: Offer,
    /// Is sound ciphered; `None`: as the center wishes.
    pub srtp: Option<Srtp>,
}

impl Habits {
    /// The same, with these codecs where none are named.
    #[must_use]
    pub fn with(mut self, codecs: &[Codec]) -> Habits {
        if self.codecs.is_empty() {
            self.codecs = codecs.to_vec();
        }
        self
    }
}

/// How keys travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keys {
    /// RFC 4733 telephone-event; INFO is understood too.
    #[default]
    Rfc4733,
    /// INFO application/dtmf-relay; telephone-event is neither offered nor accepted.
    Info,
    /// Tones in the sound; telephone-event is neither offered nor accepted.
    Inband,
}

/// Who offers in an INVITE of ours (RFC 3261 §13.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Offer {
    /// We do.
    #[default]
    Early,
    /// The far end, in its 200; our answer goes with the ACK.
    Late,
}

/// How many calls a trunk carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// At once, both ways; above: another way out, and 503 to those who come in.
    pub calls: Option<u32>,
    /// New ones a second that we place.
    pub per_second: Option<u32>,
}

/// How numbers are written at a far end; the first line that fits counts. Without any line, numbers stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// Dialled by us; a number that none fits is not carried.
    pub out: Vec<Rewrite>,
    /// Dialled by them; a number that none fits is nobody's (404).
    pub incoming: Vec<Rewrite>,
    /// Callers as we tell them; others stay as they are.
    pub caller_out: Vec<Rewrite>,
    /// Callers as they tell them; others stay as they are.
    pub caller_in: Vec<Rewrite>,
}

/// The addresses among hosts; whom a name means may change.
pub fn addresses(hosts: &[Choice<Whereabouts>]) -> impl Iterator<Item = Net> {
    hosts.iter().filter_map(|host| host.to.host.parse().ok().map(Net::one))
}

impl Trunk {
    /// What it may send from, and where its hosts are.
    pub fn nets(&self) -> impl Iterator<Item = Net> {
        self.sources.iter().copied().chain(addresses(&self.hosts))
    }

    /// A trunk at one place, known by its address, with nothing special about it.
    #[must_use]
    pub fn at(name: &str, remote: Whereabouts) -> Trunk {
        Trunk {
            name: name.to_owned(),
            // Whom a name means may change: its calls are known by `sources` only.
            sources: remote.host.parse().map(Net::one).into_iter().collect(),
            hosts: vec![Choice { to: remote, priority: 0, weight: 1 }],
            credentials: None,
            registers: None,
            numbers: Numbers::default(),
            habits: Habits::default(),
            bounds: Bounds::default(),
            check: None,
            retry: Vec::new(),
        }
    }

    /// Are calls from this address its calls?
    #[must_use]
    pub fn has_source(&self, ip: IpAddr) -> bool {
        self.sources.iter().any(|net| net.contains(ip))
    }
}

/// All, in the order in which they are tried this time.
#[must_use]
pub fn in_turn<T: Clone>(choices: &[Choice<T>], random: &mut Random) -> Vec<T> {
    let mut left: Vec<&Choice<T>> = choices.iter().collect();
    left.sort_by_key(|choice| (choice.priority, choice.weight == 0));
    let mut order = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let alike = |choice: &&Choice<T>| choice.priority == first.priority && (choice.weight == 0) == (first.weight == 0);
        let equals = left.iter().take_while(|choice| alike(choice)).count();
        let share = |choice: &Choice<T>| u64::from(choice.weight.max(1));
        let mut drawn = random.below(left[..equals].iter().map(|choice| share(choice)).sum());
        let at = left[..equals].iter().position(|choice| match drawn.checked_sub(share(choice)) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        order.push(left.remove(at.unwrap_or(0)).to.clone());
    }
    order
}

/// One line of number rewriting: `9* -> *`, `???? -> 021????`. A `?` is one digit, a `*` whatever is left; on the right they stand
/// for what they caught on the left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewrite {
    left: Vec<Part>,
    right: Vec<Part>,
}

/// A part of a number pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    /// As written.
    Plain(String),
    /// One digit.
    Digit,
    /// Any run, an empty one too.
    Rest,
}

/// Why a line of number rewriting cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRewrite {
    /// No arrow, or two.
    #[error("it has not exactly one `->`")]
    Arrow,
    /// Nothing before or after it.
    #[error("a side of the `->` is empty")]
    Empty,
    /// Which number would it be?
    #[error("`{0}` stands in no telephone number or user name")]
    Letter(char),
    /// What each would catch were a matter of taste.
    #[error("a side has more than one `*`")]
    Stars,
    /// It would stand for nothing.
    #[error("the right side has a `*` and the left has none")]
    StarOfNothing,
    /// They would stand for nothing.
    #[error("the right side has more `?` than the left")]
    DigitsOfNothing,
}

impl FromStr for Rewrite {
    type Err = BadRewrite;

    fn from_str(text: &str) -> Result<Rewrite, BadRewrite> {
        let (left, right) = text.split_once("->").ok_or(BadRewrite::Arrow)?;
        if right.contains("->") {
            return Err(BadRewrite::Arrow);
        }
        let (left, right) = (parts(left.trim())?, parts(right.trim())?);
        let count = |side: &[Part], part: &Part| side.iter().filter(|other| *other == part).count();
        match () {
            () if count(&right, &Part::Rest) > count(&left, &Part::Rest) => Err(BadRewrite::StarOfNothing),
            () if count(&right, &Part::Digit) > count(&left, &Part::Digit) => Err(BadRewrite::DigitsOfNothing),
            () => Ok(Rewrite { left, right }),
        }
    }
}

fn parts(side: &str) -> Result<Vec<Part>, BadRewrite> {
    let mut parts = Vec::new();
    for letter in side.chars() {
        let starred = parts.contains(&Part::Rest);
        match (letter, parts.last_mut()) {
            ('*', _) if starred => return Err(BadRewrite::Stars),
            ('*', _) => parts.push(Part::Rest),
            ('?', _) => parts.push(Part::Digit),
            (plain, Some(Part::Plain(text))) if is_plain(plain) => text.push(plain),
            (plain, _) if is_plain(plain) => parts.push(Part::Plain(plain.to_string())),
            (other, _) => return Err(BadRewrite::Letter(other)),
        }
    }
    if parts.is_empty() { Err(BadRewrite::Empty) } else { Ok(parts) }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+#-_.".contains(letter)
}

impl Rewrite {
    /// The number as the right side writes it; `None` when the left does not fit.
    #[must_use]
    pub fn apply(&self, number: &str) -> Option<String> {
        let head = self.left.iter().position(|part| *part == Part::Rest).unwrap_or(self.left.len());
        let tail = self.left.get(head + 1..).unwrap_or_default();
        let mut digits = Vec::new();
        let after = eat(&self.left[..head], number, &mut digits)?;
        let length: usize = tail.iter().map(|part| if let Part::Plain(text) = part { text.len() } else { 1 }).sum();
        let middle = after.len().checked_sub(length).filter(|at| after.is_char_boundary(*at))?;
        let (rest, end) = after.split_at(middle);
        if !eat(tail, end, &mut digits)?.is_empty() || (head == self.left.len() && !rest.is_empty()) {
            return None;
        }
        let mut digits = digits.into_iter();
        let written = self.right.iter().map(|part| match part {
            Part::Plain(text) => text.clone(),
            Part::Digit => digits.next().map(String::from).unwrap_or_default(),
            Part::Rest => rest.to_owned(),
        });
        Some(written.collect())
    }
}

/// What is left of `number` behind these parts; their digits are collected.
fn eat<'a>(parts: &[Part], mut number: &'a str, digits: &mut Vec<char>) -> Option<&'a str> {
    for part in parts {
        number = match part {
            Part::Plain(text) => number.strip_prefix(text.as_str())?,
            Part::Digit => {
                let digit = number.chars().next().filter(char::is_ascii_digit)?;
                digits.push(digit);
                &number[1..]
            }
            Part::Rest => number,
        };
    }
    Some(number)
}

impl Numbers {
    /// A number that we dial, as the far end wants it; `None`: it does not carry it.
    #[must_use]
    pub fn outward(&self, number: &str) -> Option<String> {
        first(&self.out, number, None)
    }

    /// A number that they dial, as we know it; `None`: it is nobody's.
    #[must_use]
    pub fn inward(&self, number: &str) -> Option<String> {
        first(&self.incoming, number, None)
    }

    /// A caller as we tell him.
    #[must_use]
    pub fn caller_outward(&self, caller: &str) -> String {
        first(&self.caller_out, caller, Some(caller)).unwrap_or_default()
    }

    /// A caller as they tell him, as we write him.
    #[must_use]
    pub fn caller_inward(&self, caller: &str) -> String {
        first(&self.caller_in, caller, Some(caller)).unwrap_or_default()
    }
}

fn first(lines: &[Rewrite], number: &str, otherwise: Option<&str>) -> Option<String> {
    if lines.is_empty() {
        return Some(number.to_owned());
    }
    lines.iter().find_map(|line| line.apply(number)).or_else(|| otherwise.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rewritten_as_the_table_says() {
        for (line, number, written) in [
            ("9* -> *", "9110", Some("110")),
            ("9* -> *", "8110", None),
            ("9* -> *", "9", Some("")),
            ("* -> *", "sip-user", Some("sip-user")),
            ("+86* -> 0*", "+8613800138000", Some("013800138000")),
            ("???? -> 021????", "2001", Some("0212001")),
            ("???? -> 021????", "20012", None),
            ("???? -> 021????", "20a1", None),
            ("9???* -> +???-*", "91234567", Some("+123-4567")),
            ("*00 -> *", "12300", Some("123")),
            ("*00 -> *", "00", Some("")),
            ("*00 -> *", "0", None),
            ("8*? -> *", "8123", Some("12")),
            ("?1? -> ??", "213", Some("23")),
            ("110 -> 110", "110", Some("110")),
            ("110 -> 110", "1100", None),
            ("1* -> *", "1é", Some("é")),
            ("1*? -> *", "1é", None),
        ] {
            let rewrite: Rewrite = line.parse().unwrap();
            assert_eq!(rewrite.apply(number).as_deref(), written, "{line} of {number}");
        }
    }

    #[test]
    fn lines_that_mean_nothing_say_why() {
        for (line, why) in [
            ("9*", BadRewrite::Arrow),
            ("9* -> * -> *", BadRewrite::Arrow),
            ("9* ->", BadRewrite::Empty),
            ("-> 9", BadRewrite::Empty),
            ("9 0* -> *", BadRewrite::Letter(' ')),
            ("9* -> <*>", BadRewrite::Letter('<')),
            ("9** -> *", BadRewrite::Stars),
            ("9? -> *", BadRewrite::StarOfNothing),
            ("9? -> ??", BadRewrite::DigitsOfNothing),
        ] {
            assert_eq!(line.parse::<Rewrite>(), Err(why), "{line}");
        }
    }

    #[test]
    fn the_first_line_that_fits_counts_and_a_number_that_none_fits_is_not_carried() {
        let lines = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Rewrite>>();
        let numbers = Numbers { out: lines(&["00* -> +*", "0* -> +86*"]), caller_out: lines(&["2??? -> 0212???"]), ..Numbers::default() };
        assert_eq!(numbers.outward("0049301").as_deref(), Some("+49301"));
        assert_eq!(numbers.outward("0211").as_deref(), Some("+86211"));
        assert_eq!(numbers.outward("110"), None);
        assert_eq!((numbers.inward("110").as_deref(), numbers.caller_inward("7").as_str()), (Some("110"), "7"));
        assert_eq!((numbers.caller_outward("2001").as_str(), numbers.caller_outward("boss").as_str()), ("0212001", "boss"));
    }

    #[test]
    fn priorities_go_first_weights_share_and_weight_0_comes_last() {
        let choice = |to: char, priority, weight| Choice { to, priority, weight };
        let choices = [choice('z', 0, 0), choice('a', 0, 3), choice('b', 0, 1), choice('c', 1, 1)];
        let (mut random, mut first) = (Random::new(3), 0);
        for _ in 0..1_000 {
            let order = in_turn(&choices, &mut random);
            assert_eq!(order[2..], ['z', 'c']);
            first += u32::from(order[0] == 'a');
        }
        assert!((690..810).contains(&first), "{first}: 750 of 1000 expected");
    }
}
