//! The INVITE server transaction (RFC 3261 §17.2.1 as amended by RFC 6026 §8.7). Our core retransmits a 200 until the ACK comes.

use std::time::Duration;

use super::machine::{Effect, Event, Failure, PATIENCE, Path, T1, T4, Timer, doubled};

/// Its states; terminated is their absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No final answer yet.
    Proceeding,
    /// A failure is out; `interval` is timer G's last.
    Completed {
        /// Timer G's last.
        interval: Duration,
    },
    /// The failure is acknowledged.
    Confirmed,
    /// A 200 is out.
    Accepted,
}

/// One step; `None` = terminated.
pub fn step(state: State, event: Event, path: Path, out: &mut Vec<Effect>) -> Option<State> {
    match (state, event) {
        (State::Proceeding, Event::Respond(status)) => Some(respond(status, path, out)),
        (State::Proceeding | State::Completed { .. }, Event::Request) => {
            out.push(Effect::Send);
            Some(state)
        }
        (State::Completed { interval }, Event::Fired(Timer::G)) => {
            let interval = doubled(interval);
            out.extend([Effect::Send, Effect::Set(Timer::G, interval)]);
            Some(State::Completed { interval })
        }
        (State::Completed { .. }, Event::Ack) => {
            out.extend([Effect::Clear(Timer::G), Effect::Clear(Timer::H)]);
            let linger = path.linger(T4);
            out.extend((!linger.is_zero()).then_some(Effect::Set(Timer::I, linger)));
            (!linger.is_zero()).then_some(State::Confirmed)
        }
        (State::Completed { .. }, Event::Fired(Timer::H)) => {
            out.push(Effect::Fail(Failure::NoAck));
            None
        }
        (State::Accepted, Event::Respond(200..=299)) => {
            out.push(Effect::Send);
            Some(state)
        }
        (State::Accepted, Event::Ack) => {
            out.push(Effect::Pass);
            Some(state)
        }
        (State::Confirmed, Event::Fired(Timer::I)) | (State::Accepted, Event::Fired(Timer::L)) => None,
        (State::Completed { .. }, Event::Broken) => None,
        (state, _) => Some(state),
    }
}

fn respond(status: u16, path: Path, out: &mut Vec<Effect>) -> State {
    out.push(Effect::Send);
    match status {
        ..=199 => State::Proceeding,
        200..=299 => {
            out.push(Effect::Set(Timer::L, PATIENCE));
            State::Accepted
        }
        300.. => {
            if path == Path::Unreliable {
                out.push(Effect::Set(Timer::G, T1));
            }
            out.push(Effect::Set(Timer::H, PATIENCE));
            State::Completed { interval: T1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::T2;
    use super::super::machine::table::{Finals, Row, assert_complete};
    use super::*;
    use Effect::{Clear, Pass, Send, Set};
    use Path::{Reliable, Unreliable};

    const COMPLETED: State = State::Completed { interval: T1 };

    fn step(state: State, event: Event, path: Path) -> (Option<State>, Vec<Effect>) {
        let mut out = Vec::new();
        (super::step(state, event, path, &mut out), out)
    }

    #[test]
    fn timer_g_doubles_up_to_t2() {
        let mut state = COMPLETED;
        for seconds in [1.0, 2.0, 4.0, 4.0] {
            let (next, out) = step(state, Event::Fired(Timer::G), Unreliable);
            assert_eq!(out, [Send, Set(Timer::G, Duration::from_secs_f64(seconds))]);
            state = next.unwrap();
        }
        assert_eq!(state, State::Completed { interval: T2 });
    }

    #[test]
    fn transitions_of_figure_7_and_rfc_6026() {
        let clear_gh = [Clear(Timer::G), Clear(Timer::H)];
        let table: Vec<Row<State>> = vec![
            (State::Proceeding, Event::Request, Unreliable, Some(State::Proceeding), vec![Send]),
            (State::Proceeding, Event::Respond(180), Unreliable, Some(State::Proceeding), vec![Send]),
            (State::Proceeding, Event::Respond(200), Unreliable, Some(State::Accepted), vec![Send, Set(Timer::L, PATIENCE)]),
            (State::Proceeding, Event::Respond(486), Unreliable, Some(COMPLETED), vec![Send, Set(Timer::G, T1), Set(Timer::H, PATIENCE)]),
            (State::Proceeding, Event::Respond(486), Reliable, Some(COMPLETED), vec![Send, Set(Timer::H, PATIENCE)]),
            (State::Proceeding, Event::Ack, Unreliable, Some(State::Proceeding), vec![]),
            (State::Proceeding, Event::Broken, Reliable, Some(State::Proceeding), vec![]),
            (COMPLETED, Event::Fired(Timer::G), Unreliable, Some(State::Completed { interval: T1 * 2 }), vec![Send, Set(Timer::G, T1 * 2)]),
            (COMPLETED, Event::Request, Unreliable, Some(COMPLETED), vec![Send]),
            (COMPLETED, Event::Respond(180), Unreliable, Some(COMPLETED), vec![]),
            (COMPLETED, Event::Ack, Unreliable, Some(State::Confirmed), [&clear_gh[..], &[Set(Timer::I, T4)]].concat()),
            (COMPLETED, Event::Ack, Reliable, None, clear_gh.to_vec()),
            (COMPLETED, Event::Fired(Timer::H), Unreliable, None, vec![Effect::Fail(Failure::NoAck)]),
            (COMPLETED, Event::Broken, Reliable, None, vec![]),
            (State::Confirmed, Event::Request, Unreliable, Some(State::Confirmed), vec![]),
            (State::Confirmed, Event::Ack, Unreliable, Some(State::Confirmed), vec![]),
            (State::Confirmed, Event::Fired(Timer::I), Unreliable, None, vec![]),
            (State::Accepted, Event::Request, Unreliable, Some(State::Accepted), vec![]),
            (State::Accepted, Event::Respond(200), Unreliable, Some(State::Accepted), vec![Send]),
            (State::Accepted, Event::Ack, Unreliable, Some(State::Accepted), vec![Pass]),
            (State::Accepted, Event::Fired(Timer::L), Unreliable, None, vec![]),
        ];
        assert_complete(Finals::Apart, &[State::Proceeding, COMPLETED, State::Confirmed, State::Accepted], &table, super::step);
    }
}
