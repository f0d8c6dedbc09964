//! The grammar of a turn (JSGF): the plan's own, or one made from its phrases and from what is asked for.

use std::collections::BTreeSet;

use super::dictionary::Dictionary;
use crate::control::words::speech::{Expect, Hints};

const HEAD: &str = "#JSGF V1.0;\ngrammar turn;\n";
/// What people say around a choice.
const LEADS: &str = "please | i want | i want to | i want the | i'd like | i'd like to | i would like to | i need | i need to | can i | \
                     can you | could you | it's | about | for | um | uh";
const TAILS: &str = "please | thanks | thank you";
const DIGIT: &str = "oh | zero | one | two | three | four | five | six | seven | eight | nine";
const YES: &str = "yes | yeah | yep | yup | sure | okay | correct | right | that's right | exactly | of course | yes please";
const NO: &str = "no | nope | nah | no thanks | no thank you | wrong | that's wrong | not really | incorrect";
const LETTER: &str = "a | b | c | d | e | f | g | h | i | j | k | l | m | n | o | p | q | r | s | t | u | v | w | x | y | z";
/// More phrases make the grammar slow and no better.
const MOST_PHRASES: usize = 400;

/// A grammar that compiles: all its words are in the dictionary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grammar {
    /// The whole text.
    pub jsgf: String,
    /// Its words.
    pub words: BTreeSet<String>,
    /// Words that nobody knows how to say; what needs them is left out.
    pub unknown: BTreeSet<String>,
    /// The menu's phrases, each between spaces; none where the plan has a grammar of its own.
    phrases: Vec<String>,
}

impl Grammar {
    /// Makes the grammar of a turn. `None` when nothing can be said in it.
    #[must_use]
    pub fn of(expect: Expect, hints: &Hints, dictionary: &Dictionary) -> Option<Grammar> {
        let mut unknown = BTreeSet::new();
        if let Some(body) = &hints.grammar {
            let words = spoken_words(body);
            unknown.extend(words.iter().filter(|word| dictionary.pronunciations(word).is_empty()).cloned());
            if unknown.is_empty() && body.contains("public") {
                return Some(Grammar { jsgf: format!("{HEAD}{body}\n"), words, unknown, phrases: Vec::new() });
            }
        }
        let mut choices = asked(expect);
        // Each further phrase takes in more foreign speech: the words for yes and no are enough.
        let given: &[String] = if expect == Expect::YesNo { &[] } else { &hints.phrases };
        let mut phrases = Vec::new();
        for phrase in given.iter().take(MOST_PHRASES).map(|phrase| plain(phrase)).filter(|phrase| !phrase.is_empty()) {
            let missing: Vec<&str> = phrase.split(' ').filter(|word| dictionary.pronunciations(word).is_empty()).collect();
            unknown.extend(missing.iter().map(|word| (*word).to_owned()));
            if missing.is_empty() && !phrases.contains(&phrase) {
                phrases.push(phrase);
            }
        }
        if !phrases.is_empty() {
            choices.push(format!("[{LEADS}] ( {} ) [{TAILS}]", phrases.join(" | ")));
        }
        if choices.is_empty() {
            return None;
        }
        let jsgf = format!("{HEAD}public <turn> = {} ;\n", choices.join(" | "));
        let phrases = phrases.iter().map(|phrase| format!(" {phrase} ")).collect();
        Some(Grammar { words: spoken_words(&jsgf[HEAD.len()..]), jsgf, unknown, phrases })
    }

    /// What was heard of the menu so far, without what people say before it.
    #[must_use]
    pub fn without_lead<'t>(&self, text: &'t str) -> &'t str {
        if self.phrases.is_empty() {
            return text;
        }
        let rest_after = |lead: &str| text.strip_prefix(lead).filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let rests = LEADS.split(" | ").filter_map(|lead| rest_after(lead.trim()));
        rests.min_by_key(|rest| rest.len()).unwrap_or(text).trim_start()
    }

    /// Is all that was heard of the menu a single word, whatever was said around it?
    #[must_use]
    pub fn is_one_word(&self, text: &str) -> bool {
        let said = format!(" {text} ");
        let longest =
            self.phrases.iter().filter(|phrase| said.contains(phrase.as_str())).map(|phrase| phrase.split_whitespace().count()).max();
        longest == Some(1)
    }
}

fn asked(expect: Expect) -> Vec<String> {
    match expect {
        Expect::Sentence => Vec::new(),
        Expect::Digits => vec![format!("( {DIGIT} | double ( {DIGIT} ) | triple ( {DIGIT} ) )+")],
        Expect::Code => vec![format!("( {DIGIT} | {LETTER} )+")],
        Expect::YesNo => vec![YES.into(), NO.into()],
    }
}

/// A phrase as the dictionary spells words: lower case, no marks, digits one by one.
fn plain(phrase: &str) -> String {
    const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let mut out = String::new();
    for c in phrase.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '\'' => out.push(c),
            '’' => out.push('\''),
            '0'..='9' => {
                out.push(' ');
                out.push_str(DIGITS[c as usize - '0' as usize]);
                out.push(' ');
            }
            _ if c.is_alphabetic() => out.push(c),
            _ => out.push(' '),
        }
    }
    out.split_whitespace().map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The words of rules: without rule names, tags, weights and signs.
fn spoken_words(rules: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    let mut closing = None;
    for c in rules.chars() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '<') => closing = Some('>'),
            (None, '{') => closing = Some('}'),
            (None, '/') => closing = Some('/'),
            (None, '=' | '|' | '*' | '+' | '(' | ')' | '[' | ']' | ';' | '"') => bare.push(' '),
            (None, c) => bare.push(c),
        }
        if closing.is_some() {
            bare.push(' ');
        }
    }
    bare.split_whitespace().filter(|word| *word != "public").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary() -> Option<Dictionary> {
        let found = Dictionary::read(std::path::Path::new("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")).ok();
        if found.is_none() {
            println!("SKIPPED: pocketsphinx-en-us is not installed");
        }
        found
    }

    #[test]
    fn phrases_become_a_grammar_and_unknown_words_are_told() {
        let Some(dictionary) = dictionary() else { return };
        let phrases = ["Track my parcel.", "Order 42", "zxqv please", "I don’t know"].map(str::to_owned).to_vec();
        let hints = Hints { phrases, ..Hints::default() };
        let grammar = Grammar::of(Expect::Sentence, &hints, &dictionary).unwrap();
        assert!(grammar.jsgf.contains("track my parcel | order four two | i don't know"), "{}", grammar.jsgf);
        assert_eq!(grammar.unknown, BTreeSet::from(["zxqv".to_owned()]));
        assert!(grammar.words.contains("parcel") && !grammar.words.contains("public"));
        let hints = Hints { phrases: ["agent", "talk to an agent"].map(str::to_owned).to_vec(), ..Hints::default() };
        let grammar = Grammar::of(Expect::Sentence, &hints, &dictionary).unwrap();
        assert!(grammar.is_one_word("uh agent please") && !grammar.is_one_word("i want to talk to an agent") && !grammar.is_one_word("uh"));
        let rests = ["uh a", "could you", "i want to talk", "umbrella", "talk to"].map(|text| grammar.without_lead(text));
        assert_eq!(rests, ["a", "", "talk", "umbrella", "talk to"]);
    }

    #[test]
    fn the_plans_own_grammar_is_taken_unless_a_word_cannot_be_said() {
        let Some(dictionary) = dictionary() else { return };
        let body = "public <order> = [ small | large ] <drink> {tag} ; <drink> = /2/ latte | /1/ \"mocha\" ;";
        let mut hints = Hints { phrases: vec!["coffee".into()], grammar: Some(body.into()), key: 1 };
        let grammar = Grammar::of(Expect::Sentence, &hints, &dictionary).unwrap();
        assert_eq!(grammar.words.iter().map(String::as_str).collect::<Vec<_>>(), ["large", "latte", "mocha", "small"]);
        hints.grammar = Some("public <order> = zxqv ;".into());
        let grammar = Grammar::of(Expect::Sentence, &hints, &dictionary).unwrap();
        assert!(grammar.jsgf.contains("( coffee )") && grammar.unknown.contains("zxqv"));
    }

    #[test]
    fn built_in_words_can_all_be_said() {
        let Some(dictionary) = dictionary() else { return };
        let hints = Hints { phrases: vec!["agent".into()], ..Hints::default() };
        for expect in [Expect::Sentence, Expect::Digits, Expect::Code, Expect::YesNo] {
            let grammar = Grammar::of(expect, &hints, &dictionary).unwrap();
            let silent: Vec<_> = grammar.words.iter().filter(|word| dictionary.pronunciations(word).is_empty()).collect();
            assert!(silent.is_empty(), "{expect:?}: {silent:?}");
        }
        assert_eq!(Grammar::of(Expect::Sentence, &Hints::default(), &dictionary), None);
    }
}
