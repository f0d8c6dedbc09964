//! The rules by their stable ids, for reports that name them.

/// Each rule and what it minds.
pub const RULES: [(&str, &str); 42] = [
    ("D100", "The file is no YAML."),
    ("D101", "Prose with signs of YAML is not quoted."),
    ("D102", "A key or name stands twice, or something of YAML is used that plans do not have."),
    ("D103", "The file is too large, too deep, or not UTF-8."),
    ("D104", "A value is not what its key takes."),
    ("D105", "Something necessary is missing."),
    ("D106", "A text with variables cannot be read."),
    ("D107", "A condition or variable cannot be read."),
    ("D110", "A key is unknown."),
    ("D120", "A target is no node."),
    ("D121", "Nothing leads to a node."),
    ("D122", "A node can fall off its end."),
    ("D123", "A circle has neither input nor limit."),
    ("D124", "A slot or lookup is undefined."),
    ("D125", "A variable is undefined."),
    ("D126", "A knowledge base or article is undefined."),
    ("D127", "A table of an article does not fit its slots or texts."),
    ("D128", "A plan is not what its mode says."),
    ("D130", "A menu's option has no key."),
    ("D131", "An option has no examples in a declared language, or two share a key."),
    ("D132", "An option has fewer than three examples."),
    ("D133", "Two options share a sentence."),
    ("D134", "Options are too close to each other."),
    ("D135", "A menu has more than five options."),
    ("D140", "There is no way to a person."),
    ("D150", "A prompt is longer than 20 s."),
    ("D151", "A prompt is missing in a language."),
    ("D152", "A prompt has neither a recording nor a synthesizer."),
    ("D160", "A lookup has no time-out."),
    ("D161", "A lookup may take more than 5 s without wait_say."),
    ("D162", "A failure of a lookup or saga leads nowhere in particular."),
    ("D163", "A lookup sends data to a public host without encryption."),
    ("D164", "An environment variable has no value."),
    ("D165", "A call of a saga has no way back."),
    ("D170", "A queue or calendar is unknown."),
    ("D171", "A queue has neither an overflow nor a longest wait."),
    ("D172", "Nobody has the skills a queue asks for."),
    ("D180", "A calendar has no holidays."),
    ("D191", "A sensitive slot is not masked."),
    ("D200", "The weights of a split are not 100."),
    ("D210", "A recording begins before a word about it."),
    ("D220", "A number or id is claimed twice."),
];

/// What a rule minds.
#[must_use]
pub fn about(id: &str) -> &'static str {
    RULES.iter().find(|(known, _)| *known == id).map_or("Another finding.", |(_, about)| about)
}
