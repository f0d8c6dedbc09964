//! Recognition measured on real clips and on the fixture model: `make bench ONLY=speech`, or `cargo bench --bench speech`.
//! Prints one table with its conditions. Needs `../shared` (or HOTLINE_SHARED); what is missing is said and left out. A word chooses
//! rows: `-- digits`. `HOTLINE_BENCH_VERBOSE=1` tells each clip with its scores, `-- sounds FOLDER` writes clips for `reference.py`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed; it shares the tests' stage")]

mod clips;
mod coffee;
#[path = "../../tests/peers/coffee.rs"]
#[allow(dead_code, reason = "a bench needs a part of what tests need")]
mod coffee_calls;
mod listen;
mod load;
mod menus;
mod sounds;
#[path = "../../tests/peers/stage.rs"]
#[allow(dead_code, reason = "a bench needs a part of what tests need")]
mod stage;
mod tasks;

use hotline::speech::{Config, Engines};

fn main() {
    let Some(data) = clips::shared() else {
        println!("SKIPPED: ../shared/data/speech is missing; set HOTLINE_SHARED");
        return;
    };
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [task, folder] = words.as_slice()
        && task == "sounds"
    {
        return tasks::write_sounds(&data, folder.as_ref()).expect("the folder can be written");
    }
    if std::env::var_os("HOTLINE_BENCH_VERBOSE").is_some() {
        tracing_subscriber::fmt().with_env_filter("hotline::speech=trace").without_time().init();
    }
    let mini = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mini-whisper/mini-q8_0.bin.gz");
    let config = Config { models: data.join("models"), whisper: Some(mini.into()), ..Config::default() };
    let engines = std::sync::Arc::new(Engines::load(config).expect("the fixture model loads"));
    let profile = if cfg!(debug_assertions) { "dev profile" } else { "release" };
    println!("Speech, developers' clips; telephone band = 300-3400 Hz, 8 kHz, G.711 u-law and back; one thread, {profile}");
    engines.missing().iter().for_each(|missing| println!("missing: {missing}"));
    println!("{:<58} {:>14} {:>8} {:>12} {:>12}", "", "result", "bar", "CPU s per s", "end->text");
    tasks::run(&engines, &data, words.first().map(String::as_str));
}
