//! The non-INVITE server transaction (RFC 3261 §17.2.2).

use super::machine::{Effect, Event, PATIENCE, Path, Timer};

/// Its states; terminated is their absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not answered.
    Trying,
    /// Answered provisionally.
    Proceeding,
    /// Answered.
    Completed,
}

/// One step; `None` = terminated.
pub fn step(state: State, event: Event, path: Path, out: &mut Vec<Effect>) -> Option<State> {
    match (state, event) {
        (State::Trying | State::Proceeding, Event::Respond(..=199)) => {
            out.push(Effect::Send);
            Some(State::Proceeding)
        }
        (State::Trying | State::Proceeding, Event::Respond(200..)) => {
            out.push(Effect::Send);
            let linger = path.linger(PATIENCE);
            out.extend((!linger.is_zero()).then_some(Effect::Set(Timer::J, linger)));
            (!linger.is_zero()).then_some(State::Completed)
        }
        (State::Proceeding | State::Completed, Event::Request) => {
            out.push(Effect::Send);
            Some(state)
        }
        (State::Completed, Event::Fired(Timer::J)) => None,
        (State::Proceeding | State::Completed, Event::Broken) => None,
        (state, _) => Some(state),
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::table::{Finals, Row, assert_complete};
    use super::*;
    use Effect::{Send, Set};
    use Path::{Reliable, Unreliable};

    #[test]
    fn transitions_of_figure_8() {
        let table: Vec<Row<State>> = vec![
            (State::Trying, Event::Request, Unreliable, Some(State::Trying), vec![]),
            (State::Trying, Event::Respond(100), Unreliable, Some(State::Proceeding), vec![Send]),
            (State::Trying, Event::Respond(200), Unreliable, Some(State::Completed), vec![Send, Set(Timer::J, PATIENCE)]),
            (State::Trying, Event::Respond(200), Reliable, None, vec![Send]),
            (State::Proceeding, Event::Request, Unreliable, Some(State::Proceeding), vec![Send]),
            (State::Proceeding, Event::Respond(183), Unreliable, Some(State::Proceeding), vec![Send]),
            (State::Proceeding, Event::Respond(404), Unreliable, Some(State::Completed), vec![Send, Set(Timer::J, PATIENCE)]),
            (State::Proceeding, Event::Respond(404), Reliable, None, vec![Send]),
            (State::Proceeding, Event::Broken, Reliable, None, vec![]),
            (State::Completed, Event::Request, Unreliable, Some(State::Completed), vec![Send]),
            (State::Completed, Event::Respond(500), Unreliable, Some(State::Completed), vec![]),
            (State::Completed, Event::Fired(Timer::J), Unreliable, None, vec![]),
            (State::Completed, Event::Broken, Reliable, None, vec![]),
        ];
        assert_complete(Finals::Alike, &[State::Trying, State::Proceeding, State::Completed], &table, step);
    }
}
