//! `hotline call`: a SIP phone for the command line. It calls or answers, speaks files, presses keys, records, and reports.

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgMatches, Command, FromArgMatches};
use tokio::sync::mpsc;

use crate::config::toml_file::duration;
use crate::control::words::media::Codec;
use crate::control::words::srtp::Srtp;
use crate::media::{Audio, Sound, wav};
use crate::net::tls::Servers;
use crate::phone::destination::Destination;
use crate::phone::line::Keeps;
use crate::phone::report::{EndedBy, Event, Report};
use crate::phone::script::{HangUp, Manners, Step};
use crate::phone::{self, Account, Keying, Options, Purpose, Registers, Trust};

const KEYS: &str = "0123456789*#ABCD";
const ANSWERED: u16 = 200;
const EXAMPLES: &str = "Examples:
  hotline call --to sip:4001010@127.0.0.1:5060 --wav question.wav --keys 2 --record heard.wav
      calls, says the file when the prompt is over, presses 2 when the next prompt is over
  hotline call --register --answer --user anna --password anna-2001 --server 127.0.0.1:5060 --tone 440:5s
      an agent's phone: registers, answers one call, sends a tone, stays until the caller hangs up
  hotline call --to sip:4001010@10.0.0.1 --wait 2s --keys 0 --hangup-after 10s --json
      presses 0 two seconds after the answer, into the prompt; reports as JSON
  hotline call show call_01JD2XH0ZK8M4V9Q6T3R5W7Y1B
      who said what to whom in a call of a running server; see hotline call show --help
  hotline call --to sip:4001010@10.0.0.1 --codec opus,PCMU --tone 1000:3s
      offers Opus before G.711; --json says which codec was agreed
  hotline call --to sips:4001010@10.0.0.1 --authorities data/tls/certificate.pem
      the same over TLS, to a server that made its certificate itself

Steps (--wav --keys --tone --hold --wait) are taken in the order they are written. Each begins when the far end has fallen
silent; a step right after --wait begins at once.

Exit status: 0 = the call was answered, 1 = it was not, 2 = the phone could not work.";

/// Places or answers a call as a real SIP and RTP phone.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// Whom to call: sip:user@host[:port][;transport=udp|tcp|tls|ws|wss], sips:user@host, or a number together with --server
    #[arg(long, value_name = "URI", required_unless_present_any = ["answer", "refuse"])]
    to: Option<String>,
    /// The server to register with, and the host of a bare number: [sips:]host[:port][;transport=tls]
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "to")]
    server: Option<String>,
    /// Our user name
    #[arg(long, default_value = "hotline-phone")]
    user: String,
    /// Our password, for a server that asks
    #[arg(long, env = "HOTLINE_PHONE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Register first
    #[arg(long)]
    register: bool,
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    steps: Steps,
    #[command(flatten)]
    manners: MannerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// What can be done with calls besides having one.
#[derive(clap::Subcommand, Debug)]
enum Other {
    Show(show::Args),
}

#[derive(clap::Args, Debug)]
struct TrustArgs {
    /// Over TLS: believe the certificates in this PEM file too, for instance a server's own data/tls/certificate.pem
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Over TLS: take any certificate
    #[arg(long, conflicts_with = "authorities")]
    insecure: bool,
}

#[derive(clap::Args, Debug)]
struct Role {
    /// Wait for calls and answer them instead of calling
    #[arg(long, conflicts_with_all = ["to", "refuse"])]
    answer: bool,
    /// Wait for calls and refuse them with this status
    #[arg(long, value_name = "STATUS", conflicts_with = "to", value_parser = clap::value_parser!(u16).range(400..=699))]
    refuse: Option<u16>,
    /// How long it rings before --answer answers
    #[arg(long, default_value = "1s", value_parser = duration)]
    ring: Duration,
    /// After so many calls --answer and --refuse end
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
}

#[derive(clap::Args, Debug)]
struct MannerArgs {
    /// Hang up so long after the last step, or "reply": when the far end has answered it; without this the far end hangs up
    #[arg(long, value_name = "SPAN|reply", value_parser = hang_up)]
    hangup_after: Option<HangUp>,
    /// Silence that counts as the end of the far end's words
    #[arg(long, default_value = "900ms", value_parser = duration)]
    pause: Duration,
    /// A far end that says nothing for so long is spoken to all the same
    #[arg(long, default_value = "8s", value_parser = duration)]
    patience: Duration,
    /// The longest call
    #[arg(long, default_value = "10m", value_parser = duration)]
    longest: Duration,
    /// Codecs, best first: PCMU, PCMA, G722, opus, and towards this machine L16
    #[arg(long, value_delimiter = ',', default_value = "PCMU,PCMA", value_parser = codec)]
    codec: Vec<Codec>,
    /// Cipher the sound: off, offered or required
    #[arg(long, default_value = "offered", value_parser = srtp)]
    srtp: Srtp,
    /// Where its keys come from: sdes (the description) or dtls (a handshake); without it the description within TLS, else a handshake
    #[arg(long, value_parser = keying)]
    keys_by: Option<Keying>,
    /// A header of the INVITE, "Name: value"; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
}

#[derive(clap::Args, Debug)]
struct OutputArgs {
    /// Keep what was heard (left) and said (right) in this WAV file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print one JSON object a call, nothing else
    #[arg(long)]
    json: bool,
}

/// Steps in the order of the command line, which clap's derive would lose.
#[derive(Debug)]
struct Steps(Vec<StepArg>);

#[derive(Clone, Debug)]
enum StepArg {
    Wav(PathBuf),
    Keys(String),
    Tone(u16, Duration),
    Hold(Duration),
    Wait(Duration),
}

impl clap::Args for Steps {
    fn augment_args(command: Command) -> Command {
        let step = |name: &'static str, value: &'static str, help: &'static str, read: fn(&str) -> Result<StepArg, String>| {
            clap::Arg::new(name).long(name).value_name(value).help(help).value_parser(read).action(clap::ArgAction::Append)
        };
        command
            .arg(step("wav", "FILE", "Say this WAV file", |text| Ok(StepArg::Wav(text.into()))))
            .arg(step("keys", "KEYS", "Press these keys (0-9 * # A-D)", keys))
            .arg(step("tone", "HERTZ:SPAN", "Send a tone, for instance 440:3s", tone))
            .arg(step("hold", "SPAN", "Put the far end on hold for so long", |text| span(text).map(StepArg::Hold)))
            .arg(step("wait", "SPAN", "Let so much time pass; the next step then comes at once", |text| span(text).map(StepArg::Wait)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Steps::augment_args(command)
    }
}

impl FromArgMatches for Steps {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Steps, clap::Error> {
        let mut found: Vec<(usize, StepArg)> = Vec::new();
        for name in ["wav", "keys", "tone", "hold", "wait"] {
            if let (Some(values), Some(places)) = (matches.get_many::<StepArg>(name), matches.indices_of(name)) {
                found.extend(places.zip(values.cloned()));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Steps(found.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Steps::from_arg_matches(matches)?;
        Ok(())
    }
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|error| error.to_string())
}

fn keys(text: &str) -> Result<StepArg, String> {
    match text.to_ascii_uppercase() {
        keys if !keys.is_empty() && keys.chars().all(|key| KEYS.contains(key)) => Ok(StepArg::Keys(keys)),
        _ => Err(format!("keys are {KEYS}")),
    }
}

fn tone(text: &str) -> Result<StepArg, String> {
    let (hertz, length) = text.split_once(':').ok_or("write HERTZ:SPAN, for instance 440:3s")?;
    Ok(StepArg::Tone(hertz.parse().map_err(|_| format!("`{hertz}` is no frequency"))?, span(length)?))
}

fn hang_up(text: &str) -> Result<HangUp, String> {
    if text == "reply" { Ok(HangUp::AfterReply) } else { span(text).map(HangUp::After) }
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::named(text).ok_or_else(|| "write PCMU, PCMA, G722, opus or, towards this machine, L16".to_owned())
}

fn keying(text: &str) -> Result<Keying, String> {
    match text {
        "sdes" => Ok(Keying::Sdes),
        "dtls" => Ok(Keying::Dtls),
        _ => Err("write sdes or dtls".into()),
    }
}

fn srtp(text: &str) -> Result<Srtp, String> {
    let known = Srtp::WORDS.into_iter().find(|(word, _)| *word == text);
    known.map(|(_, wish)| wish).ok_or_else(|| "write off, offered or required".into())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write \"Name: value\"")?;
    let clean = |part: &str| !part.contains(['\r', '\n']);
    if clean(name) && clean(value) && !name.trim().is_empty() {
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    } else {
        Err("it has a line break or no name".into())
    }
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or the phone cannot work.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Other::Show(args)) = &args.other {
        return show::run(args);
    }
    let folder = tempfile::tempdir().context("a temporary folder for the recording")?;
    let options = options(args, folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let reports = runtime.block_on(call(options, args.output.json))?;
    for (nth, report) in reports.iter().enumerate() {
        keep(report, nth, &args.output)?;
    }
    let wanted = if args.role.refuse.is_some() { 0 } else { ANSWERED };
    let good =
        !reports.is_empty() && reports.iter().all(|report| wanted == 0 || report.status == wanted && report.ended_by != EndedBy::Failed);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the phone; Ctrl-C and SIGTERM hang up.
async fn call(options: Options, json: bool) -> anyhow::Result<Vec<Report>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stop, quit) = mpsc::channel(1);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let watcher = tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send(()).await.ok();
    });
    let reports = phone::run(options, quit, |event| {
        if !json {
            println!("{}", sentence(event));
        }
    })
    .await?;
    watcher.abort();
    Ok(reports)
}

fn options(args: &Args, recordings: &Path) -> anyhow::Result<Options> {
    let purpose = match (args.role.answer, args.role.refuse) {
        (true, _) => Purpose::Answer { ring: args.role.ring, calls: args.role.calls },
        (false, Some(status)) => Purpose::Refuse { status, calls: args.role.calls },
        (false, None) => Purpose::Call,
    };
    let destination = match &args.to {
        Some(to) => Destination::read(to, args.server.as_deref())?,
        None => Destination::read(&args.user, args.server.as_deref())?,
    };
    let manners = &args.manners;
    Ok(Options {
        destination,
        account: Account {
            user: args.user.clone(),
            password: args.password.clone(),
            registers: if args.register { Registers::Yes } else { Registers::No },
        },
        purpose,
        steps: args.steps.0.iter().map(step).collect::<anyhow::Result<Vec<Step>>>()?,
        manners: Manners { patience: manners.patience, hang_up: manners.hangup_after.unwrap_or(HangUp::FarEnd), longest: manners.longest },
        pause: manners.pause,
        codecs: manners.codec.clone(),
        srtp: manners.srtp,
        keying: manners.keys_by.unwrap_or_default(),
        headers: manners.header.clone(),
        recordings: recordings.to_owned(),
        keeps: Keeps::Recordings,
        trust: Trust {
            authorities: args.trust.authorities.clone(),
            servers: if args.trust.insecure { Servers::Anyone } else { Servers::Verified },
        },
    })
}

fn step(arg: &StepArg) -> anyhow::Result<Step> {
    let say = |name: String, audio: Audio| Step::Say { name, sound: Sound::ready(audio) };
    Ok(match arg {
        StepArg::Wav(file) => say(file.display().to_string(), wav::read(file)?),
        StepArg::Tone(hertz, length) => {
            say(format!("{hertz} Hz"), Audio::tone(*hertz, u32::try_from(length.as_millis()).context("the tone is too long")?))
        }
        StepArg::Keys(keys) => Step::Keys(keys.clone()),
        StepArg::Hold(length) => Step::Hold(*length),
        StepArg::Wait(length) => Step::Wait(*length),
    })
}

/// Moves the recording to its place and prints the report.
fn keep(report: &Report, nth: usize, output: &OutputArgs) -> anyhow::Result<()> {
    let mut report = report.clone();
    let target = output.record.as_deref().map(|file| numbered(file, nth));
    if let (Some(from), Some(to)) = (&report.recording, &target) {
        std::fs::copy(from, to).with_context(|| format!("the recording cannot be written to {}", to.display()))?;
    }
    report.recording = report.recording.and(target);
    if output.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", summary(&report));
    }
    Ok(())
}

/// `out.wav`, then `out-2.wav`, `out-3.wav`.
fn numbered(file: &Path, nth: usize) -> PathBuf {
    if nth == 0 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map_or("wav".into(), |extension| extension.to_string_lossy());
    file.with_file_name(format!("{stem}-{}.{extension}", nth + 1))
}

/// An event as people read it.
#[must_use]
pub fn sentence(event: &Event) -> String {
    match event {
        Event::Registered => "registered".into(),
        Event::RegistrationFailed { status } => format!("registration refused: {status}"),
        Event::Calling => "calling".into(),
        Event::Ringing { status } => format!("ringing ({status})"),
        Event::Incoming { from } => format!("call from {from}"),
        Event::Answered { codec } => format!("answered, {codec}"),
        Event::FarBegan => "far end speaks".into(),
        Event::FarEnded => "far end is silent".into(),
        Event::FarGone => "no packet comes from the far end: asking whether it is still there".into(),
        Event::Said { name } => format!("saying {name}"),
        Event::Pressed { keys } => format!("pressing {keys}"),
        Event::Key { key } => format!("far end pressed {key}"),
        Event::Held { by } => format!("held by {by}"),
        Event::Ended { by } => format!("ended: {by:?}"),
    }
}

fn summary(report: &Report) -> String {
    let mut text = format!(
        "{} {}: status {}, ended by {:?}, talked {} ms\n",
        report.direction, report.peer, report.status, report.ended_by, report.talk_ms
    );
    if let Some(why) = report.why {
        text += &format!("the far end is gone: {why}\n");
    }
    let media = &report.media;
    if let Some(suite) = report.srtp {
        text.push_str(&format!("ciphered with {suite}\n"));
    }
    if let Some(codec) = &report.codec {
        text += &format!(
            "{codec}: {} packets in, {} lost, {} late, jitter {:.1} ms, {} out\n",
            media.received, media.lost, media.late, media.jitter_ms, media.sent
        );
    }
    if let Some(heard) = &report.heard {
        let tone =
            heard.hertz.map_or(String::new(), |hertz| format!(", strongest at {hertz} Hz ({:.0} % of the power)", 100.0 * heard.share));
        text += &format!("heard {:.1} dBFS{tone}\n", heard.dbfs);
    }
    if !report.keys_heard.is_empty() {
        text += &format!("keys heard: {}\n", report.keys_heard);
    }
    if let Some(file) = &report.recording {
        text += &format!("recorded {}\n", file.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::parsed;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        parsed(line)
    }

    #[test]
    fn steps_keep_the_order_of_the_command_line() {
        let args = parse("--to sip:1@127.0.0.1 --keys 1 --wav a.wav --wait 2s --keys 2# --tone 440:3s").unwrap();
        let said: Vec<String> = args.steps.0.iter().map(|step| format!("{step:?}")).collect();
        assert_eq!(said, ["Keys(\"1\")", "Wav(\"a.wav\")", "Wait(2s)", "Keys(\"2#\")", "Tone(440, 3s)"]);
    }

    #[test]
    fn wrong_arguments_are_refused_with_a_reason() {
        assert!(parse("--to sip:1@127.0.0.1 --keys 1x").unwrap_err().to_string().contains("keys are 0123456789*#ABCD"));
        assert!(parse("show call_x --json").is_ok() && parse("show").is_err());
        assert!(parse("--answer").is_err(), "a phone that waits needs a server");
        assert!(parse("--to sip:1@h --answer --server h").is_err());
        assert!(parse("--to sip:1@h --tone 440").unwrap_err().to_string().contains("HERTZ:SPAN"));
    }

    #[test]
    fn later_recordings_get_a_number() {
        assert_eq!(numbered(Path::new("/a/out.wav"), 0), Path::new("/a/out.wav"));
        assert_eq!(numbered(Path::new("/a/out.wav"), 2), Path::new("/a/out-3.wav"));
    }
}
