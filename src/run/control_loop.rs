//! The control thread: it owns the rules, feeds them what came in, and carries out what they wish.

use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::control::surface::Input;
use crate::control::switch::Switch;

use super::clock::Clock;
use super::effects::{Effects, Next as After};

/// Inputs taken before the outputs are carried out and the clock is read again.
const BATCH: usize = 64;

/// Where inputs come from. Signalling and sound have channels of their own, so that a flood of API calls cannot starve a BYE.
#[derive(Debug)]
pub struct Doors {
    /// From the SIP sockets: what belongs to calls.
    pub sip: Receiver<Input>,
    /// From the SIP sockets: what begins something new. It comes last, so that a flood of it delays nobody who is served already.
    pub fresh: Receiver<Input>,
    /// From media workers and recognizers.
    pub sound: Receiver<Input>,
    /// From the API, channels, lookups and the configuration.
    pub others: Receiver<Input>,
}

enum Next {
    Input(Input),
    Due,
    Closed,
}

/// Runs until the rules have drained or every door is closed.
pub fn run(mut switch: Switch, clock: Clock, doors: &Doors, effects: &mut Effects) {
    // What the rules wish at their start (sessions that a crash left open are ended) waits for no input.
    while carry_out(&mut switch, effects) == After::Open {
        let deadline = switch.poll_timeout().map(|at| clock.instant(at));
        match doors.next(deadline) {
            Next::Input(input) => {
                take(&mut switch, clock, input, effects);
                doors.take_more(&mut switch, clock, effects);
            }
            Next::Due => {}
            Next::Closed => return,
        }
        let now = clock.now();
        if switch.poll_timeout().is_some_and(|at| at <= now) {
            switch.handle_timeout(now);
        }
    }
}

fn take(switch: &mut Switch, clock: Clock, input: Input, effects: &mut Effects) {
    if let Input::Directory(directory) = &input {
        effects.prepare(directory);
    }
    switch.handle(clock.now(), input);
}

fn carry_out(switch: &mut Switch, effects: &mut Effects) -> After {
    let mut after = After::Open;
    while let (After::Open, Some(wish)) = (after, switch.poll_output()) {
        after = effects.carry_out(wish);
    }
    effects.end_step();
    after
}

impl Doors {
    fn next(&self, deadline: Option<Instant>) -> Next {
        if let Some(input) = self.first_waiting() {
            return Next::Input(input);
        }
        let due = deadline.map_or_else(crossbeam_channel::never, crossbeam_channel::at);
        crossbeam_channel::select! {
            recv(self.sip) -> input => input.map_or(Next::Closed, Next::Input),
            recv(self.sound) -> input => input.map_or(Next::Closed, Next::Input),
            recv(self.others) -> input => input.map_or(Next::Closed, Next::Input),
            recv(self.fresh) -> input => input.map_or(Next::Closed, Next::Input),
            recv(due) -> _ => Next::Due,
        }
    }

    /// What waits already: signalling of calls before sound before the rest, and what is new last.
    fn first_waiting(&self) -> Option<Input> {
        [&self.sip, &self.sound, &self.others, &self.fresh].into_iter().find_map(|door| door.try_recv().ok())
    }

    fn take_more(&self, switch: &mut Switch, clock: Clock, effects: &mut Effects) {
        for _ in 1..BATCH {
            let Some(input) = self.first_waiting() else { return };
            take(switch, clock, input, effects);
        }
    }
}
