//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use super::machine::{Effect, Event, Failure, PATIENCE, Path, T1, T2, T4, Timer, doubled};

/// Its states; terminated is their absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Sent; `interval` is timer E's last.
    Trying {
        /// Timer E's last.
        interval: Duration,
    },
    /// A provisional response came.
    Proceeding,
    /// The final response came.
    Completed,
}

/// The request goes out.
pub fn start(path: Path, out: &mut Vec<Effect>) -> State {
    out.push(Effect::Send);
    if path == Path::Unreliable {
        out.push(Effect::Set(Timer::E, T1));
    }
    out.push(Effect::Set(Timer::F, PATIENCE));
    State::Trying { interval: T1 }
}

/// One step; `None` = terminated.
pub fn step(state: State, event: Event, path: Path, out: &mut Vec<Effect>) -> Option<State> {
    match (state, event) {
        (State::Trying { interval }, Event::Fired(Timer::E)) => {
            let interval = doubled(interval);
            out.extend([Effect::Send, Effect::Set(Timer::E, interval)]);
            Some(State::Trying { interval })
        }
        (State::Proceeding, Event::Fired(Timer::E)) => {
            out.extend([Effect::Send, Effect::Set(Timer::E, T2)]);
            Some(State::Proceeding)
        }
        (State::Trying { .. } | State::Proceeding, Event::Response(..=199)) => {
            out.push(Effect::Pass);
            Some(State::Proceeding)
        }
        (State::Trying { .. } | State::Proceeding, Event::Response(200..)) => {
            out.extend([Effect::Clear(Timer::E), Effect::Clear(Timer::F), Effect::Pass]);
            let linger = path.linger(T4);
            out.extend((!linger.is_zero()).then_some(Effect::Set(Timer::K, linger)));
            (!linger.is_zero()).then_some(State::Completed)
        }
        (State::Trying { .. } | State::Proceeding, Event::Fired(Timer::F)) => fail(Failure::Timeout, out),
        (State::Trying { .. } | State::Proceeding, Event::Broken) => fail(Failure::Broken, out),
        (State::Completed, Event::Fired(Timer::K)) => None,
        (state, _) => Some(state),
    }
}

fn fail(why: Failure, out: &mut Vec<Effect>) -> Option<State> {
    out.push(Effect::Fail(why));
    None
}

#[cfg(test)]
mod tests {
    use super::super::machine::table::{Finals, Row, assert_complete};
    use super::*;
    use Effect::{Clear, Pass, Send, Set};
    use Path::{Reliable, Unreliable};

    const TRYING: State = State::Trying { interval: T1 };

    fn step(state: State, event: Event, path: Path) -> (Option<State>, Vec<Effect>) {
        let mut out = Vec::new();
        (super::step(state, event, path, &mut out), out)
    }

    #[test]
    fn it_starts_with_e_and_f_and_on_a_stream_with_f_alone() {
        let mut out = Vec::new();
        assert_eq!(start(Unreliable, &mut out), TRYING);
        assert_eq!(out, [Send, Set(Timer::E, T1), Set(Timer::F, PATIENCE)]);
        out.clear();
        start(Reliable, &mut out);
        assert_eq!(out, [Send, Set(Timer::F, PATIENCE)]);
    }

    #[test]
    fn timer_e_doubles_up_to_t2() {
        let mut state = TRYING;
        for seconds in [1, 2, 4, 4] {
            let (next, out) = step(state, Event::Fired(Timer::E), Unreliable);
            assert_eq!(out, [Send, Set(Timer::E, Duration::from_secs(seconds))]);
            state = next.unwrap();
        }
    }

    #[test]
    fn transitions_of_figure_6() {
        let done = [Clear(Timer::E), Clear(Timer::F), Pass];
        let done_udp = [&done[..], &[Set(Timer::K, T4)]].concat();
        let table: Vec<Row<State>> = vec![
            (TRYING, Event::Fired(Timer::E), Unreliable, Some(State::Trying { interval: T1 * 2 }), vec![Send, Set(Timer::E, T1 * 2)]),
            (TRYING, Event::Response(100), Unreliable, Some(State::Proceeding), vec![Pass]),
            (TRYING, Event::Response(200), Unreliable, Some(State::Completed), done_udp.clone()),
            (TRYING, Event::Response(404), Reliable, None, done.to_vec()),
            (TRYING, Event::Fired(Timer::F), Unreliable, None, vec![Effect::Fail(Failure::Timeout)]),
            (TRYING, Event::Broken, Reliable, None, vec![Effect::Fail(Failure::Broken)]),
            (State::Proceeding, Event::Fired(Timer::E), Unreliable, Some(State::Proceeding), vec![Send, Set(Timer::E, T2)]),
            (State::Proceeding, Event::Response(183), Unreliable, Some(State::Proceeding), vec![Pass]),
            (State::Proceeding, Event::Response(500), Unreliable, Some(State::Completed), done_udp),
            (State::Proceeding, Event::Response(500), Reliable, None, done.to_vec()),
            (State::Proceeding, Event::Fired(Timer::F), Unreliable, None, vec![Effect::Fail(Failure::Timeout)]),
            (State::Proceeding, Event::Broken, Reliable, None, vec![Effect::Fail(Failure::Broken)]),
            (State::Completed, Event::Response(200), Unreliable, Some(State::Completed), vec![]),
            (State::Completed, Event::Fired(Timer::E), Unreliable, Some(State::Completed), vec![]),
            (State::Completed, Event::Fired(Timer::K), Unreliable, None, vec![]),
        ];
        assert_complete(Finals::Alike, &[TRYING, State::Proceeding, State::Completed], &table, super::step);
    }
}
