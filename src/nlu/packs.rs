//! What people say at any hotline, zh and en: ready phrasings for common intents.

const PACKS: &str = include_str!("data/packs.txt");

/// A ready intent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Pack {
    /// Wants a human.
    Agent,
    /// Wants to hear it again.
    Repeat,
    /// One menu up.
    Back,
    /// Agrees.
    Yes,
    /// Declines.
    No,
    /// Asks for opening hours or the place.
    Hours,
    /// Complains.
    Complaint,
    /// Takes leave.
    Goodbye,
    /// Abuses the robot.
    Abuse,
}

impl Pack {
    /// All packs.
    pub const ALL: [Pack; 9] =
        [Pack::Agent, Pack::Repeat, Pack::Back, Pack::Yes, Pack::No, Pack::Hours, Pack::Complaint, Pack::Goodbye, Pack::Abuse];

    /// The name in the data file and in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Pack::Agent => "agent",
            Pack::Repeat => "repeat",
            Pack::Back => "back",
            Pack::Yes => "yes",
            Pack::No => "no",
            Pack::Hours => "hours",
            Pack::Complaint => "complaint",
            Pack::Goodbye => "goodbye",
            Pack::Abuse => "abuse",
        }
    }

    /// The pack of a name; `human` is understood as `agent`.
    pub fn named(name: &str) -> Option<Pack> {
        let name = if name == "human" { "agent" } else { name };
        Pack::ALL.into_iter().find(|pack| pack.name() == name)
    }

    /// Its phrasings in a language, given by its primary subtag: `zh`, `en`.
    pub fn phrases(self, lang: &str) -> impl Iterator<Item = &'static str> {
        PACKS
            .lines()
            .filter_map(move |line| {
                let (head, phrases) = line.split_once(':')?;
                (head.split_once(' ') == Some((self.name(), lang))).then(|| phrases.split('|').map(str::trim))
            })
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_has_forty_phrasings_in_both_languages_and_none_twice() {
        for pack in Pack::ALL {
            for lang in ["zh", "en"] {
                let mut phrases: Vec<&str> = pack.phrases(lang).collect();
                let count = phrases.len();
                assert!(count >= 36, "{} {lang}: {count}", pack.name());
                phrases.sort_unstable();
                phrases.dedup();
                assert_eq!(phrases.len(), count, "{} {lang} says something twice", pack.name());
            }
        }
    }
}
