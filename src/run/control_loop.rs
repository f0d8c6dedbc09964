//! The control thread: it owns the rules, feeds them what came in, and carries out what they wish.

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::control::surface::Input;
use crate::control::switch::Switch;
use crate::control::words::speech;
use crate::inlet::Bell;
use crate::net::Datagrams;

use super::clock::Clock;
use super::effects::{Effects, Next};

/// Inputs taken before the outputs are carried out and the sockets and the clock are read again.
const BATCH: usize = 64;

/// Where inputs wait. Signalling and sound have lanes of their own, so that a flood of API calls cannot starve a BYE.
#[derive(Debug)]
pub struct Lanes {
    /// From the SIP sockets: what belongs to calls.
    pub sip: Receiver<Input>,
    /// From the SIP sockets: what begins something new. It comes last, so that a flood of it delays nobody who is served already.
    pub fresh: Receiver<Input>,
    /// From media workers and recognizers.
    pub sound: Receiver<Input>,
    /// From the API, channels, lookups and the configuration.
    pub others: Receiver<Input>,
}

/// Where inputs come from: datagrams are read here, everything else rings.
#[derive(Debug)]
pub struct Doors {
    lanes: Lanes,
    datagrams: Datagrams,
    bell: Bell,
}

/// Runs until the rules have drained.
pub fn run(mut switch: Switch, clock: Clock, doors: &mut Doors, effects: &mut Effects) {
    // What the rules wish at their start (sessions that a crash left open are ended) waits for no input.
    while carry_out(&mut switch, effects) == Next::Open {
        doors.wait(switch.poll_timeout().map(|at| clock.instant(at)));
        for input in doors.lanes.waiting().take(BATCH) {
            take(&mut switch, clock, input, effects);
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
    let words_of = match &input {
        Input::Speech(speech::Event::Heard { leg, .. }) => Some(*leg),
        _ => None,
    };
    let began = clock.now();
    switch.handle(began, input);
    if let Some(leg) = words_of {
        let now = clock.now();
        switch.handle(now, Input::Reckoned(leg, now.since(began)));
    }
}

fn carry_out(switch: &mut Switch, effects: &mut Effects) -> Next {
    let mut next = Next::Open;
    while let (Next::Open, Some(wish)) = (next, switch.poll_output()) {
        next = effects.carry_out(wish);
    }
    effects.end_step();
    next
}

impl Lanes {
    /// What waits already: signalling of calls before sound before the rest, and what is new last.
    fn waiting(&self) -> impl Iterator<Item = Input> {
        std::iter::from_fn(|| self.in_order().into_iter().find_map(|lane| lane.try_recv().ok()))
    }

    fn is_empty(&self) -> bool {
        self.in_order().into_iter().all(Receiver::is_empty)
    }

    fn in_order(&self) -> [&Receiver<Input>; 4] {
        [&self.sip, &self.sound, &self.others, &self.fresh]
    }
}

impl Doors {
    /// The bell is the one that whoever fills a lane rings.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(lanes: Lanes, mut datagrams: Datagrams, bell: Bell) -> io::Result<Doors> {
        datagrams.heed(&bell)?;
        Ok(Doors { lanes, datagrams, bell })
    }

    /// Takes in what the sockets have; sleeps until the deadline when there is nothing to do.
    fn wait(&mut self, deadline: Option<Instant>) {
        self.bell.doze();
        let sleep = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        self.datagrams.wait(if self.lanes.is_empty() { sleep } else { Some(Duration::ZERO) });
        self.bell.rise();
    }
}
