//! The registrar (RFC 3261 §10.3): bindings of users to contacts, with the flow each came over, so that a phone behind NAT is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::endpoint::{Contact, Limits};
use super::locate::path;
use super::message::{Address, Message, Name, Scheme, Uri, text};
use crate::control::time::Time;
use crate::control::words::directory::Listener;
use crate::control::words::phone::{KeptContact, KeptPhone};
use crate::control::words::sip::{Flow, ListenerId};

/// How long a binding stands when the phone says nothing (RFC 3261 §10.2.1.1).
const DEFAULT_EXPIRES: u32 = 3_600;
/// Proxies between a phone and us; more are refused.
const MOST_PATHS: usize = 8;
/// The longest contact URI, Path value or name of a device, in bytes: what a phone says is kept.
const LONGEST: usize = 512;

/// One contact of one user.
#[derive(Debug, Clone)]
struct Binding {
    id: u64,
    uri: Bytes,
    routes: Vec<String>,
    device: Option<String>,
    flow: Flow,
    expires: Time,
    call_id: Bytes,
    cseq: u32,
}

/// Why a REGISTER is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// 400 with the reason.
    Broken(&'static str),
    /// 423: shorter than we allow.
    TooBrief,
    /// 500: an older request came later (RFC 3261 §10.3 step 7).
    OutOfOrder,
    /// 503: no room.
    Full,
}

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    users: BTreeMap<String, Vec<Binding>>,
    expiry: BTreeSet<(Time, u64, String)>,
    next_id: u64,
}

/// What a REGISTER asks for one contact.
struct Wish {
    uri: Bytes,
    device: Option<String>,
    expires: u32,
}

impl Wish {
    /// Is it about this binding? A device that comes back with another address is the same device (RFC 5626 §6).
    fn is_of(&self, binding: &Binding) -> bool {
        binding.uri == self.uri || self.device.is_some() && binding.device == self.device
    }
}

impl Registrar {
    /// Carries a REGISTER out whole or not at all.
    ///
    /// # Errors
    /// [`Refusal`] with its status; nothing changed then.
    pub fn register(&mut self, now: Time, user: &str, request: &Message, flow: Flow, limits: &Limits) -> Result<(), Refusal> {
        let call_id = request.share(request.call_id());
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        if request.values(Name::Contact).any(|value| value == b"*") {
            return self.unregister_all(user, request, &call_id, cseq);
        }
        let (wishes, routes) = (wishes(request)?, paths(request)?);
        let min = u32::try_from(limits.min_expires.as_secs()).unwrap_or(u32::MAX);
        if wishes.iter().any(|wish| wish.expires != 0 && wish.expires < min) {
            return Err(Refusal::TooBrief);
        }
        let bindings = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let known = |wish: &Wish| bindings.iter().find(|binding| wish.is_of(binding));
        if wishes.iter().filter_map(known).any(|binding| binding.call_id == call_id && binding.cseq >= cseq) {
            return Err(Refusal::OutOfOrder);
        }
        let fresh = wishes.iter().filter(|wish| wish.expires > 0 && known(wish).is_none()).count();
        if self.count() + fresh > limits.bindings {
            return Err(Refusal::Full);
        }
        for wish in wishes {
            let expires = now + Duration::from_secs(u64::from(wish.expires)).min(limits.max_expires);
            self.remove(user, &wish);
            if wish.expires > 0 {
                let Wish { uri, device, .. } = wish;
                let routes = routes.clone();
                self.add(user, Binding { id: 0, uri, routes, device, flow, expires, call_id: call_id.clone(), cseq });
            }
        }
        self.bound_contacts(user, limits.contacts);
        Ok(())
    }

    fn unregister_all(&mut self, user: &str, request: &Message, call_id: &[u8], cseq: u32) -> Result<(), Refusal> {
        if request.number(Name::Expires) != Some(0) || request.values(Name::Contact).count() != 1 {
            return Err(Refusal::Broken("Contact: '*' must stand alone and with Expires: 0"));
        }
        let bindings = self.users.get(user).map_or(&[][..], Vec::as_slice);
        if bindings.iter().any(|binding| binding.call_id == call_id && binding.cseq >= cseq) {
            return Err(Refusal::OutOfOrder);
        }
        for binding in self.users.remove(user).unwrap_or_default() {
            self.expiry.remove(&(binding.expires, binding.id, user.to_owned()));
        }
        Ok(())
    }

    fn add(&mut self, user: &str, binding: Binding) {
        self.next_id += 1;
        let binding = Binding { id: self.next_id, ..binding };
        self.expiry.insert((binding.expires, binding.id, user.to_owned()));
        self.users.entry(user.to_owned()).or_default().push(binding);
    }

    fn remove(&mut self, user: &str, wish: &Wish) {
        let Some(bindings) = self.users.get_mut(user) else { return };
        while let Some(at) = bindings.iter().position(|binding| wish.is_of(binding)) {
            let gone = bindings.remove(at);
            self.expiry.remove(&(gone.expires, gone.id, user.to_owned()));
        }
        if bindings.is_empty() {
            self.users.remove(user);
        }
    }

    /// The oldest contact gives way.
    fn bound_contacts(&mut self, user: &str, most: usize) {
        while let Some(bindings) = self.users.get_mut(user)
            && bindings.len() > most.max(1)
        {
            let gone = bindings.remove(0);
            self.expiry.remove(&(gone.expires, gone.id, user.to_owned()));
        }
    }

    /// What the log keeps of a user's phones.
    #[must_use]
    pub fn kept(&self, now: Time, user: &str) -> Vec<KeptContact> {
        let bindings = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let kept = |binding: &Binding| KeptContact {
            uri: text::lossy(&binding.uri).into_owned(),
            path: binding.routes.clone(),
            device: binding.device.clone(),
            transport: binding.flow.transport,
            listener: binding.flow.listener.0,
            remote: binding.flow.remote,
            until: binding.expires,
            call_id: text::lossy(&binding.call_id).into_owned(),
            cseq: binding.cseq,
        };
        bindings.iter().filter(|binding| binding.expires > now).map(kept).collect()
    }

    /// Takes up a user's phones as the log kept them; false when none of them can be reached any more. What has expired is left
    /// out, and so is what came over a connection of the dead process and names no address that could be called instead.
    pub fn restore(&mut self, now: Time, phone: KeptPhone, listeners: &[Listener], limits: &Limits) -> bool {
        let KeptPhone { user, contacts } = phone;
        for contact in contacts {
            let Some(flow) = flow_of(&contact, listeners).filter(|_| contact.until > now && self.count() < limits.bindings) else {
                continue;
            };
            let KeptContact { uri, path: routes, device, until, call_id, cseq, .. } = contact;
            let (uri, call_id) = (Bytes::from(uri), Bytes::from(call_id));
            self.add(&user, Binding { id: 0, uri, routes, device, flow, expires: until, call_id, cseq });
        }
        self.bound_contacts(&user, limits.contacts);
        self.users.contains_key(&user)
    }

    /// Contacts that stand, the freshest first.
    #[must_use]
    pub fn contacts(&self, now: Time, user: &str) -> Vec<Contact> {
        let bindings = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let standing = bindings.iter().rev().filter(|binding| binding.expires > now);
        standing
            .map(|binding| Contact {
                uri: String::from_utf8_lossy(&binding.uri).into_owned(),
                flow: binding.flow,
                routes: binding.routes.clone(),
                expires: binding.expires,
            })
            .collect()
    }

    /// Did `user` register over this path?
    #[must_use]
    pub fn is_flow_of(&self, now: Time, user: &str, flow: &Flow) -> bool {
        let same = |binding: &Binding| {
            let one_path = binding.flow.transport == flow.transport
                && binding.flow.remote == flow.remote
                && binding.flow.connection == flow.connection;
            one_path && binding.expires > now
        };
        self.users.get(user).is_some_and(|bindings| bindings.iter().any(same))
    }

    /// When the next binding ends.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.expiry.first().map(|(at, _, _)| *at)
    }

    /// Ends one due binding and names its user. Call until `None`.
    pub fn expire(&mut self, now: Time) -> Option<String> {
        self.expiry.first().filter(|(at, _, _)| *at <= now)?;
        let (_, id, user) = self.expiry.pop_first()?;
        if let Some(bindings) = self.users.get_mut(&user) {
            bindings.retain(|binding| binding.id != id);
            if bindings.is_empty() {
                self.users.remove(&user);
            }
        }
        Some(user)
    }

    /// How many bindings stand.
    #[must_use]
    pub fn count(&self) -> usize {
        self.expiry.len()
    }
}

/// Contact URIs and their expiry: its own parameter, else Expires, else an hour.
fn wishes(request: &Message) -> Result<Vec<Wish>, Refusal> {
    let general = request.number(Name::Expires).unwrap_or(DEFAULT_EXPIRES);
    let mut wishes: Vec<Wish> = Vec::new();
    for value in request.values(Name::Contact) {
        let address = Address::parse(value).map_err(Refusal::Broken)?;
        if address.uri.raw.len() > LONGEST {
            return Err(Refusal::Broken("Contact: the URI is too long"));
        }
        let own = address.param("expires").flatten().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let wish = Wish { uri: request.share(address.uri.raw), device: device(&address), expires: own.unwrap_or(general) };
        wishes.retain(|other| other.uri != wish.uri);
        wishes.push(wish);
    }
    Ok(wishes)
}

/// Which device a contact is of, and over which of its flows (RFC 5626 §4.2).
fn device(contact: &Address<'_>) -> Option<String> {
    let instance = contact.param("+sip.instance").flatten().map(text::unquote).filter(|instance| instance.len() <= LONGEST)?;
    let flow = contact.param("reg-id").flatten().map(text::lossy).unwrap_or_default();
    Some(format!("{};{flow}", text::lossy(&instance)))
}

/// The proxies that a REGISTER came through (RFC 3327 §5.3), the one next to us first.
fn paths(request: &Message) -> Result<Vec<String>, Refusal> {
    let mut paths = Vec::new();
    for value in request.values(Name::Path) {
        let leads = |address: &Address<'_>| matches!(address.uri.scheme, Scheme::Sip | Scheme::Sips);
        if !Address::parse(value).is_ok_and(|address| leads(&address)) || value.len() > LONGEST {
            return Err(Refusal::Broken("Path: it is no SIP address"));
        }
        if paths.len() == MOST_PATHS {
            return Err(Refusal::Broken("Path: too many proxies"));
        }
        paths.push(text::lossy(value).into_owned());
    }
    Ok(paths)
}

/// How a kept contact is reached by a process that has no connection to it: datagrams go back where they came from; over a stream
/// its own address is dialled, or that of the proxy next to us. A WebSocket cannot be dialled.
fn flow_of(contact: &KeptContact, listeners: &[Listener]) -> Option<Flow> {
    let remote = if contact.transport.is_reliable() {
        let first = contact.path.first().and_then(|path| Address::parse(path.as_bytes()).ok()).map(|address| address.uri);
        let uri = first.or_else(|| Uri::parse(contact.uri.as_bytes()).ok())?;
        uri.socket().filter(|_| !contact.transport.is_websocket())?
    } else {
        contact.remote
    };
    let same = |listener: &&Listener| {
        listener.id == ListenerId(contact.listener)
            && listener.transport == contact.transport
            && listener.bound.is_ipv4() == remote.is_ipv4()
    };
    match listeners.iter().find(same) {
        Some(listener) => Some(Flow { listener: listener.id, transport: contact.transport, remote, connection: None }),
        None => path(listeners, remote, contact.transport),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::sip::{ListenerId, Transport};

    const NOW: Time = Time(1_000_000_000);

    fn flow(port: u16) -> Flow {
        Flow { listener: ListenerId(0), transport: Transport::Udp, remote: ([192, 0, 2, 1], port).into(), connection: None }
    }

    fn request(call_id: &str, cseq: u32, headers: &str) -> Message {
        let text = format!(
            "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:anna@h>;tag=1\r\nTo: <sip:anna@h>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} REGISTER\r\n{headers}\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn register(registrar: &mut Registrar, cseq: u32, headers: &str) -> Result<(), Refusal> {
        registrar.register(NOW, "anna", &request("c", cseq, headers), flow(5060), &Limits::default())
    }

    fn uris(registrar: &Registrar, now: Time) -> Vec<String> {
        registrar.contacts(now, "anna").into_iter().map(|contact| contact.uri).collect()
    }

    #[test]
    fn several_contacts_stand_beside_each_other_and_expire_alone() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:anna@1.1.1.1>;expires=60, <sip:anna@2.2.2.2>\r\nExpires: 600\r\n").unwrap();
        assert_eq!(uris(&registrar, NOW), ["sip:anna@2.2.2.2", "sip:anna@1.1.1.1"]);
        assert_eq!(registrar.next(), Some(NOW + Duration::from_secs(60)));
        assert_eq!(registrar.expire(NOW + Duration::from_secs(59)), None);
        assert_eq!(registrar.expire(NOW + Duration::from_secs(60)).as_deref(), Some("anna"));
        assert_eq!(uris(&registrar, NOW), ["sip:anna@2.2.2.2"]);
    }

    #[test]
    fn a_contact_is_refreshed_and_taken_back() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:anna@1.1.1.1>\r\n").unwrap();
        register(&mut registrar, 2, "Contact: <sip:anna@1.1.1.1>\r\nExpires: 100\r\n").unwrap();
        assert_eq!(registrar.contacts(NOW, "anna")[0].expires, NOW + Duration::from_secs(100));
        assert_eq!(register(&mut registrar, 2, "Contact: <sip:anna@1.1.1.1>\r\n"), Err(Refusal::OutOfOrder));
        assert!(registrar.is_flow_of(NOW, "anna", &flow(5060)));
        assert!(!registrar.is_flow_of(NOW, "anna", &flow(5061)));
        register(&mut registrar, 3, "Contact: <sip:anna@1.1.1.1>;expires=0\r\n").unwrap();
        assert_eq!((registrar.count(), registrar.next()), (0, None));
    }

    #[test]
    fn a_star_takes_all_back_but_only_with_expires_0() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:anna@1.1.1.1>, <sip:anna@2.2.2.2>\r\n").unwrap();
        assert!(matches!(register(&mut registrar, 2, "Contact: *\r\n"), Err(Refusal::Broken(_))));
        assert_eq!(register(&mut registrar, 1, "Contact: *\r\nExpires: 0\r\n"), Err(Refusal::OutOfOrder));
        register(&mut registrar, 2, "Contact: *\r\nExpires: 0\r\n").unwrap();
        assert_eq!(registrar.count(), 0);
    }

    #[test]
    fn s37_a_device_that_comes_back_with_another_address_replaces_itself_and_no_other() {
        let mut registrar = Registrar::default();
        let contact = |host: &str, device: &str, flow: u32| {
            format!("Contact: <sip:anna@{host}>;+sip.instance=\"<urn:uuid:{device}>\";reg-id={flow}\r\n")
        };
        register(&mut registrar, 1, &contact("1.1.1.1", "a", 1)).unwrap();
        register(&mut registrar, 2, &contact("2.2.2.2", "b", 1)).unwrap();
        register(&mut registrar, 3, &contact("3.3.3.3", "a", 2)).unwrap();
        register(&mut registrar, 4, &contact("4.4.4.4", "a", 1)).unwrap();
        assert_eq!(uris(&registrar, NOW), ["sip:anna@4.4.4.4", "sip:anna@3.3.3.3", "sip:anna@2.2.2.2"]);
        assert_eq!(registrar.count(), 3);
    }

    #[test]
    fn s37_the_path_is_kept_in_its_order_and_a_broken_one_is_refused() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:anna@1.1.1.1>\r\nPath: <sip:edge;lr>, <sip:far;lr>\r\nPath: <sip:last;lr;ob>\r\n")
            .unwrap();
        assert_eq!(registrar.contacts(NOW, "anna")[0].routes, ["<sip:edge;lr>", "<sip:far;lr>", "<sip:last;lr;ob>"]);
        let many = "<sip:edge;lr>, ".repeat(MOST_PATHS) + "<sip:edge;lr>";
        for bad in ["<tel:110>", "<sip:edge", &many, &format!("<sip:{}>", "e".repeat(LONGEST))] {
            let refused = register(&mut registrar, 2, &format!("Contact: <sip:anna@2.2.2.2>\r\nPath: {bad}\r\n"));
            assert!(matches!(refused, Err(Refusal::Broken(_))), "{bad}: {refused:?}");
        }
        assert_eq!(registrar.count(), 1);
    }

    fn listeners() -> Vec<Listener> {
        let listener = |id: u16, transport, bound: &str| {
            let bound = bound.parse().unwrap();
            Listener { id: ListenerId(id), transport, bound, advertised: bound }
        };
        vec![
            listener(0, Transport::Udp, "10.0.0.1:5060"),
            listener(1, Transport::Tcp, "10.0.0.1:5060"),
            listener(2, Transport::Ws, "10.0.0.1:80"),
        ]
    }

    #[test]
    fn what_the_log_kept_stands_again_until_its_hour_and_an_older_register_cannot_undo_it() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 7, "Contact: <sip:anna@1.1.1.1>;expires=60, <sip:anna@2.2.2.2>;expires=600\r\nPath: <sip:edge;lr>\r\n")
            .unwrap();
        let phone = KeptPhone { user: "anna".to_owned(), contacts: registrar.kept(NOW, "anna") };
        let text = serde_json::to_string(&phone).unwrap();
        assert_eq!(serde_json::from_str::<KeptPhone>(&text).unwrap(), phone);
        let mut restarted = Registrar::default();
        let later = NOW + Duration::from_secs(60);
        assert!(restarted.restore(later, phone.clone(), &listeners(), &Limits::default()));
        let before = registrar.contacts(later, "anna");
        assert_eq!((restarted.contacts(later, "anna"), before.len()), (before, 1));
        assert_eq!(restarted.next(), Some(NOW + Duration::from_secs(600)));
        let old = request("c", 7, "Contact: <sip:anna@2.2.2.2>;expires=0\r\n");
        assert_eq!(restarted.register(later, "anna", &old, flow(5060), &Limits::default()), Err(Refusal::OutOfOrder));
        assert!(!Registrar::default().restore(NOW + Duration::from_secs(601), phone, &listeners(), &Limits::default()));
    }

    #[test]
    fn s37_after_a_restart_a_datagram_goes_back_and_a_stream_is_dialled_where_its_contact_or_proxy_says() {
        let kept = |transport, uri: &str, path: &[&str]| KeptContact {
            uri: uri.to_owned(),
            path: path.iter().map(|path| (*path).to_owned()).collect(),
            device: None,
            transport,
            listener: 0,
            remote: "192.0.2.1:40000".parse().unwrap(),
            until: NOW,
            call_id: String::new(),
            cseq: 1,
        };
        let reached = |contact: &KeptContact| flow_of(contact, &listeners()).map(|flow| (flow.listener.0, flow.remote.to_string()));
        let to = |listener: u16, remote: &str| Some((listener, remote.to_owned()));
        assert_eq!(reached(&kept(Transport::Udp, "sip:a@10.9.9.9:5070", &[])), to(0, "192.0.2.1:40000"));
        assert_eq!(reached(&kept(Transport::Tcp, "sip:a@192.0.2.1:5070", &[])), to(1, "192.0.2.1:5070"));
        assert_eq!(reached(&kept(Transport::Tcp, "sip:a@10.9.9.9", &["<sip:192.0.2.7:5080;lr>"])), to(1, "192.0.2.7:5080"));
        assert_eq!(reached(&kept(Transport::Tcp, "sip:a@phone.example", &[])), None);
        assert_eq!(reached(&kept(Transport::Ws, "sip:a@192.0.2.1", &[])), None);
        assert_eq!(reached(&kept(Transport::Tls, "sip:a@192.0.2.1", &[])), None, "TLS is not served any more");
    }

    #[test]
    fn too_brief_too_many_and_too_long_have_their_answers() {
        let mut registrar = Registrar::default();
        assert_eq!(register(&mut registrar, 1, "Contact: <sip:anna@1.1.1.1>;expires=5\r\n"), Err(Refusal::TooBrief));
        register(&mut registrar, 2, "Contact: <sip:anna@1.1.1.1>;expires=999999\r\n").unwrap();
        assert_eq!(registrar.contacts(NOW, "anna")[0].expires, NOW + Duration::from_secs(3_600));
        for port in 0..20u32 {
            register(&mut registrar, 3 + port, &format!("Contact: <sip:anna@1.1.1.1:{}>\r\n", 6_000 + port)).unwrap();
        }
        assert_eq!(registrar.count(), Limits::default().contacts);
        let full = Limits { bindings: 8, ..Limits::default() };
        let another = request("d", 1, "Contact: <sip:ben@3.3.3.3>\r\n");
        assert_eq!(registrar.register(NOW, "ben", &another, flow(1), &full), Err(Refusal::Full));
    }
}
