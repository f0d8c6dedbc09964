//! The fold: facts of the log into the tables, batch by batch, each batch and its `applied_seq` in one transaction.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::changes::{Add, Changes, Texts};
use super::db::Db;
use super::journal::entry::Entry;
use super::journal::tail::Tail;
use super::journal::{JournalError, segment};
use super::{
    Error, activity, agents, calls, customers, messages, outcomes, phones, plans, queues, recordings, sessions, suggestions, tickets,
    trunks,
};
use crate::args;
use crate::control::event::Fact;
use crate::control::time::Time;

/// Facts of one transaction.
const BATCH: usize = 1_024;
/// A database that cannot be reached is asked again after this.
const RETRY: Duration = Duration::from_secs(1);
/// After a batch the fold rests so many times as long as the batch took, at most [`LONGEST_REST`]: the busier the center, the larger
/// the batches, and a page of the database that many facts touch is written once. A lone fact of a quiet center waits for nobody,
/// and nobody who waits for a fact has to wait for the rest.
const REST_TIMES: u32 = 64;
/// The longest that the tables, and who follows the facts live, lie behind for the sake of larger batches.
const LONGEST_REST: Duration = Duration::from_millis(400);
/// Old files are looked for each time so many facts were applied.
const PRUNE_EVERY: u64 = 100_000;

/// When and where in the log a fact stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its seq.
    pub seq: u64,
    /// When it happened.
    pub at: Time,
}

/// What the database has.
///
/// # Errors
/// What the database says.
pub async fn applied(db: &Db) -> Result<u64, Error> {
    let row = db.row("SELECT value FROM meta WHERE name = $1", args!["applied_seq"]).await?;
    Ok(row.map_or(Ok(0), |row| row.int("value"))?.cast_unsigned())
}

/// Where the facts come from: from memory while the fold keeps up, else from the files.
pub struct Source {
    tail: Tail,
    written: mpsc::Receiver<Vec<Entry>>,
    held: VecDeque<Entry>,
}

impl Source {
    /// The log of a folder after fact `applied`.
    #[must_use]
    pub fn new(folder: PathBuf, applied: u64, written: mpsc::Receiver<Vec<Entry>>) -> Source {
        Source { tail: Tail::after(folder, applied), written, held: VecDeque::new() }
    }

    /// The facts after `applied`, at least one and at most [`BATCH`], none beyond `upto`.
    async fn next(mut self, applied: u64, upto: u64) -> Result<(Source, Vec<Entry>), Error> {
        self.hold(applied);
        match self.held.front().map(|held| held.seq) {
            Some(first) if first == applied + 1 => {
                // A write for which memory had no room leaves a gap.
                let joined = self.held.iter().take(BATCH).zip(first..).take_while(|(held, seq)| held.seq == *seq).count();
                let batch = self.held.drain(..joined).collect();
                Ok((self, batch))
            }
            Some(first) => self.read(applied, upto.min(first - 1)).await,
            None => self.read(applied, upto).await,
        }
    }

    /// Takes what was written since, for a whole batch; what the tables have already is dropped.
    fn hold(&mut self, applied: u64) {
        while self.held.len() < BATCH {
            let Ok(written) = self.written.try_recv() else { break };
            self.held.extend(written);
            while self.held.front().is_some_and(|held| held.seq <= applied) {
                self.held.pop_front();
            }
        }
    }

    async fn read(mut self, applied: u64, upto: u64) -> Result<(Source, Vec<Entry>), Error> {
        let job = tokio::task::spawn_blocking(move || {
            self.tail.skip_to(applied);
            let batch = self.tail.read(upto, BATCH);
            batch.map(|batch| (self, batch))
        });
        Ok(job.await.map_err(|_| JournalError::Closed)??)
    }
}

/// What folds, and for whom.
pub struct Fold {
    /// The tables.
    pub db: Db,
    /// The log's folder.
    pub folder: PathBuf,
    /// The facts.
    pub source: Source,
    /// The last seq the disk has.
    pub durable: watch::Receiver<u64>,
    /// The last seq the tables have.
    pub told: watch::Sender<u64>,
    /// Somebody waits for the tables: no rest.
    pub hurry: Arc<Notify>,
}

impl Fold {
    /// Runs until the log is closed and all of it is applied.
    ///
    /// # Errors
    /// A log that lacks facts or is damaged: going on would leave a gap.
    pub async fn run(self) -> Result<(), Error> {
        let Fold { db, folder, mut source, mut durable, told, hurry } = self;
        let mut applied = *told.borrow();
        let mut texts = Texts::default();
        loop {
            let upto = *durable.borrow_and_update();
            let mut took = Duration::ZERO;
            while applied < upto {
                let (kept, batch) = source.next(applied, upto).await?;
                source = kept;
                let began = Instant::now();
                fold(&db, &mut texts, &batch).await;
                took += began.elapsed();
                let before = applied;
                applied = batch.last().map_or(applied, |last| last.seq);
                told.send_replace(applied);
                if before / PRUNE_EVERY != applied / PRUNE_EVERY {
                    segment::prune(&folder, applied).map_err(JournalError::Disk)?;
                }
            }
            rest(&durable, &hurry, took * REST_TIMES).await;
            if durable.changed().await.is_err() && *durable.borrow() == applied {
                return Ok(());
            }
        }
    }
}

/// Rests, unless somebody waits or the log is closed meanwhile: a server that closes is not kept waiting.
async fn rest(durable: &watch::Receiver<u64>, hurry: &Notify, span: Duration) {
    let mut closed = durable.clone();
    let over = async move { while closed.changed().await.is_ok() {} };
    let woken = async {
        tokio::select! {
            () = hurry.notified() => {}
            () = over => {}
        }
    };
    // Whichever ends it.
    let _ = tokio::time::timeout(span.min(LONGEST_REST), woken).await;
}

/// Applies a batch, whatever it takes: all at once, else one by one, and a fact that no table takes stands in `events` alone.
async fn fold(db: &Db, texts: &mut Texts, batch: &[Entry]) {
    let mut pace = tokio::time::interval(RETRY);
    loop {
        pace.tick().await;
        match write(db, texts, batch, Tables::All).await {
            Ok(()) => return,
            Err(error) if is_refusal(&error) && batch.len() == 1 => {
                tracing::error!(seq = batch[0].seq, kind = batch[0].kind, %error, "a fact fits no table: it stands in the log alone");
                if write(db, texts, batch, Tables::Log).await.is_ok() {
                    return;
                }
            }
            Err(error) if is_refusal(&error) => {
                for one in batch {
                    Box::pin(fold(db, texts, std::slice::from_ref(one))).await;
                }
                return;
            }
            Err(error) => tracing::error!(%error, "the database cannot be written: trying again, the log keeps everything"),
        }
    }
}

/// Did the database refuse the fact itself (and not fail to be there)?
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Database(sqlx::Error::Database(inner)) => {
            !matches!(inner.kind(), sqlx::error::ErrorKind::Other) || is_data_error(inner.as_ref())
        }
        _ => false,
    }
}

/// PostgreSQL class 22: the data does not fit its column. (A full disk or a lock is class 53, 55 …, and SQLite's own codes.)
fn is_data_error(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    All,
    Log,
}

static NOTED: Add = Add { into: "INSERT INTO events (seq, id, at, type, session, customer, data)", conflict: "" };

async fn write(db: &Db, texts: &mut Texts, batch: &[Entry], tables: Tables) -> Result<(), Error> {
    let Some(last) = batch.last() else { return Ok(()) };
    let mut to = Changes::new(db.begin().await?, texts);
    for entry in batch {
        to.add(&NOTED, args![entry.seq, &entry.id, entry.at, &entry.kind, &entry.session, &entry.customer, &entry.data]);
        if let (Some(fact), Tables::All) = (&entry.fact, tables) {
            apply(&mut to, Place { seq: entry.seq, at: Time(entry.at) }, fact).await?;
        }
    }
    to.run("UPDATE meta SET value = $1 WHERE name = 'applied_seq'", args![last.seq]).await?;
    to.commit().await
}

/// One fact into every table that has to do with it.
async fn apply(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    customers::fold(to, place, fact).await?;
    activity::fold(to, place, fact);
    sessions::fold(to, place, fact);
    messages::fold(to, place, fact).await?;
    calls::fold(to, place, fact);
    queues::fold(to, place, fact).await?;
    agents::fold(to, place, fact);
    phones::fold(to, place, fact);
    trunks::fold(to, place, fact);
    plans::fold(to, place, fact).await?;
    recordings::fold(to, place, fact).await?;
    tickets::fold(to, place, fact).await?;
    suggestions::fold(to, place, fact).await?;
    outcomes::fold(to, place, fact).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event::{Author, DomainEvent, OfferEnd, SessionState};
    use crate::control::random::Random;
    use crate::control::words::agent::AgentState;
    use crate::control::words::chat::Content;
    use crate::control::words::{
        AgentId, CallId, ConversationId, CustomerId, EventId, IdentityId, LegId, MessageId, OfferId, QueueId, RecordingId, SessionId,
    };

    /// Few things, so that facts about the same one meet in one batch.
    struct Pool {
        random: Random,
        made: std::collections::BTreeSet<String>,
        customers: Vec<CustomerId>,
        conversations: Vec<ConversationId>,
        sessions: Vec<SessionId>,
        calls: Vec<CallId>,
        legs: Vec<LegId>,
        offers: Vec<OfferId>,
        messages: Vec<MessageId>,
        agents: Vec<AgentId>,
        queues: Vec<QueueId>,
        recordings: Vec<RecordingId>,
    }

    impl Pool {
        fn new(seed: u64) -> Pool {
            let mut random = Random::new(seed);
            let r = &mut random;
            Pool {
                customers: (0..2).map(|n| CustomerId::new(Time(n), r)).collect(),
                conversations: (0..3).map(|n| ConversationId::new(Time(n), r)).collect(),
                sessions: (0..4).map(|n| SessionId::new(Time(n), r)).collect(),
                calls: (0..4).map(|n| CallId::new(Time(n), r)).collect(),
                legs: (0..4).map(|n| LegId::new(Time(n), r)).collect(),
                offers: (0..3).map(|n| OfferId::new(Time(n), r)).collect(),
                messages: (0..4).map(|n| MessageId::new(Time(n), r)).collect(),
                agents: (0..2).map(|n| AgentId::new(Time(n), r)).collect(),
                queues: (0..2).map(|n| QueueId::new(Time(n), r)).collect(),
                recordings: (0..3).map(|n| RecordingId::new(Time(n), r)).collect(),
                made: std::collections::BTreeSet::new(),
                random,
            }
        }

        fn one<T: Copy>(random: &mut Random, from: &[T]) -> T {
            from[usize::try_from(random.below(from.len() as u64)).unwrap()]
        }

        fn word(&mut self) -> String {
            ["a", "b'c", "d\"e", "京"][usize::try_from(self.random.below(4)).unwrap()].to_owned()
        }

        fn fact(&mut self) -> Fact {
            let word = self.word();
            let number = self.random.below(50);
            let r = &mut self.random;
            let (customer, conversation) = (Pool::one(r, &self.customers), Pool::one(r, &self.conversations));
            let (session, call, leg) = (Pool::one(r, &self.sessions), Pool::one(r, &self.calls), Pool::one(r, &self.legs));
            let (offer, message) = (Pool::one(r, &self.offers), Pool::one(r, &self.messages));
            let (agent, queue) = (Pool::one(r, &self.agents), Pool::one(r, &self.queues));
            let recording = Pool::one(r, &self.recordings);
            match r.below(26) {
                0 => Fact::CustomerCreated { customer, name: Some(word), lang: None },
                1 => Fact::CustomerUpdated { customer, fields: serde_json::Map::from_iter([("tier".to_owned(), word.into())]) },
                2 => Fact::IdentityLinked {
                    identity: IdentityId::new(Time(number), r),
                    customer,
                    channel: "phone".into(),
                    address: word,
                    level: "claimed".into(),
                },
                3 => Fact::ConversationOpened { conversation, customer },
                4 => Fact::SessionCreated {
                    session,
                    conversation,
                    customer,
                    channel: "voice".into(),
                    address: word,
                    entry: "4001010".into(),
                    plan: None,
                    plan_version: None,
                    call: Some(call),
                },
                5 => Fact::SessionState { session, state: if number < 25 { SessionState::Bot } else { SessionState::Queued } },
                6 => Fact::NodeEntered { session, node: word, turn: 1 },
                7 => Fact::SlotFilled { session, slot: "plate".into(), value: word.into(), masked: number < 9 },
                8 => Fact::Assigned { session, agent },
                9 => Fact::Disposition { session, disposition: word, agent: None },
                10 => {
                    Fact::SessionClosed { session, ending: word, disposition: "done".into(), contained: number < 25, duration_ms: number }
                }
                11 => Fact::CallStarted { call, session, from: word, to: "4001010".into(), sip_call_id: "x".into(), signalled: Vec::new() },
                12 => Fact::CallAnswered { call },
                13 => Fact::CallBridged { call, agent: (number < 25).then_some(agent), leg },
                14 => Fact::CallEnded { call, ending: word, sip_status: 200, our_fault: false, duration_ms: number },
                15 => Fact::LegOpened { leg, call, role: "caller".into(), uri: word },
                16 => Fact::LegClosed { leg, call, why: word, stats: crate::control::words::media::LegStats::default() },
                17 => Fact::Queued { session, queue, skills: vec![word], priority: 1, position: 0 },
                18 => Fact::Dequeued { session, queue, why: word, waited_ms: number },
                19 => Fact::AgentState {
                    agent,
                    state: if number < 25 { AgentState::Available } else { AgentState::Offline },
                    reason: Some(word),
                },
                20 if number < 25 => Fact::Offered { offer, session, agent, queue, context: word.into() },
                20 => Fact::OfferEnded { offer, session, agent, end: OfferEnd::TimedOut },
                21 => Fact::RecordingStarted { recording, session, path: word },
                22 if number < 40 => {
                    Fact::RecordingFinished { recording, session, path: word, duration_ms: number, bytes: 9, sha256: "s".into() }
                }
                22 => Fact::RecordingFailed { recording, session, why: word },
                23 => Fact::TrunkState { trunk: word, state: "up".into(), why: None },
                24 => Fact::Raised { session, queue, priority: 7, position: 1 },
                _ => Pool::message(message, session, word, number),
            }
        }

        fn message(message: MessageId, session: SessionId, word: String, number: u64) -> Fact {
            Fact::MessageCreated {
                message,
                session,
                author: Author::Customer,
                agent: None,
                content: Content::Text { text: word.clone() },
                lang: None,
                client_id: Some(word.clone()),
                external_id: (number < 9).then_some(word),
                offset_ms: Some(number),
                duration_ms: None,
                confidence: Some(0.5),
                source: None,
                buttons: Vec::new(),
            }
        }

        /// A fact about things that earlier facts made: nothing is changed before it is there.
        fn sound(&mut self) -> Fact {
            loop {
                let fact = self.fact();
                let said = |session: &SessionId| format!("said in {session}");
                let (made, about): (Option<String>, Vec<String>) = match &fact {
                    Fact::SessionCreated { session, .. } => (Some(session.to_string()), vec![]),
                    Fact::CallStarted { call, .. } => (Some(call.to_string()), vec![]),
                    Fact::LegOpened { leg, .. } => (Some(leg.to_string()), vec![]),
                    Fact::Offered { offer, .. } => (Some(offer.to_string()), vec![]),
                    Fact::ConversationOpened { conversation, .. } => (Some(conversation.to_string()), vec![]),
                    Fact::MessageCreated { session, .. } | Fact::RecordingStarted { session, .. } => (Some(said(session)), vec![]),
                    // What is said after the end would be measured or not, as the batches fall.
                    Fact::SessionClosed { session, .. } => (None, vec![session.to_string(), said(session)]),
                    Fact::SessionState { session, .. }
                    | Fact::NodeEntered { session, .. }
                    | Fact::SlotFilled { session, .. }
                    | Fact::Assigned { session, .. }
                    | Fact::Raised { session, .. }
                    | Fact::Disposition { session, .. }
                    | Fact::Queued { session, .. }
                    | Fact::Dequeued { session, .. } => (None, vec![session.to_string()]),
                    Fact::CallAnswered { call } | Fact::CallBridged { call, .. } | Fact::CallEnded { call, .. } => {
                        (None, vec![call.to_string()])
                    }
                    Fact::LegClosed { leg, .. } => (None, vec![leg.to_string()]),
                    Fact::OfferEnded { offer, .. } => (None, vec![offer.to_string()]),
                    // A row that its end made is not made again by its beginning.
                    Fact::RecordingFinished { recording, .. } | Fact::RecordingFailed { recording, .. } => {
                        (None, vec![recording.to_string()])
                    }
                    _ => (None, vec![]),
                };
                if about.iter().all(|about| self.made.contains(about)) {
                    self.made.extend(made);
                    if let Fact::RecordingStarted { recording, .. } = &fact {
                        self.made.insert(recording.to_string());
                    }
                    return fact;
                }
            }
        }

        fn entry(&mut self, seq: u64) -> Entry {
            let fact = self.sound();
            let event = DomainEvent { id: EventId::new(Time(seq), &mut self.random), at: Time(seq * 10), fact };
            Entry::print(seq, event).unwrap().0
        }
    }

    async fn database(folder: &tempfile::TempDir, name: &str) -> Db {
        Db::open(&format!("sqlite:{}", folder.path().join(name).display())).await.unwrap()
    }

    /// Every row of every table that the fold writes.
    async fn dump(db: &Db) -> Vec<String> {
        let sql = "SELECT m.name AS name, group_concat(quote(p.name) || ', \"' || p.name || '\"') AS columns \
                   FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE '%sqlx%' GROUP BY m.name";
        let mut out = Vec::new();
        for table in db.rows(sql, args![]).await.unwrap() {
            let (name, columns) = (table.text("name").unwrap(), table.text("columns").unwrap());
            let sql = format!("SELECT '{name} ' || json_object({columns}) AS row FROM \"{name}\" ORDER BY 1");
            let rows = db.rows(Box::leak(sql.into_boxed_str()), args![]).await.unwrap();
            out.extend(rows.iter().map(|row| row.text("row").unwrap()));
        }
        out
    }

    #[tokio::test]
    async fn a_batch_leaves_the_tables_as_its_facts_one_by_one_do() {
        let folder = tempfile::tempdir().unwrap();
        for seed in 0..3 {
            let mut pool = Pool::new(seed);
            let entries: Vec<Entry> = (1..=400).map(|seq| pool.entry(seq)).collect();
            let (single, batched) = (database(&folder, &format!("single{seed}")).await, database(&folder, &format!("batched{seed}")).await);
            let mut texts = Texts::default();
            for entry in &entries {
                write(&single, &mut texts, std::slice::from_ref(entry), Tables::All).await.unwrap();
            }
            let mut rest = entries.as_slice();
            while !rest.is_empty() {
                let count = rest.len().min(1 + usize::try_from(pool.random.below(150)).unwrap());
                write(&batched, &mut texts, &rest[..count], Tables::All).await.unwrap();
                rest = &rest[count..];
            }
            assert_eq!(dump(&single).await, dump(&batched).await, "seed {seed}");
            assert_eq!(applied(&batched).await.unwrap(), 400);
        }
    }

    #[tokio::test]
    async fn writes_are_joined_and_what_memory_had_no_room_for_is_read_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut pool) = (folder.path().join("log"), Pool::new(1));
        std::fs::create_dir(&log).unwrap();
        let mut lines = Vec::new();
        let mut entries = Vec::new();
        for seq in 1..=30u64 {
            let event = DomainEvent { id: EventId::new(Time(seq), &mut pool.random), at: Time(seq), fact: pool.fact() };
            let (entry, line) = Entry::print(seq, event).unwrap();
            segment::print(seq, &line, &mut lines);
            entries.push(entry);
        }
        std::fs::write(log.join("00000000000000000001.log"), lines).unwrap();
        let (warm, written) = mpsc::channel(4);
        warm.try_send(entries[..3].to_vec()).unwrap();
        warm.try_send(entries[3..5].to_vec()).unwrap();
        warm.try_send(entries[12..20].to_vec()).unwrap();
        let (mut source, mut applied, mut seen, mut sizes) = (Source::new(log, 0, written), 0, Vec::new(), Vec::new());
        while applied < 30 {
            let (kept, batch) = source.next(applied, 30).await.unwrap();
            source = kept;
            assert_eq!(batch[0].seq, applied + 1);
            applied = batch.last().unwrap().seq;
            sizes.push(batch.len());
            seen.extend(batch);
        }
        assert_eq!((seen, sizes), (entries, vec![5, 7, 8, 10]));
    }
}
