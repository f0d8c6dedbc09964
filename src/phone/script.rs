//! What a phone does during a call: steps, each taken when the far end has fallen silent, as a polite caller would.
//! Pure: time comes in, wishes come out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::control::time::Time;
use crate::media::Sound;

/// How long a key sounds and rests when it is sent by RFC 4733.
const KEY_SPAN: Duration = Duration::from_millis(200);

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Says a sound.
    Say {
        /// What people call it: the file's name.
        name: String,
        /// The sound.
        sound: Arc<Sound>,
    },
    /// Presses keys.
    Keys(String),
    /// Lets so much time pass; the next step then comes at once, whatever the far end does.
    Wait(Duration),
    /// Puts the far end on hold for so long.
    Hold(Duration),
}

/// When the phone hangs up by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HangUp {
    /// Never: the far end does.
    FarEnd,
    /// So long after the last step, or after the answer when there is none.
    After(Duration),
    /// When the far end has said something after the last step.
    AfterReply,
}

/// Times of politeness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// A far end that says nothing for so long is spoken to all the same.
    pub patience: Duration,
    /// When to hang up.
    pub hang_up: HangUp,
    /// The longest call.
    pub longest: Duration,
}

/// What the script wants done.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Play it to the far end; `played` follows.
    Say {
        /// Its name.
        name: String,
        /// The sound.
        sound: Arc<Sound>,
    },
    /// Send keys.
    Keys(String),
    /// Re-INVITE with sendonly.
    Hold,
    /// Re-INVITE with sendrecv.
    Resume,
    /// End the call.
    HangUp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Far {
    Silent,
    Speaking,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Waits for the far end to fall silent, at the latest until then.
    Listening { until: Time },
    /// A play is under way.
    Saying,
    /// The next step comes at this time.
    Pausing { until: Time },
    /// The far end is held.
    Holding { until: Time },
    /// All steps are done.
    Finished { since: Time },
    /// We hang up.
    Over,
}

/// The script of one call, from its answer on.
#[derive(Debug)]
pub struct Script {
    steps: VecDeque<Step>,
    manners: Manners,
    answered: Time,
    far: Far,
    phase: Phase,
    wishes: VecDeque<Wish>,
}

impl Script {
    /// Begins at the answer.
    #[must_use]
    pub fn new(now: Time, steps: Vec<Step>, manners: Manners) -> Script {
        let mut script =
            Script { steps: steps.into(), manners, answered: now, far: Far::Silent, phase: Phase::Over, wishes: VecDeque::new() };
        script.next(now);
        script
    }

    /// The far end begins to speak.
    pub fn far_began(&mut self) {
        self.far = Far::Speaking;
    }

    /// The far end has fallen silent.
    pub fn far_ended(&mut self, now: Time) {
        self.far = Far::Silent;
        match self.phase {
            Phase::Listening { .. } => self.act(now),
            Phase::Finished { .. } if self.manners.hang_up == HangUp::AfterReply => self.hang_up(),
            _ => {}
        }
    }

    /// What we said is out.
    pub fn played(&mut self, now: Time) {
        if self.phase == Phase::Saying {
            self.next(now);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        match self.phase {
            _ if now >= self.answered + self.manners.longest => self.hang_up(),
            Phase::Listening { .. } => self.act(now),
            Phase::Pausing { .. } => self.next(now),
            Phase::Holding { .. } => {
                self.wishes.push_back(Wish::Resume);
                self.next(now);
            }
            Phase::Finished { .. } => self.hang_up(),
            Phase::Saying | Phase::Over => {}
        }
    }

    /// When `handle_timeout` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let limit = self.answered + self.manners.longest;
        match self.phase {
            Phase::Listening { until } if self.far == Far::Silent => Some(until.min(limit)),
            Phase::Pausing { until } | Phase::Holding { until } => Some(until.min(limit)),
            Phase::Finished { since } => match self.manners.hang_up {
                HangUp::After(span) => Some((since + span).min(limit)),
                HangUp::FarEnd | HangUp::AfterReply => Some(limit),
            },
            Phase::Listening { .. } | Phase::Saying => Some(limit),
            Phase::Over => None,
        }
    }

    /// The next wish.
    pub fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// Chooses how the next step begins.
    fn next(&mut self, now: Time) {
        match self.steps.front() {
            None => self.phase = Phase::Finished { since: now },
            Some(Step::Wait(span)) => {
                let until = now + *span;
                self.steps.pop_front();
                self.phase = if until > now { Phase::Pausing { until } } else { self.phase };
                if until <= now {
                    self.act(now);
                }
            }
            Some(_) if matches!(self.phase, Phase::Pausing { .. }) => self.act(now),
            Some(_) => self.phase = Phase::Listening { until: now + self.manners.patience },
        }
    }

    /// Takes the next step now.
    fn act(&mut self, now: Time) {
        match self.steps.pop_front() {
            None => self.phase = Phase::Finished { since: now },
            Some(Step::Say { name, sound }) => {
                self.phase = Phase::Saying;
                self.wishes.push_back(Wish::Say { name, sound });
            }
            Some(Step::Keys(keys)) => {
                let span = KEY_SPAN * u32::try_from(keys.chars().count()).unwrap_or(u32::MAX);
                self.wishes.push_back(Wish::Keys(keys));
                self.settle(now + span, now);
            }
            Some(Step::Hold(span)) => {
                self.wishes.push_back(Wish::Hold);
                self.phase = Phase::Holding { until: now + span };
            }
            Some(Step::Wait(span)) => self.phase = Phase::Pausing { until: now + span },
        }
    }

    /// After keys: the reply is awaited from their end on.
    fn settle(&mut self, end: Time, now: Time) {
        self.phase = match self.steps.front() {
            None => Phase::Finished { since: end },
            Some(Step::Wait(_)) => Phase::Pausing { until: end },
            Some(_) => Phase::Listening { until: end + self.manners.patience },
        };
        debug_assert!(end >= now, "keys take time");
    }

    fn hang_up(&mut self) {
        self.phase = Phase::Over;
        self.wishes.push_back(Wish::HangUp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Audio;

    const MANNERS: Manners = Manners { patience: Duration::from_secs(6), hang_up: HangUp::AfterReply, longest: Duration::from_secs(60) };

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000)
    }

    fn say(name: &str) -> Step {
        Step::Say { name: name.into(), sound: Sound::ready(Audio::silence(20)) }
    }

    fn wishes(script: &mut Script) -> Vec<String> {
        std::iter::from_fn(|| script.poll_wish())
            .map(|wish| match wish {
                Wish::Say { name, .. } => format!("say {name}"),
                Wish::Keys(keys) => format!("keys {keys}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_step_waits_for_the_far_end_to_fall_silent() {
        let mut script = Script::new(at(0), vec![say("a"), Step::Keys("12#".into())], MANNERS);
        script.far_began();
        script.handle_timeout(at(10));
        assert!(wishes(&mut script).is_empty(), "the far end still speaks");
        script.far_ended(at(11));
        assert_eq!(wishes(&mut script), ["say a"]);
        script.far_began();
        script.far_ended(at(12));
        assert!(wishes(&mut script).is_empty(), "we still speak ourselves");
        script.played(at(13));
        script.far_began();
        script.far_ended(at(14));
        assert_eq!(wishes(&mut script), ["keys 12#"]);
        script.far_began();
        script.far_ended(at(16));
        assert_eq!(wishes(&mut script), ["HangUp"]);
    }

    #[test]
    fn a_silent_far_end_is_spoken_to_after_the_patience() {
        let mut script = Script::new(at(0), vec![say("a")], MANNERS);
        assert_eq!(script.poll_timeout(), Some(at(6)));
        script.handle_timeout(at(6));
        assert_eq!(wishes(&mut script), ["say a"]);
    }

    #[test]
    fn after_a_wait_the_step_comes_into_the_far_ends_words() {
        let mut script =
            Script::new(at(0), vec![Step::Wait(Duration::from_secs(2)), say("a"), Step::Hold(Duration::from_secs(3))], MANNERS);
        script.far_began();
        script.handle_timeout(at(2));
        assert_eq!(wishes(&mut script), ["say a"]);
        script.played(at(3));
        script.far_ended(at(4));
        assert_eq!(wishes(&mut script), ["Hold"]);
        script.handle_timeout(at(7));
        assert_eq!(wishes(&mut script), ["Resume"]);
    }

    #[test]
    fn the_longest_call_ends_whatever_happens() {
        let manners = Manners { hang_up: HangUp::FarEnd, ..MANNERS };
        let mut script = Script::new(at(0), vec![say("a")], manners);
        script.far_began();
        script.handle_timeout(at(60));
        assert_eq!(wishes(&mut script), ["HangUp"]);
        assert_eq!(script.poll_timeout(), None);
    }

    #[test]
    fn without_steps_it_hangs_up_so_long_after_the_answer() {
        let manners = Manners { hang_up: HangUp::After(Duration::from_secs(3)), ..MANNERS };
        let mut script = Script::new(at(0), vec![], manners);
        script.handle_timeout(at(3));
        assert_eq!(wishes(&mut script), ["HangUp"]);
    }
}
