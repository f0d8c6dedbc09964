//! What a customer does outside of sessions: pages viewed, orders placed.

use super::changes::{Add, Changes};
use super::fold::Place;
use crate::args;
use crate::control::event::Fact;

static SEEN: Add = Add { into: "INSERT INTO activities (id, customer, kind, title, url, at)", conflict: "" };

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    if let Fact::ActivitySeen { customer, kind, title, url } = fact {
        to.add(&SEEN, args![format!("act_{:026}", place.seq), *customer, kind, title, url, place.at]);
    }
}
