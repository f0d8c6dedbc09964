//! The API against the real router, the real rules and real databases: cases as YAML files, the event stream, crashes, the contract.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adapter;
mod case;
mod cases;
mod contract;
mod crash;
mod frames;
mod house;
mod limits;
mod postgres;
mod quality;
mod recordings;
mod restart;
mod stream;
