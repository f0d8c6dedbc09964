//! The thread with real engines: what is heard, what is refused, and who waits for whom.

use std::net::TcpListener;
use std::path::Path;

use crossbeam_channel::Receiver;

use super::*;
use crate::control::words::speech::{Expect, FRAME_SAMPLES, Hints};
use crate::speech::engines::{Config, Engine};
use crate::speech::wav::Wav;

const PATIENCE: Duration = Duration::from_secs(30);

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper").join(name)
}

/// Chinese by the fixture's whisper, English as the test wants it.
fn config(english: &[Engine]) -> Config {
    let live =
        [("zh", &[Engine::Whisper][..]), ("en", english)].into_iter().map(|(lang, order)| (lang.to_owned(), order.to_vec())).collect();
    Config { whisper: Some(fixture("mini-q8_0.bin.gz")), models: "/nowhere".into(), live, ..Config::default() }
}

struct Line {
    handle: Handle,
    events: Receiver<Event>,
}

impl Line {
    fn start(config: Config) -> Line {
        let (tell, events) = bounded(64);
        let engines = Arc::new(Engines::load(config).unwrap());
        let handle = start(&engines, 0, move |event| tell.send(event).unwrap()).unwrap();
        Line { handle, events }
    }

    fn give(&self, job: Job) {
        self.handle.jobs.send_timeout(job, PATIENCE).unwrap();
    }

    fn begin(&self, leg: LegId, lang: &str) {
        let hints = Arc::new(Hints::default());
        let (end_silence, max) = (Duration::from_millis(700), Duration::from_secs(20));
        let listening = Listening { turn: TURN, lang: Lang::new(lang), expect: Expect::Sentence, hints, end_silence, max };
        self.give(Job::Begin { leg, listening: Arc::new(listening), offset: Duration::from_secs(1) });
    }

    fn say(&self, leg: LegId, wav: &str) {
        let pcm = Wav::read(&fixture(wav)).unwrap().mono(RATE);
        for frame in pcm.as_chunks::<FRAME_SAMPLES>().0 {
            self.give(Job::Frames { leg, turn: TURN, pcm: *frame });
        }
    }

    fn finish(&self, leg: LegId) {
        self.give(Job::Finish { leg, turn: TURN, at: clock::now() });
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// The thread ends when nobody can ask it any more.
    fn close(self) {
        drop(self.handle.jobs);
        self.handle.thread.join().unwrap();
        assert_eq!(self.events.try_iter().count(), 0, "nothing was told that nobody asked for");
    }
}

const TURN: TurnId = TurnId(5);

fn leg(number: u128) -> LegId {
    LegId(number)
}

#[test]
fn an_utterance_becomes_words_and_its_wait_in_line_is_latency() {
    let line = Line::start(config(&[]));
    let caller = leg(1);
    line.begin(caller, "zh-CN");
    line.say(caller, "wav/092-zh.wav");
    let ended = Time(clock::now().0 - 2_000_000);
    line.give(Job::Finish { leg: caller, turn: TURN, at: ended });
    let Event::Heard { leg, heard, .. } = line.next() else { panic!("no words") };
    assert_eq!((leg, heard.text.as_str(), heard.offset), (caller, "我的订单到哪儿了", Duration::from_secs(1)));
    assert!(heard.latency >= Duration::from_secs(2), "{:?}", heard.latency);
    assert!(heard.duration > Duration::from_secs(1) && &*heard.engine == "whisper:mini-q8_0", "{heard:?}");
    line.close();
}

#[test]
fn what_was_cancelled_or_never_begun_gives_nothing() {
    let line = Line::start(config(&[]));
    let (gone, stray) = (leg(1), leg(2));
    line.begin(gone, "zh-CN");
    line.say(gone, "wav/037-zh.wav");
    line.give(Job::Cancel { leg: gone, turn: TURN });
    line.finish(gone);
    line.say(stray, "wav/037-zh.wav");
    line.finish(stray);
    line.close();
}

#[test]
fn above_the_limit_and_without_an_engine_the_plan_is_told_at_once() {
    let line = Line::start(Config { utterances: 1, ..config(&[]) });
    line.begin(leg(1), "zh-CN");
    line.begin(leg(2), "zh-CN");
    assert_eq!(line.next(), Event::Nothing { leg: leg(2), turn: TURN, why: Nothing::Overloaded });
    line.give(Job::Cancel { leg: leg(1), turn: TURN });
    line.begin(leg(3), "en-US");
    assert_eq!(line.next(), Event::Nothing { leg: leg(3), turn: TURN, why: Nothing::NoEngine });
    line.begin(leg(2), "zh-CN");
    line.finish(leg(2));
    assert_eq!(line.next(), Event::Nothing { leg: leg(2), turn: TURN, why: Nothing::Rejected }, "an utterance without sound");
    line.close();
}

#[test]
fn another_machine_that_does_not_answer_holds_up_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let remotes = [("en".to_owned(), url)].into();
    let line = Line::start(Config { remotes, ..config(&[Engine::Remote]) });
    line.begin(leg(1), "en-US");
    line.say(leg(1), "wav/001-en.wav");
    line.finish(leg(1));
    line.begin(leg(2), "zh-CN");
    line.say(leg(2), "wav/037-zh.wav");
    line.finish(leg(2));
    assert!(matches!(line.next(), Event::Heard { heard, .. } if heard.text == "是的"), "the second caller is heard while the first waits");
    assert_eq!(line.next(), Event::Nothing { leg: leg(1), turn: TURN, why: Nothing::Failed });
    line.close();
}
