//! Chat channels: adapters in and out.
