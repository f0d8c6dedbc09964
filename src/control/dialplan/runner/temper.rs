//! The customer's tone: from which one on a person must come in, and is he higher in the lines.

use super::hear::Heard;
use super::{Asked, Medium, Runner, Wait};
use crate::control::dialplan::plan::{Always, Upset};
use crate::control::dialplan::wish::Wish;
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::decision::TONE;
use crate::nlu::sentiment::{Mood, Tone, tone, tone_of_syllables};

/// What a recognizer is less sure of may be noise, or somebody else in the room.
const SURE_ENOUGH: f32 = 0.5;
/// The highest priority of a line.
const HIGHEST: u8 = 9;

/// How the customer sounds.
#[derive(Clone, Debug, Default)]
pub struct Temper {
    mood: Mood,
    /// So much higher is he in the lines.
    raised: u8,
    /// The lowest limit that was reached: a command leads away once, and a milder one not after it.
    reached: Option<f32>,
}

impl Runner {
    /// Hears a sentence. The command whose tone is reached by it, the angriest first.
    pub(super) fn upset_by(&mut self, heard: &Heard<'_>, out: &mut Vec<Wish>) -> Option<Always> {
        let is_watched = self.plan.flow.always.iter().any(|command| command.upset.is_some());
        let is_believed = self.memory.medium() == Medium::Chat || heard.confidence >= SURE_ENOUGH;
        // Words of a message are for whoever reads it.
        let is_message = matches!(self.asked(), Some(Asked::Words(_) | Asked::Contact(_)));
        if !is_watched || !is_believed || is_message || self.asks_secret() {
            return None;
        }
        let tone = tone_of(heard);
        self.memory.temper.mood.hear(tone);
        let (command, upset) = self.reached()?;
        let temper = &mut self.memory.temper;
        temper.reached = Some(upset.tone);
        temper.raised = temper.raised.max(upset.raise);
        out.push(Wish::Upset {
            command: command.name.clone(),
            text: heard.text.to_owned(),
            turn: self.memory.turn,
            tone: tone.temper,
            temper: self.memory.temper.mood.temper(),
            raise: upset.raise,
        });
        Some(command)
    }

    fn reached(&self) -> Option<(Always, Upset)> {
        let temper = &self.memory.temper;
        let is_new = |upset: &Upset| temper.reached.is_none_or(|reached| upset.tone < reached) && temper.mood.is_below(upset.tone);
        let below = self.plan.flow.always.iter().filter_map(|command| Some((command, command.upset.filter(is_new)?)));
        below.min_by(|left, right| left.1.tone.total_cmp(&right.1.tone)).map(|(command, upset)| (command.clone(), upset))
    }

    /// To the person whom the tone calls for.
    pub(super) fn goes_upset(&mut self, now: Time, command: &Always, text: &str, out: &mut Vec<Wish>) {
        let intents = vec![Scored { intent: command.name.clone(), score: 1.0 }];
        out.push(Wish::Understood { text: text.to_owned(), intents, decision: TONE.to_owned() });
        self.quiet_turn(out);
        self.memory.intent(&command.name);
        self.command(now, command, out);
    }

    /// A sentence while he waits in a line: he may have to go before others.
    pub(super) fn overheard(&mut self, heard: &Heard<'_>, out: &mut Vec<Wish>) {
        self.memory.turn += 1;
        self.memory.line("customer", heard.text);
        if self.upset_by(heard, out).is_some()
            && let Some(priority) = self.line_priority()
        {
            out.push(Wish::Raise { priority });
        }
    }

    /// A priority in a line with what the customer's tone adds to it.
    pub(super) fn raised(&self, priority: u8) -> u8 {
        priority.saturating_add(self.memory.temper.raised).min(HIGHEST)
    }

    /// Is he in a line?
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.wait, Wait::Queue)
    }
}

/// By its words, or by its sounds where the recognizer writes those.
fn tone_of(heard: &Heard<'_>) -> Tone {
    let written = tone(heard.text);
    match heard.pinyin.map(tone_of_syllables) {
        Some(spelt) if spelt.temper < written.temper => spelt,
        _ => written,
    }
}
