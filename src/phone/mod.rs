//! A real SIP phone made of the server's own parts: the endpoint of `control::sip`, the sockets of `net`, one media worker.
//! `hotline call` is its command; the demo's caller and agent are phones too.

pub mod crowd;
pub mod destination;
mod drive;
pub mod line;
pub mod probe;
pub mod report;
pub mod script;
pub mod wire;

pub use drive::{Account, Error, Keying, Options, Purpose, Registers, Trust, run};
