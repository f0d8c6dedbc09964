//! `hotline nlu eval --tone`: how well displeased sentences are told from pleased ones.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use super::Sentence;
use crate::nlu::sentiment::tone;

const DISPLEASED: &str = "0";
const PLEASED: &str = "1";

/// What was measured.
#[derive(Serialize)]
struct Figures {
    accuracy: f64,
    macro_f1: f64,
    /// Displeased sentences that were told, of all of them.
    recall: f64,
    /// Sentences taken for displeased that are.
    precision: f64,
    sentences: usize,
    /// Sentences without a word that has a tone; they count as pleased.
    toneless: usize,
    mean_us: f64,
}

/// Measures, prints, and writes the predictions where wished: label, score.
///
/// # Errors
/// A label that is neither 0 nor 1, or a file that cannot be written.
pub(super) fn eval(path: &Path, sentences: &[Sentence], out: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let (mut counts, mut toneless, mut text) = ([[0usize; 2]; 2], 0, String::new());
    let started = Instant::now();
    for sentence in sentences {
        let gold = match sentence.label.as_deref() {
            Some(DISPLEASED) => 0,
            Some(PLEASED) => 1,
            _ => bail!("{}:{}: the label is neither 0 (displeased) nor 1 (pleased)", path.display(), sentence.line),
        };
        let score = tone(&sentence.text).score;
        let told = usize::from(score >= 0.0);
        counts[gold][told] += 1;
        toneless += usize::from(score == 0.0);
        text += &format!("{told}\t{score:.4}\n");
    }
    let mean_us = started.elapsed().as_secs_f64() * 1e6 / sentences.len().max(1) as f64;
    if let Some(out) = out {
        std::fs::write(out, text).with_context(|| format!("{}: cannot be written", out.display()))?;
    }
    let figures = figures(&counts, toneless, mean_us);
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        print!("{}", table(&figures));
    }
    Ok(ExitCode::SUCCESS)
}

fn figures(counts: &[[usize; 2]; 2], toneless: usize, mean_us: f64) -> Figures {
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let sentences = counts.iter().flatten().sum();
    let f1 = |class: usize| {
        let other = 1 - class;
        share(2 * counts[class][class], 2 * counts[class][class] + counts[class][other] + counts[other][class])
    };
    Figures {
        accuracy: share(counts[0][0] + counts[1][1], sentences),
        macro_f1: (f1(0) + f1(1)) / 2.0,
        recall: share(counts[0][0], counts[0][0] + counts[0][1]),
        precision: share(counts[0][0], counts[0][0] + counts[1][0]),
        sentences,
        toneless,
        mean_us,
    }
}

fn table(figures: &Figures) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    format!(
        "{:<12}{:>9}{:>9}{:>11}{:>11}{:>9}\n{:<12}{:>9}{:>9}{:>11}{:>11}{:>9.1}\n{} sentences, {} without a word of tone (they count as pleased)\n",
        "",
        "accuracy",
        "macro-F1",
        "displeased",
        "precision",
        "µs",
        "tone",
        percent(figures.accuracy),
        percent(figures.macro_f1),
        percent(figures.recall),
        percent(figures.precision),
        figures.mean_us,
        figures.sentences,
        figures.toneless
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(label: &str, text: &str) -> Sentence {
        Sentence { label: Some(label.to_owned()), text: text.to_owned(), line: 7 }
    }

    #[test]
    fn s20_the_tone_of_a_public_set_is_told_better_than_by_the_usual_lexicon() {
        let Some(shared) = std::env::var_os("HOTLINE_SHARED") else { return println!("SKIPPED: HOTLINE_SHARED is not set") };
        let path = Path::new(&shared).join("data/nlu/sentiment_en_uci/test.tsv");
        let Ok(text) = std::fs::read_to_string(&path) else { return println!("SKIPPED: {} is missing", path.display()) };
        let mut counts = [[0usize; 2]; 2];
        for (label, text) in text.lines().filter_map(|line| line.split_once('\t')) {
            counts[usize::from(label == PLEASED)][usize::from(tone(text).score >= 0.0)] += 1;
        }
        let figures = figures(&counts, 0, 0.0);
        assert!(figures.accuracy >= 0.85, "{:.3}; VADER has 0.82", figures.accuracy);
    }

    #[test]
    fn s20_a_label_that_is_none_is_named_with_its_line() {
        let error = eval(Path::new("t.tsv"), &[sentence("7", "x")], None, false).unwrap_err().to_string();
        assert!(error.contains("t.tsv:7") && error.contains("neither 0"), "{error}");
    }
}
