//! How the sound of a new leg is to be protected: by what its trunk or the center wishes, and by who can read its signalling.

use super::World;
use super::place::Place;
use crate::control::sip::Target;
use crate::control::sip::message::Uri;
use crate::control::words::LegId;
use crate::control::words::sip::Transport;
use crate::control::words::srtp::{Far, KeysInSdp, Protection, Srtp};

/// The protection of one leg, whose signalling goes over `transport`; `None` when DNS is still to say.
pub(super) fn protection(wish: Option<Srtp>, transport: Option<Transport>, leg: LegId, world: &mut World<'_>) -> Protection {
    let rules = &world.directory.protection;
    let keys = if transport.is_some_and(Transport::is_secure) { KeysInSdp::Written } else { rules.over_plain_sip };
    let chance = rules.chance.for_one(format!("{leg} {}", world.random.token()).as_bytes());
    Protection { srtp: wish.unwrap_or(rules.srtp), keys, chance, fingerprint: rules.fingerprint, far: far_over(transport) }
}

/// The same, of a leg that we ring.
pub(super) fn protection_at(place: &Place, leg: LegId, world: &mut World<'_>) -> Protection {
    let transport = match &place.target {
        Target::Path(flow) => Some(flow.transport),
        Target::Named(place) | Target::Eager(place) => place.wished(),
    };
    let far = match (&place.trunk, far_over(transport)) {
        // An exchange is one, however it is reached.
        (Some(_), _) => Far::Telephone,
        (None, Far::Browser) => Far::Browser,
        (None, Far::Telephone) => far_over(written(&place.uri)),
    };
    Protection { far, ..protection(place.habits.srtp, transport, leg, world) }
}

/// Who speaks SIP over WebSocket is a browser, or does as one.
fn far_over(transport: Option<Transport>) -> Far {
    if transport.is_some_and(Transport::is_websocket) { Far::Browser } else { Far::Telephone }
}

/// What a contact says of its transport, which is that of the last proxy on the way to it.
fn written(uri: &str) -> Option<Transport> {
    let uri = Uri::parse(uri.as_bytes()).ok()?;
    Transport::of_name(std::str::from_utf8(uri.param("transport").flatten()?).ok()?)
}
