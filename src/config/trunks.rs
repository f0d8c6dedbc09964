//! Ways to the outside. Read from `sip-config/trunks.toml`.

use crate::control::sip::message::host_port;
use crate::control::words::directory::{Credentials, Trunk};
use crate::control::words::sip::{Secrecy, Whereabouts};

use super::problem::Problem;
use super::toml_file::{Section, TomlFile, Value};

/// Reads `[trunks.<name>]` tables.
pub fn read(name: &str, text: &str, out: &mut Vec<Problem>) -> Vec<Trunk> {
    let file = TomlFile::parse(name, text, out);
    let mut top = file.top();
    let mut trunks = Vec::new();
    if let Some(mut tables) = top.section("trunks", out) {
        for (name, value) in tables.entries() {
            match value.section() {
                Ok(section) => trunks.extend(trunk(&name, section, out)),
                Err(problem) => out.push(problem),
            }
        }
    }
    top.finish(out);
    trunks
}

fn trunk(name: &str, mut section: Section<'_>, out: &mut Vec<Problem>) -> Option<Trunk> {
    let wanted = "a name or an address such as \"sip.carrier.example\" or \"192.0.2.10:5060\"";
    let mend = "write where the far end is, remote = \"sip.carrier.example\" or \"192.0.2.10:5060\"";
    let remote = section.must("remote", mend, out, |value| value.parsed(wanted, far_end));
    let transport = section.maybe("transport", out, |value| value.parsed("\"udp\", \"tcp\" or \"tls\"", super::listen::transport));
    let sources = section.maybe("sources", out, |value| value.list(Value::ip));
    let user = section.maybe("user", out, Value::text);
    let password = section.maybe("password", out, Value::text);
    if user.is_some() != password.is_some() {
        out.push(section.problem("`user` and `password` belong together", "write both or none"));
    }
    section.finish(out);
    let remote = Whereabouts { transport, ..remote? };
    // Whom a name means may change: its calls are known by `sources` only.
    let own = remote.host.parse().into_iter().collect();
    let credentials = user.zip(password).map(|(user, password)| Credentials { user, password });
    Some(Trunk { name: name.to_owned(), remote, credentials, sources: sources.unwrap_or(own) })
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

    #[test]
    fn a_trunk_trusts_its_remote_unless_sources_are_named() {
        let mut out = Vec::new();
        let trunks = read("trunks.toml", "[trunks.pbx]\nremote = \"10.0.0.5:5060\"\nuser = \"u\"\npassword = \"p\"\n", &mut out);
        assert_eq!(out, []);
        assert_eq!(trunks[0].sources, ["10.0.0.5".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!((trunks[0].remote.port, trunks[0].remote.usual()), (Some(5060), Transport::Udp));
    }

    #[test]
    fn a_trunk_may_be_a_name_that_dns_knows() {
        let mut out = Vec::new();
        let text = "[trunks.carrier]\nremote = \"SIP.carrier.example\"\ntransport = \"tls\"\n[trunks.six]\nremote = \"2001:db8::5\"\n";
        let trunks = read("trunks.toml", text, &mut out);
        assert_eq!(out, []);
        assert_eq!((trunks[0].remote.host.as_str(), trunks[0].remote.wished()), ("sip.carrier.example", Some(Transport::Tls)));
        assert_eq!((trunks[0].sources.len(), trunks[1].sources.len()), (0, 1));
        assert!(read("trunks.toml", "[trunks.x]\nremote = \"a b\"\n", &mut out).is_empty());
        assert!(out[0].what.contains("forbidden character"), "{out:?}");
    }

    #[test]
    fn a_trunk_without_remote_or_with_half_credentials_is_refused() {
        let mut out = Vec::new();
        assert!(read("trunks.toml", "[trunks.pbx]\nuser = \"u\"\n", &mut out).is_empty());
        assert_eq!(out.len(), 2);
    }
}
