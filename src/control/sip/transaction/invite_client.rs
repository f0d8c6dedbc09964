//! The INVITE client transaction (RFC 3261 §17.1.1 as amended by RFC 6026 §8.4), with timer C on top.

use std::time::Duration;

use super::machine::{Effect, Event, Failure, PATIENCE, Path, T1, TIMER_C, Timer};

/// Its states; terminated is their absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Sent; `interval` is timer A's last.
    Calling {
        /// Timer A's last.
        interval: Duration,
    },
    /// It rings.
    Proceeding,
    /// It failed and is acknowledged.
    Completed,
    /// A 200 came; more may.
    Accepted,
}

/// The INVITE goes out.
pub fn start(path: Path, out: &mut Vec<Effect>) -> State {
    out.push(Effect::Send);
    if path == Path::Unreliable {
        out.push(Effect::Set(Timer::A, T1));
    }
    out.push(Effect::Set(Timer::B, PATIENCE));
    State::Calling { interval: T1 }
}

/// One step; `None` = terminated.
pub fn step(state: State, event: Event, path: Path, out: &mut Vec<Effect>) -> Option<State> {
    match (state, event) {
        (State::Calling { interval }, Event::Fired(Timer::A)) => {
            let interval = interval * 2;
            out.extend([Effect::Send, Effect::Set(Timer::A, interval)]);
            Some(State::Calling { interval })
        }
        (State::Calling { .. }, Event::Fired(Timer::B)) => fail(Failure::Timeout, out),
        (State::Calling { .. } | State::Proceeding, Event::Response(status)) => answered(state, status, path, out),
        (State::Proceeding, Event::Fired(Timer::C)) => {
            out.extend([Effect::Fail(Failure::RangTooLong), Effect::Set(Timer::B, PATIENCE)]);
            Some(State::Proceeding)
        }
        (State::Proceeding, Event::Fired(Timer::B)) => fail(Failure::Timeout, out),
        (State::Completed, Event::Response(300..)) => {
            out.push(Effect::Acknowledge);
            Some(State::Completed)
        }
        (State::Accepted, Event::Response(200..=299)) => {
            out.push(Effect::Pass);
            Some(State::Accepted)
        }
        (State::Completed, Event::Fired(Timer::D)) | (State::Accepted, Event::Fired(Timer::M)) => None,
        (State::Calling { .. } | State::Proceeding, Event::Broken) => fail(Failure::Broken, out),
        (State::Completed, Event::Broken) => None,
        (state, _) => Some(state),
    }
}

fn fail(why: Failure, out: &mut Vec<Effect>) -> Option<State> {
    out.push(Effect::Fail(why));
    None
}

fn answered(state: State, status: u16, path: Path, out: &mut Vec<Effect>) -> Option<State> {
    if let State::Calling { .. } = state {
        out.extend([Effect::Clear(Timer::A), Effect::Clear(Timer::B)]);
    }
    match status {
        ..=199 => {
            out.extend([Effect::Set(Timer::C, TIMER_C), Effect::Pass]);
            Some(State::Proceeding)
        }
        200..=299 => {
            out.extend([Effect::Clear(Timer::C), Effect::Clear(Timer::B), Effect::Set(Timer::M, PATIENCE), Effect::Pass]);
            Some(State::Accepted)
        }
        300.. => {
            out.extend([Effect::Clear(Timer::C), Effect::Clear(Timer::B), Effect::Acknowledge, Effect::Pass]);
            let linger = path.linger(PATIENCE);
            out.extend((!linger.is_zero()).then_some(Effect::Set(Timer::D, linger)));
            (!linger.is_zero()).then_some(State::Completed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::table::{Finals, Row, assert_complete};
    use super::*;
    use Effect::{Acknowledge, Clear, Pass, Send, Set};
    use Path::{Reliable, Unreliable};

    const CALLING: State = State::Calling { interval: T1 };

    fn step(state: State, event: Event, path: Path) -> (Option<State>, Vec<Effect>) {
        let mut out = Vec::new();
        (super::step(state, event, path, &mut out), out)
    }

    #[test]
    fn it_starts_with_a_and_b_and_on_a_stream_with_b_alone() {
        let mut out = Vec::new();
        assert_eq!(start(Unreliable, &mut out), CALLING);
        assert_eq!(out, [Send, Set(Timer::A, T1), Set(Timer::B, PATIENCE)]);
        out.clear();
        start(Reliable, &mut out);
        assert_eq!(out, [Send, Set(Timer::B, PATIENCE)]);
    }

    #[test]
    fn timer_a_doubles_without_a_limit() {
        let mut state = CALLING;
        for round in 1..=6u32 {
            let (next, out) = step(state, Event::Fired(Timer::A), Unreliable);
            assert_eq!(out, [Send, Set(Timer::A, T1 * 2u32.pow(round))]);
            state = next.unwrap();
        }
    }

    #[test]
    fn transitions_of_figure_5_and_rfc_6026() {
        let clear_ab = [Clear(Timer::A), Clear(Timer::B)];
        let to_accepted = [Clear(Timer::C), Clear(Timer::B), Set(Timer::M, PATIENCE), Pass];
        let to_completed = [Clear(Timer::C), Clear(Timer::B), Acknowledge, Pass, Set(Timer::D, PATIENCE)];
        let table: Vec<Row<State>> = vec![
            (CALLING, Event::Fired(Timer::A), Unreliable, Some(State::Calling { interval: T1 * 2 }), vec![Send, Set(Timer::A, T1 * 2)]),
            (CALLING, Event::Fired(Timer::B), Unreliable, None, vec![Effect::Fail(Failure::Timeout)]),
            (CALLING, Event::Broken, Reliable, None, vec![Effect::Fail(Failure::Broken)]),
            (CALLING, Event::Response(100), Unreliable, Some(State::Proceeding), [&clear_ab[..], &[Set(Timer::C, TIMER_C), Pass]].concat()),
            (CALLING, Event::Response(200), Unreliable, Some(State::Accepted), [&clear_ab[..], &to_accepted].concat()),
            (CALLING, Event::Response(486), Unreliable, Some(State::Completed), [&clear_ab[..], &to_completed].concat()),
            (CALLING, Event::Response(486), Reliable, None, [&clear_ab[..], &to_completed[..4]].concat()),
            (State::Proceeding, Event::Response(180), Unreliable, Some(State::Proceeding), vec![Set(Timer::C, TIMER_C), Pass]),
            (State::Proceeding, Event::Response(200), Unreliable, Some(State::Accepted), to_accepted.to_vec()),
            (State::Proceeding, Event::Response(603), Unreliable, Some(State::Completed), to_completed.to_vec()),
            (State::Proceeding, Event::Response(603), Reliable, None, to_completed[..4].to_vec()),
            (
                State::Proceeding,
                Event::Fired(Timer::C),
                Unreliable,
                Some(State::Proceeding),
                vec![Effect::Fail(Failure::RangTooLong), Set(Timer::B, PATIENCE)],
            ),
            (State::Proceeding, Event::Fired(Timer::B), Unreliable, None, vec![Effect::Fail(Failure::Timeout)]),
            (State::Proceeding, Event::Broken, Reliable, None, vec![Effect::Fail(Failure::Broken)]),
            (State::Completed, Event::Response(486), Unreliable, Some(State::Completed), vec![Acknowledge]),
            (State::Completed, Event::Response(180), Unreliable, Some(State::Completed), vec![]),
            (State::Completed, Event::Response(200), Unreliable, Some(State::Completed), vec![]),
            (State::Completed, Event::Fired(Timer::D), Unreliable, None, vec![]),
            (State::Completed, Event::Broken, Unreliable, None, vec![]),
            (State::Accepted, Event::Response(200), Unreliable, Some(State::Accepted), vec![Pass]),
            (State::Accepted, Event::Response(180), Unreliable, Some(State::Accepted), vec![]),
            (State::Accepted, Event::Response(486), Unreliable, Some(State::Accepted), vec![]),
            (State::Accepted, Event::Fired(Timer::M), Unreliable, None, vec![]),
        ];
        assert_complete(Finals::Apart, &[CALLING, State::Proceeding, State::Completed, State::Accepted], &table, super::step);
    }
}
