//! `/v1/reports/bot` and `/v1/reports/ab`: what the robot is asked and what it does about it, and what a change of it did.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Caller;
use super::extract::Query;
use super::problem::{Problem, Refused};
use super::reports::period;
use crate::control::discreet::SECRET;
use crate::control::words::decision::{ARTICLE, is_gap, is_news};
use crate::nlu::hot;
use crate::store::gaps::Understood;
use crate::store::reports::{ArmCounts, Period};

/// Entries of each list.
const SHOWN: usize = 20;
/// Standard errors of a confidence of 95 %.
const Z: f64 = 1.96;

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Robots {
    /// The plan's id; absent = all.
    pub dialplan: Option<String>,
    /// From then on, RFC 3339; absent = from the beginning.
    pub since: Option<String>,
    /// Before that, RFC 3339; absent = until now.
    pub until: Option<String>,
}

/// Which arms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Comparing {
    /// The plan's id.
    pub dialplan: String,
    /// The id of a `split` step; absent = the plan's versions are compared.
    pub split: Option<String>,
    /// From then on, RFC 3339; absent = from the beginning.
    pub since: Option<String>,
    /// Before that, RFC 3339; absent = until now.
    pub until: Option<String>,
}

/// Something counted.
#[derive(Serialize, ToSchema)]
pub struct Counted {
    /// What.
    pub name: String,
    /// How often.
    pub count: usize,
}

/// A word that is said often.
#[derive(Serialize, ToSchema)]
pub struct HotWord {
    /// It.
    pub word: String,
    /// In how many sentences.
    pub count: usize,
    /// How much more often than in the span of the same length before (difference of log-odds); null when that span is not known.
    pub rise: Option<f64>,
}

/// What the robot did.
#[derive(Serialize, ToSchema)]
pub struct BotReport {
    /// Sessions in which something was said to it.
    pub sessions: usize,
    /// Sentences and keys.
    pub turns: usize,
    /// Turns of a session, on average.
    pub turns_mean: f64,
    /// Sentences that were not understood or not answered.
    pub unmatched: usize,
    /// What was meant, most frequent first.
    pub intents: Vec<Counted>,
    /// Articles that answered, as `topic@version`, most frequent first.
    pub articles: Vec<Counted>,
    /// Sentences, most frequent first.
    pub hot_questions: Vec<Counted>,
    /// Words, most frequent first.
    pub hot_words: Vec<HotWord>,
}

/// How sessions of an arm went.
#[derive(Serialize, ToSchema)]
pub struct Arm {
    /// The arm (the node it leads to), or the version.
    pub arm: String,
    /// Ended sessions.
    pub sessions: i64,
    /// Ended without a person, and in which range the true share lies with 95 % confidence (Wilson).
    pub contained: i64,
    /// The share.
    pub containment: Estimate,
    /// The mean mark of surveys, when there are any.
    pub csat: Option<Estimate>,
    /// Marks.
    pub marks: i64,
}

/// A number and where it lies with 95 % confidence.
#[derive(Serialize, ToSchema, Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// An arm against the first one.
#[derive(Serialize, ToSchema)]
pub struct Difference {
    /// The arm.
    pub arm: String,
    /// The first one.
    pub against: String,
    /// Its share of contained sessions less the first one's (Newcombe).
    pub containment: Estimate,
    /// Its mean mark less the first one's, when both have two marks or more (Welch).
    pub csat: Option<Estimate>,
    /// The confidence range of one of both leaves zero out.
    pub significant: bool,
}

/// Arms compared.
#[derive(Serialize, ToSchema)]
pub struct ArmsReport {
    /// The plan.
    pub dialplan: String,
    /// By name.
    pub arms: Vec<Arm>,
    /// Each arm but the first against the first.
    pub differences: Vec<Difference>,
}

/// What the robot was asked, what it understood and answered.
#[utoipa::path(get, path = "/v1/reports/bot", tag = "reports", params(Robots), responses((status = 200, body = BotReport), Refused))]
pub async fn bot(State(state): State<ApiState>, caller: Caller, Query(query): Query<Robots>) -> Result<Json<BotReport>, Problem> {
    caller.may("reports:read")?;
    let now = period(query.since.as_deref(), query.until.as_deref())?;
    let said = state.store.understood(now, query.dialplan.as_deref()).await?;
    let before = match before(now) {
        Some(before) => Some(state.store.understood(before, query.dialplan.as_deref()).await?),
        None => None,
    };
    Ok(Json(report(&said, before.as_deref())))
}

/// The span of the same length before, when it is known where this one begins.
fn before(period: Period) -> Option<Period> {
    let until = period.until.min(crate::clock::now().0);
    let length = until.checked_sub(period.since)?;
    (period.since > 0).then(|| Period { since: period.since.saturating_sub(length), until: period.since })
}

/// The words of a sentence, unless they are none.
fn sentence(one: &Understood) -> Option<&str> {
    let spoken = one.decision != "key" && !is_news(&one.decision);
    Some(one.text.trim()).filter(|text| spoken && !text.is_empty() && *text != SECRET)
}

fn report(said: &[Understood], before: Option<&[Understood]>) -> BotReport {
    let turns = said.iter().filter(|one| !is_news(&one.decision)).count();
    let sessions = said.iter().map(|one| one.session.as_str()).collect::<BTreeSet<_>>().len();
    let of = |wanted: &dyn Fn(&Understood) -> Option<String>| counted(said.iter().filter_map(wanted));
    let sentences: Vec<&str> = said.iter().filter_map(sentence).collect();
    BotReport {
        sessions,
        turns,
        turns_mean: ratio(turns, sessions),
        unmatched: said.iter().filter(|one| is_gap(&one.decision)).count(),
        intents: of(&|one| one.intent.clone().filter(|_| matches!(one.decision.as_str(), "accept" | "key" | "phrase"))),
        articles: of(&|one| (one.decision == ARTICLE).then(|| one.text.clone())),
        hot_questions: of(&|one| sentence(one).map(str::to_owned)),
        hot_words: hot_words(&sentences, before),
    }
}

fn hot_words(sentences: &[&str], before: Option<&[Understood]>) -> Vec<HotWord> {
    let earlier: Option<Vec<&str>> = before.map(|before| before.iter().filter_map(sentence).collect());
    let known = earlier.as_ref().map(|earlier| (hot::words(earlier), earlier.len()));
    let rise = |word: &str, count: usize| {
        known.as_ref().map(|(words, all)| hot::rise((count, sentences.len()), (words.get(word).copied().unwrap_or(0), *all)))
    };
    let mut words: Vec<(String, usize)> = hot::words(sentences).into_iter().collect();
    words.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    words.into_iter().take(SHOWN).map(|(word, count)| HotWord { rise: rise(&word, count), word, count }).collect()
}

fn counted(all: impl Iterator<Item = String>) -> Vec<Counted> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    all.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<Counted> = counts.into_iter().map(|(name, count)| Counted { name, count }).collect();
    counts.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.name.cmp(&right.name)));
    counts.truncate(SHOWN);
    counts
}

#[allow(clippy::cast_precision_loss)] // counts
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What a `split` step, or a new version, did: containment and marks of each arm with their confidence ranges.
#[utoipa::path(get, path = "/v1/reports/ab", tag = "reports", params(Comparing), responses((status = 200, body = ArmsReport), Refused))]
pub async fn arms(State(state): State<ApiState>, caller: Caller, Query(query): Query<Comparing>) -> Result<Json<ArmsReport>, Problem> {
    caller.may("reports:read")?;
    let period = period(query.since.as_deref(), query.until.as_deref())?;
    let counts = state.store.report_arms(&query.dialplan, query.split.as_deref(), period).await?;
    Ok(Json(compared(query.dialplan, &counts)))
}

fn compared(dialplan: String, counts: &[ArmCounts]) -> ArmsReport {
    // The value of a slot is JSON.
    let name = |arm: &ArmCounts| serde_json::from_str::<String>(&arm.arm).unwrap_or_else(|_| arm.arm.clone());
    let shown = |arm: &ArmCounts| Arm {
        arm: name(arm),
        sessions: arm.sessions,
        contained: arm.contained,
        containment: wilson(arm),
        csat: mean(arm),
        marks: arm.marks[0] as i64,
    };
    let differences = match counts.split_first() {
        None => Vec::new(),
        Some((first, others)) => others.iter().map(|arm| difference(arm, first, name(arm), name(first))).collect(),
    };
    ArmsReport { dialplan, arms: counts.iter().map(shown).collect(), differences }
}

fn difference(arm: &ArmCounts, first: &ArmCounts, name: String, against: String) -> Difference {
    let (own, other) = (wilson(arm), wilson(first));
    let value = own.value - other.value;
    // Newcombe's hybrid of both Wilson ranges.
    let low = value - (own.value - own.low).hypot(other.high - other.value);
    let high = value + (own.high - own.value).hypot(other.value - other.low);
    let containment = Estimate { value, low, high };
    let csat = deviation(arm).zip(deviation(first)).map(|((mean, error), (mean_first, error_first))| {
        let (value, range) = (mean - mean_first, Z * error.hypot(error_first));
        Estimate { value, low: value - range, high: value + range }
    });
    let beyond = |it: &Estimate| it.low > 0.0 || it.high < 0.0;
    let significant = beyond(&containment) || csat.as_ref().is_some_and(beyond);
    Difference { arm: name, against, containment, csat, significant }
}

#[allow(clippy::cast_precision_loss)] // counts
fn wilson(arm: &ArmCounts) -> Estimate {
    let n = (arm.sessions as f64).max(1.0);
    let value = arm.contained as f64 / n;
    let square = Z * Z;
    let middle = (value + square / (2.0 * n)) / (1.0 + square / n);
    let range = Z / (1.0 + square / n) * (value * (1.0 - value) / n + square / (4.0 * n * n)).sqrt();
    Estimate { value, low: (middle - range).max(0.0), high: (middle + range).min(1.0) }
}

/// The mean mark and its standard error; two marks at least.
fn deviation(arm: &ArmCounts) -> Option<(f64, f64)> {
    let [n, sum, squares] = arm.marks;
    if n < 2.0 {
        return None;
    }
    let mean = sum / n;
    let variance = ((squares - n * mean * mean) / (n - 1.0)).max(0.0);
    Some((mean, (variance / n).sqrt()))
}

fn mean(arm: &ArmCounts) -> Option<Estimate> {
    let (value, error) = deviation(arm)?;
    Some(Estimate { value, low: value - Z * error, high: value + Z * error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, sessions: i64, contained: i64, marks: &[f64]) -> ArmCounts {
        let sums = [marks.len() as f64, marks.iter().sum(), marks.iter().map(|mark| mark * mark).sum()];
        ArmCounts { arm: format!("\"{name}\""), sessions, contained, marks: sums }
    }

    #[test]
    fn s77_arms_are_compared_with_ranges_that_textbooks_give() {
        // Newcombe (1998), 56/70 against 48/80: 0.2 with 0.0524 to 0.3339.
        let report = compared("p".into(), &[arm("old", 80, 48, &[]), arm("new", 70, 56, &[])]);
        let found = &report.differences[0].containment;
        assert!((found.value - 0.2).abs() < 1e-9 && (found.low - 0.0524).abs() < 2e-3 && (found.high - 0.3339).abs() < 2e-3, "{found:?}");
        assert!(report.differences[0].significant && report.differences[0].csat.is_none());
        assert_eq!((report.arms[1].arm.as_str(), report.differences[0].against.as_str()), ("new", "old"));
        let alike = compared("p".into(), &[arm("a", 20, 10, &[4.0, 5.0, 3.0]), arm("b", 20, 11, &[4.0, 4.0, 5.0])]);
        assert!(!alike.differences[0].significant);
        let csat = alike.differences[0].csat.unwrap();
        assert!((csat.value - 1.0 / 3.0).abs() < 1e-9 && csat.low < 0.0 && csat.high > 0.0, "{csat:?}");
        assert!(compared("p".into(), &[]).differences.is_empty());
    }

    #[test]
    fn s70_the_robots_report_counts_turns_intents_articles_questions_and_words() {
        let one = |session: &str, text: &str, decision: &str, intent: Option<&str>| Understood {
            session: session.into(),
            text: text.into(),
            decision: decision.into(),
            intent: intent.map(str::to_owned),
        };
        let said = [
            one("a", "押金怎么退", "accept", Some("deposit")),
            one("a", "deposit@1a2b", "article", None),
            one("b", "押金怎么退", "accept", Some("deposit")),
            one("b", "退押金呀", "reprompt", None),
            one("b", "1", "key", Some("order")),
        ];
        let report = report(&said, Some(&[]));
        assert_eq!((report.sessions, report.turns, report.unmatched), (2, 4, 1));
        assert_eq!((report.intents[0].name.as_str(), report.intents[0].count, report.intents[1].name.as_str()), ("deposit", 2, "order"));
        assert_eq!((report.articles[0].name.as_str(), report.hot_questions[0].name.as_str()), ("deposit@1a2b", "押金怎么退"));
        assert!(report.hot_words.iter().any(|word| word.word == "押金" && word.count == 3 && word.rise.is_some()));
    }
}
