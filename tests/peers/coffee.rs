//! Human voices on the telephone: recorded people order at the coffee shop of the shipped plans. Each clip goes through the
//! telephone band (300–3400 Hz, 8 kHz, µ-law) and over RTP into the real server with the embedded recognizer, nothing downloaded;
//! what was understood is read from the log. A part of the clips here, all of them by `cargo bench --bench speech -- calls`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::clips::{self, Clip};
use crate::stage::{Facts, Server, phone, reports};

/// Callers at the same time.
const LINES: usize = 16;
/// SPEECH.md: orders with every slot right.
const RIGHT: f64 = 0.87;
/// SPEECH.md: other speech that is taken for an order.
const TAKEN: f64 = 0.02;
/// Every so many clips of a kind are called with in the test.
const EVERY_ORDER: usize = 3;
const EVERY_OTHER: usize = 6;
/// And so many with something else when it is asked whether the order is right.
const EVERY_STUBBORN: usize = 14;
const NUMBER: &str = "4003030";
/// Where Debian has the embedded recognizer's model.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us/en-us/mdef";

/// Slot of the plan → value.
type Order = BTreeMap<String, String>;

/// What a caller says, file by file, and what the server made of it.
#[derive(Debug)]
pub struct Call {
    /// The clips, in order.
    pub clips: Vec<String>,
    /// The slots filled.
    pub order: Order,
    /// Was the order carried out?
    pub is_made: bool,
}

/// The shop, with nobody to help its recognizer.
pub struct Shop {
    server: Server,
    facts: Facts,
    sounds: PathBuf,
    callers: usize,
}

impl Shop {
    /// Opens, with the telephone's version of all clips.
    pub fn open(clips: &[Clip]) -> Shop {
        let config = format!("[media]\nbind = \"127.0.0.1\"\nports = \"free:{}\"\n", LINES * 4);
        let server = Server::start_with(&[
            ("sip-config/hotline.toml", config.as_bytes()),
            ("sip-config/phones.toml", b""),
            ("dialplans/coffee-order.yaml", include_bytes!("../../dialplans/coffee-order.yaml")),
        ]);
        let sounds = server.home().join("said");
        std::fs::create_dir_all(&sounds).unwrap();
        clips.iter().for_each(|clip| write(&sounds.join(&clip.id).with_extension("wav"), &clips::line(&clip.pcm)));
        let facts = server.facts();
        Shop { server, facts, sounds, callers: 0 }
    }

    /// Calls, so many at a time; each caller says his clips, one an answer, and hangs up after the reply to the last.
    pub fn call(&mut self, said: Vec<Vec<String>>) -> Vec<Call> {
        let first = self.callers;
        self.callers += said.len();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..LINES {
                scope.spawn(|| {
                    while let Some((at, clips)) = said.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                        self.ring(&caller(first + at), clips);
                    }
                });
            }
        });
        self.facts.wait_for(self.callers, "session.closed", |_| true);
        let log = self.server.log_of_facts();
        said.into_iter().enumerate().map(|(at, clips)| outcome(&log, &caller(first + at), clips)).collect()
    }

    fn ring(&self, caller: &str, clips: &[String]) {
        let to = self.server.uri(NUMBER);
        let files: Vec<String> = clips.iter().map(|clip| self.sounds.join(clip).with_extension("wav").display().to_string()).collect();
        let says = files.iter().flat_map(|file| ["--wav", file]);
        let args: Vec<&str> = ["--to", &to, "--user", caller].into_iter().chain(says).chain(["--hangup-after", "reply"]).collect();
        let (reports, is_good) = reports(phone(&args));
        assert!(is_good, "{clips:?}: {reports:?}");
    }

    /// Closes; the server must end by itself.
    pub fn close(self) {
        self.server.stop();
    }
}

fn caller(at: usize) -> String {
    format!("7{at:06}")
}

/// Writes what a telephone line carried.
pub fn write(path: &Path, pcm: &[i16]) {
    let form = hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, form).unwrap();
    pcm.iter().for_each(|sample| file.write_sample(*sample).unwrap());
    file.finalize().unwrap();
}

fn outcome(log: &[Value], caller: &str, clips: Vec<String>) -> Call {
    let of = |kind: &str| log.iter().filter(move |fact| fact["type"] == kind).map(|fact| &fact["data"]).collect::<Vec<_>>();
    let sessions = of("session.created");
    let session = sessions.iter().find(|data| data["address"].as_str().is_some_and(|address| address.contains(caller)));
    let session = &session.unwrap_or_else(|| panic!("{caller} has no session among {sessions:?}"))["session"];
    let mine = |data: &&Value| data["session"] == *session;
    let slots = of("session.slot").into_iter().filter(mine).filter(|data| !data["value"].is_null());
    let order = slots.map(|data| (data["slot"].as_str().unwrap().to_owned(), data["value"].as_str().unwrap_or("?").to_owned())).collect();
    let is_made = of("session.node").into_iter().filter(mine).any(|data| data["node"] == "make");
    Call { clips, order, is_made }
}

/// What the speakers of the clips ordered, in the plan's words.
pub struct Labels(BTreeMap<String, Order>);

impl Labels {
    /// From `coffee.json`.
    pub fn read(data: &Path) -> Labels {
        let text = std::fs::read_to_string(data.join("speech/coffee.json")).expect("coffee.json is there");
        let file: Value = serde_json::from_str(&text).expect("coffee.json is JSON");
        let labels = file["labels"].as_object().expect("it has labels");
        Labels(labels.iter().map(|(id, slots)| (id.clone(), order(slots))).collect())
    }

    /// Is the clip an order?
    pub fn is_order(&self, clip: &str) -> bool {
        self.0.contains_key(clip)
    }

    /// Was the first clip understood in every slot?
    pub fn is_right(&self, call: &Call) -> bool {
        self.0.get(&call.clips[0]) == Some(&call.order)
    }
}

fn order(slots: &Value) -> Order {
    const NAMES: [(&str, &str); 6] = [
        ("coffeeDrink", "drink"),
        ("size", "size"),
        ("roast", "roast"),
        ("numberOfShots", "shots"),
        ("milkAmount", "milk"),
        ("sugarAmount", "sugar"),
    ];
    NAMES.iter().filter_map(|(given, own)| Some(((*own).to_owned(), slots[given].as_str()?.to_lowercase()))).collect()
}

/// The clips to call with: orders, other speech. `None`, and said why, when something is missing.
pub fn material() -> Option<(Vec<Clip>, Labels)> {
    let Some(data) = clips::shared() else {
        println!("SKIPPED: ../shared/data/speech is missing; set HOTLINE_SHARED");
        return None;
    };
    if !Path::new(MODEL).is_file() {
        println!("SKIPPED: {MODEL} is missing (apt-get install pocketsphinx-en-us)");
        return None;
    }
    let labels = Labels::read(&data);
    Some((clips::read(&data), labels))
}

/// Every so many of the clips that are orders, or are not.
pub fn some(clips: &[Clip], labels: &Labels, orders: Kind, every: usize) -> Vec<Vec<String>> {
    let of_kind = clips.iter().filter(|clip| labels.is_order(&clip.id) == (orders == Kind::Orders));
    of_kind.step_by(every).map(|clip| vec![clip.id.clone()]).collect()
}

/// Which clips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Coffee orders.
    Orders,
    /// Everything else: Mandarin, digits, other English, noise.
    Others,
}

/// Callers who order and then, asked whether it is right, speak of something else.
pub fn stubborn(orders: &[Call], others: &[Vec<String>], labels: &Labels) -> Vec<Vec<String>> {
    let understood = orders.iter().filter(|call| labels.is_right(call)).cycle();
    understood.zip(others).map(|(order, other)| vec![order.clips[0].clone(), other[0].clone()]).collect()
}

/// Calls as people read them: who said what, and what became of it.
fn told(calls: &[&Call], clips: &[Clip]) -> String {
    let said = |id: &String| match clips.iter().find(|clip| clip.id == *id) {
        Some(clip) => format!("{id} ({} {}: {})", clip.lang, clip.kind, clip.text),
        None => id.clone(),
    };
    let line = |call: &&Call| format!("{} -> {:?}", call.clips.iter().map(said).collect::<Vec<_>>().join(", then "), call.order);
    calls.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn s5_people_order_coffee_by_telephone_and_other_speech_is_refused_or_asked_back() {
    let Some((clips, labels)) = material() else { return };
    let mut shop = Shop::open(&clips);
    let orders = shop.call(some(&clips, &labels, Kind::Orders, EVERY_ORDER));
    let wrong: Vec<&Call> = orders.iter().filter(|call| !labels.is_right(call)).collect();
    println!("orders with every slot right: {} of {}", orders.len() - wrong.len(), orders.len());
    assert!((orders.len() - wrong.len()) as f64 >= (RIGHT * orders.len() as f64).floor(), "{}", told(&wrong, &clips));
    assert!(orders.iter().all(|call| !call.is_made), "nothing is made before the caller said yes");

    let others = shop.call(some(&clips, &labels, Kind::Others, EVERY_OTHER));
    let taken: Vec<&Call> = others.iter().filter(|call| !call.order.is_empty()).collect();
    println!("other speech taken for an order: {} of {}", taken.len(), others.len());
    assert!(taken.len() as f64 <= (TAKEN * others.len() as f64).ceil(), "{}", told(&taken, &clips));
    assert!(others.iter().all(|call| !call.is_made), "other speech never makes a coffee: {}", told(&taken, &clips));

    let foreign = some(&clips, &labels, Kind::Others, EVERY_STUBBORN);
    let stubborn = shop.call(stubborn(&orders, &foreign, &labels));
    let made: Vec<&Call> = stubborn.iter().filter(|call| call.is_made).collect();
    println!("other speech taken for yes: {} of {}", made.len(), stubborn.len());
    assert!(made.is_empty(), "{}", told(&made, &clips));
    shop.close();
}
