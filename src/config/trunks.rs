//! Ways to the outside. Read from `sip-config/trunks.toml`.

use std::time::Duration;

use crate::control::sip::message::host_port;
use crate::control::words::directory::Credentials;
use crate::control::words::net::Net;
use crate::control::words::sip::{Secrecy, Transport, Whereabouts};
use crate::control::words::srtp::{KeysInSdp, ProtectionRules, Srtp};
use crate::control::words::trunk::{Bounds, Choice, Group, Habits, Keys, Numbers, Offer, Registers, Rewrite, Trunk, addresses};

use super::problem::{Problem, did_you_mean};
use super::server::{CODECS, codec, srtp};
use super::toml_file::{Section, TomlFile, Value};

/// OPTIONS this often, when nothing else is said.
const CHECK: Duration = Duration::from_secs(30);
/// More often is an attack, less often tells nothing.
const CHECKS: std::ops::RangeInclusive<u64> = 5..=3_600;
/// How long we ask a registrar for, when nothing else is said.
const EXPIRES: Duration = Duration::from_mins(10);
const MOST_CALLS: u64 = 1_000_000;
const MOST_WEIGHT: u64 = 1_000;

/// Reads `[trunks.<name>]` and `[groups.<name>]` tables.
pub fn read(name: &str, text: &str, out: &mut Vec<Problem>) -> (Vec<Trunk>, Vec<Group>) {
    let file = TomlFile::parse(name, text, out);
    let mut top = file.top();
    let trunks: Vec<Trunk> = tables(&mut top, "trunks", out, trunk);
    let names: Vec<&str> = trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    let groups = tables(&mut top, "groups", out, |name, section, out| group(name, section, &names, out));
    top.finish(out);
    (trunks, groups)
}

fn tables<T>(
    top: &mut Section<'_>,
    key: &str,
    out: &mut Vec<Problem>,
    read: impl Fn(&str, Section<'_>, &mut Vec<Problem>) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (name, value) in top.section(key, out).map(|mut tables| tables.entries()).unwrap_or_default() {
        match value.section() {
            Ok(section) => all.extend(read(&name, section, out)),
            Err(problem) => out.push(problem),
        }
    }
    all
}

fn trunk(name: &str, mut section: Section<'_>, out: &mut Vec<Problem>) -> Option<Trunk> {
    let before = out.len();
    let hosts = hosts(&mut section, out);
    let credentials = credentials(&mut section, out);
    let kind = section.read("kind", Kind::Address, out, |value| value.parsed("\"address\" or \"register\"", kind));
    let registers = registers(&mut section, kind, credentials.is_some(), &hosts, out);
    let own: Vec<Net> = addresses(&hosts).collect();
    let net = "an address or a network such as \"192.0.2.1\" or \"192.0.2.0/24\"";
    let sources = section.maybe("sources", out, |value| value.list(|entry| entry.parsed(net, str::parse::<Net>)));
    let numbers = Numbers {
        out: rewrites(&mut section, "out", out),
        incoming: rewrites(&mut section, "in", out),
        caller_out: rewrites(&mut section, "caller_out", out),
        caller_in: rewrites(&mut section, "caller_in", out),
    };
    let habits = habits(&mut section, out);
    if habits.advertise.is_some() && sources.is_none() && own.len() < hosts.len() {
        out.push(section.problem("`advertise` is said to addresses, and a host here is a name", "write its addresses in `sources`"));
    }
    let bound = |value: &Value<'_>| value.number(1..=MOST_CALLS).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let bounds = Bounds { calls: section.maybe("max_calls", out, bound), per_second: section.maybe("calls_per_second", out, bound) };
    let check = section.read("check", Some(CHECK), out, check);
    let retry = section.read("retry", Vec::new(), out, |value| value.list(status));
    section.finish(out);
    let sources = sources.unwrap_or(own);
    let trunk = Trunk { name: name.to_owned(), hosts, credentials, registers, sources, numbers, habits, bounds, check, retry };
    (out.len() == before).then_some(trunk)
}

fn hosts(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Vec<Choice<Whereabouts>> {
    let before = out.len();
    const WANTED: &str = "a name or an address such as \"sip.carrier.example\" or \"192.0.2.10:5060\"";
    let remote = section.maybe("remote", out, |value| value.parsed(WANTED, far_end));
    let several = section.maybe("hosts", out, |value| choices(value, |value, text| value.parsed_as(text, WANTED, far_end)));
    let transport = section.maybe("transport", out, |value| value.parsed("\"udp\", \"tcp\" or \"tls\"", super::listen::transport));
    let mut hosts = match (remote, several) {
        (Some(_), Some(_)) => {
            out.push(section.problem("`remote` and `hosts` say the same thing", "keep one of them"));
            Vec::new()
        }
        (Some(remote), None) => vec![Choice { to: remote, priority: 0, weight: 1 }],
        (None, several) => several.unwrap_or_default(),
    };
    if hosts.is_empty() && out.len() == before {
        let mend = "write where the far end is, remote = \"sip.carrier.example\" or hosts = [\"192.0.2.10:5060\", \"192.0.2.11\"]";
        out.push(section.problem("`remote` is missing", mend));
    }
    for host in &mut hosts {
        host.to.transport = transport;
    }
    hosts
}

/// `["a", "b"]` in this order, or `{a = 3, b = 1}` by shares.
fn choices<T>(value: &Value<'_>, read: impl Fn(&Value<'_>, &str) -> Result<T, Problem>) -> Result<Vec<Choice<T>>, Problem> {
    if let Ok(mut shares) = value.section() {
        let one = |(name, weight): (String, Value<'_>)| {
            let share = u16::try_from(weight.number(0..=MOST_WEIGHT)?).unwrap_or(u16::MAX);
            Ok(Choice { to: read(&weight, &name)?, priority: 0, weight: share })
        };
        return shares.entries().into_iter().map(one).collect();
    }
    let names = value.list(|entry| read(entry, &entry.text()?))?;
    let one = |(at, to): (usize, T)| Choice { to, priority: u16::try_from(at).unwrap_or(u16::MAX), weight: 1 };
    Ok(names.into_iter().enumerate().map(one).collect())
}

fn credentials(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Option<Credentials> {
    let user = section.maybe("user", out, Value::text);
    let password = section.maybe("password", out, Value::text);
    if user.is_some() != password.is_some() {
        out.push(section.problem("`user` and `password` belong together", "write both or none"));
    }
    user.zip(password).map(|(user, password)| Credentials { user, password })
}

/// How the far end knows us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Register,
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "address" => Ok(Kind::Address),
        "register" => Ok(Kind::Register),
        other => Err(format!("`{other}` is no kind of trunk; {}", did_you_mean(other, ["address", "register"]))),
    }
}

fn registers(
    section: &mut Section<'_>,
    kind: Kind,
    has_credentials: bool,
    hosts: &[Choice<Whereabouts>],
    out: &mut Vec<Problem>,
) -> Option<Registers> {
    let domain = section.maybe("domain", out, Value::text);
    let expires = section.maybe("expires", out, Value::duration);
    match kind {
        Kind::Register if !has_credentials => {
            out.push(section.problem("a trunk where we register needs a user and a password", "write `user` and `password`"));
            None
        }
        Kind::Register => {
            let first = hosts.first().map(|host| host.to.to_string()).unwrap_or_default();
            Some(Registers { domain: domain.unwrap_or(first), expires: expires.unwrap_or(EXPIRES) })
        }
        Kind::Address if domain.is_some() || expires.is_some() => {
            out.push(
                section.problem("`domain` and `expires` are of trunks where we register", "write kind = \"register\", or leave them out"),
            );
            None
        }
        Kind::Address => None,
    }
}

fn rewrites(section: &mut Section<'_>, key: &str, out: &mut Vec<Problem>) -> Vec<Rewrite> {
    let wanted = "a line such as \"9* -> *\" or \"???? -> 021????\"";
    section.read(key, Vec::new(), out, |value| value.list(|entry| entry.parsed(wanted, str::parse::<Rewrite>)))
}

fn habits(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Habits {
    let keys = |text: &str| match text {
        "rfc4733" => Ok(Keys::Rfc4733),
        "info" => Ok(Keys::Info),
        "inband" => Ok(Keys::Inband),
        other => Err(format!("`{other}` is no way of keys; {}", did_you_mean(other, ["rfc4733", "info", "inband"]))),
    };
    let offer = |text: &str| match text {
        "early" => Ok(Offer::Early),
        "late" => Ok(Offer::Late),
        other => Err(format!("`{other}` is no time of an offer; {}", did_you_mean(other, ["early", "late"]))),
    };
    Habits {
        codecs: section.read("codecs", Vec::new(), out, |value| value.list(|entry| entry.parsed(CODECS, codec))),
        keys: section.read("dtmf", Keys::Rfc4733, out, |value| value.parsed("\"rfc4733\", \"info\" or \"inband\"", keys)),
        advertise: section.maybe("advertise", out, Value::ip),
        offer: section.read("offer", Offer::Early, out, |value| value.parsed("\"early\" or \"late\"", offer)),
        srtp: section.maybe("srtp", out, |value| value.parsed("\"off\", \"offered\" or \"required\"", srtp)),
    }
}

/// Keys of SRTP stand in the descriptions, and these would go in clear: a handshake is offered instead, which few carriers know.
pub fn keys_in_clear(trunk: &Trunk, rules: &ProtectionRules) -> Option<Problem> {
    let required = trunk.habits.srtp.unwrap_or(rules.srtp) == Srtp::Required && rules.over_plain_sip == KeysInSdp::Withheld;
    let tls = |to: &Whereabouts| to.wished().is_some_and(Transport::is_secure);
    (required && !trunk.hosts.iter().all(|host| tls(&host.to))).then(|| {
        let what = format!("trunk `{}` requires SRTP and its signalling is not within TLS: only DTLS-SRTP is offered there", trunk.name);
        let mend =
            "write transport = \"tls\"; or [media] srtp_over_plain_sip = true in hotline.toml, when the way there is protected otherwise";
        Problem::of_file("trunks.toml", what, mend).as_warning()
    })
}

/// `"30s"` or `"off"`.
fn check(value: &Value<'_>) -> Result<Option<Duration>, Problem> {
    if value.text().is_ok_and(|text| text == "off") {
        return Ok(None);
    }
    let every = value.duration()?;
    if CHECKS.contains(&every.as_secs()) {
        return Ok(Some(every));
    }
    Err(value.problem("OPTIONS cannot go out so often or so seldom", "write a time from \"5s\" to \"1h\", or \"off\""))
}

fn status(value: &Value<'_>) -> Result<u16, Problem> {
    value.number(400..=699).map(|status| u16::try_from(status).unwrap_or(u16::MAX))
}

fn group(name: &str, mut section: Section<'_>, known: &[&str], out: &mut Vec<Problem>) -> Option<Group> {
    let before = out.len();
    let mend = "write them in order, trunks = [\"first\", \"second\"], or with their shares, trunks = {first = 3, second = 1}";
    let trunks = section.must("trunks", mend, out, |value| {
        choices(value, |value, text| match known.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(value.problem(format!("no trunk is called `{text}`"), did_you_mean(text, known.iter().copied()))),
        })
    });
    if known.contains(&name) {
        out.push(section.problem(format!("a trunk is called `{name}` too"), "give the group another name"));
    }
    if trunks.as_ref().is_some_and(Vec::is_empty) {
        out.push(section.problem("the group has no trunk", mend));
    }
    section.finish(out);
    (out.len() == before).then(|| Group { name: name.to_owned(), trunks: trunks.unwrap_or_default() })
}

/// `sip.carrier.example`, `10.0.0.5:5060`, `[2001:db8::5]:5060`.
fn far_end(text: &str) -> Result<Whereabouts, &'static str> {
    let place = if text.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{text}]") } else { text.to_owned() };
    let (host, port) = host_port(place.as_bytes())?;
    let host = String::from_utf8_lossy(host).trim_end_matches('.').to_ascii_lowercase();
    Ok(Whereabouts { host, port, transport: None, secrecy: Secrecy::Any })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::sip::Transport;

    fn good(text: &str) -> Vec<Trunk> {
        let mut out = Vec::new();
        let (trunks, _) = read("trunks.toml", text, &mut out);
        assert_eq!(out, []);
        trunks
    }

    fn said(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        read("trunks.toml", text, &mut out);
        out.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_trunk_trusts_its_remote_unless_sources_are_named() {
        let trunks = good("[trunks.pbx]\nremote = \"10.0.0.5:5060\"\nuser = \"u\"\npassword = \"p\"\n");
        assert!(trunks[0].has_source("10.0.0.5".parse().unwrap()) && !trunks[0].has_source("10.0.0.6".parse().unwrap()));
        let remote = &trunks[0].hosts[0].to;
        assert_eq!((remote.port, remote.usual(), trunks[0].check), (Some(5060), Transport::Udp, Some(CHECK)));
        let trunks = good("[trunks.pbx]\nremote = \"10.0.0.5\"\nsources = [\"192.0.2.0/24\"]\ncheck = \"off\"\n");
        assert!(!trunks[0].has_source("10.0.0.5".parse().unwrap()) && trunks[0].has_source("192.0.2.77".parse().unwrap()));
        assert_eq!(trunks[0].check, None);
    }

    #[test]
    fn a_trunk_may_be_a_name_that_dns_knows() {
        let text = "[trunks.carrier]\nremote = \"SIP.carrier.example\"\ntransport = \"tls\"\n[trunks.six]\nremote = \"2001:db8::5\"\n";
        let trunks = good(text);
        let remote = &trunks[0].hosts[0].to;
        assert_eq!((remote.host.as_str(), remote.wished()), ("sip.carrier.example", Some(Transport::Tls)));
        assert_eq!((trunks[0].sources.len(), trunks[1].sources.len()), (0, 1));
        assert!(said("[trunks.x]\nremote = \"a b\"\n")[0].contains("forbidden character"));
    }

    #[test]
    fn a_full_trunk_is_read_whole() {
        let trunks = good(
            "[trunks.carrier]\nkind = \"register\"\nhosts = {\"a.example\" = 3, \"b.example:5070\" = 1}\nuser = \"u\"\npassword = \"p\"\n\
             domain = \"carrier.example\"\nexpires = \"5m\"\nsources = [\"192.0.2.0/24\"]\nout = [\"9* -> *\"]\nin = [\"+86* -> 0*\"]\n\
             caller_out = [\"???? -> 021????\"]\ncodecs = [\"PCMA\"]\ndtmf = \"info\"\nadvertise = \"203.0.113.9\"\noffer = \"late\"\n\
             max_calls = 30\ncalls_per_second = 5\nretry = [500, 480]\ncheck = \"1m\"\n",
        );
        let trunk = &trunks[0];
        assert_eq!(trunk.registers, Some(Registers { domain: "carrier.example".into(), expires: Duration::from_mins(5) }));
        let hosts: Vec<_> = trunk.hosts.iter().map(|host| (host.to.to_string(), host.priority, host.weight)).collect();
        assert_eq!(hosts, [("a.example".to_owned(), 0, 3), ("b.example:5070".to_owned(), 0, 1)]);
        assert_eq!(trunk.numbers.outward("9110").as_deref(), Some("110"));
        assert_eq!((trunk.habits.keys, trunk.habits.offer), (Keys::Info, Offer::Late));
        assert_eq!(trunk.bounds, Bounds { calls: Some(30), per_second: Some(5) });
        assert_eq!((&trunk.retry[..], trunk.check), (&[500, 480][..], Some(Duration::from_mins(1))));
        let order: Vec<_> = good("[trunks.x]\nhosts = [\"10.0.0.1\", \"10.0.0.2\"]\n")[0].hosts.iter().map(|host| host.priority).collect();
        assert_eq!(order, [0, 1]);
    }

    #[test]
    fn groups_name_trunks_in_order_or_by_shares() {
        let trunks = "[trunks.a]\nremote = \"10.0.0.1\"\n[trunks.b]\nremote = \"10.0.0.2\"\n";
        let mut out = Vec::new();
        let text = format!("{trunks}[groups.all]\ntrunks = {{a = 3, b = 0}}\n[groups.then]\ntrunks = [\"b\", \"a\"]\n");
        let (_, groups) = read("trunks.toml", &text, &mut out);
        assert_eq!(out, []);
        let shown = |group: &Group| group.trunks.iter().map(|it| (it.to.clone(), it.priority, it.weight)).collect::<Vec<_>>();
        assert_eq!(shown(&groups[0]), [("a".to_owned(), 0, 3), ("b".to_owned(), 0, 0)]);
        assert_eq!(shown(&groups[1]), [("b".to_owned(), 0, 1), ("a".to_owned(), 1, 1)]);
        assert!(said(&format!("{trunks}[groups.a]\ntrunks = [\"a\"]\n"))[0].contains("a trunk is called `a` too"));
        let line = &said(&format!("{trunks}[groups.g]\ntrunks = [\"bb\"]\n"))[0];
        assert!(
            line.starts_with("trunks.toml:6:11: error: groups.g.trunks[0]: no trunk is called `bb`") && line.contains("did you mean"),
            "{line}"
        );
    }

    #[test]
    fn whatever_is_wrong_is_said_with_line_field_and_mend() {
        for (line, expected) in [
            (
                "out = [\"9* -> *\", \"9 -> *\"]",
                "trunks.x.out[1]: \"9 -> *\" cannot be used: the right side has a `*` and the left has none",
            ),
            ("in = [\"12\"]", "it has not exactly one `->`; write a line such as"),
            ("sources = [\"10.0.0.1/8\"]", "the address has bits beyond the length of the network"),
            ("kind = \"registers\"", "did you mean `register`?"),
            ("kind = \"register\"", "needs a user and a password; write `user` and `password`"),
            ("expires = \"1m\"", "write kind = \"register\", or leave them out"),
            ("user = \"u\"", "`user` and `password` belong together; write both or none"),
            ("codecs = [\"G729\"]", "no library for G.729"),
            ("codecs = [\"oqus\"]", "did you mean `opus`?"),
            ("codecs = [\"PCMA\", 9]", "write \"PCMU\", \"PCMA\", \"G722\", \"opus\" or"),
            ("dtmf = \"inbnd\"", "did you mean `inband`?"),
            ("offer = \"lat\"", "did you mean `late`?"),
            ("check = \"1s\"", "write a time from \"5s\" to \"1h\", or \"off\""),
            ("retry = [200]", "write a whole number from 400 to 699"),
            ("max_calls = 0", "write a whole number from 1 to"),
            ("hosts = [\"10.0.0.2\"]", "`remote` and `hosts` say the same thing; keep one of them"),
            ("maxcalls = 3", "did you mean `max_calls`?"),
        ] {
            let said = said(&format!("[trunks.x]\nremote = \"10.0.0.1\"\n{line}\n"));
            assert!(said.iter().any(|said| said.contains(expected)), "{line}: {said:?}");
            assert!(said.iter().all(|said| said.starts_with("trunks.toml:")), "{said:?}");
        }
        assert!(said("[trunks.x]\nuser = \"u\"\npassword = \"p\"\n")[0].contains("`remote` is missing; write where the far end is"));
        let named = said("[trunks.x]\nremote = \"a.example\"\nadvertise = \"203.0.113.1\"\n");
        assert!(named[0].contains("write its addresses in `sources`"), "{named:?}");
    }
}
