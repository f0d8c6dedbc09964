//! RTP (RFC 3550) and keys in RTP (RFC 4733).

pub mod latch;
pub mod packet;
pub mod stats;
pub mod telephone_event;

pub use packet::{Header, NotRtp};
