//! `hotline dialplan sim`: a conversation in the terminal, with how each sentence was understood.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{ArgMatches, Command, FromArgMatches};

use super::ear::Ear;
use super::{loaded_for_mocks, plan_named};
use crate::control::dialplan::sim::{Joined, Mock, Simulation, World};
use crate::control::dialplan::{Caller, Medium, Start};
use crate::control::time::Time;
use crate::control::words::Lang;

/// What a caller says who leaves a message.
const MESSAGE: std::time::Duration = std::time::Duration::from_secs(5);

/// Who calls, when, and what the outside answers.
#[derive(clap::Args, Debug)]
pub struct Sim {
    /// The plan's id
    plan: String,
    /// The caller's number
    #[arg(long, visible_alias = "phone")]
    caller: Option<String>,
    /// The caller's number in your own systems
    #[arg(long)]
    external_id: Option<String>,
    /// The language to begin with
    #[arg(long)]
    lang: Option<String>,
    /// As a chat: buttons instead of keys, no clock for silence
    #[arg(long)]
    chat: bool,
    /// The time it is, RFC 3339; now when not given
    #[arg(long)]
    clock: Option<jiff::Timestamp>,
    /// A lookup's answer: NAME=JSON, NAME=timeout, NAME=not_found or NAME=error
    #[arg(long)]
    mock: Vec<String>,
    /// The folder of recognizer models, for --wav
    #[arg(long, env = "HOTLINE_MODELS", default_value = "models")]
    models: PathBuf,
    #[command(flatten)]
    steps: Steps,
}

/// What the caller does first, in the order of the command line, which clap's derive would lose.
#[derive(Debug, Default)]
struct Steps(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Say(String),
    Press(String),
    Play(PathBuf),
    Wait,
}

/// Reads one value of an argument.
type Reads = fn(&str) -> Result<Step, String>;

/// The arguments that are steps: name, value, help.
const STEPS: [(&str, &str, &str, Reads); 3] = [
    ("say", "TEXT", "The caller says this before the terminal is read", |text| Ok(Step::Say(text.to_owned()))),
    ("keys", "KEYS", "The caller presses these keys (0-9 * #)", keys),
    ("wav", "FILE", "The caller plays this WAV file, and a recognizer hears it", |text| Ok(Step::Play(text.into()))),
];

fn keys(text: &str) -> Result<Step, String> {
    let good = !text.is_empty() && text.chars().all(|key| key.is_ascii_digit() || matches!(key, '*' | '#'));
    if good { Ok(Step::Press(text.to_owned())) } else { Err("keys are 0-9 * #".to_owned()) }
}

impl clap::Args for Steps {
    fn augment_args(command: Command) -> Command {
        STEPS.into_iter().fold(command, |command, (name, value, help, read)| {
            let step = clap::Arg::new(name).long(name).value_name(value).help(help).value_parser(read);
            command.arg(step.action(clap::ArgAction::Append))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Steps::augment_args(command)
    }
}

impl FromArgMatches for Steps {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Steps, clap::Error> {
        let mut found: Vec<(usize, Step)> = Vec::new();
        for (name, ..) in STEPS {
            if let (Some(values), Some(places)) = (matches.get_many::<Step>(name), matches.indices_of(name)) {
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

/// Runs the command.
///
/// # Errors
/// When there is no such plan, a mock is no JSON, or a clip of the command line cannot be heard.
pub fn run(dir: &Path, args: &Sim) -> anyhow::Result<ExitCode> {
    let loaded = loaded_for_mocks(dir)?;
    let plan = plan_named(&loaded, &args.plan)?;
    let mut world = World { recorded: Some(MESSAGE), ..World::default() };
    for mock in &args.mock {
        let (name, answer) = mock.split_once('=').with_context(|| format!("--mock {mock}: write NAME=JSON"))?;
        world.lookups.insert(name.to_owned(), mocked(answer).with_context(|| format!("--mock {mock}"))?);
    }
    let now = Time::from(args.clock.unwrap_or_else(jiff::Timestamp::now));
    let mut simulation = Simulation::new(plan, start_of(args), now, 1, world);
    let mut ear = Ear::new(args.models.clone());
    print_turn(&simulation);
    for step in &args.steps.0 {
        if simulation.runner().is_over() {
            return Ok(ExitCode::SUCCESS);
        }
        println!("{}", shown(step));
        take(&mut simulation, step, &mut ear).map_err(|why| anyhow!(why))?;
        print_turn(&simulation);
    }
    for line in std::io::stdin().lock().lines() {
        if simulation.runner().is_over() {
            break;
        }
        match take(&mut simulation, &typed(line?.trim()), &mut ear) {
            Ok(()) => print_turn(&simulation),
            Err(why) => print!("  {why}\n> "),
        }
    }
    println!();
    Ok(ExitCode::SUCCESS)
}

/// A line of the terminal.
fn typed(line: &str) -> Step {
    match (line.strip_prefix('#'), line.strip_prefix('@')) {
        _ if line.is_empty() => Step::Wait,
        (Some(keys), _) if !keys.is_empty() => Step::Press(keys.to_owned()),
        (_, Some(file)) if !file.is_empty() => Step::Play(file.into()),
        _ => Step::Say(line.to_owned()),
    }
}

fn shown(step: &Step) -> String {
    match step {
        Step::Say(text) => text.clone(),
        Step::Press(keys) => format!("#{keys}"),
        Step::Play(file) => format!("@{}", file.display()),
        Step::Wait => String::new(),
    }
}

fn take(simulation: &mut Simulation, step: &Step, ear: &mut Ear) -> Result<(), String> {
    match step {
        Step::Wait => drop(simulation.silence()),
        Step::Say(text) => drop(simulation.say(text)),
        Step::Press(keys) => drop(simulation.press(keys)),
        Step::Play(file) => {
            let clip = ear.hear(file, &simulation.runner().lang().clone())?;
            let sure = clip.confidence;
            println!("  heard: {} ({sure:.2})", if clip.text.is_empty() { "nothing that may be trusted" } else { &clip.text });
            match clip.text.is_empty() {
                true => drop(simulation.noise()),
                false => drop(simulation.hear(&clip.text, clip.pinyin, sure)),
            }
        }
    }
    Ok(())
}

fn start_of(args: &Sim) -> Start {
    let mut start = Start::voice();
    if args.chat {
        start.medium = Medium::Chat;
        "web".clone_into(&mut start.channel);
    }
    start.lang = args.lang.as_deref().map(Lang::new);
    if let Some(id) = &args.external_id {
        start.customer.insert("external_id".to_owned(), id.clone().into());
    }
    start.caller = Caller { phone: args.caller.clone(), external_id: args.external_id.clone() };
    start
}

fn mocked(answer: &str) -> anyhow::Result<Mock> {
    Ok(match answer {
        "timeout" => Mock::TimedOut,
        "not_found" => Mock::NotFound,
        "error" => Mock::Failed,
        json => Mock::Answer(serde_json::from_str(json).context("the answer is no JSON")?),
    })
}

/// One turn: understanding, nodes, values, words.
fn print_turn(simulation: &Simulation) {
    let Some(turn) = simulation.turns().last() else { return };
    if let Some((decision, intents)) = &turn.understood {
        let scores: Vec<String> = intents.iter().take(2).map(|scored| format!("{} {:.2}", scored.intent, scored.score)).collect();
        println!("  [{decision}] {}", scores.join(" · "));
    }
    if !turn.nodes.is_empty() {
        println!("  → {}", turn.nodes.join(" → "));
    }
    for (name, value) in &turn.slots {
        println!("  {name} = {value}");
    }
    turn.notes.iter().for_each(|note| println!("  · {note}"));
    for (channels, text) in &turn.sent {
        println!("  · to {}: {text}", channels.join("/"));
    }
    turn.said.iter().for_each(|text| println!("{text}"));
    if !turn.buttons.is_empty() {
        let buttons: Vec<String> = turn.buttons.iter().map(|(label, key)| format!("[{key}] {label}")).collect();
        println!("  {}", buttons.join("  "));
    }
    if let Some(Joined { queue, priority, context }) = &turn.queue {
        println!("  · waits in {queue}, priority {priority}, with {}", serde_json::Value::Object(context.clone()));
    }
    if let Some(end) = turn.end {
        println!("  · the end, {}", if end.contained { "contained" } else { "not contained" });
    } else {
        print!("> ");
        std::io::stdout().flush().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_command_line_keep_their_order_and_lines_of_the_terminal_mean_the_same() {
        let args: Sim = crate::commands::parsed("shop --keys 31 --say hello --wav a.wav --keys 2# --phone 4001").expect("arguments");
        let steps = ["#31", "hello", "@a.wav", "#2#"].map(typed);
        assert_eq!(args.steps.0, steps);
        assert_eq!((args.caller.as_deref(), typed("")), (Some("4001"), Step::Wait));
        assert!(crate::commands::parsed::<Sim>("shop --keys x").is_err());
    }

    #[test]
    fn a_clip_that_cannot_be_heard_says_what_is_missing() {
        let args: Sim = crate::commands::parsed("driver-hotline --wav nowhere.wav").expect("arguments");
        let why = run(Path::new("dialplans"), &args).expect_err("there is no clip").to_string();
        assert!(why.contains("nowhere.wav"), "{why}");
    }
}
