//! Where requests go (RFC 3263): answers of DNS kept for their time, the places in the order in which they are tried, and the
//! health of each address. DNS itself is asked by the edge.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::message::{Scheme, Uri, text};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::directory::Listener;
use crate::control::words::sip::{Flow, Located, Place, Secrecy, Transport, Whereabouts};

/// An address that failed is tried after all others for so long.
const UNWELL: Duration = Duration::from_secs(30);
/// The longest rest that a 503 may ask for.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// That a name leads nowhere is believed for so long: each call of a queue need not ask again.
const NOWHERE: Duration = Duration::from_secs(5);
/// Answers kept, and addresses whose health is known; the oldest by name gives way.
const MOST_KEPT: usize = 4_096;
/// Names of this top level lead nowhere on purpose (RFC 7118 §8, RFC 6761): the sender is reached along his connection.
const INVALID: &str = ".invalid";

/// What is known of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whither {
    /// Along these paths, the first one first.
    Along(Vec<Flow>),
    /// Nobody knows yet: the edge is asked.
    Asked,
    /// Nowhere: the status that says so.
    Nowhere(u16),
}

/// 404: no such place. 503: nobody could be asked, or we have no socket for it.
pub const NO_SUCH_PLACE: u16 = 404;
pub const UNREACHABLE: u16 = 503;

#[derive(Debug)]
struct Kept {
    until: Time,
    located: Located,
}

/// What is known of far ends.
#[derive(Debug, Default)]
pub struct Locator {
    kept: BTreeMap<Whereabouts, Kept>,
    unwell: BTreeMap<(Transport, SocketAddr), Time>,
    asked: BTreeSet<Whereabouts>,
}

impl Locator {
    /// Where a request may go now.
    pub fn find(&mut self, now: Time, question: &Whereabouts, listeners: &[Listener], random: &mut Random) -> Whither {
        if let Ok(ip) = question.host.parse::<IpAddr>() {
            let transport = question.usual();
            let remote = SocketAddr::new(ip, question.port.unwrap_or(transport.default_port()));
            return path(listeners, remote, transport).map_or(Whither::Nowhere(UNREACHABLE), |flow| Whither::Along(vec![flow]));
        }
        match self.kept.get(question).filter(|kept| kept.until > now).map(|kept| &kept.located) {
            None => {
                self.asked.insert(question.clone());
                Whither::Asked
            }
            Some(Located::Nowhere) => Whither::Nowhere(NO_SUCH_PLACE),
            Some(Located::Failed) => Whither::Nowhere(UNREACHABLE),
            Some(Located::At { places, .. }) => {
                let order = in_order(places.clone(), random);
                Whither::Along(self.well_first(now, order))
            }
        }
    }

    /// The next question for the edge; each is asked once until it is answered.
    pub fn next_question(&mut self) -> Option<Whereabouts> {
        self.asked.pop_first()
    }

    /// The edge answers.
    pub fn located(&mut self, now: Time, question: Whereabouts, located: Located) {
        let until = match &located {
            Located::At { keep, .. } => now + *keep,
            Located::Nowhere | Located::Failed => now + NOWHERE,
        };
        if self.kept.len() >= MOST_KEPT {
            self.kept.retain(|_, kept| kept.until > now);
        }
        if self.kept.len() >= MOST_KEPT {
            self.kept.pop_first();
        }
        self.kept.insert(question, Kept { until, located });
    }

    /// A path failed, or its far end asked for a rest (503 with Retry-After).
    pub fn failed(&mut self, now: Time, flow: &Flow, rest: Option<Duration>) {
        if self.unwell.len() >= MOST_KEPT {
            self.unwell.retain(|_, until| *until > now);
        }
        if self.unwell.len() >= MOST_KEPT {
            self.unwell.pop_first();
        }
        let rest = rest.unwrap_or(UNWELL).min(LONGEST_REST);
        self.unwell.insert((flow.transport, flow.remote), now + rest);
    }

    /// A path carried an answer.
    pub fn well(&mut self, flow: &Flow) {
        self.unwell.remove(&(flow.transport, flow.remote));
    }

    /// Did it fail of late?
    #[must_use]
    pub fn is_unwell(&self, now: Time, flow: &Flow) -> bool {
        self.unwell.get(&(flow.transport, flow.remote)).is_some_and(|until| *until > now)
    }

    fn well_first(&self, now: Time, order: Vec<Flow>) -> Vec<Flow> {
        let (unwell, mut well): (Vec<Flow>, Vec<Flow>) = order.into_iter().partition(|flow| self.is_unwell(now, flow));
        well.extend(unwell);
        well
    }
}

/// By priority, and among equals by chance in proportion to their weights (RFC 2782).
fn in_order(mut places: Vec<Place>, random: &mut Random) -> Vec<Flow> {
    places.sort_by_key(|place| place.priority);
    let mut order = Vec::with_capacity(places.len());
    while let Some(first) = places.first() {
        let equals = places.iter().take_while(|place| place.priority == first.priority).count();
        // One more than its weight each, so that a weight of 0 is drawn seldom, but drawn.
        let share = |place: &Place| u64::from(place.weight) + 1;
        let mut drawn = random.below(places[..equals].iter().map(share).sum());
        let at = places[..equals].iter().position(|place| match drawn.checked_sub(share(place)) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        order.push(places.remove(at.unwrap_or(0)).flow);
    }
    order
}

/// The path to an address: over our first socket of that transport and family.
#[must_use]
pub fn path(listeners: &[Listener], remote: SocketAddr, transport: Transport) -> Option<Flow> {
    let fits = |listener: &&Listener| listener.transport == transport && listener.bound.is_ipv4() == remote.is_ipv4();
    let listener = listeners.iter().find(fits)?;
    Some(Flow { listener: listener.id, transport, remote, connection: None })
}

/// The parts of a SIP URI that say where a request goes; `maddr` wins over the host (RFC 3261 §19.1.1).
#[must_use]
pub fn whereabouts(uri: &Uri<'_>) -> Option<Whereabouts> {
    let secrecy = match uri.scheme {
        Scheme::Sip => Secrecy::Any,
        Scheme::Sips => Secrecy::Tls,
        Scheme::Tel | Scheme::Other => return None,
    };
    let host = uri.param("maddr").flatten().unwrap_or(uri.host);
    let host = text::lossy(host).trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let transport = uri.param("transport").flatten().and_then(|name| Transport::of_name(std::str::from_utf8(name).ok()?));
    let leads = !host.is_empty() && !host.ends_with(INVALID);
    leads.then_some(Whereabouts { host, port: uri.port, transport, secrecy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::sip::ListenerId;

    const NOW: Time = Time(1_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn flow(last: u8) -> Flow {
        Flow { listener: ListenerId(0), transport: Transport::Udp, remote: ([192, 0, 2, last], 5060).into(), connection: None }
    }

    fn asked(text: &str) -> Whereabouts {
        whereabouts(&Uri::parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn listeners() -> Vec<Listener> {
        let listener = |id: u16, transport, bound: &str| {
            let bound = bound.parse().unwrap();
            Listener { id: ListenerId(id), transport, bound, advertised: bound }
        };
        vec![listener(0, Transport::Udp, "10.0.0.1:5060"), listener(1, Transport::Tls, "[::1]:5061")]
    }

    fn known(places: &[(u8, u16, u16)]) -> Locator {
        let mut locator = Locator::default();
        let place = |(last, priority, weight): &(u8, u16, u16)| Place { flow: flow(*last), priority: *priority, weight: *weight };
        let located = Located::At { places: places.iter().map(place).collect(), keep: MINUTE };
        locator.located(NOW, asked("sip:pbx.example"), located);
        locator
    }

    fn order(locator: &mut Locator, now: Time, random: &mut Random) -> Vec<u8> {
        match locator.find(now, &asked("sip:anna@PBX.example."), &listeners(), random) {
            Whither::Along(flows) => {
                flows.iter().map(|flow| flow.remote.ip().to_string().rsplit('.').next().unwrap().parse().unwrap()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_need_no_question_but_a_socket_of_ours() {
        let (mut locator, mut random) = (Locator::default(), Random::new(1));
        let mut find = |text: &str| locator.find(NOW, &asked(text), &listeners(), &mut random);
        let Whither::Along(way) = find("sip:a@192.0.2.7") else { panic!("it is an address") };
        assert_eq!((way[0].remote, way[0].transport), ("192.0.2.7:5060".parse().unwrap(), Transport::Udp));
        let Whither::Along(way) = find("sips:a@[2001:db8::1]") else { panic!("it is an address") };
        assert_eq!((way[0].remote, way[0].listener), ("[2001:db8::1]:5061".parse().unwrap(), ListenerId(1)));
        assert_eq!(find("sip:a@192.0.2.7;transport=tcp"), Whither::Nowhere(UNREACHABLE), "no TCP socket is open");
        assert_eq!(find("sips:a@192.0.2.7"), Whither::Nowhere(UNREACHABLE), "no IPv4 socket speaks TLS");
        assert!(matches!(find("sip:a@host.example;maddr=192.0.2.9"), Whither::Along(_)));
    }

    #[test]
    fn a_name_is_asked_once_and_its_answer_kept_for_its_time() {
        let (mut locator, mut random) = (Locator::default(), Random::new(1));
        for _ in 0..3 {
            assert_eq!(locator.find(NOW, &asked("sip:pbx.example"), &listeners(), &mut random), Whither::Asked);
        }
        assert_eq!((locator.next_question(), locator.next_question()), (Some(asked("sip:pbx.example")), None));
        let mut locator = known(&[(1, 0, 0)]);
        assert_eq!(order(&mut locator, NOW, &mut random), [1]);
        assert_eq!(locator.find(NOW + MINUTE, &asked("sip:pbx.example"), &listeners(), &mut random), Whither::Asked);
        locator.located(NOW, asked("sip:pbx.example"), Located::Nowhere);
        assert_eq!(locator.find(NOW, &asked("sip:pbx.example"), &listeners(), &mut random), Whither::Nowhere(NO_SUCH_PLACE));
    }

    #[test]
    fn priorities_go_first_and_weights_share_among_equals() {
        let mut locator = known(&[(9, 20, 0), (1, 10, 60), (2, 10, 20), (3, 10, 20)]);
        let mut random = Random::new(7);
        let mut first = BTreeMap::new();
        for _ in 0..2_000 {
            let order = order(&mut locator, NOW, &mut random);
            assert_eq!((order.len(), order[3]), (4, 9), "the lower priority comes last");
            *first.entry(order[0]).or_insert(0u32) += 1;
        }
        assert!((1_080..1_320).contains(&first[&1]), "{first:?}: 60 of 100 expected");
        assert!((320..480).contains(&first[&2]) && (320..480).contains(&first[&3]), "{first:?}");
    }

    #[test]
    fn an_address_that_failed_comes_last_until_it_is_well_or_its_rest_is_over() {
        let (mut locator, mut random) = (known(&[(1, 0, 0), (2, 1, 0)]), Random::new(1));
        locator.failed(NOW, &flow(1), None);
        assert_eq!(order(&mut locator, NOW, &mut random), [2, 1]);
        assert_eq!(order(&mut locator, NOW + UNWELL, &mut random), [1, 2]);
        locator.failed(NOW, &flow(1), Some(Duration::from_secs(45)));
        assert_eq!(order(&mut locator, NOW + UNWELL, &mut random), [2, 1]);
        locator.well(&flow(1));
        assert_eq!(order(&mut locator, NOW, &mut random), [1, 2]);
        locator.failed(NOW, &flow(1), None);
        locator.failed(NOW, &flow(2), None);
        assert_eq!(order(&mut locator, NOW, &mut random), [1, 2], "when all failed, all are tried");
    }

    #[test]
    fn names_that_lead_nowhere_on_purpose_are_not_asked() {
        let uri = Uri::parse(b"sip:x@df7jal23ls0d.invalid;transport=ws").unwrap();
        assert_eq!(whereabouts(&uri), None);
        assert_eq!(whereabouts(&Uri::parse(b"tel:123").unwrap()), None);
    }
}
