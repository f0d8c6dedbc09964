//! What the rules ask of the sound, and what the sound reports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ice::Ice;
use super::speech::Listening;
use super::srtp::Security;
use super::{Lang, LegId, PlayId, RecordingId, RoomId, TurnId};

/// A media thread. A room and its legs live on one worker for their whole life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WorkerId(pub u16);

/// A wire codec.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Codec {
    /// G.711 µ-law, RTP payload type 0.
    Pcmu,
    /// G.711 A-law, RTP payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, RTP payload type 9.
    G722,
    /// Opus (RFC 7587), a dynamic payload type.
    Opus,
    /// Linear 16 bits at 8 kHz, a dynamic payload type: 128 kbit/s, for loopback addresses only.
    L16,
}

/// Hertz of the inside format, in which sound is counted.
const INSIDE: u32 = 8_000;

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 5] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus, Codec::L16];

    /// Hertz of its RTP clock: 8,000 for G.722 too, though that samples at 16 kHz (RFC 3551 §4.5.2), 48,000 for Opus (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::L16 => INSIDE,
        }
    }

    /// Ticks of its RTP clock in one sample of the inside format.
    #[must_use]
    pub const fn ticks_a_sample(self) -> u32 {
        self.clock() / INSIDE
    }
}

/// What else was said about the agreed stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// Dynamic payload types of our description: the peer may use them though it named other numbers (RFC 3264 §5.1).
    pub ours: [Option<(u8, Kind)>; Terms::MOST],
    /// The clock of telephone-event.
    pub keys: KeyClock,
    /// Under which payload type the peer takes comfort noise (RFC 3389).
    pub comfort_noise: Option<u8>,
    /// What the peer said of Opus.
    pub opus: OpusTerms,
    /// By what the peer is let in, when it asks its way to us before anything is sent: only then is it known where it is.
    pub ice: Option<Ice>,
}

impl Terms {
    /// The most payload types of a description of ours.
    pub const MOST: usize = 8;
}

/// Whether the levels of those who speak are brought together (automatic gain control).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Levels {
    /// Everybody is heard as loud as he is.
    #[default]
    Kept,
    /// Who speaks low is heard louder, who speaks loud lower.
    Evened,
}

/// The RTP clock in which keys tell their duration: the codec's (RFC 4733 §2.1), where the peer knows that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeyClock {
    /// 8 kHz.
    #[default]
    Narrow,
    /// 48 kHz.
    Wide,
}

impl KeyClock {
    /// Its ticks in one sample of the inside format.
    #[must_use]
    pub const fn ticks_a_sample(self) -> u16 {
        match self {
            KeyClock::Narrow => 1,
            KeyClock::Wide => 6,
        }
    }
}

/// What a payload type carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Sound.
    Sound(Codec),
    /// Keys.
    Keys,
    /// How loud the background is.
    ComfortNoise,
}

/// What a peer's `fmtp` says of Opus (RFC 7587 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpusTerms {
    /// `useinbandfec`: it can use the copies that follow a frame.
    pub fec: bool,
    /// `usedtx`: it prefers that silence is not sent.
    pub dtx: bool,
    /// `maxaveragebitrate`, bits a second.
    pub most_bitrate: Option<u32>,
}

/// Are keys heard in a leg's sound?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyTones {
    /// They come as telephone-events or by INFO.
    Ignored,
    /// Nothing else was agreed: the tones of Q.23 are keys.
    Heard,
}

/// The way a key came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyWay {
    /// RFC 4733 telephone-event.
    Event,
    /// Two sines in the sound.
    Tone,
    /// INFO.
    Info,
}

/// What offer and answer agreed for one leg's audio.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Our UDP port, leased from the worker's range.
    pub port: u16,
    /// Where the peer asked us to send; the worker latches to the real source by probation.
    pub remote: Option<SocketAddr>,
    /// The codec both sides speak.
    pub codec: Codec,
    /// The RTP payload type of `codec` in this session.
    pub payload_type: u8,
    /// The payload type of RFC 4733 telephone-event, when agreed.
    pub telephone_event: Option<u8>,
    /// Are keys heard in the sound?
    pub key_tones: KeyTones,
    /// Milliseconds of sound a packet (RFC 4566 `ptime`).
    pub ptime_ms: u8,
    /// May we send? False when the peer holds us or is inactive.
    pub send: bool,
    /// May the peer send? False when we hold.
    pub receive: bool,
    /// In clear, or ciphered.
    pub security: Security,
    /// Where reports about it go.
    pub reports: Reports,
    /// What else was said.
    pub terms: Terms,
}

/// Reports about a stream (RTCP).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reports {
    /// Where they go.
    pub way: ReportsWay,
    /// Does the peer wish to know what it sounds like here?
    pub metrics: VoipMetrics,
}

/// Where reports go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReportsWay {
    /// There are none.
    #[default]
    None,
    /// With the sound (RFC 5761).
    Muxed,
    /// Between the ports behind those of the sound, or where the peer said (RFC 3605); it may have said nothing yet.
    Apart(Option<SocketAddr>),
}

/// VoIP metrics (RFC 3611 §4.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VoipMetrics {
    /// Not asked for.
    #[default]
    Kept,
    /// The peer asked for them.
    Told,
}

/// Something to be heard.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Prompt {
    /// Text in a language: a recorded file `<prompt folder>/<lang>/<id>.wav` wins over synthesis.
    Text {
        /// Name of the recorded file that wins, when there is one.
        id: Option<String>,
        /// What to say.
        text: String,
        /// In which language.
        lang: Lang,
    },
    /// A file of the prompt folder.
    File(String),
    /// Hold music: the named file, or the built-in music when `None`.
    Music(Option<String>),
    /// A sine of so many hertz for so long (the message beep, tests).
    Tone {
        /// Frequency in hertz.
        hertz: u16,
        /// Length in milliseconds.
        ms: u32,
    },
    /// Nothing, for so many milliseconds.
    Silence {
        /// Length in milliseconds.
        ms: u32,
    },
}

/// Which keys and sounds stop a prompt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum BargeIn {
    /// Nothing does.
    Off,
    /// A key.
    Dtmf,
    /// A key or the start of speech.
    Vad,
    /// A key or recognised words (a cough or 嗯 ducks and resumes).
    Words,
}

/// Is a recording masked?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Masking {
    /// Noise stands in it, as long as this lasts.
    On,
    /// It has what is said.
    #[default]
    Off,
}

/// A wish of the rules, carried out by the worker that owns the room.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Opens a leg in a room (the room is made with its first leg). It hears nobody yet.
    OpenLeg {
        /// The room.
        room: RoomId,
        /// The new leg.
        leg: LegId,
        /// The agreed stream.
        stream: Stream,
    },
    /// New addresses, codec or direction after a re-INVITE.
    UpdateLeg {
        /// The leg.
        leg: LegId,
        /// The stream as agreed now.
        stream: Stream,
    },
    /// Ends a leg: its last report comes as [`Event::LegClosed`].
    CloseLeg {
        /// The leg.
        leg: LegId,
    },
    /// Sets one cell of the hearing matrix. 0.0 = deaf, 1.0 = as spoken.
    Hear {
        /// Who hears.
        ear: LegId,
        /// Who is heard.
        mouth: LegId,
        /// Linear gain.
        gain: f32,
    },
    /// Plays prompts to one leg, replacing what plays there. Ends with [`Event::PlayFinished`].
    Play {
        /// The ear.
        leg: LegId,
        /// The playback's name.
        play: PlayId,
        /// One after the other.
        prompts: Vec<Prompt>,
        /// Round and round until stopped.
        repeat: bool,
        /// What may stop it by itself.
        barge_in: BargeIn,
    },
    /// Stops a playback, if it still plays.
    StopPlay {
        /// The ear.
        leg: LegId,
        /// The playback.
        play: PlayId,
    },
    /// Sends keys by RFC 4733 (or as tones where telephone-event was not agreed).
    SendKeys {
        /// Who gets them.
        leg: LegId,
        /// `0-9 * # A-D`.
        keys: String,
    },
    /// Opens the leg's ear to the recognizer for one turn.
    Listen {
        /// The speaker.
        leg: LegId,
        /// The turn's terms.
        listening: Arc<Listening>,
    },
    /// Another silence ends the utterance that is under way; the turn's next one has the turn's own again.
    EndAfter {
        /// The speaker.
        leg: LegId,
        /// The turn.
        turn: TurnId,
        /// So long.
        silence: Duration,
    },
    /// Ends the turn without a result.
    StopListen {
        /// The speaker.
        leg: LegId,
        /// The turn.
        turn: TurnId,
    },
    /// Begins a stereo recording: left what `customer` says, right what `customer` hears.
    StartRecording {
        /// The room.
        room: RoomId,
        /// The recording.
        recording: RecordingId,
        /// Whose mouth is left and whose ear is right.
        customer: LegId,
        /// Below the recordings folder.
        path: PathBuf,
    },
    /// Writes noise instead of the sound from here on, or the sound again.
    MaskRecording {
        /// The room.
        room: RoomId,
        /// The recording.
        recording: RecordingId,
        /// Noise or sound.
        masking: Masking,
    },
    /// Closes the recording; [`Event::RecordingFinished`] follows.
    StopRecording {
        /// The room.
        room: RoomId,
        /// The recording.
        recording: RecordingId,
    },
}

/// Packet counts of one leg, at its end.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct LegStats {
    /// Packets received.
    pub received: u64,
    /// Packets that never came, by sequence number.
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets sent.
    pub sent: u64,
    /// Interarrival jitter of RFC 3550 A.8, in milliseconds.
    pub jitter_ms: f32,
    /// Datagrams that were no RTP, came from a stranger, or could not be believed.
    pub refused: u64,
    /// What it sounded like, by patches of about five seconds; nothing of a leg on which nothing came.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// How far apart its packets came; not kept in the log.
    #[serde(skip)]
    pub gaps: Gaps,
}

/// How far apart packets came that were made 20 ms apart, by bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gaps(pub [u32; Gaps::BOUNDS.len() + 1]);

impl Gaps {
    /// Upper bounds of the buckets in milliseconds; what is above all of them is in the last.
    pub const BOUNDS: [u16; 11] = [21, 22, 23, 25, 28, 32, 36, 40, 60, 100, 200];

    /// Counts a gap.
    pub fn add(&mut self, gap_ms: f64) {
        let bucket = Gaps::BOUNDS.iter().position(|bound| gap_ms <= f64::from(*bound)).unwrap_or(Gaps::BOUNDS.len());
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Gaps) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count = count.saturating_add(more));
    }

    /// The bound below which this share of all gaps lies; `None` when they lie above all bounds, or when there are none.
    #[must_use]
    pub fn below(&self, share: f64) -> Option<u16> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut within = 0;
        Gaps::BOUNDS.into_iter().zip(self.0).find_map(|(bound, count)| {
            within += u64::from(count);
            (within > 0 && within as f64 >= share * all as f64).then_some(bound)
        })
    }
}

/// What a leg sounded like here.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    /// So many patches of about five seconds had sound.
    pub patches: u32,
    /// The mean of their opinion scores, 1.0 to 4.5 (ITU-T G.107).
    pub mos: f32,
    /// The worst of them.
    pub worst: Patch,
    /// The mean round trip, in milliseconds; `None` when the peer never reported.
    pub rtt_ms: Option<f32>,
    /// What the peer says of the stream it got from us.
    pub far: Option<FarQuality>,
}

/// A patch of a leg of about five seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Patch {
    /// It ended so many seconds after the leg's sound began.
    pub at_s: u32,
    /// Its opinion score.
    pub mos: f32,
    /// Packets that never came or came too late, in percent.
    pub loss_percent: f32,
    /// Jitter at its end, in milliseconds.
    pub jitter_ms: f32,
    /// The round trip, in milliseconds, when it is known.
    pub rtt_ms: Option<f32>,
}

/// What a peer reports of our stream.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct FarQuality {
    /// The worst loss between two of its reports, in percent.
    pub worst_loss_percent: f32,
    /// Its last jitter, in milliseconds.
    pub jitter_ms: f32,
}

/// How a playback came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlayOutcome {
    /// All of it was heard.
    Done,
    /// It was stopped, replaced or barged into.
    Stopped,
    /// A prompt could not be had (file missing, synthesizer failed).
    Failed,
}

/// What the sound reports.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A key was pressed (once a press and way).
    KeyPressed {
        /// By whom.
        leg: LegId,
        /// `0-9 * # A-D`.
        key: char,
        /// How it came.
        way: KeyWay,
    },
    /// The first sound of a playback went out.
    PlayBegan {
        /// The ear.
        leg: LegId,
        /// Which playback.
        play: PlayId,
        /// How long it waited until its first sound was made.
        waited: Duration,
    },
    /// The playback ended.
    PlayFinished {
        /// The ear.
        leg: LegId,
        /// Which playback.
        play: PlayId,
        /// How.
        outcome: PlayOutcome,
    },
    /// Speech was confirmed in a listening turn.
    SpeechStarted {
        /// By whom.
        leg: LegId,
        /// The turn.
        turn: TurnId,
    },
    /// No packet for the media time-out though the peer should send.
    MediaLost {
        /// From whom.
        leg: LegId,
    },
    /// The leg is closed and its port may rest.
    LegClosed {
        /// The leg.
        leg: LegId,
        /// Its counts.
        stats: LegStats,
    },
    /// The file is closed and named by its sum. Of several parts all is told together, the sum as if one lay behind the other.
    RecordingFinished {
        /// The recording.
        recording: RecordingId,
        /// Below the recordings folder; that of the first part.
        path: PathBuf,
        /// Sound in the file.
        duration: Duration,
        /// Bytes in the file.
        bytes: u64,
        /// SHA-256 of the file, hex.
        sha256: String,
    },
    /// A part of a recording that has several is closed; [`Event::RecordingFinished`] follows the last one and is about all of them.
    RecordingPart {
        /// The recording.
        recording: RecordingId,
        /// Which part, from 1.
        part: u32,
        /// Below the recordings folder.
        path: PathBuf,
        /// Sound in the file.
        duration: Duration,
        /// Bytes in the file.
        bytes: u64,
        /// SHA-256 of the file, hex.
        sha256: String,
    },
    /// The file could not be written.
    RecordingFailed {
        /// The recording.
        recording: RecordingId,
        /// What the disk said.
        why: String,
    },
}
