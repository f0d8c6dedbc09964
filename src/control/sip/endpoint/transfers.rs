//! Transfers on the wire: REFER and its NOTIFYs (RFC 3515, RFC 4488), Replaces (RFC 3891), a dialog that gets another owner.

use super::door::Stop;
use super::leg::{Alarm, Stage};
use super::reply::Reply;
use super::{ABILITIES, Endpoint};
use crate::control::sip::happening::{Consulted, Happening};
use crate::control::sip::message::{Message, Method, Name, Writer, reason_of, text};
use crate::control::sip::replaces::{Replaces, Scope};
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// How long a transfer's subscription stands, in seconds.
const SUBSCRIPTION: u16 = 180;
/// The option tags of this module.
pub(super) const REPLACES: &str = "replaces";
pub(super) const NO_SUBSCRIPTION: &str = "norefersub";

/// The transfer that the peer of a leg asked for last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Referring {
    /// CSeq number of the REFER.
    seq: u32,
    /// Which REFER of this dialog it is: from the second on NOTIFY must say which (RFC 3515 §2.4.6).
    nth: u32,
    telling: Telling,
}

/// Does the peer want to hear how it goes?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Yes,
    /// `Refer-Sub: false`, or the last word is said.
    No,
}

impl Endpoint {
    pub(super) fn on_refer(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let single = request.values(Name::ReferTo).count() == 1;
        let to = request.address(Name::ReferTo).filter(|_| single).ok_or_else(|| Stop::why(400, "Refer-To: exactly one is needed"))?;
        let is_call = to.uri.param("method").flatten().is_none_or(|method| method == Method::Invite.token().as_bytes());
        if !is_call || !matches!(self.calls.legs.get(&id).map(|leg| &leg.stage), Some(Stage::Up)) {
            return Err(Stop::with(603));
        }
        let consulted = match Replaces::in_uri(to.uri.headers) {
            None => None,
            Some(value) => {
                let replaces = Replaces::parse(value.as_bytes()).map_err(|why| Stop::why(400, why))?;
                Some(self.replaced(&replaces).map_or(Consulted::Elsewhere(value), Consulted::Ours))
            }
        };
        let silent = request.other("Refer-Sub").is_some_and(|value| value.eq_ignore_ascii_case(b"false"));
        let seq = request.cseq().map_or(0, |cseq| cseq.number);
        let nth = self.calls.referring.get(&id).map_or(1, |before| before.nth + 1);
        self.calls.referring.insert(id, Referring { seq, nth, telling: if silent { Telling::No } else { Telling::Yes } });
        let whole = to.uri.raw;
        let bare = whole.strip_suffix(to.uri.headers).and_then(|head| head.strip_suffix(b"?")).unwrap_or(whole);
        let to = text::lossy(bare).into_owned();
        let mut writer = reply.begin(202, "");
        writer.raw("Contact", self.contact_of(id).as_bytes()).lines(ABILITIES);
        if silent {
            writer.raw("Refer-Sub", b"false");
        }
        self.respond(now, reply.key, 202, writer.finish());
        self.notify_refer(now, id, 100);
        self.inbox.push_back(Happening::Referred { leg: id, to, consulted });
        Ok(())
    }

    /// REFER in the dialog: asks the peer to call `to`; `TransferProgress` reports what its NOTIFYs say.
    pub fn refer(&mut self, now: Time, leg: LegId, to: &str) {
        if self.is_up(leg) {
            self.send_within(now, leg, Method::Refer, Purpose::Refer(leg), |mut writer: Writer| {
                writer.header("Refer-To", &format!("<{to}>"));
                writer.finish()
            });
        }
    }

    /// Attended transfer by REFER: asks the peer of `leg` to take our place in the dialog of `other`.
    pub fn refer_into(&mut self, now: Time, leg: LegId, other: LegId) {
        let Some(state) = self.calls.legs.get(&other).filter(|_| self.is_up(other)) else { return };
        let (call_id, tag, theirs) =
            (text::lossy(&state.dialog.call_id), super::tag_text(state.tag), text::lossy(&state.dialog.remote_tag));
        let value = format!("{call_id};to-tag={theirs};from-tag={tag}");
        let escaped = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
        let target = text::lossy(&state.dialog.target).into_owned();
        let target = target.split('?').next().unwrap_or_default();
        self.refer(now, leg, &format!("{target}?Replaces={escaped}"));
    }

    /// NOTIFY with a sipfrag of the status of the transfer asked for by `Referred`; a final status ends the subscription (RFC 3515).
    /// Nothing when the peer did not ask to hear of it.
    pub fn notify_refer(&mut self, now: Time, leg: LegId, status: u16) {
        if !matches!(self.calls.legs.get(&leg).map(|leg| &leg.stage), Some(Stage::Up)) {
            return;
        }
        let Some(referring) = self.calls.referring.get_mut(&leg).filter(|referring| referring.telling == Telling::Yes) else { return };
        let event = if referring.nth > 1 { format!("refer;id={}", referring.seq) } else { "refer".to_owned() };
        if status >= 200 {
            referring.telling = Telling::No;
        }
        let state = if status < 200 { format!("active;expires={SUBSCRIPTION}") } else { "terminated;reason=noresource".to_owned() };
        let body = format!("SIP/2.0 {status} {}\r\n", reason_of(status));
        self.send_within(now, leg, Method::Notify, Purpose::Tell(leg), |mut writer: Writer| {
            writer.raw("Event", event.as_bytes()).raw("Subscription-State", state.as_bytes());
            writer.body("message/sipfrag;version=2.0", body.as_bytes())
        });
    }

    /// Our leg of the dialog that a Replaces names, in any state.
    fn replaced(&self, replaces: &Replaces) -> Option<LegId> {
        let id = *self.calls.by_tag.get(&super::tag_number(&replaces.to_tag)?)?;
        let leg = self.calls.legs.get(&id)?;
        let rings = match &leg.stage {
            Stage::Calling(calling) => {
                leg.dialog.call_id == replaces.call_id[..] && calling.forks.iter().any(|fork| fork.tag == replaces.from_tag[..])
            }
            _ => false,
        };
        (rings || leg.dialog.is_with(&replaces.call_id, &replaces.from_tag)).then_some(id)
    }

    /// The leg that an INVITE asks to replace, checked as RFC 3891 §3 says.
    pub(super) fn replaced_by(&self, invite: &Message) -> Result<Option<LegId>, Stop> {
        let Some(value) = invite.header(Name::Replaces) else { return Ok(None) };
        if invite.headers(Name::Replaces).count() > 1 {
            return Err(Stop::why(400, "Replaces header appears twice"));
        }
        let replaces = Replaces::parse(value).map_err(|why| Stop::why(400, why))?;
        let id = self.replaced(&replaces).ok_or_else(|| Stop::with(481))?;
        match self.calls.legs.get(&id).map(|leg| (&leg.stage, leg.leaving.is_some())) {
            Some((Stage::Up, false)) if replaces.scope == Scope::EarlyOnly => Err(Stop::with(486)),
            Some((Stage::Up | Stage::Calling(_), false)) => Ok(Some(id)),
            // An early dialog that we did not begin cannot be taken over.
            Some((Stage::Incoming(_), _)) | None => Err(Stop::with(481)),
            Some(_) => Err(Stop::with(603)),
        }
    }

    /// May the sender of this INVITE take the place of `old`? Whoever proved himself, a trunk, or the replaced peer's own host.
    pub(super) fn may_replace(&self, now: Time, old: LegId, source: std::net::IpAddr, authenticated: Option<&String>) -> Result<(), Stop> {
        let same_host = self.calls.legs.get(&old).is_some_and(|leg| leg.dialog.flow.remote.ip() == source);
        match authenticated.is_some() || same_host || self.trusts(now, source) {
            true => Ok(()),
            false => Err(Stop::with(403)),
        }
    }

    /// The dialog of `old` goes on under the name `new`, for another owner. False when there is none, or `new` is taken.
    pub fn rename(&mut self, old: LegId, new: LegId) -> bool {
        if self.calls.legs.contains_key(&new) {
            return false;
        }
        let Some(leg) = self.calls.legs.remove(&old) else { return false };
        self.calls.by_tag.insert(leg.tag, new);
        if let Stage::Incoming(incoming) = &leg.stage {
            self.calls.by_invite.insert(incoming.reply.key, new);
        }
        for alarm in Alarm::ALL {
            if let Some(at) = self.calls.alarms.of(&(old, alarm)) {
                self.calls.alarms.clear(&(old, alarm));
                self.calls.alarms.set((new, alarm), at);
            }
        }
        if let Some(referring) = self.calls.referring.remove(&old) {
            self.calls.referring.insert(new, referring);
        }
        self.transactions.rename(old, new);
        self.calls.legs.insert(new, leg);
        true
    }
}
