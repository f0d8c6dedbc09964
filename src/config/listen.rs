//! Where SIP is listened for, and TLS: `[[listen]]`, the short `[sip] listen`, and `[tls]`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::words::sip::Transport;

use super::problem::{Problem, did_you_mean};
use super::toml_file::{Section, Value};

/// Folder and names of the certificate that we make ourselves, below the data folder.
const OWN_FOLDER: &str = "tls";
const OWN_CERTIFICATE: &str = "certificate.pem";
const OWN_KEY: &str = "key.pem";
const WANTED: &str = "a transport and an address such as \"udp:0.0.0.0:5060\" or \"tls:0.0.0.0:5061\"";

/// One SIP socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// How SIP travels on it.
    pub transport: Transport,
    /// Where it is bound; port 0 = any free one.
    pub address: SocketAddr,
    /// What Via, Contact and SDP say instead.
    pub advertise: Option<Advertise>,
}

/// The address that peers are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advertise {
    /// The address.
    pub ip: IpAddr,
    /// The port, when it is another one than that of the socket.
    pub port: Option<u16>,
}

/// TLS of all secure sockets, and of the far ends we dial.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// The operator's certificate and key; without them we make our own in the data folder.
    pub files: Option<(PathBuf, PathBuf)>,
    /// Certificates of those who connect.
    pub clients: Clients,
    /// Authorities besides those of the system.
    pub authorities: Option<PathBuf>,
    /// Certificates of those we connect to.
    pub verify: Verify,
}

/// Must those who connect show a certificate?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clients {
    /// No.
    #[default]
    Off,
    /// Who has one shows it.
    Ask,
    /// Yes.
    Require,
}

/// Must those we connect to show a good certificate?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verify {
    /// Yes.
    #[default]
    Yes,
    /// No: for a PBX whose certificate nobody signed.
    No,
}

impl Tls {
    /// Certificate and key: the operator's, or where ours are made.
    #[must_use]
    pub fn files(&self, data: &Path) -> (PathBuf, PathBuf) {
        let own = || (data.join(OWN_FOLDER).join(OWN_CERTIFICATE), data.join(OWN_FOLDER).join(OWN_KEY));
        self.files.clone().unwrap_or_else(own)
    }

    /// Makes relative files stand below the home folder.
    pub fn place_below(&mut self, home: &Path) {
        if let Some((certificate, key)) = &mut self.files {
            (*certificate, *key) = (home.join(&*certificate), home.join(&*key));
        }
        if let Some(authorities) = &mut self.authorities {
            *authorities = home.join(&*authorities);
        }
    }
}

/// Reads `udp:0.0.0.0:5060`.
///
/// # Errors
/// When the transport or the address is unknown.
pub fn listener(text: &str) -> Result<Listen, String> {
    let (name, address) = text.split_once(':').ok_or("it has no colon")?;
    let address = address.parse().map_err(|_| format!("`{address}` is no IP address with a port"))?;
    Ok(Listen { transport: transport(name)?, address, advertise: None })
}

/// Reads `udp`, `tcp`, `tls`, `ws` or `wss`.
///
/// # Errors
/// Which are known.
pub fn transport(name: &str) -> Result<Transport, String> {
    let lower = name.to_ascii_lowercase();
    let fail = || format!("`{name}` is no transport; {}", did_you_mean(&lower, ["udp", "tcp", "tls", "ws", "wss"]));
    Transport::of_name(name).ok_or_else(fail)
}

/// Reads `[[listen]]` sections; `None` when there are none.
pub fn sections(top: &mut Section<'_>, out: &mut Vec<Problem>) -> Option<Vec<Listen>> {
    let value = top.value("listen")?;
    let sections = value.list(Value::section).map_err(|problem| {
        let mend = "write [[listen]] with `transport` and `address` below it, once for each socket";
        out.push(Problem { mend: mend.to_owned(), ..problem });
    });
    let read: Vec<Listen> = sections.ok()?.into_iter().filter_map(|section| one(section, out)).collect();
    Some(read)
}

fn one(mut section: Section<'_>, out: &mut Vec<Problem>) -> Option<Listen> {
    let kinds = "\"udp\", \"tcp\", \"tls\", \"ws\" or \"wss\"";
    let transport = section.must("transport", &format!("write transport = {kinds}"), out, |value| value.parsed(kinds, transport));
    let address = section.must("address", "write address = \"0.0.0.0:5060\"", out, Value::socket_address);
    let advertise =
        section.maybe("advertise", out, |value| value.parsed("an address such as \"203.0.113.7\", with or without a port", advertise));
    if let (Some(address), Some(told)) = (address, advertise)
        && told.ip.is_ipv4() != address.is_ipv4()
    {
        let what = format!("`advertise` is not of the family of {}: peers that reach the socket could not use it", address.ip());
        out.push(section.problem(what, "give each family its own [[listen]]"));
    }
    section.finish(out);
    Some(Listen { transport: transport?, address: address?, advertise })
}

fn advertise(text: &str) -> Result<Advertise, String> {
    let whole: Result<SocketAddr, _> = text.parse();
    match (whole, text.parse()) {
        (Ok(both), _) => Ok(Advertise { ip: both.ip(), port: Some(both.port()) }),
        (_, Ok(ip)) => Ok(Advertise { ip, port: None }),
        (Err(_), Err(_)) => Err("it is no IP address".to_owned()),
    }
}

/// Reads the short list of `[sip] listen`.
///
/// # Errors
/// The entry that is wrong.
pub fn short(value: &Value<'_>) -> Result<Vec<Listen>, Problem> {
    value.list(|entry| entry.parsed(WANTED, listener))
}

/// Two sockets that cannot both be opened.
pub fn check(listen: &[Listen], out: &mut Vec<Problem>, problem: impl Fn(String) -> Problem) {
    for (at, one) in listen.iter().enumerate() {
        let clash = |other: &&Listen| {
            let one_kind = one.transport.is_reliable() == other.transport.is_reliable();
            one_kind && one.address == other.address && one.address.port() != 0
        };
        if let Some(other) = listen[..at].iter().find(clash) {
            out.push(problem(format!("{} is wanted for {} and for {}", one.address, other.transport.token(), one.transport.token())));
        }
    }
}

/// Reads `[tls]`.
pub fn tls(section: &mut Section<'_>, tls: &mut Tls, out: &mut Vec<Problem>) {
    let certificate = section.maybe("certificate", out, Value::text);
    let key = section.maybe("key", out, Value::text);
    if certificate.is_some() != key.is_some() {
        out.push(
            section.problem("`certificate` and `key` belong together", "name both files, or none: then a certificate is made in data/tls"),
        );
    }
    tls.files = certificate.zip(key).map(|(certificate, key)| (certificate.into(), key.into()));
    tls.authorities = section.maybe("authorities", out, Value::text).map(PathBuf::from);
    tls.clients = section.read("clients", tls.clients, out, |value| {
        value.parsed("\"off\", \"ask\" or \"require\"", |text| match text {
            "off" => Ok(Clients::Off),
            "ask" => Ok(Clients::Ask),
            "require" => Ok(Clients::Require),
            other => Err(did_you_mean(other, ["off", "ask", "require"])),
        })
    });
    if !section.read("verify", tls.verify == Verify::Yes, out, Value::switch) {
        tls.verify = Verify::No;
    }
    if tls.clients != Clients::Off && tls.authorities.is_none() {
        out.push(
            section.problem("`clients` asks for certificates, but nobody is named who signs them", "write authorities = \"FILE.pem\""),
        );
    }
}

/// How short and how long a phone may register: `registration = ["60s", "1h"]` of `[sip]`.
pub fn registration(section: &mut Section<'_>, otherwise: (Duration, Duration), out: &mut Vec<Problem>) -> (Duration, Duration) {
    section.read("registration", otherwise, out, |value| match value.list(Value::duration)?[..] {
        [least, most] if SHORTEST <= least && least <= most && most <= LONGEST => Ok((least, most)),
        [_, _] => {
            Err(value
                .problem("these are no bounds of a registration", "write the shortest, at least \"5s\", and the longest, at most \"24h\""))
        }
        _ => Err(value.problem("two time spans belong here", "write the shortest and the longest, [\"60s\", \"1h\"]")),
    })
}

/// Phones that register more often than this do nothing else.
const SHORTEST: Duration = Duration::from_secs(5);
/// A phone that has gone is called for so long.
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::super::toml_file::TomlFile;
    use super::*;

    #[test]
    fn the_bounds_of_registrations_are_two_spans_in_order() {
        let read = |text: &str| {
            let mut out = Vec::new();
            let file = TomlFile::parse("hotline.toml", text, &mut out);
            let bounds = registration(&mut file.top(), (Duration::ZERO, Duration::ZERO), &mut out);
            (bounds, out.iter().map(ToString::to_string).collect::<String>())
        };
        assert_eq!(read("registration = [\"30s\", \"10m\"]"), ((Duration::from_secs(30), Duration::from_secs(600)), String::new()));
        for (bad, said) in
            [("[\"10m\", \"30s\"]", "no bounds"), ("[\"1s\", \"30s\"]", "no bounds"), ("[\"1m\"]", "two time spans"), ("60", "a list")]
        {
            let (bounds, problems) = read(&format!("registration = {bad}"));
            assert!(bounds.0.is_zero() && problems.contains(said) && problems.starts_with("hotline.toml:1:16"), "{bad}: {problems}");
        }
    }

    fn read(text: &str) -> (Option<Vec<Listen>>, String) {
        let mut out = Vec::new();
        let file = TomlFile::parse("hotline.toml", text, &mut out);
        let mut top = file.top();
        let listen = sections(&mut top, &mut out);
        let mut read = Tls::default();
        if let Some(mut section) = top.section("tls", &mut out) {
            tls(&mut section, &mut read, &mut out);
            section.finish(&mut out);
        }
        check(listen.as_deref().unwrap_or_default(), &mut out, |what| Problem::of_file("hotline.toml", what, ""));
        top.finish(&mut out);
        (listen, out.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn each_socket_has_its_section() {
        let text = "[[listen]]\ntransport = \"wss\"\naddress = \"[::]:443\"\nadvertise = \"2001:db8::1\"\n\
                    [[listen]]\ntransport = \"udp\"\naddress = \"0.0.0.0:5060\"\nadvertise = \"203.0.113.7:5062\"\n";
        let (listen, said) = read(text);
        assert_eq!(said, "");
        let listen = listen.unwrap();
        assert_eq!((listen[0].transport, listen[0].address.port()), (Transport::Wss, 443));
        assert_eq!(listen[1].advertise, Some(Advertise { ip: "203.0.113.7".parse().unwrap(), port: Some(5062) }));
    }

    #[test]
    fn what_is_wrong_with_a_socket_or_with_tls_is_said_with_its_mend() {
        let text = "[[listen]]\ntransport = \"tsl\"\naddres = \"0.0.0.0:1\"\n\
                    [[listen]]\ntransport = \"tcp\"\naddress = \"0.0.0.0:5061\"\nadvertise = \"::1\"\n\
                    [[listen]]\ntransport = \"tls\"\naddress = \"0.0.0.0:5061\"\n\
                    [tls]\ncertificate = \"a.pem\"\nclients = \"require\"\n";
        let (_, said) = read(text);
        for part in [
            "`tsl` is no transport; did you mean `tls`?",
            "`address` is missing",
            "did you mean `address`?",
            "not of the family of 0.0.0.0",
            "0.0.0.0:5061 is wanted for TCP and for TLS",
            "`certificate` and `key` belong together",
            "nobody is named who signs them",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
        assert!(read("listen = 5\n").1.contains("write [[listen]]"));
    }

    #[test]
    fn the_short_form_names_transport_and_address() {
        assert_eq!(listener("tls:127.0.0.1:0").unwrap().transport, Transport::Tls);
        assert!(listener("tls").unwrap_err().contains("colon"));
        assert!(listener("ws:host:5060").unwrap_err().contains("no IP address"));
    }
}
