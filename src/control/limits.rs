//! Every number the rules rest on that no administrator sets, with its reason.

use std::time::Duration;

/// How long a session waits to learn who its customer is; longer would be a pause the caller hears.
pub const IDENTITY_WAIT: Duration = Duration::from_millis(800);
/// Addresses whose customers are kept in memory; the store remembers the rest.
pub const KNOWN_ADDRESSES: usize = 50_000;
/// Chat lines that may wait for one sender to be known.
pub const WAITING_LINES: usize = 64;
/// Inbound lines remembered for de-duplication in memory; the store's UNIQUE index is the last word.
pub const REMEMBERED_LINES: usize = 100_000;
/// Lines of one session remembered for de-duplication by `client_id`.
pub const REMEMBERED_IN_SESSION: usize = 256;
/// Questions to the outside that may be open for one session; more are answered as failed.
pub const OPEN_LOOKUPS: usize = 16;
/// When the server is full, callers are asked to try again after this.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What a plan may say before it answers: proxies give up a call that has no final answer in three minutes (RFC 3261 §16.6, timer C),
/// and nobody pays for the port that it holds.
pub const LONGEST_EARLY: Duration = Duration::from_secs(170);
/// How long a phone rings that was dialled directly.
pub const DIRECT_RING: Duration = Duration::from_secs(60);
/// The longest a caller may say nothing while he leaves a message.
pub const MESSAGE_SILENCE: Duration = Duration::from_secs(6);
/// Silence that ends one utterance of a left message.
pub const MESSAGE_END_SILENCE: Duration = Duration::from_millis(1_500);
/// The tone before a recording: pitch in hertz and length in milliseconds.
pub const BEEP: (u16, u32) = (1_000, 250);
/// What a caller hears while a far end rings: pitch, sound and pause in milliseconds (China: GB/T 3971.1).
pub const RINGBACK: (u16, u32, u32) = (450, 1_000, 4_000);
/// How long a finished call waits for the last reports of its worker and the final answers of what it cancelled (64 × T1 = 32 s)
/// before it is forgotten and its ports are taken back.
pub const LAST_REPORTS: Duration = Duration::from_secs(40);
/// Transfers one call may go through, so that two phones cannot send it round for ever.
pub const TRANSFERS: u8 = 8;
/// How long the phones of a supervisor or of a colleague who is asked ring: the agent waits meanwhile.
pub const COMPANY_RING: Duration = Duration::from_secs(30);
/// Legs one call may hold at once: the caller, a partner, and forks to an agent's phones.
pub const LEGS_OF_A_CALL: usize = 12;
/// After everything is hung up, a drain waits so long for the last answers.
pub const DRAIN_GRACE: Duration = Duration::from_secs(5);
