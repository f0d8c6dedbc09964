//! CPU of a whole call through the endpoint: INVITE, 100, 180, 200, ACK, BYE, 200, both sides parsed and written, timers kept.
//!
//! `cargo bench --bench endpoint_cpu [-- CALLS]` prints microseconds of CPU a call for the called side and for the calling side.
//! Measured on a busy 2-core machine: 24 µs for the called side, 28 µs for the calling one.

use std::time::Duration;

use bytes::Bytes;
use hotline::control::sip::endpoint::{Outgoing, Settings};
use hotline::control::sip::{Endpoint, Happening, Message, Received};
use hotline::control::time::Time;
use hotline::control::words::directory::Listener;
use hotline::control::words::sip::{Flow, ListenerId, Transmit, Transport};

const PLACES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];
const CALLS: u64 = 20_000;
/// Calls a second in virtual time, so that timers pile up as they would.
const RATE: u64 = 300;
const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

fn endpoint(place: usize) -> Endpoint {
    let address = PLACES[place].parse().expect("an address");
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    Endpoint::new(Time(0), place as u64, Settings::new(vec![listener], "bench", 1))
}

fn flow(place: usize) -> Flow {
    Flow { listener: ListenerId(0), transport: Transport::Udp, remote: PLACES[place].parse().expect("an address"), connection: None }
}

fn cpu() -> Duration {
    let spent = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the clock of the process");
    Duration::from(spent)
}

/// CPU spent in each endpoint, parsing included.
struct Spent([Duration; 2]);

impl Spent {
    fn on<T>(&mut self, place: usize, work: impl FnOnce() -> T) -> T {
        let before = cpu();
        let done = work();
        self.0[place] += cpu() - before;
        done
    }
}

fn deliver(ends: &mut [Endpoint; 2], spent: &mut Spent, now: Time) {
    loop {
        let mut quiet = true;
        for from in 0..2 {
            let sent: Vec<Transmit> = std::iter::from_fn(|| ends[from].poll_transmit()).collect();
            quiet &= sent.is_empty();
            let to = 1 - from;
            let end = &mut ends[to];
            spent.on(to, || sent.into_iter().for_each(|transmit| take(end, from, transmit, now)));
        }
        if quiet {
            return;
        }
    }
}

fn take(end: &mut Endpoint, from: usize, transmit: Transmit, now: Time) {
    let message = Message::parse(Bytes::copy_from_slice(&transmit.bytes)).expect("our own message");
    end.receive(now, Received { flow: flow(from), message });
    while let Some(happening) = end.poll_happening() {
        match happening {
            Happening::Invited(invited) => {
                end.ring(now, invited.leg, 180, None);
                end.answer(now, invited.leg, Bytes::from_static(SDP));
            }
            Happening::Answered { leg, .. } => end.hang_up(now, leg, &[]),
            _ => {}
        }
    }
}

fn main() {
    let calls = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(CALLS);
    let (mut ends, mut spent) = ([endpoint(0), endpoint(1)], Spent([Duration::ZERO; 2]));
    for number in 0..calls {
        let now = Time(number * 1_000_000 / RATE);
        for (place, end) in ends.iter_mut().enumerate() {
            if end.poll_timeout().is_some_and(|due| due <= now) {
                spent.on(place, || end.handle_timeout(now));
            }
        }
        let caller = &mut ends[0];
        spent.on(0, || {
            let leg = caller.new_leg(now);
            caller.invite(now, leg, outgoing());
        });
        deliver(&mut ends, &mut spent, now);
    }
    let each = |span: Duration| span.as_secs_f64() * 1e6 / calls as f64;
    println!("{calls} calls at {RATE}/s of virtual time");
    println!("called side {:.1} µs CPU a call, calling side {:.1} µs", each(spent.0[1]), each(spent.0[0]));
    println!("open at the end: {:?} {:?}", ends[0].counts(), ends[1].counts());
}

fn outgoing() -> Outgoing {
    Outgoing {
        target: flow(1).into(),
        request_uri: "sip:4001010@192.0.2.2".to_owned(),
        from: "\"Bench\" <sip:13800138000@192.0.2.1>".to_owned(),
        to: "<sip:4001010@192.0.2.2>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::from_static(SDP),
        credentials: None,
        manner: hotline::control::sip::endpoint::Manner::default(),
    }
}
