//! Where a SIP URI leads: NAPTR, SRV, A and AAAA as RFC 3263 has them. What comes back is a list of places with priorities and
//! weights; the rules choose among them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver as Dns, TokioResolver};

use crate::control::words::sip::{Secrecy, Transport, Whereabouts};

/// One question to one name server; a lost datagram must not cost a caller more.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// All questions that one URI leads to.
const ALTOGETHER: Duration = Duration::from_secs(8);
/// Records of one kind that are looked at.
const MOST_RECORDS: usize = 16;
/// An answer is kept at least and at most so long, whatever its time to live says.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3_600);

/// One place that a URI leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// The lower ones first.
    pub priority: u16,
    /// Among equals, the share of requests (RFC 2782).
    pub weight: u16,
}

/// What DNS says, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// In no order.
    pub places: Vec<Found>,
    /// So long it may be kept.
    pub keep: Duration,
}

/// Why a name leads nowhere.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocateError {
    /// The name has no address, or none over a transport that we have.
    #[error("{0} has no address that we can reach")]
    Unknown(String),
    /// DNS does not answer.
    #[error("{host} cannot be resolved: {why}")]
    Failed {
        /// As asked.
        host: String,
        /// What the resolver said.
        why: String,
    },
}

/// Asks DNS; it keeps answers for their time to live.
#[derive(Clone, Debug)]
pub struct Resolver {
    dns: TokioResolver,
}

/// A transport to be tried, and the name of its SRV records.
struct Service {
    transport: Transport,
    records: Option<String>,
}

impl Resolver {
    /// Asks these name servers; those of the system when there are none. Call within a tokio runtime.
    ///
    /// # Errors
    /// When the system's settings cannot be read.
    pub fn new(servers: &[SocketAddr]) -> std::io::Result<Resolver> {
        let mut builder = match servers.is_empty() {
            true => TokioResolver::builder_tokio().map_err(std::io::Error::other)?,
            false => {
                let servers = servers.iter().map(|server| {
                    let mut config = NameServerConfig::udp_and_tcp(server.ip());
                    config.connections.iter_mut().for_each(|connection| connection.port = server.port());
                    config
                });
                Dns::builder_with_config(ResolverConfig::from_name_servers(servers.collect()), TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (PATIENCE, ATTEMPTS);
        Ok(Resolver { dns: builder.build().map_err(std::io::Error::other)? })
    }

    /// The places where a request may go, over the transports we have.
    ///
    /// # Errors
    /// When there are none, or DNS does not answer in time.
    pub async fn locate(&self, question: &Whereabouts, ours: &[Transport]) -> Result<Answer, LocateError> {
        let found = tokio::time::timeout(ALTOGETHER, self.find(question, ours)).await;
        let failed = |why: String| LocateError::Failed { host: question.host.clone(), why };
        let answer = found.map_err(|_| failed("DNS does not answer".to_owned()))??;
        match answer.places.is_empty() {
            true => Err(LocateError::Unknown(question.host.clone())),
            false => Ok(answer),
        }
    }

    async fn find(&self, question: &Whereabouts, ours: &[Transport]) -> Result<Answer, LocateError> {
        let usual = question.usual();
        let port = question.port.unwrap_or(usual.default_port());
        if let Ok(ip) = question.host.parse::<IpAddr>() {
            let place = Found { transport: usual, address: SocketAddr::new(ip, port), priority: 0, weight: 0 };
            let places = if ours.contains(&usual) { vec![place] } else { Vec::new() };
            return Ok(Answer { places, keep: LONGEST });
        }
        let mut keep = LONGEST;
        if question.port.is_none() {
            let services = self.services(question, ours, &mut keep).await?;
            let places = self.by_records(&question.host, services, &mut keep).await?;
            if !places.is_empty() {
                return Ok(Answer { places, keep });
            }
        }
        // Without records: the host itself, over what is usual, or over what we have when that is not it.
        let transport = match (ours.contains(&usual), question.wished()) {
            (false, None) => ours.iter().copied().find(|own| !own.is_websocket()).unwrap_or(usual),
            _ => usual,
        };
        let port = question.port.unwrap_or(transport.default_port());
        let addresses = if ours.contains(&transport) { self.addresses(&question.host, &mut keep).await? } else { Vec::new() };
        let places = addresses.into_iter().map(|ip| Found { transport, address: SocketAddr::new(ip, port), priority: 0, weight: 0 });
        Ok(Answer { places: places.collect(), keep })
    }

    /// The transports to be tried, best first (RFC 3263 §4.1).
    async fn services(&self, question: &Whereabouts, ours: &[Transport], keep: &mut Duration) -> Result<Vec<Service>, LocateError> {
        let wished = |transport: &Transport| question.wished().is_none_or(|wished| wished == *transport);
        let usable = |transport: &Transport| ours.contains(transport) && wished(transport);
        if question.transport.is_none() {
            let mut records: Vec<NAPTR> = Vec::new();
            self.ask(&question.host, RecordType::NAPTR, keep, |data| {
                if let RData::NAPTR(naptr) = data {
                    records.push(naptr)
                }
            })
            .await?;
            records.sort_by_key(|record| (record.order, record.preference));
            let services: Vec<Service> = records.iter().filter_map(service).filter(|service| usable(&service.transport)).collect();
            if !services.is_empty() {
                return Ok(services);
            }
        }
        let kinds: &[Transport] = match (question.transport, question.secrecy) {
            (None, Secrecy::Any) => &[Transport::Udp, Transport::Tcp, Transport::Tls],
            _ => &[question.usual()],
        };
        let named = |transport: &Transport| Service {
            transport: *transport,
            records: prefix(*transport).map(|prefix| format!("{prefix}.{}", question.host)),
        };
        Ok(kinds.iter().filter(|transport| usable(transport)).map(named).collect())
    }

    /// The places of all SRV records of these services. A service's rank goes before its records' priorities.
    async fn by_records(&self, host: &str, services: Vec<Service>, keep: &mut Duration) -> Result<Vec<Found>, LocateError> {
        let mut ranks: BTreeMap<(usize, u16), Vec<(Transport, SRV)>> = BTreeMap::new();
        for (rank, service) in services.iter().enumerate() {
            let Some(name) = &service.records else { continue };
            let mut records = Vec::new();
            self.ask(name, RecordType::SRV, keep, |data| {
                if let RData::SRV(srv) = data {
                    records.push(srv)
                }
            })
            .await?;
            // A target of "." says: this service is not offered here (RFC 2782).
            for record in records.into_iter().filter(|record| !record.target.is_root()).take(MOST_RECORDS) {
                ranks.entry((rank, record.priority)).or_default().push((service.transport, record));
            }
        }
        let mut places = Vec::new();
        for (priority, records) in ranks.into_values().enumerate() {
            let targets = records.iter().map(|(_, record)| self.addresses_of(record.target.to_utf8()));
            for ((transport, record), found) in records.iter().zip(join_all(targets).await) {
                // A target without an address is passed over as long as another one has some.
                let Ok((addresses, span)) = found else { continue };
                *keep = span.min(*keep);
                let share = record.weight / u16::try_from(addresses.len().max(1)).unwrap_or(1);
                let address = |ip| SocketAddr::new(ip, record.port);
                let priority = u16::try_from(priority).unwrap_or(u16::MAX);
                places.extend(addresses.into_iter().map(|ip| Found {
                    transport: *transport,
                    address: address(ip),
                    priority,
                    weight: share,
                }));
            }
        }
        tracing::debug!(host, places = places.len(), "service records");
        Ok(places)
    }

    async fn addresses_of(&self, host: String) -> Result<(Vec<IpAddr>, Duration), LocateError> {
        let mut keep = LONGEST;
        Ok((self.addresses(&host, &mut keep).await?, keep))
    }

    async fn addresses(&self, host: &str, keep: &mut Duration) -> Result<Vec<IpAddr>, LocateError> {
        let mut found = Vec::new();
        let (mut four, mut six) = (*keep, *keep);
        let mut others = Vec::new();
        let first = self.ask(host, RecordType::A, &mut four, |data| {
            if let RData::A(a) = data {
                found.push(IpAddr::V4(a.0))
            }
        });
        let second = self.ask(host, RecordType::AAAA, &mut six, |data| {
            if let RData::AAAA(aaaa) = data {
                others.push(IpAddr::V6(aaaa.0))
            }
        });
        let (first, second) = futures_util::future::join(first, second).await;
        *keep = four.min(six);
        found.append(&mut others);
        // One family that fails is no harm while the other one is there.
        match (found.is_empty(), first.and(second)) {
            (true, Err(why)) => Err(why),
            _ => Ok(found),
        }
    }

    /// The records of a name; none is no failure.
    async fn ask(&self, host: &str, kind: RecordType, keep: &mut Duration, mut take: impl FnMut(RData)) -> Result<(), LocateError> {
        let failed = |why: String| LocateError::Failed { host: host.to_owned(), why };
        let mut name = Name::from_utf8(host).map_err(|why| failed(why.to_string()))?;
        // A name with a dot is whole; a short one is searched for in the system's own domains.
        name.set_fqdn(host.contains('.'));
        match self.dns.lookup(name, kind).await {
            Ok(lookup) => {
                *keep = span(&lookup).min(*keep);
                lookup.answers().iter().take(MOST_RECORDS).for_each(|record| take(record.data.clone()));
                Ok(())
            }
            Err(why) if nothing(&why) => {
                *keep = SHORTEST.max(NEGATIVE).min(*keep);
                Ok(())
            }
            Err(why) => Err(failed(why.to_string())),
        }
    }
}

/// That a record is not there is believed for so long.
const NEGATIVE: Duration = Duration::from_secs(60);

fn nothing(why: &NetError) -> bool {
    why.is_nx_domain() || why.is_no_records_found()
}

fn span(lookup: &Lookup) -> Duration {
    lookup.valid_until().saturating_duration_since(Instant::now()).clamp(SHORTEST, LONGEST)
}

/// The SRV name of a transport; WebSocket has none (RFC 7118 §5.3 leaves it to HTTP).
fn prefix(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp => Some("_sip._udp"),
        Transport::Tcp => Some("_sip._tcp"),
        Transport::Tls => Some("_sips._tcp"),
        Transport::Ws | Transport::Wss => None,
    }
}

/// The service of a NAPTR record that leads on to SRV records.
fn service(record: &NAPTR) -> Option<Service> {
    if !record.flags.eq_ignore_ascii_case(b"s") {
        return None;
    }
    let transport = match record.services.to_ascii_uppercase().as_slice() {
        b"SIP+D2U" => Transport::Udp,
        b"SIP+D2T" => Transport::Tcp,
        b"SIPS+D2T" => Transport::Tls,
        _ => return None,
    };
    Some(Service { transport, records: Some(record.replacement.to_utf8()) })
}
