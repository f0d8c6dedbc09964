//! The places where an INVITE of ours goes: phones, URIs, the hosts of trunks.

use super::World;
use super::carried::Trust;
use super::hunt::Aim;
use super::leg::Role;
use super::route::{self, Route};
use crate::control::sip::endpoint::Manner;
use crate::control::sip::{Contact, Target};
use crate::control::words::AgentId;
use crate::control::words::directory::Credentials;
use crate::control::words::sip::Transport;
use crate::control::words::srtp::Srtp;
use crate::control::words::trunk::{Habits, Trunk};

/// An agent's telephone outside of the house: `tel:9` and his number, as an agent would dial it.
const TEL: &str = "tel:";

/// One place to send an INVITE to.
pub(super) struct Place {
    pub target: Target,
    pub manner: Manner,
    pub uri: String,
    pub role: Role,
    pub trust: Trust,
    pub credentials: Option<Credentials>,
    /// What is known of the far end; its trunk's, or the usual.
    pub habits: Habits,
    /// Through which trunk.
    pub trunk: Option<String>,
}

impl Place {
    fn new(target: Target, uri: String, role: Role, trust: Trust) -> Place {
        let (manner, habits) = (Manner::default(), Habits::default());
        Place { target, manner, uri, role, trust, credentials: None, habits, trunk: None }
    }

    /// The same, its sound protected so where it has no wish of its own.
    pub(super) fn protected(mut self, srtp: Option<Srtp>) -> Place {
        self.habits.srtp = self.habits.srtp.or(srtp);
        self
    }
}

/// Where an aim rings; empty when nowhere.
pub(super) fn places(aim: &Aim, world: &World<'_>) -> Vec<Place> {
    match aim {
        Aim::Host { trunk, host, number } => host_place(trunk, *host, number, world).into_iter().collect(),
        Aim::Route(Route::Agent(agent)) => agent_places(*agent, world),
        Aim::Route(Route::Uri(uri)) => uri_place(uri, Role::Far, world).into_iter().collect(),
        Aim::Route(_) => Vec::new(),
    }
}

/// The fixed address of an agent, or all his registered phones.
pub(super) fn agent_places(agent: AgentId, world: &World<'_>) -> Vec<Place> {
    let Some(known) = world.directory.agents.get(&agent) else { return Vec::new() };
    let role = Role::Agent(agent);
    let places: Vec<Place> = match &known.phone.uri {
        Some(uri) if uri.starts_with(TEL) => number_place(uri.trim_start_matches(TEL), role, world).into_iter().collect(),
        Some(uri) => uri_place(uri, role, world).into_iter().collect(),
        None => {
            let contacts = world.endpoint.contacts(world.now, &known.user).into_iter();
            let phone = |Contact { uri, flow, routes, .. }: Contact| Place {
                manner: Manner { routes, ..Manner::default() },
                ..Place::new(flow.into(), uri, role, Trust::House)
            };
            contacts.map(phone).collect()
        }
    };
    places.into_iter().map(|place| place.protected(known.phone.srtp)).collect()
}

/// A telephone of the outside that rings for somebody of the house: by the first trunk and host that are not known to be gone. His own
/// number was set by whoever runs the center: it is no call that somebody caused, and costs nobody's allowance.
fn number_place(number: &str, role: Role, world: &World<'_>) -> Option<Place> {
    let Some(Route::Trunk { trunk, number }) = world.routes.wished(number, None) else { return None };
    let named = world.directory.trunk_groups.get(&trunk).map(|group| group.trunks.iter().map(|choice| &choice.to).collect());
    let trunks: Vec<&String> = named.unwrap_or_else(|| vec![&trunk]);
    let name = trunks.iter().find(|name| !world.trunks.is_down(name)).or(trunks.first())?;
    let hosts = world.directory.trunks.get(*name)?.hosts.len();
    let host = (0..hosts).find(|host| !world.trunks.is_gone(name, *host)).unwrap_or(0);
    host_place(name, host, &number, world).map(|place| Place { role, ..place })
}

fn uri_place(uri: &str, role: Role, world: &World<'_>) -> Option<Place> {
    let uri = bare(uri);
    let trust = if matches!(role, Role::Agent(_)) { Trust::House } else { Trust::Stranger };
    route::target_of(world.directory, &uri).map(|target| Place::new(target, uri, role, trust))
}

/// `None` when the trunk does not carry the number.
fn host_place(name: &str, host: usize, number: &str, world: &World<'_>) -> Option<Place> {
    let trunk: &Trunk = world.directory.trunks.get(name)?;
    let at = &trunk.hosts.get(host)?.to;
    let number = trunk.numbers.outward(number).filter(|number| !number.is_empty())?;
    let params = at.wished().map_or("", Transport::uri_param);
    let domain = trunk.registers.as_ref().map_or_else(|| at.to_string(), |registers| registers.domain.clone());
    let uri = format!("sip:{number}@{domain}{params}");
    Some(Place {
        credentials: trunk.credentials.clone(),
        habits: trunk.habits.clone(),
        trunk: Some(name.to_owned()),
        ..Place::new(Target::Eager(at.clone()), uri, Role::Far, Trust::Trunk)
    })
}

/// A URI without the brackets people write around it.
fn bare(uri: &str) -> String {
    uri.trim().trim_start_matches('<').split('>').next().unwrap_or_default().to_owned()
}
