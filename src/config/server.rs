//! What the edges need to know: sockets, folders, threads, engines. Read from `sip-config/hotline.toml`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::control::words::directory::{Limits, Notices};
use crate::control::words::guard::Defence;
use crate::control::words::media::{Codec, Levels};
use crate::control::words::sip::Transport;
use crate::control::words::srtp::{KeysInSdp, ProtectionRules, Srtp};

use super::channels::{self, Channel};
use super::guard;

use super::listen::{self, Listen, Tls};
use super::notices;
use super::outbound;
use super::problem::{Problem, did_you_mean};
use super::recordings::{self, Recordings};
use super::toml_file::{Section, TomlFile, Value};

const API_PORT: u16 = 8080;
const API_RATE: u32 = 200;
const MOST_RATE: u64 = 1_000_000;
const RTP_PORTS: RangeInclusive<u16> = 20_000..=23_999;
const MOST_WORKERS: u64 = 64;
const MOST_SPEECH_THREADS: u64 = 256;
const MOST_CALLS: u64 = 1_000_000;
const FREE_PORTS_PREFIX: &str = "free:";

/// All of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Server {
    /// SIP sockets.
    pub sip: Sip,
    /// Media threads.
    pub media: Media,
    /// The HTTP door.
    pub api: SocketAddr,
    /// Where things lie.
    pub folders: Folders,
    /// `sqlite:…` or `postgres://…`.
    pub database: String,
    /// Recognizers.
    pub speech: Speech,
    /// Does a changed file take effect by itself?
    pub reload: Reload,
    /// Chat channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// How recordings lie on the disk.
    pub recordings: Recordings,
    /// Requests of one API key a second, on the long run.
    pub api_rate: u32,
    /// Values for `${NAME}` in dialplans; the environment wins.
    pub variables: BTreeMap<String, String>,
}

/// SIP sockets.
#[derive(Clone, PartialEq, Debug)]
pub struct Sip {
    /// Its sockets.
    pub listen: Vec<Listen>,
    /// The address that Via, Contact and SDP say.
    pub advertise: Option<IpAddr>,
    /// The realm of digest challenges and the host part of our own URIs.
    pub domain: String,
    /// Certificates.
    pub tls: Tls,
    /// Who is asked where SIP names lead; the system's name servers when there are none.
    pub name_servers: Vec<SocketAddr>,
}

/// Media threads.
#[derive(Clone, PartialEq, Debug)]
pub struct Media {
    /// How many threads carry sound.
    pub workers: u16,
    /// The local address of RTP sockets.
    pub bind: IpAddr,
    /// Their ports, all workers together.
    pub ports: Ports,
    /// Whether those who speak low are heard louder.
    pub levels: Levels,
}

/// RTP ports.
#[derive(Clone, PartialEq, Debug)]
pub enum Ports {
    /// The even ones of the range.
    Range(RangeInclusive<u16>),
    /// So many free ones of the system's choice.
    Free(u16),
}

/// Where things lie; relative names are below the home folder.
#[derive(Clone, PartialEq, Debug)]
pub struct Folders {
    /// Journal and SQLite file.
    pub data: PathBuf,
    /// Recordings, by date.
    pub recordings: PathBuf,
    /// Recorded prompts: `<lang>/<id>.wav`.
    pub prompts: PathBuf,
    /// Recognizer models.
    pub models: PathBuf,
    /// Plans and `desk.yaml`.
    pub dialplans: PathBuf,
    /// A sentence model, which understands beside the words; none is needed.
    pub sentence_model: Option<PathBuf>,
}

/// Recognizers.
#[derive(Clone, PartialEq, Debug)]
pub struct Speech {
    /// Threads that recognise.
    pub threads: u16,
    /// Do new callers get keys, and does after-call work wait, while there is no time for all?
    pub gives_way: bool,
    /// Engine by primary language (`zh`) or `*`, for calls.
    pub live: BTreeMap<String, Engine>,
    /// The same for transcripts after the call; where silent, the live one.
    pub after_call: BTreeMap<String, Engine>,
    /// Languages (or `*`) and how they are spoken; where silent, espeak-ng.
    pub voices: BTreeMap<String, Voice>,
}

/// A recognizer engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The best of what is installed.
    Auto,
    /// Debian's pocketsphinx, English menus and digits.
    Pocketsphinx,
    /// whisper.cpp with a ggml model of the models folder.
    Whisper(String),
    /// A streaming transducer folder of the models folder.
    Zipformer(String),
    /// An OpenAI-compatible `/v1/audio/transcriptions`.
    Http(String),
    /// A Vosk-style WebSocket.
    Ws(String),
    /// Keys only.
    Off,
}

/// A way to speak.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Voice {
    /// espeak-ng with this voice name.
    Espeak(String),
    /// A command that reads text and writes WAV (Piper and the like).
    Command(String),
    /// An OpenAI-compatible `/v1/audio/speech`.
    Http(String),
}

/// Does a changed file take effect by itself?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// Within a second or two.
    Watch,
    /// At the next start only.
    Off,
}

/// What `hotline.toml` says besides the server's part; it goes into the Directory.
#[derive(Clone, PartialEq, Debug)]
pub struct Calls {
    /// What is limited.
    pub limits: Limits,
    /// Who is heard.
    pub defence: Defence,
    /// Who may call to the outside.
    pub outbound: outbound::Read,
    /// Codecs offered, best first.
    pub codecs: Vec<Codec>,
    /// How sound is protected; its chance comes with the directory.
    pub protection: ProtectionRules,
    /// Is every call recorded?
    pub record: bool,
    /// A file of the prompt folder.
    pub hold_music: Option<String>,
    /// What people hear of recordings and supervisors.
    pub notices: Notices,
    /// Number patterns and what answers, as written: `queue:claims`.
    pub numbers: Vec<NumberLine>,
}

/// One line of `[numbers]`.
#[derive(Clone, PartialEq, Debug)]
pub struct NumberLine {
    /// `4001010` or `9*`.
    pub pattern: String,
    /// `plan`, `queue`, `agent` or `trunk`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// For a problem that is found later, when all names are known.
    pub problem: Problem,
}

impl Default for Server {
    fn default() -> Server {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Server {
            sip: Sip {
                listen: [Transport::Udp, Transport::Tcp, Transport::Tls]
                    .map(|transport| Listen { transport, address: any(transport.default_port()), advertise: None })
                    .to_vec(),
                advertise: None,
                domain: "hotline".into(),
                tls: Tls::default(),
                name_servers: Vec::new(),
            },
            media: Media { workers: 1, bind: Ipv4Addr::UNSPECIFIED.into(), ports: Ports::Range(RTP_PORTS), levels: Levels::Kept },
            api: SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)),
            folders: Folders {
                data: "data".into(),
                recordings: "recordings".into(),
                prompts: "prompts".into(),
                models: "models".into(),
                dialplans: "dialplans".into(),
                sentence_model: None,
            },
            database: "sqlite:data/hotline.db".into(),
            speech: Speech {
                threads: 1,
                gives_way: true,
                live: BTreeMap::from([("*".into(), Engine::Auto)]),
                after_call: BTreeMap::new(),
                voices: BTreeMap::new(),
            },
            reload: Reload::Watch,
            channels: BTreeMap::new(),
            recordings: Recordings::default(),
            api_rate: API_RATE,
            variables: BTreeMap::new(),
        }
    }
}

impl Default for Calls {
    fn default() -> Calls {
        let codecs = vec![Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
        let (limits, defence) = (Limits::default(), Defence::default());
        let outbound = outbound::Read::default();
        Calls {
            limits,
            defence,
            outbound,
            codecs,
            protection: ProtectionRules::default(),
            record: true,
            hold_music: None,
            notices: Notices::default(),
            numbers: Vec::new(),
        }
    }
}

impl Server {
    /// The address peers are told: the configured one of the same family, else the bound one, else that of the interface to the outside.
    #[must_use]
    pub fn advertised(&self, bound: IpAddr) -> IpAddr {
        match self.sip.advertise.filter(|address| address.is_ipv4() == bound.is_ipv4()) {
            Some(address) => address,
            None if bound.is_unspecified() => outward_address(bound),
            None => bound,
        }
    }

    /// The address peers are told of sound that is bound here, and others that lead to it: a browser in the house of the center may
    /// reach the one and not the other.
    #[must_use]
    pub fn reached_at(&self, bound: IpAddr) -> (IpAddr, Arc<[IpAddr]>) {
        let advertised = self.advertised(bound);
        let own = if bound.is_unspecified() { outward_address(bound) } else { bound };
        (advertised, Some(own).filter(|own| *own != advertised).into_iter().collect())
    }

    /// What a SIP socket says of itself.
    #[must_use]
    pub fn advertised_of(&self, listen: &Listen) -> SocketAddr {
        let own = listen.advertise;
        let ip = own.map_or_else(|| self.advertised(listen.address.ip()), |own| own.ip);
        SocketAddr::new(ip, own.and_then(|own| own.port).unwrap_or(listen.address.port()))
    }

    /// Makes relative folders and the SQLite file stand below the home folder.
    pub fn place_below(&mut self, home: &Path) {
        let folders = &mut self.folders;
        for folder in [&mut folders.data, &mut folders.recordings, &mut folders.prompts, &mut folders.models, &mut folders.dialplans] {
            *folder = home.join(&*folder);
        }
        folders.sentence_model.iter_mut().for_each(|folder| *folder = home.join(&*folder));
        self.sip.tls.place_below(home);
        self.recordings.place_below(home);
        if let Some(file) =
            self.database.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//")).filter(|file| !file.starts_with('/'))
        {
            self.database = format!("sqlite:{}", home.join(file).display());
        }
    }
}

/// The address of the interface that leads outside, of the family of `any`; no packet is sent. Loopback when there is none.
fn outward_address(any: IpAddr) -> IpAddr {
    const NEVER_REACHED: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
    const DISCARD: u16 = 9;
    let (there, loopback): (&str, IpAddr) =
        if any.is_ipv4() { (NEVER_REACHED[0], Ipv4Addr::LOCALHOST.into()) } else { (NEVER_REACHED[1], Ipv6Addr::LOCALHOST.into()) };
    let found = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((there, DISCARD))?;
        socket.local_addr()
    });
    found.map_or(loopback, |address| address.ip())
}

/// Reads `hotline.toml`.
pub fn read(name: &str, text: &str, out: &mut Vec<Problem>) -> (Server, Calls) {
    let file = TomlFile::parse(name, text, out);
    let mut top = file.top();
    let (mut server, mut calls) = (Server::default(), Calls::default());
    let mut short = None;
    with(&mut top, "sip", out, |section, out| {
        short = sip(section, &mut server.sip, out);
        calls.limits.registration = listen::registration(section, calls.limits.registration, out);
    });
    with(&mut top, "tls", out, |section, out| listen::tls(section, &mut server.sip.tls, out));
    sockets(&mut top, short, &mut server.sip.listen, out);
    with(&mut top, "media", out, |section, out| media(section, &mut server.media, &mut calls, out));
    with(&mut top, "calls", out, |section, out| limits(section, &mut calls, out));
    with(&mut top, "outbound", out, |section, out| calls.outbound = outbound::read(section, out));
    with(&mut top, "guard", out, |section, out| guard::read(section, &mut calls.defence, out));
    with(&mut top, "api", out, |section, out| {
        server.api = section.read("listen", server.api, out, Value::socket_address);
        let rate = section.read("rate", u64::from(server.api_rate), out, |value| value.number(1..=MOST_RATE));
        server.api_rate = u32::try_from(rate).unwrap_or(API_RATE);
    });
    with(&mut top, "channels", out, |section, out| server.channels = channels::read(section, out));
    with(&mut top, "folders", out, |section, out| folders(section, &mut server.folders, out));
    with(&mut top, "recordings", out, |section, out| server.recordings = recordings::read(section, out));
    with(&mut top, "store", out, |section, out| {
        server.database = section.read("database", server.database.clone(), out, |value| {
            value.parsed("a URL such as \"sqlite:data/hotline.db\" or \"postgres://user@host/name\"", database)
        });
    });
    with(&mut top, "speech", out, |section, out| speech(section, &mut server.speech, out));
    with(&mut top, "nlu", out, |section, out| {
        let folder = |value: &Value| value.text().map(|text| (!text.is_empty()).then(|| text.into()));
        server.folders.sentence_model = section.read("model_dir", server.folders.sentence_model.clone(), out, folder);
    });
    with(&mut top, "numbers", out, |section, out| calls.numbers = numbers(section, out));
    with(&mut top, "variables", out, |section, out| {
        let entries = section.entries().into_iter();
        server.variables =
            entries.filter_map(|(name, value)| value.text().map_err(|problem| out.push(problem)).ok().map(|text| (name, text))).collect();
    });
    if !top.read("reload", true, out, Value::switch) {
        server.reload = Reload::Off;
    }
    top.finish(out);
    (server, calls)
}

fn with(top: &mut Section<'_>, key: &str, out: &mut Vec<Problem>, read: impl FnOnce(&mut Section<'_>, &mut Vec<Problem>)) {
    if let Some(mut section) = top.section(key, out) {
        read(&mut section, out);
        section.finish(out);
    }
}

/// Reads `[sip]`; what it says of sockets comes back.
fn sip(section: &mut Section<'_>, sip: &mut Sip, out: &mut Vec<Problem>) -> Option<Vec<Listen>> {
    sip.advertise = section.maybe("advertise", out, Value::ip);
    sip.domain = section.read("domain", sip.domain.clone(), out, Value::text);
    sip.name_servers = section.read("name_servers", Vec::new(), out, |value| value.list(Value::socket_address));
    section.maybe("listen", out, listen::short)
}

/// The sockets: `[[listen]]` or the short list, not both.
fn sockets(top: &mut Section<'_>, short: Option<Vec<Listen>>, sockets: &mut Vec<Listen>, out: &mut Vec<Problem>) {
    let sections = listen::sections(top, out);
    if short.is_some() && sections.is_some() {
        out.push(top.problem("sockets stand in `[sip] listen` and in [[listen]]", "keep one of them"));
    }
    let Some(given) = sections.or(short) else { return };
    if given.is_empty() {
        out.push(top.problem("`listen` is empty: nobody could call", "name at least one socket, \"udp:0.0.0.0:5060\""));
    }
    listen::check(&given, out, |what| top.problem(what, "give one of them another port"));
    *sockets = given;
}

fn media(section: &mut Section<'_>, media: &mut Media, calls: &mut Calls, out: &mut Vec<Problem>) {
    media.workers = small(section.read("workers", media.workers.into(), out, |value| value.number(1..=MOST_WORKERS)));
    media.bind = section.read("bind", media.bind, out, Value::ip);
    media.ports =
        section.read("ports", media.ports.clone(), out, |value| value.parsed("a range such as \"20000-23999\", or \"free:64\"", ports));
    let agc = section.read("agc", media.levels == Levels::Evened, out, Value::switch);
    media.levels = if agc { Levels::Evened } else { Levels::Kept };
    calls.codecs = section.read("codecs", calls.codecs.clone(), out, |value| value.list(|entry| entry.parsed(CODECS, codec)));
    calls.protection.srtp =
        section.read("srtp", calls.protection.srtp, out, |value| value.parsed("\"off\", \"offered\" or \"required\"", srtp));
    if section.read("srtp_over_plain_sip", false, out, Value::switch) {
        calls.protection.over_plain_sip = KeysInSdp::Written;
    }
    calls.limits.port_rest = section.read("port_rest", calls.limits.port_rest, out, Value::duration);
    calls.limits.media_timeout = section.read("timeout", calls.limits.media_timeout, out, Value::duration);
    if calls.codecs.is_empty() {
        out.push(section.problem("`codecs` is empty: no call could be answered", "write [\"PCMU\", \"PCMA\"]"));
    }
}

/// A wish of protection by its word.
pub fn srtp(text: &str) -> Result<Srtp, String> {
    let known = Srtp::WORDS.into_iter().find(|(word, _)| *word == text);
    known.map(|(_, wish)| wish).ok_or_else(|| format!("`{text}` is no wish; {}", did_you_mean(text, Srtp::WORDS.map(|(word, _)| word))))
}

fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn ports(text: &str) -> Result<Ports, String> {
    if let Some(count) = text.strip_prefix(FREE_PORTS_PREFIX) {
        return count.parse().ok().filter(|count| *count > 0).map(Ports::Free).ok_or_else(|| format!("`{count}` is no number of ports"));
    }
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?)));
    match bounds {
        Some((first, last)) if first >= 1024 && first < last => Ok(Ports::Range(first..=last)),
        Some(_) => Err("the first port must be at least 1024 and below the last".into()),
        None => Err("it is no range of ports".into()),
    }
}

/// Reads the name of a codec.
///
/// # Errors
/// When we do not have it.
pub fn codec(text: &str) -> Result<Codec, String> {
    if text.eq_ignore_ascii_case("G729") {
        return Err("there is no library for G.729 whose licence would let us".to_owned());
    }
    Codec::named(text).ok_or_else(|| format!("`{text}` is no codec here; {}", did_you_mean(text, Codec::ALL.map(Codec::encoding))))
}

/// What [`codec`] reads.
pub const CODECS: &str = "\"PCMU\", \"PCMA\", \"G722\", \"opus\" or, on one machine, \"L16\"";

fn limits(section: &mut Section<'_>, calls: &mut Calls, out: &mut Vec<Problem>) {
    let count = |value: &Value<'_>| value.number(1..=MOST_CALLS).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    calls.limits.calls = section.read("max", calls.limits.calls, out, count);
    calls.limits.chats = section.read("max_chats", calls.limits.chats, out, count);
    calls.record = section.read("record", calls.record, out, Value::switch);
    calls.hold_music = section.maybe("hold_music", out, Value::text);
    calls.notices = notices::read(section, out);
}

fn folders(section: &mut Section<'_>, folders: &mut Folders, out: &mut Vec<Problem>) {
    for (key, folder) in [
        ("data", &mut folders.data),
        ("recordings", &mut folders.recordings),
        ("prompts", &mut folders.prompts),
        ("models", &mut folders.models),
        ("dialplans", &mut folders.dialplans),
    ] {
        *folder = section.read(key, folder.clone(), out, |value| value.text().map(PathBuf::from));
    }
}

/// Reads a database URL.
///
/// # Errors
/// When the scheme is unknown.
pub fn database(text: &str) -> Result<String, String> {
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("it begins with no known scheme".into()) }
}

fn speech(section: &mut Section<'_>, speech: &mut Speech, out: &mut Vec<Problem>) {
    speech.threads = small(section.read("threads", speech.threads.into(), out, |value| value.number(1..=MOST_SPEECH_THREADS)));
    speech.gives_way = section.read("gives_way", speech.gives_way, out, Value::switch);
    speech.live.extend(by_language(
        section,
        "live",
        out,
        "an engine: \"auto\", \"pocketsphinx\", \"whisper:<model>\", \"zipformer:<folder>\", \"http:<url>\", \"ws:<url>\" or \"off\"",
    ));
    speech.after_call = by_language(section, "after_call", out, "an engine: \"auto\", \"whisper:<model>\", \"http:<url>\" …");
    speech.voices = by_language(section, "voices", out, "a voice: \"espeak:<name>\", \"command:<line>\" or \"http:<url>\"");
}

fn by_language<T: FromStr<Err = String>>(
    section: &mut Section<'_>,
    key: &str,
    out: &mut Vec<Problem>,
    wanted: &str,
) -> BTreeMap<String, T> {
    let Some(mut table) = section.section(key, out) else { return BTreeMap::new() };
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(lang, value)| value.parsed(wanted, str::parse).map_err(|problem| out.push(problem)).ok().map(|engine| (lang, engine)))
        .collect()
}

impl FromStr for Engine {
    type Err = String;
    fn from_str(text: &str) -> Result<Engine, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match (kind, rest) {
            ("auto", "") => Ok(Engine::Auto),
            ("off", "") => Ok(Engine::Off),
            ("pocketsphinx", "") => Ok(Engine::Pocketsphinx),
            ("whisper" | "zipformer", "") => Err("the model's name is missing after the colon".into()),
            ("whisper", model) => Ok(Engine::Whisper(model.to_owned())),
            ("zipformer", model) => Ok(Engine::Zipformer(model.to_owned())),
            ("http" | "https", url) if url.starts_with("//") => Ok(Engine::Http(text.to_owned())),
            ("ws", url) if url.starts_with("//") => Ok(Engine::Ws(text.to_owned())),
            ("wss", _) => Err("wss: is not served; use ws: inside your network, or an https: engine".into()),
            _ => Err(format!(
                "`{kind}` is no engine; {}",
                did_you_mean(kind, ["auto", "pocketsphinx", "whisper", "zipformer", "http", "ws", "off"])
            )),
        }
    }
}

impl FromStr for Voice {
    type Err = String;
    fn from_str(text: &str) -> Result<Voice, String> {
        match text.split_once(':') {
            Some(("espeak", name)) if !name.is_empty() => Ok(Voice::Espeak(name.to_owned())),
            Some(("command", line)) if !line.is_empty() => Ok(Voice::Command(line.to_owned())),
            Some(("http" | "https", url)) if url.starts_with("//") => Ok(Voice::Http(text.to_owned())),
            _ => Err("it is no voice".into()),
        }
    }
}

fn numbers(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Vec<NumberLine> {
    const WANTED: &str = "\"plan:<id>\", \"queue:<name>\", \"agent:<user>\", \"ring:<group>\" or \"trunk:<name>\"";
    let mut lines = Vec::new();
    for (pattern, value) in section.entries() {
        let split = value.parsed(WANTED, |text| match text.split_once(':') {
            Some((kind @ ("plan" | "queue" | "agent" | "ring" | "trunk"), name)) if !name.is_empty() => {
                Ok((kind.to_owned(), name.to_owned()))
            }
            _ => Err("it names no target"),
        });
        match split {
            Ok((kind, name)) => {
                lines.push(NumberLine { problem: value.problem(format!("no {kind} is called `{name}`"), ""), pattern, kind, name })
            }
            Err(problem) => out.push(problem),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let mut out = Vec::new();
        assert_eq!(read("hotline.toml", "", &mut out), (Server::default(), Calls::default()));
        assert!(out.is_empty());
    }

    #[test]
    fn wrong_values_name_their_mend() {
        let mut out = Vec::new();
        let text = "[sip]\nlisten = [\"upd:0.0.0.0:5060\"]\n[media]\nports = \"9-5\"\n[speech.live]\nzh = \"wisper:x\"\n[numbers]\n\"1\" = \"que\"\n[aip]\n";
        read("hotline.toml", text, &mut out);
        let said: Vec<String> = out.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 5, "{said:#?}");
        assert!(said[0].contains("`upd` is no transport; did you mean `udp`?"), "{}", said[0]);
        assert!(said[1].contains("media.ports") && said[1].contains("20000-23999"), "{}", said[1]);
        assert!(said[2].contains("did you mean `whisper`?"), "{}", said[2]);
        assert!(said[4].contains("did you mean `api`?"), "{}", said[4]);
    }

    #[test]
    fn engines_and_voices_are_read() {
        assert_eq!("whisper:base-q8".parse(), Ok(Engine::Whisper("base-q8".into())));
        assert_eq!("http://h/v1".parse(), Ok(Engine::Http("http://h/v1".into())));
        assert_eq!("command:piper --model x".parse(), Ok(Voice::Command("piper --model x".into())));
        assert!("whisper:".parse::<Engine>().is_err());
    }

    #[test]
    fn folders_and_the_database_lie_below_home() {
        let mut server = Server::default();
        server.place_below(Path::new("/srv/hotline"));
        assert_eq!(server.folders.recordings, Path::new("/srv/hotline/recordings"));
        assert_eq!(server.database, "sqlite:/srv/hotline/data/hotline.db");
    }
}
