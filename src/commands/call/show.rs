//! `hotline call show`: the SIP messages of one of the latest calls of a running server, as a ladder, as JSON or as a capture file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::api::signalling::{Message, Signalling};
use crate::commands::asking::Server;
use crate::commands::on_runtime;

const EXAMPLES: &str = "Examples:
  hotline call show call_01JD2XH0ZK8M4V9Q6T3R5W7Y1B
      who said what to whom, and when
  hotline call show 1-4711@192.0.2.7 --pcap call.pcap
      one dialog by its SIP Call-ID, as a file for tcpdump and Wireshark
  hotline call show call_01JD… --json --home /srv/hotline

The latest calls are kept in memory, without credentials and without what was keyed or written.";
/// The widest column of a ladder, in characters.
const COLUMN: usize = 34;
/// More far ends share the last column.
const MOST_ENDS: usize = 4;
/// Room for the time at the left.
const MARGIN: usize = 11;

/// Shows the signalling of a call.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The call (call_…), or the SIP Call-ID of one of its dialogs
    #[arg(value_name = "ID")]
    id: String,
    /// Print JSON instead of a ladder
    #[arg(long, conflicts_with = "pcap")]
    json: bool,
    /// Write a capture file
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be asked, does not know the call, or the file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    on_runtime(show(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(args: &Args) -> anyhow::Result<()> {
    let asking = args.server.asking()?;
    let path = format!("/v1/calls/{}/signalling", percent_encoding::utf8_percent_encode(&args.id, percent_encoding::NON_ALPHANUMERIC));
    if let Some(file) = &args.pcap {
        let bytes = asking.get(&format!("{path}/pcap")).await?.bytes().await?;
        return std::fs::write(file, &bytes).with_context(|| format!("cannot write {}", file.display()));
    }
    let text = asking.get(&path).await?.text().await?;
    if args.json {
        println!("{text}");
        return Ok(());
    }
    let signalling: Signalling = serde_json::from_str(&text).context("the server's answer is not that of this version")?;
    print!("{}", ladder(&signalling));
    Ok(())
}

/// The messages between us and each far end, one a line, the time since the first at the left.
fn ladder(signalling: &Signalling) -> String {
    let messages = &signalling.messages;
    let mut ends: Vec<&str> = Vec::new();
    for message in messages {
        if !ends.contains(&&*message.remote) && ends.len() < MOST_ENDS {
            ends.push(&message.remote);
        }
    }
    let mut out = format!("{}: {} messages, times in seconds since the first\n", signalling.call, messages.len());
    out += &" ".repeat(MARGIN);
    out += &std::iter::once("hotline").chain(ends.iter().copied()).map(|name| format!("{name:<COLUMN$}")).collect::<String>();
    out = out.trim_end().to_owned() + "\n";
    let first = messages.first().and_then(|message| seconds(&message.at));
    for message in messages {
        let since = seconds(&message.at).zip(first).map_or(0.0, |(at, first)| at - first);
        let end = ends.iter().position(|end| *end == message.remote).unwrap_or(ends.len() - 1);
        out += &format!("{since:>9.3}  {}\n", rung(message, end, ends.len()));
    }
    if signalling.left_out > 0 {
        out += &format!("and {} more that are not kept\n", signalling.left_out);
    }
    out
}

/// One arrow, from the line of ours to that of the far end.
fn rung(message: &Message, end: usize, ends: usize) -> String {
    let mut row: Vec<char> = vec![' '; ends * COLUMN + 1];
    for line in 0..=ends {
        row[line * COLUMN] = '|';
    }
    let to = (end + 1) * COLUMN;
    row[1..to].fill('-');
    let outward = message.direction == "out";
    row[if outward { to - 1 } else { 1 }] = if outward { '>' } else { '<' };
    let label: String = label(message).chars().take(COLUMN - 6).collect();
    let start = to - COLUMN + (COLUMN - label.chars().count()) / 2;
    for (at, letter) in label.chars().enumerate() {
        row[start + at] = letter;
    }
    row.into_iter().collect()
}

/// `INVITE`, `200 OK`; over what, when it is not UDP.
fn label(message: &Message) -> String {
    let words = message.line.strip_prefix("SIP/2.0 ").unwrap_or_else(|| message.line.split(' ').next().unwrap_or_default());
    let described = if message.text.contains("\r\n\r\nv=0") { " SDP" } else { "" };
    let over = if message.transport == "UDP" { String::new() } else { format!(" {}", message.transport) };
    format!(" {words}{described}{over} ")
}

fn seconds(at: &str) -> Option<f64> {
    let at: jiff::Timestamp = at.parse().ok()?;
    Some(at.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at: &str, direction: &str, remote: &str, line: &str) -> Message {
        Message {
            at: format!("2026-11-21T18:00:{at}Z"),
            direction: direction.to_owned(),
            transport: "UDP".to_owned(),
            local: "10.0.0.1:5060".to_owned(),
            remote: remote.to_owned(),
            line: line.to_owned(),
            text: format!("{line}\r\n\r\n"),
        }
    }

    #[test]
    fn a_ladder_has_a_line_for_each_end_and_an_arrow_for_each_message() {
        let messages = vec![
            message("00.000", "in", "192.0.2.7:5060", "INVITE sip:1@h SIP/2.0"),
            message("00.002", "out", "192.0.2.7:5060", "SIP/2.0 100 Trying"),
            message("01.500", "out", "10.0.0.9:5070", "INVITE sip:2@h SIP/2.0"),
        ];
        let text = ladder(&Signalling { call: "call_x".to_owned(), messages, left_out: 2 });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("hotline") && lines[1].contains("192.0.2.7:5060") && lines[1].contains("10.0.0.9:5070"), "{text}");
        assert!(lines[2].contains("|<") && lines[2].contains("INVITE") && lines[2].starts_with("    0.000"), "{text}");
        assert!(lines[3].contains("100 Trying") && lines[3].contains(">|"), "{text}");
        assert!(lines[4].starts_with("    1.500") && lines[4].find("INVITE") > lines[2].find("INVITE"), "{text}");
        assert!(lines[5].contains("2 more"), "{text}");
        assert!(ladder(&Signalling { call: "c".to_owned(), messages: Vec::new(), left_out: 0 }).contains("0 messages"));
    }
}
