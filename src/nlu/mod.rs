//! Language understanding: text to intent and slots. Pure.
