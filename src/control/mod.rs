//! THE RULES. Pure: no socket, clock, lock, thread, await. `Input` and `now` go in, `Output` comes out.

pub mod acd;
pub mod call;
pub mod dialplan;
pub mod discreet;
pub mod event;
pub mod guard;
pub mod ladder;
pub mod limits;
pub mod random;
pub mod sdp;
pub mod session;
pub mod sip;
pub mod surface;
pub mod switch;
pub mod time;
pub mod toll;
mod trunks;
pub mod words;
