//! Values for the ear and for the eye, by language.

use serde_json::Value;

use super::expr::plain;
use super::template::Form;

/// An amount.
#[must_use]
pub fn money(value: &Value, _lang: &str, _form: Form) -> String {
    plain(value)
}

/// A day.
#[must_use]
pub fn date(value: &Value, _lang: &str, _form: Form) -> String {
    plain(value)
}

/// Digits one by one.
#[must_use]
pub fn digits(value: &Value, _lang: &str, _form: Form) -> String {
    plain(value)
}
