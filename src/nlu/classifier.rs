//! The classifier of one plan: trained when the plan is loaded, asked for each sentence.

use std::collections::BTreeMap;

use super::background;
use super::clause::{clauses, core, is_empty};
use super::feature::{Grams, Hashed, Sentence, Weights, hash};
use super::meaning::{Meaning, Meanings, WordsOnly};
use super::model::{Judged, Model};
use super::rank::{Hit, Medium, Ranked};
use super::thesaurus::Thesaurus;
use super::token::is_han;

/// One intent: usually an option of a menu.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Intent {
    /// Its id.
    pub id: String,
    /// The intent whose menu leads here; said in one breath, the child wins.
    pub parent: Option<String>,
    /// What callers say, in all languages; `{slot}` stands for any value.
    pub examples: Vec<String>,
    /// Title, label, key words: they count as examples.
    pub titles: Vec<String>,
}

/// How to train.
#[derive(Clone)]
pub struct Options<'m> {
    /// Words that mean the same in this plan, beside the built-in ones.
    pub synonyms: Vec<Vec<String>>,
    /// Sentences that belong to no intent, beside the built-in background.
    pub out_of_scope: Vec<String>,
    /// The media to be ready for; each costs a training.
    pub media: Vec<Medium>,
    /// The sentence model, if there is one; what it tells costs a training more for each medium.
    pub meaning: &'m dyn Meaning,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { synonyms: Vec::new(), out_of_scope: Vec::new(), media: vec![Medium::Voice, Medium::Chat], meaning: &WordsOnly }
    }
}

/// Why there is no classifier. The plan's author can mend each.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrainError {
    /// Nothing to learn.
    #[error("no intent has an example sentence; give at least one option of one menu some `examples`")]
    NoExamples,
    /// Two intents share a name.
    #[error("intent `{0}` is given twice; join its examples under one id")]
    Twice(String),
    /// A parent that is no intent.
    #[error("intent `{child}` names the parent `{parent}`, which is no intent")]
    UnknownParent {
        /// Whose.
        child: String,
        /// Which.
        parent: String,
    },
    /// An example without a word in it.
    #[error("intent `{intent}` has the example {example:?}, which holds no word")]
    EmptyExample {
        /// Whose.
        intent: String,
        /// Which.
        example: String,
    },
}

/// Which intents count where the caller stands.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Focus<'a> {
    /// All alike.
    #[default]
    Everywhere,
    /// All but some, and these get a bonus on their confidence.
    Prefer {
        /// The current menu's options.
        intents: &'a [&'a str],
        /// The bonus, as in the plan's `local_bias`.
        bias: f32,
        /// What cannot be chosen now.
        closed: &'a [&'a str],
    },
    /// These only.
    Only {
        /// The current menu's options and what is always understood.
        intents: &'a [&'a str],
    },
}

/// A sentence or a part of one.
struct Words<'w> {
    text: &'w str,
    pinyin: Option<&'w str>,
    meaning: Option<&'w [f32]>,
}

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Classifier {
    ids: Vec<String>,
    parents: Vec<Option<usize>>,
    thesaurus: Thesaurus,
    /// Sentences given as examples, by their core: class, or `None` where two intents share one.
    known: Hashed<Option<usize>>,
    voice: Option<Models>,
    chat: Option<Models>,
    /// For pinyin without characters.
    sound: Option<Model>,
}

/// The models of one medium.
#[derive(Clone, Debug)]
struct Models {
    words: Model,
    /// For sentences whose vector is known.
    meaning: Option<Model>,
}

/// Blocks W, C, P, S for speech: whole words are what a recognizer gets wrong.
const VOICE: Weights = Weights { grams: [0.7, 1.2, 1.0, 0.5], meaning: 0.0 };
/// … for typed lines: the sound counts less.
const CHAT: Weights = Weights { grams: [1.0, 1.0, 0.35, 0.5], meaning: 0.0 };
/// … for pinyin only.
const SOUND: Weights = Weights { grams: [0.0, 0.0, 1.0, 0.0], meaning: 0.0 };
/// What a sentence's vector weighs beside them.
const MEANING: f32 = 2.0;
/// Intents in a ranking: as many as "did you mean" may read.
const RANKED: usize = 3;
/// A sentence that was given as an example is that intent, as surely as anything is.
const GIVEN: f32 = 0.98;
/// A part of a sentence counts a little less than the whole.
const PART: f32 = 0.97;
/// A clause this sure adds a wish.
const SURE: f32 = 0.8;
/// … and this sure it stands for the whole sentence, when that says too little by itself.
const ALONE: f32 = 0.92;
/// From here on the sentence as a whole says enough.
const TRUSTED: f32 = 0.5;
/// A second wish in the sentence as a whole: so confident, and with a margin that is not far outside.
const ALSO: f32 = 0.75;
const INSIDE: f32 = -0.3;

impl Classifier {
    /// Trains on the intents of a plan.
    ///
    /// # Errors
    /// What is wrong with the intents, see [`TrainError`].
    pub fn train(intents: &[Intent], options: &Options<'_>) -> Result<Classifier, TrainError> {
        let numbers = numbered(intents)?;
        let thesaurus = Thesaurus::new(&options.synonyms);
        let mut texts: Vec<&str> = Vec::new();
        let mut labels = Vec::new();
        let mut known = Hashed::default();
        for (class, intent) in intents.iter().enumerate() {
            for text in intent.examples.iter().chain(&intent.titles) {
                if is_empty(text) {
                    return Err(TrainError::EmptyExample { intent: intent.id.clone(), example: text.clone() });
                }
                texts.push(text);
                labels.push(Some(class));
                remember(&mut known, text, class);
            }
        }
        if texts.is_empty() {
            return Err(TrainError::NoExamples);
        }
        texts.extend(options.out_of_scope.iter().map(String::as_str));
        texts.extend(background::sentences().map(|text| -> &str { text }));
        labels.resize(texts.len(), None);
        let grams: Vec<Grams> = texts.iter().map(|text| Grams::of(text, None, &thesaurus)).collect();
        let meanings = options.meaning.meanings(&texts);
        let sentences: Vec<Sentence> =
            grams.iter().zip(&texts).map(|(grams, text)| Sentence { grams, meaning: meanings.of(text) }).collect();
        let classes = intents.len();
        let train_one = |weights| Model::train(&sentences, &labels, classes, weights);
        let train = |weights: Weights| {
            let words = train_one(weights);
            let meaning = (!meanings.is_empty()).then(|| train_one(weights.with_meaning(MEANING)));
            // A model of another language than the examples' would only be in the way.
            Models { meaning: meaning.filter(|model| model.is_no_worse_than(&words)), words }
        };
        let voice = options.media.contains(&Medium::Voice).then(|| train(VOICE));
        let chat = options.media.contains(&Medium::Chat).then(|| train(CHAT));
        let sound = (voice.is_some() && intents.iter().flat_map(|intent| &intent.examples).any(|text| text.chars().any(is_han)))
            .then(|| train_one(SOUND));
        let parents = intents.iter().map(|intent| intent.parent.as_ref().and_then(|id| numbers.get(id.as_str()).copied())).collect();
        Ok(Classifier { ids: intents.iter().map(|intent| intent.id.clone()).collect(), parents, thesaurus, known, voice, chat, sound })
    }

    /// The intents, in the order they were given.
    pub fn intents(&self) -> &[String] {
        &self.ids
    }

    /// Understands a sentence. `pinyin`: toneless syllables from a recognizer that writes no characters; `text` may then be empty or the same.
    pub fn classify(&self, text: &str, pinyin: Option<&str>, medium: Medium, focus: Focus<'_>) -> Ranked {
        self.classify_meant(text, pinyin, &Meanings::default(), medium, focus)
    }

    /// The same with what a sentence model says of the sentence and its clauses, see [`super::meaning::judged`].
    pub fn classify_meant(&self, text: &str, pinyin: Option<&str>, meanings: &Meanings, medium: Medium, focus: Focus<'_>) -> Ranked {
        let allowed = self.allowed(focus);
        let judge = |text: &str, pinyin: Option<&str>, most: usize| {
            let meaning = meanings.of(text.trim()).filter(|_| pinyin.is_none());
            self.model(pinyin, meaning, medium).map(|model| self.judge(model, Words { text, pinyin, meaning }, &allowed, most))
        };
        let Some(mut judged) = judge(text, pinyin, RANKED) else {
            return Ranked::default();
        };
        let parts = if pinyin.is_some() { Vec::new() } else { clauses(text) };
        let sure = if parts.len() > 1 { sure_parts(&parts, |part| judge(part, None, 1)) } else { Vec::new() };
        // The parts may add wishes, but they overrule the sentence as a whole only where it says too little by itself.
        let trusted = judged.first().map(|top| top.confidence).filter(|&confidence| confidence >= TRUSTED);
        for part in sure.iter().filter(|part| trusted.is_some() || sure.len() > 1 || part.confidence >= ALONE) {
            let confidence = (part.confidence * PART).min(trusted.unwrap_or(1.0));
            match judged.iter_mut().find(|known| known.class == part.class) {
                Some(known) => known.confidence = known.confidence.max(confidence),
                None => judged.push(Judged { confidence, ..*part }),
            }
        }
        let inside = judged.iter().filter(|known| known.confidence >= ALSO && known.margin >= INSIDE);
        let breath = inside.chain(&sure).map(|known| known.class).collect();
        self.rank(judged, breath, focus)
    }

    fn model(&self, pinyin: Option<&str>, meaning: Option<&[f32]>, medium: Medium) -> Option<&Model> {
        let written = match medium {
            Medium::Voice => self.voice.as_ref().or(self.chat.as_ref()),
            Medium::Chat => self.chat.as_ref().or(self.voice.as_ref()),
        }?;
        let sound = self.sound.as_ref().filter(|_| pinyin.is_some());
        Some(sound.or(written.meaning.as_ref().filter(|_| meaning.is_some())).unwrap_or(&written.words))
    }

    fn allowed(&self, focus: Focus<'_>) -> Vec<bool> {
        match focus {
            Focus::Only { intents } => self.ids.iter().map(|id| intents.contains(&id.as_str())).collect(),
            Focus::Prefer { closed, .. } => self.ids.iter().map(|id| !closed.contains(&id.as_str())).collect(),
            Focus::Everywhere => vec![true; self.ids.len()],
        }
    }

    /// The best classes of a sentence or a part of one.
    fn judge(&self, model: &Model, words: Words<'_>, allowed: &[bool], most: usize) -> Vec<Judged> {
        let Words { text, pinyin, meaning } = words;
        let grams = match pinyin {
            Some(pinyin) => Grams::of("", Some(pinyin), &self.thesaurus),
            None => Grams::of(text, None, &self.thesaurus),
        };
        let mut judged = model.judge(Sentence { grams: &grams, meaning }, allowed, most);
        if pinyin.is_none()
            && let Some(&Some(class)) = self.known.get(&hash(core(text).as_bytes(), 0))
            && allowed[class]
        {
            let margin = judged.iter().find(|known| known.class == class).map_or(0.0, |known| known.margin);
            judged.retain(|known| known.class != class);
            judged.insert(0, Judged { class, margin, confidence: GIVEN });
        }
        judged
    }

    /// Puts them in order, the menu's bonus included, and keeps what can be done one after the other.
    fn rank(&self, mut judged: Vec<Judged>, breath: Vec<usize>, focus: Focus<'_>) -> Ranked {
        if let Focus::Prefer { intents, bias, .. } = focus {
            for known in judged.iter_mut().filter(|known| intents.contains(&self.ids[known.class].as_str())) {
                known.confidence = (known.confidence + bias).min(1.0);
            }
        }
        // A menu that leads to another intent of the same breath is only the way there.
        let on_the_way = |class: usize| breath.iter().any(|&other| self.leads_to(class, other));
        judged.sort_by(|a, b| {
            on_the_way(a.class).cmp(&on_the_way(b.class)).then(b.confidence.total_cmp(&a.confidence)).then(b.margin.total_cmp(&a.margin))
        });
        judged.truncate(RANKED);
        let best = judged.first().map(|top| top.class);
        let hit = |known: &Judged| Hit { intent: self.ids[known.class].clone(), margin: known.margin, confidence: known.confidence };
        let also = judged.iter().skip(1).filter(|known| breath.contains(&known.class) && !on_the_way(known.class));
        let also = also.filter(|known| best.is_none_or(|best| !self.leads_to(best, known.class))).map(hit).collect();
        Ranked { hits: judged.iter().map(hit).collect(), also }
    }

    /// Is `above` an ancestor of `below`?
    fn leads_to(&self, above: usize, below: usize) -> bool {
        std::iter::successors(self.parents[below], |&class| self.parents[class]).take(self.ids.len()).any(|class| class == above)
    }
}

/// What each clause is surely about, each intent once, in the order said.
fn sure_parts(parts: &[String], judge: impl Fn(&str) -> Option<Vec<Judged>>) -> Vec<Judged> {
    let mut sure: Vec<Judged> = Vec::new();
    for part in parts {
        let top = judge(part).and_then(|judged| judged.into_iter().next());
        sure.extend(top.filter(|top| top.confidence >= SURE && !sure.iter().any(|known| known.class == top.class)));
    }
    sure
}

fn numbered(intents: &[Intent]) -> Result<BTreeMap<&str, usize>, TrainError> {
    let mut numbers = BTreeMap::new();
    for (number, intent) in intents.iter().enumerate() {
        if numbers.insert(intent.id.as_str(), number).is_some() {
            return Err(TrainError::Twice(intent.id.clone()));
        }
    }
    for intent in intents {
        if let Some(parent) = intent.parent.as_ref().filter(|parent| !numbers.contains_key(parent.as_str())) {
            return Err(TrainError::UnknownParent { child: intent.id.clone(), parent: parent.clone() });
        }
    }
    Ok(numbers)
}

fn remember(known: &mut Hashed<Option<usize>>, text: &str, class: usize) {
    let core = core(text);
    if core.is_empty() {
        return;
    }
    let entry = known.entry(hash(core.as_bytes(), 0)).or_insert(Some(class));
    if *entry != Some(class) {
        *entry = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::rank::{Decision, Thresholds};

    fn intent(id: &str, parent: Option<&str>, examples: &[&str], titles: &[&str]) -> Intent {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Intent { id: id.to_owned(), parent: parent.map(str::to_owned), examples: owned(examples), titles: owned(titles) }
    }

    /// The options of the driver hotline, as its plan gives them.
    fn driver() -> Classifier {
        let intents = [
            intent(
                "salary",
                None,
                &[
                    "为什么到今天工资还没发",
                    "上个月的钱没到账",
                    "提现怎么还没到",
                    "奖金少算了",
                    "my pay has not arrived",
                    "where is my salary",
                    "bonus is missing",
                ],
                &["工资问题", "pay"],
            ),
            intent(
                "prereport",
                None,
                &[
                    "刚下车的乘客可能要投诉我先备个案",
                    "乘客要给我差评我先说一下",
                    "备案",
                    "a passenger may complain about me",
                    "I want to put something on record",
                ],
                &["投诉备案", "report a passenger"],
            ),
            intent("car", None, &["车坏了", "车出问题了", "my car broke down"], &["车辆问题", "my car"]),
            intent(
                "repair",
                Some("car"),
                &["车坏了去哪儿修", "附近哪里能修车", "发动机打不着火", "where can I get it fixed", "nearest garage"],
                &["去哪儿修", "garage"],
            ),
            intent(
                "insurance",
                Some("car"),
                &["我车坏了想报保险", "追尾了怎么走保险", "{plate}出险了", "I want to claim insurance", "I had an accident"],
                &["报保险", "insurance"],
            ),
            intent("human", None, &["转人工", "找真人", "人工客服", "agent", "talk to a person"], &[]),
            intent("repeat", None, &["再说一遍", "没听清", "say that again"], &[]),
        ];
        Classifier::train(&intents, &Options::default()).expect("the plan is sound")
    }

    fn accepted(classifier: &Classifier, text: &str, medium: Medium) -> Vec<String> {
        let ranked = classifier.classify(text, None, medium, Focus::Everywhere);
        match ranked.decide(Thresholds::default()) {
            Decision::Accept(intents) => intents,
            other => panic!("{text}: {other:?} of {ranked:?}"),
        }
    }

    #[test]
    fn s23_two_wishes_in_one_breath_are_both_understood() {
        let driver = driver();
        for medium in [Medium::Voice, Medium::Chat] {
            assert_eq!(accepted(&driver, "你好，我车坏了，我想报保险，去哪儿修", medium), ["insurance", "repair"]);
            assert_eq!(accepted(&driver, "你好我车坏了我想报保险去哪儿修", medium), ["insurance", "repair"]);
        }
    }

    #[test]
    fn a_given_example_is_its_intent() {
        let driver = driver();
        for (text, intent) in
            [("车坏了", "car"), ("我车坏了", "car"), ("转人工", "human"), ("京A12345出险了", "insurance"), ("uh my car broke down", "car")]
        {
            assert_eq!(accepted(&driver, text, Medium::Voice), [intent], "{text}");
        }
    }

    #[test]
    fn the_sound_alone_is_understood() {
        let ranked = driver().classify("", Some("wei shen me gong zi hai mei fa"), Medium::Voice, Focus::Everywhere);
        assert_eq!(ranked.best().map(|hit| hit.intent.as_str()), Some("salary"));
        assert!(ranked.hits[0].confidence >= 0.45, "{ranked:?}");
    }

    #[test]
    fn what_no_option_offers_is_not_accepted() {
        let driver = driver();
        for text in ["今天股票涨了没有", "what time is the football game", "嗯", "", "。。。", "12"] {
            assert_eq!(
                driver.classify(text, None, Medium::Chat, Focus::Everywhere).decide(Thresholds::default()),
                Decision::NoMatch,
                "{text}"
            );
        }
    }

    #[test]
    fn only_the_named_intents_count_when_a_menu_is_local() {
        let ranked = driver().classify("车坏了去哪儿修", None, Medium::Chat, Focus::Only { intents: &["salary", "car"] });
        assert!(ranked.hits.iter().all(|hit| hit.intent == "salary" || hit.intent == "car"), "{ranked:?}");
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said() {
        let train = |intents: &[Intent]| Classifier::train(intents, &Options::default()).map(|_| ()).expect_err("refused");
        assert_eq!(train(&[]), TrainError::NoExamples);
        assert_eq!(train(&[intent("a", None, &["x"], &[]), intent("a", None, &["y"], &[])]), TrainError::Twice("a".to_owned()));
        assert_eq!(
            train(&[intent("a", None, &["?!"], &[])]),
            TrainError::EmptyExample { intent: "a".to_owned(), example: "?!".to_owned() }
        );
    }

    #[test]
    fn a_sentence_in_any_script_is_answered() {
        let driver = driver();
        for text in [
            "गलत पता",
            "Где мой заказ?",
            "注文はどこですか",
            "¿dónde está?",
            "🚗💥",
            "\u{0}\u{301}",
            "ﬁﬀ",
            "İstanbul'",
            "''",
            "{",
            "{}",
            "京A",
        ] {
            driver.classify(text, None, Medium::Voice, Focus::Everywhere);
            driver.classify(text, Some(text), Medium::Voice, Focus::Everywhere);
        }
    }
}
