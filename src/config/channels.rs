//! Chat channels. Read from `[channels.<name>]` of `sip-config/hotline.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problem::{Problem, did_you_mean};
use super::toml_file::{Section, Value};

/// How long a message is tried to be delivered when nobody says otherwise.
const GIVE_UP: Duration = Duration::from_secs(72 * 3_600);
/// A secret is not shorter than this, in bytes.
const SECRET_BYTES: usize = 16;
/// The longest name.
const NAME_BYTES: usize = 64;
/// What calls are on: no chat channel is named so.
const OF_CALLS: [&str; 3] = ["phone", "voice", "internal"];
/// A secret that stands in the environment is written so.
const FROM_ENVIRONMENT: &str = "env:";
const KINDS: [&str; 2] = ["web", "http-hook"];

/// A chat channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Channel {
    /// The visitors of our own widget fetch their lines.
    Web,
    /// Lines are posted to an adapter's URL.
    Hook(Hook),
}

/// An adapter.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where lines are posted.
    pub url: String,
    /// What both sides sign with.
    pub secret: Vec<u8>,
    /// A line that could not be delivered for so long is given up.
    pub give_up: Duration,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({}, secret kept, {:?})", self.url, self.give_up)
    }
}

/// Reads the tables below `[channels]`.
pub fn read(section: &mut Section<'_>, out: &mut Vec<Problem>) -> BTreeMap<String, Channel> {
    let mut channels = BTreeMap::new();
    for (name, value) in section.entries() {
        if let Some(why) = bad_name(&name) {
            out.push(value.problem(why, "write a name such as [channels.wechat]"));
            continue;
        }
        match value.section() {
            Ok(table) => channels.extend(channel(table, out).map(|channel| (name, channel))),
            Err(problem) => out.push(problem),
        }
    }
    channels
}

fn bad_name(name: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' || letter == '-';
    if OF_CALLS.contains(&name) {
        return Some(format!("`{name}` is what calls are on"));
    }
    let good = !name.is_empty() && name.len() <= NAME_BYTES && name.chars().all(plain);
    (!good).then(|| format!("`{name}` is no channel's name: a to z, 0 to 9, _ and -, at most {NAME_BYTES}"))
}

fn channel(mut section: Section<'_>, out: &mut Vec<Problem>) -> Option<Channel> {
    let kind = section.must("kind", "write kind = \"web\" or kind = \"http-hook\"", out, |value| {
        value.parsed("\"web\" or \"http-hook\"", |text| match KINDS.iter().position(|kind| *kind == text) {
            Some(kind) => Ok(KINDS[kind]),
            None => Err(format!("`{text}` is no kind of channel; {}", did_you_mean(text, KINDS))),
        })
    });
    let found = match kind {
        Some("web") => Some(Channel::Web),
        Some(_) => hook(&mut section, out).map(Channel::Hook),
        // The other keys cannot be judged without the kind.
        None => return None,
    };
    section.finish(out);
    found
}

fn hook(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Option<Hook> {
    let url = section.must("url", "write where lines are posted, url = \"https://adapter.example/hotline\"", out, |value| {
        value.parsed("a URL such as \"https://adapter.example/hotline\"", url)
    });
    let mend = "write at least 16 characters that only the adapter knows, or secret = \"env:NAME\"";
    // `parsed` would print the value: a secret is not for the screen.
    let secret = section.must("secret", mend, out, |value| secret(&value.text()?).map_err(|why| value.problem(why, mend)));
    let give_up = section.read("give_up", GIVE_UP, out, Value::duration);
    Some(Hook { url: url?, secret: secret?, give_up })
}

fn url(text: &str) -> Result<String, String> {
    let parsed = reqwest::Url::parse(text).map_err(|why| why.to_string())?;
    match parsed.scheme() {
        "http" | "https" if parsed.has_host() => Ok(text.to_owned()),
        other => Err(format!("`{other}` is neither http nor https")),
    }
}

fn secret(text: &str) -> Result<Vec<u8>, String> {
    let secret = match text.strip_prefix(FROM_ENVIRONMENT) {
        Some(name) => std::env::var(name).map_err(|_| format!("the environment has no {name}"))?,
        None => text.to_owned(),
    };
    if secret.len() < SECRET_BYTES {
        return Err(format!("the secret is too short: it has {} bytes", secret.len()));
    }
    Ok(secret.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::server;

    fn said(text: &str) -> (BTreeMap<String, Channel>, Vec<String>) {
        let mut out = Vec::new();
        let (server, _) = server::read("hotline.toml", text, &mut out);
        (server.channels, out.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn channels_of_both_kinds_are_read() {
        let text = "[channels.web]\nkind = \"web\"\n[channels.wechat]\nkind = \"http-hook\"\nurl = \"http://10.0.0.7:9000/out\"\n\
                    secret = \"0123456789abcdef\"\ngive_up = \"2h\"\n";
        let (channels, problems) = said(text);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(channels["web"], Channel::Web);
        let Channel::Hook(hook) = &channels["wechat"] else { panic!("{channels:?}") };
        assert_eq!((hook.url.as_str(), hook.give_up), ("http://10.0.0.7:9000/out", Duration::from_secs(7_200)));
        assert!(!format!("{channels:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn each_mistake_names_its_line_and_mend() {
        let wrong = [
            ("[channels.a]\nkind = \"http-hok\"\n", "did you mean `http-hook`?"),
            ("[channels.a]\nurl = \"http://x/\"\n", "`kind` is missing"),
            ("[channels.a]\nkind = \"http-hook\"\nsecret = \"0123456789abcdef\"\n", "`url` is missing"),
            ("[channels.a]\nkind = \"http-hook\"\nurl = \"http://x/\"\n", "`secret` is missing"),
            ("[channels.a]\nkind = \"http-hook\"\nurl = \"ftp://x/\"\nsecret = \"0123456789abcdef\"\n", "neither http nor https"),
            ("[channels.a]\nkind = \"web\"\nurl = \"http://x/\"\n", "`url` is no known key"),
            ("[channels.phone]\nkind = \"web\"\n", "what calls are on"),
            ("[channels.\"A b\"]\nkind = \"web\"\n", "no channel's name"),
            ("[channels.a]\nkind = \"http-hook\"\nurl = \"http://x/\"\nsecret = \"env:HOTLINE_NOT_SET\"\n", "has no HOTLINE_NOT_SET"),
        ];
        for (text, wanted) in wrong {
            let (_, problems) = said(text);
            assert!(
                problems.iter().any(|problem| problem.contains(wanted) && problem.starts_with("hotline.toml:")),
                "{text}: {problems:?}"
            );
        }
        let (_, problems) = said("[channels.a]\nkind = \"http-hook\"\nurl = \"http://x/\"\nsecret = \"short-secret\"\n");
        assert!(problems[0].contains("too short") && !problems[0].contains("short-secret"), "{problems:?}");
    }
}
