//! The rows of the table.

use std::path::Path;
use std::sync::Arc;

use hotline::control::words::speech::Expect;
use hotline::speech::Engines;
use hotline::speech::engines::Engine;

use crate::clips::{self, Clip};
use crate::coffee::Coffee;
use crate::listen::{Meter, terms};

/// Prints the rows whose name holds `only`.
pub fn run(engines: &Arc<Engines>, data: &Path, only: Option<&str>) {
    let mut clips = clips::read(data);
    for clip in &mut clips {
        clip.pcm = clips::telephone(&clip.pcm);
    }
    let tasks: [(&str, &dyn Fn()); 2] = [
        ("coffee", &|| coffee(engines, data, &clips, Engine::Pocketsphinx)),
        ("digits", &|| digits(engines, &clips, Engine::Pocketsphinx)),
    ];
    for (name, task) in tasks {
        if only.is_none_or(|only| name.contains(only)) {
            task();
        }
    }
}

/// One line of the table.
fn row(name: &str, right: usize, all: usize, bar: &str, meter: &mut Meter) {
    let (cpu, end) = meter.costs();
    let result = format!("{:.1} % of {all}", 100.0 * right as f64 / all.max(1) as f64);
    println!("{name:<58} {result:>14} {bar:>8} {cpu:>12.4} {:>9.1} ms", end.as_secs_f64() * 1e3);
}

fn verbose() -> bool {
    std::env::var_os("HOTLINE_BENCH_VERBOSE").is_some()
}

fn coffee(engines: &Arc<Engines>, data: &Path, clips: &[Clip], engine: Engine) {
    let coffee = Coffee::read(data);
    let terms = terms("en-US", Expect::Sentence, &coffee.phrases(), Some(coffee.grammar()));
    let mut meter = Meter::new(engines, engine);
    if !meter.is_there() {
        return println!("coffee orders, {engine:?}: not there");
    }
    let (mut right, mut all, mut taken, mut other) = (0, 0, 0, 0);
    for clip in clips {
        let heard = meter.hear(&clip.pcm, &terms);
        let label = coffee.label(&clip.id);
        let slots = heard.as_ref().ok().map(|reading| coffee.slots(&reading.text));
        match &label {
            Some(_) => {
                all += 1;
                right += usize::from(slots == label);
            }
            None => {
                other += 1;
                taken += usize::from(heard.is_ok());
            }
        }
        if verbose() {
            let verdict = label.map_or("foreign", |label| if slots.as_ref() == Some(&label) { "right" } else { "wrong" });
            let heard = heard.map(|reading| (reading.confidence, reading.text));
            println!("{verdict}\t{}\t{heard:?}\t{}", clip.id, clip.text);
        }
    }
    row(&format!("coffee orders, every slot exact, {engine:?}"), right, all, ">= 87 %", &mut meter);
    row(&format!("  other clips taken for an order, {engine:?}"), taken, other, "<= 2 %", &mut meter);
}

fn digits(engines: &Arc<Engines>, clips: &[Clip], engine: Engine) {
    let terms = terms("en-US", Expect::Digits, &[], None);
    let mut meter = Meter::new(engines, engine);
    let mut right = 0;
    let digits: Vec<&Clip> = clips.iter().filter(|clip| clip.kind == "digit" && clip.lang == "en").collect();
    for clip in &digits {
        let heard = meter.hear(&clip.pcm, &terms);
        right += usize::from(heard.as_ref().is_ok_and(|reading| reading.text.replace("oh", "zero") == clip.text));
        if verbose() {
            println!("{}\t{:?}\t{}", clip.id, heard.map(|reading| (reading.confidence, reading.text)), clip.text);
        }
    }
    row(&format!("single digits, {engine:?}"), right, digits.len(), ">= 78 %", &mut meter);
}
