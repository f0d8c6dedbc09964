//! Agents: people with a SIP phone. Read from `sip-config/phones.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::words::directory::{ALL_TEAMS, Agent, Forward, Ha1, Handset, RingGroup, Ringing, Team};
use crate::control::words::srtp::Srtp;
use crate::control::words::{AgentId, QueueId};

use super::problem::{Problem, did_you_mean};
use super::server::srtp;
use super::toml_file::{Section, TomlFile, Value};

const HIGHEST_LEVEL: u64 = 10;
const SHORTEST_PASSWORD: usize = 6;
const ONE_CALL: f32 = 1.0;
/// How long a member of a ring group rings, when nothing else is said.
const RING: Duration = Duration::from_secs(20);

/// An agent with what only the edges may know.
#[derive(Clone, PartialEq, Debug)]
pub struct Phone {
    /// As the rules see him.
    pub agent: Agent,
    /// In clear, when the file gives it so; the demo and the softphone hint need it.
    pub password: Option<String>,
    /// Names of queues with the problem to report when one is unknown.
    pub queues: Vec<(String, Problem)>,
    /// Names of teams he supervises with the problem to report when nobody is in one.
    pub leads: Vec<(String, Problem)>,
    /// The problem to report when nothing proves that what comes from his fixed address is his.
    pub unproved: Problem,
    /// The number of a telephone outside, with the problem to report when no trunk carries it.
    pub telephone: Option<(String, Problem)>,
}

/// Reads `[agents.<user>]` and `[rings.<group>]` tables. Digest secrets are made for `realm`.
pub fn read(name: &str, text: &str, realm: &str, out: &mut Vec<Problem>) -> (Vec<Phone>, Vec<RingGroup>) {
    let file = TomlFile::parse(name, text, out);
    let mut top = file.top();
    let mut phones = Vec::new();
    if let Some(mut agents) = top.section("agents", out) {
        for (user, value) in agents.entries() {
            match value.section() {
                Ok(section) => phones.push(phone(&user, section, realm, out)),
                Err(problem) => out.push(problem),
            }
        }
    }
    let mut rings = Vec::new();
    for (name, value) in top.section("rings", out).map(|mut tables| tables.entries()).unwrap_or_default() {
        match value.section() {
            Ok(section) => rings.extend(ring(&name, section, out)),
            Err(problem) => out.push(problem),
        }
    }
    top.finish(out);
    (phones, rings)
}

fn ring(name: &str, mut section: Section<'_>, out: &mut Vec<Problem>) -> Option<RingGroup> {
    let before = out.len();
    let number = section.must("number", "write what is dialled, number = \"2100\"", out, Value::text);
    let mend = "write who rings, members = [\"anna\", \"2002\", \"sip:2003@10.0.0.5\"]";
    let members = section.must("members", mend, out, |value| value.list(Value::text));
    if members.as_ref().is_some_and(Vec::is_empty) {
        out.push(section.problem("nobody is in the group", mend));
    }
    let how = |text: &str| match text {
        "together" => Ok(Ringing::Together),
        "in_turn" => Ok(Ringing::InTurn),
        other => Err(format!("`{other}` is no way to ring; {}", did_you_mean(other, ["together", "in_turn"]))),
    };
    let how = section.read("how", Ringing::Together, out, |value| value.parsed("\"together\" or \"in_turn\"", how));
    let ring = section.read("ring", RING, out, Value::duration);
    let otherwise = section.maybe("otherwise", out, Value::text);
    let srtp = protection(&mut section, out);
    section.finish(out);
    let (number, members) = (number?, members?);
    (out.len() == before).then(|| RingGroup { name: name.to_owned(), number, members, how, ring, otherwise, srtp })
}

/// `forward = {always = "…", busy = "…", no_answer = "…", after = "20s"}`.
fn forward(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Forward {
    let usual = Forward::default();
    let Some(mut table) = section.section("forward", out) else { return usual };
    let forward = Forward {
        always: table.maybe("always", out, Value::text),
        busy: table.maybe("busy", out, Value::text),
        no_answer: table.maybe("no_answer", out, Value::text),
        after: table.read("after", usual.after, out, Value::duration),
    };
    table.finish(out);
    forward
}

fn phone(user: &str, mut section: Section<'_>, realm: &str, out: &mut Vec<Problem>) -> Phone {
    if !user.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)) {
        out.push(section.problem(format!("`{user}` cannot be a SIP user"), "use letters, digits, - _ ."));
    }
    let unproved = |value: &Value<'_>| {
        let mend = "give him a password, or name the network in [guard] trusted of hotline.toml when nobody else can send from it";
        let what = format!("`{user}` has no password, and over UDP anybody can write this address: what he sends over UDP is refused");
        value.problem(what, mend).as_warning()
    };
    let mut forged = section.problem("", "");
    let mut at = None;
    let uri = section.maybe("uri", out, |value| {
        forged = unproved(value);
        at = Some(value.problem("no number of [numbers] leads this to a trunk", "write a line such as \"9*\" = \"trunk:carrier\""));
        value.parsed("a SIP URI such as \"sip:2001@10.0.0.5\", or \"tel:\" and a number", place)
    });
    let telephone = uri.as_ref().and_then(|uri| uri.strip_prefix("tel:")).map(str::to_owned).zip(at);
    let password = section.maybe("password", out, Value::text);
    let ha1 = secrets(user, realm, password.as_deref(), &mut section, out);
    if ha1.is_none() && uri.is_none() {
        out.push(
            section.problem(
                "has neither `password` nor `uri`",
                "give a password for his phone to register with, or the uri of his desk phone",
            ),
        );
    }
    let queues = section.read("queues", Vec::new(), out, |value| {
        value.list(|entry| Ok((entry.text()?, entry.problem(format!("no queue is called `{}`", entry.text()?), ""))))
    });
    let leads = section.read("leads", Vec::new(), out, |value| {
        value.list(|entry| Ok((entry.text()?, entry.problem(format!("nobody is in a team `{}`", entry.text()?), ""))))
    });
    let agent = Agent {
        id: AgentId::of_name(user),
        user: user.to_owned(),
        name: section.read("name", user.to_owned(), out, Value::text),
        extension: section.maybe("extension", out, Value::text),
        ha1: ha1.unwrap_or_default(),
        phone: Handset { uri, srtp: protection(&mut section, out) },
        skills: skills(&mut section, out),
        queues: queues.iter().map(|(name, _)| QueueId::of_name(name)).collect(),
        capacity: section.read("capacity", ONE_CALL, out, Value::fraction),
        auto_available: section.read("auto_available", true, out, Value::switch),
        forward: forward(&mut section, out),
        team: Team { of: section.maybe("team", out, Value::text), leads: leads.iter().map(|(team, _)| team.clone()).collect() },
    };
    section.finish(out);
    Phone { agent, password, queues, leads, unproved: forged, telephone }
}

/// `srtp = "required"`.
fn protection(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Option<Srtp> {
    section.maybe("srtp", out, |value| value.parsed("\"off\", \"offered\" or \"required\"", srtp))
}

fn place(text: &str) -> Result<String, String> {
    let rest = ["sip:", "sips:", "tel:"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    if rest.is_some_and(|rest| !rest.is_empty()) { Ok(text.to_owned()) } else { Err("it begins with neither `sip:` nor `tel:`".into()) }
}

/// With which digests a phone may prove itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DigestChoice {
    /// RFC 2617: every phone. The default, because many phones give up when they are asked for another one as well.
    Md5,
    /// RFC 8760.
    Sha256,
    /// Both are offered.
    Both,
}

impl DigestChoice {
    fn read(text: &str) -> Result<DigestChoice, &'static str> {
        match text {
            "md5" => Ok(DigestChoice::Md5),
            "sha256" => Ok(DigestChoice::Sha256),
            "both" => Ok(DigestChoice::Both),
            _ => Err("it is no digest"),
        }
    }

    fn kept(self, all: Ha1) -> Ha1 {
        match self {
            DigestChoice::Md5 => Ha1 { sha256: String::new(), ..all },
            DigestChoice::Sha256 => Ha1 { md5: String::new(), ..all },
            DigestChoice::Both => all,
        }
    }
}

fn secrets(user: &str, realm: &str, password: Option<&str>, section: &mut Section<'_>, out: &mut Vec<Problem>) -> Option<Ha1> {
    let md5 = section.maybe("ha1_md5", out, |value| value.parsed("32 hex digits: MD5 of user:realm:password", |text| hex_of(text, 16)));
    let sha256 =
        section.maybe("ha1_sha256", out, |value| value.parsed("64 hex digits: SHA-256 of user:realm:password", |text| hex_of(text, 32)));
    let digest =
        section.read("digest", DigestChoice::Md5, out, |value| value.parsed("\"md5\", \"sha256\" or \"both\"", DigestChoice::read));
    match password {
        Some(password) if password.len() < SHORTEST_PASSWORD => {
            out.push(section.problem("the password is short enough to be guessed", format!("take {SHORTEST_PASSWORD} characters or more")));
            None
        }
        Some(password) => Some(digest.kept(Ha1::of_password(user, realm, password))),
        None if md5.is_some() || sha256.is_some() => Some(Ha1 { md5: md5.unwrap_or_default(), sha256: sha256.unwrap_or_default() }),
        None => None,
    }
}

fn hex_of(text: &str, bytes: usize) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    match hex::decode(&text) {
        Ok(raw) if raw.len() == bytes => Ok(text),
        Ok(raw) => Err(format!("it has {} bytes", raw.len())),
        Err(error) => Err(error.to_string()),
    }
}

fn skills(section: &mut Section<'_>, out: &mut Vec<Problem>) -> BTreeMap<String, u8> {
    let Some(mut table) = section.section("skills", out) else { return BTreeMap::new() };
    let levels = table.entries().into_iter();
    let level = |value: &Value<'_>| value.number(1..=HIGHEST_LEVEL).map(|level| u8::try_from(level).unwrap_or(u8::MAX));
    levels.filter_map(|(skill, value)| level(&value).map_err(|problem| out.push(problem)).ok().map(|level| (skill, level))).collect()
}

/// Reports queues that nobody defined.
pub fn check_queues(phones: &[Phone], known: &[&str], out: &mut Vec<Problem>) {
    for (name, problem) in phones.iter().flat_map(|phone| &phone.queues).filter(|(name, _)| !known.contains(&name.as_str())) {
        out.push(Problem { mend: did_you_mean(name, known.iter().copied()), ..problem.clone() });
    }
}

/// Reports teams that are supervised and have nobody in them.
pub fn check_teams(phones: &[Phone], out: &mut Vec<Problem>) {
    let known: Vec<&str> = phones.iter().filter_map(|phone| phone.agent.team.of.as_deref()).collect();
    let led = phones.iter().flat_map(|phone| &phone.leads).filter(|(team, _)| team != ALL_TEAMS);
    for (team, problem) in led.filter(|(team, _)| !known.contains(&team.as_str())) {
        out.push(Problem { mend: did_you_mean(team, known.iter().copied()), ..problem.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::directory::Directory;

    const ANNA: &str = "[agents.anna]\nname = \"Anna\"\npassword = \"secret-1\"\nextension = \"2001\"\nskills = {insurance = 5, \"lang:zh-CN\" = 10}\nqueues = [\"claims\"]\n";

    #[test]
    fn s23_skill_groups_an_agent_has_skills_with_levels_and_queues() {
        let mut out = Vec::new();
        let (phones, _) = read("phones.toml", ANNA, "hotline", &mut out);
        assert_eq!(out, []);
        let anna = &phones[0].agent;
        assert_eq!((anna.skills["insurance"], anna.skills["lang:zh-CN"]), (5, 10));
        assert_eq!(anna.queues, [QueueId::of_name("claims")]);
        assert_eq!(anna.ha1.md5, Ha1::of_password("anna", "hotline", "secret-1").md5);
        assert_eq!(anna.ha1.sha256, "", "every phone knows MD5, many give up when asked for more");
    }

    #[test]
    fn s62_a_supervisor_leads_teams_that_have_people() {
        let mut out = Vec::new();
        let text = format!(
            "{ANNA}team = \"claims\"\n[agents.eva]\npassword = \"secret-2\"\nleads = [\"claim\", \"claims\"]\n[agents.otto]\npassword = \"secret-3\"\nleads = [\"*\"]\n"
        );
        let (phones, _) = read("phones.toml", &text, "hotline", &mut out);
        assert_eq!(out, []);
        check_teams(&phones, &mut out);
        assert_eq!(out.len(), 1);
        assert!(out[0].to_string().contains("nobody is in a team `claim`; did you mean `claims`?"), "{}", out[0]);
        let directory =
            Directory { agents: phones.into_iter().map(|phone| (phone.agent.id, phone.agent)).collect(), ..Directory::default() };
        let [anna, eva, otto, zoe] = ["anna", "eva", "otto", "zoe"].map(AgentId::of_name);
        assert!(directory.leads(eva, anna) && directory.leads(otto, anna) && directory.leads(otto, eva));
        assert!(!directory.leads(anna, eva) && !directory.leads(eva, otto) && !directory.leads(otto, otto) && !directory.leads(zoe, anna));
    }

    #[test]
    fn an_unknown_queue_is_reported_with_its_line_and_the_nearest_name() {
        let mut out = Vec::new();
        let (phones, _) = read("phones.toml", ANNA, "hotline", &mut out);
        check_queues(&phones, &["claim", "general"], &mut out);
        assert_eq!(
            out[0].to_string(),
            "phones.toml:6:11: error: agents.anna.queues[0]: no queue is called `claims`; did you mean `claim`?"
        );
    }

    #[test]
    fn an_agent_without_phone_a_short_password_and_a_high_level_are_refused() {
        let mut out = Vec::new();
        read(
            "phones.toml",
            "[agents.a]\n[agents.b]\npassword = \"1\"\nskills = {x = 11}\nskill = 1\n[agents.\"c d\"]\nuri = \"mailto:c\"",
            "hotline",
            &mut out,
        );
        let said: String = out.iter().map(|problem| format!("{problem}\n")).collect();
        for part in [
            "neither `password` nor `uri`",
            "short enough to be guessed",
            "11 is out of range",
            "did you mean `skills`?",
            "cannot be a SIP user",
            "begins with neither `sip:` nor `tel:`",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
    }

    #[test]
    fn s80_a_phone_and_a_group_have_wishes_of_their_own_for_ciphered_sound() {
        let mut out = Vec::new();
        let text = format!(
            "{ANNA}srtp = \"required\"\n[agents.ben]\npassword = \"secret-2\"\n[rings.x]\nnumber = \"1\"\nmembers = [\"anna\"]\nsrtp = \"off\"\n"
        );
        let (phones, rings) = read("phones.toml", &text, "hotline", &mut out);
        assert_eq!(out, []);
        let wishes: Vec<_> = phones.iter().map(|phone| phone.agent.phone.srtp).collect();
        assert_eq!((wishes, rings[0].srtp), (vec![Some(Srtp::Required), None], Some(Srtp::Off)));
        read("phones.toml", &format!("{ANNA}srtp = \"require\"\n"), "hotline", &mut out);
        assert!(out[0].to_string().contains("did you mean `required`?"), "{}", out[0]);
    }

    #[test]
    fn forwards_and_ring_groups_are_read_and_what_is_wrong_is_said() {
        let mut out = Vec::new();
        let text = format!(
            "{ANNA}forward = {{busy = \"2002\", no_answer = \"4001010\", after = \"12s\"}}\n\
             [rings.sales]\nnumber = \"2100\"\nmembers = [\"anna\", \"2002\"]\nhow = \"in_turn\"\nring = \"9s\"\notherwise = \"4001010\"\n"
        );
        let (phones, rings) = read("phones.toml", &text, "hotline", &mut out);
        assert_eq!(out, []);
        let forward = &phones[0].agent.forward;
        assert_eq!((forward.always.as_deref(), forward.busy.as_deref(), forward.after), (None, Some("2002"), Duration::from_secs(12)));
        assert_eq!((rings[0].how, rings[0].ring, rings[0].members.len()), (Ringing::InTurn, Duration::from_secs(9), 2));
        let (_, rings) = read(
            "phones.toml",
            "[rings.x]\nnumber = \"1\"\nmembers = []\nhow = \"at_once\"\n[rings.y]\nmembers = [\"a\"]\n",
            "h",
            &mut out,
        );
        let said: Vec<String> = out.iter().map(ToString::to_string).collect();
        assert!(rings.is_empty());
        assert!(said.iter().any(|said| said.contains("nobody is in the group; write who rings")), "{said:?}");
        assert!(said.iter().any(|said| said.contains("`at_once` is no way to ring")), "{said:?}");
        assert!(said.iter().any(|said| said.contains("rings.y: `number` is missing; write what is dialled")), "{said:?}");
    }
}
