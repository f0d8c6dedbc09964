//! Keys on their way through a bridge, as a table: how they come, what the network does to them, and how they are pressed anew.

use hotline::control::words::LegId;
use hotline::control::words::media::{Codec, Command, KeyTones};
use hotline::media::FRAME;
use hotline::media::inband::Inband;
use hotline::media::rtp::Header;
use hotline::media::rtp::telephone_event::Keys;
use hotline::media::tone::KeyTone;

use crate::stage::{KEY_TYPE, Network, Stage};

const ALL: &str = "0123456789*#ABCD";
/// Packets of a press: five while the key is down, and the last of them three times.
const PACKETS: usize = 8;
const ENDS: usize = 3;

/// What happens to the packets of each press.
#[derive(Debug, Clone, Copy)]
struct Fault {
    what: &'static str,
    lost: Lost,
    /// So often each arrives.
    copies: usize,
    marker: bool,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsSent,
    Backwards,
}

/// Which packets of a press are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    None,
    First,
    EveryOther,
    Ends,
    AllButLast,
}

impl Lost {
    fn takes(self, at: usize, of: usize) -> bool {
        match self {
            Lost::None => false,
            Lost::First => at == 0,
            Lost::EveryOther => at.is_multiple_of(2),
            Lost::Ends => at + ENDS >= of,
            Lost::AllButLast => at + 1 < of,
        }
    }
}

const CLEAN: Fault = Fault { what: "clean", lost: Lost::None, copies: 1, marker: true, order: Order::AsSent };
const FAULTS: [Fault; 9] = [
    CLEAN,
    Fault { what: "the first is lost", lost: Lost::First, ..CLEAN },
    Fault { what: "every other one is lost", lost: Lost::EveryOther, ..CLEAN },
    Fault { what: "the ends are lost", lost: Lost::Ends, ..CLEAN },
    Fault { what: "only the last end comes", lost: Lost::AllButLast, ..CLEAN },
    Fault { what: "each comes three times", copies: 3, ..CLEAN },
    Fault { what: "no marker", marker: false, ..CLEAN },
    Fault { what: "no marker, lost ends, doubled", lost: Lost::Ends, copies: 2, marker: false, ..CLEAN },
    Fault { what: "backwards", order: Order::Backwards, ..CLEAN },
];

impl Fault {
    /// The packets of a press that arrive, in the order in which they do.
    fn of<T: Clone>(self, press: &[T]) -> Vec<T> {
        let there = press.iter().enumerate().filter(|(at, _)| !self.lost.takes(*at, press.len()));
        let mut all: Vec<T> = there.flat_map(|(_, packet)| vec![packet.clone(); self.copies]).collect();
        if self.order == Order::Backwards {
            all.reverse();
        }
        all
    }
}

/// How keys come.
#[derive(Clone, Copy)]
enum In {
    Events(Fault),
    Tones(&'static str, Network),
    /// By INFO: the rules know them without a packet.
    Told,
}

/// How they are pressed anew.
#[derive(Debug, Clone, Copy)]
enum Out {
    Events(Fault),
    Tones,
}

/// One press of a phone, 160 ms long.
fn press(stage: &mut Stage, code: u8, fault: Fault) {
    let timestamp = stage.phones[0].timestamp;
    let packets: Vec<(Header, [u8; 4])> = (0..PACKETS)
        .map(|at| {
            let duration = u16::try_from(160 * (at.min(PACKETS - ENDS) + 1)).unwrap().to_be_bytes();
            let sequence = stage.phones[0].sequence;
            stage.phones[0].sequence = sequence.wrapping_add(1);
            let header = Header { marker: at == 0 && fault.marker, payload_type: KEY_TYPE, sequence, timestamp, ssrc: 1_000 };
            (header, [code, if at + ENDS >= PACKETS { 0x8A } else { 0x0A }, duration[0], duration[1]])
        })
        .collect();
    for (header, payload) in fault.of(&packets) {
        stage.launch(0, header, &payload);
        stage.run(2);
    }
}

fn tones() -> Vec<i16> {
    let mut sound = vec![0; FRAME * 5];
    for code in 0..16 {
        let mut tone = KeyTone::new(code);
        for _ in 0..5 {
            let mut frame = [0; FRAME];
            tone.fill(&mut frame);
            sound.extend(frame);
        }
        sound.extend([0; FRAME * 5]);
    }
    sound
}

/// What the rules do: a key of the caller's is pressed anew for the other, but for tones that reach him by themselves.
fn follow(stage: &mut Stage, legs: (LegId, LegId), known: &mut usize, ms: u64) {
    for _ in 0..ms / 20 {
        stage.run(20);
        let keys = stage.keys(legs.0);
        let news = keys.get(*known..).unwrap_or_default();
        for key in news.chars() {
            stage.order(Command::SendKeys { leg: legs.1, keys: key.to_string() });
        }
        *known += news.len();
    }
}

/// A bridge whose sides know keys in these ways, and what was pressed.
fn carried(come: In, go: Out) -> (Stage, LegId, String) {
    let mut stage = Stage::new();
    let (caller, far) = (stage.phone(1, Codec::Pcmu, Some(0.0)), stage.phone(2, Codec::Pcmu, Some(0.0)));
    for (number, leg, by_tones) in [(1, caller, matches!(come, In::Tones(..))), (2, far, matches!(go, Out::Tones))] {
        if by_tones {
            let mut stream = stage.stream(number);
            (stream.telephone_event, stream.key_tones) = (None, KeyTones::Heard);
            stage.order(Command::UpdateLeg { leg, stream });
        }
    }
    stage.bridge(caller, far);
    stage.run(300);
    stage.forget_heard();
    let by_themselves = matches!((come, go), (In::Tones(..), Out::Tones));
    let mut known = if by_themselves { usize::MAX } else { 0 };
    match come {
        In::Events(fault) => (0..16).for_each(|code| {
            press(&mut stage, code, fault);
            follow(&mut stage, (caller, far), &mut known, 60);
        }),
        In::Tones(_, network) => {
            stage.phones[0].network = network;
            stage.phones[0].reads.extend(tones());
            follow(&mut stage, (caller, far), &mut known, 3_400);
        }
        In::Told => stage.order(Command::SendKeys { leg: far, keys: ALL.to_owned() }),
    }
    follow(&mut stage, (caller, far), &mut known, 4_000);
    let pressed = if matches!(come, In::Told) { ALL.to_owned() } else { stage.keys(caller) };
    (stage, far, pressed)
}

/// The keys as the far end's own receiver finds them.
fn arrived(stage: &Stage, far: LegId, go: Out) -> String {
    let Out::Events(fault) = go else {
        let mut ear = Inband::default();
        return stage.heard(far, 7_800).chunks(FRAME).filter_map(|frame| ear.hear(frame)).collect();
    };
    let events: Vec<_> = stage.phones[1].heard.iter().filter(|(header, _)| header.payload_type == KEY_TYPE).cloned().collect();
    let mut keys = Keys::default();
    let mut found = String::new();
    for press in events.chunk_by(|(one, _), (other, _)| one.timestamp == other.timestamp) {
        assert!(press[0].0.marker && press[1..].iter().all(|(header, _)| !header.marker), "the first of a press is marked, and only it");
        let ends = press.iter().filter(|(_, payload)| payload[1] & 0x80 != 0).count();
        assert_eq!(ends, ENDS, "three ends, so that two may be lost");
        for (header, payload) in fault.of(press) {
            found.extend(keys.take(&header, &payload));
        }
    }
    found
}

#[test]
fn s62_every_key_crosses_a_bridge_once_however_it_comes_and_goes_with_lost_doubled_and_unmarked_packets() {
    let calm = Network::default();
    let networks = [
        ("clean", calm),
        ("lost", Network { loss: 0.02, ..calm }),
        ("doubled", Network { doubled: 0.3, ..calm }),
        ("late and reordered", Network { jitter_ms: 15.0, reordered: 0.05, ..calm }),
    ];
    let ways_in = FAULTS.map(In::Events).into_iter().chain(networks.map(|(what, network)| In::Tones(what, network))).chain([In::Told]);
    let mut cells = 0;
    for come in ways_in {
        for go in [Out::Events(CLEAN), Out::Tones] {
            let (stage, far, pressed) = carried(come, go);
            assert_eq!(pressed, ALL, "in {}", named_in(come));
            // What the network does on the far side is done to the same packets.
            let ways_out = if matches!(go, Out::Tones) { vec![go] } else { FAULTS.map(Out::Events).to_vec() };
            for go in ways_out {
                assert_eq!(arrived(&stage, far, go), ALL, "in {}, out {}", named_in(come), named_out(go));
                cells += 1;
            }
        }
    }
    println!("{cells} ways, {} keys: all arrived once", cells * ALL.len());
}

fn named_in(come: In) -> String {
    match come {
        In::Events(fault) => format!("events, {}", fault.what),
        In::Tones(what, _) => format!("tones, {what}"),
        In::Told => "INFO".to_owned(),
    }
}

fn named_out(go: Out) -> String {
    match go {
        Out::Events(fault) => format!("events, {}", fault.what),
        Out::Tones => "tones".to_owned(),
    }
}
