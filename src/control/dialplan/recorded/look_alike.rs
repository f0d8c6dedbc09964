//! Personal data replaced by data of the same shape that passes the same checks: the same value always by the same one.

use serde_json::Value;

use crate::control::dialplan::expr::plain;
use crate::control::dialplan::plan::{Plan, Slot, SlotType};
use crate::control::random::Random;
use crate::nlu::is_han;
use crate::nlu::slots::{self, Context, Kind, is_identity, luhn};

/// Digits in a free text that are no more than a count or a date.
const FEW_DIGITS: usize = 6;
const MOST_DIGITS: usize = 32;
/// Letters of Chinese plates: no I, no O.
const PLATE_LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const NAMES_ZH: [&str; 8] = ["王小明", "李晓红", "张伟", "刘洋", "陈静", "杨帆", "赵磊", "周敏"];
const NAMES_EN: [&str; 8] =
    ["Alex Miller", "Sam Taylor", "Kim Brown", "Robin Clark", "Jamie Young", "Chris Adams", "Pat Turner", "Lee Parker"];
/// How digits are said one by one.
const SPOKEN_ZH: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

/// What stands for what.
#[derive(Debug)]
pub struct LookAlikes {
    random: Random,
    known: Vec<(String, String)>,
}

impl LookAlikes {
    /// Nothing is known yet; the same seed gives the same look-alikes.
    #[must_use]
    pub fn new(seed: u64) -> LookAlikes {
        LookAlikes { random: Random::new(seed), known: Vec::new() }
    }

    /// What stands for a value of this kind.
    pub fn of(&mut self, kind: &SlotType, value: &str) -> String {
        let bare = if *kind == SlotType::Phone { value.strip_prefix("+86").unwrap_or(value) } else { value };
        if let Some((_, alike)) = self.known.iter().find(|(known, _)| known == bare) {
            return value.replace(bare, alike);
        }
        // By chance it may be the value itself: then once more.
        let alike = (0..8).map(|_| self.fresh(kind, bare)).find(|alike| alike != bare).unwrap_or_else(|| bare.to_owned());
        self.known.push((bare.to_owned(), alike.clone()));
        value.replace(bare, &alike)
    }

    fn fresh(&mut self, kind: &SlotType, value: &str) -> String {
        match kind {
            SlotType::Card => self.checked(value, luhn),
            SlotType::IdCn => self.identity(),
            SlotType::PlateCn => self.plate(value),
            SlotType::Phone => {
                let kept = if value.starts_with('+') { 5 } else { 3 };
                let (head, tail): (String, String) = (value.chars().take(kept).collect(), value.chars().skip(kept).collect());
                head + &self.shaped(&tail)
            }
            SlotType::Email => format!("{}@example.com", self.shaped("user000")),
            SlotType::Name if value.is_ascii() => self.one_of(&NAMES_EN),
            SlotType::Name => self.one_of(&NAMES_ZH),
            _ => self.shaped(value),
        }
    }

    fn one_of(&mut self, names: &[&str]) -> String {
        let at = usize::try_from(self.random.below(names.len() as u64)).unwrap_or(0);
        names[at].to_owned()
    }

    fn digit(&mut self) -> u8 {
        b'0' + u8::try_from(self.random.below(10)).unwrap_or(0)
    }

    /// Digits for digits, letters for letters; a first digit that is not 0 stays so.
    fn shaped(&mut self, value: &str) -> String {
        let mut out = String::new();
        for (at, c) in value.chars().enumerate() {
            out.push(match c {
                '1'..='9' if at == 0 => char::from(b'1' + u8::try_from(self.random.below(9)).unwrap_or(0)),
                c if c.is_ascii_digit() => char::from(self.digit()),
                c if c.is_ascii_uppercase() => char::from(PLATE_LETTERS[usize::try_from(self.random.below(24)).unwrap_or(0)]),
                c if c.is_ascii_lowercase() => {
                    char::from(PLATE_LETTERS[usize::try_from(self.random.below(24)).unwrap_or(0)].to_ascii_lowercase())
                }
                c => c,
            });
        }
        out
    }

    /// The same shape with a last digit that makes it pass.
    fn checked(&mut self, value: &str, passes: impl Fn(&str) -> bool) -> String {
        let mut text = self.shaped(value);
        text.pop();
        let last = ('0'..='9').find(|digit| passes(&format!("{text}{digit}"))).unwrap_or('0');
        text.push(last);
        text
    }

    fn identity(&mut self) -> String {
        let born = 1960 + self.random.below(40);
        let (month, day) = (1 + self.random.below(12), 1 + self.random.below(28));
        let text = format!("110101{born}{month:02}{day:02}{:03}", self.random.below(1_000));
        let last = ('0'..='9').chain(['X']).find(|sign| is_identity(&format!("{text}{sign}"))).unwrap_or('0');
        format!("{text}{last}")
    }

    /// The province and the first letter stay: they say where, not who.
    fn plate(&mut self, value: &str) -> String {
        let (head, tail): (String, String) = (value.chars().take(2).collect(), value.chars().skip(2).collect());
        head + &self.shaped(&tail)
    }

    /// A value that the log hides.
    pub fn invented(&mut self, slot: &Slot) -> String {
        let length = slot.length.map_or(FEW_DIGITS, |(least, _)| least);
        match slot.kind {
            SlotType::Card => self.checked("6222021234567890", luhn),
            SlotType::IdCn => self.identity(),
            SlotType::PlateCn => self.plate("京A12345"),
            SlotType::Phone => self.fresh(&SlotType::Phone, "13800138000"),
            SlotType::Email => self.fresh(&SlotType::Email, ""),
            SlotType::Name => self.one_of(&NAMES_ZH),
            SlotType::Code => self.shaped(&"A1".repeat(length.div_ceil(2))),
            _ => self.shaped(&"1".repeat(length)),
        }
    }

    /// A slot's value; those that name nobody stay.
    pub fn slot(&mut self, slot: &Slot, value: &Value) -> Value {
        let personal = matches!(
            slot.kind,
            SlotType::Digits
                | SlotType::Code
                | SlotType::Phone
                | SlotType::PlateCn
                | SlotType::Name
                | SlotType::Email
                | SlotType::IdCn
                | SlotType::Card
        );
        match value {
            Value::String(text) if personal && !text.is_empty() => self.of(&slot.kind, text).into(),
            other => self.json(other),
        }
    }

    /// A sentence: what is known, what the plan's slots find, and what stands out by itself.
    pub fn sentence(&mut self, text: &str, plan: &Plan, lang: &str) -> String {
        let mut text = self.placeholders(text);
        for slot in plan.values.slots.values() {
            let kind = match slot.kind {
                SlotType::Digits => {
                    let (min, max) = slot.length.unwrap_or((FEW_DIGITS, MOST_DIGITS));
                    Kind::Digits { min, max }
                }
                SlotType::Code => Kind::Code,
                _ => continue,
            };
            text = self.replaced(&text, kind, &slot.kind, lang, Known::Only);
        }
        text = self.personal(text, lang);
        text = self.replaced(&text, Kind::Digits { min: FEW_DIGITS, max: MOST_DIGITS }, &SlotType::Digits, lang, Known::OrNew);
        self.known_in(&text)
    }

    /// `[card]` and the like, which stand where the log has left something out.
    fn placeholders(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (sign, model, kind) in
            [("[card]", "6222021234567890", SlotType::Card), ("[id]", "", SlotType::IdCn), ("[pin]", "4711", SlotType::Digits)]
        {
            if text.contains(sign) {
                let alike = self.fresh(&kind, model);
                text = text.replace(sign, &alike);
            }
        }
        text
    }

    fn replaced(&mut self, text: &str, kind: Kind, of: &SlotType, lang: &str, which: Known) -> String {
        let now = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
        let Ok(found) = slots::find(kind, text, &Context { now, lang, currency: None }) else { return text.to_owned() };
        let is_alike = self.known.iter().any(|(_, alike)| *alike == found.text);
        let is_known = self.known.iter().any(|(known, _)| *known == found.text);
        if found.text == slots::CALLER_ID || is_alike || (which == Known::Only && !is_known) {
            return text.to_owned();
        }
        let alike = self.of(of, &found.text);
        let written = as_said(&text[found.at.clone()], &alike);
        format!("{}{written}{}", &text[..found.at.start], &text[found.at.end..])
    }

    fn known_in(&self, text: &str) -> String {
        let mut known: Vec<&(String, String)> = self.known.iter().filter(|(value, _)| value.chars().count() > 1).collect();
        known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let mut out = text.to_owned();
        for (value, alike) in known {
            if !out.contains(alike.as_str()) {
                out = out.replace(value.as_str(), alike);
            }
        }
        out
    }

    /// An answer of a lookup, or what is known of a customer.
    pub fn json(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Number(number) if number.is_u64() && number.to_string().len() >= FEW_DIGITS + 2 => {
                self.of(&SlotType::Digits, &number.to_string()).parse::<u64>().map_or_else(|_| value.clone(), Value::from)
            }
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), self.field(name, value))).collect()),
            other => other.clone(),
        }
    }

    fn field(&mut self, name: &str, value: &Value) -> Value {
        let names_person = matches!(name, "name" | "customer_name" | "driver_name" | "full_name" | "contact");
        match value {
            Value::String(text) if names_person && is_name(text) => self.of(&SlotType::Name, text).into(),
            Value::String(text) if matches!(name, "external_id" | "id") => self.of(&SlotType::Code, text).into(),
            Value::Number(_) if name == "external_id" => self.of(&SlotType::Digits, &plain(value)).into(),
            other => self.json(other),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let text = self.personal(text.to_owned(), "zh");
        self.known_in(&text)
    }

    /// What stands out by itself, in every text.
    fn personal(&mut self, mut text: String, lang: &str) -> String {
        for (kind, of) in [
            (Kind::Identity, SlotType::IdCn),
            (Kind::Card, SlotType::Card),
            (Kind::Plate, SlotType::PlateCn),
            (Kind::Email, SlotType::Email),
            (Kind::Phone, SlotType::Phone),
        ] {
            text = self.replaced(&text, kind, &of, lang, Known::OrNew);
        }
        text
    }
}

/// Which values are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Those that were met elsewhere.
    Only,
    /// All of the kind.
    OrNew,
}

/// A name of two words of Latin letters, or of two to four Chinese characters.
fn is_name(text: &str) -> bool {
    let latin = text.split(' ').count() == 2 && text.chars().all(|c| c.is_alphabetic() || c == ' ');
    let han = (2..=4).contains(&text.chars().count()) && text.chars().all(is_han);
    latin && text.is_ascii() || han && !text.ends_with(['店', '司', '市', '省', '区', '站', '部'])
}

/// Digits are said as they were said: one by one in Chinese, or in figures.
fn as_said(was: &str, value: &str) -> String {
    let spoken = was.chars().any(|c| SPOKEN_ZH.contains(&c) || matches!(c, '幺' | '两' | '洞' | '拐'));
    if !spoken || was.chars().any(|c| c.is_ascii_digit()) {
        return value.to_owned();
    }
    value.chars().map(|c| c.to_digit(10).map_or(c, |digit| SPOKEN_ZH[digit as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_pass_the_checks_of_what_they_stand_for() {
        for seed in 0..200 {
            let mut alikes = LookAlikes::new(seed);
            let card = alikes.of(&SlotType::Card, "4111111111111111");
            assert!(luhn(&card) && card.len() == 16 && card != "4111111111111111", "{card}");
            let id = alikes.of(&SlotType::IdCn, "11010519491231002X");
            assert!(is_identity(&id) && id != "11010519491231002X", "{id}");
            let plate = alikes.of(&SlotType::PlateCn, "京A12345");
            assert!(plate.starts_with("京A") && plate.chars().count() == 7 && plate != "京A12345", "{plate}");
            let phone = alikes.of(&SlotType::Phone, "+8613800138000");
            assert!(phone.starts_with("+86138") && phone.len() == 14 && phone != "+8613800138000", "{phone}");
            assert_eq!(alikes.of(&SlotType::Phone, "13800138000"), phone[3..], "with and without its country it is the same number");
            let order = alikes.of(&SlotType::Digits, "1234567890");
            assert!(order.len() == 10 && !order.starts_with('0'), "{order}");
            assert_eq!(alikes.of(&SlotType::Digits, "1234567890"), order);
        }
    }

    #[test]
    fn the_same_value_is_the_same_wherever_it_stands() {
        let mut alikes = LookAlikes::new(7);
        let plan = Plan::default();
        let said = alikes.sentence("我的手机是13800138000，车牌京A12345", &plan, "zh");
        assert!(!said.contains("13800138000") && !said.contains("京A12345"), "{said}");
        let spoken = alikes.sentence("幺三八零零幺三八零零零", &plan, "zh");
        let phone = alikes.of(&SlotType::Phone, "13800138000");
        let digits: String = spoken.chars().filter_map(|c| SPOKEN_ZH.iter().position(|digit| *digit == c)).map(|d| d.to_string()).collect();
        assert_eq!(digits, phone, "{spoken}");
        let answer = alikes.json(&serde_json::json!({"phone": "13800138000", "name": "张三", "items": ["京A12345"], "amount": 12.5}));
        assert_eq!(answer["phone"], phone.as_str());
        assert!(answer["name"] != "张三" && answer["amount"] == 12.5, "{answer}");
        assert!(said.contains(answer["items"][0].as_str().unwrap()), "{said} {answer}");
        assert!(!alikes.sentence("my card is [card]", &plan, "en").contains('['));
    }
}
