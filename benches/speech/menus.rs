//! Menus of whole sentences without a grammar of their own: what the embedded default takes and refuses, from people and from
//! synthetic voices, each beside speech that is not on the menu.

use std::path::Path;
use std::sync::Arc;

use hotline::control::words::speech::Expect;
use hotline::speech::engines::Engine;
use hotline::speech::resample::resample;
use hotline::speech::wav::Wav;
use hotline::speech::{Engines, RATE};

use crate::clips::Clip;
use crate::listen::{Meter, terms};
use crate::tasks::{row, tell, verdict};

/// Kinds of clips in which people read or say whole sentences.
const SENTENCES: [&str; 3] = ["read", "command", "speech"];

/// Below this confidence a menu asks back.
const ASKED_BACK: f32 = 0.35;

/// Both menus.
pub fn run(engines: &Arc<Engines>, data: &Path, clips: &[Clip]) {
    let mut meter = Meter::new(engines, Engine::Pocketsphinx);
    if !meter.is_there("en-US") {
        return println!("menus of sentences: no PocketSphinx");
    }
    let (people, others): (Vec<&Clip>, Vec<&Clip>) =
        clips.iter().partition(|clip| clip.lang == "en" && SENTENCES.contains(&clip.kind.as_str()));
    menu(engines, "people", &people, &others);
    let synthetic = synthetic(data);
    let foreign: Vec<&Clip> = people.iter().chain(&others).copied().collect();
    menu(engines, "espeak-ng", &synthetic.iter().collect::<Vec<_>>(), &foreign);
}

fn menu(engines: &Arc<Engines>, who: &str, meant: &[&Clip], others: &[&Clip]) {
    let plain = |text: &str| text.to_lowercase().trim_matches(['.', '?', '!']).to_owned();
    let mut phrases: Vec<String> = meant.iter().map(|clip| plain(&clip.text)).collect();
    phrases.sort();
    phrases.dedup();
    let terms = terms("en-US", Expect::Sentence, &phrases, None);
    let mut meter = Meter::new(engines, Engine::Pocketsphinx);
    let (mut right, mut wrong) = (0, 0);
    for clip in meant {
        let heard = meter.hear(&clip.pcm, &terms);
        let is_right = heard.as_ref().is_ok_and(|reading| reading.text == plain(&clip.text));
        right += usize::from(is_right);
        wrong += usize::from(heard.is_ok() && !is_right);
        tell(verdict(is_right), clip, &heard);
    }
    row(&format!("menu of {} sentences, {who}, exact", phrases.len()), right, meant.len(), "", &mut meter);
    row(&format!("  taken for another sentence, {who}"), wrong, meant.len(), "", &mut meter);
    let (mut taken, mut doubted) = (0, 0);
    for clip in others {
        let heard = meter.hear(&clip.pcm, &terms);
        let is_doubted = heard.as_ref().is_ok_and(|reading| reading.confidence < ASKED_BACK);
        doubted += usize::from(is_doubted);
        taken += usize::from(heard.is_ok() && !is_doubted);
        tell("foreign", clip, &heard);
    }
    row("  other people's clips taken for one of them", taken, others.len(), "<= 2 %", &mut meter);
    row("  and asked back", doubted, others.len(), "", &mut meter);
}

/// The fixture model's English recordings: G.711 as they are; strings of digits are no menu.
fn synthetic(data: &Path) -> Vec<Clip> {
    let folder = data.join("models/mini-whisper/wav");
    let list = std::fs::read_to_string(folder.join("list.tsv")).unwrap_or_default();
    let lines = list.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    lines
        .filter(|fields| fields[1] == "en" && !fields[2].contains(|c: char| c.is_ascii_digit()))
        .map(|fields| {
            let narrow = Wav::read(&folder.join(fields[0])).expect("each recording of the list is there").mono(8_000);
            let pcm = resample(&narrow, 8_000, RATE);
            Clip { id: format!("{}:{}", fields[0], fields[3]), lang: "en".into(), kind: "menu".into(), text: fields[2].into(), pcm }
        })
        .collect()
}
