//! Wire codecs.

pub mod g711;
