//! `hotline load`: many callers at once, and what became of each of them.

mod outcomes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::mpsc;

use super::asking::Server;
use crate::config::toml_file::duration;
use crate::control::words::media::Gaps;
use crate::media::{Sound, wav};
use crate::phone::Options;
use crate::phone::crowd::{self, Plan, Tally, Wave};
use crate::phone::destination::Destination;
use crate::phone::line::Keeps;
use crate::phone::script::{Manners, Step};
use outcomes::Outcomes;

const EXAMPLES: &str = "Examples:
  hotline load --to sip:4003030@127.0.0.1:5060 --calls 60 --x4 --minutes 5 --say orders/ --keys 1 --home /srv/hotline
      60 callers at a time for a quarter of the time, then 240; each says one of the files when the first prompt is over, then presses 1
      after the next one; the server is asked afterwards what became of every session

It ends with 0 when every call was answered, 99 % of the packets came within 40 ms of each other, and every session was answered by
a person, done by the robot, or left a callback or a ticket.";
/// With --x4: so many times as many callers.
const RUSH: u16 = 4;
/// The part of the time before the rush.
const BEFORE_RUSH: f64 = 0.25;
/// The bar of the sound: between two packets, in milliseconds.
const WIDEST_GAP_MS: u16 = 40;
const SHARE: f64 = 0.99;
/// The numbers of the callers begin with this.
const CALLERS: &str = "load";

/// Calls with many callers at once and tells what became of them.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Whom they call: sip:number@host[:port][;transport=tcp]
    #[arg(long, value_name = "URI")]
    to: String,
    /// Callers at a time
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    calls: u16,
    /// After a quarter of the time four times as many
    #[arg(long)]
    x4: bool,
    /// How long new calls begin
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    minutes: f64,
    /// What callers say first: a WAV file, or a folder of them, of which each call takes another; may be repeated
    #[arg(long, value_name = "FILE|FOLDER")]
    say: Vec<PathBuf>,
    /// Keys they press when the next prompt is over; may be repeated
    #[arg(long, value_name = "KEYS")]
    keys: Vec<String>,
    /// A far end that says nothing for so long is spoken to all the same
    #[arg(long, default_value = "12s", value_parser = duration)]
    patience: Duration,
    /// The longest call: then the caller hangs up
    #[arg(long, default_value = "3m", value_parser = duration)]
    longest: Duration,
    /// Do not ask the server what became of the sessions
    #[arg(long)]
    blind: bool,
    /// Print one JSON object, nothing else
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

fn minutes(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|minutes| (0.05..=1_440.0).contains(minutes)).ok_or_else(|| "write minutes, 0.05 to 1440".to_owned())
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, sockets cannot be had, or the server cannot be asked.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let (options, plan) = (options(args, folder.path())?, plan(args)?);
    let asking = if args.blind { None } else { Some(args.server.asking()?) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = crate::clock::now();
    let tallies = runtime.block_on(call(options, plan, args.json))?;
    let outcomes = match &asking {
        Some(asking) => Some(runtime.block_on(outcomes::since(asking, began))?),
        None => None,
    };
    if args.json {
        println!("{}", serde_json::json!({"waves": tallies, "gaps_ms": gaps(&tallies).below(SHARE), "outcomes": outcomes}));
    } else {
        print!("{}", summary(&tallies, outcomes.as_ref()));
    }
    Ok(if is_good(&tallies, outcomes.as_ref()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn call(options: Options, plan: Plan, json: bool) -> anyhow::Result<Vec<Tally>> {
    let (stop, quit) = mpsc::channel(1);
    let watcher = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send(()).await.ok();
        }
    });
    let tallies = crowd::run(options, plan, quit, |tallies| {
        if !json {
            println!("{}", progress(tallies));
        }
    })
    .await?;
    watcher.abort();
    Ok(tallies)
}

fn options(args: &Args, folder: &Path) -> anyhow::Result<Options> {
    let plain = Options::plain(Destination::read(&args.to, None)?, CALLERS, folder.to_owned(), args.longest);
    let manners = Manners { patience: args.patience, ..plain.manners };
    Ok(Options { manners, keeps: Keeps::Reports, ..plain })
}

fn plan(args: &Args) -> anyhow::Result<Plan> {
    let whole = Duration::from_secs_f64(args.minutes * 60.0);
    let waves = if args.x4 {
        let before = whole.mul_f64(BEFORE_RUSH);
        vec![
            Wave { callers: args.calls, lasts: before },
            Wave { callers: args.calls.saturating_mul(RUSH), lasts: whole.saturating_sub(before) },
        ]
    } else {
        vec![Wave { callers: args.calls, lasts: whole }]
    };
    let keys = args.keys.iter().map(|keys| Step::Keys(keys.clone()));
    let first = said(&args.say)?;
    let scripts = match first.is_empty() {
        true => vec![keys.collect()],
        false => first.into_iter().map(|say| std::iter::once(say).chain(keys.clone()).collect()).collect(),
    };
    Ok(Plan { waves, scripts })
}

/// Every WAV file that is named, and those of the folders that are.
fn said(paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_wav(path)).collect();
            ensure!(!inside.is_empty(), "{} holds no .wav file", path.display());
            inside.sort();
            files.append(&mut inside);
        } else {
            files.push(path.clone());
        }
    }
    let step = |file: &PathBuf| Ok(Step::Say { name: file.display().to_string(), sound: Sound::ready(wav::read(file)?) });
    files.iter().map(step).collect()
}

fn is_wav(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"))
}

fn gaps(tallies: &[Tally]) -> Gaps {
    let mut all = Gaps::default();
    tallies.iter().for_each(|tally| all.merge(&tally.gaps));
    all
}

fn is_good(tallies: &[Tally], outcomes: Option<&Outcomes>) -> bool {
    let served = tallies.iter().all(|tally| tally.refused == 0 && tally.failed == 0 && tally.lost == 0);
    served
        && gaps(tallies).below(SHARE).is_some_and(|gap| gap <= WIDEST_GAP_MS)
        && outcomes.is_none_or(|outcomes| outcomes.lost.is_empty() && outcomes.hung_up == 0)
}

fn progress(tallies: &[Tally]) -> String {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (open, calls, refused, failed) = (sum(Tally::open), sum(|t| t.calls), sum(|t| t.refused), sum(|t| t.failed));
    format!("{calls} calls, {open} under way, {refused} refused, {failed} failed")
}

fn summary(tallies: &[Tally], outcomes: Option<&Outcomes>) -> String {
    let mut text = format!(
        "{:>6}{:>8}{:>8}{:>9}{:>8}{:>10}{:>7}{:>12}{:>14}{:>16}\n",
        "wave", "calls", "served", "refused", "failed", "packets", "lost", "gap p99 ms", "gap p99.9 ms", "longest setup ms"
    );
    for (at, tally) in tallies.iter().enumerate() {
        let gap = |share: f64| tally.gaps.below(share).map_or("> 200".to_owned(), |bound| format!("<= {bound}"));
        text += &format!(
            "{:>6}{:>8}{:>8}{:>9}{:>8}{:>10}{:>7}{:>12}{:>14}{:>16}\n",
            at + 1,
            tally.calls,
            tally.served,
            tally.refused,
            tally.failed,
            tally.packets,
            tally.lost,
            gap(SHARE),
            gap(0.999),
            tally.longest_setup_ms
        );
    }
    if let Some(outcomes) = outcomes {
        text += &outcomes.told();
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
    fn s36_the_rush_comes_after_a_quarter_of_the_time() {
        let plan = plan(&parse("--to sip:1@127.0.0.1 --calls 60 --x4 --minutes 4 --keys 1 --keys 2#").unwrap()).unwrap();
        let waves: Vec<_> = plan.waves.iter().map(|wave| (wave.callers, wave.lasts.as_secs())).collect();
        assert_eq!(waves, [(60, 60), (240, 180)]);
        assert_eq!(format!("{:?}", plan.scripts), r#"[[Keys("1"), Keys("2#")]]"#);
    }

    #[test]
    fn wrong_arguments_are_refused_with_a_reason() {
        assert!(parse("--to sip:1@h --calls 0").is_err());
        assert!(parse("--to sip:1@h --minutes x").unwrap_err().to_string().contains("write minutes"));
        let empty = tempfile::tempdir().unwrap();
        assert!(said(&[empty.path().to_owned()]).unwrap_err().to_string().contains("holds no .wav"));
    }

    #[test]
    fn s36_a_run_is_good_only_when_nobody_was_lost_and_the_sound_came_in_time() {
        let mut tally = Tally { calls: 3, served: 3, packets: 100, ..Tally::default() };
        (0..100).for_each(|_| tally.gaps.add(20.4));
        let lost = |ids: &[&str]| Outcomes { lost: ids.iter().map(ToString::to_string).collect(), ..Outcomes::default() };
        assert!(is_good(std::slice::from_ref(&tally), Some(&lost(&[]))));
        assert!(!is_good(std::slice::from_ref(&tally), Some(&lost(&["ses_1"]))));
        (0..2).for_each(|_| tally.gaps.add(45.0));
        assert!(!is_good(std::slice::from_ref(&tally), None), "2 of 102 gaps are above 40 ms");
        assert!(!is_good(&[Tally { failed: 1, ..Tally::default() }], None));
    }
}
