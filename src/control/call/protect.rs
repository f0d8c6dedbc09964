//! How the sound of a new leg is to be protected: by what its trunk or the center wishes, and by who can read its signalling.

use super::World;
use crate::control::sip::Target;
use crate::control::words::LegId;
use crate::control::words::sip::Transport;
use crate::control::words::srtp::{Far, KeysInSdp, Protection, Srtp};

/// The protection of one leg, whose signalling goes over `transport`; `None` when DNS is still to say. Over WebSocket there are browsers.
pub(super) fn protection(wish: Option<Srtp>, transport: Option<Transport>, leg: LegId, world: &mut World<'_>) -> Protection {
    let rules = &world.directory.protection;
    let keys = if transport.is_some_and(Transport::is_secure) { KeysInSdp::Written } else { rules.over_plain_sip };
    let chance = rules.chance.for_one(format!("{leg} {}", world.random.token()).as_bytes());
    let far = if transport.is_some_and(Transport::is_websocket) { Far::Browser } else { Far::Telephone };
    Protection { srtp: wish.unwrap_or(rules.srtp), keys, chance, fingerprint: rules.fingerprint, far }
}

/// The transport to where an INVITE of ours goes, as far as it is known.
pub(super) fn transport_to(target: &Target) -> Option<Transport> {
    match target {
        Target::Path(flow) => Some(flow.transport),
        Target::Named(place) | Target::Eager(place) => place.wished(),
    }
}
