//! Hotline: a contact-center telephony server. This file is the table of contents; ARCHITECTURE.md is the map.

pub mod api;
pub mod channels;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
pub mod control_handle;
pub mod inlet;
pub mod lookups;
pub mod media;
pub mod net;
pub mod nlu;
pub mod phone;
pub mod plans;
pub mod qa;
pub mod run;
pub mod sentence;
pub mod signature;
pub mod speech;
pub mod store;
pub mod stun;
pub mod telemetry;
pub mod vault;
pub mod web_client;
