//! What the fuzz targets run: the rules and the language understanding, taken by path, so that a target builds in a minute
//! and needs none of the server's speech and database crates.

extern crate self as hotline;

#[path = "../../src/control/mod.rs"]
pub mod control;
#[path = "../../src/nlu/mod.rs"]
pub mod nlu;

#[path = "../../tests/sim/center.rs"]
pub mod center;

pub mod act;
pub mod cursor;
pub mod stage;
