//! The whole switch under arbitrary inputs and times: it never panics, its books agree after every step, and it comes to rest.
#![no_main]

use hotline_fuzz::cursor::Cursor;
use hotline_fuzz::stage::Stage;
use libfuzzer_sys::fuzz_target;

/// Inputs of one run.
const MOST_ACTS: usize = 400;

fuzz_target!(|input: &[u8]| {
    let mut cursor = Cursor::new(input);
    let mut stage = Stage::new(u64::from(cursor.byte()));
    for _ in 0..MOST_ACTS {
        if cursor.is_empty() {
            break;
        }
        stage.act(&mut cursor);
        stage.check();
    }
    stage.rest();
});
