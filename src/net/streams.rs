//! All stream connections: taken in, made on demand, found again, counted, forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::connection::{self, Begin, Connection, Dial};
use super::count;
use super::door::Door;
use super::tls::Tls;
use crate::control::words::directory::Listener;
use crate::control::words::sip::{ConnectionId, Flow, ListenerId, Transmit};

/// Connections at once; more are closed as they come.
const MAX_CONNECTIONS: usize = 8_192;
/// Of one address: a house behind one NAT has its place, but not all of them.
const MAX_OF_ADDRESS: usize = 2_048;
/// Connections that have not said anything yet; the oldest makes room for the next.
const MAX_SILENT: usize = 1_024;
/// Of one address: its own oldest one makes room for its next.
const MAX_SILENT_OF_ADDRESS: usize = 128;
/// Far ends that we dialled and that are kept with their names, to be dialled again; the oldest is forgotten.
const MAX_PLACES: usize = 4_096;
/// Messages that wait for one connection's writer; a peer that does not read loses its connection.
const WRITER_QUEUE: usize = 256;
/// When accepting fails (too many open files), it is tried at most this often.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// What the task of all streams is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Send along this flow.
    Send(Transmit),
    /// A peer connected.
    Accepted(TcpStream, SocketAddr, ListenerId),
    /// A connection is over.
    Closed(ConnectionId),
    /// A connection brought a SIP message; its sender may be reached under this port too.
    Spoke {
        /// Which.
        id: ConnectionId,
        /// RFC 5923.
        alias: Option<u16>,
    },
    /// A far end that was found by its name: its number, to be dialled when something is sent.
    Place {
        /// Where and how.
        flow: Flow,
        /// What it was called.
        name: Arc<str>,
        /// Gets the number.
        answer: oneshot::Sender<ConnectionId>,
    },
}

/// A connection that stands or is being made.
#[derive(Debug)]
struct Known {
    flow: Flow,
    writer: mpsc::Sender<Bytes>,
    task: AbortHandle,
    alias: Option<SocketAddr>,
    came: Came,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The peer connected.
    In,
    /// We did.
    Out,
}

/// A far end that we dial.
#[derive(Debug, Clone)]
struct Place {
    flow: Flow,
    name: Arc<str>,
}

/// Who may be turned away.
#[derive(Debug, Default)]
struct Crowd {
    /// Connections that have not said anything, by age.
    silent: BTreeSet<ConnectionId>,
    by_address: HashMap<IpAddr, Heads>,
}

#[derive(Debug, Default)]
struct Heads {
    all: usize,
    silent: BTreeSet<ConnectionId>,
}

/// The table of connections.
pub(super) struct Streams {
    door: Door,
    listeners: Vec<Listener>,
    tls: Option<Arc<Tls>>,
    commands: WeakSender<Command>,
    known: HashMap<ConnectionId, Known>,
    by_remote: HashMap<(ListenerId, SocketAddr), ConnectionId>,
    places: BTreeMap<ConnectionId, Place>,
    by_name: HashMap<(ListenerId, SocketAddr, Arc<str>), ConnectionId>,
    crowd: Crowd,
    tasks: JoinSet<()>,
    last: u64,
}

/// Takes connections in until the task is aborted.
pub(super) async fn accept(socket: TcpListener, listener: ListenerId, streams: mpsc::Sender<Command>) {
    let mut rest = tokio::time::interval(ACCEPT_REST);
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                if streams.send(Command::Accepted(stream, remote, listener)).await.is_err() {
                    return;
                }
            }
            Err(why) => {
                tracing::warn!(%why, "a connection could not be taken");
                rest.tick().await;
            }
        }
    }
}

/// The path to a far end under its name. Only secure and WebSocket connections need one: any other one to the same address will do.
pub(super) async fn place(streams: &mpsc::Sender<Command>, flow: Flow, name: &str) -> Flow {
    if !flow.transport.is_secure() && !flow.transport.is_websocket() {
        return flow;
    }
    let (answer, number) = oneshot::channel();
    let asked = streams.send(Command::Place { flow, name: Arc::from(name), answer }).await;
    let connection = if asked.is_ok() { number.await.ok() } else { None };
    Flow { connection: connection.or(flow.connection), ..flow }
}

impl Streams {
    pub(super) fn new(door: Door, listeners: Vec<Listener>, tls: Option<Arc<Tls>>, commands: WeakSender<Command>) -> Streams {
        Streams {
            door,
            listeners,
            tls,
            commands,
            known: HashMap::new(),
            by_remote: HashMap::new(),
            places: BTreeMap::new(),
            by_name: HashMap::new(),
            crowd: Crowd::default(),
            tasks: JoinSet::new(),
            last: 0,
        }
    }

    /// Serves commands until the last handle is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Send(transmit) => self.send(transmit),
                Command::Accepted(stream, remote, listener) => self.take_in(stream, remote, listener),
                Command::Closed(id) => self.close(id),
                Command::Spoke { id, alias } => self.on_spoke(id, alias),
                // Who asked may have gone.
                Command::Place { flow, name, answer } => drop(answer.send(self.place(flow, name))),
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn send(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        let Some(known) = self.way(&flow).and_then(|id| self.known.get(&id)) else {
            count(&self.door.counts.lost);
            return self.door.broken(flow);
        };
        if known.writer.try_send(bytes).is_err() {
            count(&self.door.counts.lost);
            let flow = known.flow;
            flow.connection.into_iter().for_each(|id| self.close(id));
            self.door.broken(flow);
        }
    }

    /// The connection of a flow: itself, another one to the same place, or a new one. A connection that the peer had made and
    /// that is over is not made by us: his port was of that connection only.
    fn way(&mut self, flow: &Flow) -> Option<ConnectionId> {
        if let Some(id) = flow.connection.filter(|id| self.known.contains_key(id)) {
            return Some(id);
        }
        if let Some(place) = flow.connection.and_then(|id| self.places.get(&id)).cloned() {
            return self.dial(place);
        }
        if let Some(id) = self.by_remote.get(&(flow.listener, flow.remote)) {
            return Some(*id);
        }
        if flow.connection.is_some() {
            return None;
        }
        let name = Arc::from(flow.remote.ip().to_string());
        let id = self.place(*flow, name);
        let place = self.places.get(&id).cloned()?;
        self.dial(place)
    }

    fn next_id(&mut self) -> ConnectionId {
        self.last += 1;
        ConnectionId(self.last)
    }

    /// The number of a far end that we may dial.
    fn place(&mut self, flow: Flow, name: Arc<str>) -> ConnectionId {
        let key = (flow.listener, flow.remote, Arc::clone(&name));
        if let Some(id) = self.by_name.get(&key) {
            return *id;
        }
        if self.places.len() >= MAX_PLACES
            && let Some((_, oldest)) = self.places.pop_first()
        {
            self.by_name.remove(&(oldest.flow.listener, oldest.flow.remote, oldest.name));
        }
        let id = self.next_id();
        self.places.insert(id, Place { flow: Flow { connection: Some(id), ..flow }, name });
        self.by_name.insert(key, id);
        id
    }

    fn dial(&mut self, place: Place) -> Option<ConnectionId> {
        let own = self.listeners.iter().find(|listener| listener.id == place.flow.listener);
        let from = own.map(|listener| listener.bound.ip()).filter(|ip| !ip.is_unspecified());
        self.open(place.flow, Begin::Dial(Dial { from, name: place.name }))
    }

    fn take_in(&mut self, stream: TcpStream, remote: SocketAddr, listener: ListenerId) {
        let Some(transport) = self.listeners.iter().find(|known| known.id == listener).map(|listener| listener.transport) else { return };
        match self.crowd.room_for(remote.ip()) {
            Room::There => {}
            Room::Of(silent) => self.cut(silent),
            Room::None => return count(&self.door.counts.turned_away),
        }
        let full = self.known.len() >= MAX_CONNECTIONS || self.crowd.silent.len() >= MAX_SILENT;
        if let Some(oldest) = self.crowd.silent.first().copied().filter(|_| full) {
            self.cut(oldest);
        }
        let id = self.next_id();
        let flow = Flow { listener, transport, remote, connection: Some(id) };
        if self.open(flow, Begin::Accepted(stream)).is_none() {
            count(&self.door.counts.turned_away);
        }
    }

    /// Ends a connection that never said anything: nobody waits for it.
    fn cut(&mut self, id: ConnectionId) {
        if let Some(known) = self.known.get(&id) {
            known.task.abort();
            count(&self.door.counts.turned_away);
        }
        self.close(id);
    }

    /// A new connection under the number of its flow.
    fn open(&mut self, flow: Flow, begin: Begin) -> Option<ConnectionId> {
        let id = flow.connection?;
        let table = self.commands.upgrade().filter(|_| self.known.len() < MAX_CONNECTIONS)?.downgrade();
        let came = if matches!(begin, Begin::Accepted(_)) { Came::In } else { Came::Out };
        let (writer, queue) = mpsc::channel(WRITER_QUEUE);
        let connection = Connection {
            id,
            flow,
            door: self.door.clone(),
            writer: writer.downgrade(),
            table: table.clone(),
            tls: self.tls.clone(),
            told: AtomicU32::new(0),
        };
        let task = self.tasks.spawn(async move {
            connection::serve(connection, begin, queue).await;
            if let Some(table) = table.upgrade() {
                drop(table.send(Command::Closed(id)).await);
            }
        });
        self.by_remote.insert((flow.listener, flow.remote), id);
        self.known.insert(id, Known { flow, writer, task, alias: None, came });
        if came == Came::In {
            self.crowd.enter(id, flow.remote.ip());
        }
        Some(id)
    }

    fn on_spoke(&mut self, id: ConnectionId, alias: Option<u16>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        let (listener, ip) = (known.flow.listener, known.flow.remote.ip());
        self.crowd.speak(id, ip);
        let Some(place) = alias.map(|port| SocketAddr::new(ip, port)).filter(|place| *place != known.flow.remote) else { return };
        let before = known.alias.replace(place);
        self.forget_way(listener, before, id);
        // Another connection that stands under this name keeps it.
        self.by_remote.entry((listener, place)).or_insert(id);
    }

    fn close(&mut self, id: ConnectionId) {
        let Some(known) = self.known.remove(&id) else { return };
        self.forget_way(known.flow.listener, Some(known.flow.remote), id);
        self.forget_way(known.flow.listener, known.alias, id);
        if known.came == Came::In {
            self.crowd.leave(id, known.flow.remote.ip());
        }
    }

    fn forget_way(&mut self, listener: ListenerId, place: Option<SocketAddr>, id: ConnectionId) {
        let Some(key) = place.map(|place| (listener, place)) else { return };
        if self.by_remote.get(&key) == Some(&id) {
            self.by_remote.remove(&key);
        }
    }
}

/// Is there room for one more connection of an address?
enum Room {
    There,
    /// When this one goes, which never said anything.
    Of(ConnectionId),
    /// All of its connections are in use.
    None,
}

impl Crowd {
    fn room_for(&self, ip: IpAddr) -> Room {
        let Some(heads) = self.by_address.get(&ip) else { return Room::There };
        if heads.all < MAX_OF_ADDRESS && heads.silent.len() < MAX_SILENT_OF_ADDRESS {
            return Room::There;
        }
        heads.silent.first().map_or(Room::None, |oldest| Room::Of(*oldest))
    }

    fn enter(&mut self, id: ConnectionId, ip: IpAddr) {
        self.silent.insert(id);
        let heads = self.by_address.entry(ip).or_default();
        heads.all += 1;
        heads.silent.insert(id);
    }

    fn speak(&mut self, id: ConnectionId, ip: IpAddr) {
        if self.silent.remove(&id)
            && let Some(heads) = self.by_address.get_mut(&ip)
        {
            heads.silent.remove(&id);
        }
    }

    fn leave(&mut self, id: ConnectionId, ip: IpAddr) {
        self.speak(id, ip);
        if let Some(heads) = self.by_address.get_mut(&ip) {
            heads.all -= 1;
            if heads.all == 0 {
                self.by_address.remove(&ip);
            }
        }
    }
}
