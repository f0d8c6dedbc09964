//! The rows of the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hotline::control::words::speech::Expect;
use hotline::media::codec::g711::{self, Law};
use hotline::speech::engines::Engine;
use hotline::speech::resample::resample;
use hotline::speech::segment::voiced_ms;
use hotline::speech::wav::Wav;
use hotline::speech::{Engines, RATE, Reading, Terms};

use crate::clips::{self, Clip};
use crate::coffee::Coffee;
use crate::coffee_calls::{self, Call, Kind, Shop};
use crate::listen::{Meter, terms};
use crate::{load, menus};

const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Longer speech is refused for its length where a digit is asked for, and would flatter the count.
const SHORT_MS: u32 = 2_000;

/// Prints the rows whose name holds `only`.
pub fn run(engines: &Arc<Engines>, data: &Path, only: Option<&str>) {
    let clips = telephone(data);
    let tasks: [(&str, &dyn Fn()); 12] = [
        ("calls", &calls),
        ("coffee", &|| coffee(engines, data, &clips, Engine::Pocketsphinx)),
        ("digits", &|| digits(engines, &clips, Engine::Pocketsphinx)),
        ("menus", &|| menus::run(engines, data, &clips)),
        ("words", &|| words(engines, &clips)),
        ("mini-whisper", &|| mini(engines, data)),
        ("free-zh", &|| free(engines, &clips, "zh")),
        ("free-en", &|| free(engines, &clips, "en")),
        ("zipformer-digits", &|| digits(engines, &clips, Engine::Zipformer)),
        ("quiet", &|| load::quiet(engines)),
        ("callers", &|| load::callers(engines, &clips, &Coffee::read(data).grammar(), &Coffee::read(data).phrases())),
        ("zipformer-coffee", &|| coffee(engines, data, &clips, Engine::Zipformer)),
    ];
    for (name, task) in tasks {
        if only.is_none_or(|only| name.starts_with(only)) {
            task();
        }
    }
}

/// All clips as a recognizer is given them at the end of a telephone line.
fn telephone(data: &Path) -> Vec<Clip> {
    let mut clips = clips::read(data);
    for clip in &mut clips {
        clip.pcm = resample(&clips::line(&clip.pcm), 8_000, RATE);
    }
    clips
}

/// Writes what the rows of free speech hear, for `reference.py`.
pub fn write_sounds(data: &Path, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let form = hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    for clip in telephone(data).iter().filter(|clip| is_free(clip)) {
        let other = |why: hound::Error| std::io::Error::other(why.to_string());
        let mut file = hound::WavWriter::create(folder.join(&clip.id).with_extension("wav"), form).map_err(other)?;
        clip.pcm.iter().try_for_each(|sample| file.write_sample(*sample)).map_err(other)?;
        file.finalize().map_err(other)?;
    }
    Ok(())
}

/// Sentences that no menu closes.
fn is_free(clip: &Clip) -> bool {
    ["read", "spontaneous", "speech", "command"].contains(&clip.kind.as_str())
}

/// One line of the table.
pub fn row(name: &str, right: usize, all: usize, bar: &str, meter: &mut Meter) {
    let (cpu, end) = meter.costs();
    let result = format!("{:.1} % of {all}", 100.0 * right as f64 / all.max(1) as f64);
    println!("{name:<58} {result:>14} {bar:>8} {cpu:>12.4} {:>9.1} ms", end.as_secs_f64() * 1e3);
}

/// Each clip's line, when HOTLINE_BENCH_VERBOSE is set.
pub fn tell<E: std::fmt::Debug>(verdict: &str, clip: &Clip, heard: &Result<Reading, E>) {
    if std::env::var_os("HOTLINE_BENCH_VERBOSE").is_some() {
        let heard = heard.as_ref().map(|reading| (reading.confidence, &reading.text, &reading.pinyin));
        println!("{verdict}\t{}\t{heard:?}\t{}", clip.id, clip.text);
    }
}

pub fn verdict(right: bool) -> &'static str {
    if right { "right" } else { "wrong" }
}

fn coffee(engines: &Arc<Engines>, data: &Path, clips: &[Clip], engine: Engine) {
    let coffee = Coffee::read(data);
    let terms = terms("en-US", Expect::Sentence, &coffee.phrases(), Some(coffee.grammar()));
    let mut meter = Meter::new(engines, engine);
    if !meter.is_there("en-US") {
        return println!("coffee orders, {engine:?}: not there");
    }
    let (mut right, mut all, mut taken, mut other) = (0, 0, 0, 0);
    for clip in clips {
        let heard = meter.hear(&clip.pcm, &terms);
        let slots = heard.as_ref().ok().map(|reading| coffee.slots(&reading.text));
        let Some(label) = coffee.label(&clip.id) else {
            other += 1;
            taken += usize::from(heard.is_ok());
            tell("foreign", clip, &heard);
            continue;
        };
        all += 1;
        let is_right = slots == Some(label);
        right += usize::from(is_right);
        tell(verdict(is_right), clip, &heard);
    }
    row(&format!("coffee orders, every slot exact, {engine:?}"), right, all, ">= 87 %", &mut meter);
    row(&format!("  other clips taken for an order, {engine:?}"), taken, other, "<= 2 %", &mut meter);
}

/// All clips over RTP against the real server.
fn calls() {
    let Some((clips, labels)) = coffee_calls::material() else { return };
    let mut shop = Shop::open(&clips);
    let count = |name: &str, part: usize, calls: &[Call]| {
        println!("{name:<58} {:>6.1} % of {}", 100.0 * part as f64 / calls.len().max(1) as f64, calls.len());
    };
    let orders = shop.call(coffee_calls::some(&clips, &labels, Kind::Orders, 1));
    count("calls: orders with every slot right", orders.iter().filter(|call| labels.is_right(call)).count(), &orders);
    let others = coffee_calls::some(&clips, &labels, Kind::Others, 1);
    let heard = shop.call(others.clone());
    count("calls: other speech taken for an order and asked back", heard.iter().filter(|call| !call.order.is_empty()).count(), &heard);
    count("calls: other speech that made a coffee", heard.iter().filter(|call| call.is_made).count(), &heard);
    let stubborn = shop.call(coffee_calls::stubborn(&orders, &others, &labels));
    count("calls: an order, then other speech taken for yes", stubborn.iter().filter(|call| call.is_made).count(), &stubborn);
    shop.close();
}

fn digits(engines: &Arc<Engines>, clips: &[Clip], engine: Engine) {
    let list: Vec<String> = DIGITS.iter().map(|digit| (*digit).to_owned()).collect();
    let grammar = format!("public <digit> = {} ;", DIGITS.join(" | "));
    let ways = [
        ("single digits, menu of ten", terms("en-US", Expect::Digits, &list, Some(grammar)), ">= 78 %"),
        ("single digits, strings asked for", terms("en-US", Expect::Digits, &[], None), ""),
    ];
    for (name, terms, bar) in ways {
        let mut meter = Meter::new(engines, engine);
        if !meter.is_there("en-US") {
            return println!("{name}, {engine:?}: not there");
        }
        let (mut right, mut all) = (0, 0);
        for clip in clips.iter().filter(|clip| clip.kind == "digit" && clip.lang == "en") {
            let heard = meter.hear(&clip.pcm, &terms);
            let is_right = heard.as_ref().is_ok_and(|reading| reading.text.replace("oh", "zero") == clip.text);
            tell(verdict(is_right), clip, &heard);
            all += 1;
            right += usize::from(is_right);
        }
        row(&format!("{name}, {engine:?}"), right, all, bar, &mut meter);
        taken_for_digits(clips, &terms, &mut meter);
    }
}

fn taken_for_digits(clips: &[Clip], terms: &Terms, meter: &mut Meter) {
    let (mut taken, mut other) = (0, 0);
    for clip in clips.iter().filter(|clip| !clip.kind.starts_with("digit") && voiced_ms(&clip.pcm) <= SHORT_MS) {
        let heard = meter.hear(&clip.pcm, terms);
        other += 1;
        taken += usize::from(heard.is_ok());
        tell("foreign", clip, &heard);
    }
    row("  other short clips taken for digits", taken, other, "", meter);
}

fn words(engines: &Arc<Engines>, clips: &[Clip]) {
    let mine: Vec<&Clip> = clips.iter().filter(|clip| clip.kind == "word" && clip.lang == "zh").collect();
    let mut list: Vec<String> = mine.iter().map(|clip| clip.text.clone()).collect();
    list.sort();
    list.dedup();
    let terms = terms("zh-CN", Expect::Sentence, &list, None);
    let mut meter = Meter::new(engines, Engine::Zipformer);
    if !meter.is_there("zh-CN") {
        return println!("Mandarin words: no zipformer");
    }
    let (mut right, mut taken, mut other) = (0, 0, 0);
    for clip in &mine {
        let heard = meter.hear(&clip.pcm, &terms);
        let is_right = heard.as_ref().is_ok_and(|reading| reading.text == clip.text);
        right += usize::from(is_right);
        tell(verdict(is_right), clip, &heard);
    }
    row(&format!("Mandarin words, closed list of {}, Zipformer", list.len()), right, mine.len(), ">= 90 %", &mut meter);
    for clip in clips.iter().filter(|clip| clip.lang != "zh") {
        let heard = meter.hear(&clip.pcm, &terms);
        other += 1;
        taken += usize::from(heard.as_ref().is_ok_and(|reading| list.contains(&reading.text)));
        tell("foreign", clip, &heard);
    }
    row("  English clips taken for one of them", taken, other, "<= 2 %", &mut meter);
}

fn mini(engines: &Arc<Engines>, data: &Path) {
    let folder = data.join("models/mini-whisper/wav");
    let Ok(list) = std::fs::read_to_string(folder.join("list.tsv")) else { return println!("mini-whisper: its recordings are missing") };
    for law in [Law::Mu, Law::A] {
        let mut meter = Meter::new(engines, Engine::Whisper);
        let (mut right, mut all) = (0, 0);
        for line in list.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let narrow = Wav::read(&folder.join(fields[0])).expect("each recording of the list is there").mono(8_000);
            let line: Vec<i16> = narrow.iter().map(|sample| g711::decode(law, g711::encode(law, *sample))).collect();
            let heard = meter.hear(&resample(&line, 8_000, RATE), &terms(fields[1], Expect::Sentence, &[], None));
            all += 1;
            right += usize::from(heard.is_ok_and(|reading| reading.text == fields[2]));
        }
        row(&format!("mini-whisper's sentences, synthetic voices, exact, {law:?}-law"), right, all, ">= 99 %", &mut meter);
    }
}

/// What another runtime made of the same clips (`reference.py`): clip, text.
const REFERENCE: &str = include_str!("reference.tsv");

/// Free text: syllables of pinyin or words that differ, by our runtime and by the other one.
fn free(engines: &Arc<Engines>, clips: &[Clip], lang: &str) {
    let mut meter = Meter::new(engines, Engine::Zipformer);
    if !meter.is_there(lang) {
        return println!("free speech, {lang}: no zipformer");
    }
    let terms = terms(lang, Expect::Sentence, &[], None);
    let reference: BTreeMap<&str, &str> = REFERENCE.lines().filter_map(|line| line.split_once('\t')).collect();
    let (mut wrong, mut theirs, mut all) = (0, 0, 0);
    for clip in clips.iter().filter(|clip| clip.lang == lang && is_free(clip)) {
        let heard = meter.hear(&clip.pcm, &terms);
        let said = if lang == "zh" { syllables(&clip.text) } else { words_of(&clip.text.to_lowercase()) };
        let got = heard.as_ref().map(|reading| reading.pinyin.clone().unwrap_or_else(|| reading.text.clone())).unwrap_or_default();
        wrong += distance(&said, &words_of(&got));
        theirs += distance(&said, &words_of(reference.get(clip.id.as_str()).copied().unwrap_or_default()));
        all += said.len();
        tell("free", clip, &heard);
    }
    row(&format!("free speech {lang}, words or syllables wrong, Zipformer"), wrong, all, "", &mut meter);
    let (ours, other) = (100.0 * wrong as f64 / all as f64, 100.0 * theirs as f64 / all as f64);
    println!("{:<58} {other:>10.1} % of {all}  (ours {:+.1}, bar within 1.0)", "  the same by the reference runtime", ours - other);
}

fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn syllables(text: &str) -> Vec<String> {
    use pinyin::ToPinyin;
    text.chars().filter_map(|c| Some(c.to_pinyin()?.plain().replace('ü', "v"))).collect()
}

fn distance(a: &[String], b: &[String]) -> usize {
    let mut line: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut corner = line[0];
        line[0] = row + 1;
        for (column, right) in b.iter().enumerate() {
            let change = corner + usize::from(left != right);
            corner = line[column + 1];
            line[column + 1] = change.min(corner + 1).min(line[column] + 1);
        }
    }
    line[b.len()]
}
