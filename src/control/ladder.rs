//! The SIP messages of the latest calls, in bounded memory, and how many of which kind there were.
//!
//! Messages are kept by their SIP Call-ID from the INVITE on; a call of ours has one for each of its legs. Whoever looks gets copies in
//! which credentials, keys and written words are struck out; what is kept never leaves otherwise.

mod strike;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::sip::Received;
use super::sip::message::Method;
use super::time::Time;
use super::words::CallId;
use super::words::directory::Directory;
use super::words::net::{Net, within};
use super::words::seen::{Direction, Kind, Ladder, Seen};
use super::words::sip::{Flow, ListenerId, Transmit};

/// Dialogs whose messages are kept; the oldest gives way.
const DIALOGS: usize = 1_024;
/// Messages kept of one dialog: its beginning, which tells most; later ones are counted.
const MESSAGES: usize = 64;
/// Bytes kept of one message.
const MESSAGE_BYTES: usize = 4_096;
/// Longer Call-IDs are not kept.
const CALL_ID_BYTES: usize = 256;
/// Kinds of messages counted apart; beyond, messages are counted in `left_out` only.
const KINDS: usize = 2_048;

/// The messages of one dialog.
#[derive(Debug, Default)]
struct Dialog {
    call: Option<CallId>,
    messages: Vec<Kept>,
    left_out: u64,
}

#[derive(Debug)]
struct Kept {
    at: Time,
    direction: Direction,
    flow: Flow,
    bytes: Bytes,
    length: usize,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Ladders {
    dialogs: HashMap<Bytes, Dialog>,
    /// Oldest first.
    order: VecDeque<Bytes>,
    of_call: BTreeMap<CallId, Vec<Bytes>>,
    listeners: BTreeMap<ListenerId, SocketAddr>,
    trunks: Vec<(Arc<str>, Vec<Net>)>,
    counts: BTreeMap<Kind, u64>,
}

/// What one looks for.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// A call of ours, with all its legs.
    Call(CallId),
    /// One dialog, by its Call-ID.
    Dialog(&'a [u8]),
}

impl Ladders {
    /// Learns the addresses of our sockets and of the trunks.
    pub fn configure(&mut self, directory: &Directory) {
        self.listeners = directory.listeners.iter().map(|listener| (listener.id, listener.advertised)).collect();
        self.trunks = directory.trunks.iter().map(|(name, trunk)| (name.as_str().into(), trunk.nets().collect())).collect();
    }

    /// A message came and is dealt with.
    pub fn came(&mut self, now: Time, received: &Received) {
        let Received { flow, message } = received;
        self.count(flow, Direction::In, message.method(), message.status());
        if message.is_request() && message.method() == Method::Invite {
            self.begin(message.call_id());
        }
        self.keep(now, Direction::In, *flow, message.call_id(), message.bytes());
    }

    /// A message goes out.
    pub fn goes(&mut self, now: Time, transmit: &Transmit) {
        let Transmit { flow, bytes } = transmit;
        let status = bytes.strip_prefix(b"SIP/2.0 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()).unwrap_or(0);
        let method = match status {
            0 => Method::of(bytes.split(|byte| *byte == b' ').next().unwrap_or_default()),
            _ => value(bytes, b"\r\nCSeq: ")
                .map_or(Method::Other, |cseq| Method::of(cseq.rsplit(|byte| *byte == b' ').next().unwrap_or(cseq))),
        };
        self.count(flow, Direction::Out, method, status);
        let Some(call_id) = value(bytes, b"\r\nCall-ID: ") else { return };
        if status == 0 && method == Method::Invite {
            self.begin(call_id);
        }
        self.keep(now, Direction::Out, *flow, call_id, bytes);
    }

    /// The dialog with this Call-ID is a leg of that call.
    pub fn belongs(&mut self, call_id: &[u8], call: CallId) {
        self.begin(call_id);
        let Some((key, _)) = self.dialogs.get_key_value(call_id) else { return };
        let key = key.clone();
        if let Some(dialog) = self.dialogs.get_mut(&key).filter(|dialog| dialog.call.is_none()) {
            dialog.call = Some(call);
            self.of_call.entry(call).or_default().push(key);
        }
    }

    /// The messages of a call or a dialog, struck out where they must be; `None` when none is kept.
    #[must_use]
    pub fn show(&self, which: Which<'_>) -> Option<Ladder> {
        let keys: Vec<&[u8]> = match which {
            Which::Call(call) => self.of_call.get(&call)?.iter().map(|key| &**key).collect(),
            Which::Dialog(call_id) => vec![call_id],
        };
        let parts: Vec<&Dialog> = keys.into_iter().filter_map(|key| self.dialogs.get(key)).collect();
        if parts.is_empty() {
            return None;
        }
        let mut messages: Vec<Seen> = parts.iter().flat_map(|dialog| dialog.messages.iter().map(|kept| self.seen(kept))).collect();
        messages.sort_by_key(|seen| seen.at);
        Some(Ladder { messages, left_out: parts.iter().map(|dialog| dialog.left_out).sum() })
    }

    /// How many messages of which kind there were.
    #[must_use]
    pub fn counts(&self) -> Vec<(Kind, u64)> {
        self.counts.iter().map(|(kind, count)| (kind.clone(), *count)).collect()
    }

    fn seen(&self, kept: &Kept) -> Seen {
        let Kept { at, direction, flow, bytes, length } = kept;
        let local = self.listeners.get(&flow.listener).copied().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        let bytes = strike::out(bytes);
        Seen { at: *at, direction: *direction, transport: flow.transport, local, remote: flow.remote, bytes, length: *length }
    }

    fn count(&mut self, flow: &Flow, direction: Direction, method: Method, status: u16) {
        let ip = flow.remote.ip();
        let trunk = self.trunks.iter().find(|(_, nets)| within(nets, ip)).map(|(name, _)| name.clone());
        let kind = Kind { trunk, direction, method, status };
        if let Some(count) = self.counts.get_mut(&kind) {
            *count += 1;
        } else if self.counts.len() < KINDS {
            self.counts.insert(kind, 1);
        }
    }

    fn keep(&mut self, now: Time, direction: Direction, flow: Flow, call_id: &[u8], bytes: &Bytes) {
        let Some(dialog) = self.dialogs.get_mut(call_id) else { return };
        if dialog.messages.len() >= MESSAGES {
            dialog.left_out += 1;
            return;
        }
        // A copy: what came on a stream is a piece of a larger buffer that must not be held.
        let kept = Bytes::copy_from_slice(&bytes[..bytes.len().min(MESSAGE_BYTES)]);
        dialog.messages.push(Kept { at: now, direction, flow, bytes: kept, length: bytes.len() });
    }

    fn begin(&mut self, call_id: &[u8]) {
        if call_id.len() > CALL_ID_BYTES || self.dialogs.contains_key(call_id) {
            return;
        }
        if self.order.len() >= DIALOGS
            && let Some(oldest) = self.order.pop_front()
            && let Some(call) = self.dialogs.remove(&oldest).and_then(|dialog| dialog.call)
            && let Some(keys) = self.of_call.get_mut(&call)
        {
            keys.retain(|key| *key != oldest);
            if keys.is_empty() {
                self.of_call.remove(&call);
            }
        }
        let call_id = Bytes::copy_from_slice(call_id);
        self.order.push_back(call_id.clone());
        self.dialogs.insert(call_id, Dialog::default());
    }
}

/// The value of one of the header lines that we write ourselves.
fn value<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = memmem::find(bytes, name)? + name.len();
    let length = memchr::memchr(b'\r', &bytes[start..])?;
    Some(&bytes[start..start + length])
}
