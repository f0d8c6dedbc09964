//! Where a number leads, and how a far end is reached. Built once a configuration, so that a call costs one look.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::control::sip::message::{Uri, host_port};
use crate::control::sip::{Target, path, whereabouts};
use crate::control::words::directory::{self, Directory};
use crate::control::words::sip::{Transport, Whereabouts};
use crate::control::words::{AgentId, QueueId};

/// Destinations inside the server: `hotline:echo`, `hotline:silence`, `hotline:music` and `hotline:music/<file>`.
const BUILT_IN: &str = "hotline:";

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A plan by id.
    Plan(String),
    /// An agent's phones.
    Agent(AgentId),
    /// A line.
    Queue(QueueId),
    /// A number at a trunk.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number there.
        number: String,
    },
    /// A ring group by name.
    Ring(String),
    /// A SIP URI of somebody else.
    Uri(String),
    /// The caller hears himself.
    Echo,
    /// The caller hears nothing.
    Silence,
    /// The caller hears music without end.
    Music(Option<String>),
}

/// Numbers, extensions and users of one configuration.
#[derive(Debug, Default)]
pub struct Routes {
    exact: HashMap<String, directory::Target>,
    patterns: Vec<(String, directory::Target)>,
    extensions: HashMap<String, AgentId>,
    channels: HashMap<String, String>,
    any_channel: Option<String>,
    domain: String,
    /// Our sockets, as others know them.
    doors: Vec<SocketAddr>,
}

impl Routes {
    /// The table of a directory.
    #[must_use]
    pub fn of(directory: &Directory) -> Routes {
        let doors = directory.listeners.iter().flat_map(|door| [door.advertised, door.bound]).collect();
        let mut routes = Routes { domain: directory.domain.clone(), doors, ..Routes::default() };
        for number in &directory.numbers {
            if number.pattern.contains('*') {
                routes.patterns.push((number.pattern.clone(), number.target.clone()));
            } else {
                routes.exact.entry(number.pattern.clone()).or_insert_with(|| number.target.clone());
            }
        }
        for plan in directory.plans.values() {
            for channel in &plan.channels {
                routes.channels.entry(channel.clone()).or_insert_with(|| plan.id.clone());
            }
            if plan.channels.is_empty() && routes.any_channel.is_none() {
                routes.any_channel = Some(plan.id.clone());
            }
        }
        for agent in directory.agents.values() {
            routes.extensions.insert(agent.user.clone(), agent.id);
            if let Some(extension) = &agent.extension {
                routes.extensions.insert(extension.clone(), agent.id);
            }
        }
        routes
    }

    /// Who answers `user`, dialled as `uri`: exact number, extension or user, then patterns in order.
    #[must_use]
    pub fn dialled(&self, user: &str, uri: &str) -> Option<Route> {
        if let Some(target) = self.exact.get(user).or_else(|| self.exact.get(uri)) {
            return Some(route(target, user));
        }
        if let Some(agent) = self.extensions.get(user) {
            return Some(Route::Agent(*agent));
        }
        let fits = |pattern: &str| if pattern.starts_with("sip:") { matches(pattern, uri) } else { matches(pattern, user) };
        self.patterns.iter().find(|(pattern, _)| fits(pattern)).map(|(_, target)| route(target, user))
    }

    /// Our domain, or one of our sockets: phones that have our address as their domain name it so.
    fn is_ours(&self, uri: UriParts<'_>) -> bool {
        let UriParts { host, port, .. } = uri;
        host == self.domain || host.parse().is_ok_and(|ip: IpAddr| self.doors.contains(&SocketAddr::new(ip, port)))
    }

    /// The plan of a chat channel: one that names it, else the first that serves all channels.
    #[must_use]
    pub fn plan_of_channel(&self, channel: &str) -> Option<&str> {
        self.channels.get(channel).or(self.any_channel.as_ref()).map(String::as_str)
    }

    /// Where a plan's or an agent's transfer leads: a built-in place, a URI, a number at a trunk, or a number of ours.
    #[must_use]
    pub fn wished(&self, to: &str, trunk: Option<&str>) -> Option<Route> {
        if let Some(place) = to.strip_prefix(BUILT_IN) {
            return built_in(place);
        }
        if let Some(trunk) = trunk {
            return Some(Route::Trunk { trunk: trunk.to_owned(), number: user_or_all(to).to_owned() });
        }
        match parse_uri(to) {
            Some(uri) if self.is_ours(uri) => self.dialled(uri.user, to),
            Some(_) => Some(Route::Uri(to.to_owned())),
            None => self.dialled(to.strip_prefix("tel:").unwrap_or(to), to),
        }
    }
}

fn built_in(place: &str) -> Option<Route> {
    match place.split_once('/').unwrap_or((place, "")) {
        ("echo", "") => Some(Route::Echo),
        ("silence", "") => Some(Route::Silence),
        ("music", "") => Some(Route::Music(None)),
        ("music", file) => Some(Route::Music(Some(file.to_owned()))),
        _ => None,
    }
}

fn route(target: &directory::Target, user: &str) -> Route {
    use directory::Target;
    match target {
        Target::Plan(plan) => Route::Plan(plan.clone()),
        Target::Agent(agent) => Route::Agent(*agent),
        Target::Queue(queue) => Route::Queue(*queue),
        Target::Ring(name) => Route::Ring(name.clone()),
        Target::Trunk(trunk) => Route::Trunk { trunk: trunk.clone(), number: user.to_owned() },
    }
}

/// One `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail),
        None => pattern == text,
    }
}

/// The parts of a SIP URI that say who is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UriParts<'a> {
    /// Before the `@`; empty when there is none.
    pub user: &'a str,
    /// A name or an address, without brackets.
    pub host: &'a str,
    /// The port, or the usual one of the scheme.
    pub port: u16,
}

/// The user part of a SIP URI; of anything else, all of it.
#[must_use]
pub fn user_or_all(text: &str) -> &str {
    parse_uri(text).map_or(text, |uri| uri.user)
}

/// Cuts a SIP URI in parts; `None` when it is none.
#[must_use]
pub fn parse_uri(text: &str) -> Option<UriParts<'_>> {
    let text = text.trim().trim_start_matches('<').split('>').next()?;
    let (rest, usual) = match text.strip_prefix("sip:") {
        Some(rest) => (rest, Transport::Udp),
        None => (text.strip_prefix("sips:")?, Transport::Tls),
    };
    let (rest, params) = rest.split_once([';', '?']).unwrap_or((rest, ""));
    let secure = params.split([';', '?']).any(|param| param.eq_ignore_ascii_case("transport=tls"));
    let usual = if secure { Transport::Tls } else { usual };
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (host, port) = host_port(place.as_bytes()).ok()?;
    let port = port.unwrap_or(usual.default_port());
    Some(UriParts { user: user.split(':').next().unwrap_or(user), host: std::str::from_utf8(host).ok()?, port })
}

/// Where a place is reached: an address along a path of ours, a name as DNS will say. `None` when we have no socket for it.
#[must_use]
pub fn target(directory: &Directory, place: &Whereabouts) -> Option<Target> {
    let Ok(ip) = place.host.parse::<IpAddr>() else { return Some(Target::Named(place.clone())) };
    let transport = place.usual();
    let remote = SocketAddr::new(ip, place.port.unwrap_or(transport.default_port()));
    path(&directory.listeners, remote, transport).map(Target::Path)
}

/// Where a URI is reached.
#[must_use]
pub fn target_of(directory: &Directory, uri: &str) -> Option<Target> {
    target(directory, &whereabouts(&Uri::parse(uri.as_bytes()).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::directory::{Listener, Number};
    use crate::control::words::sip::ListenerId;

    fn routes() -> Routes {
        let number = |pattern: &str, plan: &str| Number { pattern: pattern.into(), target: directory::Target::Plan(plan.into()) };
        let directory = Directory {
            domain: "center.example".into(),
            listeners: vec![Listener {
                id: ListenerId(0),
                transport: Transport::Udp,
                bound: "10.0.0.1:5060".parse().unwrap(),
                advertised: "192.0.2.1:5062".parse().unwrap(),
            }],
            numbers: vec![
                number("sip:driver@*", "driver"),
                number("40*", "wide"),
                number("4001010", "exact"),
                Number { pattern: "9*".into(), target: directory::Target::Trunk("carrier".into()) },
            ],
            ..Directory::default()
        };
        Routes::of(&directory)
    }

    #[test]
    fn exact_numbers_win_over_patterns_and_patterns_go_in_order() {
        let routes = routes();
        assert_eq!(routes.dialled("4001010", "sip:4001010@h"), Some(Route::Plan("exact".into())));
        assert_eq!(routes.dialled("4002020", "sip:4002020@h"), Some(Route::Plan("wide".into())));
        assert_eq!(routes.dialled("driver", "sip:driver@10.0.0.1"), Some(Route::Plan("driver".into())));
        assert_eq!(routes.dialled("9123", "sip:9123@h"), Some(Route::Trunk { trunk: "carrier".into(), number: "9123".into() }));
        assert_eq!(routes.dialled("nobody", "sip:nobody@h"), None);
    }

    #[test]
    fn a_transfer_leads_to_a_uri_a_trunk_a_number_of_ours_or_a_built_in_place() {
        let routes = routes();
        assert_eq!(routes.wished("sip:agent@10.0.0.9:5062", None), Some(Route::Uri("sip:agent@10.0.0.9:5062".into())));
        assert_eq!(routes.wished("sip:4001010@center.example", None), Some(Route::Plan("exact".into())));
        assert_eq!(routes.wished("4001010", None), Some(Route::Plan("exact".into())));
        for ours in ["sip:4001010@10.0.0.1", "<sip:4001010@10.0.0.1:5060;transport=tcp>", "sip:4001010@192.0.2.1:5062"] {
            assert_eq!(routes.wished(ours, None), Some(Route::Plan("exact".into())), "{ours}");
        }
        for foreign in ["sip:4001010@10.0.0.1:5080", "sip:4001010@10.0.0.1;transport=TLS", "sips:4001010@10.0.0.1", "sip:4001010@192.0.2.1"]
        {
            assert_eq!(routes.wished(foreign, None), Some(Route::Uri(foreign.into())), "{foreign}");
        }
        assert_eq!(routes.wished("110", Some("pbx")), Some(Route::Trunk { trunk: "pbx".into(), number: "110".into() }));
        assert_eq!(routes.wished("hotline:echo", None), Some(Route::Echo));
        assert_eq!(routes.wished("hotline:music/a.wav", None), Some(Route::Music(Some("a.wav".into()))));
        assert_eq!(routes.wished("hotline:nowhere", None), None);
    }

    #[test]
    fn uris_are_cut_in_parts() {
        let parts = parse_uri("<sip:anna@[::1]:5070;transport=tcp>").unwrap();
        assert_eq!((parts.user, parts.host), ("anna", "::1"));
        assert_eq!(parse_uri("sips:10.0.0.1").unwrap(), UriParts { user: "", host: "10.0.0.1", port: 5061 });
        assert_eq!(parse_uri("tel:123"), None);
    }

    #[test]
    fn an_address_has_a_path_and_a_name_is_asked_for() {
        let bound = "10.0.0.1:5061".parse().unwrap();
        let listener = Listener { id: ListenerId(3), transport: Transport::Tls, bound, advertised: bound };
        let directory = Directory { listeners: vec![listener], ..Directory::default() };
        let Some(Target::Path(flow)) = target_of(&directory, "sips:anna@10.0.0.9") else { panic!("it is an address") };
        assert_eq!((flow.listener, flow.remote), (ListenerId(3), "10.0.0.9:5061".parse().unwrap()));
        assert_eq!(target_of(&directory, "sip:anna@10.0.0.9"), None, "no UDP socket is open");
        assert!(matches!(target_of(&directory, "sip:anna@pbx.example"), Some(Target::Named(place)) if place.host == "pbx.example"));
    }
}
