//! RTP (RFC 3550), keys in RTP (RFC 4733), packets that nobody else reads (RFC 3711), reports about streams (RTCP).

pub mod dtls;
pub mod ice;
pub mod latch;
pub mod packet;
pub mod quality;
pub mod reporting;
mod rollover;
pub mod rtcp;
pub mod secrecy;
pub mod srtp;
pub mod stats;
pub mod telephone_event;

pub use packet::{Header, NotRtp};
