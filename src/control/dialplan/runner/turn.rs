//! Speaking, putting questions, and the ladders for silence and for words that are not understood.

use std::sync::Arc;
use std::time::Duration;

use super::hear::Heard;
use super::phrases::{Phrase, filled};
use super::{Asked, Ear, Medium, More, Question, Runner, Tries, Wait, longest_play};
use crate::control::dialplan::hints;
use crate::control::dialplan::plan::{PickUp, SlotType, Target};
use crate::control::dialplan::wish::Wish;
use crate::control::time::Time;
use crate::control::words::decision::REPROMPT;
use crate::control::words::media::{BargeIn, Prompt};
use crate::control::words::speech::{Expect, Hints, Listening};
use crate::control::words::{PlayId, TurnId};

/// Silence that ends an utterance, by what is asked for.
const END_OF_SENTENCE: Duration = Duration::from_millis(700);
const END_OF_DIGITS: Duration = Duration::from_millis(1_400);
/// The same, when what was said is complete.
const END_OF_ALL: Duration = Duration::from_millis(400);
/// The longest utterance.
const LONGEST: Duration = Duration::from_secs(20);
/// After the caller began to speak, a result must come by then.
const RESULT_WAIT: Duration = Duration::from_secs(40);
/// A pause between keys.
pub(super) const KEY_PAUSE: Duration = Duration::from_secs(3);
/// A chat's survey is not waited for longer.
const CHAT_SURVEY: Duration = Duration::from_secs(600);

impl Runner {
    /// Speaks what is pending. Nothing may play.
    pub(super) fn speak(&mut self, now: Time, out: &mut Vec<Wish>) {
        let prompts = std::mem::take(&mut self.voice.pending);
        if !prompts.is_empty() {
            let barge_in = match self.plan.defaults.barge_in {
                BargeIn::Off => BargeIn::Off,
                _ => BargeIn::Dtmf,
            };
            self.say(now, prompts, barge_in, Vec::new(), out);
        }
    }

    fn say(&mut self, now: Time, prompts: Vec<Prompt>, barge_in: BargeIn, buttons: Vec<(String, String)>, out: &mut Vec<Wish>) {
        for prompt in &prompts {
            if let Prompt::Text { text, .. } = prompt {
                self.memory.line("bot", text);
            }
        }
        let play = PlayId::new(now, &mut self.random);
        if self.memory.medium() == Medium::Voice {
            self.voice.playing = Some(play);
            self.clocks.play = Some(now + longest_play(&prompts));
        }
        out.push(Wish::Say { play, prompts, barge_in, buttons });
    }

    /// Speaks what is pending as soon as nothing plays; `false`: it must be waited for.
    pub(super) fn may_speak(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        if self.voice.pending.is_empty() {
            return true;
        }
        if self.voice.playing.is_some() {
            self.wait = Wait::Quiet;
            return false;
        }
        self.speak(now, out);
        true
    }

    /// Speaks what is pending and waits for its end; `true` when all is said.
    pub(super) fn said_all(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        if self.voice.playing.is_none() {
            self.speak(now, out);
        }
        if self.voice.playing.is_some() {
            self.wait = Wait::Quiet;
        }
        self.voice.playing.is_none()
    }

    /// A playback ended or was barged into.
    pub(super) fn prompt_finished(&mut self, now: Time, play: PlayId, out: &mut Vec<Wish>) {
        if self.voice.playing != Some(play) {
            return;
        }
        self.voice.playing = None;
        self.clocks.play = None;
        match &self.wait {
            Wait::Quiet => self.wait = Wait::Nothing,
            Wait::Ending => self.finish(now, out),
            Wait::Answer(question) => {
                let listens_late = matches!(question.barge_in, BargeIn::Off | BargeIn::Dtmf);
                if listens_late && self.voice.turn.is_none() {
                    self.listen(now, out);
                }
                self.start_silence(now);
            }
            _ => {}
        }
    }

    fn start_silence(&mut self, now: Time) {
        let Wait::Answer(question) = &self.wait else { return };
        self.clocks.answer = match (self.memory.medium(), &question.kind) {
            (Medium::Voice, _) if self.clocks.answer.is_none() => Some(now + self.plan.defaults.no_input.0),
            (Medium::Voice, _) => self.clocks.answer,
            (Medium::Chat, Asked::Survey(_)) => Some(now + CHAT_SURVEY),
            (Medium::Chat, _) => None,
        };
    }

    /// Puts a question: what is pending is said before it. Waits for quiet by itself.
    pub(super) fn ask(&mut self, now: Time, kind: Asked, mut prompts: Vec<Prompt>, buttons: Vec<(String, String)>, out: &mut Vec<Wish>) {
        if self.hands_over(now, out) {
            return;
        }
        self.flow.asked = true;
        if self.voice.ear == Ear::Shut {
            let question = Question { kind, prompts, buttons, barge_in: self.plan.defaults.barge_in, keys: String::new() };
            self.wait = Wait::Answer(Box::new(question));
            self.ask_for_keys(now, out);
            return;
        }
        let mut all = std::mem::take(&mut self.voice.pending);
        all.append(&mut prompts.clone());
        if prompts.is_empty() {
            prompts.clone_from(&all);
        }
        let question = Question { kind, prompts, buttons: buttons.clone(), barge_in: self.plan.defaults.barge_in, keys: String::new() };
        let barge_in = question.barge_in;
        self.wait = Wait::Answer(Box::new(question));
        self.clocks.answer = None;
        if all.is_empty() {
            self.start_silence(now);
        } else {
            self.say(now, all, barge_in, buttons, out);
        }
        if matches!(barge_in, BargeIn::Vad | BargeIn::Words) || self.voice.playing.is_none() {
            self.listen(now, out);
        }
        if self.memory.medium() == Medium::Chat {
            self.start_silence(now);
        }
        self.hear_ahead(now, out);
    }

    /// Keys and chat lines that came before the question count as its answer.
    fn hear_ahead(&mut self, now: Time, out: &mut Vec<Wish>) {
        let typed = std::mem::take(&mut self.voice.typed_ahead);
        for (at, key) in typed.char_indices() {
            if !matches!(self.wait, Wait::Answer(_)) {
                typed[at..].clone_into(&mut self.voice.typed_ahead);
                return;
            }
            self.pressed(now, key, out);
        }
        if let Some((text, meanings)) = self.voice.said_ahead.pop_front().filter(|_| matches!(self.wait, Wait::Answer(_))) {
            let medium = self.nlu_medium();
            self.said(now, Heard { text: &text, pinyin: None, meanings: &meanings, confidence: 1.0, medium }, out);
        }
    }

    /// Must the step wait before it may put a question? What comes before the first question of a call that is answered only then is
    /// heard out: the question's own prompt is where the caller begins to pay.
    pub(super) fn is_speaking(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        let is_early = !self.flow.asked && self.plan.defaults.answer == PickUp::WhenNeeded;
        if is_early && self.memory.medium() == Medium::Voice {
            return !self.said_all(now, out);
        }
        if self.voice.playing.is_some() {
            self.wait = Wait::Quiet;
            return true;
        }
        false
    }

    /// Opens the ear for one turn.
    pub(super) fn listen(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Wait::Answer(question) = &self.wait else { return };
        if self.memory.medium() == Medium::Chat || self.voice.ear != Ear::Open {
            return;
        }
        let (expect, hints) = self.expected(&question.kind);
        let turn = TurnId::new(now, &mut self.random);
        let end_silence = usual_silence(expect);
        (self.voice.turn, self.voice.more) = (Some(turn), More::Likely);
        out.push(Wish::Listen(Listening { turn, lang: self.lang.clone(), expect, hints, end_silence, max: LONGEST }));
    }

    /// Who has said all that is asked for is not waited for as long as one who may go on.
    pub(super) fn end_in_time(&mut self, now: Time, text: &str, out: &mut Vec<Wish>) {
        let (Wait::Answer(question), Some(turn)) = (&self.wait, self.voice.turn) else { return };
        let more = if self.is_all(now, &question.kind, text) { More::Hardly } else { More::Likely };
        if more == self.voice.more {
            return;
        }
        let usual = usual_silence(self.expected(&question.kind).0);
        self.voice.more = more;
        out.push(Wish::EndAfter(turn, if more == More::Hardly { END_OF_ALL } else { usual }));
    }

    fn expected(&self, kind: &Asked) -> (Expect, Arc<Hints>) {
        let plan = &self.plan;
        match kind {
            Asked::Menu(index) => {
                let hints = plan.flow.menus.get(*index).and_then(|menu| menu.hints.get(&self.lang));
                (Expect::Sentence, hints.cloned().unwrap_or_default())
            }
            Asked::Slot(name) => match plan.values.slots.get(name) {
                Some(slot) => (hints::expect(&slot.kind), self.slot_hints(slot)),
                None => (Expect::Sentence, Arc::default()),
            },
            Asked::Survey(_) | Asked::Contact(_) => (Expect::Digits, Arc::default()),
            Asked::Words(_) => (Expect::Sentence, Arc::default()),
            Asked::Readback(..) | Asked::Confirm(_) | Asked::DidYouMean(_) | Asked::Offer(_) => (Expect::YesNo, hints::yes_no(&self.lang)),
        }
    }

    /// Ends listening and speaking, because the answer is there.
    pub(super) fn quiet_turn(&mut self, out: &mut Vec<Wish>) {
        if let Some(turn) = self.voice.turn.take() {
            out.push(Wish::StopListening(turn));
        }
        if matches!(self.wait, Wait::Answer(_)) {
            self.stop_saying(out);
        }
        self.clocks.answer = None;
    }

    /// Stops what plays.
    pub(super) fn stop_saying(&mut self, out: &mut Vec<Wish>) {
        if let Some(play) = self.voice.playing.take() {
            out.push(Wish::StopSaying(play));
            self.clocks.play = None;
        }
    }

    /// The caller has begun to speak: the no-input clock stands.
    pub(super) fn speech_started(&mut self, now: Time) {
        if matches!(self.wait, Wait::Answer(_)) {
            self.clocks.answer = Some(now + RESULT_WAIT);
        }
    }

    /// The deadline of an answer, a lookup or a ticket has come.
    pub(super) fn answer_overdue(&mut self, now: Time, out: &mut Vec<Wish>) {
        match &self.wait {
            Wait::Answer(question) if !question.keys.is_empty() => self.keys_ended(now, out),
            Wait::Answer(_) => self.silence(now, out),
            Wait::Found { id, .. } => {
                let id = *id;
                self.found(now, id, crate::control::words::lookup::Finding::TimedOut, out);
            }
            // The number is not known in time: the step goes on without it.
            Wait::Ticket { .. } => self.next(),
            Wait::Recorded { .. } => self.recorded(now, None, out),
            _ => {}
        }
    }

    /// Nothing was said.
    fn silence(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if self.gives_up_quietly(now, out) {
            return;
        }
        self.tries.silent += 1;
        let (_, tries, then) = self.plan.defaults.no_input.clone();
        if self.tries.silent < tries {
            self.put_again(now, out);
        } else {
            self.exhausted(now, &then, out);
        }
    }

    /// A survey or an offer that nobody answers is not asked twice.
    fn gives_up_quietly(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        let Wait::Answer(question) = &self.wait else { return false };
        match question.kind.clone() {
            Asked::Survey(_) => self.next(),
            Asked::Offer(_) => self.again(),
            Asked::Contact(step) if self.tries.silent > 0 => self.message_left(now, &step, None, out),
            _ => return false,
        }
        true
    }

    /// Listens again after a cough or a nod: the prompt comes back, and the no-input clock waits for its end.
    pub(super) fn listen_on(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.clocks.answer = None;
        self.listen(now, out);
        if self.voice.playing.is_none() {
            self.start_silence(now);
        }
    }

    /// Sound without words. Over a prompt it is a cough, and asked for nothing.
    pub(super) fn not_understood(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.voice.turn = None;
        if let Wait::Answer(question) = &self.wait {
            if self.voice.playing.is_some() && question.barge_in == BargeIn::Words {
                self.listen_on(now, out);
                return;
            }
            self.memory.turn += 1;
            self.memory.line("customer", "…");
            out.push(Wish::Understood { text: String::new(), intents: Vec::new(), decision: REPROMPT.to_owned() });
            self.unmatched(now, out);
        }
    }

    /// Words that mean nothing here.
    pub(super) fn unmatched(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if let Wait::Answer(question) = &self.wait
            && matches!(question.kind, Asked::Survey(_))
            && self.tries.unmatched > 0
        {
            self.next();
            return;
        }
        self.tries.unmatched += 1;
        let (tries, then) = self.plan.defaults.no_match.clone();
        if self.tries.unmatched < self.tries_of_slot().unwrap_or(tries) {
            self.push_phrase(Phrase::Pardon, &[]);
            self.put_again(now, out);
        } else {
            self.exhausted(now, &then, out);
        }
    }

    fn tries_of_slot(&self) -> Option<u32> {
        let Wait::Answer(question) = &self.wait else { return None };
        match &question.kind {
            Asked::Slot(name) | Asked::Readback(name, _) => self.plan.values.slots.get(name)?.tries,
            _ => None,
        }
    }

    /// The ladder's end.
    fn exhausted(&mut self, now: Time, then: &Target, out: &mut Vec<Wish>) {
        match then {
            Target::Keys if !self.tries.reads_keys => {
                self.tries = Tries { reads_keys: true, ..Tries::default() };
                self.put_again(now, out);
            }
            Target::Keys | Target::Repeat => {
                let last = self.plan.defaults.no_match.1.clone();
                let last = if matches!(last, Target::Keys | Target::Repeat) { Target::Human } else { last };
                self.go(now, &last, out);
            }
            target => self.go(now, &target.clone(), out),
        }
    }

    /// The recognizer cannot serve: `asr_overload`, now or at the next question.
    pub(super) fn no_recognizer(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.voice.turn = None;
        if self.voice.ear == Ear::Open {
            self.voice.ear = Ear::Shut;
        }
        if matches!(self.wait, Wait::Answer(_)) {
            self.ask_for_keys(now, out);
        }
    }

    fn ask_for_keys(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.voice.ear = Ear::Keys;
        match self.plan.defaults.asr_overload.clone() {
            Target::Keys => {
                self.stop_saying(out);
                self.tries = Tries { reads_keys: true, ..Tries::default() };
                self.put_again(now, out);
            }
            target => self.go(now, &target, out),
        }
    }

    /// Are keys read out instead of asking for words?
    pub(super) fn reads_keys(&self) -> bool {
        self.tries.reads_keys || self.voice.ear == Ear::Keys
    }

    /// Puts the question again: the second time with the labels, the third with the keys.
    pub(super) fn put_again(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        let Wait::Answer(question) = std::mem::replace(&mut self.wait, Wait::Nothing) else { return };
        let failed = self.tries.silent + self.tries.unmatched;
        let reads_keys = self.reads_keys() || failed >= 2;
        match question.kind {
            Asked::Menu(index) => {
                let lines = if reads_keys { self.key_lines(now, index) } else { self.label_line(now, index) };
                lines.into_iter().for_each(|line| self.push_line(line));
                self.ask(now, Asked::Menu(index), Vec::new(), question.buttons, out);
            }
            // Which of these was meant is not asked for ever: the menu comes again.
            Asked::DidYouMean(_) => self.spot.stage = 0,
            Asked::Slot(name) => {
                let keys = reads_keys && self.plan.values.slots.get(&name).is_some_and(|slot| keyed(&slot.kind));
                let mut prompts = question.prompts;
                if keys {
                    prompts.push(self.ready(Phrase::UseKeys));
                }
                self.ask(now, Asked::Slot(name), prompts, question.buttons, out);
            }
            kind => {
                let mut prompts = question.prompts;
                if failed > 0 && matches!(kind, Asked::Confirm(_) | Asked::Readback(..) | Asked::Offer(_)) {
                    prompts.push(self.ready(Phrase::SayYesOrNo));
                }
                self.ask(now, kind, prompts, question.buttons, out);
            }
        }
    }

    pub(super) fn ready(&self, phrase: Phrase) -> Prompt {
        Prompt::Text { id: None, text: filled(phrase, &self.lang, &[]), lang: self.lang.clone() }
    }

    /// Says the question again, because the caller asked for it.
    pub(super) fn repeat(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if let Wait::Answer(question) = std::mem::replace(&mut self.wait, Wait::Nothing) {
            self.ask(now, question.kind, question.prompts, question.buttons, out);
        }
    }
}

/// Silence that ends an utterance, by what is asked for.
fn usual_silence(expect: Expect) -> Duration {
    if matches!(expect, Expect::Digits | Expect::Code) { END_OF_DIGITS } else { END_OF_SENTENCE }
}

/// Kinds of values that keys can give.
pub(super) fn keyed(kind: &SlotType) -> bool {
    matches!(
        kind,
        SlotType::Digits
            | SlotType::Phone
            | SlotType::Card
            | SlotType::Number
            | SlotType::Age
            | SlotType::Money
            | SlotType::Choice
            | SlotType::YesNo
            | SlotType::IdCn
    )
}
