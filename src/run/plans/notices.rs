//! Notices: words that everybody hears before the greeting, until their hour.

use super::House;
use crate::control::event::Fact;
use crate::control::words::NoticeId;
use crate::control::words::live::Announcement;
use crate::plans::{Done, NewNotice, Refusal};

/// Notices that are said at once: a caller who must hear more hangs up.
const MOST: usize = 10;
/// The longest words, in characters: half a minute of speech.
const LONGEST: usize = 500;

impl House {
    pub(super) async fn set_notice(&mut self, new: NewNotice, by: &str) -> Result<Done, Refusal> {
        let now = crate::clock::now();
        self.drop_past();
        let too_long = |text: &String| text.chars().count() > LONGEST;
        if new.text.trim().is_empty() || too_long(&new.text) || new.by_lang.values().any(too_long) {
            return Err(Refusal::Invalid(format!("the words of a notice have 1 to {LONGEST} characters")));
        }
        if new.until <= now {
            return Err(Refusal::Invalid(format!("until {} is over already", new.until.rfc3339())));
        }
        if let Some(plan) = &new.plan {
            self.version_of(plan)?;
        }
        if self.remembered.announcements.len() == MOST {
            return Err(Refusal::Conflict(format!("{MOST} notices are said already: clear one")));
        }
        let NewNotice { text, by_lang, until, plan } = new;
        let notice = Announcement { id: NoticeId::new(now, &mut crate::clock::chance()), text, by_lang, until, plan };
        let Announcement { id, text, by_lang, until, plan } = notice.clone();
        self.record(vec![Fact::NoticeSet { notice: id, text, by_lang, until, plan, by: by.to_owned() }]).await;
        self.remembered.announcements.push(notice.clone());
        self.show();
        Ok(Done::Notice(notice))
    }

    pub(super) async fn clear_notice(&mut self, notice: NoticeId, by: &str) -> Result<Done, Refusal> {
        self.drop_past();
        let Some(at) = self.remembered.announcements.iter().position(|known| known.id == notice) else {
            return Err(Refusal::Unknown { what: "notice", id: notice.to_string() });
        };
        self.record(vec![Fact::NoticeCleared { notice, by: by.to_owned() }]).await;
        self.remembered.announcements.remove(at);
        self.show();
        Ok(Done::Done)
    }

    pub(super) fn notices(&mut self) -> Vec<Announcement> {
        self.drop_past();
        self.remembered.announcements.clone()
    }

    fn drop_past(&mut self) {
        let now = crate::clock::now();
        self.remembered.announcements.retain(|notice| notice.until > now);
    }
}
