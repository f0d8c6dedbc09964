//! What the endpoint is told: configuration, outgoing calls, registrations.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::control::sip::message::Uri;
use crate::control::time::Time;
use crate::control::words::directory::{Agent, Credentials, Directory, Ha1, Listener};
use crate::control::words::net::Net;
use crate::control::words::sip::{Flow, Whereabouts};
use crate::control::words::trunk::Trunk;

/// The configuration of an endpoint; replaced whole at run time by [`super::Endpoint::configure`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our sockets; Via and Contact say their advertised address.
    pub listeners: Vec<Listener>,
    /// The realm of digest challenges.
    pub realm: String,
    /// The salt of stateless nonces; the same over a reload.
    pub secret: u64,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// Who may register and prove himself, by user name.
    pub users: Arc<BTreeMap<String, Ha1>>,
    /// Users without a password whose phone stands at a fixed address: whoever calls from there is he.
    pub fixed: Arc<BTreeMap<String, IpAddr>>,
    /// Networks in which nobody can write another's address.
    pub unforged: Vec<Net>,
    /// Sources that are never challenged and whose P-Asserted-Identity is believed (trunks).
    pub trusted: Vec<Net>,
    /// Peers who see us at another address than the others do.
    pub told: Vec<(Net, IpAddr)>,
    /// What is bounded.
    pub limits: Limits,
}

/// What an endpoint bounds; above it new work is refused, what runs goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Legs at once; a new INVITE above it: 503 with Retry-After.
    pub legs: usize,
    /// Server transactions at once; a new request outside a dialog above it: 503.
    pub transactions: usize,
    /// Bindings of all users together; a new one above it: 503.
    pub bindings: usize,
    /// Contacts of one user; the oldest gives way.
    pub contacts: usize,
    /// Shorter registrations: 423.
    pub min_expires: Duration,
    /// Longer registrations are shortened to this.
    pub max_expires: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            legs: 10_000,
            transactions: 100_000,
            bindings: 20_000,
            contacts: 8,
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
        }
    }
}

impl Settings {
    /// Are there phones at all?
    #[must_use]
    pub fn has_phones(&self) -> bool {
        !self.users.is_empty() || !self.fixed.is_empty()
    }

    /// An endpoint with these sockets, no users and the usual limits.
    #[must_use]
    pub fn new(listeners: Vec<Listener>, realm: &str, secret: u64) -> Settings {
        Settings {
            listeners,
            realm: realm.to_owned(),
            secret,
            user_agent: concat!("Hotline/", env!("CARGO_PKG_VERSION")).to_owned(),
            users: Arc::default(),
            fixed: Arc::default(),
            unforged: Vec::new(),
            trusted: Vec::new(),
            told: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The center's settings: agents may register, trunk sources are trusted.
    #[must_use]
    pub fn of_directory(directory: &Directory) -> Settings {
        let (proving, fixed): (Vec<&Agent>, Vec<&Agent>) = directory.agents.values().partition(|agent| agent.ha1 != Ha1::default());
        let users = proving.into_iter().map(|agent| (agent.user.clone(), agent.ha1.clone())).collect();
        let fixed = fixed.into_iter().filter_map(|agent| Some((agent.user.clone(), fixed_address(agent)?))).collect();
        Settings {
            users: Arc::new(users),
            fixed: Arc::new(fixed),
            unforged: directory.defence.trusted.clone(),
            trusted: directory.trusted(),
            told: directory.trunks.values().flat_map(told).collect(),
            limits: Limits {
                legs: directory.limits.calls.saturating_mul(3),
                min_expires: directory.limits.registration.0,
                max_expires: directory.limits.registration.1,
                ..Limits::default()
            },
            ..Settings::new(directory.listeners.clone(), &directory.domain, directory.secret)
        }
    }
}

/// The address of a phone without a password, by which alone it is known; a name is none.
#[must_use]
pub fn fixed_address(agent: &Agent) -> Option<IpAddr> {
    let uri = agent.phone.uri.as_ref().filter(|_| agent.ha1 == Ha1::default())?;
    Uri::parse(uri.as_bytes()).ok().and_then(|uri| uri.socket()).map(|socket| socket.ip())
}

/// The addresses of a trunk's hosts and sources, and what they are told.
fn told(trunk: &Trunk) -> Vec<(Net, IpAddr)> {
    let Some(ours) = trunk.habits.advertise else { return Vec::new() };
    trunk.nets().map(|net| (net, ours)).collect()
}

/// Where a request goes that begins something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Along this path; `connection: None` on a stream asks the edge to connect.
    Path(Flow),
    /// Where DNS says, from one place to the next until one answers.
    Named(Whereabouts),
    /// The same, for those who have another way to go: a place that says nothing at all for some seconds has failed, the last one too.
    Eager(Whereabouts),
}

impl From<Flow> for Target {
    fn from(flow: Flow) -> Target {
        Target::Path(flow)
    }
}

/// A call we place.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where the INVITE goes.
    pub target: Target,
    /// `sip:anna@10.0.0.5:5062`.
    pub request_uri: String,
    /// A name-addr without tag: `"Caller" <sip:13800138000@center.example>`.
    pub from: String,
    /// A name-addr without tag: `<sip:anna@center.example>`.
    pub to: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The offer.
    pub sdp: Bytes,
    /// For a 401 or 407.
    pub credentials: Option<Credentials>,
    /// What is unusual about it.
    pub manner: Manner,
}

/// What is unusual about a call we place.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Proxies that it goes through, the next one first, as name-addrs: the Path of a registered phone (RFC 3327 §5.4).
    pub routes: Vec<String>,
    /// What is offered when the far end refuses the first description.
    pub second_offer: Option<Bytes>,
}

/// A binding we ask of a registrar (a phone's side), refreshed by itself until `unregister`.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Where the REGISTER goes.
    pub target: Target,
    /// The registrar: `sip:center.example`.
    pub registrar: String,
    /// The address of record: `sip:anna@center.example`.
    pub record: String,
    /// The user part of our Contact, and the name in the happenings.
    pub user: String,
    /// How long we ask for.
    pub expires: Duration,
    /// What it is for.
    pub errand: Errand,
    /// For a 401 or 407.
    pub credentials: Option<Credentials>,
}

/// What a REGISTER is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// A binding.
    Bind,
    /// Only whether we are let in, and which bindings stand: nothing changes there (RFC 3261 §10.2.3).
    Look,
}

/// A registered contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The contact URI as the phone gave it: the request URI of a call to it.
    pub uri: String,
    /// The path the REGISTER came over: the target of a call to it, also through NAT.
    pub flow: Flow,
    /// The proxies that a call to it goes through, the next one first.
    pub routes: Vec<String>,
    /// Until when it stands.
    pub expires: Time,
}

/// Whether new calls are taken. In-dialog requests are always served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepting {
    /// Yes.
    All,
    /// No more: INVITE and OPTIONS get 503.
    Draining,
    /// Not now: INVITE gets 503 with Retry-After.
    Full {
        /// When the peer may try again.
        retry_after: Duration,
    },
}

/// What is open now (invariant C2: all zero but the bindings after the last call and 64×T1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Client and server transactions.
    pub transactions: usize,
    /// Legs, from INVITE to the end of BYE.
    pub dialogs: usize,
    /// Registered contacts.
    pub bindings: usize,
}
