//! The registrar (RFC 3261 §10.3): bindings of users to contacts, with the flow each came over, so that a phone behind NAT is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::endpoint::{Contact, Limits};
use super::message::{Address, Message, Name};
use crate::control::time::Time;
use crate::control::words::sip::Flow;

/// How long a binding stands when the phone says nothing (RFC 3261 §10.2.1.1).
const DEFAULT_EXPIRES: u32 = 3_600;

/// One contact of one user.
#[derive(Debug, Clone)]
struct Binding {
    id: u64,
    uri: Bytes,
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
    expires: u32,
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
        let wishes = wishes(request)?;
        let min = u32::try_from(limits.min_expires.as_secs()).unwrap_or(u32::MAX);
        if wishes.iter().any(|wish| wish.expires != 0 && wish.expires < min) {
            return Err(Refusal::TooBrief);
        }
        let bindings = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let known = |wish: &Wish| bindings.iter().find(|binding| binding.uri == wish.uri);
        if wishes.iter().filter_map(known).any(|binding| binding.call_id == call_id && binding.cseq >= cseq) {
            return Err(Refusal::OutOfOrder);
        }
        let fresh = wishes.iter().filter(|wish| wish.expires > 0 && known(wish).is_none()).count();
        if self.count() + fresh > limits.bindings {
            return Err(Refusal::Full);
        }
        for wish in wishes {
            let expires = now + Duration::from_secs(u64::from(wish.expires)).min(limits.max_expires);
            self.remove(user, &wish.uri);
            if wish.expires > 0 {
                self.add(user, Binding { id: 0, uri: wish.uri, flow, expires, call_id: call_id.clone(), cseq });
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

    fn remove(&mut self, user: &str, uri: &[u8]) {
        let Some(bindings) = self.users.get_mut(user) else { return };
        if let Some(at) = bindings.iter().position(|binding| binding.uri == uri) {
            let gone = bindings.remove(at);
            self.expiry.remove(&(gone.expires, gone.id, user.to_owned()));
        }
        if bindings.is_empty() {
            self.users.remove(user);
        }
    }

    /// The oldest contact gives way.
    fn bound_contacts(&mut self, user: &str, most: usize) {
        while let Some(bindings) = self.users.get(user)
            && bindings.len() > most.max(1)
        {
            let oldest = bindings[0].uri.clone();
            self.remove(user, &oldest);
        }
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
        let own = address.param("expires").flatten().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let wish = Wish { uri: request.share(address.uri.raw), expires: own.unwrap_or(general) };
        wishes.retain(|other| other.uri != wish.uri);
        wishes.push(wish);
    }
    Ok(wishes)
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
