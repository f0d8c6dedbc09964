//! What is changed while the center runs and is kept in the log: plan versions on trial, and notices that callers hear first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Lang, NoticeId, SessionId};
use crate::control::dialplan::plan::Plan;
use crate::control::time::Time;

/// A lot is drawn out of so many.
const LOTS: u64 = 10_000;
/// Lots of one percent.
const LOTS_PER_CENT: u64 = LOTS / 100;

/// What holds besides the files.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Versions on trial, by plan.
    pub canaries: BTreeMap<String, Canary>,
    /// Notices, the oldest first.
    pub announcements: Vec<Announcement>,
}

/// A version of a plan that some of the new calls take.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The version on trial.
    pub plan: Arc<Plan>,
    /// How many of a hundred take it.
    pub percent: u8,
}

/// Words that everybody hears before the greeting, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: NoticeId,
    /// In languages that `by_lang` does not have.
    pub text: String,
    /// In others.
    pub by_lang: BTreeMap<Lang, String>,
    /// It is not said from then on.
    pub until: Time,
    /// On this plan only; on all when absent.
    pub plan: Option<String>,
}

impl Announcement {
    /// Is it said on this plan now?
    #[must_use]
    pub fn holds(&self, plan: &str, now: Time) -> bool {
        now < self.until && self.plan.as_deref().is_none_or(|only| only == plan)
    }

    /// The words in this language, or in a related one.
    #[must_use]
    pub fn of(&self, lang: &Lang) -> &str {
        let related = || self.by_lang.iter().find(|(tag, _)| tag.primary() == lang.primary()).map(|(_, text)| text);
        self.by_lang.get(lang).or_else(related).unwrap_or(&self.text)
    }
}

impl Live {
    /// The version on trial, when the lot of this session falls to it. The lot is drawn from the session's id alone: asked again, the
    /// answer is the same.
    #[must_use]
    pub fn canary_of(&self, plan: &str, session: SessionId) -> Option<&Arc<Plan>> {
        self.canaries.get(plan).filter(|canary| lot(session) < u64::from(canary.percent) * LOTS_PER_CENT).map(|canary| &canary.plan)
    }

    /// What is said first on this plan, in this language.
    #[must_use]
    pub fn words(&self, plan: &str, lang: &Lang, now: Time) -> Vec<String> {
        self.announcements.iter().filter(|notice| notice.holds(plan, now)).map(|notice| notice.of(lang).to_owned()).collect()
    }
}

/// Sessions that begin one after the other have lots that have nothing to do with each other (the mixing step of SplitMix64).
fn lot(session: SessionId) -> u64 {
    let folded = (session.0 ^ (session.0 >> 64)) & u128::from(u64::MAX);
    let mut mixed = u64::try_from(folded).unwrap_or_default();
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % LOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;

    #[test]
    fn s07_a_canary_of_five_percent_gets_five_of_a_hundred_sessions_and_always_the_same_ones() {
        let mut random = Random::new(7);
        let canary = Canary { plan: Arc::new(Plan { version: "draft".into(), ..Plan::default() }), percent: 5 };
        let live = Live { canaries: BTreeMap::from([("p".to_owned(), canary)]), announcements: Vec::new() };
        let sessions: Vec<SessionId> = (0..20_000).map(|at| SessionId::new(Time(at * 1_000), &mut random)).collect();
        let taken = sessions.iter().filter(|session| live.canary_of("p", **session).is_some()).count();
        assert!((900..1_100).contains(&taken), "{taken} of 20,000");
        assert!(sessions.iter().all(|session| live.canary_of("p", *session).is_some() == live.canary_of("p", *session).is_some()));
        assert!(sessions.iter().all(|session| live.canary_of("q", *session).is_none()), "another plan has none");
    }

    #[test]
    fn s87_a_notice_holds_until_its_hour_on_its_plan_in_the_callers_language() {
        let by_lang = BTreeMap::from([(Lang::new("en-US"), "Systems are down.".to_owned())]);
        let notice = Announcement { id: NoticeId(1), text: "系统维护".into(), by_lang, until: Time(100), plan: None };
        let only =
            Announcement {
                id: NoticeId(2), text: "只在这里".into(), by_lang: BTreeMap::new(), plan: Some("a".into()), until: Time(50)
            };
        let live = Live { canaries: BTreeMap::new(), announcements: vec![notice, only] };
        assert_eq!(live.words("a", &Lang::new("zh-CN"), Time(10)), ["系统维护", "只在这里"]);
        assert_eq!(live.words("b", &Lang::new("en-GB"), Time(10)), ["Systems are down."]);
        assert_eq!(live.words("a", &Lang::new("zh-CN"), Time(50)), ["系统维护"]);
        assert!(live.words("a", &Lang::new("zh-CN"), Time(100)).is_empty());
    }
}
