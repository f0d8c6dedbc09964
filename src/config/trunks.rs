//! Ways to the outside. Read from `sip-config/trunks.toml`.

use crate::control::words::directory::{Credentials, Trunk};
use crate::control::words::sip::Transport;

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
    let remote = section.must("remote", "write the far end's address, remote = \"192.0.2.10:5060\"", out, Value::socket_address);
    let transport = section.read("transport", Transport::Udp, out, |value| {
        value.parsed("\"udp\" or \"tcp\"", |text| match text {
            "udp" => Ok(Transport::Udp),
            "tcp" => Ok(Transport::Tcp),
            _ => Err("it is no transport"),
        })
    });
    let sources = section.maybe("sources", out, |value| value.list(Value::ip));
    let user = section.maybe("user", out, Value::text);
    let password = section.maybe("password", out, Value::text);
    if user.is_some() != password.is_some() {
        out.push(section.problem("`user` and `password` belong together", "write both or none"));
    }
    section.finish(out);
    let remote = remote?;
    let credentials = user.zip(password).map(|(user, password)| Credentials { user, password });
    Some(Trunk { name: name.to_owned(), remote, transport, credentials, sources: sources.unwrap_or_else(|| vec![remote.ip()]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_trusts_its_remote_unless_sources_are_named() {
        let mut out = Vec::new();
        let trunks = read("trunks.toml", "[trunks.pbx]\nremote = \"10.0.0.5:5060\"\nuser = \"u\"\npassword = \"p\"\n", &mut out);
        assert_eq!(out, []);
        assert_eq!(trunks[0].sources, [trunks[0].remote.ip()]);
        assert_eq!(trunks[0].transport, Transport::Udp);
    }

    #[test]
    fn a_trunk_without_remote_or_with_half_credentials_is_refused() {
        let mut out = Vec::new();
        assert!(read("trunks.toml", "[trunks.pbx]\nuser = \"u\"\n", &mut out).is_empty());
        assert_eq!(out.len(), 2);
    }
}
