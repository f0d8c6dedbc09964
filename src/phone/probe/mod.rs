//! `hotline trunk probe`: a far end is asked what it can do, over sockets of our own, and what it said is made a report.

mod exam;
mod finding;
mod shown;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::destination::local_ip;
use super::drive::{Clock, Error};
use super::wire;
use crate::control::sdp::Local;
use crate::control::sip::endpoint::{self, Endpoint};
use crate::control::words::directory::Listener;
use crate::control::words::media::Codec;
use crate::control::words::sip::{ListenerId, Transport};
use crate::control::words::trunk::Trunk;
use crate::net::tls::{Servers, Tls};
use crate::net::{self, LocateError};

pub use super::wire::Input;
pub use exam::{Exam, Output, Subject};
pub use finding::{Agreed, Call, Host, Registration, Report};
pub use shown::shown;

/// Messages that may wait.
const INPUTS: usize = 1_024;
/// Whom we call where no number is given: nobody has this name, and how he is refused says something, too.
pub const NOBODY: &str = "hotline-probe-nobody";

/// What is probed, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The trunk as configured.
    pub trunk: Trunk,
    /// The host part of From.
    pub domain: String,
    /// Who calls, as the far end writes him.
    pub caller: String,
    /// The number, as it goes to the far end.
    pub number: String,
    /// Codecs, best first, where the trunk names none.
    pub codecs: Vec<Codec>,
    /// Must the far end's certificate be good?
    pub servers: Servers,
    /// Who is asked where names lead; the system's when there are none.
    pub name_servers: Vec<SocketAddr>,
}

/// Asks until nothing is left to ask.
///
/// # Errors
/// When sockets cannot be had, or a first host leads nowhere.
pub async fn run(options: Options) -> Result<Report, Error> {
    let clock = Clock::start();
    let (endpoint_settings, net, mut inputs, sound) = open(&options).await?;
    let seed = getrandom::u64().map_err(std::io::Error::other)?;
    let endpoint = Endpoint::new(clock.now(), seed, endpoint_settings);
    let address = options.trunk.habits.advertise.unwrap_or(sound.local_addr()?.ip());
    let codecs = options.trunk.habits.clone().with(&options.codecs).codecs;
    // In clear: what a far end can do is seen without a key of ours.
    let plain = Local::plain(address, sound.local_addr()?.port(), codecs);
    let local = Local { session: seed >> 2, keys: options.trunk.habits.keys, ..plain };
    let Options { trunk, domain, caller, number, .. } = options;
    let mut exam = Exam::new(clock.now(), endpoint, Subject { trunk, domain, caller, number, local });
    while !exam.is_done() {
        send(&mut exam, &net);
        let due = tokio::time::Instant::from_std(clock.instant(exam.poll_timeout()));
        tokio::select! {
            Some(input) = inputs.recv() => exam.handle(clock.now(), input),
            () = tokio::time::sleep_until(due) => exam.handle_timeout(clock.now()),
        }
    }
    send(&mut exam, &net);
    Ok(exam.report())
}

fn send(exam: &mut Exam, net: &net::Handle) {
    while let Some(output) = exam.poll_output() {
        match output {
            Output::Sip(transmit) => net.send(transmit),
            Output::Locate(question) => net.locate(question),
        }
    }
}

/// A socket of each transport that a host may want, and one that takes the sound.
async fn open(options: &Options) -> Result<(endpoint::Settings, net::Handle, mpsc::Receiver<Input>, UdpSocket), Error> {
    let resolver = net::Resolver::new(&options.name_servers)?;
    let first = options.trunk.hosts.first().map(|host| host.to.clone()).ok_or_else(|| LocateError::Unknown(options.trunk.name.clone()))?;
    let answer = resolver.locate(&first, &Transport::ALL).await?;
    let there = answer.places.first().map(|found| found.address).ok_or_else(|| LocateError::Unknown(first.host.clone()))?;
    let ip: IpAddr = local_ip(there)?;
    let any = SocketAddr::new(ip, 0);
    let secure = options.trunk.hosts.iter().any(|host| host.to.wished().is_some_and(Transport::is_secure));
    let transports = [Transport::Udp, Transport::Tcp].into_iter().chain(secure.then_some(Transport::Tls));
    let mut listeners: Vec<Listener> =
        (0..).zip(transports).map(|(id, transport)| Listener { id: ListenerId(id), transport, bound: any, advertised: any }).collect();
    let (from_net, messages) = crossbeam_channel::bounded(INPUTS);
    let tls = if secure { Some(Arc::new(Tls::dialling(None, options.servers)?)) } else { None };
    let opening = net::Opening { listeners: listeners.clone(), tls, name_servers: options.name_servers.clone() };
    let net = net::start(opening, from_net)?;
    for listener in &mut listeners {
        let bound = net.local_addr(listener.id).unwrap_or(any);
        (listener.bound, listener.advertised) =
            (bound, SocketAddr::new(options.trunk.habits.advertise.unwrap_or(bound.ip()), bound.port()));
    }
    let (inbox, inputs) = mpsc::channel(INPUTS);
    std::thread::Builder::new().name("probe-wire".into()).spawn(move || wire::forward(&messages, &inbox))?;
    Ok((endpoint::Settings::new(listeners, "probe", 1), net, inputs, UdpSocket::bind(any)?))
}
