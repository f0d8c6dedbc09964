//! What nobody may keep leaves a fact before anything writes it down: cards, identity numbers, PINs. All facts pass here, those of
//! the rules and those of the API, so that the log's file, the tables, the live stream and adapters see the same masked words.

use serde_json::{Map, Value};

use super::event::Fact;
use super::words::chat::Content;
use crate::nlu::redact::redact;

/// What stands in the place of words that are secret as a whole: the answer to a question for a masked slot.
pub const SECRET: &str = "[secret]";
/// What stands in the place of a key that is no choice of a menu.
pub const HIDDEN_KEY: char = 'x';
/// The value of a masked slot.
const MASKED: &str = "***";
/// A number of at least so many digits may be a card's; shorter ones (clocks in milliseconds) are left alone unless they are text.
const CARD_DIGITS: usize = 15;

/// Masks what a fact may not carry.
#[must_use]
pub fn discreet(mut fact: Fact) -> Fact {
    match &mut fact {
        Fact::MessageCreated { content, .. } => mask_content(content),
        Fact::Understood { text, .. } | Fact::Upset { text, .. } | Fact::TicketCommented { text, .. } => mask(text),
        Fact::SlotFilled { value, masked: true, .. } => *value = MASKED.into(),
        Fact::SlotFilled { slot, value, .. } => mask_named(slot, value),
        Fact::LookupDone { value, .. } => mask_json(value),
        Fact::Offered { context, .. } => mask_json(context),
        Fact::TranscriptFinished { utterances, .. } => mask_json(utterances),
        Fact::EvaluationFinished { answers, .. } => mask_json(answers),
        Fact::SuggestionCreated { text, say, .. } => {
            mask(text);
            say.iter_mut().for_each(mask);
        }
        Fact::SagaStage { why, .. } => why.iter_mut().for_each(mask),
        Fact::TicketOpened { title, fields, .. } | Fact::TicketLinked { title, fields, .. } => {
            mask(title);
            mask_map(fields);
        }
        Fact::TicketState { note, .. } => note.iter_mut().for_each(mask),
        Fact::MessageLeft { text, .. } => text.iter_mut().for_each(mask),
        Fact::ActivitySeen { title, url, .. } => {
            mask(title);
            url.iter_mut().for_each(mask);
        }
        // The others carry names, states and numbers of ours; a customer's own fields are what the shop chose to keep.
        _ => {}
    }
    fact
}

/// Masks what a message may not carry.
pub fn mask_content(content: &mut Content) {
    match content {
        Content::Text { text } => mask(text),
        Content::Media { .. } => {}
        Content::Location { label, .. } => label.iter_mut().for_each(mask),
        Content::Card { card } => mask_json(card),
    }
}

fn mask(text: &mut String) {
    let masked = redact(text);
    if masked != *text {
        *text = masked;
    }
}

fn mask_json(value: &mut Value) {
    match value {
        Value::String(text) => mask(text),
        Value::Number(number) => {
            let text = number.to_string();
            if text.len() >= CARD_DIGITS && redact(&text) != text {
                *value = redact(&text).into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask_json),
        Value::Object(map) => mask_map(map),
        Value::Null | Value::Bool(_) => {}
    }
}

fn mask_map(map: &mut Map<String, Value>) {
    map.iter_mut().for_each(|(name, value)| mask_named(name, value));
}

/// `{"pin": "4711"}`: the name tells what the digits alone do not.
fn mask_named(name: &str, value: &mut Value) {
    mask_json(value);
    let digits = match &*value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    let name = name.replace(['_', '-', '.'], " ");
    let whole = format!("{name} {digits}");
    let masked = redact(&whole);
    if masked != whole {
        *value = masked.strip_prefix(&name).unwrap_or(SECRET).trim().into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::words::{AgentId, OfferId, QueueId, SessionId};

    #[test]
    fn secrets_leave_texts_wherever_they_stand_in_a_fact() {
        let context = json!({
            "transcript": [{"by": "customer", "text": "my card is 4111 1111 1111 1111"}],
            "slots": {"pin": "4711", "order": "A100"}, "lookups": {"pay": {"card": 4_111_111_111_111_111_u64, "at": 1_732_200_000_000_u64}},
        });
        let (offer, session, agent, queue) = (OfferId(1), SessionId(1), AgentId::of_name("a"), QueueId::of_name("q"));
        let Fact::Offered { context, .. } = discreet(Fact::Offered { offer, session, agent, queue, context }) else { panic!() };
        assert_eq!(context["transcript"][0]["text"], "my card is [card]");
        assert_eq!((&context["slots"]["pin"], &context["slots"]["order"]), (&json!("[pin]"), &json!("A100")));
        assert_eq!(
            (&context["lookups"]["pay"]["card"], &context["lookups"]["pay"]["at"]),
            (&json!("[card]"), &json!(1_732_200_000_000_u64))
        );
    }

    #[test]
    fn a_masked_slot_never_carries_its_value() {
        let fact = Fact::SlotFilled { session: SessionId(1), slot: "word".to_owned(), value: "hunter2".into(), masked: true };
        let Fact::SlotFilled { value, .. } = discreet(fact) else { panic!() };
        assert_eq!(value, "***");
        let fact = Fact::SlotFilled { session: SessionId(1), slot: "id".to_owned(), value: "11010519491231002X".into(), masked: false };
        let Fact::SlotFilled { value, .. } = discreet(fact) else { panic!() };
        assert_eq!(value, "[id]");
    }
}
