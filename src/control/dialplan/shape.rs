//! What stands where in the files: which keys a map has and in which order they are written, so that formatting, comparing and the
//! hash of the content agree on what is only order.

use Shape::{
    Action, Actions, Answer, Any, Arm, Article, Calendar, Callback, Case, Command, Confirm, Coverage, Defaults, Desk, DeskQueue, Each,
    Expect, Find, Hours, Hybrid, Knowledge, Langs, LeaveMessage, ListOf, Lookup, Menu, MenuOption, Message, Missed, NoInput, Plan, Prose,
    Queue, Saga, SagaCall, Sentences, Shown, Sla, Slot, Split, SplitArm, Step, Survey, Table, TableRow, Tests, Thresholds, Ticket,
    Transfer, Valid, Variant, Webhook, WrapUp,
};

/// What a piece of a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // named after the keys and verbs of the files
pub enum Shape {
    /// Values without keys of ours.
    Any,
    /// A text by language, or one for all.
    Langs,
    /// A text in one language.
    Prose,
    /// Lists of sentences by language.
    Sentences,
    /// Entries with names of their own.
    Each(&'static Shape),
    /// A list.
    ListOf(&'static Shape),
    Plan,
    Desk,
    Knowledge,
    Actions,
    Action,
    Tests,
    Defaults,
    Thresholds,
    NoInput,
    Command,
    Shown,
    Slot,
    Valid,
    Lookup,
    Menu,
    MenuOption,
    Step,
    Arm,
    Answer,
    Callback,
    Confirm,
    Find,
    Hours,
    Hybrid,
    LeaveMessage,
    Message,
    Queue,
    Saga,
    SagaCall,
    Split,
    SplitArm,
    Survey,
    Ticket,
    Transfer,
    Webhook,
    Calendar,
    DeskQueue,
    Missed,
    WrapUp,
    Sla,
    Article,
    Variant,
    Table,
    TableRow,
    Case,
    Expect,
    Coverage,
}

/// Keys that stand beside a verb and belong to it.
pub const BESIDE: [(&str, &[&str]); 4] =
    [("lookup", &["not_found", "error", "timeout"]), ("limit", &["goto", "then"]), ("play", &["times"]), ("survey", &["when"])];

type Keys = &'static [(&'static str, Shape)];

impl Shape {
    /// The keys in the order they are written. A [`Shape::Step`] has an order of its own, see [`Shape::order`].
    fn keys(self) -> Keys {
        match self {
            Plan | Desk | Knowledge | Actions | Tests => self.keys_of_file(),
            Case | Expect | Coverage | Action | Article | Variant | Table | TableRow | Calendar | DeskQueue | Missed | WrapUp | Sla => {
                self.keys_beside_plans()
            }
            Step | Arm => STEP,
            Defaults | Thresholds | NoInput | Command | Shown | Slot | Valid | Lookup | Menu | MenuOption => self.keys_of_values(),
            Langs => &[("id", Any)],
            Any | Prose | Sentences | Each(_) | ListOf(_) => &[],
            _ => self.keys_of_verb(),
        }
    }

    fn keys_of_file(self) -> Keys {
        match self {
            Plan => &[
                ("dialplan", Any),
                ("id", Any),
                ("title", Any),
                ("mode", Any),
                ("hybrid", Hybrid),
                ("languages", Any),
                ("numbers", Any),
                ("start", Any),
                ("calendar", Any),
                ("channels", Any),
                ("defaults", Defaults),
                ("always", Each(&Command)),
                ("slots", Each(&Slot)),
                ("lookups", Each(&Lookup)),
                ("menus", Each(&Menu)),
                ("nodes", Each(&ListOf(&Step))),
            ],
            Desk => &[("calendars", Each(&Calendar)), ("queues", Each(&DeskQueue)), ("defaults", DeskQueue)],
            Knowledge => &[("knowledge", Any), ("languages", Any), ("slots", Each(&Slot)), ("articles", Each(&Article))],
            Actions => &[("actions", Any), ("languages", Any), ("rules", ListOf(&Action))],
            _ => &[("tests", Any), ("clock", Any), ("cases", ListOf(&Case)), ("coverage", Coverage)],
        }
    }

    fn keys_beside_plans(self) -> Keys {
        match self {
            Calendar => &[("tz", Any), ("open", Any), ("closed", Any), ("special", Any)],
            DeskQueue => &[
                ("order", Any),
                ("agent", Any),
                ("skills", Any),
                ("cost", Any),
                ("ring", Any),
                ("max_wait", Any),
                ("overflow", Any),
                ("missed", Missed),
                ("wrap_up", WrapUp),
                ("sla", Sla),
            ],
            Missed => &[("agent_state", Any), ("return_to", Any)],
            WrapUp => &[("max", Any), ("disposition", Any)],
            Sla => &[("answer", Any), ("target", Any)],
            Action => &[("id", Any), ("if", Any), ("queues", Any), ("text", Langs), ("say", Langs)],
            Article => &[("title", Langs), ("questions", Sentences), ("text", Langs), ("variants", ListOf(&Variant)), ("table", Table)],
            Table => &[("keys", Any), ("csv", Any), ("rows", ListOf(&TableRow)), ("unknown", Langs)],
            TableRow => &[],
            Variant => &[("when", Any), ("text", Langs)],
            Case => &[
                ("name", Any),
                ("clock", Any),
                ("caller", Any),
                ("customer", Any),
                ("session", Any),
                ("medium", Any),
                ("channel", Any),
                ("lang", Any),
                ("mock", Any),
                ("queue", Any),
                ("transfer", Any),
                ("recorded", Any),
                ("say", Any),
                ("keys", Any),
                ("audio", Any),
                ("turns", Any),
                ("expect", ListOf(&Expect)),
            ],
            Expect => &[
                ("at", Any),
                ("intents", Any),
                ("node", Any),
                ("slots", Any),
                ("asked", Any),
                ("not_asked", Any),
                ("said", Any),
                ("sent", Any),
                ("did", Any),
                ("queue", Any),
                ("priority", Any),
                ("context_has", Any),
                ("reprompt", Any),
                ("end", Any),
                ("contained", Any),
            ],
            _ => &[("nodes", Any), ("options", Any), ("languages", Any)],
        }
    }

    fn keys_of_values(self) -> Keys {
        match self {
            Defaults => &[
                ("answer", Any),
                ("barge_in", Any),
                ("thresholds", Thresholds),
                ("match", Any),
                ("local_bias", Any),
                ("no_input", NoInput),
                ("no_match", NoInput),
                ("multi_intent", Any),
                ("asr_overload", Any),
                ("error", Any),
            ],
            Thresholds => &[("accept", Any), ("confirm", Any)],
            NoInput => &[("after", Any), ("tries", Any), ("then", Any)],
            Command => &[("key", Any), ("goto", Any), ("do", Shown), ("tone", Any), ("priority", Any), ("phrases", Sentences)],
            Shown => &[("lang", Any), ("goto", Any)],
            Slot => &[
                ("type", Any),
                ("length", Any),
                ("values", Any),
                ("from_list", Any),
                ("label", Any),
                ("from", Any),
                ("optional", Any),
                ("mask", Any),
                ("max", Any),
                ("tries", Any),
                ("ask", Langs),
                ("confirm", Any),
                ("valid", Valid),
                ("grammar", Langs),
            ],
            Valid => &[("if", Any), ("say", Langs)],
            Lookup => &[
                ("get", Any),
                ("post", Any),
                ("put", Any),
                ("patch", Any),
                ("delete", Any),
                ("headers", Any),
                ("body", Any),
                ("timeout", Any),
                ("cache", Any),
                ("retries", Any),
                ("wait_say", Langs),
                ("pick", Any),
            ],
            Menu => &[("use", Any), ("prompt", Langs), ("grammar", Langs), ("options", ListOf(&MenuOption))],
            _ => &[("key", Any), ("goto", Any), ("label", Langs), ("examples", Sentences), ("when", Any)],
        }
    }

    fn keys_of_verb(self) -> Keys {
        match self {
            Answer => &[("kb", Any), ("topic", Any), ("unsure", Any)],
            Callback => &[("queue", Any), ("number", Any)],
            Confirm => &[("prompt", Langs), ("yes", Any), ("no", Any)],
            Hours => &[("calendar", Any), ("open", Any), ("closed", Any)],
            LeaveMessage => &[("mode", Any), ("need", Any), ("max", Any), ("prompt", Langs), ("triage", Any), ("reply_by", Any)],
            Message => &[("to", Any), ("channels", Any), ("text", Langs)],
            Queue => &[
                ("to", Any),
                ("skills", Any),
                ("priority", Any),
                ("context", Any),
                ("prefer_agent", Any),
                ("wait", Any),
                ("callback", Any),
                ("overflow", Any),
            ],
            Split => &[("id", Any), ("by", Any), ("arms", ListOf(&SplitArm)), ("metric", Any)],
            SplitArm => &[("weight", Any), ("goto", Any)],
            Survey => &[("id", Any), ("when", Any), ("prompt", Langs)],
            Ticket => {
                &[("type", Any), ("title", Any), ("fields", Any), ("attach", Any), ("duplicate", Any), ("same", Any), ("save_as", Any)]
            }
            Saga => &[("id", Any), ("calls", ListOf(&SagaCall)), ("retries", Any), ("wait_say", Langs), ("failed", Any), ("stuck", Any)],
            SagaCall => &[("do", Any), ("undo", Any)],
            Find => &[
                ("ask", Any),
                ("lookup", Any),
                ("items", Any),
                ("label", Any),
                ("most", Any),
                ("prompt", Langs),
                ("say", Langs),
                ("save_as", Any),
                ("none", Any),
                ("error", Any),
            ],
            Hybrid => &[("turns", Any), ("goto", Any), ("say", Langs)],
            Transfer => &[
                ("to", Any),
                ("trunk", Any),
                ("mode", Any),
                ("headers", Any),
                ("ring", Any),
                ("on_busy", Any),
                ("on_no_answer", Any),
                ("on_failed", Any),
            ],
            _ => &[("url", Any), ("timeout", Any), ("targets", Any), ("fallback", Any)],
        }
    }

    /// What a key's value is.
    #[must_use]
    pub fn of_key(self, key: &str) -> Shape {
        match self {
            Each(inner) => *inner,
            Sentences => Any,
            Langs if key != "id" => Prose,
            _ => self.keys().iter().find(|(known, _)| *known == key).map_or(Any, |(_, shape)| *shape),
        }
    }

    /// What an item of a list is.
    #[must_use]
    pub fn of_item(self) -> Shape {
        if let ListOf(inner) = self { *inner } else { Any }
    }

    /// Is it written in lines even where it would fit into one?
    #[must_use]
    pub fn is_block(self) -> bool {
        matches!(self, Plan | Desk | Knowledge | Actions | Tests | Each(_) | ListOf(MenuOption | Arm | Case | Variant | Action | TableRow))
    }

    /// Is a text there said or shown to people?
    #[must_use]
    pub fn is_prose(self) -> bool {
        matches!(self, Langs | Prose)
    }

    /// Whether the order of the keys that have no place of their own says nothing: languages do not, what a step does, does.
    fn rest_is_free(self) -> bool {
        matches!(self, Langs | Sentences | Command)
    }

    /// The keys in canonical order, as indices. What means something by its order keeps it.
    #[must_use]
    pub fn order(self, keys: &[&str]) -> Vec<usize> {
        if matches!(self, Step | Arm) {
            return order_of_step(keys);
        }
        let known = self.keys();
        let rank = |at: &usize| known.iter().position(|(key, _)| *key == keys[*at]).unwrap_or(known.len());
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(rank);
        order
    }

    /// The same for a hash: what may stand in any order is sorted.
    #[must_use]
    pub fn order_of_content(self, keys: &[&str]) -> Vec<usize> {
        let mut order = self.order(keys);
        if self.rest_is_free() {
            order.sort_by_key(|at| keys[*at]);
        }
        order
    }
}

/// The verbs with what they are made of; a step's own keys.
const STEP: Keys = &[
    ("say", Langs),
    ("menu", Menu),
    ("confirm", Confirm),
    ("branch", ListOf(&Arm)),
    ("find", Find),
    ("answer", Answer),
    ("queue", Queue),
    ("transfer", Transfer),
    ("leave_message", LeaveMessage),
    ("callback", Callback),
    ("ticket", Ticket),
    ("saga", Saga),
    ("message", Message),
    ("survey", Survey),
    ("split", Split),
    ("hours", Hours),
    ("webhook", Webhook),
    ("hangup", Langs),
];

/// The condition, then what is done in its order, each verb with what belongs to it.
fn order_of_step(keys: &[&str]) -> Vec<usize> {
    let at = |key: &str| keys.iter().position(|known| *known == key);
    let owner = |key: &str| {
        let mut owners = BESIDE.iter().filter(|(verb, beside)| *verb != key && beside.contains(&key) && at(verb).is_some());
        owners.next().map(|(verb, _)| *verb)
    };
    let mut order: Vec<usize> = ["if", "else"].into_iter().filter_map(at).collect();
    for (index, key) in keys.iter().enumerate() {
        if order.contains(&index) || owner(key).is_some() {
            continue;
        }
        order.push(index);
        let beside = BESIDE.iter().find(|(verb, _)| verb == key).map_or(&[][..], |(_, beside)| *beside);
        order.extend(beside.iter().filter_map(|key| at(key)).filter(|index| owner(keys[*index]) == Some(*key)));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered<'k>(shape: Shape, keys: &[&'k str]) -> Vec<&'k str> {
        shape.order(keys).into_iter().map(|at| keys[at]).collect()
    }

    #[test]
    fn keys_have_their_place_and_what_is_done_keeps_its_order() {
        assert_eq!(ordered(MenuOption, &["examples", "goto", "key"]), ["key", "goto", "examples"]);
        assert_eq!(ordered(Langs, &["zh-CN", "en-US", "id"]), ["id", "zh-CN", "en-US"]);
        assert_eq!(ordered(Step, &["then", "limit", "if"]), ["if", "limit", "then"]);
        assert_eq!(ordered(Step, &["goto", "set", "say"]), ["goto", "set", "say"]);
        assert_eq!(ordered(Arm, &["say", "then", "limit", "goto", "if"]), ["if", "say", "limit", "goto", "then"]);
        assert_eq!(ordered(Step, &["error", "lookup"]), ["lookup", "error"]);
        assert_eq!(Langs.order_of_content(&["zh-CN", "en-US"]), Langs.order_of_content(&["zh-CN", "en-US"]));
        assert_eq!(ordered(Any, &["b", "a"]), ["b", "a"]);
    }
}
