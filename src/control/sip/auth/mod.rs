//! Digest authentication (RFC 7616, RFC 8760; RFC 2617 for old phones): the server that challenges, the client that proves.

mod client;
mod digest;
mod server;

pub use client::{Challenge, Proof};
pub use digest::{Algorithm, Digest, Question};
pub use server::{Nonces, Server, Verdict, challenges};
