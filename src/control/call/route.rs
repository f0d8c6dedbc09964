//! Where a number leads, and how a far end is reached. Built once a configuration, so that a call costs one look.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::control::words::directory::{Directory, Target};
use crate::control::words::sip::{Flow, Transport};
use crate::control::words::{AgentId, QueueId};

/// The port of SIP when a URI names none.
const SIP_PORT: u16 = 5060;
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
    exact: HashMap<String, Target>,
    patterns: Vec<(String, Target)>,
    extensions: HashMap<String, AgentId>,
    channels: HashMap<String, String>,
    any_channel: Option<String>,
    domain: String,
}

impl Routes {
    /// The table of a directory.
    #[must_use]
    pub fn of(directory: &Directory) -> Routes {
        let mut routes = Routes { domain: directory.domain.clone(), ..Routes::default() };
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
            let number = parse_uri(to).map_or(to, |uri| uri.user);
            return Some(Route::Trunk { trunk: trunk.to_owned(), number: number.to_owned() });
        }
        match parse_uri(to) {
            Some(uri) if uri.host == self.domain => self.dialled(uri.user, to),
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

fn route(target: &Target, user: &str) -> Route {
    match target {
        Target::Plan(plan) => Route::Plan(plan.clone()),
        Target::Agent(agent) => Route::Agent(*agent),
        Target::Queue(queue) => Route::Queue(*queue),
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

/// The parts of `sip:user@host:port;transport=tcp` that a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UriParts<'a> {
    /// Before the `@`; empty when there is none.
    pub user: &'a str,
    /// A name or an address, without brackets.
    pub host: &'a str,
    /// 5060 when none is given.
    pub port: u16,
    /// By `transport=`; UDP when none is given.
    pub transport: Transport,
}

/// Cuts a SIP URI in parts; `None` when it is none.
#[must_use]
pub fn parse_uri(text: &str) -> Option<UriParts<'_>> {
    let text = text.trim().trim_start_matches('<').split('>').next()?;
    let rest = text.strip_prefix("sip:")?;
    let (rest, params) = rest.split_once([';', '?']).unwrap_or((rest, ""));
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (host, port) = split_port(place)?;
    let tcp = params.split([';', '?', '&']).any(|param| param.eq_ignore_ascii_case("transport=tcp"));
    let transport = if tcp { Transport::Tcp } else { Transport::Udp };
    Some(UriParts { user: user.split(':').next().unwrap_or(user), host, port, transport })
}

fn split_port(place: &str) -> Option<(&str, u16)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        return Some((host, tail.strip_prefix(':').map_or(Some(SIP_PORT), |port| port.parse().ok())?));
    }
    match place.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((place, SIP_PORT)),
    }
}

/// The path to an address: over our first socket of that transport. `None` when we have none.
#[must_use]
pub fn path_to(directory: &Directory, remote: SocketAddr, transport: Transport) -> Option<Flow> {
    let fits = |bound: &SocketAddr| bound.is_ipv4() == remote.is_ipv4();
    let listener = directory.listeners.iter().find(|listener| listener.transport == transport && fits(&listener.bound))?;
    Some(Flow { listener: listener.id, transport, remote, connection: None })
}

/// The path to a URI whose host is an address. Names are not resolved inside the rules: configuration does that.
#[must_use]
pub fn path_to_uri(directory: &Directory, uri: &str) -> Option<Flow> {
    let parts = parse_uri(uri)?;
    let address: IpAddr = parts.host.parse().ok()?;
    path_to(directory, SocketAddr::new(address, parts.port), parts.transport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::directory::Number;

    fn routes() -> Routes {
        let number = |pattern: &str, plan: &str| Number { pattern: pattern.into(), target: Target::Plan(plan.into()) };
        let directory = Directory {
            domain: "center.example".into(),
            numbers: vec![
                number("sip:driver@*", "driver"),
                number("40*", "wide"),
                number("4001010", "exact"),
                Number { pattern: "9*".into(), target: Target::Trunk("carrier".into()) },
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
        assert_eq!(routes.wished("110", Some("pbx")), Some(Route::Trunk { trunk: "pbx".into(), number: "110".into() }));
        assert_eq!(routes.wished("hotline:echo", None), Some(Route::Echo));
        assert_eq!(routes.wished("hotline:music/a.wav", None), Some(Route::Music(Some("a.wav".into()))));
        assert_eq!(routes.wished("hotline:nowhere", None), None);
    }

    #[test]
    fn uris_are_cut_in_parts() {
        let parts = parse_uri("<sip:anna@[::1]:5070;transport=tcp>").unwrap();
        assert_eq!((parts.user, parts.host, parts.port, parts.transport), ("anna", "::1", 5070, Transport::Tcp));
        let parts = parse_uri("sip:10.0.0.1").unwrap();
        assert_eq!((parts.user, parts.host, parts.port, parts.transport), ("", "10.0.0.1", 5060, Transport::Udp));
        assert_eq!(parse_uri("tel:123"), None);
    }
}
