//! The configuration as the rules see it: one immutable snapshot, replaced whole (`Input::Directory`).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::guard::Defence;
use super::live::Live;
use super::media::{Codec, Prompt, WorkerId};
use super::net::Net;
use super::outbound::Outbound;
use super::sip::{ListenerId, Transport};
use super::srtp::{ProtectionRules, Srtp};
use super::trunk::{Group, Trunk};
use super::{AgentId, QueueId, SessionId};
use crate::control::dialplan::actions::Help;
use crate::control::dialplan::plan::Plan;

/// One snapshot.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// SIP sockets.
    pub listeners: Vec<Listener>,
    /// Media threads and their RTP ports.
    pub workers: Vec<Worker>,
    /// The realm of digest challenges and the host part of our own URIs.
    pub domain: String,
    /// The salt of stateless nonces; chance from the edge, the same over a reload.
    pub secret: u64,
    /// Human agents.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Queues.
    pub queues: BTreeMap<QueueId, Queue>,
    /// Published plans by id.
    pub plans: BTreeMap<String, Arc<Plan>>,
    /// Who answers which number; the first that fits wins, exact before pattern.
    pub numbers: Vec<Number>,
    /// Where calls to the outside go, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// Several trunks under one name.
    pub trunk_groups: BTreeMap<String, Group>,
    /// Ring groups by name.
    pub rings: BTreeMap<String, RingGroup>,
    /// What is limited.
    pub limits: Limits,
    /// Who is heard at the SIP sockets.
    pub defence: Defence,
    /// Who may call to the outside.
    pub outbound: Outbound,
    /// Codecs we offer, best first.
    pub codecs: Vec<Codec>,
    /// How sound is protected, where a trunk or a phone says nothing else.
    pub protection: ProtectionRules,
    /// Is every call recorded? A plan's `record` step may still switch.
    pub record_calls: bool,
    /// Queue waiting music: a file of the prompt folder.
    pub hold_music: Option<String>,
    /// What people hear of recordings and supervisors.
    pub notices: Notices,
    /// What recordings are written as.
    pub recording_form: RecordingForm,
    /// What agents are advised out of.
    pub help: Arc<Help>,
    /// What holds besides the files: versions on trial, notices.
    pub live: Live,
}

/// What a recording is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RecordingForm {
    /// PCM of 16 bits.
    #[default]
    Wav,
    /// Ogg/Opus, about an eighth of it.
    Opus,
}

impl RecordingForm {
    /// What its files end with.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            RecordingForm::Wav => "wav",
            RecordingForm::Opus => "opus",
        }
    }
}

/// Who leads this leads everybody.
pub const ALL_TEAMS: &str = "*";

impl Directory {
    /// The version of a plan that a new session gets.
    #[must_use]
    pub fn plan_for(&self, id: &str, session: SessionId) -> Option<&Arc<Plan>> {
        let published = self.plans.get(id)?;
        Some(self.live.canary_of(id, session).unwrap_or(published))
    }

    /// All versions that new sessions may get.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values().chain(self.live.canaries.values().map(|canary| &canary.plan))
    }

    /// Sources that need not prove themselves and are never limited: the trunks'.
    #[must_use]
    pub fn trusted(&self) -> Vec<Net> {
        self.trunks.values().flat_map(|trunk| trunk.sources.iter().copied()).collect()
    }

    /// May `supervisor` come into the calls of `agent`, and hear what was recorded of them?
    #[must_use]
    pub fn leads(&self, supervisor: AgentId, agent: AgentId) -> bool {
        let (Some(chief), Some(agent)) = (self.agents.get(&supervisor), self.agents.get(&agent)) else { return false };
        chief.id != agent.id && chief.team.leads.iter().any(|led| led == ALL_TEAMS || Some(led) == agent.team.of.as_ref())
    }
}

/// A SIP socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Its place.
    pub id: ListenerId,
    /// How SIP travels on it.
    pub transport: Transport,
    /// Where it is bound.
    pub bound: SocketAddr,
    /// What Via, Contact and SDP say instead of the bound address (1:1 NAT).
    pub advertised: SocketAddr,
}

/// A media thread's ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worker {
    /// Which.
    pub id: WorkerId,
    /// The address in our SDP.
    pub advertised: IpAddr,
    /// Other addresses that lead to the same ports.
    pub others: Arc<[IpAddr]>,
    /// Even UDP ports, all bound at start.
    pub ports: Vec<u16>,
}

/// A human agent.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Agent {
    /// From the user name, lasting.
    pub id: AgentId,
    /// What REGISTER and digest call him: `anna`.
    pub user: String,
    /// The name people see.
    pub name: String,
    /// The extension others dial, when he has one.
    pub extension: Option<String>,
    /// Digest secret H(A1) by algorithm: MD5 and SHA-256 of `user:realm:password`, hex.
    #[serde(skip)]
    pub ha1: Ha1,
    /// His phone.
    #[serde(flatten)]
    pub phone: Handset,
    /// Skill → level 1..=10: `insurance`, `lang:zh-CN`.
    pub skills: BTreeMap<String, u8>,
    /// The queues he serves.
    pub queues: Vec<QueueId>,
    /// What he may carry at once; a call costs 1.0 by default, a chat 0.05.
    pub capacity: f32,
    /// Is he available as soon as his phone registers?
    pub auto_available: bool,
    /// Where calls go that were dialled to him and that he does not take.
    #[serde(skip)]
    pub forward: Forward,
    /// Whose colleague he is, and whose calls he may supervise.
    #[serde(default)]
    pub team: Team,
}

/// An agent's phone, as far as it does not tell by itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Handset {
    /// A fixed SIP URI to call instead of the registered contact (a desk phone on the old PBX).
    pub uri: Option<String>,
    /// Is its sound ciphered; `None`: as the center wishes.
    #[serde(skip)]
    pub srtp: Option<Srtp>,
}

/// An agent's place among the others.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Team {
    /// The team he belongs to.
    pub of: Option<String>,
    /// The teams he supervises; `*` = everybody.
    pub leads: Vec<String>,
}

/// What people hear so that they know what happens with a call; nothing where nothing is set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Notices {
    /// For the customer, when he comes to a person and is recorded.
    pub recording: Option<Prompt>,
    /// For the agent when a supervisor comes in, and for the customer too when he speaks with all.
    pub supervision: Option<Prompt>,
}

impl Agent {
    /// What others dial to reach him.
    #[must_use]
    pub fn number(&self) -> &str {
        self.extension.as_deref().unwrap_or(&self.user)
    }
}

/// Where an agent's calls go instead: numbers, extensions or SIP URIs. Offers of queues are not forwarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forward {
    /// Without ringing at his phones.
    pub always: Option<String>,
    /// When he is busy or declines.
    pub busy: Option<String>,
    /// When he does not answer, or no phone of his is there.
    pub no_answer: Option<String>,
    /// How long his phones ring before that.
    pub after: Duration,
}

impl Default for Forward {
    fn default() -> Forward {
        Forward { always: None, busy: None, no_answer: None, after: FORWARD_AFTER }
    }
}

/// How long a phone rings before the call is forwarded.
const FORWARD_AFTER: Duration = Duration::from_secs(20);

/// Several phones under one number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingGroup {
    /// Its name.
    pub name: String,
    /// What is dialled; also told as the diverting number.
    pub number: String,
    /// Who rings: users, extensions, numbers, SIP URIs.
    pub members: Vec<String>,
    /// Together or one after the other.
    pub how: Ringing,
    /// How long each rings.
    pub ring: Duration,
    /// Where the call goes when nobody takes it.
    pub otherwise: Option<String>,
    /// Is the sound of members ciphered that say nothing of it themselves; `None`: as the center wishes.
    pub srtp: Option<Srtp>,
}

/// How a ring group rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ringing {
    /// All at once; the first who answers has the call.
    Together,
    /// One after the other, in order.
    InTurn,
}

/// Digest secrets of one user.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Ha1 {
    /// RFC 2617 MD5.
    pub md5: String,
    /// RFC 8760 SHA-256.
    pub sha256: String,
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1(kept secret)")
    }
}

/// Who is offered the next session of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Longest without a session.
    LongestIdle,
    /// Fewest sessions since midnight.
    FewestToday,
}

/// A queue.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Queue {
    /// From the name, lasting.
    pub id: QueueId,
    /// `driver_claims`.
    pub name: String,
    /// Who of those with the skills.
    pub selection: Selection,
    /// Skills needed besides those of the `queue` step.
    pub skills: Vec<String>,
    /// What a session takes of an agent's capacity, by channel.
    pub cost: BTreeMap<String, f32>,
    /// How long one agent rings.
    pub ring: Duration,
    /// What a missed offer makes of the agent.
    pub missed: super::agent::AgentState,
    /// The longest wrap-up.
    pub wrap_up: Duration,
    /// After this the overflow applies, when the plan says nothing else.
    pub max_wait: Duration,
    /// The service level: answered within `answer` for `target` of all.
    pub sla: Option<(Duration, f32)>,
}

/// Where a dialled number leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Number {
    /// `4001010`, `sip:driver@*`, or a prefix `9*`.
    pub pattern: String,
    /// What answers.
    pub target: Target,
}

/// What answers a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A plan by id.
    Plan(String),
    /// An agent's phone.
    Agent(AgentId),
    /// A queue, without a plan.
    Queue(QueueId),
    /// A trunk, or a group of trunks: the call goes out there.
    Trunk(String),
    /// A ring group.
    Ring(String),
}

/// A user and a password for digest challenges to us.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, kept secret)", self.user)
    }
}

/// What is limited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Concurrent calls; above: 503 with Retry-After.
    pub calls: usize,
    /// Concurrent chat sessions.
    pub chats: usize,
    /// How long a released RTP port rests.
    pub port_rest: Duration,
    /// Without a packet for this long from a peer that should send, the leg is lost.
    pub media_timeout: Duration,
    /// A contact within this time of the last one joins the same conversation.
    pub conversation_idle: Duration,
    /// A chat session without a line for this long is closed; the next line opens another one.
    pub chat_idle: Duration,
    /// The shortest registration of a phone (below: 423 with Min-Expires) and the longest (above: shortened to it).
    pub registration: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            calls: 4_000,
            chats: 50_000,
            port_rest: Duration::from_secs(2),
            media_timeout: Duration::from_secs(30),
            conversation_idle: Duration::from_hours(24),
            chat_idle: Duration::from_mins(30),
            registration: (Duration::from_mins(1), Duration::from_hours(1)),
        }
    }
}
